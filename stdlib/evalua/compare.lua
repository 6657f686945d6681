-- Comparing runs: items are paired by id, each scorer gets a paired test and a verdict, and nothing that is missing,
-- changed or one-sided goes unsaid.

local json = require "evalua.json"
local slices = require "evalua.slices"
local stats = require "evalua.native.stats"
local summary = require "evalua.summary"
local trials = require "evalua.trials"

local compare = {}

local RESULTS_PAGE = 500  -- results read at once
local FAILURES_MAX = 1000 -- new failures that are listed; all are counted
local IDS_SHOWN = 5       -- ids in a warning

compare.FIELDS = {
  "baseline", "candidate", "warnings", "version_mismatch", "items", "scorers", "success_rate", "latency_ms", "usage",
  "regressions", "improvements", "new_failures", "new_failure_count", "verdict",
}

compare.SCORER_FIELDS = {
  "scorer_id", "step_id", "name", "higher_is_better", "n", "n_one_sided", "only_in", "baseline_mean", "candidate_mean",
  "delta", "stderr", "ci", "test", "p_value", "p_adjusted", "effect_size", "mde", "improved", "regressed", "same",
  "clusters", "margin", "alpha", "verdict",
}

---@class evalua.compare_options
---@field margin number|nil how much worse still is no worse; default 0
---@field alpha number|nil default 0.05; intervals are at 1 - alpha
---@field seed integer|nil of drawn sign flips
---@field cluster string|nil path of the item field that groups items, "metadata.document"
---@field scorer string|nil only this scorer
---@field gated string[]|true|nil scorers that are judged together, whose p-values are Holm-adjusted; true: all
---@field limit integer|nil most regressions and improvements to list per scorer; default all

local function must(value, ...)
  if value == nil then error((...) or "the store gave no answer", 0) end
  return value, ...
end

local function head_of(record)
  return {
    experiment_id = record.id, number = record.number, name = record.name, variant = record.variant,
    status = record.status, started_at = record.started_at or record.created_at, completed_at = record.completed_at,
    dataset = { name = record.dataset_name, version = record.dataset_version, digest = record.dataset_digest },
    target = { type = record.target_type, id = record.target_id, version = record.target_version },
    params = summary.decoded(record.params), file = record.baseline_file,
  }
end

---What a run is called in messages: `#12 triage[short]`.
---@param record table a record of the store or a head of a comparison
---@return string
function compare.run_text(record)
  local number = record.number and ("#%d "):format(record.number) or ""
  return number .. tostring(record.name) .. (record.variant and ("[%s]"):format(record.variant) or "")
end

-- "1 item (t4)", "12 items (t1, t2, t3, t4, t5, ...)"
local function ids_text(ids)
  local shown = table.concat(ids, ", ", 1, math.min(#ids, IDS_SHOWN))
  return ("%d %s (%s%s)"):format(#ids, #ids == 1 and "item" or "items", shown, #ids > IDS_SHOWN and ", ..." or "")
end

-- Datasets -------------------------------------------------------------------------------------------------------

local function version_mismatch(store, baseline, candidate, comparison)
  local warnings = comparison.warnings
  if baseline.baseline_file or candidate.baseline_file then -- versions of another store: digests tell
    local mismatch, warning = require("evalua.baseline_store").dataset_mismatch(baseline, candidate, comparison.items)
    warnings[#warnings + 1] = warning
    return mismatch
  end
  if baseline.dataset_id ~= candidate.dataset_id then
    warnings[#warnings + 1] = ("the runs are over different datasets, %s and %s; items are paired by id alone"):format(
      tostring(baseline.dataset_name), tostring(candidate.dataset_name))
    return nil
  end
  if baseline.dataset_version == candidate.dataset_version or baseline.dataset_id == nil then return nil end
  local difference = must(store:diff(baseline.dataset_id, baseline.dataset_version, candidate.dataset_version))
  warnings[#warnings + 1] = ("dataset %s: version %d against version %d (%d added, %d removed, %d changed)"):format(
    tostring(baseline.dataset_name), baseline.dataset_version, candidate.dataset_version, #difference.added,
    #difference.removed, #difference.changed)
  return { baseline = baseline.dataset_version, candidate = candidate.dataset_version, added = difference.added,
    removed = difference.removed, changed = difference.changed }
end

local function item_warnings(items, warnings)
  if #items.changed > 0 then
    warnings[#warnings + 1] = ids_text(items.changed) ..
      " changed between the versions; left out of the statistics"
  end
  if #items.only_baseline > 0 then
    warnings[#warnings + 1] = ids_text(items.only_baseline) .. " only in the baseline"
  end
  if #items.only_candidate > 0 then
    warnings[#warnings + 1] = ids_text(items.only_candidate) .. " only in the candidate"
  end
  if items.paired == 0 then warnings[#warnings + 1] = "the runs have no item in common" end
end

-- Clusters -------------------------------------------------------------------------------------------------------

-- The cluster of every item of a run, by item id. An item without the field is a cluster of its own.
local function clusters_by_item(store, experiment, path)
  local by_item, after, found = {}, 0, false
  while true do
    local rows = must(store:results(experiment.id, { after = after, limit = RESULTS_PAGE }))
    for _, row in ipairs(rows) do
      local name = slices.value_at(row, path)
      found = found or name ~= nil
      by_item[row.item_id] = name and ("in " .. name) or ("alone " .. row.item_id)
      after = row.position
    end
    if #rows < RESULTS_PAGE then break end
  end
  if not found then error(('cluster: no item has the field "%s"'):format(path), 0) end
  return by_item
end

local function clusters_of(by_item, ids, n)
  local list = {}
  for position = 1, n do
    list[position] = by_item[ids[position]] or ("alone " .. ids[position])
  end
  return list
end

-- Scorers --------------------------------------------------------------------------------------------------------

-- Pairs of definitions by key, in the order of the baseline and then the candidate.
local function scorer_pairs(store, baseline, candidate, only)
  local pairs_by_key, order = {}, {}
  local function add(side, definitions)
    for _, definition in ipairs(definitions) do
      if not only or only == definition.key or only == definition.id then
        local pair = pairs_by_key[definition.key]
        if not pair then
          pair = { key = definition.key }
          pairs_by_key[definition.key] = pair
          order[#order + 1] = pair
        end
        pair[side] = definition
      end
    end
  end
  add("baseline", summary.scorers_of(store, baseline, true))
  add("candidate", summary.scorers_of(store, candidate, true))
  return order
end

local function one_sided(pair, warnings)
  local side = pair.baseline and "baseline" or "candidate"
  local definition = pair[side]
  warnings[#warnings + 1] = ("scorer %s is only in the %s"):format(pair.key, side)
  return { scorer_id = definition.id, step_id = definition.step_id, name = definition.name,
    higher_is_better = definition.higher_is_better, n = 0, only_in = side, improved = 0, regressed = 0, same = 0,
    verdict = "incomparable" }
end

local function definition_warnings(pair, warnings)
  local baseline, candidate = pair.baseline, pair.candidate
  if baseline.digest and candidate.digest and baseline.digest ~= candidate.digest then
    warnings[#warnings + 1] = ("scorer %s was defined differently in the two runs"):format(pair.key)
  end
  if baseline.higher_is_better ~= candidate.higher_is_better then
    warnings[#warnings + 1] = ("scorer %s changed its direction; the candidate's holds"):format(pair.key)
  end
end

-- The items whose score went down and up, the largest changes first.
local function list_changes(comparison, key, higher_is_better, paired, limit)
  for _, position in ipairs(stats.changes(paired.before, paired.after, limit)) do
    local before, after = paired.before:get(position), paired.after:get(position)
    local is_gain = after > before == higher_is_better
    local list = is_gain and comparison.improvements or comparison.regressions
    list[#list + 1] = { item_id = paired.ids[position], scorer_id = key, baseline = before, candidate = after }
  end
end

-- How the trials of both runs are reduced.
local function reductions_of(context, pair)
  if not context.reductions then return nil end
  local list = {}
  for position, side in ipairs { "baseline", "candidate" } do
    list[position] = trials.for_scorer(context.reductions[position], pair and pair[side].applies) or {}
  end
  return list
end

-- Where a run has trials, both sides' reductions are kept in the context; different ones are said aloud.
local function note_trials(context)
  local before, after = trials.of_record(context.baseline), trials.of_record(context.candidate)
  if not before and not after then return end
  context.reductions = { before or { trials = 1, reducer = "mean" }, after or { trials = 1, reducer = "mean" } }
  local function text(reduction)
    if not reduction then return "one trial" end
    return ("%d trials, %s"):format(reduction.trials, trials.text { name = reduction.reducer, k = reduction.k })
  end
  if text(before) ~= text(after) then
    context.comparison.warnings[#context.comparison.warnings + 1] =
      ("the items ran differently often: %s in the baseline, %s in the candidate"):format(text(before), text(after))
  end
end

local function compare_scorer(context, pair)
  local store, options, warnings = context.store, context.options, context.comparison.warnings
  if not (pair.baseline and pair.candidate) then return one_sided(pair, warnings) end
  definition_warnings(pair, warnings)
  local definition = pair.candidate
  local before, after, ids = must(store:paired_scores(context.baseline.id, context.candidate.id, definition.id,
    definition.step_id or "", reductions_of(context, pair)))
  local entry = stats.paired(before, after, {
    higher_is_better = definition.higher_is_better, margin = options.margin, alpha = options.alpha,
    seed = options.seed, clusters = context.by_item and clusters_of(context.by_item, ids, #before) or nil,
  })
  list_changes(context.comparison, pair.key, definition.higher_is_better,
    { before = before, after = after, ids = ids }, options.limit)
  entry.scorer_id, entry.step_id, entry.name = definition.id, definition.step_id, definition.name
  entry.higher_is_better = definition.higher_is_better
  entry.margin, entry.alpha = options.margin or 0, options.alpha or 0.05
  local comparable = context.comparison.items.paired - #context.comparison.items.changed
  entry.n_one_sided = math.max(0, comparable - entry.n)
  if entry.n == 0 then
    warnings[#warnings + 1] = ("scorer %s has no item with a score in both runs"):format(pair.key)
  elseif entry.n_one_sided > 0 then
    warnings[#warnings + 1] = ("scorer %s: %d of %d common items have no score in both runs"):format(pair.key,
      entry.n_one_sided, comparable)
  end
  return entry
end

---The verdict of one scorer's comparison under another margin or alpha; an adjusted p-value is used where there is one.
---@param entry table a scorer's entry in a comparison
---@param options { margin: number|nil, alpha: number|nil }
---@return string
function compare.verdict(entry, options)
  if entry.n == 0 or not entry.stderr or not entry.delta then return entry.verdict end
  local alpha = options.alpha or entry.alpha
  local ci = entry.ci
  if ci and alpha ~= entry.alpha then
    local half = stats.t_quantile(1 - alpha / 2, (entry.clusters or entry.n) - 1) * entry.stderr
    ci = { entry.delta - half, entry.delta + half }
  end
  return stats.verdict({ n = entry.n, ci = ci, p_value = entry.p_adjusted or entry.p_value },
    { margin = options.margin or entry.margin, alpha = alpha, higher_is_better = entry.higher_is_better })
end

-- Several scorers that are judged together: each p is adjusted, and the verdict follows the adjusted one.
local function adjust_gated(comparison, order, gated)
  local wanted = {}
  for _, key in ipairs(gated == true and {} or gated) do wanted[key] = true end
  local keys, values = {}, {}
  for _, key in ipairs(order) do
    local entry = comparison.scorers[key]
    if entry.p_value and (gated == true or wanted[key] or wanted[entry.scorer_id]) then
      keys[#keys + 1], values[#values + 1] = key, entry.p_value
    end
  end
  if #keys < 2 then return end
  for position, adjusted in ipairs(stats.holm(values)) do
    local entry = comparison.scorers[keys[position]]
    entry.p_adjusted = adjusted
    entry.verdict = compare.verdict(entry, {})
  end
  comparison.warnings[#comparison.warnings + 1] = ("%d scorers are judged together (%s): their p-values are " ..
    "Holm-adjusted"):format(#keys, table.concat(keys, ", "))
end

local function change_size(change) return math.abs(change.candidate - change.baseline) end

-- The lists of several scorers become one; each is sorted already.
local function sort_changes(list)
  for position, change in ipairs(list) do change.order = position end
  table.sort(list, function(a, b)
    local size_a, size_b = change_size(a), change_size(b)
    if size_a ~= size_b then return size_a > size_b end
    return a.order < b.order
  end)
  for _, change in ipairs(list) do change.order = nil end
end

-- The run as a whole -----------------------------------------------------------------------------------------------

-- Ids of the results of a run that failed or did not pass, in item order; skipped ones are no failures.
local function failing_items(store, experiment)
  local list, by_id, after = {}, {}, 0
  while true do
    local rows = must(store:results(experiment.id, { after = after, limit = RESULTS_PAGE, failed = true }))
    for _, row in ipairs(rows) do
      if row.status ~= "skipped" and not by_id[row.item_id] then
        by_id[row.item_id] = row.status
        list[#list + 1] = row.item_id
      end
      after = row.position
    end
    if #rows < RESULTS_PAGE then return list, by_id end
  end
end

-- Items that were fine in the baseline and fail, or do not pass, in the candidate.
local function new_failures(context, counts)
  local comparison = context.comparison
  comparison.new_failures, comparison.new_failure_count = {}, 0
  if counts.candidate.total == counts.candidate.passed or comparison.items.paired == 0 then return end
  if context.store.new_failures then -- one statement of the store instead of two passes over the failures
    comparison.new_failures, comparison.new_failure_count =
      must(context.store:new_failures(context.baseline.id, context.candidate.id, FAILURES_MAX, reductions_of(context)))
    return
  end
  local left_out = {}
  for _, list in ipairs { comparison.items.only_candidate, comparison.items.changed } do
    for _, id in ipairs(list) do left_out[id] = true end
  end
  local failing, status_of = failing_items(context.store, context.candidate)
  if #failing == 0 then return end
  local _, failed_before = failing_items(context.store, context.baseline)
  for _, id in ipairs(failing) do
    if not failed_before[id] and not left_out[id] then
      comparison.new_failure_count = comparison.new_failure_count + 1
      if comparison.new_failure_count <= FAILURES_MAX then
        local status = status_of[id]
        comparison.new_failures[comparison.new_failure_count] = { item_id = id,
          status = status == "ok" and "not passed" or status }
      end
    end
  end
end

local function success_rate(counts)
  local rate = {}
  for _, side in ipairs { "baseline", "candidate" } do
    local total = counts[side].total
    rate[side] = total > 0 and counts[side].ok / total or nil
  end
  if rate.baseline and rate.candidate then rate.delta = rate.candidate - rate.baseline end
  return rate
end

local function latency(store, baseline, candidate)
  local before, after = summary.latencies(store, baseline.id), summary.latencies(store, candidate.id)
  if not before and not after then return nil end
  local delta = {}
  for name, value in next, before or {} do if after then delta[name] = after[name] - value end end
  return { baseline = before, candidate = after, delta = delta }
end

local function run_warnings(context, counts)
  local warnings = context.comparison.warnings
  for _, side in ipairs { "baseline", "candidate" } do
    local run, count = context[side], counts[side]
    if run.status ~= "completed" then
      warnings[#warnings + 1] = ("the %s %s is %s, not completed"):format(side, compare.run_text(run),
        tostring(run.status))
    end
    local failed = count.error + count.timeout + count.limited
    if failed > 0 then
      warnings[#warnings + 1] = ("the target failed on %d of %d items of the %s; they have no scores"):format(failed,
        count.total, side)
    end
  end
end

local function counts_of(store, experiment)
  local found = must(trials.counts(store, experiment))
  local counts = {}
  for _, name in ipairs { "ok", "error", "timeout", "limited", "skipped", "passed" } do
    counts[name] = found[name] or 0
  end
  local seen = counts.ok + counts.error + counts.timeout + counts.limited + counts.skipped
  counts.total = math.max(found.total or 0, experiment.total_items or 0, seen)
  return counts
end

-- One word for the whole: a regression outweighs an improvement, which outweighs what cannot be told.
local function overall(scorers)
  local seen = {}
  for _, entry in next, scorers do seen[entry.verdict] = true end
  for _, verdict in ipairs { "regressed", "improved", "inconclusive", "no_worse" } do
    if seen[verdict] then return verdict end
  end
  return "incomparable"
end

local function read_usage(store, baseline, candidate)
  if not store.usage then return nil end
  local before, after = store:usage(baseline.id), store:usage(candidate.id)
  if not before and not after then return nil end
  return { baseline = before, candidate = after }
end

---Compares two runs of a store.
---@param store table
---@param baseline table a record of the store
---@param candidate table a record of the store
---@param options evalua.compare_options|nil
---@return table comparison {baseline, candidate, warnings, version_mismatch, items, scorers, success_rate, latency_ms,
---  usage, regressions, improvements, new_failures, verdict}
function compare.pair(store, baseline, candidate, options)
  options = options or {}
  local comparison = { baseline = head_of(baseline), candidate = head_of(candidate), warnings = {}, scorers = {},
    regressions = {}, improvements = {} }
  local context = { store = store, baseline = baseline, candidate = candidate, options = options,
    comparison = comparison }
  comparison.items = must(store:paired_items(baseline.id, candidate.id))
  comparison.version_mismatch = version_mismatch(store, baseline, candidate, comparison)
  item_warnings(comparison.items, comparison.warnings)
  local counts = { baseline = counts_of(store, baseline), candidate = counts_of(store, candidate) }
  run_warnings(context, counts)
  note_trials(context)
  if options.cluster then context.by_item = clusters_by_item(store, candidate, options.cluster) end
  local order = {}
  for _, pair in ipairs(scorer_pairs(store, baseline, candidate, options.scorer)) do
    local entry = compare_scorer(context, pair)
    comparison.scorers[pair.key] = entry
    order[#order + 1] = pair.key
  end
  if options.scorer and #order == 0 then
    error(('scorer "%s" is in neither run'):format(options.scorer), 0)
  end
  if options.gated then adjust_gated(comparison, order, options.gated) end
  if #order > 1 then
    sort_changes(comparison.regressions)
    sort_changes(comparison.improvements)
  end
  new_failures(context, counts)
  comparison.success_rate = success_rate(counts)
  comparison.latency_ms = latency(store, baseline, candidate)
  comparison.usage = read_usage(store, baseline, candidate)
  comparison.verdict = overall(comparison.scorers)
  return comparison
end

-- The pairs whose item is in the slice.
local function pairs_within(before, after, ids, within)
  local kept_before, kept_after = {}, {}
  for position = 1, #before do
    if within(ids[position]) then
      kept_before[#kept_before + 1], kept_after[#kept_after + 1] = before:get(position), after:get(position)
    end
  end
  return stats.vector(kept_before), stats.vector(kept_after)
end

---The comparison of a scorer over some of the items only.
---@param store table
---@param baseline table
---@param candidate table
---@param entry table the scorer's entry in the comparison of all items
---@param within fun(item_id: string): boolean
---@return table entry
function compare.within(store, baseline, candidate, entry, within)
  local context = { baseline = baseline, candidate = candidate, comparison = { warnings = {} } }
  note_trials(context)
  local applies = { baseline = { applies = true }, candidate = { applies = true } }
  local before, after, ids = must(store:paired_scores(baseline.id, candidate.id, entry.scorer_id, entry.step_id or "",
    reductions_of(context, applies)))
  local kept_before, kept_after = pairs_within(before, after, ids, within)
  local found = stats.paired(kept_before, kept_after,
    { higher_is_better = entry.higher_is_better, margin = entry.margin, alpha = entry.alpha })
  found.scorer_id, found.step_id, found.higher_is_better = entry.scorer_id, entry.step_id, entry.higher_is_better
  found.margin, found.alpha = entry.margin, entry.alpha
  return found
end

---Compares each further run with the first.
---@param store table
---@param experiments table[] two or more records of the store, the baseline first
---@param options evalua.compare_options|nil
---@return table[] comparisons
function compare.runs(store, experiments, options)
  if #experiments < 2 then error("a comparison needs two runs or more, got " .. #experiments, 0) end
  local comparisons = {}
  for position = 2, #experiments do
    comparisons[position - 1] = compare.pair(store, experiments[1], experiments[position], options)
  end
  return comparisons
end

---The keys of a comparison's scorers, sorted.
---@param comparison table
---@return string[]
function compare.scorer_keys(comparison)
  local keys = {}
  for key in next, comparison.scorers do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local NULL_SCORER_FIELDS = { "baseline_mean", "candidate_mean", "delta", "ci", "test", "p_value", "effect_size", "mde" }

---A copy of the comparison for JSON output: lists are lists even when empty, and known fields without a value are null.
---@param comparison table
---@return table
function compare.for_json(comparison)
  local copy = {}
  for key, value in next, comparison do copy[key] = value end
  for _, name in ipairs { "warnings", "regressions", "improvements", "new_failures" } do
    copy[name] = json.array(comparison[name])
  end
  for _, name in ipairs { "only_baseline", "only_candidate", "changed" } do json.array(comparison.items[name]) end
  for _, name in ipairs { "version_mismatch", "latency_ms", "usage" } do
    if copy[name] == nil then copy[name] = json.null end
  end
  copy.scorers = {}
  for key, entry in next, comparison.scorers do
    local shown = {}
    for name, value in next, entry do shown[name] = value end
    for _, name in ipairs(NULL_SCORER_FIELDS) do if shown[name] == nil then shown[name] = json.null end end
    copy.scorers[key] = shown
  end
  return copy
end

return compare
