-- evalua mock: an HTTP server whose routes a Lua script says, to try targets without a network or a key.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local options = require "evalua.cli.options"
local script = require "evalua.cli.script"
local sys = require "evalua.native.sys"

local parsed = options.begin("mock", ...)
if not parsed then return 0 end

local path = parsed[1]
local routes = script.load("mock", path)()
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
local function serve()
  sys.stdout_write(json.encode {
    event = "listening", host = host, port = port,
    url = ("http://%s:%d"):format(host:find(":", 1, true) and "[" .. host .. "]" or host, port),
  } .. "\n")
  mock.serve(server, known, path:match "^(.*/)[^/]*$" or "")
end
-- Ctrl-C and SIGTERM are how it is meant to end.
local interrupted, served, failure = require("evalua.native.engine").guard(serve)
if not served and not interrupted then error(failure, 0) end
return fail.codes.ok
