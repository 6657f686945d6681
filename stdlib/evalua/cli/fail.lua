-- Errors of commands: a table with an exit code that the program prints as `evalua: message` and leaves with.

local fail = {}

local failure_methods = {}
failure_methods.__index = failure_methods
failure_methods.__name = "evalua.failure"
failure_methods.__tostring = function(failure) return failure.message end

---Exit codes of the program, by cause.
fail.codes = { ok = 0, rule = 1, usage = 2, script = 3, incomplete = 4, inconclusive = 5, interrupted = 130 }

---Raises an error with an exit code.
---@param exit integer
---@param message string what, where, and what would be right
function fail.raise(exit, message)
  error(setmetatable({ exit = exit, message = message }, failure_methods), 0)
end

---The failure of what Ctrl-C or SIGTERM has ended (exit 130), to be raised.
---@param message string
---@return table failure
function fail.interruption(message)
  return setmetatable({ exit = fail.codes.interrupted, message = message }, failure_methods)
end

---A mistake in the command line or the configuration, found before anything ran (exit 2).
---@param message string
---@param ... any arguments of string.format, where given
function fail.usage(message, ...)
  fail.raise(fail.codes.usage, select("#", ...) > 0 and message:format(...) or message)
end

---A script's own error (exit 3).
---@param message string
function fail.script(message) fail.raise(fail.codes.script, message) end

---The work could not be completed or judged (exit 4).
---@param message string
---@param ... any arguments of string.format, where given
function fail.incomplete(message, ...)
  fail.raise(fail.codes.incomplete, select("#", ...) > 0 and message:format(...) or message)
end

---Passes `value, ...` on, or raises the message that stands in the place of a nil value.
---@param exit integer the exit code of the failure
---@param value any
---@param message string?
---@param ... any
---@return any
function fail.check(exit, value, message, ...)
  if value == nil then fail.raise(exit, tostring(message)) end
  return value, message, ...
end

-- Codes of the store that are a mistake of who named or gave the thing.
local USAGE_CODES = { not_found = true, argument = true }

---Passes on what the store returned, or raises why it returned nothing: what is not found, or cannot be one, is a
---mistake of who named it (exit 2), all else leaves the work undone (exit 4).
---@param value any
---@param ... any message and code, where value is nil
---@return any ...
function fail.must(value, ...)
  if value == nil then
    local message, code = ...
    fail.raise(USAGE_CODES[code] and fail.codes.usage or fail.codes.incomplete,
      tostring(message or "the store gave no answer"))
  end
  return value, ...
end

---True where `problem` is an error that carries its exit code.
---@param problem any
---@return boolean
function fail.is_failure(problem)
  return type(problem) == "table" and math.type(problem.exit) == "integer" and problem.message ~= nil
end

return fail
