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

local context = require "evalua.store_context"
if parsed.store and context.set_default then context.set_default(parsed.store) end

local directory = path:match("^(.*)/[^/]*$") or "."
package.path = ("%s/?.lua;%s/?/init.lua;./?.lua;./?/init.lua"):format(directory, directory)

local chunk, syntax = load(source:gsub("^#[^\n]*", "", 1), "@" .. path, "t")
if not chunk then fail.script(tostring(syntax)) end
local result = chunk(table.unpack(parsed))
return math.type(result) == "integer" and result or 0
