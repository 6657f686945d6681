-- evalua run: loads suites, runs their experiments, reports them, and says by its exit code whether they hold.

local cases = require "evalua.cli.cases"
local fail = require "evalua.cli.fail"
local filters = require "evalua.cli.filters"
local formats = require "evalua.report.formats"
local github = require "evalua.report.github"
local jsonl = require "evalua.report.jsonl"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local plan = require "evalua.cli.plan"
local pretty = require "evalua.report.pretty"
local progress = require "evalua.report.progress"
local report = require "evalua.report.json"
local store_context = require "evalua.store_context"
local suites = require "evalua.cli.suites"
local sys = require "evalua.native.sys"
local verdict = require "evalua.cli.verdict"
local where = require "evalua.cli.where"

local parsed = options.parse("run", ...)
if parsed.help then
  sys.stdout_write(options.help("run"))
  return 0
end

sys.claim_stdout()

local function log(message) sys.stderr_write(message:gsub("##%[", "# #[") .. "\n") end

-- Everything that can be wrong with the command line is found before a suite is read.
local format = parsed.format or "pretty"
local file_formats = {}
for position, path in ipairs(parsed.output or {}) do file_formats[position] = output.format_of(path) end
if parsed.limit and parsed.sample then fail.usage("run: --limit and --sample exclude each other") end
local ids = filters.ids(parsed.items)
local filter = parsed.where and where.compile(parsed.where, where.item_fields)
-- --failed-from may name the suite.
local suite_paths, case_paths = {}, {}
if #parsed > 0 or not parsed.failed_from then suite_paths, case_paths = suites.find(parsed) end
cases.check(parsed, case_paths)

plan.choose_failed(parsed, suite_paths, case_paths, ids, store_context)
local experiments, datasets = plan.load(suite_paths, case_paths, parsed)
local stdout = output.stdout()
local in_memory = store_context.url(parsed.store) == ":memory:"
local existing = not in_memory and store_context.open(parsed.store, { read_only = true, optional = true }) or nil
for _, experiment in ipairs(experiments) do
  require("evalua.runner").check(experiment, { store = existing, items = ids })
end
if existing then store_context.close() end
local store = plan.open_store(parsed, store_context)
plan.check_datasets(experiments, datasets, store)
plan.check_baselines(experiments, parsed, store)
parsed.command_line = require("evalua.secrets").redact(table.concat({ "evalua", "run", ... }, " "))

if parsed.dry_run then
  plan.describe(experiments, store, { ids = ids, filter = filter, options = parsed, format = format }, stdout)
  return 0
end

local files, listeners = {}, {}
for position, path in ipairs(parsed.output or {}) do
  files[position] = output.file(path)
  if file_formats[position] == "jsonl" then listeners[#listeners + 1] = jsonl.writer(files[position].write, store) end
end
if format == "jsonl" then
  local writer = jsonl.writer(function(text)
    stdout.write(text)
  end, store)
  listeners[#listeners + 1] = writer
end

-- In a workflow nothing that a model wrote may act as a command of the runner.
local stop_commands, go_commands
if format == "pretty" then stop_commands, go_commands = github.guard() end
if stop_commands then
  stdout.write(stop_commands)
  stdout.flush()
end

local function run_one(experiment)
  local bar = progress.reporter(plan.title(experiment))
  local function on_event(event)
    for _, listener in ipairs(listeners) do listener:event(event) end
    if format == "jsonl" then stdout.flush() end
    bar:event(event)
  end
  local runner = require "evalua.runner"
  local ok, summary = pcall(runner.run, experiment, plan.runner_options(parsed, store, ids, filter, on_event))
  bar:clear()
  if not ok then error(summary, 0) end
  for _, listener in ipairs(listeners) do listener:done(summary) end
  return summary
end

local view = pretty.view(stdout.write)

local function print_summary(summary, position)
  if format == "jsonl" then stdout.flush() end
  if format ~= "pretty" then
    for _, line in ipairs(pretty.problems(store, summary)) do log(line) end
    return
  end
  if position > 1 then stdout.write("\n") end
  pretty.summary(view, store, summary)
  stdout.flush()
end

-- Variants of one experiment stand together at the end.
local function print_variants(summaries)
  local groups, order = {}, {}
  for _, summary in ipairs(summaries) do
    local group = groups[summary.name]
    if not group then
      group = {}
      groups[summary.name] = group
      order[#order + 1] = summary.name
    end
    group[#group + 1] = summary
  end
  for _, name in ipairs(order) do
    if #groups[name] > 1 then
      stdout.write("\n")
      pretty.line(view, view.paint("bold", name), ", each against the first")
      pretty.variants(view, groups[name])
    end
  end
end

for _, experiment in ipairs(experiments) do
  require("evalua.runner").prepare(experiment, plan.runner_options(parsed, store, ids, filter, nil))
end

local summaries, failure = {}, nil
for position, experiment in ipairs(experiments) do
  local ok, summary = pcall(run_one, experiment)
  if not ok then
    failure = summary
    break
  end
  summaries[position] = summary
  print_summary(summary, position)
  if summary.status == "cancelled" then break end
end

if filter and filter.absent > 0 then
  log(("--where: %d items lack a value that it compares and were left out (the first: %s)"):format(filter.absent,
    tostring(filter.first_absent)))
end

local overall = verdict.of(summaries)
if #summaries > 0 or not failure then
  if format == "pretty" then print_variants(summaries) end
  if format == "json" and not failure then report.run(stdout.write, store, summaries, overall) end
end
if go_commands then stdout.write(go_commands) end
local document = formats.document(store, summaries, overall)
if formats.has(format) and not failure then formats.runs(format, stdout.write, document) end
stdout.flush()
for position, file in ipairs(files) do
  local file_format = file_formats[position]
  if failure and file_format ~= "jsonl" then
    file.abandon()
  else
    if file_format == "json" then report.run(file.write, store, summaries, overall) end
    if formats.has(file_format) then formats.runs(file_format, file.write, document) end
    file.close()
  end
end
if #summaries > 0 then github.automatic(document, format == "github") end
if store.close then store:close() end
if failure then error(failure, 0) end
return verdict.exit_code(summaries)
