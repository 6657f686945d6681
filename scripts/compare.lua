-- evalua compare: two runs or more, item by item, each against the first.

local baseline_store = require "evalua.baseline_store"
local compare_sides = require "evalua.cli.compare_sides"
local comparison_report = require "evalua.report.comparison"
local fail = require "evalua.cli.fail"
local formats = require "evalua.report.formats"
local github = require "evalua.report.github"
local json = require "evalua.json"
local strict = require "evalua.strict"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local pretty = require "evalua.report.pretty"
local report = require "evalua.report.json"
local store_context = require "evalua.store_context"
local where = require "evalua.cli.where"

local parsed = options.begin("compare", ...)
if not parsed then return 0 end
local format = parsed.format or "pretty"
local file_formats = output.formats_of(parsed.output, { "json", "md", "html", "csv" })
if parsed.confidence and (parsed.confidence <= 0 or parsed.confidence >= 1) then
  fail.usage("compare: --confidence must be above 0 and below 1, such as 0.95, not %g", parsed.confidence)
end
local filter = parsed.where and where.compile(parsed.where, where.result_fields)
-- Baseline files need no store; of several variants in one, the variant of the other run is meant.
local found_store = store_context.open(parsed.store, { read_only = true, optional = true })
local store = baseline_store.over(found_store)
local sides = compare_sides.resolve(found_store, parsed)

local compare = require "evalua.compare"

-- The verdict, the warnings and the lists are of the scorers that --scorer names; one that no run has is an error, for
-- which all of them are looked up.
local function check_scorers(result)
  local ids, known = {}, {}
  for _, map in ipairs { result.scorers, result.metrics or {} } do
    for id in pairs(map) do ids[#ids + 1], known[id] = id, true end
  end
  table.sort(ids)
  for _, id in ipairs(parsed.scorer) do
    if not known[id] then
      fail.usage("--scorer %s: the runs have no such scorer in common%s", id, strict.hint(id, ids, "scorers"))
    end
  end
end

local function keep_only(result)
  if parsed.only == "regressed" then result.improvements = {} end
  if parsed.only == "improved" then result.regressions = {} end
  if not parsed.limit or format == "pretty" then return end -- which says of how many it shows the first
  for _, name in ipairs { "regressions", "improvements", "new_failures" } do
    result[name] = table.move(result[name], 1, math.min(#result[name], parsed.limit), 1, {})
  end
end

local stdout = output.stdout()
local view = pretty.view(stdout.write)
local function pair(side, scorers)
  return (compare.pair(store, sides[1], side, {
    margin = parsed.margin, confidence = parsed.confidence, alpha = parsed.alpha, by = parsed.by, scorer = scorers,
    cluster = compare_sides.cluster(parsed.cluster), gated = parsed.fail_on and (parsed.scorer or true) or nil,
    within = filter and compare_sides.within(store, side.baseline_file and sides[1] or side, filter),
    where = parsed.where, across_datasets = parsed.across_datasets,
  }))
end

local function has_all(result, scorers)
  for _, id in ipairs(scorers) do
    if not result.scorers[id] and not (result.metrics and result.metrics[id]) then return false end
  end
  return true
end

local results = {}
for position = 2, #sides do
  local ok, result = pcall(pair, sides[position], parsed.scorer)
  if parsed.scorer and not (ok and has_all(result, parsed.scorer)) then check_scorers(pair(sides[position])) end
  if not ok then error(result, 0) end
  keep_only(result)
  results[#results + 1] = result
end

local function write_as(wanted, write)
  if wanted ~= "json" then return formats.comparisons(wanted, write, store, results) end
  local shown = {}
  for position, result in ipairs(results) do shown[position] = report.mark_lists(compare.for_json(result)) end
  write(report.harmless(json.encode(#shown == 1 and shown[1] or json.array(shown))) .. "\n")
end

if format == "pretty" then
  local stop_commands, go_commands = github.guard()
  if stop_commands then stdout.write(stop_commands) end
  local shown = { only = parsed.only, limit = parsed.limit, scorers = parsed.scorer }
  if #results == 1 then
    comparison_report.put(view, store, results[1], shown)
  else
    comparison_report.put_all(view, store, results, shown)
  end
  if go_commands then stdout.write(go_commands) end
else
  write_as(format, stdout.write)
end
stdout.flush()
output.write_files(parsed.output, file_formats, write_as)
github.automatic({ store = store, comparisons = results }, format == "github")
where.tell_absent(filter, "results")
return parsed.fail_on and compare_sides.exit_code(results, parsed.fail_on) or 0
