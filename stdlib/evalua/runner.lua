-- Runs a resolved experiment: brings its dataset in line, stores what was selected, lets the engine run it, and derives
-- the summary, the rules' results and the verdict from the rows.

local dataset = require "evalua.dataset"
local engine = require "evalua.native.engine"
local expect = require "evalua.expect"
local fail = require "evalua.cli.fail"
local gate = require "evalua.gate"
local hooks = require "evalua.hooks"
local item = require "evalua.item"
local json = require "evalua.json"
local place = require "evalua.place"
local repository = require "evalua.repository"
local rule_slices = require "evalua.rule_slices"
local rules = require "evalua.rules"
local slices = require "evalua.slices"
local strict = require "evalua.strict"
local suite_code = require "evalua.suite_code"
local summary_module = require "evalua.summary"
local sys = require "evalua.native.sys"
local trials = require "evalua.trials"

local runner = {}

local WORKERS_MAX = 256
local MEANS_EVERY_MS = 1000

local function must(value, message, code)
  if value ~= nil then return value end
  fail.raise(code == "not_found" and fail.codes.usage or fail.codes.incomplete, tostring(message))
end

local function encoded(value) return value ~= nil and json.encode(value) or nil end

-- ==== What runs ====

-- Problems that can be seen before anything is written.
local function check_before(experiment)
  local check = rawget(experiment.target, "check")
  local problems = check and check() or {}
  if #problems > 0 then
    fail.usage("%s", place.prefix(table.concat(problems, "\n"), experiment.place))
  end
end

-- What declared datasets became, by declaration: experiments of one suite share a dataset, and its items are let go of
-- before the first fork.
local synced_datasets = setmetatable({}, { __mode = "k" })

local function sync_once(store, declaration)
  local known = synced_datasets[declaration]
  if known and known.store == store then return known.synced end
  local synced = dataset.sync(store, declaration)
  synced_datasets[declaration] = { store = store, synced = synced }
  return synced
end

-- The record of the dataset and the version to run. Declared datasets are brought in line first.
local function open_dataset(store, experiment)
  local wanted, notices = experiment.dataset, {}
  local declaration = wanted.declaration
  local record
  if declaration then
    local synced, is_known = sync_once(store, declaration), synced_datasets[declaration].is_told
    synced_datasets[declaration].is_told = true
    record = must(store:dataset_by_id(synced.dataset_id))
    if (synced.duplicates or 0) > 0 and not is_known then
      notices[#notices + 1] = ('dataset "%s": %d items have the input of another one; they got ids with ~2, ~3 ...')
        :format(record.name, synced.duplicates)
    end
  else
    record = dataset.require(store, wanted.name, experiment.declared_datasets, experiment.place)
  end
  local pinned = wanted.version or declaration and synced_datasets[declaration].synced.version
  local version = dataset.version_number(store, record, pinned)
  local found = must(store:version_get(record.id, version))
  return { id = record.id, name = record.name, version = version, digest = found.digest,
    item_count = must(store:item_count(record.id, version)) }, notices
end

local function refuse_absent(absent, dataset_name, where, near)
  local shown = table.concat(absent, ", ", 1, math.min(#absent, 20))
  if #absent > 20 then shown = ("%s and %d more"):format(shown, #absent - 20) end
  local hint = #absent == 1 and strict.nearest(absent[1], near)
  fail.usage("%s: %s has no item %s%s", where, dataset_name, shown,
    hint and ('; did you mean "%s"?'):format(hint) or "")
end

-- A selection by ids: names absent ones.
local function check_ids(store, data, ids, where)
  local rows = must(store:items(data.id, data.version, { ids = ids }))
  local found = {}
  for _, row in ipairs(rows) do found[row.item_id] = true end
  local absent = {}
  for _, id in ipairs(ids) do if not found[id] then absent[#absent + 1] = id end end
  if #absent == 0 then return end
  local near = {}
  if #absent == 1 then
    for packed in dataset.each_packed(store, data.id, data.version) do
      near[#near + 1] = packed.item_id
      if #near >= 5000 then break end
    end
  end
  refuse_absent(absent, ("dataset %s@%d"):format(data.name, data.version), where, near)
end

-- Deterministic picks of `count` out of the ids, in their order: those with the smallest SHA-256 of seed and id.
local function sample_of(ids, count, seed)
  local text = require "evalua.native.text"
  local ranked = {}
  for position, id in ipairs(ids) do
    ranked[position] = { position = position, key = text.sha256(("%d\n%s"):format(seed, id)) }
  end
  table.sort(ranked, function(a, b) return a.key < b.key end)
  local kept, result = {}, {}
  for index = 1, math.min(count, #ranked) do kept[ranked[index].position] = true end
  for position, id in ipairs(ids) do if kept[position] then result[#result + 1] = id end end
  return result
end

-- Of the items that failed in another run those that the dataset still has; the others are named.
local function still_there(store, data, failed_from)
  local found, kept, gone = {}, {}, {}
  for _, row in ipairs(must(store:items(data.id, data.version, { ids = failed_from.ids }))) do
    found[row.item_id] = true
  end
  for _, id in ipairs(failed_from.ids) do
    local list = found[id] and kept or gone
    list[#list + 1] = id
  end
  if #gone > 0 then
    sys.stderr_write(("evalua: %d of the items that failed in #%d are no longer in dataset %s: %s%s\n"):format(#gone,
      failed_from.number, data.name, table.concat(gone, ", ", 1, math.min(#gone, 5)), #gone > 5 and ", ..." or ""))
  end
  return kept
end

-- The ids to run, or nil for all; with what the run's record says about it.
local function select_items(store, experiment, data, settings, seed)
  local ids, predicate, failed_from = settings.items, nil, settings.failed_from
  if ids then check_ids(store, data, ids, "--items") end
  if failed_from then ids = still_there(store, data, failed_from) end
  if not ids and type(experiment.items) == "table" then
    ids = experiment.items
    check_ids(store, data, ids, experiment.place .. ": option items")
  elseif type(experiment.items) == "function" then
    predicate = experiment.items
  end
  local where = settings.where
  if predicate or where or settings.sample then
    local wanted = ids and {} or nil
    for _, id in ipairs(ids or {}) do wanted[id] = true end
    local kept = {}
    for packed in dataset.each_packed(store, data.id, data.version) do
      if not wanted or wanted[packed.item_id] then
        local record = (predicate or where) and item.unpack(packed)
        if (not predicate or predicate(record)) and (not where or where.matches(record, packed.item_id)) then
          kept[#kept + 1] = packed.item_id
        end
      end
    end
    ids = kept
  end
  if settings.sample and ids then ids = sample_of(ids, settings.sample, seed) end
  local chosen = ids or settings.limit
  local selection = chosen and {
    items = settings.items, failed_from = failed_from and failed_from.number, where = where and where.text,
    limit = settings.limit, sample = settings.sample,
    of = data.item_count,
  } or nil
  return ids, selection
end

-- ==== The stored record ====

local function definitions_of(experiment)
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

local function record_of(experiment, data, settings, selection, seed)
  local target, tags = experiment.target, experiment.tags
  if settings.tags then
    local merged = {}
    for key, value in next, tags or {} do merged[key] = value end
    for key, value in next, settings.tags do merged[key] = value end
    tags = merged
  end
  local suite = experiment.suite_path
  return {
    name = experiment.name, variant = experiment.variant, description = settings.note or experiment.description,
    metadata = encoded(experiment.metadata), tags = encoded(tags), dataset_id = data.id, dataset_name = data.name,
    dataset_version = data.version, dataset_digest = data.digest, target_type = target.type, target_id = target.id,
    target_version = target.version or rawget(target, "digest"), scorers = encoded(definitions_of(experiment)),
    options = encoded {
      max_concurrency = settings.max_concurrency or experiment.max_concurrency,
      item_timeout_ms = experiment.item_timeout_ms, timeout_ms = experiment.timeout_ms,
      max_retries = experiment.max_retries, max_failures = experiment.max_failures, tolerance = experiment.tolerance,
      target_digest = rawget(target, "digest"), trials = experiment.trials > 1 and experiment.trials or nil,
      reducer = experiment.trials > 1 and { name = experiment.reducer.name, k = experiment.reducer.k } or nil,
      suite_path = suite and sys.realpath(suite) or nil, suite_text = experiment.suite_text, cwd = sys.cwd(),
      code = suite_code.digests(experiment.code_files or {}), target_version = target.version,
      baseline = settings.baseline, inconclusive = settings.inconclusive,
    },
    params = experiment.params and next(experiment.params) and encoded(experiment.params) or nil,
    git = encoded(repository.of(suite and place.directory(sys.realpath(suite) or suite) or sys.cwd())),
    seed = seed, selection = encoded(selection), suite = suite, host = sys.hostname(),
    slices = encoded(experiment.slices), command_line = settings.command_line, status = "running",
  }
end

local function refuse_empty(experiment, data, settings)
  fail.usage("%s: experiment %s selects no item of dataset %s@%d, which has %d%s", experiment.place or "run",
    experiment.name, data.name, data.version, data.item_count,
    settings.where and (" (--where %s matches none)"):format(settings.where.text) or "")
end

-- The record and its selection appear together, and locked.
local function create(store, experiment, data, settings, ids, selection, seed)
  must(store:begin())
  local ok, made, total = pcall(function()
    local made = must(store:experiment_create(record_of(experiment, data, settings, selection, seed)))
    local total = must(store:selection_fill(made.id, data.id, data.version,
      { ids = ids, limit = settings.limit, trials = experiment.trials }))
    if total == 0 then
      refuse_empty(experiment, data, settings)
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
      in_flight = progress.in_flight, waiting = progress.waiting, means = means,
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

local function run_items(store, experiment, settings, made, jobs, run_hooks)
  local item_run = require "evalua.item_run"
  local run_item, open_worker = item_run.make(experiment)
  experiment.worker_opened = function() store:forget() end
  local concurrency = settings.max_concurrency or experiment.max_concurrency
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
  engine.trim()
  local ending, progress, message = engine.run {
    store = store, experiment_id = made.id, total = jobs.count, selected = jobs.selected, jobs = jobs.set,
    max_concurrency = concurrency,
    workers = workers_of(settings, concurrency, jobs.count), max_retries = experiment.max_retries,
    max_failures = experiment.max_failures, timeout_ms = experiment.timeout_ms, seed = jobs.seed, run_item = run_item,
    open_worker = open_worker,
    signal = experiment.signal and require("evalua.signal").flag_of(experiment.signal) or nil,
    on_commit = function(_, from, to)
      if to < from then return end
      run_hooks:results(store, made.id, from, to)
      on_event { type = "results", experiment_id = made.id, from_position = from, to_position = to }
    end,
    on_tick = report,
  }
  experiment.worker_opened = nil
  if report then report(progress) end
  return ending, message
end

-- Setup, the items, teardown. Returns how it ended, and what failed.
local function run_with_hooks(store, experiment, settings, made, jobs)
  local run_hooks = hooks.of(experiment)
  local ending, message = "setup", nil
  local ok, problem = pcall(function()
    local is_open = run_hooks:open()
    if is_open and experiment.signal and experiment.signal.aborted then
      ending = "cancelled"
    elseif is_open then
      ending, message = run_items(store, experiment, settings, made, jobs, run_hooks)
    end
  end)
  run_hooks:close()
  if not ok then error(problem, 0) end
  local signal = experiment.signal
  if ending == "cancelled" and signal and signal.aborted then message = "the script aborted it: " .. signal.reason end
  return ending, message, run_hooks.problem
end

-- ==== Judging ====

-- What gates is found before anything runs.
local function choose_gate(store, experiment, settings)
  if experiment.gate_choice == nil then
    experiment.gate_choice = gate.find(store, experiment, settings.baseline) or false
  end
end

-- Iterates over the results of an experiment, for rules that look at each.
local function each_result_of(store, experiment_id)
  return function()
    local after, rows, index = 0, {}, 0
    return function()
      index = index + 1
      if index > #rows then
        if after == false then return nil end
        rows, index = must(store:results(experiment_id, { after = after, limit = 500 })), 1
        after = #rows == 500 and rows[#rows].position or false
      end
      return rows[index]
    end
  end
end

-- The slices that the experiment and its rules speak of; those of the experiment are in its summary.
local function slices_of(store, experiment, record, built)
  local fields = rule_slices.fields(experiment.rules)
  for _, field in ipairs(experiment.slices or {}) do
    if not strict.contains(fields, field) then fields[#fields + 1] = field end
  end
  if #fields == 0 then return nil end
  local found, values = slices.build(store, record, fields)
  for _, field in ipairs(experiment.slices or {}) do
    built.slices = built.slices or {}
    built.slices[field] = found[field]
  end
  return {
    built = found, within = function(entry, field, value)
      return gate.within(experiment.gate_choice, record, entry, function(id) return values[field][id] == value end)
    end,
  }
end

local function judge(store, experiment, settings, record, built, ending, message, hook_problem)
  local comparison, baseline_summary
  if experiment.gate_choice then
    comparison, baseline_summary = gate.compare(store, experiment.gate_choice, record, built,
      { gated = rules.gated(experiment.rules) })
  elseif ending == "completed" then
    gate.show_previous(store, record, built)
  end
  local results, parts = {}, slices_of(store, experiment, record, built)
  if ending == "completed" or ending == "max_failures" then
    results = rules.run(experiment.rules, built, baseline_summary, comparison,
      { each_result = each_result_of(store, record.id), slices = parts })
  end
  local script_error = hook_problem
  for _, result in ipairs(results) do
    if result.script_error then script_error = script_error or result.message end
  end
  local failures = {
    broken = message,
    timeout = ("the experiment's timeout passed with %d of %d items done"):format(
      built.total_items - built.skipped_count - built.pending_count, built.total_items),
    max_failures = ("stopped after %d failed items (max_failures)"):format(built.failed_count),
  }
  local verdict, exit_code, reason = rules.verdict(built, results, {
    tolerance = experiment.tolerance, inconclusive = settings.inconclusive, interrupted = ending == "cancelled",
    script_error = script_error, failure = failures[ending],
  })
  if ending == "cancelled" and message then reason = message end
  built.rules, built.verdict, built.reason, built.exit_code = results, verdict, reason, exit_code
  built.rules_declared = #experiment.rules
end

local status_of = {
  completed = "completed", cancelled = "cancelled", timeout = "cancelled", max_failures = "cancelled",
}

local function finish(store, experiment, settings, made, ending, message, hook_problem)
  local record = must(store:experiment(made.id))
  local built = summary_module.build(store, record)
  built.status = status_of[ending] or "failed"
  if ending == "completed" and built.succeeded_count == 0 and built.total_items > 0 then built.status = "failed" end
  -- A retry leaves alone what never ran.
  if ending == "completed" and built.pending_count > 0 then built.status = "cancelled" end
  built.completed_with_errors = built.status == "completed" and built.failed_count > 0
  if ending ~= "completed" then
    built.skipped_count, built.pending_count = built.skipped_count + built.pending_count, 0
    for _, scorer in next, built.scorers do
      scorer.n_skipped, scorer.n_pending = (scorer.n_skipped or 0) + (scorer.n_pending or 0), 0
    end
  end
  built.completed_at = sys.wall_text(sys.now_ms())
  record.status = built.status
  judge(store, experiment, settings, record, built, ending, message, hook_problem)
  local stored = summary_module.for_json(built)
  stored.exit_code = nil
  local done, problem = store:experiment_finish(made.id, {
    status = built.status, verdict = built.verdict, completed_at = built.completed_at, summary = json.encode(stored),
  })
  store:unlock(made.number)
  if not done and not built.reason then
    built.verdict, built.exit_code = "error", fail.codes.incomplete
    built.reason = "the end of the run cannot be stored: " .. tostring(problem)
  end
  return built
end

-- What would run, without a trace in the store.
local function dry_run(experiment, settings)
  local store, declaration = settings.store, experiment.dataset.declaration
  check_before(experiment)
  local count, wanted, seen = 0, nil, {}
  local ids = settings.items or type(experiment.items) == "table" and experiment.items or nil
  if ids then
    wanted = {}
    for _, id in ipairs(ids) do wanted[id] = true end
  end
  local function consider(packed)
    if wanted and not wanted[packed.item_id] then return end
    seen[packed.item_id] = true
    local record = (settings.where or type(experiment.items) == "function") and item.unpack(packed)
    if type(experiment.items) == "function" and not experiment.items(record) then return end
    if settings.where and not settings.where.matches(record, packed.item_id) then return end
    count = count + 1
  end
  if declaration then
    for raw, where in declaration.each() do consider(item.pack(raw, where)) end
  elseif store then
    local record = dataset.require(store, experiment.dataset.name, nil, experiment.place)
    local version = dataset.version_number(store, record, experiment.dataset.version)
    for packed in dataset.each_packed(store, record.id, version) do consider(packed) end
  else
    fail.usage("%s", place.prefix(('there is no dataset "%s"; the store does not exist yet'):format(
      experiment.dataset.name), experiment.place))
  end
  for _, id in ipairs(ids or {}) do
    if not seen[id] then fail.usage('--items: the dataset has no item "%s"', id) end
  end
  return { name = experiment.name, variant = experiment.variant, total_items = math.min(count,
    settings.limit or settings.sample or count) }
end

-- The ids that are asked for must be among the declared items: seen before the store is touched.
local function check_declared_ids(experiment, ids, what)
  local wanted, near, left = {}, {}, #ids
  for _, id in ipairs(ids) do wanted[id] = true end
  local count = left
  for raw, where in experiment.dataset.declaration.each() do
    local packed = item.check(raw)
    local id = packed and packed.item_id or nil
    if id and wanted[id] then
      wanted[id] = nil
      count = count - 1
      if count == 0 then return end
    end
    if id and #near < 5000 then near[#near + 1] = id end
    if not packed then return where end -- the sync tells what is wrong with it
  end
  local absent = {}
  for _, id in ipairs(ids) do
    -- ids of equal inputs (~2, ~3 ...) are given by the store
    if wanted[id] and not id:find("~%d+$") then absent[#absent + 1] = id end
  end
  if #absent > 0 then refuse_absent(absent, ("dataset %s"):format(experiment.dataset.name), what, near) end
end

---Finds what can be found wrong with an experiment without writing anything. `settings.store` is nil where there is no
---store yet.
---@param experiment table
---@param settings table
function runner.check(experiment, settings)
  check_before(experiment)
  local declaration = experiment.dataset.declaration
  if not declaration then
    if settings.store then return end
    local declared = experiment.declared_datasets or {}
    fail.usage("%s", place.prefix(('there is no dataset "%s"%s'):format(experiment.dataset.name,
      strict.hint(experiment.dataset.name, declared, "datasets")), experiment.place))
  end
  if not settings.store then dataset.check(declaration) end
  if settings.items then
    check_declared_ids(experiment, settings.items, "--items")
  elseif type(experiment.items) == "table" then
    check_declared_ids(experiment, experiment.items, experiment.place .. ": option items")
  end
end

---Brings the dataset of an experiment in line and selects its items, so that what is wrong with any experiment is found
---before the first one runs. `run` does it itself where it was not called.
---@param experiment table
---@param settings table as for run
---@return table prepared
function runner.prepare(experiment, settings)
  check_before(experiment)
  local store = settings.store
  local data, notices = open_dataset(store, experiment)
  local seed = settings.seed or experiment.seed or 0
  local ids, selection = select_items(store, experiment, data, settings, seed)
  if ids and #ids == 0 then refuse_empty(experiment, data, settings) end
  experiment.prepared = { data = data, notices = notices, ids = ids, selection = selection }
  return experiment.prepared
end

---Runs one experiment to its end.
---@param experiment table what evalua.experiment resolves
---@param settings { store: table, items: string[]|nil, where: table|nil, limit: integer|nil, sample: integer|nil,
---  seed: integer|nil, workers: integer|nil, max_concurrency: integer|nil, note: string|nil, tags: table|nil,
---  baseline: string|nil, inconclusive: string|nil, dry_run: boolean|nil, on_event: fun(event: table)|nil }
---@return table summary with `exit_code`
function runner.run(experiment, settings)
  if engine.in_worker() or engine.current_item() then
    error("an experiment cannot be started inside an item", 0)
  end
  if settings.trials then trials.override(experiment, settings.trials) end
  if settings.dry_run then return dry_run(experiment, settings) end
  local store = settings.store
  local seed = settings.seed or experiment.seed or 0
  choose_gate(store, experiment, settings)
  local prepared = experiment.prepared or runner.prepare(experiment, settings)
  experiment.prepared = nil
  local data, notices, ids, selection = prepared.data, prepared.notices, prepared.ids, prepared.selection
  local made, total = create(store, experiment, data, settings, ids, selection, seed)
  local declaration = experiment.dataset.declaration
  if declaration then declaration.release() end
  local jobs = { set = "all", count = total, selected = total, seed = seed }
  local built = finish(store, experiment, settings, made,
    run_with_hooks(store, experiment, settings, made, jobs))
  for _, notice in ipairs(notices) do sys.stderr_write("evalua: " .. notice .. "\n") end
  return built
end

---Runs a part of a stored experiment again, on exactly its selection: what is missing, or what failed.
---@param experiment table what evalua.experiment resolves now
---@param record table of the store, whose lock this process holds
---@param settings table as for run, with `jobs`: "missing" or "failed"
---@return table summary with `exit_code`
function runner.continue(experiment, record, settings)
  local store = settings.store
  check_before(experiment)
  choose_gate(store, experiment, settings)
  local reduction = trials.of_record(record)
  experiment.trials = reduction and reduction.trials or 1
  if reduction then experiment.reducer = { name = reduction.reducer, k = reduction.k } end
  local jobs = {
    set = settings.jobs, count = must(store:job_count(record.id, settings.jobs)),
    selected = (record.total_items or 0) * experiment.trials, seed = record.seed or 0,
  }
  must(store:experiment_update(record.id, { status = "running" }))
  local declaration = experiment.dataset.declaration
  if declaration and declaration.release then declaration.release() end
  return finish(store, experiment, settings, record, run_with_hooks(store, experiment, settings, record, jobs))
end

-- `expect` belongs to every experiment whose items carry checks.
runner.expect_id = expect.definition().id

return runner
