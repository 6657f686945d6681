-- evalua run: loads suites, runs their experiments, reports them, and says by its exit code whether they hold.

local cases = require "evalua.cli.cases"
local fail = require "evalua.cli.fail"
local filters = require "evalua.cli.filters"
local noise_runs = require "evalua.cli.noise_runs"
local options = require "evalua.cli.options"
local plan = require "evalua.cli.plan"
local run_report = require "evalua.cli.run_report"
local store_context = require "evalua.store_context"
local suites = require "evalua.cli.suites"
local sys = require "evalua.native.sys"
local where = require "evalua.cli.where"

local parsed = options.begin("run", ...)
if not parsed then return 0 end

if not require("evalua.cli.watch").is_inside() and parsed.watch then
  return require("evalua.cli.watch").run(parsed, ...)
end

sys.claim_stdout()

require("evalua.printing").to_stderr()
store_context.set_timeout(parsed.store_timeout, "--store-timeout")

-- Everything that can be wrong with the command line is found before a suite is read.
local report = run_report.of(parsed)
noise_runs.check(parsed)
if parsed.limit and parsed.sample then fail.usage("run: --limit and --sample exclude each other") end
local ids = filters.ids(parsed.items)
local filter = parsed.where and where.compile(parsed.where, where.item_fields)
-- --failed-from may name the suite.
local suite_paths, case_paths = {}, {}
if #parsed > 0 or not parsed.failed_from then suite_paths, case_paths = suites.find(parsed) end
cases.check(parsed, case_paths)

require("evalua.cache").set_command_line(parsed.cache)
plan.choose_failed(parsed, suite_paths, case_paths, ids, store_context)
local experiments, datasets = plan.load(suite_paths, case_paths, parsed)
if not parsed.dry_run then require("evalua.runner").ask_repository(experiments[1]) end
local in_memory = store_context.url(parsed.store) == ":memory:"
local existing = not in_memory and store_context.open(parsed.store, { read_only = true, optional = true }) or nil
local problems = require("evalua.problems").list()
for _, experiment in ipairs(experiments) do
  local ok, problem = pcall(require("evalua.runner").check, experiment,
    { store = existing, items = ids, cache = parsed.cache })
  local is_usage = not ok and fail.is_failure(problem) and problem.exit == fail.codes.usage
  if not ok and not is_usage then error(problem, 0) end
  if is_usage then problems.add(problem.message) end
end
if problems.text() then fail.usage("%s", problems.text()) end
if existing then store_context.close() end
local store = plan.open_store(parsed, store_context)
plan.check_datasets(experiments, datasets, store)
plan.check_baselines(experiments, parsed, store)
parsed.command_line = require("evalua.secrets").redact(table.concat({ "evalua", "run", ... }, " "))

if parsed.dry_run then
  plan.describe(experiments, store, { ids = ids, filter = filter, options = parsed, format = report.format },
    require("evalua.cli.output").stdout())
  return 0
end

report:open(store)

for _, experiment in ipairs(experiments) do
  require("evalua.runner").prepare(experiment, plan.runner_options(parsed, store, ids, filter, nil))
end

if parsed.noise then
  noise_runs.run(experiments, parsed, report, function(on_event)
    return plan.runner_options(parsed, store, ids, filter, on_event)
  end, plan.title)
  return report:finish()
end

for _, experiment in ipairs(experiments) do
  local summary = report:run(plan.title(experiment), function(on_event)
    return require("evalua.runner").run(experiment, plan.runner_options(parsed, store, ids, filter, on_event))
  end)
  if not summary then break end
  require("evalua.files_read").add_run(summary.experiment_id)
  if report:is_interrupted() then break end
end
where.tell_absent(filter, "items")
return report:finish()
