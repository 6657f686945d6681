-- Which run gates: what the command line names, what the experiment names, the baseline file beside the suite, the run
-- that was accepted last in this store, in that order, and nothing else. Without one the last complete run is compared
-- too, but only to be shown.

local baseline = require "evalua.baseline"
local baseline_store = require "evalua.baseline_store"
local compare = require "evalua.compare"
local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local place = require "evalua.place"
local ref = require "evalua.cli.ref"
local summary = require "evalua.summary"
local sys = require "evalua.native.sys"

local gate = {}

local PREVIOUS_ITEMS_MAX = 100000 -- larger runs are not compared just to be shown
local CHANGES_KEPT = 10           -- regressions and improvements in the summary
local CHANGES_OF_EACH = 3         -- at least so many of each scorer
local LOOKED_BACK = 50            -- runs among which the previous complete one is looked for

---@class evalua.gate_choice
---@field record table what it is compared with
---@field source "option"|"experiment"|"file"|"accepted"|"previous"
---@field text string how it is called: the file, or the REF

local function choice_of(record, source, text)
  if record.baseline_file then baseline_store.add(record) end
  return { record = record, source = source, text = text }
end

local function directory_of(suite_path)
  if not suite_path then return nil end
  return place.directory(sys.realpath(suite_path) or suite_path)
end

---Where the baseline file of an experiment lies: beside its suite, or here where it has none.
---@param experiment_name string
---@param suite_path string|nil
---@return string
function gate.file_path(experiment_name, suite_path)
  local name = baseline.file_name(experiment_name)
  local directory = suite_path and suite_path:match("^(.*)/[^/]*$")
  if not directory then return name end
  return (directory == "" and "/" or directory .. "/") .. name
end

-- A file that holds another experiment's runs would gate by chance.
local function check_name(record, experiment, text)
  if record.baseline_file and record.name ~= experiment.name then
    fail.usage("%s: the baseline is of experiment %s, not of %s", text, record.name, experiment.name)
  end
end

local function named(store, experiment, text, source)
  if baseline.is_file_name(text) then
    local path = text
    if source == "experiment" and path:sub(1, 1) ~= "/" then
      local directory = directory_of(experiment.suite_path)
      path = directory and (directory .. "/" .. path) or path
      local here = sys.cwd() .. "/"
      if path:sub(1, #here) == here then path = path:sub(#here + 1) end -- reports name it, wherever the project lies
    end
    local record = baseline.resolve(path, experiment.variant)
    check_name(record, experiment, text)
    return choice_of(record, source, text)
  end
  if not store then fail.usage("%s: there is no store here yet; name a baseline file", text) end
  return choice_of(ref.resolve(store, text, { sets = true }), source, text)
end

-- The file beside the suite: its variant, or nil where it has none for this one.
local function beside(experiment)
  if not experiment.suite_path then return nil end
  local path = gate.file_path(experiment.name, experiment.suite_path)
  if not sys.exists(path) then return nil end
  local file = baseline.read(path)
  if file.experiment ~= experiment.name then
    fail.usage("%s: the baseline is of experiment %s, not of %s", path, file.experiment, experiment.name)
  end
  local entry = baseline.entry(file, experiment.variant)
  return entry and choice_of(baseline.record(file, entry), "file", path)
end

---The run that gates an experiment, before it runs. Raises (exit 2) where what is named is not there or cannot be read.
---@param store table|nil nil where there is none yet
---@param experiment table resolved
---@param given string|nil what --baseline names
---@return evalua.gate_choice|nil
function gate.find(store, experiment, given)
  if given then return named(store, experiment, given, "option") end
  if experiment.baseline then
    local ok, found = pcall(named, store, experiment, experiment.baseline, "experiment")
    if ok then return found end
    if not fail.is_failure(found) then error(found, 0) end
    fail.raise(found.exit, ("%s: option baseline of experiment %s: %s"):format(experiment.place or "suite",
      experiment.name, found.message))
  end
  local found = beside(experiment)
  if found then return found end
  local record = store and store:experiment_accepted(experiment.name, experiment.variant)
  return record and choice_of(record, "accepted", ref.title(record)) or nil
end

---True where somebody picked some of the items by hand, so that the run does not stand for all of them.
---@param record table of the store
---@return boolean
function gate.is_partial(record)
  local selection = summary.decoded(record.selection)
  if type(selection) ~= "table" then return false end
  for _, name in ipairs { "items", "where", "limit", "sample", "failed_from" } do
    if selection[name] ~= nil and selection[name] ~= json.null then return true end
  end
  return false
end

---The last complete run of that name and variant before `record`, to be shown beside it.
---@param store table
---@param record table of the store
---@return evalua.gate_choice|nil
function gate.previous(store, record)
  if (record.total_items or 0) > PREVIOUS_ITEMS_MAX then return nil end
  local found = store:experiments { name = record.name, variant = record.variant or "", limit = LOOKED_BACK }
  for _, other in ipairs(found or {}) do
    if other.number < record.number and other.status == "completed" and not gate.is_partial(other)
      and (other.total_items or 0) <= PREVIOUS_ITEMS_MAX then
      return choice_of(other, "previous", ref.title(other))
    end
  end
  return nil
end

-- Comparing ----------------------------------------------------------------------------------------------------------

local function head(list, most)
  local kept = json.array {}
  for position = 1, math.min(#(list or {}), most) do kept[position] = list[position] end
  return kept
end

-- The largest changes, and of each scorer its own largest ones, in their order.
local function largest(list, most, of_each)
  local kept, counts = json.array {}, {}
  for position, change in ipairs(list or {}) do
    local count = counts[change.scorer_id] or 0
    if position <= most or count < of_each then kept[#kept + 1] = change end
    counts[change.scorer_id] = count + 1
  end
  return kept
end

-- What the summary keeps of a comparison: the scorers, and the changes that show it best.
local function brief(comparison)
  local shown = compare.for_json(comparison)
  for _, entry in next, shown.scorers do
    if entry.labels then entry.labels.changes = head(entry.labels.changes, CHANGES_KEPT) end
  end
  return {
    verdict = shown.verdict, warnings = shown.warnings, paired = comparison.items.paired, scorers = shown.scorers,
    regressions = largest(shown.regressions, CHANGES_KEPT, CHANGES_OF_EACH),
    improvements = largest(shown.improvements, CHANGES_KEPT, CHANGES_OF_EACH),
    new_failures = head(shown.new_failures, CHANGES_KEPT), new_failure_count = shown.new_failure_count,
    metrics = shown.metrics, cluster = shown.cluster,
  }
end

local function side_of(choice)
  local record = choice.record
  return {
    source = choice.source, text = choice.text, name = record.name, variant = record.variant, number = record.number,
    experiment_id = not record.baseline_file and record.id or nil, file = record.baseline_file,
    completed_at = record.completed_at,
  }
end

---Compares a run with what gates it; the summary gets `baseline` and `comparison`.
---@param store table
---@param choice evalua.gate_choice
---@param record table the run
---@param built table its summary
---@param options { gated: string[], clusters: table<string, string>|nil, metrics: table[]|nil }
---@return table comparison
---@return table baseline_summary
function gate.compare(store, choice, record, built, options)
  local side = choice.record.baseline_file and baseline_store.over(store) or store
  local comparison
  comparison, choice.context = compare.pair(side, choice.record, record, {
    gated = options.gated, clusters = options.clusters, metrics = options.metrics, across_datasets = true,
  })
  built.baseline, built.comparison = side_of(choice), brief(comparison)
  return comparison, summary.build(side, choice.record)
end

---The comparisons of one scorer or metric over groups of the items, after gate.compare.
---@param choice evalua.gate_choice
---@param key string
---@param values string[] the groups
---@param group_of fun(item_id: string): string|nil
---@param cluster string|nil
---@return table<string, table> entries by group
function gate.parts(choice, key, values, group_of, cluster)
  return compare.parts(choice.context, key, values, group_of, cluster)
end

---Compares a run that nothing gates with the one before it; the summary gets `previous` and `comparison`.
---@param store table
---@param record table the run
---@param built table its summary
function gate.show_previous(store, record, built)
  if gate.is_partial(record) then return end
  local choice = gate.previous(store, record)
  if not choice then return end
  built.previous = side_of(choice)
  built.comparison = brief(compare.pair(store, choice.record, record,
    { limit = CHANGES_KEPT, across_datasets = true }))
end

return gate
