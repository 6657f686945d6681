-- Slices: the results of a run by the values of a field of its items, such as metadata.lang, each with its n.

local json = require "evalua.json"
local run_sheet = require "evalua.run_sheet"
local stats = require "evalua.native.stats"
local summary = require "evalua.summary"

local slices = {}

slices.VALUES_MAX = 1000 -- values of one field; of more the largest slices are kept

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

local function contains(list, key)
  for _, value in ipairs(list or {}) do if value == key then return true end end
  return false
end

local function scorer_of(definition, rows)
  local scores, counts = {}, { unscored = 0, error = 0, passed = 0, not_passed = 0 }
  local failed, skipped = 0, 0
  for _, row in ipairs(rows) do
    local score = row.scores[definition.key]
    if score then
      scores[#scores + 1] = score
      if definition.pass then
        local passes = definition.higher_is_better and score >= definition.pass
          or not definition.higher_is_better and score <= definition.pass
        counts[passes and "passed" or "not_passed"] = counts[passes and "passed" or "not_passed"] + 1
      end
    elseif contains(row.errors, definition.key) then
      counts.error = counts.error + 1
    elseif contains(row.unscored, definition.key) then
      counts.unscored = counts.unscored + 1
    end
    if row.status == "skipped" then skipped = skipped + 1 elseif row.status ~= "ok" then failed = failed + 1 end
  end
  return summary.of_scores(definition, stats.vector(scores), counts,
    { expected = #rows, failed = failed, skipped = skipped, pending = 0 })
end

-- A slice as rules and reports see it.
local function slice_of(definitions, rows)
  local slice = { n = #rows, succeeded_count = 0, scorers = {} }
  for _, row in ipairs(rows) do
    if row.status == "ok" then slice.succeeded_count = slice.succeeded_count + 1 end
  end
  for _, definition in ipairs(definitions) do slice.scorers[definition.key] = scorer_of(definition, rows) end
  return slice
end

local function largest(groups)
  local values = {}
  for value in next, groups do values[#values + 1] = value end
  if #values <= slices.VALUES_MAX then return groups end
  table.sort(values, function(a, b)
    if #groups[a] ~= #groups[b] then return #groups[a] > #groups[b] end
    return a < b
  end)
  local kept = {}
  for position = 1, slices.VALUES_MAX do kept[values[position]] = groups[values[position]] end
  return kept
end

---The slices of a run by each of the fields.
---@param store table
---@param record table of the store
---@param fields string[]
---@return table<string, table<string, table>> by field and value: { n, succeeded_count, scorers }
---@return table<string, table<string, string>> values by field and item id
function slices.build(store, record, fields)
  local values = {}
  for _, field in ipairs(fields) do values[field] = {} end
  local sheet = run_sheet.of_run(store, record, function(row)
    for _, field in ipairs(fields) do values[field][row.item_id] = slices.value_at(row, field) or slices.NONE end
  end)
  local definitions, built = summary.scorers_of(store, record), {}
  for _, field in ipairs(fields) do
    local groups = {}
    for _, row in ipairs(sheet.order) do
      local value = values[field][row.id]
      groups[value] = groups[value] or {}
      table.insert(groups[value], row)
    end
    built[field] = {}
    for value, rows in next, largest(groups) do built[field][value] = slice_of(definitions, rows) end
  end
  return built, values
end

return slices
