-- evalua mock: an HTTP server whose routes a Lua script says, to try targets without a network or a key.

local environment = require "evalua.environment"
local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local options = require "evalua.cli.options"
local sys = require "evalua.native.sys"

local SCRIPT_BYTES_MAX = 64 * 1024 * 1024

local parsed = options.parse("mock", ...)
if parsed.help then
  sys.stdout_write(options.help("mock"))
  return 0
end

local path = parsed[1]
if sys.exists(path) ~= "file" then fail.usage("mock: %s: no such file", path) end
local source, problem = sys.read_file(path, SCRIPT_BYTES_MAX)
if not source then fail.usage("mock: %s: %s", path, tostring(problem)) end
local globals = environment.new(path, require("evalua.suite").current())
local chunk, syntax = environment.compile(source, path, globals)
if not chunk then fail.script(tostring(syntax)) end
local routes = chunk()
if type(routes) ~= "table" then
  fail.usage('mock: %s returned a %s; a table of routes is right: return { ["GET /hello"] = { body = "hi" } }', path,
    type(routes))
end
local mock = require "evalua.mock"
local ok, known = pcall(mock.check, routes)
if not ok then fail.usage("mock: %s: %s", path, tostring(known)) end

local host = parsed.host == "localhost" and "127.0.0.1" or parsed.host or "127.0.0.1"
local server, message = require("evalua.native.server").start { host = host, port = parsed.port or 0 }
if not server then fail.usage("mock: %s", message) end
local port = server:port()
sys.stdout_write(json.encode {
  event = "listening", host = host, port = port,
  url = ("http://%s:%d"):format(host:find(":", 1, true) and "[" .. host .. "]" or host, port),
} .. "\n")
mock.serve(server, known, path:match "^(.*/)[^/]*$" or "")
return 0
