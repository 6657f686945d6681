-- Runs a resolved experiment: brings its dataset in line, stores what was selected, lets the engine run it, and derives
-- the summary, the rules' results and the verdict from the rows.

local compare = require "evalua.compare"
local dataset = require "evalua.dataset"
local engine = require "evalua.native.engine"
local expect = require "evalua.expect"
local fail = require "evalua.cli.fail"
local item = require "evalua.item"
local json = require "evalua.json"
local place = require "evalua.place"
local rules = require "evalua.rules"
local strict = require "evalua.strict"
local summary_module = require "evalua.summary"
local sys = require "evalua.native.sys"

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
    local declared = experiment.registry and require("evalua.suite").names(experiment.registry, "dataset")
    record = dataset.require(store, wanted.name, declared, experiment.place)
  end
  local pinned = wanted.version or declaration and synced_datasets[declaration].synced.version
  local version = dataset.version_number(store, record, pinned)
  local found = must(store:version_get(record.id, version))
  return { id = record.id, name = record.name, version = version, digest = found.digest,
    item_count = must(store:item_count(record.id, version)) }, notices
end

-- A selection by ids: names absent ones.
local function check_ids(store, data, ids, where)
  local rows = must(store:items(data.id, data.version, { ids = ids }))
  local found = {}
  for _, row in ipairs(rows) do found[row.item_id] = true end
  local absent = {}
  for _, id in ipairs(ids) do if not found[id] then absent[#absent + 1] = id end end
  if #absent == 0 then return end
  local shown = table.concat(absent, ", ", 1, math.min(#absent, 20))
  if #absent > 20 then shown = ("%s and %d more"):format(shown, #absent - 20) end
  local near = {}
  if #absent == 1 then
    for packed in dataset.each_packed(store, data.id, data.version) do
      near[#near + 1] = packed.item_id
      if #near >= 5000 then break end
    end
  end
  local hint = #absent == 1 and strict.nearest(absent[1], near)
  fail.usage("%s: dataset %s has no item %s%s", where, ("%s@%d"):format(data.name, data.version), shown,
    hint and ('; did you mean "%s"?'):format(hint) or "")
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

-- The ids to run, or nil for all; with what the run's record says about it.
local function select_items(store, experiment, data, settings, seed)
  local ids, predicate = settings.items, nil
  if ids then check_ids(store, data, ids, "--items") end
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
    items = settings.items, where = where and where.text, limit = settings.limit, sample = settings.sample,
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

-- Branch and commit of the repository that holds the suite, read from its files.
local function git_of(directory)
  while directory and directory ~= "" do
    local head = sys.exists(directory .. "/.git/HEAD") and sys.read_file(directory .. "/.git/HEAD", 4096)
    if head then
      local ref = head:match("^ref: (%S+)")
      if not ref then return { commit = head:match("^%x+") } end
      local commit = sys.exists(directory .. "/.git/" .. ref) and sys.read_file(directory .. "/.git/" .. ref, 4096)
      if not commit and sys.exists(directory .. "/.git/packed-refs") then
        local packed = sys.read_file(directory .. "/.git/packed-refs") or ""
        commit = packed:match("(%x+) " .. ref:gsub("%p", "%%%0"))
      end
      return { branch = ref:gsub("^refs/heads/", ""), commit = commit and commit:match("^%x+") or nil }
    end
    directory = directory:match("^(.*)/[^/]*$")
  end
  return nil
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
      target_digest = rawget(target, "digest"),
    },
    params = experiment.params and next(experiment.params) and encoded(experiment.params) or nil,
    git = encoded(git_of(suite and place.directory(sys.realpath(suite) or suite) or sys.cwd())),
    seed = seed, selection = encoded(selection), suite = suite, host = sys.hostname(),
    slices = encoded(experiment.slices), status = "running",
  }
end

-- The record and its selection appear together, and locked.
local function create(store, experiment, data, settings, ids, selection, seed)
  must(store:begin())
  local ok, made, total = pcall(function()
    local made = must(store:experiment_create(record_of(experiment, data, settings, selection, seed)))
    local total = must(store:selection_fill(made.id, data.id, data.version, { ids = ids, limit = settings.limit }))
    if total == 0 then
      fail.usage("%s: experiment %s selects no item of dataset %s@%d, which has %d%s", experiment.place or "run",
        experiment.name, data.name, data.version, data.item_count,
        settings.where and (" (--where %s matches none)"):format(settings.where.text) or "")
    end
    must(store:lock(made.number))
    return made, total
  end)
  if not ok then
    store:rollback()
    error(made, 0)
  end
  must(store:experiment_update(made.id, { total_items = total }))
  must(store:commit())
  return made, total
end

-- ==== Running ====

local function means_of(store, experiment_id)
  local means = {}
  for _, key in ipairs(store:score_keys(experiment_id) or {}) do
    local values = store:score_values(experiment_id, key.scorer_id or key.id, key.step_id or "")
    local mean = values and require("evalua.native.stats").mean(values)
    if mean then means[summary_module.scorer_key(key.scorer_id or key.id, key.step_id)] = mean end
  end
  return means
end

local function progress_reporter(store, experiment_id, on_event)
  local begin, last_means, means = sys.monotonic_ms(), sys.monotonic_ms(), {}
  local cost_ms = 0
  return function(progress)
    local now = sys.monotonic_ms()
    -- Means cost a query over all scores: asked for rarely, and ever more rarely as they take longer.
    if now - last_means >= math.max(MEANS_EVERY_MS, 50 * cost_ms) and progress.done > 0 then
      means = means_of(store, experiment_id)
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

local function workers_of(settings, concurrency)
  local wanted = settings.workers or sys.cores()
  return math.max(1, math.min(wanted, concurrency, WORKERS_MAX))
end

local function run_items(store, experiment, settings, made, total, seed)
  local item_run = require "evalua.item_run"
  local run_item, open_worker = item_run.make(experiment)
  experiment.worker_opened = function() store:forget() end
  local concurrency = settings.max_concurrency or experiment.max_concurrency
  local on_event = settings.on_event or function() end
  on_event {
    type = "started", experiment_id = made.id, number = made.number, name = experiment.name,
    variant = experiment.variant, total_items = total,
  }
  local report = settings.on_event and progress_reporter(store, made.id, on_event)
  engine.trim()
  local ending, progress, message = engine.run {
    store = store, experiment_id = made.id, total = total, max_concurrency = concurrency,
    workers = workers_of(settings, concurrency), max_retries = experiment.max_retries,
    max_failures = experiment.max_failures, timeout_ms = experiment.timeout_ms, seed = seed, run_item = run_item,
    open_worker = open_worker,
    on_commit = function(_, from, to)
      if to < from then return end
      on_event { type = "results", experiment_id = made.id, from_position = from, to_position = to }
    end,
    on_tick = report,
  }
  experiment.worker_opened = nil
  if report then report(progress) end
  return ending, message, progress
end

-- ==== Judging ====

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

-- The record that gates: what the command line or the experiment names.
local function baseline_of(store, experiment, settings)
  local named = settings.baseline
  if not named and experiment.baseline then
    named = require("evalua.cli.ref").resolve(store, experiment.baseline).id
  end
  return named and must(store:experiment(named)) or nil
end

local function judge(store, experiment, settings, record, built, ending, message)
  local baseline = baseline_of(store, experiment, settings)
  local comparison, baseline_summary
  if baseline then
    comparison = compare.pair(store, baseline, record, { gated = rules.gated(experiment.rules) })
    baseline_summary = summary_module.build(store, baseline)
    built.baseline = { experiment_id = baseline.id, number = baseline.number, name = baseline.name }
  end
  local results = {}
  if ending == "completed" or ending == "max_failures" then
    results = rules.run(experiment.rules, built, baseline_summary, comparison,
      { each_result = each_result_of(store, record.id) })
  end
  local script_error
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
  built.rules, built.verdict, built.reason, built.exit_code = results, verdict, reason, exit_code
end

local status_of = {
  completed = "completed", cancelled = "cancelled", timeout = "cancelled", max_failures = "cancelled",
}

local function finish(store, experiment, settings, made, ending, message)
  local record = must(store:experiment(made.id))
  local built = summary_module.build(store, record)
  built.status = status_of[ending] or "failed"
  if ending == "completed" and built.succeeded_count == 0 and built.total_items > 0 then built.status = "failed" end
  built.completed_with_errors = built.status == "completed" and built.failed_count > 0
  if ending ~= "completed" then
    built.skipped_count, built.pending_count = built.skipped_count + built.pending_count, 0
  end
  built.completed_at = sys.wall_text(sys.now_ms())
  judge(store, experiment, settings, record, built, ending, message)
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
  if settings.dry_run then return dry_run(experiment, settings) end
  local store = settings.store
  local seed = settings.seed or experiment.seed or 0
  check_before(experiment)
  local data, notices = open_dataset(store, experiment)
  local ids, selection = select_items(store, experiment, data, settings, seed)
  local made, total = create(store, experiment, data, settings, ids, selection, seed)
  local declaration = experiment.dataset.declaration
  if declaration then declaration.release() end
  local ending, message = run_items(store, experiment, settings, made, total, seed)
  local built = finish(store, experiment, settings, made, ending, message)
  for _, notice in ipairs(notices) do sys.stderr_write("evalua: " .. notice .. "\n") end
  return built
end

-- `expect` belongs to every experiment whose items carry checks.
runner.expect_id = expect.definition().id

return runner
