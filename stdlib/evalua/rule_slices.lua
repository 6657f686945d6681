-- Rules over slices: a rule with `slice` or `each` is judged on the items of a slice as if they were the run.

local compare = require "evalua.compare"
local slices = require "evalua.slices"
local stats = require "evalua.native.stats"
local strict = require "evalua.strict"
local summary = require "evalua.summary"

local rule_slices = {}

local SHOWN = 3 -- slices in a message

---@class evalua.rule_slices
---@field built table<string, table<string, table>> slices by field and value
---@field parts fun(key: string, field: string, values: string[], cluster: string|nil): table<string, table> the
---  comparisons of a scorer or metric in slices
---@field values table<string, table<string, string>> by field and item id

---The fields that a list of rules speaks of.
---@param list evalua.rule[]
---@return string[] each once
function rule_slices.fields(list)
  local fields, seen = {}, {}
  for _, rule in ipairs(list) do
    local field = rule.options.each or rule.options.slice and slices.split(rule.options.slice)
    if field and not seen[field] then
      seen[field] = true
      fields[#fields + 1] = field
    end
  end
  return fields
end

-- A slice in the shape of a summary.
local function view_of(slice, field, value)
  local scorers = {}
  for key, scorer in next, slice.scorers do
    local copy = {}
    for name, found in next, scorer do copy[name] = found end
    scorers[key] = strict.record(copy, summary.SCORER_FIELDS, ("now.scorers[%q]"):format(key))
  end
  local metrics = slice.metrics or {}
  return strict.record({ total_items = slice.n, succeeded_count = slice.succeeded_count,
    failed_count = slice.failed_count, latency_ms = slice.latency_ms, usage = slice.usage,
    metrics = strict.record(metrics, strict.keys(metrics), "now.metrics"),
    scorers = strict.record(scorers, strict.keys(scorers), "now.scorers") }, summary.FIELDS,
    ("now of %s=%s"):format(field, value))
end

-- The new failures of each slice.
local function failures_of(comparison, now, context, field, values)
  local views, is_cut = {}, (comparison.new_failure_count or 0) > #comparison.new_failures
  for _, value in ipairs(values) do
    local list = {}
    for _, failure in ipairs(comparison.new_failures) do
      if context.values[field][failure.item_id] == value then list[#list + 1] = failure end
    end
    local paired = (is_cut and #list == 0 or comparison.items.paired == 0) and 0 or now[field][value].n
    views[value] = { items = { paired = paired }, new_failures = list, new_failure_count = #list, scorers = {} }
  end
  return views
end

-- The comparisons of the rule's scorer in each slice; several of them share the error rate.
local function comparisons_of(rule, comparison, context, field, values)
  if not comparison then return nil end
  local entry = rawget(comparison.scorers, rule.scorer) or rawget(comparison.metrics, rule.scorer)
  if not entry or entry.n == 0 then return nil end
  local found, tested, p_values = context.parts(rule.scorer, field, values, rule.options.cluster), {}, {}
  for _, value in ipairs(values) do
    local part = found[value]
    if part.p_value then tested[#tested + 1], p_values[#p_values + 1] = part, part.p_value end
  end
  if #tested > 1 then
    for position, adjusted in ipairs(stats.holm(p_values)) do tested[position].p_adjusted = adjusted end
  end
  local views = {}
  for value, part in next, found do
    local view = strict.record(part, compare.SCORER_FIELDS, "comparison")
    local kind = part.metric and "metrics" or "scorers"
    views[value] = { items = comparison.items, scorers = {}, metrics = {} }
    views[value][kind][rule.scorer] = view
  end
  return views
end

local SEVERITY = { no_data = 4, fail = 3, inconclusive = 2, pass = 1 }

local function judge_values(rule, now, baseline, comparison, context, field, values)
  local views = rule.gates and comparisons_of(rule, comparison, context, field, values)
    or rule.kind == "no_new_failures" and comparison and failures_of(comparison, now, context, field, values) or {}
  local worst, messages = "pass", {}
  for _, value in ipairs(values) do
    local status, message = rule.check(view_of(now[field][value], field, value), baseline,
      views[value] or comparison)
    if SEVERITY[status] > SEVERITY[worst] then worst, messages = status, {} end
    if status == worst then messages[#messages + 1] = ("%s=%s: %s"):format(field, value, message) end
  end
  local shown = table.concat(messages, "; ", 1, math.min(#messages, SHOWN))
  if #messages > SHOWN then shown = ("%s; and %d more"):format(shown, #messages - SHOWN) end
  return worst, shown
end

---Judges a rule that has `slice` or `each`.
---@param rule evalua.rule
---@param baseline table|nil
---@param comparison table|nil
---@param context evalua.rule_slices|nil
---@return string status
---@return string message
function rule_slices.judge(rule, baseline, comparison, context)
  if not context then return "no_data", "the slices of this run are not at hand" end
  local field, value = rule.options.each, nil
  if not field then field, value = slices.split(rule.options.slice) end
  local built = context.built[field] or {}
  local values = strict.keys(built)
  if value then
    if not built[value] then
      return "no_data", ("no item has %s=%s%s"):format(field, value, strict.hint(value, values, "its values"))
    end
    values = { value }
  elseif #values == 0 or #values == 1 and values[1] == slices.NONE then
    return "no_data", ("no item has the field %s"):format(field)
  end
  return judge_values(rule, context.built, baseline, comparison, context, field, values)
end

return rule_slices
