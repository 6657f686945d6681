-- eval.limit: a named limit over all workers.
-- `local db = eval.limit { id = "db", max_concurrency = 3 }`, then `db(query)`.

local desk = require "evalua.native.desk"
local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"
local task = require "evalua.native.task"

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

-- A hold is a permit, or the turn of one that is lent, with the coroutine that runs under it. `holds` has the latest of
-- every scope (an item, a scorer, a branch of eval.all) by the scope's number.
local hold_meta = {
  __close = function(hold)
    hold.is_over = true
    local latest = hold.holds[hold.scope]
    while latest and latest.is_over do latest = latest.previous end
    hold.holds[hold.scope] = latest
    hold.permit:release()
  end,
}

-- Whether what runs now runs under the hold: its coroutine is this one, or has resumed it.
local function is_under(hold)
  return hold.thread == coroutine.running() or coroutine.status(hold.thread) == "normal"
end

-- What already has a permit would wait for itself. In the same scope it simply goes on. Branches of eval.all (and other
-- scopes inside) borrow the permit of what waits for them, one after another: the bound holds, and one always goes on.
local function lender_of(holds, own, ...)
  local hold = holds[own]
  while hold do
    if not hold.is_over and is_under(hold) then return hold, true end
    hold = hold.previous
  end
  for position = 1, select("#", ...) do
    hold = holds[select(position, ...)]
    if hold then return hold, false end
  end
end

-- Raises where a coroutine of the same scope, which cannot be resumed while this one waits, has what it would wait for.
local function check_coroutines(self, hold)
  local max, held = rawget(self, "max_concurrency"), 0
  while hold and max do
    if not hold.is_over then held = held + (hold.is_lent and max or 1) end
    if held >= max then
      place.fail(("waiting for a permit of limit:%s would never end: max_concurrency is %d, and a coroutine that has "
        .. "yielded under the limit cannot go on while this one waits"):format(rawget(self, "id"), max))
    end
    hold = hold.previous
  end
end

-- Runs the function under the limit.
local function call(self, run, ...)
  if type(run) ~= "function" then
    place.fail(('the limit "%s" is called with a function to run, not with %s'):format(rawget(self, "id"),
      options.show(run)))
  end
  local holds, own = rawget(self, "holds"), task.lineage() or 0
  local lender, is_own
  if next(holds) ~= nil then lender, is_own = lender_of(holds, own, select(2, task.lineage())) end
  if is_own then return run(...) end
  if holds[own] then check_coroutines(self, holds[own]) end
  local permit
  if lender and rawget(self, "max_concurrency") then
    lender.turns = lender.turns or task.turns()
    permit = lender.turns:take()
  else
    lender = nil
    permit = take(self)
  end
  local hold <close> = setmetatable({ holds = holds, scope = own, previous = holds[own], thread = coroutine.running(),
    permit = permit, is_lent = lender ~= nil }, hold_meta)
  holds[own] = hold
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
      requests_per_minute = values.requests_per_minute, holds = setmetatable({}, { __mode = "v" }) }, metatable)
  end)
end

return limit
