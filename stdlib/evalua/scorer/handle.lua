-- Callable handles of built-in scorers: `exact`, `exact()`, `exact{id = "ci"}` and `contains "refund"` all give one.
--
-- A built-in is a file stdlib/evalua/scorers/<name>.lua that returns {description, options, positional, prepare}:
-- prepare(settings, problem) returns the score function; problem(message) raises at the declaring line.

local definition = require "evalua.scorer.definition"
local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"

local handle = {}

handle.names = {
  "contains", "equals", "exact", "excludes", "json_valid", "length", "levenshtein", "matches", "numeric", "one_of",
  "similarity", "starts_with", "word_count",
}

local handle_methods = { __name = "evalua.scorer_handle" }

local builtins = {} -- {name, description, options, positional, prepare, schema} by name

local function builtin(name)
  local found = builtins[name]
  if not found then
    found = require("evalua.scorers." .. name)
    found.name = name
    found.schema = definition.schema_of("scorer " .. name, found.options)
    builtins[name] = found
  end
  return found
end

-- The options of a call: one value that is not a table of options stands for the positional option.
local function options_of(kind, count, value, where)
  if count == 0 or value == nil then return {} end
  local positional = kind.positional
  if type(value) == "table" and not definition.is_scorer(value) and not handle.is_handle(value) then
    local listed = rawlen(value)
    if listed == 0 then return value end
    local given = {}
    for key, option in next, value do if type(key) ~= "number" then given[key] = option end end
    if not positional then
      place.fail(("%s takes no value without a name; its options are %s"):format(kind.schema.name,
        table.concat(kind.schema.names, ", ")), where)
    elseif given[positional] ~= nil then
      place.fail(("%s has its %s twice: without a name and as `%s`"):format(kind.schema.name, positional, positional),
        where)
    end
    local length, problem = options.length(table.move(value, 1, listed, 1, {}))
    if not length then place.fail(("the list of %s is wrong: %s"):format(kind.schema.name, problem), where) end
    given[positional] = listed == 1 and value[1] or table.move(value, 1, listed, 1, {})
    return given
  end
  if not positional then
    place.fail(("%s takes a table of options, not %s"):format(kind.schema.name, options.show(value)), where)
  end
  return { [positional] = value }
end

local function settings_of(kind, values)
  local settings = {}
  for _, option in ipairs(kind.options) do settings[option[1]] = values[option[1]] end
  return settings
end

---Makes a scorer of a built-in.
---@param name string
---@param count integer number of arguments of the call, 0 or 1
---@param value any the argument
---@param where string|nil a place that is known better than the caller's
---@return evalua.scorer
function handle.make(name, count, value, where)
  local kind = builtin(name)
  local values = options.check(kind.schema, options_of(kind, count, value, where), where)
  values.id = values.id or name
  values.description = values.description or kind.description
  if values.higher_is_better == nil then values.higher_is_better = kind.higher_is_better end
  local bad_id = definition.id_problem(values.id)
  if bad_id then place.fail(bad_id, where) end
  local settings = settings_of(kind, values)
  local score = kind.prepare(settings, function(message)
    place.fail(("scorer %s: %s"):format(name, message), where)
  end)
  local caller = place.caller()
  return definition.make(values, { score = score }, {
    builtin = name, settings = settings, file = caller and caller.file, line = caller and caller.line,
  })
end

handle_methods.__call = function(self, ...)
  local count = select("#", ...)
  if count > 1 then
    place.fail(("scorer %s takes one value or one table of options, not %d arguments"):format(self.name, count))
  end
  return handle.make(self.name, count, (...))
end
place.keep_frames(handle_methods)
handle_methods.__index = function(self, key)
  place.fail(('unknown field %s of the scorer handle %s; call it for a scorer with options: %s{id = "..."}'):format(
    options.show(key), self.name, self.name))
end

---True for eval.scorers.exact and the like, before they are called.
---@param value any
---@return boolean
function handle.is_handle(value) return type(value) == "table" and getmetatable(value) == handle_methods end

---Description and options of a built-in, for help.
---@param name string
---@return { name: string, description: string, options: table, positional: string?, schema: evalua.schema }
function handle.describe(name) return builtin(name) end

local all = {}
for _, name in ipairs(handle.names) do all[name] = setmetatable({ id = name, name = name }, handle_methods) end

---The handles of all built-ins by name; an unknown name raises with the nearest one.
handle.all = strict.namespace(all, "eval.scorers")

return handle
