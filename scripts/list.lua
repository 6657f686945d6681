-- evalua list: experiments (newest first), datasets, or the suites below here.

local dataset_list = require "evalua.cli.dataset_list"
local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local strict = require "evalua.strict"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local pretty = require "evalua.report.pretty"
local records = require "evalua.cli.records"
local report = require "evalua.report.json"
local store_context = require "evalua.store_context"
local suites = require "evalua.cli.suites"
local text = require "evalua.report.text"

local PRETTY_LIMIT = 20
local ALL = 1000000000

local parsed = options.begin("list", ...)
if not parsed then return 0 end
local kinds = { "experiments", "datasets", "suites" }
local kind = parsed[1] or "experiments"
if kind == "experiment" or kind == "dataset" or kind == "suite" then kind = kind .. "s" end
if kind ~= kinds[1] and kind ~= kinds[2] and kind ~= kinds[3] then
  fail.usage("list: there is no list of %s%s", kind, strict.hint(kind, kinds, "lists"))
end
options.check_action("list", parsed, kind)
local is_json = parsed.format == "json"
local stdout = output.stdout()
local view = pretty.view(stdout.write)

local function open() return store_context.open(parsed.store, { read_only = true }) end

local function experiments()
  local store = open()
  local limit = parsed.limit or (is_json and ALL or PRETTY_LIMIT)
  local found = fail.check(fail.codes.incomplete, store:experiments { name = parsed.name, limit = limit })
  local rows = {}
  for position, record in ipairs(found) do
    local counts = records.counts(store, record)
    record.counts = counts
    rows[position] = {
      id = record.id, experiment_id = record.id, number = record.number, name = record.name,
      variant = record.variant or json.null, status = record.status,
      verdict = record.verdict or "none", total_items = record.total_items, done_count = counts.done,
      failed_count = counts.failed, passed_count = counts.passed, dataset_name = record.dataset_name,
      dataset_version = record.dataset_version, target_id = record.target_id, suite = record.suite,
      created_at = record.created_at, started_at = record.started_at, completed_at = record.completed_at or json.null,
      description = record.description, tags = records.decode(record.tags),
      score_sets = is_json and records.score_sets(store, record) or nil,
    }
  end
  if is_json then
    report.list(stdout.write, rows)
  elseif #found == 0 then
    stdout.write(parsed.name and ("no experiment is called %s\n"):format(text.clean(parsed.name))
      or "no experiments yet; `evalua run` makes one\n")
  else
    pretty.experiments(view, found)
    if #found == limit and not parsed.limit then
      stdout.write(("the newest %d; --limit N shows more\n"):format(limit))
    end
  end
end

local function suite_files()
  local found = suites.below(".")
  if is_json then
    stdout.write(report.harmless(json.encode(json.array(found))) .. "\n")
  elseif #found == 0 then
    stdout.write("no *.eval.lua below here; `evalua init` writes one that runs\n")
  else
    stdout.write(table.concat(found, "\n") .. "\n")
  end
end

if kind == "experiments" then
  experiments()
elseif kind == "datasets" then
  dataset_list.put(open(), view, is_json, parsed)
else
  suite_files()
end
stdout.flush()
return 0
