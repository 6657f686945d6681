-- Loads a suite: its own globals, modules and registry of declarations, then the experiments with every name resolved.

local place = require "evalua.place"
local problem_lists = require "evalua.problems"
local strict = require "evalua.strict"
local environment = require "evalua.environment"

local suite = {}

local TRACE_LINES_MAX = 6
local SUITE_BYTES_MAX = 16 * 1024 * 1024
local READ_BYTES = 65536

local kinds = { "dataset", "target", "scorer" }

---@class evalua.registry
---@field path string|nil the suite's file as it was named; nil outside suites
---@field param_values table<string, string> what -p gave
---@field params table<string, any> declared parameters with their values
---@field files string[] files that the suite read

-- A registry of declarations. A loose one (scripts, and code that runs in items) lets a later declaration replace an
-- earlier one, because there nothing refers to names before they are declared.
local function new_registry(path, param_values)
  local registry = {
    path = path, loose = path == nil, param_values = param_values or {}, params = {}, files = {}, experiments = {},
    declared = {},
  }
  for _, kind in ipairs(kinds) do registry.declared[kind] = {} end
  return registry
end

local loose_registry = new_registry(nil)
local current_registry = nil

---The registry that declarations go to: that of the suite being loaded, else the one of the running script.
---@return evalua.registry
function suite.current() return current_registry or loose_registry end

---Gives values to the parameters of a script that is no suite (`evalua exec -p`).
---@param values table<string, string>
function suite.set_script_params(values) loose_registry.param_values = values end

---Registers a declaration under its name. A second one of that name in a suite is an error that names both places.
---@param kind "dataset"|"target"|"scorer"
---@param name string
---@param object any
---@return any object
function suite.declare(kind, name, object)
  local registry = suite.current()
  local caller = place.caller()
  local where = caller and caller.text or "?"
  local earlier = registry.declared[kind][name]
  if earlier and not registry.loose and earlier.object ~= object then
    place.fail(('%s "%s" is declared twice; the first is at %s'):format(kind, name, earlier.where))
  end
  registry.declared[kind][name] = { object = object, where = where }
  return object
end

---The declaration of that name, or nil.
---@param registry evalua.registry
---@param kind "dataset"|"target"|"scorer"
---@param name string
---@return any
function suite.find(registry, kind, name)
  local entry = registry.declared[kind][name]
  return entry and entry.object
end

---The names of all declarations of a kind, sorted.
---@param registry evalua.registry
---@param kind "dataset"|"target"|"scorer"
---@return string[]
function suite.names(registry, kind) return strict.keys(registry.declared[kind]) end

---The objects of all declarations of a kind, by their names.
---@param registry evalua.registry
---@param kind "dataset"|"target"|"scorer"
---@return table<string, any>
function suite.objects(registry, kind)
  local by_name = {}
  for name, entry in next, registry.declared[kind] do by_name[name] = entry.object end
  return by_name
end

-- The user's frames at an error, innermost first, as lines of a short trace.
local function user_trace(first_level)
  local lines, level = {}, first_level
  while #lines < TRACE_LINES_MAX do
    local info = debug.getinfo(level, "Sln")
    if not info then break end
    if info.what ~= "C" and not place.is_own(info.source) then
      local what = info.what == "main" and "the file" or info.name and ("function %s"):format(info.name) or "a function"
      lines[#lines + 1] = ("  %s:%d: in %s"):format(info.short_src, info.currentline, what)
    end
    level = level + 1
  end
  return #lines > 1 and table.concat(lines, "\n") or nil
end

-- Whether the library refused a definition (configuration) or the script itself failed.
local function is_configuration(problem)
  if place.is_script_mistake(problem) then return false end
  if place.is_mistake(problem) then return true end
  local raiser, owner = debug.getinfo(3, "Sf"), debug.getinfo(4, "S")
  return type(problem) == "string" and raiser ~= nil and raiser.func == error and owner ~= nil
    and place.is_own(owner.source)
end

local failure_metatable = { __name = "evalua.suite_failure", __tostring = function(self) return self.message end }

local function raise(exit, message, trace)
  error(setmetatable({ exit = exit, message = message, trace = trace }, failure_metatable), 0)
end

-- Makes a failure {exit, message, trace} of whatever was raised. A message handler: the stack is still there.
local function explain(problem)
  if type(problem) == "table" and math.type(rawget(problem, "exit")) == "integer" then return problem end
  local configuration = is_configuration(problem)
  local message = problem == nil and "error was raised without a message (nil)"
    or (require("evalua.failure").text(problem))
  local is_table = type(problem) == "table"
  local caller = type(problem) ~= "string" and not (is_table and rawget(problem, "place")) and place.caller()
  local says = is_table and type(rawget(problem, "message")) == "string"
  if caller then message = ("%s: %s%s"):format(caller.text, says and "" or "error object: ", message) end
  return setmetatable({ exit = configuration and 2 or 3, message = message, trace = user_trace(3) }, failure_metatable)
end

-- The text of a suite file.
local function read(path)
  require("evalua.files_read").add(path)
  local file, problem = io.open(path, "rb")
  if not file then raise(2, ("cannot read the suite %s"):format(problem)) end
  local parts, bytes = {}, 0
  local part, unreadable
  repeat -- one read of all that is allowed would ask for a buffer of that size
    part, unreadable = file:read(READ_BYTES)
    parts[#parts + 1] = part
    bytes = bytes + (part and #part or 0)
  until not part or bytes > SUITE_BYTES_MAX
  file:close()
  if unreadable then raise(2, ("cannot read the suite %s: %s"):format(path, unreadable)) end
  local text = table.concat(parts)
  if #text > SUITE_BYTES_MAX then
    raise(2, ("%s: the suite has more than %d bytes (SUITE_BYTES_MAX)"):format(path, SUITE_BYTES_MAX))
  end
  return text
end

-- Resolves every experiment; what is wrong with them is told together.
local function resolve_all(registry)
  local experiment = require "evalua.experiment"
  local resolved, problems = {}, problem_lists.list()
  for _, declared in ipairs(registry.experiments) do
    local ok, result = xpcall(experiment.resolve, explain, declared, registry)
    if ok then
      resolved[#resolved + 1] = result
    elseif result.exit ~= 2 then
      error(result, 0)
    else
      problems.add(result.message)
    end
  end
  if problems.text() then raise(2, problems.text()) end
  return resolved
end

---Loads a suite file and resolves its experiments. Raises a failure `{exit, message, trace}` whose text names the
---script's line: exit 2 for wrong definitions, 3 for errors of the script itself.
---@param path string
---@param given { params: table<string, string>|nil, check_params: boolean|nil, text: string|nil }|nil text: the suite's
---text where it is not in the file; check_params: unknown parameters are an error
---@return table suite {path, directory, experiments, datasets, params, files, registry}
function suite.load(path, given)
  given = given or {}
  local registry = new_registry(path, given.params)
  registry.files[1] = path
  local chunk, problem = environment.compile(given.text or read(path), path, environment.new(path, registry))
  if not chunk then raise(3, problem) end
  local before = current_registry
  current_registry = registry
  local ok, result = xpcall(function()
    chunk()
    return resolve_all(registry)
  end, explain)
  current_registry = before
  require("evalua.digest").forget_files()
  if not ok then error(result, 0) end
  local loaded = {
    path = path, directory = place.directory(path), experiments = result, datasets = suite.objects(registry, "dataset"),
    params = registry.params, files = registry.files, registry = registry,
  }
  if given.check_params and given.params then
    require("evalua.param").check_names(given.params, { loaded })
  end
  return loaded
end

---Loads several suites; a parameter must be known to one of them. What is wrong with them is told together.
---@param paths string[]
---@param given { params: table<string, string>|nil, check_params: boolean|nil }|nil check_params: false where the
---caller checks them
---@return table[] suites in the order of the paths
function suite.load_all(paths, given)
  local params, suites = given and given.params, {}
  local problems, failures = problem_lists.list(), {}
  for position, path in ipairs(paths) do
    local ok, result = pcall(suite.load, path, { params = params })
    if not ok and getmetatable(result) ~= failure_metatable then error(result, 0) end
    if ok then
      suites[position] = result
    else
      failures[#failures + 1] = result
      problems.add(result.message)
    end
  end
  if #failures == 1 then error(failures[1], 0) end
  if #failures > 1 then
    local exit = 2
    for _, failure in ipairs(failures) do exit = math.max(exit, failure.exit) end
    raise(exit, problems.text())
  end
  if params and given.check_params ~= false then require("evalua.param").check_names(params, suites) end
  return suites
end

return suite
