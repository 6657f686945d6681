-- The values of metrics over the rows of a run, with intervals, and their comparison over the rows of two.

local metrics = require "evalua.metrics"
local native = require "evalua.native.metrics"

local metric_values = {}

---The fields of a metric's value, for strict records.
metric_values.FIELDS = {
  "id", "kind", "value", "ci", "stderr", "n", "n_missing", "higher_is_better", "problem", "clusters",
}

local LABELLED = { accuracy = true, precision = true, recall = true, f1 = true, kappa = true, alpha = true }
local COUNTS_ROWS = { accuracy = true, precision = true, recall = true, f1 = true, mae = true, rmse = true }

-- Values of results and of options as labels: what is kept of a value is a number or a text.
local function label_of(value)
  if type(value) == "boolean" then return tostring(value) end
  if type(value) ~= "number" then return value end
  return value % 1 == 0 and math.abs(value) < 2 ^ 53 and ("%d"):format(value) or ("%.17g"):format(value)
end

-- Numbers ----------------------------------------------------------------------------------------------------------

local function finite(value)
  local number = tonumber(value)
  if number and number == number and number ~= math.huge and number ~= -math.huge then return number end
end

-- The truth of AUC and calibration: 1 or 0.
local function outcome(value, positive)
  if positive ~= nil then return label_of(value) == label_of(positive) and 1 or 0 end
  if value == "true" then return 1 end
  if value == "false" then return 0 end
  local number = finite(value)
  if number == 0 or number == 1 then return number end
end

-- The two numbers of a row, or nil and what is wrong with it.
local function numbers_of(metric, x, y)
  local kind = metric.kind
  local prediction = finite(x)
  if not prediction then return nil, nil, ("%q is no number"):format(tostring(x)) end
  if kind == "auc" or kind == "calibration_error" then
    local truth = outcome(y, metric.options.positive)
    if not truth then return nil, nil, ("%q is neither 0 nor 1; name what counts as 1 by `positive`"):format(
      tostring(y)) end
    if kind == "calibration_error" and (prediction < 0 or prediction > 1) then
      return nil, nil, ("%s is no probability from 0 to 1"):format(tostring(x))
    end
    return prediction, truth
  end
  local truth = finite(y)
  if not truth then return nil, nil, ("%q is no number"):format(tostring(y)) end
  return prediction, truth
end

-- Labels -----------------------------------------------------------------------------------------------------------

local function needs_order(metric)
  return metric.options.weights == "linear" or metric.options.weights == "quadratic"
    or metric.options.level == "ordinal" or metric.options.level == "interval"
end

-- The labels in their order: as they are stated, or by number.
local function ordered_labels(metric, seen)
  local list, stated = {}, metric.options.labels
  if stated then
    local known = {}
    for position, value in ipairs(stated) do
      list[position] = label_of(value)
      known[list[position]] = true
    end
    for label in next, seen do
      if not known[label] then
        return nil, ("the label %q is not among the labels that the metric states"):format(label)
      end
    end
    return list
  end
  for label in next, seen do list[#list + 1] = label end
  if not needs_order(metric) then
    table.sort(list)
    return list
  end
  for _, label in ipairs(list) do
    if not finite(label) then
      return nil, ('%q is no number: state the order of the labels, such as labels = { "low", "high" }'):format(label)
    end
  end
  table.sort(list, function(a, b) return tonumber(a) < tonumber(b) end)
  return list
end

local function label_values(list)
  local values = {}
  for position, label in ipairs(list) do
    values[position] = finite(label) or position -- what is stated in words counts by its place
  end
  return values
end

-- A metric over chosen rows ----------------------------------------------------------------------------------------

---@class evalua.metric_data
---@field chosen integer[] the rows that have all that is compared
---@field missing integer rows that have not
---@field problem string|nil what is wrong with the first of them
---@field labels string[][]|nil columns over the chosen rows
---@field x number[]|nil
---@field y number[]|nil

-- Of alpha a row needs two ratings; of the others all columns.
local function add_labels(metric, columns, data, position)
  local count = 0
  for _, column in ipairs(columns) do if column[position] then count = count + 1 end end
  if count < 2 or metric.kind ~= "alpha" and count < #columns then return false end
  for rater, column in ipairs(columns) do
    table.insert(data.labels[rater], column[position] and label_of(column[position]) or false)
  end
  return true
end

local function add_numbers(metric, columns, data, position)
  local x, y = columns[1][position], columns[2][position]
  if not x or not y then return false end
  local prediction, truth, problem = numbers_of(metric, x, y)
  if not prediction then return false, problem end
  table.insert(data.x, prediction)
  table.insert(data.y, truth)
  return true
end

---The rows of a run that a metric can use.
---@param metric evalua.metric
---@param rows evalua.metric_rows
---@param positions integer[]|nil only these rows; default all
---@return evalua.metric_data
local function data_of(metric, rows, positions)
  local columns, data = {}, { chosen = {}, missing = 0, labels = {}, x = {}, y = {} }
  for rater, accessor in ipairs(metric.columns) do
    columns[rater], data.labels[rater] = rows.columns[accessor], {}
  end
  local add = LABELLED[metric.kind] and add_labels or add_numbers
  for index = 1, positions and #positions or rows.n do
    local position = positions and positions[index] or index
    local is_complete, problem = add(metric, columns, data, position)
    if is_complete then
      data.chosen[#data.chosen + 1] = position
    else
      data.missing = data.missing + 1
      if problem then data.problem = data.problem or ("item %s: %s"):format(rows.ids[position], problem) end
    end
  end
  return data
end

-- Numbers in place of the labels; 0 for none.
local function coded(columns, list)
  local numbers, result = {}, {}
  for number, label in ipairs(list) do numbers[label] = number end
  for rater, column in ipairs(columns) do
    local codes = {}
    for position, label in ipairs(column) do codes[position] = label and numbers[label] or 0 end
    result[rater] = codes
  end
  return result, numbers
end

---The native metric over rows; nil and a reason where it cannot be.
local function native_of(metric, data)
  local options = metric.options
  local spec = { kind = metric.kind, n = #data.chosen, bins = options.bins, weights = options.weights,
    level = options.level, x = data.x, y = data.y }
  if not LABELLED[metric.kind] then return native.new(spec) end
  local seen = {}
  for _, column in ipairs(data.labels) do
    for _, label in ipairs(column) do if label then seen[label] = true end end
  end
  local list, problem = ordered_labels(metric, seen)
  if not list then return nil, problem end
  local numbers
  spec.labels, numbers = coded(data.labels, list)
  spec.label_count, spec.label_values = #list, label_values(list)
  if metrics.is_label(options.average) then
    spec.average, spec.label = "label", numbers[label_of(options.average)]
    if not spec.label then return nil, ("no result has the label %q"):format(tostring(options.average)) end
  else
    spec.average = options.average
  end
  return native.new(spec)
end

-- What belongs together: rows of one cluster, else the trials of one item; nil where each row stands for itself.
local function clusters_of(rows, chosen, by_item)
  if not by_item and not rows.repeated then return nil end
  local list = {}
  for index, position in ipairs(chosen) do
    local id = rows.ids[position]
    list[index] = by_item and by_item[id] or "alone " .. id
  end
  return list
end

local function count_items(rows, chosen)
  if not rows.repeated then return #chosen end
  local seen, count = {}, 0
  for _, position in ipairs(chosen) do
    if not seen[rows.ids[position]] then
      seen[rows.ids[position]] = true
      count = count + 1
    end
  end
  return count
end

---The value of a metric over the rows of a run.
---@param metric evalua.metric not of kind "function"
---@param rows evalua.metric_rows
---@param given { by_item: table<string, string>|nil, positions: integer[]|nil, confidence: number|nil }|nil by_item:
---  clusters by item
---@return table value { kind, value, ci, stderr, n, n_missing, higher_is_better, problem }
function metric_values.of_rows(metric, rows, given)
  given = given or {}
  local data = data_of(metric, rows, given.positions)
  local record = { kind = metric.kind, higher_is_better = metric.higher_is_better, problem = data.problem }
  record.n = count_items(rows, data.chosen)
  local all = {}
  for position = 1, rows.n do all[position] = position end
  record.n_missing = count_items(rows, given.positions or all) - record.n
  if #data.chosen == 0 then return record end
  local made, problem = native_of(metric, data)
  if not made then
    record.problem = problem
    return record
  end
  local found = made:summary { clusters = clusters_of(rows, data.chosen, given.by_item), confidence = given.confidence }
  record.value, record.ci, record.stderr = found.value, found.ci, found.stderr
  if not record.value then record.problem = record.problem or "it has no value on these results" end
  return record
end

-- The interval that a function of the suite gives: two numbers, or nil where one of them is none.
local function interval_of(id, ci)
  if ci == nil then return nil end
  if type(ci) ~= "table" or type(ci[1]) ~= "number" or type(ci[2]) ~= "number" then
    error(("metric %s returned an interval that is not { low, high }, two numbers"):format(id), 0)
  end
  local low, high = finite(ci[1]), finite(ci[2])
  return low and high and { low, high } or nil
end

---The value that a function of the suite gives.
---@param id string
---@param metric evalua.metric
---@param results table of result_record.list
---@return table value
function metric_values.of_function(id, metric, results)
  local found = metric.compute(results)
  local record = { kind = "function", higher_is_better = true, n = #results, n_missing = 0 }
  if type(found) == "table" then
    record.value, record.ci = finite(found.value), interval_of(id, found.ci)
    record.n = math.tointeger(found.n) or record.n
    if found.higher_is_better == false then record.higher_is_better = false end
  elseif type(found) == "number" then
    record.value = finite(found)
    if not record.value then record.problem = "the function returned " .. tostring(found) end
  elseif found ~= nil then
    error(("metric %s returned a %s; it must return a number, or { value =, ci = { low, high }, n = }"):format(id,
      type(found)), 0)
  end
  if record.value == nil then record.problem = record.problem or "the function gave no value" end
  return record
end

-- Two runs -----------------------------------------------------------------------------------------------------------

-- A copy of the candidate's rows in the order of the baseline's common ones; the columns hold one side's values.
local function common_rows(before, after, accessors, leaves_out)
  local place, pairs_of = {}, {}
  for position = 1, before.n do place[before.ids[position] .. "\0" .. before.trials[position]] = position end
  for position = 1, after.n do
    local other = place[after.ids[position] .. "\0" .. after.trials[position]]
    if other and not leaves_out(after.ids[position]) then pairs_of[#pairs_of + 1] = { other, position } end
  end
  local sides = {}
  for side, source in ipairs { before, after } do
    local rows = { n = #pairs_of, ids = {}, trials = {}, columns = {}, repeated = before.repeated or after.repeated }
    for index, pair in ipairs(pairs_of) do rows.ids[index] = source.ids[pair[side]] end
    for _, accessor in ipairs(accessors) do
      local column = {}
      for index, pair in ipairs(pairs_of) do column[index] = source.columns[accessor][pair[side]] end
      rows.columns[accessor] = column
    end
    sides[side] = rows
  end
  return sides[1], sides[2]
end

-- What belongs to the item, such as what is right, is the same on both sides; a baseline file has not kept it.
local function share_item(metric, of_file, of_run)
  for rater, accessor in ipairs(metric.columns) do
    local column = of_file.columns[accessor]
    if type(accessor) == "function" and rater > 1 or metrics.is_of_item(accessor) then
      for position = 1, of_file.n do
        if not column[position] then column[position] = of_run.columns[accessor][position] end
      end
    end
  end
end

-- The rows that both sides can use.
local function usable(metric, before, after)
  local in_before, both = {}, {}
  for _, position in ipairs(data_of(metric, before).chosen) do in_before[position] = true end
  for _, position in ipairs(data_of(metric, after).chosen) do
    if in_before[position] then both[#both + 1] = position end
  end
  return both
end

-- In how many of what stands for itself (rows, the trials of an item, clusters) the two runs differ.
local function count_differing(metric, before, after, both, clusters)
  local seen, count = {}, 0
  for index, position in ipairs(both) do
    local unit = clusters and clusters[index] or position
    for _, accessor in ipairs(metric.columns) do
      if not seen[unit] and before.columns[accessor][position] ~= after.columns[accessor][position] then
        seen[unit] = true
        count = count + 1
      end
    end
  end
  return count
end

---Compares a metric over the rows that two runs have in common.
---@param metric evalua.metric
---@param before evalua.metric_rows
---@param after evalua.metric_rows
---@param given { leaves_out: (fun(item_id: string): boolean), by_item: table|nil, margin: number|nil,
---  alpha: number|nil, confidence: number|nil, seed: integer|nil, file: "baseline"|"candidate"|nil }
---@return table entry as of stats.paired
function metric_values.compare(metric, before, after, given)
  before, after = common_rows(before, after, metric.columns, given.leaves_out)
  if given.file == "baseline" then share_item(metric, before, after) end
  if given.file == "candidate" then share_item(metric, after, before) end
  local both = usable(metric, before, after)
  local nothing = { n = 0, improved = 0, regressed = 0, same = 0, verdict = "incomparable" }
  if #both == 0 then return nothing end
  local old, problem = native_of(metric, data_of(metric, before, both))
  local new, other_problem = native_of(metric, data_of(metric, after, both))
  if not old or not new then
    nothing.problem = problem or other_problem
    return nothing
  end
  local clusters = clusters_of(before, both, given.by_item)
  local entry = old:compare(new, { clusters = clusters, margin = given.margin, alpha = given.alpha,
    confidence = given.confidence, seed = given.seed, higher_is_better = metric.higher_is_better,
    differing = count_differing(metric, before, after, both, clusters) })
  entry.n = count_items(before, both)
  if not entry.delta then
    entry.verdict, entry.problem = "incomparable", "it has no value on the results that both runs have"
  end
  if not COUNTS_ROWS[metric.kind] then entry.improved, entry.regressed, entry.same = nil, nil, nil end
  return entry
end

---Two values without what they are made of: their difference, no test, and no verdict.
---@param before table a metric's value
---@param after table
---@return table entry
function metric_values.values_only(before, after)
  local entry = { n = math.min(before.n or 0, after.n or 0), baseline_mean = before.value,
    candidate_mean = after.value, verdict = "incomparable" }
  if before.value and after.value then
    entry.delta = after.value - before.value
  else
    entry.n = 0
  end
  return entry
end

---`0.812 [0.76, 0.86] over 47 of 50`: a value with its interval and what is missing.
---@param value table
---@return string
function metric_values.text(value)
  local summary = require "evalua.summary"
  if not value.value then return ("no value%s"):format(value.problem and (" (%s)"):format(value.problem) or "") end
  local ci = value.ci and (" (%s to %s)"):format(summary.number_text(value.ci[1]), summary.number_text(value.ci[2]))
    or ""
  local missing = value.n_missing or 0
  return ("%s%s over %d%s"):format(summary.number_text(value.value), ci, value.n or 0,
    missing > 0 and (" of %d"):format(value.n + missing) or "")
end

return metric_values
