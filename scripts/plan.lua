-- evalua plan: what difference a run's dataset can detect, and how many items or trials a wanted one needs.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local planning = require "evalua.planning"
local pretty = require "evalua.report.pretty"
local ref = require "evalua.cli.ref"
local report = require "evalua.report.json"
local store_context = require "evalua.store_context"
local strict = require "evalua.strict"
local summary = require "evalua.summary"

local parsed = options.begin("plan", ...)
if not parsed then return 0 end

local function check_fraction(name)
  local value = parsed[name]
  if value and (value <= 0 or value >= 1) then
    fail.usage("plan: --%s must be above 0 and below 1, not %g", name, value)
  end
end

if parsed.detect and parsed.detect <= 0 then fail.usage("plan: --detect must be above 0, not %g", parsed.detect) end
check_fraction "power"
check_fraction "alpha"

local store = store_context.open(parsed.store, { read_only = true })
local record = ref.resolve(store, parsed[1] or "latest")
if parsed.scorer then
  local ids, known = {}, {}
  for position, definition in ipairs(summary.scorers_of(store, record)) do
    ids[position], known[definition.key], known[definition.id] = definition.key, true, true
  end
  for _, id in ipairs(parsed.scorer) do
    if not known[id] then
      fail.usage("--scorer %s: the run has no such scorer%s", id, strict.hint(id, ids, "scorers"))
    end
  end
end

local plan = planning.of_run(store, record, { detect = parsed.detect, power = parsed.power, alpha = parsed.alpha,
  scorers = parsed.scorer })
local stdout = output.stdout()
if parsed.format == "json" then
  for _, scorer in pairs(plan.scorers) do
    for _, name in ipairs { "mean", "mde", "variance", "within_variance", "difference_variance", "correlation" } do
      if scorer[name] == nil then scorer[name] = json.null end
    end
    for _, need in ipairs(scorer.needed or {}) do
      for _, name in ipairs { "items", "trials" } do if need[name] == nil then need[name] = json.null end end
    end
  end
  stdout.write(report.harmless(json.encode(plan)) .. "\n")
else
  require("evalua.report.planning").put(pretty.view(stdout.write), plan)
end
stdout.flush()
return 0
