-- evalua exec: runs any Lua script with evalua's libraries; its integer result is the exit code.

local fail = require "evalua.cli.fail"
local options = require "evalua.cli.options"
local sys = require "evalua.native.sys"

local SCRIPT_BYTES_MAX = 64 * 1024 * 1024

local parsed = options.parse("exec", ...)
if parsed.help then
  sys.stdout_write(options.help("exec"))
  return 0
end

local path = table.remove(parsed, 1)
if sys.exists(path) ~= "file" then fail.usage("exec: %s: no such file", path) end
local source, problem = sys.read_file(path, SCRIPT_BYTES_MAX)
if not source then fail.usage("exec: %s: %s", path, tostring(problem)) end

if parsed.store then require("evalua.store_context").set_default(parsed.store) end

local environment = require "evalua.environment"
local globals = environment.new(path, require("evalua.suite").current())
local chunk, syntax = environment.compile(source, path, globals)
if not chunk then fail.script(tostring(syntax)) end
collectgarbage("incremental", 200, 0) -- the start-up setting is for loading modules only
local result = chunk(table.unpack(parsed))
if math.type(result) ~= "integer" then return 0 end
if result < 0 or result > 255 then
  fail.script(("%s: it returned %d; what a script returns is its exit code, a whole number from 0 to 255"):format(path,
    result))
end
return result
