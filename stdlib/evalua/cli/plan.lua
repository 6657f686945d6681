-- What a run would do: loads suites and cases, picks experiments by -e, opens the store, describes it for --dry-run.

local cases = require "evalua.cli.cases"
local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local strict = require "evalua.strict"
local ref = require "evalua.cli.ref"
local report = require "evalua.report.json"
local sys = require "evalua.native.sys"
local text = require "evalua.report.text"
local variant = require "evalua.variant"

local plan = {}

---How an experiment of a suite is called: `qa[prompt=short]`, as -e takes it.
---@param experiment table
---@return string
function plan.title(experiment)
  local of = experiment.variant
  return of and of ~= "" and ("%s[%s]"):format(experiment.name, of) or experiment.name
end

local function params_of(options)
  local params = {}
  for _, pair in ipairs(options.param or {}) do
    if params[pair[1]] ~= nil then fail.usage("-p %s: is given twice", pair[1]) end
    params[pair[1]] = pair[2]
  end
  return params
end

local function add_suite(suite, path, suites, experiments)
  suites[#suites + 1] = suite
  for _, experiment in ipairs(suite.experiments) do
    experiment.suite_path = path
    experiments[#experiments + 1] = experiment
  end
end

-- A file of cases is a suite that nobody wrote. Messages name the file, without the line of a text that nobody sees.
local function load_cases(path, options, params)
  local source = cases.suite_text(path, options, require("evalua").scorers)
  local ok, suite = pcall(require("evalua.suite").load, path, { params = params, check_params = false, text = source })
  if not ok then
    if fail.is_failure(suite) then
      suite.message = suite.message:gsub(path:gsub("%p", "%%%0") .. ":%d+: ", (path:gsub("%%", "%%%%")) .. ": ")
    end
    error(suite, 0)
  end
  for _, dataset in pairs(suite.datasets) do dataset.place = path end
  for _, experiment in ipairs(suite.experiments) do
    experiment.suite_text, experiment.code_files, experiment.place = source, { path }, path
  end
  if options.save then
    local done, problem = sys.write_file(options.save, source)
    if not done then fail.usage("--save %s: %s", options.save, tostring(problem)) end
    sys.stderr_write(("wrote %s; run it with: evalua run %s\n"):format(options.save, options.save))
  end
  return suite
end

-- True where `name` is what is written, in which * stands for any letters and ? for one.
local function is_like(name, written)
  if not written:find("[*?]") then return name == written end
  local pattern = written:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", utf8.charpattern)
  return name:find("^" .. pattern .. "$") ~= nil
end

---True where `-e name` means the experiment: by its name, by its name and variant, or by some of the variant's pairs.
---@param experiment table
---@param wanted string
---@return boolean
function plan.is_named(experiment, wanted)
  if wanted == plan.title(experiment) or is_like(experiment.name, wanted) then return true end
  local name, some = variant.split(wanted)
  return name ~= nil and is_like(experiment.name, name) and variant.matches(experiment.variant, some)
end

local function select_by_name(experiments, wanted)
  if not wanted then return experiments end
  local chosen, used, names, seen = {}, {}, {}, {}
  local function add_name(name)
    if not seen[name] then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  for _, experiment in ipairs(experiments) do
    add_name(experiment.name)
    add_name(plan.title(experiment))
    local matches = false
    for _, name in ipairs(wanted) do
      if plan.is_named(experiment, name) then
        matches, used[name] = true, true
      end
    end
    if matches then chosen[#chosen + 1] = experiment end
  end
  for _, name in ipairs(wanted) do
    if not used[name] then
      fail.usage("-e %s: there is no such experiment%s", name, strict.hint(name, names, "experiments"))
    end
  end
  return chosen
end

-- Inline items are let go of when the last experiment over them has started, not the first.
local function share_datasets(experiments)
  local uses, release = {}, {}
  for _, experiment in ipairs(experiments) do
    local declaration = experiment.dataset.declaration
    if declaration then
      uses[declaration] = (uses[declaration] or 0) + 1
      release[declaration] = release[declaration] or declaration.release
    end
  end
  for declaration in pairs(uses) do
    declaration.release = function()
      uses[declaration] = uses[declaration] - 1
      if uses[declaration] == 0 then release[declaration]() end
    end
  end
end

---Where --failed-from names a run: the items that failed or did not pass in it (options.failed_from_items), its
---experiment where -e names none, and its suite where no argument names one.
---@param options table parsed options of run; changed
---@param suite_paths string[] changed
---@param case_paths string[]
---@param ids string[]? of --items
---@param store_context table
function plan.choose_failed(options, suite_paths, case_paths, ids, store_context)
  if not options.failed_from then return end
  if ids then fail.usage("run: --items and --failed-from exclude each other") end
  local store = store_context.open(options.store, { create = false })
  local record = ref.resolve(store, options.failed_from)
  local failing = fail.check(fail.codes.incomplete,
    store:failing_items(record.id, require("evalua.trials").of_record(record)))
  if #failing == 0 then
    fail.usage("--failed-from %s: no item of run %d (%s) failed or did not pass; there is nothing to run",
      options.failed_from, record.number, record.name)
  end
  options.failed_from_items = { number = record.number, ids = failing }
  if #options == 0 then
    local stored = json.decode(record.options or "{}") or {}
    if not stored.suite_path or stored.suite_text then
      fail.usage("--failed-from %s: name the suite or the cases to run; the run does not", options.failed_from)
    end
    for position = #suite_paths, 1, -1 do suite_paths[position] = nil end
    suite_paths[1] = stored.suite_path
  end
  if not options.experiment and #case_paths == 0 then options.experiment = { plan.title(record) } end
end

---Raises (exit 2) where an experiment names a dataset that neither a suite declares nor the store has.
---@param experiments table[]
---@param declared table<string, any> by the names of datasets that suites declare
---@param store table?
function plan.check_datasets(experiments, declared, store)
  for _, experiment in ipairs(experiments) do
    local dataset = experiment.dataset
    if not dataset.declaration and not declared[dataset.name] and store then
      require("evalua.dataset").require(store, dataset.name, strict.keys(declared), experiment.place)
    end
  end
end

---Loads everything that the arguments name and picks experiments by -e. Nothing runs and nothing is written yet.
---@param suite_paths string[]
---@param case_paths string[]
---@param options table parsed options of run
---@return table[] experiments
---@return table<string, table> datasets that the suites declare, by name
function plan.load(suite_paths, case_paths, options)
  local params, suites, experiments = params_of(options), {}, {}
  local loaded = require("evalua.suite").load_all(suite_paths, { params = params, check_params = false })
  for position, path in ipairs(suite_paths) do add_suite(loaded[position], path, suites, experiments) end
  for _, path in ipairs(case_paths) do add_suite(load_cases(path, options, params), path, suites, experiments) end
  require("evalua.param").check_names(params, suites)
  if #experiments == 0 then
    fail.usage("%s: declares no experiment; write eval.experiment{ name = ..., dataset = ..., target = ... }",
      table.concat(suite_paths, ", "))
  end
  experiments = select_by_name(experiments, options.experiment)
  share_datasets(experiments)
  local datasets = {}
  for _, suite in ipairs(suites) do
    for name, dataset in pairs(suite.datasets) do datasets[name] = dataset end
  end
  return experiments, datasets
end

---Finds what gates each experiment, before the first one runs: `gate_choice`, false where nothing does. Raises (exit 2)
---where a baseline is not there or cannot be read.
---@param experiments table[]
---@param options table parsed options of run; gets `baseline_named`, which holds from everywhere
---@param store table?
function plan.check_baselines(experiments, options, store)
  local gate = require "evalua.gate"
  for _, experiment in ipairs(experiments) do
    experiment.gate_choice = gate.find(store, experiment, options.baseline) or false
  end
  local choice = options.baseline and experiments[1] and experiments[1].gate_choice
  if not choice then return end
  local record = choice.record
  options.baseline_named = record.baseline_file and (sys.realpath(record.baseline_file) or record.baseline_file)
    or record.id
end

---Opens the store of a run; for a dry run one that is not made, or nil where there is none yet.
---@param options table
---@param store_context table
---@return table? store
function plan.open_store(options, store_context)
  if options.dry_run then return store_context.open(options.store, { read_only = true, optional = true }) end
  return store_context.open(options.store, { create = true })
end

---The options that the runner gets.
---@param options table parsed options of run
---@param store table
---@param ids string[]?
---@param filter table?
---@param on_event fun(event: table)
---@return table
function plan.runner_options(options, store, ids, filter, on_event)
  local tags
  if options.tag then
    tags = {}
    for _, pair in ipairs(options.tag) do tags[pair[1]] = pair[2] end
  end
  return {
    store = store, items = ids, where = filter, limit = options.limit, sample = options.sample, seed = options.seed,
    workers = options.workers, max_concurrency = options.max_concurrency, note = options.note, tags = tags,
    baseline = options.baseline_named, command_line = options.command_line, inconclusive = options.inconclusive,
    trials = options.trials, failed_from = options.failed_from_items, on_event = on_event, cache = options.cache,
    cache_file = options.cache_file,
  }
end

local function names_of_scorers(experiment)
  local ids = {}
  for _, scorer in ipairs(experiment.scorers or experiment.dataset_scorers or {}) do ids[#ids + 1] = scorer.id end
  return ids
end

---Says what would run. Nothing runs, and nothing is written.
---@param experiments table[]
---@param store table?
---@param run {ids: string[]?, filter: table?, options: table, format: string}
---@param stdout table a writer of evalua.cli.output
function plan.describe(experiments, store, run, stdout)
  local runner, plans = require "evalua.runner", {}
  for position, experiment in ipairs(experiments) do
    local settings = plan.runner_options(run.options, store, run.ids, run.filter, nil)
    settings.dry_run = true
    plans[position] = {
      name = experiment.name, variant = experiment.variant, suite = experiment.suite_path,
      dataset = experiment.dataset.name, items = runner.run(experiment, settings).total_items,
      target = experiment.target and experiment.target.id or nil,
      scorers = json.array(names_of_scorers(experiment)),
      max_concurrency = run.options.max_concurrency or experiment.max_concurrency,
    }
  end
  if run.format == "pretty" then
    for position, experiment in ipairs(experiments) do
      local entry = plans[position]
      stdout.write(("%s (%s): %s of dataset %s, target %s, scorers %s; %d at a time\n"):format(plan.title(experiment),
        entry.suite, text.count(entry.items, "item"), entry.dataset, entry.target or "none (the items' output)",
        #entry.scorers > 0 and table.concat(entry.scorers, ", ") or "none", entry.max_concurrency))
    end
    stdout.write("nothing was run or written\n")
  else
    report.list(stdout.write, plans)
  end
  stdout.flush()
end

return plan
