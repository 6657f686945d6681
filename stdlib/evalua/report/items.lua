-- Items with several trials as reports show them: one row an item, its scores reduced, and how often it passed.

local json = require "evalua.json"
local report = require "evalua.report.json"
local trials = require "evalua.trials"

local items = {}

local function present(value)
  if value ~= json.null then return value end
end

local function mean(values)
  local sum, scaled = 0.0, 0.0
  for _, value in ipairs(values) do
    sum, scaled = sum + value, scaled + value / #values
  end
  return math.abs(sum) < math.huge and sum / #values or scaled
end

local function median(values)
  table.sort(values)
  local middle = #values // 2
  if #values % 2 == 1 then return values[middle + 1] end
  return mean { values[middle], values[middle + 1] }
end

local function mode(values)
  local times, best = {}, nil
  for _, value in ipairs(values) do times[value] = (times[value] or 0) + 1 end
  for _, value in ipairs(values) do if best == nil or times[value] > times[best] then best = value end end
  return best
end

-- C(from, k) / C(all, k)
local function choice_ratio(from, all, k)
  if from < k then return 0.0 end
  local ratio = 1.0
  for index = 0, k - 1 do ratio = ratio * (from - index) / (all - index) end
  return ratio
end

---One value of several trials: the same as the store makes of them for the statistics.
---@param reduction { reducer: string, k: integer|nil }
---@param values number[] the scores; sorted by this for median
---@param passed integer trials that passed
---@param judged integer trials that passed or did not
---@return number|nil
function items.reduce(reduction, values, passed, judged)
  local name, k = reduction.reducer, reduction.k
  if trials.counts_passes(name) then
    if judged < k then return nil end
    if name == "at_least" then return passed >= k and 1 or 0 end
    if name == "pass_k" then return choice_ratio(passed, judged, k) end
    return 1 - choice_ratio(judged - passed, judged, k)
  end
  if #values == 0 then return nil end
  if name == "median" then return median(values) end
  if name == "mode" then return mode(values) end
  if name == "max" then return math.max(table.unpack(values)) end
  return mean(values)
end

local function score_key(score) return (present(score.step_id) or "") .. "\0" .. score.scorer_id end

-- Whether a trial's score counts as passed, as the store decides it; nil where a label alone says nothing of it.
local function trial_passed(score)
  if present(score.passed) ~= nil then return score.passed end
  if score.status ~= "ok" then return false end
  local value = present(score.score)
  return value and value >= 1
end

-- Whether an item passed as a whole, as the store decides it; nil where nothing says.
local function item_passed(reduction, passed, judged)
  if judged == 0 then return nil end
  local name = reduction.reducer
  if name == "at_least" then return passed >= reduction.k end
  if name == "max" or name == "pass_at" then return passed > 0 end
  if name == "median" or name == "mode" then return 2 * passed > judged end
  return passed == judged
end

-- The scores of an item, those of its trials reduced.
local function reduced_scores(rows, reduction, failed)
  local by_key, order = {}, {}
  for _, row in ipairs(rows) do
    for _, score in ipairs(row.scores or {}) do
      local key = score_key(score)
      local found = by_key[key]
      if not found then
        found = { first = score, values = {}, passed = 0, judged = failed, statuses = {} }
        by_key[key] = found
        order[#order + 1] = found
      end
      if present(score.score) and score.status == "ok" then found.values[#found.values + 1] = score.score end
      local has_passed = trial_passed(score)
      if has_passed ~= nil then found.judged = found.judged + 1 end
      found.passed = found.passed + (has_passed and 1 or 0)
      found.statuses[score.status] = true
    end
  end
  local scores = {}
  for position, found in ipairs(order) do
    local first = found.first
    local value = items.reduce(reduction, found.values, found.passed, found.judged)
    scores[position] = { scorer_id = first.scorer_id, scorer_name = first.scorer_name, step_id = first.step_id,
      label = present(first.label), score = value, error = first.error,
      status = (value or found.statuses.ok) and "ok" or found.statuses.error and "error" or "unscored" }
  end
  return scores
end

---One row of the trials of an item.
---@param rows table[] of store:results, of one item
---@param reduction table of evalua.trials
---@return table row like a result, with `consistency` ("3 of 5" passed) and `trial_count`
function items.merge(rows, reduction)
  local failed, passed, judged, latency, timed, ok_row, low_row = 0, 0, 0, 0, 0, nil, nil
  for _, row in ipairs(rows) do
    if present(row.latency_ms) then latency, timed = latency + row.latency_ms, timed + 1 end
    if row.status ~= "ok" then
      failed = failed + 1
    else
      ok_row = ok_row or row
      low_row = low_row or row.passed == false and row or nil
      if present(row.passed) ~= nil then judged = judged + 1 end
      if row.passed == true then passed = passed + 1 end
    end
  end
  local counted = trials.counts_passes(reduction.reducer) and judged + failed or judged
  local is_passed = ok_row and item_passed(reduction, passed, counted)
  -- The trial that stands for the item is one that shows why it is what it is.
  local merged = {}
  for key, value in next, is_passed == false and low_row or ok_row or rows[1] do merged[key] = value end
  merged.trial, merged.trial_count, merged.failed_trials = nil, #rows, failed
  merged.latency_ms = timed > 0 and latency / timed or nil
  merged.consistency = judged > 0 and ("%d of %d"):format(passed, #rows)
    or ("%d ok of %d"):format(#rows - failed, #rows)
  merged.passed = is_passed
  merged.scores = reduced_scores(rows, reduction, failed)
  return merged
end

---Puts the trials of each item together, as results come in item order.
---@param reduction table
---@param visit fun(row: table, rows: table[]): boolean? gets each item's merged row and its trials
---@return { add: (fun(row: table): boolean?), finish: fun() } `add` passes on what `visit` returned
function items.grouping(reduction, visit)
  local rows, group = {}, {}
  function group.finish()
    local done = rows
    rows = {}
    if #done > 0 then return visit(items.merge(done, reduction), done) end
  end
  function group.add(row)
    local answer
    if rows[1] and rows[1].item_id ~= row.item_id then answer = group.finish() end
    rows[#rows + 1] = row
    return answer
  end
  return group
end

---Calls `each(row, rows)` for every item of an experiment in order, its trials merged.
---@param store table
---@param experiment_id string
---@param reduction table
---@param each fun(row: table, rows: table[]): boolean? returning false ends the walk
function items.each(store, experiment_id, reduction, each)
  local group, ended = items.grouping(reduction, each), false
  report.each_result(store, experiment_id, {}, function(row)
    if group.add(row) == false then
      ended = true
      return false
    end
  end)
  if not ended then group.finish() end
end

---The reduction of a summary's trials, as evalua.trials gives it of a record; nil where each item ran once.
---@param summary table
---@return table|nil
function items.reduction_of(summary)
  local found = present(summary.trials)
  if not found then return nil end
  local name, k = found.reducer:match("^([%w_]+)%(?(%d*)")
  return { trials = found.count, reducer = name, k = math.tointeger(tonumber(k)) }
end

return items
