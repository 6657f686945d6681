-- evalua trend: the means of an experiment from run to run, oldest first, each variant by itself.

local fail = require "evalua.cli.fail"
local gate = require "evalua.gate"
local json = require "evalua.json"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local pretty = require "evalua.report.pretty"
local records = require "evalua.cli.records"
local ref = require "evalua.cli.ref"
local report = require "evalua.report.json"
local store_context = require "evalua.store_context"
local strict = require "evalua.strict"
local sys = require "evalua.native.sys"
local trend = require "evalua.report.trend"

local RUNS_DEFAULT = 20

local parsed = options.parse("trend", ...)
if parsed.help then
  sys.stdout_write(options.help("trend"))
  return 0
end
local store = store_context.open(parsed.store, { read_only = true })
local newest = ref.resolve(store, parsed[1])
local wanted_variant = parsed[1] ~= newest.name and (newest.variant or "") or nil
local limit = parsed.limit or RUNS_DEFAULT

local function scorer_of(scorer)
  local function value(name) return scorer[name] ~= nil and scorer[name] or json.null end
  return { mean = value("mean"), ci = value("ci"), n = scorer.n, stderr = value("stderr"),
    pass_rate = value("pass_rate") }
end

local function point_of(record)
  local summary = records.summary(store, record)
  local point = {
    number = record.number, experiment_id = record.id, started_at = record.started_at, status = record.status,
    verdict = record.verdict or "none", partial = gate.is_partial(record), total_items = record.total_items,
    accepted_at = record.accepted_at, git = records.decode(record.git), dataset_version = record.dataset_version,
    scorers = {},
  }
  for id, scorer in pairs(summary.scorers or {}) do point.scorers[id] = scorer_of(scorer) end
  return point
end

-- The variants in the order of their first run among those looked at, each with its runs, oldest first.
local function collect()
  local query = { name = newest.name, variant = wanted_variant }
  local groups, order = {}, {}
  for _, record in ipairs(fail.check(fail.codes.incomplete, store:experiments(query))) do
    local variant = record.variant or ""
    local group = groups[variant]
    if not group then
      group = { name = record.name, variant = record.variant, runs = json.array {} }
      groups[variant] = group
      order[#order + 1] = group
    end
    if #group.runs < limit then table.insert(group.runs, 1, point_of(record)) end
  end
  table.sort(order, function(a, b) return (a.variant or "") < (b.variant or "") end)
  return order
end

local function keep_scorers(groups)
  if not parsed.scorer then return end
  local known, wanted = {}, {}
  for _, group in ipairs(groups) do
    for _, run in ipairs(group.runs) do for id in pairs(run.scorers) do known[id] = true end end
  end
  for _, id in ipairs(parsed.scorer) do
    if not known[id] then
      fail.usage("--scorer %s: the runs have no such scorer%s", id, strict.hint(id, strict.keys(known), "scorers"))
    end
    wanted[id] = true
  end
  for _, group in ipairs(groups) do
    for _, run in ipairs(group.runs) do
      for id in pairs(run.scorers) do if not wanted[id] then run.scorers[id] = nil end end
    end
  end
end

local groups = collect()
keep_scorers(groups)
local stdout = output.stdout()
if parsed.format == "json" then
  report.list(stdout.write, groups)
else
  local view = pretty.view(stdout.write)
  for position, group in ipairs(groups) do
    if position > 1 then stdout.write("\n") end
    trend.put(view, group)
  end
end
stdout.flush()
return 0
