-- eval.limit: a named limit over all workers.
-- `local db = eval.limit { id = "db", max_concurrency = 3 }`, then `db(query)`.

local desk = require "evalua.native.desk"
local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"

local limit = {}

local schema = options.schema("eval.limit", {
  { "id", "text", required = true, help = "limits of one id are one limit, in all workers" },
  { "max_concurrency", "integer", min = 1, max = 1000000, help = "how many calls run at a time" },
  { "requests_per_minute", "number", min = 0.01, max = 1e9, help = "how many calls begin in any minute" },
})

local FIELDS = { "id", "max_concurrency", "requests_per_minute", "wrap" }

---Waits for a permit.
---@param self table a limit
---@return userdata permit to close or release
local function take(self)
  local permit, problem = desk.acquire("limit", "limit:" .. rawget(self, "id"), rawget(self, "max_concurrency") or 0,
    rawget(self, "requests_per_minute") or 0)
  if not permit then error(("limit %s: %s"):format(rawget(self, "id"), problem), 0) end
  return permit
end

-- Frees the coroutine and its permit when the function has ended, however it ended.
local hold_meta = {
  __close = function(hold)
    hold.holders[hold.thread] = nil
    hold.permit:release()
  end,
}

-- Runs the function under the limit. What runs under it already does not wait for itself.
local function call(self, run, ...)
  if type(run) ~= "function" then
    place.fail(('the limit "%s" is called with a function to run, not with %s'):format(rawget(self, "id"),
      options.show(run)))
  end
  local holders, thread = rawget(self, "holders"), coroutine.running()
  if holders[thread] then return run(...) end
  local hold <close> = setmetatable({ holders = holders, thread = thread, permit = take(self) }, hold_meta)
  holders[hold.thread] = true
  local results = table.pack(run(...))
  return table.unpack(results, 1, results.n)
end

local methods = {}

---The function, to be called under the limit every time: `eval.all { db:wrap(f), db:wrap(g) }`.
---@param run function
---@return function
function methods:wrap(run)
  if type(run) ~= "function" then
    place.fail(("limit:wrap takes a function, not %s"):format(options.show(run)))
  end
  return function(...) return call(self, run, ...) end
end

local metatable = {
  __name = "evalua.limit",
  __call = call,
  __index = function(_, key)
    if methods[key] then return methods[key] end
    if strict.contains(FIELDS, key) then return nil end
    place.fail(('unknown field "%s" of a limit%s'):format(tostring(key), strict.hint(key, FIELDS, "its fields")))
  end,
  __newindex = function(_, key) place.fail(("limit.%s cannot be assigned"):format(tostring(key))) end,
}

---What was declared under an id, or what `make` makes. A second declaration in one suite that says something else is an
---error that names the first.
---@param kind string "limit" or "model"
---@param values table the checked options
---@param make fun(): table
---@return table made
function limit.register(kind, values, make)
  local registry = require("evalua.suite").current()
  registry.limits = registry.limits or { limit = {}, model = {} }
  local known, caller, identity = registry.limits[kind], place.caller(), require("evalua.digest").of
  local earlier = known[values.id]
  if earlier then
    if identity(earlier.values) == identity(values) then return earlier.made end
    if not registry.loose then
      place.fail(('%s "%s" is declared twice with different options; the first is at %s'):format(kind, values.id,
        earlier.where))
    end
  end
  known[values.id] = { values = values, made = make(), where = caller and caller.text or "?" }
  return known[values.id].made
end

---Declares a limit. Under one id there is one: declared again with the same numbers it is the same.
---@param given table id, max_concurrency, requests_per_minute
---@return table limit to be called with a function: limit(run, ...) returns what run(...) returns
function limit.declare(given)
  local values = options.check(schema, given)
  if not values.max_concurrency and not values.requests_per_minute then
    place.fail(('eval.limit "%s" needs max_concurrency or requests_per_minute; without them it limits nothing'):format(
      values.id))
  end
  return limit.register("limit", values, function()
    return setmetatable({ id = values.id, max_concurrency = values.max_concurrency,
      requests_per_minute = values.requests_per_minute, holders = setmetatable({}, { __mode = "k" }) }, metatable)
  end)
end

return limit
