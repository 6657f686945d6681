-- evalua resume and evalua retry: finish or repeat parts of a stored run, with the suite that it was made from.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local secrets = require "evalua.secrets"
local strict = require "evalua.strict"
local suite_code = require "evalua.suite_code"
local summary_module = require "evalua.summary"
local sys = require "evalua.native.sys"

local again = {}

local FILES_SHOWN = 5 -- changed files that a warning names
local EXIT_CODES = { fail = fail.codes.rule, error = fail.codes.incomplete }

local function warn(message, ...) sys.stderr_write("evalua: warning: " .. message:format(...) .. "\n") end

local function title(record)
  return ("%d (%s%s)"):format(record.number, record.name,
    record.variant and record.variant ~= "" and ("[%s]"):format(record.variant) or "")
end

-- ==== The suite ====

local function load_suite(record, stored)
  if not stored.suite_path or stored.started_by then
    fail.usage("experiment %s was started by a script%s, so its target and scorers are there only while that script "
      .. "runs; run the script again. What it has stored stays: evalua show %d", title(record),
      stored.started_by and (" (%s)"):format(stored.started_by) or "", record.number)
  end
  if not stored.suite_text and not sys.exists(stored.suite_path) then
    fail.usage("experiment %s: its suite %s is gone", title(record), stored.suite_path)
  end
  local params = {}
  for name, value in next, summary_module.decoded(record.params) or {} do
    params[name] = secrets.restore(tostring(value))
  end
  local text = stored.suite_text and secrets.restore(stored.suite_text, true)
  local ok, suite = pcall(require("evalua.suite").load, stored.suite_path,
    { params = params, check_params = true, text = text })
  if ok then return suite end
  if text and fail.is_failure(suite) then -- of cases: nobody has seen the lines of that text
    suite.message = suite.message:gsub(stored.suite_path:gsub("%p", "%%%0") .. ":%d+: ", "")
  end
  error(suite, 0)
end

local function find_experiment(suite, record, stored)
  local names = {}
  for _, experiment in ipairs(suite.experiments) do
    if experiment.name == record.name and (experiment.variant or "") == (record.variant or "") then
      experiment.suite_path, experiment.suite_text = record.suite, stored.suite_text
      if stored.suite_text then experiment.code_files = { stored.suite_path } end
      return experiment
    end
    names[#names + 1] = experiment.name
  end
  fail.usage("%s no longer declares the experiment of run %s%s", stored.suite_path, title(record),
    strict.hint(record.name, names, "experiments"))
end

-- ==== What has changed since ====

local function check_target(record, stored, target)
  local then_version, now_version = stored.target_version, target.version
  local problem
  if record.target_id ~= target.id then
    problem = ("the target was %s, now it is %s"):format(record.target_id, target.id)
  elseif record.target_type ~= target.type then
    problem = ("the target %s was a %s, now it is a %s"):format(target.id, record.target_type, target.type)
  elseif then_version ~= now_version then
    problem = ("target %s: its version was %s, now it is %s"):format(target.id, then_version or "not declared",
      now_version or "not declared")
  end
  if problem then
    fail.usage("run %s cannot go on: %s; its results are not reused. `evalua run` makes a new run", title(record),
      problem)
  end
  local digest = rawget(target, "digest")
  if not now_version and stored.target_digest and digest ~= stored.target_digest then
    warn("target %s is defined differently than when run %d started; results from before are kept", target.id,
      record.number)
  end
end

local function check_scorers(record, experiment)
  local before, now, problems = {}, {}, {}
  for _, definition in ipairs(summary_module.decoded(record.scorers) or {}) do before[definition.id] = definition end
  for _, scorer in ipairs(experiment.scorers or experiment.dataset_scorers or {}) do now[scorer.id] = scorer end
  for _, id in ipairs(strict.keys(before)) do
    local old, new = before[id], now[id]
    if not new then
      problems[#problems + 1] = ("scorer %s is gone"):format(id)
    elseif tostring(old.version) ~= tostring(new.version) then
      problems[#problems + 1] = ("scorer %s: its version was %s, now it is %s"):format(id,
        tostring(old.version or "not declared"), tostring(new.version or "not declared"))
    elseif old.digest ~= new.digest and not new.version then
      warn("scorer %s is defined differently than when run %d started; scores from before are kept", id, record.number)
    end
  end
  for _, id in ipairs(strict.keys(now)) do
    if not before[id] then problems[#problems + 1] = ("scorer %s is new"):format(id) end
  end
  if #problems > 0 then
    fail.usage("run %s cannot go on: %s; its results are not reused. `evalua run` makes a new run", title(record),
      table.concat(problems, ", "))
  end
end

local function check_code(record, stored, experiment)
  if type(stored.code) ~= "table" then return end
  local lines = suite_code.changes(stored.code, suite_code.digests(experiment.code_files or {}))
  if #lines == 0 then return end
  warn("the suite's code is not what it was when run %d started: %s%s", record.number,
    table.concat(lines, ", ", 1, math.min(#lines, FILES_SHOWN)), #lines > FILES_SHOWN
    and (" and %d more"):format(#lines - FILES_SHOWN) or "")
end

-- The pinned items of the selection must be there still.
local function check_items(store, record, trials)
  local selected = (record.total_items or 0) * trials
  local there = fail.check(fail.codes.incomplete, store:job_count(record.id, "all"))
  if there < selected then
    fail.usage("run %s cannot go on: %d of its %d items are no longer in the store (dataset %s was deleted or purged)",
      title(record), (selected - there) // trials, record.total_items, tostring(record.dataset_name))
  end
end

-- ==== The command ====

-- The run is this process's from here on, or it is another's.
local function take(store, record)
  local locked, message, code = store:lock(record.number)
  if locked then return end
  if code == "busy" then
    fail.usage("run %s is running in another process; wait for it, or stop it first", title(record))
  end
  fail.incomplete("run %s: %s", title(record), tostring(message))
end

-- Nothing to do: the run is reported as it is, where somebody asked for a report; the exit code is what its verdict
-- says.
local function nothing(store, record, message, report)
  store:unlock(record.number)
  sys.stderr_write(("run %s: %s\n"):format(title(record), message))
  if report:is_document() then report:stored(store, require("evalua.cli.records").summary(store, record)) end
  return EXIT_CODES[record.verdict] or fail.codes.ok
end

local function idle_message(store, record, jobs)
  if jobs == "missing" then
    if record.status == "interrupted" or record.status == "running" then return nil end
    return store:job_count(record.id, "missing") == 0 and "every item has its result; nothing to resume" or nil
  end
  return store:job_count(record.id, "failed") == 0 and "no item failed; nothing to retry" or nil
end

---Runs `evalua resume` or `evalua retry`.
---@param command "resume"|"retry"
---@param jobs "missing"|"failed"
---@param ... string arguments
---@return integer exit_code
function again.run(command, jobs, ...)
  local options = require "evalua.cli.options"
  local parsed = options.begin(command, ...)
  if not parsed then return 0 end
  sys.claim_stdout()
  require("evalua.printing").to_stderr()
  local report = require("evalua.cli.run_report").of(parsed)
  local store_context = require "evalua.store_context"
  store_context.set_timeout(parsed.store_timeout, "--store-timeout")
  local store = store_context.open(parsed.store, { create = false })
  local named = require("evalua.cli.ref").resolve(store, parsed[1])
  take(store, named)
  local stored = summary_module.decoded(named.options) or {}
  local idle = idle_message(store, named, jobs)
  if idle then return nothing(store, named, idle, report) end
  require("evalua.cache").set_command_line(parsed.cache or stored.cache)
  local experiment = find_experiment(load_suite(named, stored), named, stored)
  experiment.attach(store:dataset_by_id(named.dataset_id))
  local reduction = require("evalua.trials").of_record(named)
  check_target(named, stored, experiment.target)
  check_scorers(named, experiment)
  check_code(named, stored, experiment)
  check_items(store, named, reduction and reduction.trials or 1)
  local stated = stored.baseline ~= json.null and stored.baseline or nil
  report:open(store)
  report:run(require("evalua.cli.plan").title(experiment), function(on_event)
    return require("evalua.runner").continue(experiment, named, {
      store = store, jobs = jobs, workers = parsed.workers, inconclusive = parsed.inconclusive or stored.inconclusive,
      max_concurrency = parsed.max_concurrency or stored.max_concurrency, baseline = parsed.baseline or stated,
      cache = parsed.cache or stored.cache, cache_file = parsed.cache_file or stored.cache_file, on_event = on_event,
    })
  end)
  return report:finish()
end

return again
