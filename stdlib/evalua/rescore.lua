-- Scores the stored outputs of a run again, with the scorers that a suite has now, as a score set beside the run's own
-- scores. Nothing of the run changes: no target runs, and outputs, latencies and verdict stay.

local engine = require "evalua.native.engine"
local fail = require "evalua.cli.fail"
local hooks = require "evalua.hooks"
local item_run = require "evalua.item_run"
local json = require "evalua.json"
local place = require "evalua.place"
local repository = require "evalua.repository"
local score_sets = require "evalua.score_sets"
local strict = require "evalua.strict"
local sys = require "evalua.native.sys"

local rescore = {}

rescore.DEFAULT_NAME = "rescored"
local WORKERS_MAX = 256

local must = fail.must

-- ==== What scores ====

---The scorers of an experiment that --scorer names, or all that it has. Raises (exit 2) where there is none of that id.
---@param experiment table resolved
---@param ids string[]|nil
---@return table view of the experiment that scores stored results
function rescore.view(experiment, ids)
  local view = setmetatable({ scores_stored = true }, { __index = experiment })
  if not ids then return view end
  local chosen, with_expect = {}, false
  for _, id in ipairs(ids) do
    local found
    for _, scorer in ipairs(experiment.scorers or experiment.dataset_scorers or {}) do
      if scorer.id == id then found = scorer end
    end
    if not found and id ~= "expect" then found = experiment.find_scorer(id) end
    if not found and id ~= "expect" then
      local names = strict.keys(experiment.scorer_registry)
      for _, scorer in ipairs(experiment.scorers or experiment.dataset_scorers or {}) do
        if not strict.contains(names, scorer.id) then names[#names + 1] = scorer.id end
      end
      fail.usage("--scorer %s: the suite has no such scorer%s", id, strict.hint(id, names, "its scorers"))
    end
    chosen[#chosen + 1], with_expect = found, with_expect or id == "expect"
  end
  view.scorers, view.without_expect = chosen, not with_expect
  return view
end

local function is_for_failed(view)
  for _, list in ipairs { view.scorers or {}, not view.scorers and view.dataset_scorers or {} } do
    for _, scorer in ipairs(list) do if scorer.on_error ~= nil then return true end end
  end
  return false
end

-- ==== The set ====

-- The digests of two lists of definitions are the same, scorer by scorer.
local function same_scorers(before, now)
  local digests, count = {}, 0
  for _, scorer in ipairs(before) do digests[scorer.id] = scorer.digest or "" end
  for _, scorer in ipairs(now) do
    if digests[scorer.id] ~= (scorer.digest or "") then return false end
    count = count + 1
  end
  return count == #before
end

local function scorers_of(set) return json.decode(set.scorers) or {} end

-- A set that was left incomplete is completed, if the scorers are the same; else there is a new one.
local function choose_name(store, record, definitions)
  local sets, taken = must(store:score_sets(record.id)), {}
  for _, set in ipairs(sets) do
    taken[set.name] = true
    local is_ours = set.name == rescore.DEFAULT_NAME or set.name:match("^" .. rescore.DEFAULT_NAME .. "%-%d+$")
    if is_ours and score_sets.status(set) == "incomplete" and same_scorers(scorers_of(set), definitions) then
      return set.name
    end
  end
  local name, number = rescore.DEFAULT_NAME, 2
  while taken[name] do name, number = ("%s-%d"):format(rescore.DEFAULT_NAME, number), number + 1 end
  return name
end

local function refuse_taken(record, set, definitions)
  if not same_scorers(scorers_of(set), definitions) then
    fail.usage("run %d has a score set %s, made with other scorers; give this one another name with --set",
      record.number, set.name)
  end
  local address = ("%d@%s"):format(record.number, set.name)
  fail.usage("score set %s is complete, with the same scorers; `evalua show %s` shows it, --set NAME makes another",
    address, address)
end

-- The set to fill: a new one, or one that was interrupted.
local function open_set(store, record, view, settings, jobs)
  local definitions = settings.definitions
  local name = settings.set or choose_name(store, record, definitions)
  local set = score_sets.find(store, record, name)
  if set and (score_sets.status(set) == "complete" or not same_scorers(scorers_of(set), definitions)) then
    refuse_taken(record, set, definitions)
  end
  local total = must(store:job_count(record.id .. "@" .. name, jobs)) + (set and set.scored or 0)
  if set then
    must(store:score_set_update(record.id, name, "running", total, nil))
    return name, set.scored
  end
  local suite = view.suite_path
  must(store:score_set_create(record.id, {
    name = name, scorers = json.encode(definitions), suite = suite, total = total, command_line = settings.command_line,
    git = json.encode(repository.of(suite and place.directory(sys.realpath(suite) or suite) or sys.cwd())),
    host = sys.hostname(),
  }))
  return name, 0
end

-- ==== Scoring ====

local function workers_of(settings, concurrency, count)
  return math.max(1, math.min(settings.workers or math.min(sys.cores(), count), concurrency, WORKERS_MAX))
end

local function run_jobs(store, view, record, address, jobs, settings)
  local count = must(store:job_count(address, jobs))
  if count == 0 then return "completed", nil, 0 end
  local run_item, open_worker = item_run.make(view)
  view.worker_opened = function() store:forget() end
  local concurrency = settings.max_concurrency or view.max_concurrency
  local begin, on_event = sys.monotonic_ms(), settings.on_event or function() end
  engine.trim()
  local ending, ended, message = engine.run {
    store = store, experiment_id = address, total = count, selected = must(store:job_count(record.id, "all")),
    jobs = jobs, max_concurrency = concurrency, workers = workers_of(settings, concurrency, count),
    max_retries = view.max_retries, timeout_ms = view.timeout_ms, item_timeout_ms = view.item_timeout_ms,
    seed = record.seed or 0, run_item = run_item, open_worker = open_worker,
    signal = view.signal and require("evalua.signal").flag_of(view.signal) or nil,
    on_tick = function(progress)
      local elapsed = sys.monotonic_ms() - begin
      on_event { type = "progress", done = progress.done, total = progress.total, failed = progress.failed,
        in_flight = progress.in_flight, waiting = progress.waiting, means = {},
        rate = elapsed > 0 and progress.done / elapsed * 1000 or nil }
    end,
  }
  return ending, message, ended.failed
end

-- setup and teardown of the experiment hold around its scorers, too; after_each is of the run.
local function run_with_hooks(store, view, record, address, jobs, settings)
  local run_hooks = hooks.of(view)
  local ending, message, failed = "setup", nil, 0
  local ok, problem = pcall(function()
    if run_hooks:open() then ending, message, failed = run_jobs(store, view, record, address, jobs, settings) end
  end)
  run_hooks:close()
  if not ok then error(problem, 0) end
  if run_hooks.interrupted then ending = "cancelled" end
  return { ending = ending, message = message, failed = failed, hook_problem = run_hooks.problem }
end

---Scores what a run stored. The caller holds the run's lock.
---@param store table
---@param record table the run
---@param view table of rescore.view
---@param settings { set: string|nil, definitions: table[], workers: integer|nil, max_concurrency: integer|nil,
---  command_line: string|nil, on_event: function|nil }
---@return { name: string, ending: string, message: string|nil, hook_problem: string|nil, failed: integer,
---  before: integer, left: integer } failed: results whose scoring died with its worker; before: results that had a
---  score of the set already; left: those that have none and should
function rescore.run(store, record, view, settings)
  if engine.in_worker() or engine.current_item() then error("a run cannot be scored inside an item", 0) end
  local jobs = is_for_failed(view) and "unscored_any" or "unscored"
  local name, before = open_set(store, record, view, settings, jobs)
  local address = record.id .. "@" .. name
  local done = run_with_hooks(store, view, record, address, jobs, settings)
  local is_complete = done.ending == "completed" and not done.hook_problem and done.failed == 0
  -- What a complete scoring left without a score has no scorer: nothing is missing then.
  local left = is_complete and 0 or must(store:job_count(address, jobs))
  local set = score_sets.find(store, record, name)
  must(store:score_set_update(record.id, name, is_complete and "complete" or "incomplete", set.scored + left,
    is_complete and sys.wall_text(sys.now_ms()) or nil))
  done.name, done.before, done.left = name, before, left
  return done
end

return rescore
