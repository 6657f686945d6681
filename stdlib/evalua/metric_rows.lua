-- What metrics compare, read from a run: one row a result, one column an accessor. Read a page at a time; only the
-- values stay, and of a long one its digest.

local json = require "evalua.json"
local metrics = require "evalua.metrics"
local result_record = require "evalua.result_record"
local text = require "evalua.native.text"

local metric_rows = {}

local PAGE = 500
local LABEL_BYTES_MAX = 100 -- longer values are compared by their digest

---@class evalua.metric_rows
---@field n integer rows: results that were not skipped
---@field ids string[] item of each row
---@field trials integer[] trial of each row
---@field columns table<any, any[]> by accessor; false where a result has no such value
---@field repeated boolean an item has several rows

-- What is kept of a value: numbers and booleans as they are, texts, and other values as identity text.
local function kept(value)
  if value == nil or value == json.null then return false end
  local kind = type(value)
  if kind == "number" then return value == value and value end
  if kind == "boolean" then return value and "true" or "false" end
  local label = kind == "string" and value or json.identity(value)
  if #label > LABEL_BYTES_MAX then return "sha256 " .. text.sha256(label) end
  return label
end

local function inside(value, path)
  for name in path:gmatch("[^.]+") do
    if type(value) ~= "table" then return nil end
    local found = value[name]
    if found == nil then found = value[math.tointeger(tonumber(name))] end
    value = found
  end
  return value
end

local function score_of(row, key)
  for _, score in ipairs(row.scores or {}) do
    local step = score.step_id
    local id = step and step ~= "" and step ~= json.null and (step .. "/" .. score.scorer_id) or score.scorer_id
    if id == key then return score end
  end
end

local function present(value)
  if value ~= json.null then return value end
end

-- A function that reads an accessor from a row and its record.
local function reader_of(accessor)
  if type(accessor) == "function" then return function(_, record) return accessor(record) end end
  local head, rest = metrics.split(accessor)
  if head == "score" or head == "label" or head == "rating" then
    return function(row)
      local score = score_of(row, rest)
      if not score then return nil end
      if head == "score" then return present(score.score) end
      if head == "label" then return present(score.label) end
      local label = present(score.label)
      if label ~= nil then return label end
      return present(score.score)
    end
  end
  return function(_, record)
    local value = record[head]
    if rest then return inside(value, rest) end
    return value
  end
end

local function new_rows(accessors)
  local rows = { n = 0, ids = {}, trials = {}, columns = {}, repeated = false }
  for _, accessor in ipairs(accessors) do rows.columns[accessor] = {} end
  return rows
end

-- What a baseline file has kept of an item for an accessor; of several trials a list.
local function sheet_value(row, accessor)
  if type(accessor) ~= "string" then return nil end
  local kept_value = row.values and row.values[accessor]
  if kept_value ~= nil then return kept_value end
  local head, rest = metrics.split(accessor)
  if head == "score" then return row.scores[rest] end
  if head == "label" then return row.labels and row.labels[rest] end
  if head == "rating" then return row.labels and row.labels[rest] or row.scores[rest] end
  return nil
end

-- The rows of a baseline file: it keeps scores, labels and the predictions of the metrics; what is right stands with
-- the run that it is compared with.
local function of_sheet(sheet, accessors)
  local rows = new_rows(accessors)
  for _, row in ipairs(sheet.order) do
    local values, trials = {}, 1
    for _, accessor in ipairs(accessors) do
      local value = sheet_value(row, accessor)
      if json.is_array(value) then trials = math.max(trials, #value) else value = { value } end
      values[accessor] = value
    end
    for trial = 1, trials do
      local position = rows.n + 1
      rows.n, rows.ids[position], rows.trials[position] = position, row.id, trial
      rows.repeated = rows.repeated or trial > 1
      for _, accessor in ipairs(accessors) do rows.columns[accessor][position] = kept(values[accessor][trial]) end
    end
  end
  return rows
end

---The value of an accessor in a stored result, as columns keep it; false where it has none.
---@param row table of store:results
---@param accessor string|function
---@return string|number|false
function metric_rows.value(row, accessor) return kept(reader_of(accessor)(row, result_record.of(row))) end

---Reads the columns of a run.
---@param store table
---@param record table of the store, or of a baseline file
---@param accessors (string|function)[]
---@return evalua.metric_rows
function metric_rows.read(store, record, accessors)
  if record.baseline_file then return of_sheet(record.baseline_entry.sheet, accessors) end
  local rows, after, readers = new_rows(accessors), 0, {}
  for position, accessor in ipairs(accessors) do readers[position] = reader_of(accessor) end
  repeat
    local page, problem = store:results(record.id, { after = after, limit = PAGE })
    if not page then error(problem, 0) end
    for _, row in ipairs(page) do
      after = row.position
      if row.status ~= "skipped" then
        local n, result = rows.n + 1, result_record.of(row)
        rows.n, rows.ids[n], rows.trials[n] = n, row.item_id, row.trial
        rows.repeated = rows.repeated or n > 1 and rows.ids[n - 1] == row.item_id
        for position, accessor in ipairs(accessors) do
          rows.columns[accessor][n] = kept(readers[position](row, result))
        end
      end
    end
  until #page < PAGE
  return rows
end

---The accessors of metrics, each once.
---@param list evalua.metric[]
---@return (string|function)[]
function metric_rows.accessors(list)
  local found, seen = {}, {}
  for _, metric in ipairs(list) do
    for _, column in ipairs(metric.columns) do
      if not seen[column] then
        seen[column] = true
        found[#found + 1] = column
      end
    end
  end
  return found
end

return metric_rows
