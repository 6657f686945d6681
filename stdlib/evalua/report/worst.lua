-- The worst results of a run: failed ones, then the lowest scores that did not pass.

local items = require "evalua.report.items"
local phrases = require "evalua.report.phrases"
local report = require "evalua.report.json"

local RANKED_ITEMS_MAX = 5000 -- of more results the first that failed are shown, instead of reading all to rank them

-- What ranks a result among the worst, lowest first: failed, then scorers that failed, then the mean of its scores
-- (of those where lower is better only where there are no others). nil where it has no score.
local function rank_of(row, scorers)
  if row.status ~= "ok" then return -math.huge end
  local sum, count, costs, cost_count = 0, 0, 0, 0
  for _, score in ipairs(row.scores or {}) do
    if score.status == "error" then return -1e300 end
    local value, scorer = phrases.present(score.score), scorers[phrases.score_key(score)]
    if value and scorer and scorer.higher_is_better == false then
      costs, cost_count = costs + value, cost_count + 1
    elseif value then
      sum, count = sum + value, count + 1
    end
  end
  if count > 0 then return sum / count end
  return cost_count > 0 and -costs / cost_count or nil
end

local function insert_worst(worst, row, value, most)
  local place = #worst + 1
  while place > 1 and worst[place - 1].value > value do place = place - 1 end
  if place > most then return end
  table.insert(worst, place, { row = row, value = value })
  worst[most + 1] = nil
end

local function first_failed(store, summary, most)
  local rows = {}
  report.each_result(store, summary.experiment_id, { failed = true }, function(row)
    rows[#rows + 1] = row
    return #rows < most
  end)
  return rows
end

---@param store table
---@param summary table
---@param most integer
---@return table[] rows merged where the run has trials
---@return boolean ranked false where they are only the first that failed
return function(store, summary, most)
  local total = summary.total_items or 0
  -- What passed is never among them.
  if summary.passed_count == total and not summary.trials then return {}, total <= RANKED_ITEMS_MAX end
  if total > RANKED_ITEMS_MAX then return first_failed(store, summary, most), false end
  local rows, worst, best = {}, {}, -math.huge
  local reduction = items.reduction_of(summary)
  local function consider(row)
    local value = rank_of(row, summary.scorers or {})
    if value then
      best = math.max(best, value)
      if row.passed ~= true then insert_worst(worst, row, value, most) end
    end
  end
  if reduction then
    items.each(store, summary.experiment_id, reduction, function(row) consider(row) end)
  else
    report.each_result(store, summary.experiment_id, {}, consider)
  end
  for _, entry in ipairs(worst) do
    -- Where all scores are equal and good none is the worst.
    if entry.value == -math.huge or entry.row.passed == false or entry.value < best then
      rows[#rows + 1] = entry.row
    end
  end
  return rows, true
end
