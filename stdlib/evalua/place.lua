-- Where in the user's script something happens: `tickets.eval.lua:12`, never a line of this library.

local place = {}

-- Chunks of the library: their names begin like this one's ("=stdlib/" in the program, a directory in a source tree).
local own_prefix = debug.getinfo(1, "S").source:match("^(.*)evalua/place%.lua$") or "=stdlib/"

place.COMMAND_PREFIX = "=scripts/"

-- The last mistake that was raised with place.fail; suites tell configuration from script errors by it.
local last_message = nil

---True for chunk names of the library and of the commands.
---@param source string the `source` field of debug.getinfo
---@return boolean
function place.is_own(source)
  return source:sub(1, #own_prefix) == own_prefix or source:sub(1, #place.COMMAND_PREFIX) == place.COMMAND_PREFIX
    or source == "=[C]"
end

---The innermost function on the stack that belongs to the user.
---@return { file: string, line: integer, text: string, main: boolean }|nil caller nil where only the library runs
function place.caller()
  local level = 2
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then return nil end
    if info.what ~= "C" and info.currentline > 0 and not place.is_own(info.source) then
      local file = info.source:sub(1, 1) == "@" and info.source:sub(2) or info.short_src
      return {
        file = file,
        line = info.currentline,
        text = ("%s:%d"):format(file, info.currentline),
        main = info.what == "main",
      }
    end
    level = level + 1
  end
end

---`message` with the caller's place before it.
---@param message string
---@param where string|nil a place that is known better
---@return string
function place.prefix(message, where)
  if not where then
    local caller = place.caller()
    where = caller and caller.text
  end
  return where and (where .. ": " .. message) or message
end

---The functions of a table, in place, so that a script's line is known where it ends with a call of one
---(`return eval.file "a.txt"`); other values, and tables that are called, stay as they are.
---@generic T: table
---@param functions T
---@return T functions
function place.keep_frames(functions)
  local keep = require("evalua.native.frame").keep
  for name, value in next, functions do
    if type(value) == "function" then rawset(functions, name, keep(value)) end
  end
  return functions
end

---Raises a mistake in the user's definitions, with the caller's line first.
---@param message string what is wrong and what would be right
---@param where string|nil a place that is known better than the caller's
function place.fail(message, where)
  last_message = place.prefix(message, where)
  error(last_message, 0)
end

---Raises several mistakes at once, each on a line of its own.
---@param messages string[]
---@param where string|false|nil a place that is known better; false: the messages have theirs
function place.fail_all(messages, where)
  local lines = {}
  for position, message in ipairs(messages) do
    lines[position] = where == false and message or place.prefix(message, where or nil)
  end
  last_message = table.concat(lines, "\n")
  error(last_message, 0)
end

---Raises where an item runs: what is declared there is never looked at again.
---@param what string "eval.experiment"
function place.outside_items(what)
  local engine = require "evalua.native.engine"
  if engine.in_worker() or engine.current_item() then
    place.fail(("%s does nothing inside an item: declare it at the top of the suite"):format(what))
  end
end

-- The last error of the script's own code that the library raised for it: a module that does not compile.
local last_script_message = nil

---Raises an error of the script's code (not of a definition), with the caller's line first.
---@param message string
function place.fail_script(message)
  last_script_message = message:find("^[^\n:]+:%d+: ") and message or place.prefix(message)
  error(last_script_message, 0)
end

---True where `problem` was raised with place.fail_script.
---@param problem any
---@return boolean
function place.is_script_mistake(problem)
  return type(problem) == "string" and last_script_message ~= nil and problem:find(last_script_message, 1, true) ~= nil
end

---True where `problem` is (or quotes) the mistake that was raised last.
---@param problem any
---@return boolean
function place.is_mistake(problem)
  return type(problem) == "string" and last_message ~= nil and problem:find(last_message, 1, true) ~= nil
end

---The directory of a file: "a/b.lua" gives "a", "b.lua" gives "".
---@param file string
---@return string
function place.directory(file)
  return file:match("^(.*)/[^/]*$") or ""
end

---A path as the program must open it: relative ones are taken from the directory of the file that wrote them.
---@param path string
---@param file string|nil the file that wrote the path; nil: the caller's
---@return string
function place.resolve(path, file)
  if path:sub(1, 1) == "/" then return path end
  if not file then
    local caller = place.caller()
    file = caller and caller.file
  end
  local directory = file and (file:match("^(.*/)[^/]*$")) or ""
  return directory .. path
end

return place
