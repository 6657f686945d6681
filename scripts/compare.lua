-- evalua compare: two runs or more, item by item, each against the first.

local baseline_store = require "evalua.baseline_store"
local comparison_report = require "evalua.report.comparison"
local fail = require "evalua.cli.fail"
local formats = require "evalua.report.formats"
local github = require "evalua.report.github"
local json = require "evalua.json"
local strict = require "evalua.strict"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local pretty = require "evalua.report.pretty"
local ref = require "evalua.cli.ref"
local report = require "evalua.report.json"
local store_context = require "evalua.store_context"
local sys = require "evalua.native.sys"

local parsed = options.parse("compare", ...)
if parsed.help then
  sys.stdout_write(options.help("compare"))
  return 0
end
local format = parsed.format or "pretty"
local file_formats = {}
for position, path in ipairs(parsed.output or {}) do
  file_formats[position] = output.format_of(path, { "json", "md", "html", "csv" })
end
-- Baseline files need no store; of several variants in one, the variant of the other run is meant.
local found_store = store_context.open(parsed.store, { read_only = true, optional = true })
local store = baseline_store.over(found_store)
local sides, variant = {}, nil
for position = #parsed, 1, -1 do
  sides[position] = ref.resolve(found_store, parsed[position], { files = true, variant = variant })
  variant = variant or sides[position].variant
end

local compare = require "evalua.compare"

local function check_scorers(result)
  if not parsed.scorer then return end
  local ids = {}
  for id in pairs(result.scorers) do ids[#ids + 1] = id end
  table.sort(ids)
  for _, id in ipairs(parsed.scorer) do
    if not result.scorers[id] then
      fail.usage("--scorer %s: the runs have no such scorer in common%s", id, strict.hint(id, ids, "scorers"))
    end
  end
end

-- --scorer keeps only what it names, in the table and in the lists of items.
local function keep_scorers(result)
  if not parsed.scorer then return end
  local kept = {}
  for _, id in ipairs(parsed.scorer) do kept[id] = result.scorers[id] end
  result.scorers = kept
  for _, list_name in ipairs { "regressions", "improvements" } do
    local list = {}
    for _, change in ipairs(result[list_name] or {}) do
      if kept[change.scorer_id] then list[#list + 1] = change end
    end
    result[list_name] = json.array(list)
  end
end

local function keep_only(result)
  if parsed.only == "regressed" then result.improvements = {} end
  if parsed.only == "improved" then result.regressions = {} end
end

local stdout = output.stdout()
local view = pretty.view(stdout.write)
local results = {}
for _, result in ipairs(compare.runs(store, sides, { margin = parsed.margin })) do
  check_scorers(result)
  keep_scorers(result)
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
  for position, result in ipairs(results) do
    if position > 1 then stdout.write("\n") end
    comparison_report.put(view, result, { only = parsed.only, limit = parsed.limit, scorers = parsed.scorer })
  end
  if go_commands then stdout.write(go_commands) end
else
  write_as(format, stdout.write)
end
stdout.flush()
for position, path in ipairs(parsed.output or {}) do
  local file = output.file(path)
  write_as(file_formats[position], file.write)
  file.close()
end
github.automatic({ store = store, comparisons = results }, format == "github")

if parsed.fail_on then
  local worst = fail.codes.ok
  for _, result in ipairs(results) do
    for _, scorer in pairs(result.scorers) do
      if scorer.verdict == "regressed" then
        worst = fail.codes.rule
      elseif parsed.fail_on == "inconclusive" and worst == fail.codes.ok
        and (scorer.verdict == "inconclusive" or scorer.verdict == "incomparable") then
        worst = fail.codes.inconclusive
      end
    end
    if next(result.scorers) == nil then fail.incomplete("--fail-on: the runs have no scorer in common to judge by") end
  end
  return worst
end
return 0
