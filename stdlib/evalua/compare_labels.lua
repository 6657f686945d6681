-- Scorers that give labels and no scores, in two runs: which items have another label now. There is no better or worse
-- in it, so there is no verdict.

local metric_rows = require "evalua.metric_rows"
local metric_values = require "evalua.metric_values"
local metrics = require "evalua.metrics"
local stats = require "evalua.native.stats"

local compare_labels = {}

compare_labels.LISTED_MAX = 1000 -- changes that are listed by item; all are counted

---@class evalua.label_comparison
---@field n integer items with a label in both runs
---@field same integer
---@field changed integer
---@field agreement number same / n
---@field ci number[] of the agreement, Wilson's at 95 %
---@field kappa number|nil Cohen's kappa of the two runs; nil where there is one label only
---@field baseline table<string, integer> how often each label was given on those items
---@field candidate table<string, integer>
---@field changes { item_id: string, baseline: string, candidate: string }[] in item order, at most LISTED_MAX

-- The label of every item, in the order of its rows; of several trials that of the first one that has any, as summaries
-- count them.
local function labels_of(context, record, accessor)
  local rows = metric_rows.read(context.store, record, { accessor })
  local labels, order = {}, {}
  for position = 1, rows.n do
    local id, label = rows.ids[position], rows.columns[accessor][position]
    if label and not labels[id] then
      labels[id] = tostring(label)
      order[#order + 1] = id
    end
  end
  return labels, order
end

local function count(map, label) map[label] = (map[label] or 0) + 1 end

local function kappa_of(pairs_of_labels, confidence)
  local rows = { n = #pairs_of_labels, ids = {}, trials = {}, columns = { {}, {} }, repeated = false }
  for position, pair in ipairs(pairs_of_labels) do
    rows.ids[position], rows.trials[position] = pair.item_id, 1
    rows.columns[1][position], rows.columns[2][position] = pair.baseline, pair.candidate
  end
  local metric = metrics.builders.kappa()
  metric.columns = { 1, 2 }
  return metric_values.of_rows(metric, rows, { confidence = confidence }).value
end

---Compares the labels of a scorer over the items that both runs have alike; nil where no such item has two.
---@param context table of evalua.compare
---@param key string of the scorer
---@return evalua.label_comparison|nil
function compare_labels.entry(context, key)
  local accessor, within = "label." .. key, context.options.within
  local before = labels_of(context, context.baseline, accessor)
  local after, order = labels_of(context, context.candidate, accessor)
  local left_out, both = {}, {}
  for _, id in ipairs(context.comparison.items.changed) do left_out[id] = true end
  local found = { same = 0, changed = 0, baseline = {}, candidate = {}, changes = {} }
  for _, id in ipairs(order) do
    local old, new = before[id], after[id]
    if old and not left_out[id] and (not within or within(id)) then
      both[#both + 1] = { item_id = id, baseline = old, candidate = new }
      count(found.baseline, old)
      count(found.candidate, new)
      local outcome = old == new and "same" or "changed"
      found[outcome] = found[outcome] + 1
      if old ~= new and found.changed <= compare_labels.LISTED_MAX then
        found.changes[#found.changes + 1] = both[#both]
      end
    end
  end
  if #both == 0 then return nil end
  found.n, found.agreement = #both, found.same / #both
  found.ci = stats.wilson(found.same, #both)
  found.kappa = kappa_of(both)
  return found
end

return compare_labels
