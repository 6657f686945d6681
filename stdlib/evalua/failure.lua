-- eval.fail: an error that carries more than its message, for targets and scorers.

local options = require "evalua.options"

local failure = {}

local schema = options.schema("eval.fail", {
  { "message", "string", help = "what went wrong" },
  { "permanent", "boolean", help = "true: a retry cannot help" },
  { "code", "text", help = "a short name of the cause, kept with the result" },
})

-- The same shape as failures of commands: what runs items looks at the name of the metatable.
local metatable = {
  __name = "evalua.failure",
  __tostring = function(self) return self.message end,
}

---True for what eval.fail raises.
---@param value any
---@return boolean
function failure.is(value)
  local found = type(value) == "table" and getmetatable(value)
  return type(found) == "table" and rawget(found, "__name") == "evalua.failure"
end

---Raises a failure. `eval.fail("no such user", { permanent = true, code = "no_user" })`
---@param message string|table the message, or a table of the options with it
---@param given table|nil permanent, code
function failure.raise(message, given)
  if type(message) == "table" and given == nil then
    given = message
  else
    local copy = { message = message ~= nil and tostring(message) or nil }
    for key, value in next, given or {} do copy[key] = value end
    given = copy
  end
  local values = options.check(schema, given)
  local caller = require("evalua.place").caller()
  error(setmetatable({
    message = values.message or "eval.fail was called without a message",
    permanent = values.permanent,
    code = values.code,
    place = caller and caller.text,
  }, metatable), 0)
end

return failure
