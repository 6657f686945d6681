-- Slices: the results of a run by the values of a field of its items, such as metadata.lang, each with its n.

local json = require "evalua.json"
local stats = require "evalua.native.stats"
local strict = require "evalua.strict"
local summary = require "evalua.summary"
local trials = require "evalua.trials"

local slices = {}

slices.VALUES_MAX = 1000 -- values of one field; of more the largest slices are kept

local PAGE = 500 -- results read at once

---The value of items that lack the field.
slices.NONE = "(none)"

---The value at a path such as `metadata.lang` of a result, as text; nil where it has none.
---@param row table a row of store:results, whose fields are JSON text
---@param path string
---@return string|nil
function slices.value_at(row, path)
  local value = row
  for name in path:gmatch("[^.]+") do
    if type(value) == "string" and value ~= "" then
      local ok, decoded = pcall(summary.decoded, value)
      value = ok and decoded or nil
    end
    if type(value) ~= "table" then return nil end
    value = value[name]
  end
  if value == nil or value == json.null then return nil end
  return type(value) == "table" and json.encode(value) or tostring(value)
end

---The field and the value of `metadata.lang=de`.
---@param text string
---@return string|nil field nil where it is not of that form
---@return string value
function slices.split(text)
  local field, value = text:match("^([^=]+)=(.*)$")
  return field, value or ""
end

-- Reading the results ------------------------------------------------------------------------------------------------

local function present(value)
  if value ~= json.null then return value end
end

-- Calls each(row) for every item of a run, its trials merged into one row; `first` sees each item's first result.
local function each_item(store, record, first, each)
  local reduction, after, pending = trials.of_record(record), 0, {}
  local function flush()
    if #pending == 0 then return end
    local of_trials = pending
    pending = {}
    local merged = require("evalua.report.items").merge(of_trials, reduction)
    merged.latencies, merged.usages = {}, {}
    for _, row in ipairs(of_trials) do
      merged.latencies[#merged.latencies + 1] = row.status ~= "skipped" and row.latency_ms or nil
      merged.usages[#merged.usages + 1] = row.usage
    end
    each(merged)
  end
  repeat
    local rows, problem = store:results(record.id, { after = after, limit = PAGE })
    if not rows then error(problem, 0) end
    for _, row in ipairs(rows) do
      after = row.position
      if not reduction then
        first(row)
        row.latencies, row.usages = { row.status ~= "skipped" and row.latency_ms or nil }, { row.usage }
        each(row)
      else
        if pending[1] and pending[1].item_id ~= row.item_id then flush() end
        if #pending == 0 then first(row) end
        pending[#pending + 1] = row
      end
    end
  until #rows < PAGE
  flush()
end

-- Gathering --------------------------------------------------------------------------------------------------------

local function new_slice()
  return { n = 0, succeeded = 0, failed = 0, skipped = 0, latencies = {}, usages = {}, scorers = {} }
end

local function new_scorer()
  return { scores = {}, ids = {}, counts = { unscored = 0, error = 0, passed = 0, not_passed = 0, labels = {} } }
end

local function passes(definition, score)
  if present(score.passed) ~= nil then return score.passed end
  local value = present(score.score)
  if not definition or not definition.pass or not value then return nil end
  if definition.higher_is_better then return value >= definition.pass end
  return value <= definition.pass
end

local function add_score(slice, definitions, item_id, score)
  local key = summary.scorer_key(score.scorer_id, present(score.step_id))
  local scorer = slice.scorers[key] or new_scorer()
  slice.scorers[key] = scorer
  local value, label, counts = present(score.score), present(score.label), scorer.counts
  if score.status == "ok" and value then
    scorer.scores[#scorer.scores + 1], scorer.ids[#scorer.ids + 1] = value, item_id
  elseif score.status == "unscored" or score.status == "error" then
    counts[score.status] = counts[score.status] + 1
  end
  if label ~= nil then counts.labels[label] = (counts.labels[label] or 0) + 1 end
  local passed = passes(definitions[key], score)
  if passed ~= nil and score.status == "ok" then
    local outcome = passed and "passed" or "not_passed"
    counts[outcome] = counts[outcome] + 1
  end
end

local function add_item(slice, definitions, row)
  slice.n = slice.n + 1
  local kind = row.status == "ok" and "succeeded" or row.status == "skipped" and "skipped" or "failed"
  slice[kind] = slice[kind] + 1
  for _, latency in ipairs(row.latencies) do slice.latencies[#slice.latencies + 1] = latency end
  for _, usage in ipairs(row.usages) do slice.usages[#slice.usages + 1] = usage end
  for _, score in ipairs(row.scores or {}) do add_score(slice, definitions, row.item_id, score) end
end

-- The values that have most items.
local function largest(groups)
  local values = strict.keys(groups)
  if #values <= slices.VALUES_MAX then return groups end
  table.sort(values, function(a, b)
    if groups[a].n ~= groups[b].n then return groups[a].n > groups[b].n end
    return a < b
  end)
  local kept = {}
  for position = 1, slices.VALUES_MAX do kept[values[position]] = groups[values[position]] end
  return kept
end

-- A slice as rules and reports see it.
local function slice_of(list, gathered, by_item)
  local slice = { n = gathered.n, succeeded_count = gathered.succeeded, failed_count = gathered.failed, scorers = {},
    latency_ms = summary.of_latencies(stats.vector(gathered.latencies)), usage = summary.of_usages(gathered.usages) }
  local totals = { expected = gathered.n, failed = gathered.failed, skipped = gathered.skipped, pending = 0 }
  for _, definition in ipairs(list) do
    local found = gathered.scorers[definition.key] or new_scorer()
    slice.scorers[definition.key] = summary.of_scores(definition, stats.vector(found.scores), found.counts, totals,
      by_item and require("evalua.clusters").list(by_item, found.ids, #found.ids) or nil)
  end
  return slice
end

-- The metrics of every slice of a field.
local function put_metrics(built, values, given)
  local positions = {}
  for position = 1, given.rows.n do
    local value = values[given.rows.ids[position]]
    if value and built[value] then
      positions[value] = positions[value] or {}
      table.insert(positions[value], position)
    end
  end
  for value, slice in next, built do
    slice.metrics = {}
    for _, entry in ipairs(given.list) do
      if entry.metric.kind ~= "function" then
        slice.metrics[entry.id] = require("evalua.metric_values").of_rows(entry.metric, given.rows,
          { positions = positions[value] or {}, by_item = given.by_item })
      end
    end
  end
end

---The slices of a run by each of the fields.
---@param store table
---@param record table of the store
---@param fields string[]
---@param given { metrics: { list: table[], rows: evalua.metric_rows }|nil }|nil metrics to measure in each slice
---@return table<string, table<string, table>> by field and value: { n, succeeded_count, failed_count, scorers,
---  latency_ms, usage, metrics }
---@return table<string, table<string, string>> values by field and item id
function slices.build(store, record, fields, given)
  local values, groups, definitions = {}, {}, {}
  for _, field in ipairs(fields) do values[field], groups[field] = {}, {} end
  local list = summary.scorers_of(store, record)
  for _, definition in ipairs(list) do definitions[definition.key] = definition end
  each_item(store, record, function(row)
    for _, field in ipairs(fields) do values[field][row.item_id] = slices.value_at(row, field) or slices.NONE end
  end, function(row)
    for _, field in ipairs(fields) do
      local value = values[field][row.item_id]
      local slice = groups[field][value] or new_slice()
      groups[field][value] = slice
      add_item(slice, definitions, row)
    end
  end)
  local clusters = require "evalua.clusters"
  local field_of_clusters, built = clusters.field_of(record), {}
  local by_item = field_of_clusters and clusters.by_item(store, record, field_of_clusters) or nil
  for _, field in ipairs(fields) do
    built[field] = {}
    for value, gathered in next, largest(groups[field]) do built[field][value] = slice_of(list, gathered, by_item) end
    if given and given.metrics then
      put_metrics(built[field], values[field], { list = given.metrics.list, rows = given.metrics.rows,
        by_item = by_item })
    end
  end
  return built, values
end

return slices
