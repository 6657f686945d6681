-- What a suite takes from outside: parameters of the command line (-p NAME=VALUE) and environment variables.

local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"

local param = {}

local schema = options.schema("eval.param", {
  { "name", "text", required = true, help = "the NAME of -p NAME=VALUE" },
  { "default", "string|number|boolean", help = "without one the parameter must be given" },
  { "type", "string", enum = { "string", "number", "integer", "boolean" }, help = "default: that of the default" },
  { "description", "string", help = "one line for the list of parameters" },
  { "enum", "list", help = "the values it may have" },
})

local booleans = { ["true"] = true, yes = true, on = true, ["1"] = true,
  ["false"] = false, no = false, off = false, ["0"] = false }

-- The text of the command line as the parameter's type; nil and a problem where it is not one.
local function convert(text, kind)
  if type(text) ~= "string" then return text end
  if kind == "boolean" then
    local value = booleans[text:lower()]
    if value == nil then return nil, ("%s is neither true nor false"):format(options.show(text)) end
    return value
  end
  if kind == "string" then return text end
  local value = tonumber(text)
  if not value or value ~= value then return nil, ("%s is not a number"):format(options.show(text)) end
  if kind == "integer" then
    if not math.tointeger(value) then return nil, ("%s is not a whole number"):format(options.show(text)) end
    return math.tointeger(value)
  end
  return value
end

-- A default is of the parameter's type: a text where the command line would need a number is a mistake.
local function check_default(values, kind)
  local default = values.default
  if default == nil then return end
  local fits = type(default) == kind or kind == "integer" and math.tointeger(default) ~= nil
    and type(default) == "number"
  if not fits then
    place.fail(('option "default" of eval.param must be %s, as its type says, not %s'):format(
      kind == "integer" and "a whole number" or "a " .. kind, options.show(default)))
  end
end

---The value of a parameter: what -p gave, else the default.
---@param given table name, default, type, description, enum
---@return string|number|boolean
function param.declare(given)
  local suite = require "evalua.suite"
  local values = options.check(schema, given)
  local name = values.name
  if not name:match("^[%a_][%w_.-]*$") then
    place.fail(('option "name" of eval.param must be a name such as model, not %s'):format(options.show(name)))
  end
  local kind = values.type or type(values.default) == "nil" and "string" or type(values.default)
  check_default(values, kind)
  local registry = suite.current()
  local value = registry.param_values[name]
  if value ~= nil then
    local converted, problem = convert(value, kind)
    if problem then place.fail(("parameter -p %s: %s"):format(name, problem)) end
    value = converted
  else
    value = values.default
    if value == nil then
      place.fail(("parameter %s has no default and must be given: -p %s=VALUE"):format(name, name))
    end
  end
  if values.enum and not strict.contains(values.enum, value) then
    local names = {}
    for position, allowed in ipairs(values.enum) do names[position] = tostring(allowed) end
    place.fail(("parameter %s cannot be %s%s"):format(name, options.show(value), strict.hint(value, names,
      "right values")))
  end
  registry.params[name] = value
  return value
end

---Raises a usage error for parameters that none of the suites has declared.
---@param given table<string, string> what -p gave
---@param suites table[] loaded suites
function param.check_names(given, suites)
  local declared = {}
  for _, loaded in ipairs(suites) do
    for name in next, loaded.params do declared[name] = true end
  end
  local names, problems = strict.keys(declared), {}
  for _, name in ipairs(strict.keys(given)) do
    if not declared[name] then
      problems[#problems + 1] = ("-p %s: no suite has a parameter %s%s"):format(name, name,
        strict.hint(name, names, "parameters"))
    end
  end
  if #problems > 0 then require("evalua.cli.fail").usage(table.concat(problems, "\n")) end
end

local given_values = {}

---Says what eval.env gives for a variable that is not set.
---@param name string
---@param value string
function param.give(name, value) given_values[name] = value end

---An environment variable; required unless there is a default. Its value is redacted everywhere.
---@param name string
---@param default string|nil
---@return string
function param.environment(name, default)
  if type(name) ~= "string" or name == "" then
    place.fail(("eval.env takes the name of a variable, not %s"):format(options.show(name)))
  end
  local value = os.getenv(name) or given_values[name]
  if value == nil or value == "" then
    -- Where nothing is sent no key is needed; this is what its value stands as in the cache.
    if default == nil and require("evalua.cache").is_replay() and require("evalua.secrets").is_name(name) then
      return ("[%s]"):format(name)
    end
    if default == nil then
      place.fail(("environment variable %s is not set; set it, or give eval.env a default"):format(name))
    end
    return default
  end
  require("evalua.secrets").add(name, value)
  return value
end

---The text of a file, from the directory of the script that names it.
---@param path string
---@return string
function param.file(path)
  if type(path) ~= "string" or path == "" then
    place.fail(("eval.file takes the path of a file, not %s"):format(options.show(path)))
  end
  local resolved = place.resolve(path)
  require("evalua.files_read").add(resolved)
  local file, problem = io.open(resolved, "rb")
  if not file then place.fail(("eval.file: %s"):format(problem)) end
  local text, unreadable = file:read("a")
  file:close()
  if not text then place.fail(("eval.file: %s: %s"):format(resolved, unreadable)) end
  local files = require("evalua.suite").current().files
  files[#files + 1] = resolved
  return text
end

return param
