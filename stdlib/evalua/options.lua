-- Option records: one schema per public function drives its checks, its help and the test of its annotations.

local duration = require "evalua.duration"
local json = require "evalua.json"
local place = require "evalua.place"
local size = require "evalua.size"
local strict = require "evalua.strict"

local options = {}

---@class evalua.option
---@field [1] string its name
---@field [2] string its type, or several joined by "|"; the types are the keys of `descriptions`
---@field required? boolean
---@field default? any
---@field enum? any[] the values it may have
---@field of? string type of each element of a list
---@field min? number smallest number
---@field max? number
---@field later? boolean its machinery is not there yet: naming it is an error
---@field accept? any the value that a later option may have already, because it asks for nothing
---@field data? boolean it is stored: a value that JSON cannot hold is an error
---@field help? string one line

---@class evalua.schema
---@field name string how messages call the record: "eval.experiment"
---@field options evalua.option[]
---@field by_name table<string, evalua.option>
---@field names string[] sorted

---Every schema by its name, for help and for the test of the annotations.
---@type table<string, evalua.schema>
options.schemas = {}

---Defines the options of a public function.
---@param name string
---@param list evalua.option[]
---@return evalua.schema
function options.schema(name, list)
  local schema = { name = name, options = list, by_name = {}, names = {} }
  for position, option in ipairs(list) do
    schema.by_name[option[1]] = option
    schema.names[position] = option[1]
  end
  table.sort(schema.names)
  options.schemas[name] = schema
  return schema
end

-- What a type is called in messages.
local descriptions = {
  text = "a string that is not empty", string = "a string", number = "a number", integer = "a whole number",
  boolean = "true or false", ["function"] = "a function", table = "a table", list = "a list",
  map = "a table with names",
  duration = "a duration", size = "a size", any = "any value",
}

---A value as messages show it.
---@param value any
---@return string
function options.show(value)
  if type(value) == "string" then
    return #value > 60 and ('"%s..."'):format(value:sub(1, 60)) or ('"%s"'):format(value)
  end
  if type(value) == "number" or type(value) == "boolean" or value == nil then return tostring(value) end
  return "a " .. type(value)
end

---The length of a list.
---@param list table
---@return integer|nil length nil where it is not a list without holes
---@return string|nil problem what is wrong: `its element 2 is nil`
function options.length(list)
  local highest, count = 0, 0
  for key in next, list do
    if math.type(key) ~= "integer" or key < 1 then
      return nil, ("it has the name %s; a list has none"):format(options.show(key))
    end
    count = count + 1
    if key > highest then highest = key end
  end
  if count == highest then return count end
  for index = 1, highest do
    if rawget(list, index) == nil then return nil, ("its element %d is nil"):format(index) end
  end
end

local function is_list(value)
  if type(value) ~= "table" then return false end
  for key in next, value do if math.type(key) ~= "integer" then return false end end
  return true
end

local function is_map(value)
  if type(value) ~= "table" then return false end
  for key in next, value do if type(key) ~= "string" then return false end end
  return true
end

local checks = {
  any = function() return true end,
  string = function(value) return type(value) == "string" end,
  text = function(value) return type(value) == "string" and value ~= "" end,
  number = function(value) return type(value) == "number" and value == value end,
  integer = function(value) return math.type(value) == "integer" or type(value) == "number" and value % 1 == 0 end,
  boolean = function(value) return type(value) == "boolean" end,
  ["function"] = function(value) return type(value) == "function" end,
  table = function(value) return type(value) == "table" end,
  list = is_list,
  map = is_map,
  duration = function(value) return type(value) == "number" or type(value) == "string" end,
  size = function(value) return type(value) == "number" or type(value) == "string" end,
}

---What is wrong with the tags of a dataset or an experiment: a list of strings, or names with plain values.
---@param tags any
---@param what string what they belong to: "option tags of eval.dataset"
---@return string|nil problem
function options.tags_problem(tags, what)
  if tags == nil then return nil end
  local right = "a list of strings, or a table of names with their values"
  if type(tags) ~= "table" then return ("%s must be %s, not %s"):format(what, right, options.show(tags)) end
  local names, values = 0, 0
  for key, value in next, tags do
    local kind = type(value)
    if type(key) == "string" then names = names + 1 else values = values + 1 end
    if kind ~= "string" and (type(key) ~= "string" or kind ~= "number" and kind ~= "boolean") then
      return ("%s must be %s; %s is %s"):format(what, right,
        type(key) == "string" and options.show(key) or "element " .. tostring(key), options.show(value))
    end
  end
  if names > 0 and values > 0 then return ("%s must be %s, not both at once"):format(what, right) end
  return nil
end

local function expected(option)
  local words = {}
  for kind in option[2]:gmatch("%a+") do words[#words + 1] = descriptions[kind] end
  local last = table.remove(words)
  local text = #words > 0 and (table.concat(words, ", ") .. " or " .. last) or last
  if option.min then text = text .. (" of at least %s"):format(tostring(option.min)) end
  if option.max then text = text .. (" and at most %s"):format(tostring(option.max)) end
  return text
end

-- The first type of the option that the value has.
local function kind_of(option, value)
  for kind in option[2]:gmatch("%a+") do
    if checks[kind](value) then return kind end
  end
  return nil
end

-- Checks one value; returns it as it is kept, or nil and what is wrong with the option.
local function check_value(option, value)
  local kind = kind_of(option, value)
  if not kind then return nil, ("must be %s, not %s"):format(expected(option), options.show(value)) end
  if kind == "duration" then
    local ms, problem = duration.parse(value)
    if not ms then return nil, "is wrong: " .. problem end
    if ms == 0 and option[1]:find "timeout$" then
      return nil, "is 0, which is no time at all; leave it out for no timeout"
    end
    value = ms
  elseif kind == "size" and not (value == 0 and option.min == 0) then
    local bytes, problem = size.parse(value)
    if not bytes then return nil, "is wrong: " .. problem end
    value = bytes
  elseif kind == "integer" then
    value = math.tointeger(value)
  elseif kind == "list" then
    local length, problem = options.length(value)
    if not length then return nil, "is not a proper list: " .. problem end
    for index = 1, option.of and length or 0 do
      if not checks[option.of](value[index]) then
        return nil, ("must be a list in which each is %s; element %d is %s"):format(descriptions[option.of], index,
          options.show(value[index]))
      end
    end
  end
  if type(value) == "number" and (option.min and value < option.min or option.max and value > option.max) then
    return nil, ("must be %s, not %s"):format(expected(option), tostring(value))
  end
  if option.data then
    local ok, problem = pcall(json.encode, value, { name = option[1] })
    if not ok then return nil, "cannot be stored: " .. tostring(problem) end
  end
  if option.enum then
    for _, allowed in ipairs(option.enum) do if value == allowed then return value end end
    local names = {}
    for index, allowed in ipairs(option.enum) do names[index] = tostring(allowed) end
    return nil, ("cannot be %s%s"):format(options.show(value), strict.hint(value, names, "right values"))
  end
  return value
end

local function unknown(schema, key)
  if type(key) ~= "string" then
    return ("%s takes named options; %s has no name"):format(schema.name, ("value %s"):format(options.show(key)))
  end
  return ('unknown option "%s" of %s%s'):format(key, schema.name, strict.hint(key, schema.names, "its options"))
end

---Checks a table of options. All its mistakes are raised at once, with the caller's line.
---@param schema evalua.schema
---@param given any
---@param where string|nil a place that is known better than the caller's
---@return table values checked: durations in milliseconds, defaults filled in
function options.check(schema, given, where)
  if type(given) ~= "table" then
    place.fail(("%s takes a table of options, not %s"):format(schema.name, options.show(given)), where)
  end
  local problems, values = {}, {}
  local wrong = {}
  for key in next, given do if not schema.by_name[key] then wrong[#wrong + 1] = key end end
  table.sort(wrong, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(wrong) do problems[#problems + 1] = unknown(schema, key) end
  for _, option in ipairs(schema.options) do
    local name, value, problem = option[1], rawget(given, option[1]), nil
    if value == nil then
      values[name] = option.default
      if option.required then
        problem = "is missing; it must be " .. (option[2] == "any" and option.help or expected(option))
      end
    elseif option.later and value ~= option.accept then
      problem = "is not available yet; it comes with a later version"
    else
      values[name], problem = check_value(option, value)
    end
    if problem then problems[#problems + 1] = ('option "%s" of %s %s'):format(name, schema.name, problem) end
  end
  if #problems > 0 then place.fail_all(problems, where) end
  return values
end

---The options of a schema as lines of help.
---@param schema evalua.schema
---@return string
function options.help(schema)
  local width, lines = 0, {}
  for _, option in ipairs(schema.options) do width = math.max(width, #option[1]) end
  for position, option in ipairs(schema.options) do
    local notes = option.help or ""
    if option.required then notes = notes .. " (required)" end
    if option.default ~= nil then notes = ("%s (default %s)"):format(notes, options.show(option.default)) end
    if option.later then notes = notes .. " (not available yet)" end
    lines[position] = ("  %-" .. width .. "s  %s"):format(option[1], notes)
  end
  return table.concat(lines, "\n")
end

return options
