-- Comparing runs: items are paired by id, each scorer gets a paired test and a verdict, and nothing that is missing,
-- changed or one-sided goes unsaid.

local clusters = require "evalua.clusters"
local compare_items = require "evalua.compare_items"
local compare_metrics = require "evalua.compare_metrics"
local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local stats = require "evalua.native.stats"
local strict = require "evalua.strict"
local summary = require "evalua.summary"
local trials = require "evalua.trials"

local compare = {}

compare.FIELDS = {
  "baseline", "candidate", "warnings", "version_mismatch", "items", "scorers", "metrics", "success_rate", "latency_ms",
  "usage", "regressions", "improvements", "new_failures", "new_failure_count", "verdict", "slices", "where", "cluster",
  "failed", "whole_runs",
}

compare.SCORER_FIELDS = {
  "scorer_id", "step_id", "name", "metric", "kind", "higher_is_better", "n", "n_one_sided", "only_in",
  "baseline_mean", "candidate_mean", "delta", "stderr", "ci", "test", "p_value", "p_adjusted", "effect_size", "mde",
  "improved", "regressed", "same", "clusters", "margin", "alpha", "confidence", "verdict", "problem",
  "labels",
}

---@class evalua.compare_options
---@field margin number|nil how much worse still is no worse; default 0
---@field alpha number|nil default 1 - confidence
---@field confidence number|nil of the intervals; default 1 - alpha, 0.95
---@field seed integer|nil of drawn sign flips and of the bootstrap
---@field cluster string|false|nil path of the item field that groups items, "metadata.document"; default what the
---  candidate's experiment says; false: none
---@field clusters table<string, string>|nil such paths by scorer or metric
---@field scorer string|string[]|nil only these scorers and metrics
---@field metrics { id: string, metric: evalua.metric }[]|nil the candidate's own, where their functions are at hand
---@field gated string[]|true|nil scorers and metrics that are judged together, whose p-values are Holm-adjusted; true:
---  all
---@field limit integer|nil most regressions and improvements to list per scorer; default all
---@field within nil|fun(item_id: string): boolean only these items
---@field where string|nil what `within` says, for reports
---@field by string[]|nil fields by whose values the comparison is shown, too
---@field across_datasets boolean|nil compare runs over datasets of different names, too

local must = fail.must

local function head_of(record)
  return {
    experiment_id = record.id, number = record.number, name = record.name, variant = record.variant,
    status = record.status, started_at = record.started_at or record.created_at, completed_at = record.completed_at,
    dataset = { name = record.dataset_name, version = record.dataset_version, digest = record.dataset_digest },
    target = { type = record.target_type, id = record.target_id, version = record.target_version },
    params = summary.decoded(record.params), file = record.baseline_file, score_set = record.score_set,
  }
end

---What a run is called in messages: `#12 triage[short]`.
---@param record table a record of the store or a head of a comparison
---@return string
function compare.run_text(record)
  local set = record.score_set and ("@" .. record.score_set) or ""
  local number = record.number and ("#%d%s "):format(record.number, set) or ""
  return number .. tostring(record.name) .. (record.variant and ("[%s]"):format(record.variant) or "")
end

-- Scorers --------------------------------------------------------------------------------------------------------

-- Pairs of definitions by key, in the order of the baseline and then the candidate.
local function scorer_pairs(store, baseline, candidate, is_wanted)
  local pairs_by_key, order = {}, {}
  local function add(side, definitions)
    for _, definition in ipairs(definitions) do
      if is_wanted(definition.key) or is_wanted(definition.id) then
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

-- The pairs whose item is in the part.
local function pairs_within(before, after, ids, within)
  local kept_before, kept_after, kept_ids = {}, {}, {}
  for position = 1, #before do
    if within(ids[position]) then
      local place = #kept_ids + 1
      kept_before[place], kept_after[place] = before:get(position), after:get(position)
      kept_ids[place] = ids[position]
    end
  end
  return stats.vector(kept_before), stats.vector(kept_after), kept_ids
end

-- The pairs of a scorer: those in the scope of the whole comparison.
local function scores_of(context, pair, definition)
  local before, after, ids = must(context.store:paired_scores(context.baseline.id, context.candidate.id, definition.id,
    definition.step_id or "", reductions_of(context, pair)))
  if context.options.within then return pairs_within(before, after, ids, context.options.within) end
  return before, after, ids
end

-- The clusters by item of a field, read once; the items of a baseline file have no fields.
local function clusters_by(context, field)
  local known = context.clusters_by[field]
  if known == nil then
    local record = context.candidate.baseline_file and context.baseline or context.candidate
    local by_item, problem = nil, "a baseline file has no fields of items"
    if not record.baseline_file then by_item, problem = clusters.by_item(context.store, record, field) end
    if not by_item and field == context.options.cluster then fail.usage("%s", problem) end
    if not by_item and field == context.cluster then
      local warnings = context.comparison.warnings
      warnings[#warnings + 1] = problem .. "; the errors are not clustered"
    end
    known = { by_item, problem }
    context.clusters_by[field] = known
  end
  return known[1], known[2]
end

-- The field that a scorer or metric is clustered by.
local function cluster_field(context, key, id)
  local own = context.options.clusters
  return own and (own[key] or own[id]) or context.cluster or nil
end

local function settings_of(context, key, id)
  local options, field = context.options, cluster_field(context, key, id)
  local by_item, problem
  if field then by_item, problem = clusters_by(context, field) end
  return { margin = options.margin, alpha = options.alpha, confidence = options.confidence, seed = options.seed,
    by_item = by_item, within = options.within, problem = field ~= context.cluster and problem or nil }
end

local function paired_entry(definition, before, after, ids, settings)
  local entry = stats.paired(before, after, {
    higher_is_better = definition.higher_is_better, margin = settings.margin, alpha = settings.alpha,
    confidence = settings.confidence, seed = settings.seed,
    clusters = settings.by_item and clusters.list(settings.by_item, ids, #before) or nil,
  })
  entry.scorer_id, entry.step_id, entry.name = definition.id, definition.step_id, definition.name
  entry.higher_is_better = definition.higher_is_better
  return entry
end

local function put_settings(entry, settings)
  if settings.problem then -- the errors that a rule asks for cannot be had
    entry = { scorer_id = entry.scorer_id, step_id = entry.step_id, name = entry.name, metric = entry.metric, n = 0,
      improved = 0, regressed = 0, same = 0, verdict = "incomparable", problem = settings.problem,
      higher_is_better = entry.higher_is_better }
  end
  entry.margin, entry.alpha = settings.margin or 0, settings.alpha or 0.05
  entry.confidence = settings.confidence or 1 - entry.alpha
  return entry
end

local function compare_scorer(context, pair)
  local warnings = context.comparison.warnings
  if not (pair.baseline and pair.candidate) then return one_sided(pair, warnings) end
  definition_warnings(pair, warnings)
  local definition = pair.candidate
  local before, after, ids = scores_of(context, pair, definition)
  local settings = settings_of(context, pair.key, definition.id)
  local entry = put_settings(paired_entry(definition, before, after, ids, settings), settings)
  list_changes(context.comparison, pair.key, definition.higher_is_better,
    { before = before, after = after, ids = ids }, context.options.limit)
  local comparable = context.comparison.items.paired - #context.comparison.items.changed
  entry.n_one_sided = math.max(0, comparable - entry.n)
  if entry.n == 0 then entry.labels = require("evalua.compare_labels").entry(context, pair.key) end
  if entry.n == 0 and not entry.labels then
    warnings[#warnings + 1] = ("scorer %s has no item with a score in both runs"):format(pair.key)
  elseif entry.n > 0 and entry.n_one_sided > 0 then
    warnings[#warnings + 1] = ("scorer %s: %d of %d common items have no score in both runs"):format(pair.key,
      entry.n_one_sided, comparable)
  end
  return entry
end

local function compare_metric_entries(context, is_wanted)
  local list = {}
  for _, found in ipairs(compare_metrics.find(context)) do
    if is_wanted(found.id) then list[#list + 1] = found end
  end
  context.metrics = list
  if #list == 0 then return nil end
  local entries = compare_metrics.all(context, list, function(id) return settings_of(context, id, id) end)
  for id, entry in next, entries do entries[id] = put_settings(entry, settings_of(context, id, id)) end
  return entries
end

-- Verdicts ---------------------------------------------------------------------------------------------------------

---The verdict of one scorer's comparison under another margin or alpha; an adjusted p-value is used where there is one.
---@param entry table a scorer's entry in a comparison
---@param options { margin: number|nil, alpha: number|nil }
---@return string
function compare.verdict(entry, options)
  if entry.n == 0 or not entry.stderr or not entry.delta then return entry.verdict end
  local alpha = options.alpha or entry.alpha
  local ci = entry.ci
  if ci and alpha ~= entry.alpha then
    local is_drawn = entry.test == "bootstrap"
    local half = (is_drawn and stats.normal_quantile(1 - alpha / 2)
      or stats.t_quantile(1 - alpha / 2, (entry.clusters or entry.n) - 1)) * entry.stderr
    ci = { entry.delta - half, entry.delta + half }
  end
  return stats.verdict({ n = entry.n, ci = ci, p_value = entry.p_adjusted or entry.p_value },
    { margin = options.margin or entry.margin, alpha = alpha, higher_is_better = entry.higher_is_better })
end

-- Holm's adjustment over several entries; the verdicts follow the adjusted p.
local function adjust(entries)
  local p_values = {}
  for position, entry in ipairs(entries) do p_values[position] = entry.p_value end
  for position, adjusted in ipairs(stats.holm(p_values)) do
    entries[position].p_adjusted = adjusted
    entries[position].verdict = compare.verdict(entries[position], {})
  end
end

-- Several scorers and metrics that are judged together.
local function adjust_gated(comparison, order, gated)
  local wanted, keys, entries = {}, {}, {}
  for _, key in ipairs(gated == true and {} or gated) do wanted[key] = true end
  local function add(key, entry)
    if entry and entry.p_value and (gated == true or wanted[key] or wanted[entry.scorer_id]) then
      keys[#keys + 1], entries[#entries + 1] = key, entry
    end
  end
  for _, key in ipairs(order) do add(key, comparison.scorers[key]) end
  for _, key in ipairs(compare.keys(comparison.metrics or {})) do add(key, comparison.metrics[key]) end
  if #keys < 2 then return end
  adjust(entries)
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

local function run_warnings(context, facts)
  local warnings, failed_ids = context.comparison.warnings, {}
  context.comparison.failed = failed_ids
  for _, side in ipairs { "baseline", "candidate" } do
    local run, count = context[side], facts[side].counts
    if run.status ~= "completed" then
      warnings[#warnings + 1] = ("the %s %s is %s, not completed"):format(side, compare.run_text(run),
        tostring(run.status))
    end
    local failed = count.error + count.timeout + count.limited
    local ids = failed > 0 and compare_items.failed(context.store, run, failed, context.options.within) or {}
    failed_ids[side] = ids
    if failed > 0 then
      warnings[#warnings + 1] = ("the target failed on %d of %d items of the %s, which have no scores: %s"):format(
        failed, count.total, side, compare_items.text(ids, failed))
    end
  end
end

-- One word for the whole: a regression outweighs an improvement, which outweighs what cannot be told.
local function overall(comparison)
  local seen = {}
  for _, entry in next, comparison.scorers do seen[entry.verdict] = true end
  for _, entry in next, comparison.metrics or {} do seen[entry.verdict] = true end
  for _, verdict in ipairs { "regressed", "improved", "inconclusive", "no_worse" } do
    if seen[verdict] then return verdict end
  end
  return "incomparable"
end

-- A function that says whether a scorer or metric is asked for.
local function wanted_ids(scorer)
  if scorer == nil then return function() return true end end
  local wanted = {}
  for _, id in ipairs(type(scorer) == "table" and scorer or { scorer }) do wanted[id] = true end
  return function(id) return wanted[id] == true end
end

local function check_datasets(baseline, candidate, options)
  if options.across_datasets or not compare_items.is_across(baseline, candidate) then return end
  local before, now = compare.run_text(baseline), compare.run_text(candidate)
  fail.usage("run %s is over dataset %s and %s over dataset %s: items of the same id need not be the same; compare "
    .. "them all the same with --across-datasets (across_datasets = true)", before, baseline.dataset_name, now,
    candidate.dataset_name)
end

-- What is compared; clusters_by, reductions, metrics and rows are filled when they are needed.
local function context_of(store, baseline, candidate, options, comparison)
  local context = { store = store, baseline = baseline, candidate = candidate, options = options,
    comparison = comparison, clusters_by = {} }
  if options.cluster == nil then
    for _, run in ipairs { candidate, baseline } do
      context.cluster = context.cluster or not run.baseline_file and clusters.field_of(run) or nil
    end
  elseif options.cluster then
    context.cluster = options.cluster
  end
  return context
end

-- Confidence and alpha say the same, unless both are stated.
local function settle(options)
  local settled = {}
  for name, value in next, options or {} do settled[name] = value end
  if settled.confidence and not settled.alpha then settled.alpha = 1 - settled.confidence end
  return settled
end

local function compare_scores(context)
  local comparison, options, order = context.comparison, context.options, {}
  local is_wanted = wanted_ids(options.scorer)
  for _, pair in ipairs(scorer_pairs(context.store, context.baseline, context.candidate, is_wanted)) do
    comparison.scorers[pair.key] = compare_scorer(context, pair)
    order[#order + 1] = pair.key
  end
  comparison.metrics = compare_metric_entries(context, is_wanted)
  if options.scorer and #order == 0 and not comparison.metrics then
    local wanted, ids = type(options.scorer) == "table" and options.scorer or { options.scorer }, {}
    for position, pair in ipairs(scorer_pairs(context.store, context.baseline, context.candidate,
      function() return true end)) do ids[position] = pair.key end
    fail.usage('scorer "%s" is in neither run%s', table.concat(wanted, ", "), strict.hint(wanted[1], ids, "scorers"))
  end
  if options.gated then adjust_gated(comparison, order, options.gated) end
  if #order > 1 then
    sort_changes(comparison.regressions)
    sort_changes(comparison.improvements)
  end
end

---Compares two runs of a store. Raises (exit 2) for datasets of different names, unless they are asked for.
---@param store table
---@param baseline table a record of the store
---@param candidate table a record of the store
---@param given evalua.compare_options|nil
---@return table comparison {baseline, candidate, warnings, version_mismatch, items, scorers, metrics, success_rate,
---  latency_ms, usage, regressions, improvements, new_failures, slices, verdict}; whole_runs: true where latency_ms and
---  usage are of all items of both runs, though they are not the same
---@return table context for compare.part
function compare.pair(store, baseline, candidate, given)
  local options = settle(given)
  check_datasets(baseline, candidate, options)
  local comparison = { baseline = head_of(baseline), candidate = head_of(candidate), warnings = {}, scorers = {},
    regressions = {}, improvements = {}, where = options.where }
  local context = context_of(store, baseline, candidate, options, comparison)
  comparison.cluster = context.cluster
  comparison.items, context.pairs = compare_items.paired(store, baseline, candidate, options.within)
  comparison.version_mismatch = compare_items.version_mismatch(store, baseline, candidate, comparison)
  compare_items.warn(comparison.items, comparison.warnings)
  local facts = { baseline = compare_items.facts(store, baseline, options.within),
    candidate = compare_items.facts(store, candidate, options.within) }
  run_warnings(context, facts)
  note_trials(context)
  compare_scores(context)
  compare_items.put_new_failures(context, facts.candidate.counts, reductions_of(context))
  context.pairs = nil
  local common = compare_items.common_facts(context, facts)
  compare_items.put_facts(comparison, common.baseline, common.candidate)
  comparison.verdict = overall(comparison)
  if options.by then comparison.slices = require("evalua.compare_slices").build(context, options.by) end
  return comparison, context
end

local function metric_of(context, id)
  for _, found in ipairs(context.metrics or {}) do if found.id == id then return found end end
end

-- The comparisons of a scorer over groups of the items.
local function scorer_parts(context, known, group_of, settings)
  local definition = { id = known.scorer_id, step_id = known.step_id, name = known.name,
    higher_is_better = known.higher_is_better }
  local applies = { baseline = { applies = true }, candidate = { applies = true } }
  local before, after, ids = scores_of(context, applies, definition)
  local groups, entries = {}, {}
  for position = 1, #before do
    local value = group_of(ids[position])
    if value ~= nil then
      local group = groups[value] or { {}, {}, {} }
      groups[value] = group
      local place = #group[3] + 1
      group[1][place], group[2][place], group[3][place] = before:get(position), after:get(position), ids[position]
    end
  end
  for value, group in next, groups do
    entries[value] = paired_entry(definition, stats.vector(group[1]), stats.vector(group[2]), group[3], settings)
  end
  return entries, function()
    return paired_entry(definition, stats.vector {}, stats.vector {}, {}, settings)
  end
end

---The comparisons of one scorer or metric over groups of the items, after compare.pair.
---@param context table its second result
---@param key string
---@param values string[] the groups that are asked for
---@param group_of fun(item_id: string): string|nil
---@param cluster string|nil instead of the cluster of the comparison
---@return table<string, table> entries by group
function compare.parts(context, key, values, group_of, cluster)
  local settings = settings_of(context, key, key)
  if cluster then settings.by_item, settings.problem = clusters_by(context, cluster) end
  local known, found = context.comparison.scorers[key], metric_of(context, key)
  local entries = {}
  if known and not known.only_in then
    local parts, nothing = scorer_parts(context, known, group_of, settings)
    for _, value in ipairs(values) do entries[value] = put_settings(parts[value] or nothing(), settings) end
  elseif found and found.baseline and found.candidate then
    local whole = context.options.within
    for _, value in ipairs(values) do
      settings.within = function(id) return group_of(id) == value and (not whole or whole(id)) end
      entries[value] = put_settings(compare_metrics.entry(context, context.metrics, found, settings), settings)
    end
  else
    for _, value in ipairs(values) do entries[value] = known or (context.comparison.metrics or {})[key] end
  end
  return entries
end

compare.adjust = adjust

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

---The keys of a map, sorted.
---@param map table<string, any>
---@return string[]
function compare.keys(map)
  local keys = {}
  for key in next, map do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

---The keys of a comparison's scorers, sorted.
---@param comparison table
---@return string[]
function compare.scorer_keys(comparison) return compare.keys(comparison.scorers) end

local NULL_SCORER_FIELDS = { "baseline_mean", "candidate_mean", "delta", "ci", "test", "p_value", "effect_size", "mde" }

local function labels_for_json(labels)
  local shown = {}
  for name, value in next, labels do shown[name] = value end
  shown.changes = json.array(labels.changes)
  if shown.kappa == nil then shown.kappa = json.null end
  return shown
end

local function entries_for_json(entries)
  local copies = {}
  for key, entry in next, entries do
    local shown = {}
    for name, value in next, entry do shown[name] = value end
    for _, name in ipairs(NULL_SCORER_FIELDS) do if shown[name] == nil then shown[name] = json.null end end
    if shown.labels then shown.labels = labels_for_json(shown.labels) end
    copies[key] = shown
  end
  return copies
end

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
  for _, side in ipairs { "baseline", "candidate" } do json.array((comparison.failed or {})[side] or {}) end
  for _, name in ipairs { "version_mismatch", "latency_ms" } do
    if copy[name] == nil then copy[name] = json.null end
  end
  copy.success_rate = compare_items.sides_for_json(comparison.success_rate)
  if comparison.latency_ms then copy.latency_ms = compare_items.sides_for_json(comparison.latency_ms) end
  copy.usage = compare_items.usage_for_json(comparison.usage)
  copy.scorers = entries_for_json(comparison.scorers)
  copy.metrics = comparison.metrics and entries_for_json(comparison.metrics)
  if comparison.slices then
    copy.slices = {}
    for field, values in next, comparison.slices do
      copy.slices[field] = {}
      for value, part in next, values do
        copy.slices[field][value] = { n = part.n, scorers = entries_for_json(part.scorers),
          metrics = part.metrics and entries_for_json(part.metrics) }
      end
    end
  end
  return copy
end

return compare
