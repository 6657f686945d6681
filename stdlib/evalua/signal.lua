-- eval.signal(): lets a script end a run early, from items, hooks and rules alike: it is shared with the workers.

local engine = require "evalua.native.engine"
local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"

local signal = {}

local FIELDS = { "abort", "aborted", "reason" }

local function abort(self, reason)
  if reason ~= nil and type(reason) ~= "string" then
    place.fail("signal:abort takes the reason as a string, not " .. options.show(reason))
  end
  rawget(self, "flag"):abort(reason or "no reason given")
end

local metatable = {
  __name = "evalua.signal",
  __index = function(self, key)
    if key == "abort" then return abort end
    if key == "reason" then return rawget(self, "flag"):reason() end
    if key == "aborted" then return rawget(self, "flag"):reason() ~= nil end
    place.fail(('unknown field "%s" of the signal%s'):format(tostring(key), strict.hint(key, FIELDS, "its fields")))
  end,
}

---A signal for the option `signal` of experiments.
---@return table signal {abort = function(self, reason), aborted, reason}
function signal.make() return setmetatable({ flag = engine.signal() }, metatable) end

---True for what eval.signal returns.
---@param value any
---@return boolean
function signal.is(value) return type(value) == "table" and getmetatable(value) == metatable end

---The flag of a signal, which the engine watches.
---@param value table
---@return userdata
function signal.flag_of(value) return rawget(value, "flag") end

return signal
