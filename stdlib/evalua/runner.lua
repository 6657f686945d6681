-- Runs a resolved experiment: stores what was selected (selection.lua), lets the engine run it, and has the end judged
-- (judgement.lua).

local engine = require "evalua.native.engine"
local expect = require "evalua.expect"
local fail = require "evalua.cli.fail"
local hooks = require "evalua.hooks"
local json = require "evalua.json"
local judgement = require "evalua.judgement"
local place = require "evalua.place"
local repository = require "evalua.repository"
local selection = require "evalua.selection"
local suite_code = require "evalua.suite_code"
local summary_module = require "evalua.summary"
local sys = require "evalua.native.sys"
local trials = require "evalua.trials"

local runner = { check = selection.check, prepare = selection.prepare }

local WORKERS_MAX = 256
local MEANS_EVERY_MS = 1000

local must = fail.must

local function encoded(value) return value ~= nil and json.encode(value) or nil end

-- ==== The stored record ====

---The scorers of an experiment as they are stored with it, with their digests.
---@param experiment table
---@return table[]
function runner.definitions(experiment)
  local list, seen = json.array {}, {}
  local function add(scorer)
    if seen[scorer.id] then return end
    seen[scorer.id] = true
    list[#list + 1] = {
      id = scorer.id, name = scorer.name, higher_is_better = scorer.higher_is_better,
      pass = type(scorer.pass) == "number" and scorer.pass or nil, digest = scorer.digest, version = scorer.version,
      description = scorer.description,
    }
  end
  for _, scorer in ipairs(experiment.scorers or experiment.dataset_scorers or {}) do add(scorer) end
  return list
end

local function metric_definitions(experiment)
  if not experiment.metrics then return nil end
  local list = json.array {}
  for position, entry in ipairs(experiment.metrics) do list[position] = require("evalua.metrics").definition(entry) end
  return list
end

-- Whose repository the record of a run names.
local function directory_of(suite)
  return suite and place.directory(sys.realpath(suite) or suite) or sys.cwd()
end

---Lets git work while the datasets are brought in line: for the experiment that will run first.
---@param experiment table
function runner.ask_repository(experiment) repository.ask(directory_of(experiment.suite_path)) end

local function record_of(experiment, data, settings, selected, seed)
  local target, tags = experiment.target, experiment.tags
  if settings.tags then
    local merged = {}
    for key, value in next, tags or {} do -- a list beside names: what is in it is simply there
      if math.type(key) then merged[value] = true else merged[key] = value end
    end
    for key, value in next, settings.tags do merged[key] = value end
    tags = merged
  end
  local suite = experiment.suite_path
  return {
    name = experiment.name, variant = experiment.variant, description = settings.note or experiment.description,
    metadata = encoded(experiment.metadata), tags = encoded(tags), dataset_id = data.id, dataset_name = data.name,
    dataset_version = data.version, dataset_digest = data.digest, target_type = target.type, target_id = target.id,
    target_version = target.version or rawget(target, "digest"), scorers = encoded(runner.definitions(experiment)),
    options = encoded {
      max_concurrency = settings.max_concurrency or experiment.max_concurrency,
      item_timeout_ms = experiment.item_timeout_ms, timeout_ms = experiment.timeout_ms,
      max_retries = experiment.max_retries, max_failures = experiment.max_failures, tolerance = experiment.tolerance,
      limits = experiment.stated_limits, started_by = experiment.started_by,
      target_digest = rawget(target, "digest"), trials = experiment.trials > 1 and experiment.trials or nil,
      reducer = experiment.trials > 1 and { name = experiment.reducer.name, k = experiment.reducer.k } or nil,
      suite_path = suite and sys.realpath(suite) or nil, suite_text = experiment.suite_text, cwd = sys.cwd(),
      code = suite_code.digests(experiment.code_files or {}), target_version = target.version,
      baseline = settings.baseline, inconclusive = settings.inconclusive, cache = settings.cache,
      cluster = experiment.cluster, suite_baseline = experiment.baseline, cache_file = settings.cache_file,
    },
    params = experiment.params and next(experiment.params) and encoded(experiment.params) or nil,
    git = encoded(repository.of(directory_of(suite))),
    seed = seed, selection = encoded(selected), suite = suite, host = sys.hostname(),
    slices = encoded(experiment.slices), metrics = encoded(metric_definitions(experiment)),
    command_line = settings.command_line, status = "running",
  }
end
-- The record and its selection appear together, and locked.
local function create(store, experiment, settings, prepared, seed)
  local data = prepared.data
  must(store:begin())
  local ok, made, total = pcall(function()
    local made = must(store:experiment_create(record_of(experiment, data, settings, prepared.selection, seed)))
    local total = must(store:selection_fill(made.id, data.id, data.version,
      { ids = prepared.ids, limit = settings.limit, trials = experiment.trials }))
    if total == 0 then
      selection.refuse_empty(experiment, data, settings)
    end
    must(store:lock(made.number))
    return made, total
  end)
  if not ok then
    store:rollback()
    error(made, 0)
  end
  must(store:experiment_update(made.id, { total_items = total // experiment.trials }))
  must(store:commit())
  return made, total
end

-- ==== Running ====

local function means_of(store, experiment_id, reduction)
  local means = {}
  for _, key in ipairs(store:score_keys(experiment_id) or {}) do
    local values = store:score_values(experiment_id, key.scorer_id or key.id, key.step_id or "",
      trials.for_scorer(reduction, true))
    local mean = values and require("evalua.native.stats").mean(values)
    if values then values:free() end
    if mean then means[summary_module.scorer_key(key.scorer_id or key.id, key.step_id)] = mean end
  end
  return means
end

local function progress_reporter(store, experiment_id, reduction, on_event)
  local begin, last_means, means = sys.monotonic_ms(), sys.monotonic_ms(), {}
  local cost_ms = 0
  return function(progress)
    local now = sys.monotonic_ms()
    -- Means cost a query over all scores: asked for rarely, and ever more rarely as they take longer.
    if now - last_means >= math.max(MEANS_EVERY_MS, 50 * cost_ms) and progress.done > 0 then
      means = means_of(store, experiment_id, reduction)
      last_means = sys.monotonic_ms()
      cost_ms = last_means - now
    end
    on_event {
      type = "progress", done = progress.done, total = progress.total, failed = progress.failed,
      in_flight = progress.in_flight, waiting = progress.waiting, retrying = progress.retrying, means = means,
      slowest = progress.slowest,
      rate = now > begin and progress.done / (now - begin) * 1000 or nil,
    }
  end
end

local function workers_of(settings, concurrency, job_count)
  local wanted = settings.workers or math.min(sys.cores(), job_count)
  return math.max(1, math.min(wanted, concurrency, WORKERS_MAX))
end

-- Which part of a stored selection runs.
---@class evalua.jobs
---@field set "all"|"missing"|"failed"
---@field count integer (item, trial) pairs to run
---@field selected integer pairs of the selection
---@field spent_tokens number|nil of the budget of the run, by results that are stored
---@field spent_cost number|nil

-- What setup has left of the timeout of an experiment, in ms.
local function time_left(experiment, run_hooks)
  return experiment.timeout_ms and math.max(1, experiment.timeout_ms - (sys.monotonic_ms() - run_hooks.begin_ms))
end

local function run_items(store, experiment, settings, made, jobs, run_hooks)
  local item_run = require "evalua.item_run"
  local run_item, open_worker = item_run.make(experiment)
  experiment.worker_opened = function() store:forget() end
  local concurrency, limits = settings.max_concurrency or experiment.max_concurrency, experiment.limits
  local on_event = settings.on_event or function() end
  on_event {
    type = "started", experiment_id = made.id, number = made.number, name = experiment.name,
    variant = experiment.variant, total_items = jobs.selected // experiment.trials,
    trials = experiment.trials > 1 and experiment.trials or nil,
    left = jobs.set ~= "all" and jobs.count or nil,
  }
  local reduction = experiment.trials > 1 and { trials = experiment.trials, reducer = experiment.reducer.name,
    k = experiment.reducer.k } or nil
  local report = settings.on_event and progress_reporter(store, made.id, reduction, on_event)
  local keeper = require "evalua.cache_keeper"
  local reported_to = 0
  local function report_results(from, to)
    if to < from then return end
    reported_to = to
    run_hooks:results(store, made.id, from, to)
    on_event { type = "results", experiment_id = made.id, from_position = from, to_position = to }
  end
  require("evalua.store_proxy").serve(store)
  engine.trim()
  local ending, progress, message = engine.run {
    store = store, experiment_id = made.id, total = jobs.count, selected = jobs.selected, jobs = jobs.set,
    max_concurrency = concurrency,
    workers = workers_of(settings, concurrency, jobs.count), max_retries = experiment.max_retries,
    max_failures = experiment.max_failures, run_tokens = limits.run_tokens, run_cost = limits.run_cost,
    spent_tokens = jobs.spent_tokens, spent_cost = jobs.spent_cost,
    item_tokens = limits.tokens, item_cost = limits.cost, item_steps = limits.steps,
    item_processes = limits.processes, item_requests = limits.requests,
    memory_per_worker = limits.memory_per_worker, rss_per_worker = limits.rss_per_worker,
    timeout_ms = time_left(experiment, run_hooks), item_timeout_ms = experiment.item_timeout_ms, seed = jobs.seed,
    run_item = run_item, open_worker = open_worker,
    signal = experiment.signal and require("evalua.signal").flag_of(experiment.signal) or nil,
    on_commit = function(_, from, to) report_results(from, to) end,
    on_tick = function(progress)
      keeper.tick()
      if report then report(progress) end
    end,
  }
  experiment.worker_opened = nil
  experiment.overridden = experiment.scorers and progress.own_scorers or 0
  -- A run that ended early has results behind those that are missing.
  if ending ~= "broken" then report_results(reported_to + 1, jobs.selected) end
  if run_hooks.signals > 0 then run_hooks.interrupted = true end
  if report then report(progress) end
  return ending, message
end

-- Setup, the items, teardown. Returns how it ended, and what failed.
local function run_with_hooks(store, experiment, settings, made, jobs)
  local run_hooks = hooks.of(experiment)
  local ending, message = "setup", nil
  local keeper = require "evalua.cache_keeper"
  keeper.start(experiment, settings)
  local ok, problem = pcall(function()
    local is_open = run_hooks:open()
    if is_open and experiment.signal and experiment.signal.aborted then
      ending = "cancelled"
    elseif run_hooks.interrupted then
      ending = "cancelled"
    elseif run_hooks.is_late then
      ending, message = "timeout", "in setup"
    elseif is_open then
      ending, message = run_items(store, experiment, settings, made, jobs, run_hooks)
    end
  end)
  run_hooks:close()
  keeper.stop()
  if not ok then error(problem, 0) end
  if ending == "completed" and run_hooks.interrupted then ending = "unjudged" end
  local signal = experiment.signal
  if ending == "cancelled" and signal and signal.aborted then message = "the script aborted it: " .. signal.reason end
  return ending, message, run_hooks.problem
end

-- Lists of scorers are not merged: whose scorers gave way is said.
local function tell_overridden(experiment)
  local count = experiment.overridden or 0
  if count == 0 then return end
  sys.stderr_write(("evalua: experiment %s: its scorers have overridden those that %s\n"):format(
    require("evalua.report.text").clean(experiment.name), count == 1 and "1 item names" or count .. " items name"))
end


---Runs one experiment to its end.
---@param experiment table what evalua.experiment resolves
---@param settings { store: table, items: string[]|nil, where: table|nil, limit: integer|nil, sample: integer|nil,
---  seed: integer|nil, workers: integer|nil, max_concurrency: integer|nil, note: string|nil, tags: table|nil,
---  baseline: string|nil, inconclusive: string|nil, dry_run: boolean|nil, on_event: fun(event: table)|nil,
---  cache: string|nil, cache_file: string|nil }
---@return table summary with `exit_code`
function runner.run(experiment, settings)
  if engine.in_worker() or engine.current_item() then
    place.fail("an experiment cannot be started inside an item; start it before the run, or after it")
  end
  if settings.trials then trials.override(experiment, settings.trials) end
  if settings.dry_run then return selection.dry_run(experiment, settings) end
  local store = settings.store
  local seed = settings.seed or experiment.seed or 0
  judgement.choose_gate(store, experiment, settings)
  local prepared = experiment.prepared or selection.prepare(experiment, settings)
  experiment.prepared = nil
  local made, total = create(store, experiment, settings, prepared, seed)
  local declaration = experiment.dataset.declaration
  if declaration then declaration.release() end
  local jobs = { set = "all", count = total, selected = total, seed = seed }
  local built = judgement.finish(store, experiment, settings, made,
    run_with_hooks(store, experiment, settings, made, jobs))
  for _, notice in ipairs(prepared.notices) do sys.stderr_write("evalua: " .. notice .. "\n") end
  tell_overridden(experiment)
  return built
end

-- A budget is of the run, however often it was interrupted.
local function count_spent(store, record, limits, jobs)
  if not limits.run_tokens and not limits.run_cost then return end
  jobs.spent_tokens, jobs.spent_cost = require("evalua.usage").of_run(store, record.id)
  for name, spent in next, { run_tokens = jobs.spent_tokens, run_cost = jobs.spent_cost } do
    if limits[name] and spent > limits[name] and jobs.count > 0 then
      fail.incomplete("run %d cannot go on: its budget is spent: its stored results have used %s, the limit (%s) is "
        .. "%s; with a larger limit in the suite it can", record.number, tostring(math.tointeger(spent) or spent), name,
        tostring(math.tointeger(limits[name]) or limits[name]))
    end
  end
end

---Runs a part of a stored experiment again, on exactly its selection: what is missing, or what failed.
---@param experiment table what evalua.experiment resolves now
---@param record table of the store, whose lock this process holds
---@param settings table as for run, with `jobs`: "missing" or "failed"
---@return table summary with `exit_code`
function runner.continue(experiment, record, settings)
  local store = settings.store
  selection.check_target(experiment, settings)
  require("evalua.cache_keeper").prepare(experiment, settings)
  judgement.choose_gate(store, experiment, settings)
  local reduction = trials.of_record(record)
  experiment.trials = reduction and reduction.trials or 1
  if reduction then experiment.reducer = { name = reduction.reducer, k = reduction.k } end
  local jobs = {
    set = settings.jobs, count = must(store:job_count(record.id, settings.jobs)),
    selected = (record.total_items or 0) * experiment.trials, seed = record.seed or 0,
  }
  count_spent(store, record, experiment.limits, jobs)
  must(store:experiment_update(record.id, { status = "running" }))
  local declaration = experiment.dataset.declaration
  if declaration and declaration.release then declaration.release() end
  local built = judgement.finish(store, experiment, settings, record,
    run_with_hooks(store, experiment, settings, record, jobs))
  tell_overridden(experiment)
  return built
end

-- `expect` belongs to every experiment whose items carry checks.
runner.expect_id = expect.definition().id

return runner
