-- The summary of an experiment: counts, means with their intervals and what is missing from them, latencies.
-- Everything is derived from the rows of the store at the time of asking.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local stats = require "evalua.native.stats"
local trials = require "evalua.trials"

local summary = {}

---@class evalua.scorer_summary
---@field scorer_id string
---@field step_id string|nil the workflow step that was scored
---@field name string|nil
---@field higher_is_better boolean
---@field pass number|nil the threshold of `passed`
---@field n integer scored results
---@field n_unscored integer the scorer gave no score on purpose
---@field n_error integer the scorer failed
---@field n_failed integer the target failed, so there was nothing to score
---@field n_skipped integer never run
---@field n_pending integer not run yet
---@field n_without integer results that this scorer does not apply to
---@field mean number|nil over the n scored
---@field stderr number|nil
---@field ci number[]|nil {low, high} at 95 %
---@field min number|nil
---@field max number|nil
---@field p50 number|nil
---@field binary boolean every score is 0 or 1
---@field bounds number[]|nil {low, high}: the mean, were everything missing scored 0 or 1; for scores in [0, 1]
---@field passed integer|nil results that passed; nil where the scorer has no threshold
---@field not_passed integer|nil scored results that did not pass
---@field pass_rate number|nil passed / (scored, unscored, errors and failed): what is missing never passes
---@field histogram { low: number, high: number, counts: integer[] }|nil
---@field labels table<string, integer>|nil how often each label was given
---@field clusters integer|nil clusters of items, where their errors belong together

---The fields of a scorer's summary, for strict records.
summary.SCORER_FIELDS = {
  "scorer_id", "step_id", "name", "higher_is_better", "pass", "n", "n_unscored", "n_error", "n_failed", "n_skipped",
  "n_pending", "n_without", "mean", "stderr", "ci", "min", "max", "p50", "binary", "bounds", "passed", "not_passed",
  "pass_rate", "histogram", "labels", "clusters",
}

---The fields of a summary, for strict records.
summary.FIELDS = {
  "experiment_id", "number", "name", "variant", "description", "metadata", "tags", "status", "verdict", "total_items",
  "succeeded_count", "failed_count", "skipped_count", "pending_count", "passed_count", "completed_with_errors",
  "started_at", "completed_at", "dataset", "target", "selection", "params", "git", "seed", "suite", "scorers",
  "metrics", "slices", "latency_ms", "usage", "rules", "results", "baseline", "previous", "comparison", "reason",
  "trials", "rules_declared", "score_set", "score_sets", "cluster", "cache",
}

summary.LATENCY_FIELDS = { "mean", "p50", "p95", "p99", "max" }
summary.USAGE_FIELDS = { "input_tokens", "output_tokens", "cost" }

-- A failure of the store cannot be summarised away: it is raised with its message.
local must = fail.must

---The value of a record's JSON field, whether it is text still or decoded already.
---@param field any
---@return any value nil for null
function summary.decoded(field)
  if type(field) ~= "string" then
    if field == json.null then return nil end
    return field
  end
  local value, problem = json.decode(field, { mode = "foreign" })
  if value == nil and problem then error("a field of the experiment is not JSON: " .. problem, 0) end
  if value == json.null then return nil end
  return value
end

---The name under which a summary keeps a scorer: `exact`, or `fetch-data/exact` for a step's.
---@param scorer_id string
---@param step_id string|nil
---@return string
function summary.scorer_key(scorer_id, step_id)
  if step_id == nil or step_id == "" then return scorer_id end
  return step_id .. "/" .. scorer_id
end

local function sorted_keys(map)
  local keys = {}
  for key in next, map do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function add_definition(found, order, definition, step_id)
  if type(definition) == "string" then definition = { id = definition } end
  if type(definition) ~= "table" then return end
  local id = definition.id or definition.scorer_id
  if type(id) ~= "string" then return end
  local step = definition.step_id or step_id
  if step == "" then step = nil end
  local key = summary.scorer_key(id, step)
  local known = found[key]
  if not known then
    known = { key = key, id = id, step_id = step, higher_is_better = true }
    found[key] = known
    order[#order + 1] = known
  end
  known.name = known.name or definition.name or definition.scorer_name
  known.pass = known.pass or tonumber(definition.pass)
  known.digest = known.digest or definition.digest
  if definition.higher_is_better == false then known.higher_is_better = false end
end

local function add_definitions(found, order, definitions)
  if type(definitions) ~= "table" then return end
  for _, definition in ipairs(definitions) do add_definition(found, order, definition) end
  for _, category in ipairs { "agent", "workflow", "trajectory" } do
    for _, definition in ipairs(definitions[category] or {}) do add_definition(found, order, definition) end
  end
  local steps = definitions.steps
  if type(steps) ~= "table" then return end
  for _, step_id in ipairs(sorted_keys(steps)) do
    for _, definition in ipairs(steps[step_id]) do add_definition(found, order, definition, step_id) end
  end
end

local UNFINISHED = { pending = true, running = true, interrupted = true }

---Every scorer of an experiment: those it was defined with, then others that left scores (items' own, `expect`).
---@param store table
---@param experiment table a record of the store
---@param trust_summary boolean|nil take the latter from the stored summary of a finished run: quicker than its rows
---@param keys table[]|nil what store:score_keys says, where it has been asked
---@return { key: string, id: string, step_id: string|nil, name: string|nil, higher_is_better: boolean,
---  pass: number|nil, digest: string|nil, applies: boolean|nil }[] applies: it is for every item
function summary.scorers_of(store, experiment, trust_summary, keys)
  local found, order = {}, {}
  add_definitions(found, order, summary.decoded(experiment.scorers))
  for _, definition in ipairs(order) do definition.applies = true end
  local stored = trust_summary and not UNFINISHED[experiment.status] and summary.decoded(experiment.summary)
  if type(stored) == "table" and type(stored.scorers) == "table" then
    for _, key in ipairs(sorted_keys(stored.scorers)) do add_definition(found, order, stored.scorers[key]) end
    for _, reviewer in ipairs(store.reviewers and store:reviewers(experiment.id) or {}) do -- came after the summary
      add_definition(found, order, { id = "human/" .. reviewer.name })
    end
  else
    for _, row in ipairs(keys or must(store:score_keys(experiment.id))) do add_definition(found, order, row) end
  end
  return order
end

-- What the results without a score are: as many failed ones as there are, then skipped, then pending ones; the rest
-- the scorer does not apply to (an item's own scorer, checks that few items have).
local function missing_parts(expected, scored, totals)
  local missing = math.max(0, expected - scored)
  local failed = math.min(missing, totals.failed)
  local skipped = math.min(missing - failed, totals.skipped)
  local pending = math.min(missing - failed - skipped, totals.pending)
  return failed, skipped, pending, missing - failed - skipped - pending
end

local function bounds_of(record, missing)
  if record.n == 0 or record.min < 0 or record.max > 1 then return nil end
  local sum = record.mean * record.n
  local all = record.n + missing
  if missing == 0 then return { record.mean, record.mean } end
  return { sum / all, (sum + missing) / all }
end

---The summary of one scorer.
---@param definition table an element of summary.scorers_of
---@param values userdata the scores
---@param counts table { unscored, error, passed, not_passed, labels }
---@param totals { expected: integer, failed: integer, skipped: integer, pending: integer }
---@param clusters string[]|nil one for each value: the interval is robust against what they share
---@return evalua.scorer_summary
function summary.of_scores(definition, values, counts, totals, clusters)
  local record = stats.summary(values, { clusters = clusters })
  record.scorer_id, record.step_id, record.name = definition.id, definition.step_id, definition.name
  record.higher_is_better, record.pass = definition.higher_is_better, definition.pass
  record.n_unscored, record.n_error = counts.unscored or 0, counts.error or 0
  local seen = record.n + record.n_unscored + record.n_error
  record.n_failed, record.n_skipped, record.n_pending, record.n_without = missing_parts(totals.expected, seen, totals)
  local judged = seen + record.n_failed
  record.bounds = bounds_of(record, judged + record.n_skipped + record.n_pending - record.n)
  local passed, not_passed = counts.passed or 0, counts.not_passed or 0
  if definition.pass ~= nil or passed + not_passed > 0 then
    record.passed, record.not_passed = passed, not_passed
    if judged > 0 then record.pass_rate = passed / judged end
  end
  if counts.labels and next(counts.labels) ~= nil then record.labels = counts.labels end
  return record
end

---Latencies of the results, nil where there are none.
---@param values userdata a vector; it is used up
---@return { mean: number, p50: number, p95: number, p99: number, max: number }|nil
function summary.of_latencies(values)
  if #values == 0 then return nil end
  local mean = stats.mean(values)
  local points = stats.percentiles(values, { 50, 95, 99, 100 }, true)
  values:free()
  return { mean = mean, p50 = points[1], p95 = points[2], p99 = points[3], max = points[4] }
end

---The usage that results report, summed up; nil where none does. A cost that is not known of every one of them is
---absent: a sum of some would look like the whole.
---@param texts any[] each the JSON text of one result's usage
---@return { input_tokens: integer|nil, output_tokens: integer|nil, cost: number|nil }|nil
function summary.of_usages(texts)
  if #texts == 0 then return nil end
  local sums, costs = {}, 0
  for _, text in ipairs(texts) do
    local usage = summary.decoded(text) or {}
    for _, name in ipairs(summary.USAGE_FIELDS) do
      if type(usage[name]) == "number" then sums[name] = (sums[name] or 0) + usage[name] end
    end
    if type(usage.cost) == "number" then costs = costs + 1 end
  end
  if costs < #texts then sums.cost = nil end
  for name, sum in next, sums do
    if math.abs(sum) == math.huge or sum ~= sum then sums[name] = nil end -- beyond all doubles: not known
  end
  return sums
end

---Latencies of a run; a baseline file has kept theirs.
---@param store table
---@param experiment_id string
---@return table|nil
function summary.latencies(store, experiment_id)
  local kept = store.latency_summary and store:latency_summary(experiment_id)
  return kept or summary.of_latencies(must(store:latencies(experiment_id)))
end

-- The head of the summary: what ran, from the experiment's record.
local function head_of(experiment)
  return {
    experiment_id = experiment.id,
    number = experiment.number,
    name = experiment.name,
    variant = experiment.variant,
    description = experiment.description,
    metadata = summary.decoded(experiment.metadata),
    tags = summary.decoded(experiment.tags),
    status = experiment.status,
    verdict = experiment.verdict or "none",
    started_at = experiment.started_at or experiment.created_at,
    completed_at = experiment.completed_at,
    dataset = { name = experiment.dataset_name, version = experiment.dataset_version,
      digest = experiment.dataset_digest },
    target = { type = experiment.target_type, id = experiment.target_id, version = experiment.target_version },
    selection = summary.decoded(experiment.selection),
    params = summary.decoded(experiment.params),
    git = summary.decoded(experiment.git),
    seed = experiment.seed,
    suite = experiment.suite, score_set = experiment.score_set,
  }
end

-- How many trials there were and what became of them; nil where each item ran once.
local function trials_of(reduction, counts)
  if not reduction then return nil end
  local of_trials = counts.trials
  return {
    count = reduction.trials, reducer = trials.text { name = reduction.reducer, k = reduction.k },
    total = of_trials.total, ok = of_trials.ok, failed = of_trials.error + of_trials.timeout + of_trials.limited,
    passed = of_trials.passed,
  }
end

-- The clusters of a run's items, or nil; `cluster` of the summary says which and how many, 0 where no item has the
-- field.
local function clusters_of(store, experiment, record)
  local clusters = require "evalua.clusters"
  local field = not experiment.baseline_file and clusters.field_of(experiment)
  if not field then return nil end
  local by_item = clusters.by_item(store, experiment, field)
  record.cluster = { field = field, clusters = by_item and clusters.count(by_item) or 0 }
  return by_item
end

-- The values in the order of their items with the cluster of each: a run paired with itself gives them.
local function clustered_values(store, experiment, definition, reduction, by_item)
  local values, _, ids = must(store:paired_scores(experiment.id, experiment.id, definition.id,
    definition.step_id or "", reduction and { reduction, reduction } or nil))
  return values, require("evalua.clusters").list(by_item, ids, #values)
end

---The values of a run's metrics as its stored summary, or its baseline file, has them.
---@param experiment table
---@return table<string, table>|nil
function summary.stored_metrics(experiment)
  local stored = summary.decoded(experiment.summary)
  local found = type(stored) == "table" and summary.decoded(stored.metrics) or experiment.metric_values
  if type(found) ~= "table" then return nil end
  local copies = {}
  for id, metric in next, found do
    local copy = {}
    for name, value in next, metric do if value ~= json.null then copy[name] = value end end
    copies[id] = copy
  end
  return copies
end

-- The values of a scorer and their counts: of `keys`, where one pass over the scores gave them, else read.
local function values_of(store, experiment, definition, given, keys)
  for _, key in ipairs(keys) do
    if key.values and key.scorer_id == definition.id and (key.step_id or "") == (definition.step_id or "") then
      return key.values, key.counts
    end
  end
  return must(store:score_values(experiment.id, definition.id, definition.step_id or "", given))
end

---Builds the summary of an experiment from its rows. Metrics are taken from the stored summary, where it has any.
---@param store table
---@param experiment table a record of the store
---@return table summary of the shape that all reports share; `usage` and others that are not known are nil
function summary.build(store, experiment)
  local record = head_of(experiment)
  local counts, reduction = must(trials.counts(store, experiment)), trials.of_record(experiment)
  local failed = (counts.error or 0) + (counts.timeout or 0) + (counts.limited or 0)
  local seen = (counts.ok or 0) + failed + (counts.skipped or 0)
  record.total_items = math.max(experiment.total_items or 0, seen)
  record.succeeded_count = counts.ok or 0
  record.failed_count = failed
  record.skipped_count = counts.skipped or 0
  record.pending_count = record.total_items - seen
  record.passed_count = counts.passed or 0
  record.completed_with_errors = record.status == "completed" and failed > 0
  record.trials = trials_of(reduction, counts)
  local totals = { expected = record.total_items, failed = failed, skipped = record.skipped_count,
    pending = record.pending_count }
  record.scorers = {}
  local by_item = clusters_of(store, experiment, record)
  local keys = must(store:score_keys(experiment.id, not reduction and not by_item))
  for _, definition in ipairs(summary.scorers_of(store, experiment, nil, keys)) do
    local given, clusters = trials.for_scorer(reduction, definition.applies), nil
    local values, score_counts = values_of(store, experiment, definition, given, keys)
    if by_item then
      values:free()
      values, clusters = clustered_values(store, experiment, definition, given, by_item)
    end
    record.scorers[definition.key] = summary.of_scores(definition, values, score_counts or {}, totals, clusters)
    values:free()
  end
  record.metrics = summary.stored_metrics(experiment)
  record.latency_ms = summary.latencies(store, experiment.id)
  if store.usage then record.usage = store:usage(experiment.id) end
  if store.cache_counts then record.cache = store:cache_counts(experiment.id) end
  return record
end

-- What is known but has no value is null in JSON, so that readers find the field.
local NULL_FIELDS = { "variant", "started_at", "completed_at", "latency_ms", "usage" }
local NULL_SELECTION_FIELDS = { "items", "where", "limit", "sample" }
local NULL_TARGET_FIELDS = { "type", "id", "version" }
local NULL_GIT_FIELDS = { "commit", "branch", "dirty" }
local NULL_SCORER_FIELDS = { "mean", "stderr", "ci", "min", "max", "p50", "pass_rate", "histogram" }
local NULL_METRIC_FIELDS = { "value", "ci", "stderr" }

local function with_nulls(record, names)
  local copy = {}
  for key, value in next, record do copy[key] = value end
  for _, name in ipairs(names) do if copy[name] == nil then copy[name] = json.null end end
  return copy
end

-- A map of such records; of none, or of null, an empty one.
local function all_with_nulls(map, names)
  local copies = {}
  if type(map) ~= "table" then return copies end
  for key, record in next, map do
    copies[key] = type(record) == "table" and with_nulls(record, names) or record
  end
  return copies
end

local function slices_for_json(fields)
  local copies = {}
  if type(fields) ~= "table" then return copies end
  for field, values in next, fields do
    copies[field] = {}
    for value, slice in next, values do
      local copy = with_nulls(slice, { "latency_ms", "usage" })
      copy.scorers = all_with_nulls(slice.scorers, NULL_SCORER_FIELDS)
      if slice.metrics then copy.metrics = all_with_nulls(slice.metrics, NULL_METRIC_FIELDS) end
      copies[field][value] = copy
    end
  end
  return copies
end

---A copy of the summary for JSON output: known fields without a value are null, not left out, in slices too; the
---selection of a run over all items, and git where there is none, have only nulls.
---@param record table
---@return table
function summary.for_json(record)
  local copy = with_nulls(record, NULL_FIELDS)
  copy.scorers = all_with_nulls(record.scorers, NULL_SCORER_FIELDS)
  copy.metrics, copy.slices = all_with_nulls(record.metrics, NULL_METRIC_FIELDS), slices_for_json(record.slices)
  copy.params = type(record.params) == "table" and record.params or {}
  copy.selection = with_nulls(type(record.selection) == "table" and record.selection or {}, NULL_SELECTION_FIELDS)
  if type(record.target) == "table" then copy.target = with_nulls(record.target, NULL_TARGET_FIELDS) end
  copy.git = with_nulls(type(record.git) == "table" and record.git or {}, NULL_GIT_FIELDS)
  return copy
end

-- The record itself without its nulls, and those of its parts down to `depth`.
local function without_nulls(record, depth)
  for key, value in next, record do
    if value == json.null then
      record[key] = nil
    elseif depth > 0 and type(value) == "table" then
      without_nulls(value, depth - 1)
    end
  end
  return record
end

local SLICE_DEPTH = 4 -- field, value, "scorers", scorer

---A decoded stored summary as Lua code sees it: what has no value is nil, a run over all items has no selection.
---@param stored table a decoded summary, which is changed
---@return table stored
function summary.from_json(stored)
  for key, value in next, stored do
    if value == json.null then stored[key] = nil end
  end
  for _, name in ipairs { "dataset", "target", "git", "selection", "latency_ms", "usage" } do
    if type(stored[name]) == "table" then without_nulls(stored[name], 0) end
  end
  for _, name in ipairs { "scorers", "metrics" } do
    if type(stored[name]) == "table" then without_nulls(stored[name], 1) end
  end
  if type(stored.slices) == "table" then without_nulls(stored.slices, SLICE_DEPTH) end
  for _, name in ipairs { "selection", "git" } do
    if type(stored[name]) == "table" and next(stored[name]) == nil then stored[name] = nil end
  end
  return stored
end

---A score or mean as text: two decimals, more where they would all be zeros, none for large numbers,
---and powers of ten for very large ones.
---@param value number
---@return string
function summary.number_text(value)
  local size = math.abs(value)
  if size >= 1e12 then return ("%.4g"):format(value) end
  if size >= 1000 then return ("%.0f"):format(value) end
  if size == 0 or size >= 0.1 then return ("%.2f"):format(value) end
  if size < 0.001 then return ("%.2g"):format(value) end
  return ("%.3f"):format(value)
end

---`0.82 over 47 of 50 (2 failed, 1 unscored)`: a mean never stands without what is missing from it.
---@param scorer evalua.scorer_summary
---@return string
function summary.mean_text(scorer)
  local parts = {}
  local total = scorer.n
  local function part(count, word)
    if count and count > 0 then
      parts[#parts + 1] = ("%d %s"):format(count, word)
      total = total + count
    end
  end
  part(scorer.n_failed, "failed")
  part(scorer.n_error, scorer.n_error == 1 and "scorer error" or "scorer errors")
  part(scorer.n_unscored, "unscored")
  part(scorer.n_skipped, "skipped")
  part(scorer.n_pending, "pending")
  part(scorer.n_without, "without it")
  local head = scorer.mean and summary.number_text(scorer.mean) or "no score"
  if #parts == 0 then return scorer.mean and ("%s over %d"):format(head, scorer.n) or head end
  return ("%s over %d of %d (%s)"):format(head, scorer.n, total, table.concat(parts, ", "))
end

return summary
