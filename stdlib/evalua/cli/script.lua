-- The Lua scripts that commands are given (`exec`, `mock`): read, compiled with the globals of suites.

local environment = require "evalua.environment"
local fail = require "evalua.cli.fail"
local sys = require "evalua.native.sys"

local script = {}

local SCRIPT_BYTES_MAX = 64 * 1024 * 1024

---Compiles a script. Raises where there is no such file (exit 2), or it is no Lua (exit 3).
---@param command string whose argument it is, for messages
---@param path string
---@return function chunk
---@return table globals of the script
function script.load(command, path)
  if sys.exists(path) ~= "file" then fail.usage("%s: %s: no such file", command, path) end
  local source, problem = sys.read_file(path, SCRIPT_BYTES_MAX)
  if not source then fail.usage("%s: %s: %s", command, path, tostring(problem)) end
  local globals = environment.new(path, require("evalua.suite").current())
  local chunk, syntax = environment.compile(source, path, globals)
  if not chunk then fail.script(tostring(syntax)) end
  return chunk, globals
end

return script
