-- Metrics of two runs: the rows that both have in common, measured and compared.

local json = require "evalua.json"
local metric_rows = require "evalua.metric_rows"
local metric_values = require "evalua.metric_values"
local metrics = require "evalua.metrics"
local strict = require "evalua.strict"
local summary = require "evalua.summary"

local compare_metrics = {}

-- The stored definitions of a run's metrics by id.
local function definitions_of(record)
  local by_id = {}
  local stored = summary.decoded(record.metrics)
  for _, definition in ipairs(type(stored) == "table" and stored or {}) do by_id[definition.id] = definition end
  return by_id
end

local function text_of(definition)
  return json.identity { definition.kind, definition.columns or json.null, definition.options or json.null,
    definition.digest or json.null }
end

---The metrics that the two runs have, or one of them.
---@param context table of evalua.compare
---@return { id: string, baseline: table|nil, candidate: table|nil, metric: evalua.metric|nil }[] sorted by id; metric:
---  nil where only its values are there
function compare_metrics.find(context)
  local before, after = definitions_of(context.baseline), definitions_of(context.candidate)
  local live, list, ids = {}, {}, {}
  for _, entry in ipairs(context.options.metrics or {}) do live[entry.id] = entry.metric end
  for id in next, before do ids[id] = true end
  for id in next, after do ids[id] = true end
  for _, id in ipairs(strict.keys(ids)) do
    local found = { id = id, baseline = before[id], candidate = after[id] }
    if found.baseline and found.candidate then
      local metric = live[id] or metrics.of_definition(found.candidate)
      if metric and metric.kind ~= "function" then found.metric = metric end
    end
    list[#list + 1] = found
  end
  return list
end

-- The rows of both runs, read once for all metrics.
local function rows_of(context, list)
  if not context.metric_rows then
    local wanted = {}
    for _, found in ipairs(list) do wanted[#wanted + 1] = found.metric end
    local accessors = metric_rows.accessors(wanted)
    context.metric_rows = {
      metric_rows.read(context.store, context.baseline, accessors),
      metric_rows.read(context.store, context.candidate, accessors),
    }
  end
  return context.metric_rows[1], context.metric_rows[2]
end

local function leaves_out(context, within)
  if not context.left_out then
    context.left_out = {}
    for _, id in ipairs(context.comparison.items.changed) do context.left_out[id] = true end
  end
  return function(id) return context.left_out[id] or within ~= nil and not within(id) end
end

local function values_only(context, found)
  local before = (summary.stored_metrics(context.baseline) or {})[found.id] or {}
  local after = (summary.stored_metrics(context.candidate) or {})[found.id] or {}
  if not before.value and not after.value then
    return { n = 0, improved = 0, regressed = 0, same = 0, verdict = "incomparable" }
  end
  return metric_values.values_only(before, after), after.higher_is_better ~= false
end

---Compares one metric.
---@param context table of evalua.compare
---@param list table[] of compare_metrics.find
---@param found table its element
---@param given { by_item: table|nil, within: nil|fun(item_id: string): boolean, margin: number|nil, alpha: number|nil,
---  confidence: number|nil, seed: integer|nil }
---@return table entry
function compare_metrics.entry(context, list, found, given)
  local entry, higher_is_better
  if found.metric then
    local before, after = rows_of(context, list)
    entry = metric_values.compare(found.metric, before, after, {
      leaves_out = leaves_out(context, given.within), by_item = given.by_item, margin = given.margin,
      alpha = given.alpha, confidence = given.confidence, seed = given.seed,
      file = context.baseline.baseline_file and "baseline" or context.candidate.baseline_file and "candidate" or nil,
    })
    higher_is_better = found.metric.higher_is_better
  end
  if not entry and given.within then
    entry = { n = 0, improved = 0, regressed = 0, same = 0, verdict = "incomparable" }
  elseif not entry or entry.n == 0 and not given.within then
    local values, direction = values_only(context, found)
    if values.delta or not entry then entry, higher_is_better = values, direction end
  end
  entry.metric, entry.kind, entry.higher_is_better = found.id, found.candidate.kind, higher_is_better ~= false
  return entry
end

---Compares every metric of the two runs.
---@param context table of evalua.compare
---@param list table[] of compare_metrics.find
---@param settings_of fun(id: string): table what compare_metrics.entry takes
---@return table<string, table> by id
function compare_metrics.all(context, list, settings_of)
  local entries, warnings = {}, context.comparison.warnings
  for _, found in ipairs(list) do
    if not found.baseline or not found.candidate then
      local side = found.baseline and "baseline" or "candidate"
      warnings[#warnings + 1] = ("metric %s is only in the %s"):format(found.id, side)
      entries[found.id] = { metric = found.id, kind = found[side].kind, n = 0, only_in = side,
        verdict = "incomparable" }
    else
      if text_of(found.baseline) ~= text_of(found.candidate) then
        warnings[#warnings + 1] = ("metric %s was defined differently in the two runs"):format(found.id)
      end
      local entry = compare_metrics.entry(context, list, found, settings_of(found.id))
      if not entry.ci and entry.delta and not found.metric then
        warnings[#warnings + 1] = ("metric %s is a function of its suite: its two values stand without a test"):format(
          found.id)
      elseif entry.problem then
        warnings[#warnings + 1] = ("metric %s: %s"):format(found.id, entry.problem)
      end
      entries[found.id] = entry
    end
  end
  return entries
end

return compare_metrics
