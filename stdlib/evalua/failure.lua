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

-- The message of a table that was raised: its own, what its __tostring says, or the table as JSON.
local function table_text(problem)
  local message = rawget(problem, "message")
  if type(message) == "string" then
    local where = failure.is(problem) and rawget(problem, "place")
    return type(where) == "string" and ("%s: %s"):format(where, message) or message
  end
  local methods = getmetatable(problem)
  if type(methods) == "table" and rawget(methods, "__tostring") then
    local ok, text = pcall(tostring, problem)
    if ok then return text end
  end
  local ok, text = pcall(require("evalua.json").encode, problem, { repair = true })
  return ok and text or "an error that is a table"
end

---What was raised, as text and as a code: scripts raise strings, tables with a message (and a code), and anything.
---@param problem any
---@return string message
---@return string|nil code
function failure.text(problem)
  if type(problem) == "string" then return problem end
  if type(problem) ~= "table" then
    if problem == nil then return 'error was raised without a message (nil); write error("what is wrong")' end
    return "an error that is " .. (problem == require("evalua.json").null and "null" or options.show(problem))
  end
  local code = rawget(problem, "code")
  return table_text(problem), type(code) == "string" and code ~= "" and code or nil
end

---Raises a failure. `eval.fail("no such user", { permanent = true, code = "no_user" })`
---@param message string|table the message, or a table of the options with it
---@param given table|nil permanent, code
function failure.raise(message, given)
  if type(message) == "table" and given == nil then
    given = message
  else
    if given ~= nil and type(given) ~= "table" then
      require("evalua.place").fail(("eval.fail takes a message and a table of options, not %s"):format(
        options.show(given)))
    end
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
