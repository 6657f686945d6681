-- eval.matrix: every combination of some values, in a stable order; each names a variant of an experiment.

local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"

local matrix = {}

local COMBINATIONS_MAX = 10000
local TEXT_BYTES_MAX = 100 -- of one value in a variant's name

local texts = setmetatable({}, { __mode = "k" }) -- the variant's text of each record

-- How a value reads in the name of a variant.
local function value_text(value, key, index)
  if type(value) == "table" then value = rawget(value, "id") or rawget(value, "name") end
  if type(value) == "number" then return math.tointeger(value) and ("%d"):format(value) or ("%.14g"):format(value) end
  if type(value) == "boolean" then return tostring(value) end
  if type(value) ~= "string" then
    place.fail(("eval.matrix: value %s of %s has no text; give it a name: %s = { name = value }"):format(
      tostring(index), key, key))
  end
  if value:find("[%[%],=%c]") or #value > TEXT_BYTES_MAX then
    place.fail(("eval.matrix: value %s of %s cannot be part of a variant's name; give it one: %s = { short = %s }")
      :format(tostring(index), key, key, options.show(value:sub(1, 30))))
  end
  return value
end

-- The values of one key as {{value, text}...}: a list in its order, a table with names in the order of the names.
local function values_of(key, given)
  if type(given) ~= "table" then
    place.fail(("eval.matrix: %s must be a list of values, not %s"):format(key, options.show(given)))
  end
  local list, names = {}, strict.keys(given)
  if #names > 0 and rawget(given, 1) == nil then
    for position, name in ipairs(names) do
      list[position] = { value = given[name], text = value_text(name, key, name) }
    end
    return list
  end
  local length, problem = options.length(given)
  if not length then place.fail(("eval.matrix: %s is not a proper list: %s"):format(key, problem)) end
  if length == 0 then place.fail(("eval.matrix: %s has no values"):format(key)) end
  local seen = {}
  for index = 1, length do
    local text = value_text(given[index], key, index)
    if seen[text] then place.fail(("eval.matrix: %s has the value %s twice"):format(key, text)) end
    seen[text] = true
    list[index] = { value = given[index], text = text }
  end
  return list
end

---Iterates over every combination as a strict record; `variant = v` names an experiment after it.
---@param given table<string, any[]> lists of values by name
---@return fun(): table|nil
function matrix.each(given)
  if type(given) ~= "table" then
    place.fail(("eval.matrix takes lists of values by name, not %s"):format(options.show(given)))
  end
  local keys, values, total = strict.keys(given), {}, 1
  for key in next, given do
    if type(key) ~= "string" then
      place.fail("eval.matrix takes lists by name: { model = { ... }, prompt = { ... } }")
    end
  end
  for position, key in ipairs(keys) do
    values[position] = values_of(key, given[key])
    total = total * #values[position]
    if total > COMBINATIONS_MAX then
      place.fail(("eval.matrix has more than %d combinations (COMBINATIONS_MAX)"):format(COMBINATIONS_MAX))
    end
  end
  if #keys == 0 then place.fail("eval.matrix has no names; write { model = { ... } }") end
  local count = 0
  return function()
    if count >= total then return nil end
    local record, parts, rest = {}, {}, count
    for position = #keys, 1, -1 do -- the last name changes fastest
      local choice = values[position][rest % #values[position] + 1]
      rest = rest // #values[position]
      record[keys[position]] = choice.value
      parts[position] = keys[position] .. "=" .. choice.text
    end
    count = count + 1
    strict.record(record, keys, "the matrix record")
    texts[record] = table.concat(parts, ",")
    return record
  end
end

---The name of a variant: a string as it is, a record of eval.matrix or another table as `model=a,prompt=b`.
---@param variant string|table
---@return string
function matrix.text(variant)
  if type(variant) == "string" then
    if variant:find("[%[%]%c]") then
      place.fail(('option "variant" of eval.experiment cannot contain brackets: %s'):format(options.show(variant)))
    end
    return variant
  end
  if texts[variant] then return texts[variant] end
  if next(variant) == nil then
    place.fail('option "variant" of eval.experiment is an empty table; write a name or { model = "a" }, or nothing')
  end
  if #strict.keys(variant) == 0 or rawget(variant, 1) ~= nil then
    place.fail('option "variant" of eval.experiment is a list; write a name or values by name: { model = "a" }')
  end
  local parts = {}
  for position, key in ipairs(strict.keys(variant)) do
    parts[position] = key .. "=" .. value_text(variant[key], key, key)
  end
  return table.concat(parts, ",")
end

return matrix
