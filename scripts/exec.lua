-- evalua exec: runs any Lua script with evalua's libraries; its integer result is the exit code.

local fail = require "evalua.cli.fail"
local options = require "evalua.cli.options"
local script = require "evalua.cli.script"

local parsed = options.begin("exec", ...)
if not parsed then return 0 end

if parsed.store then require("evalua.store_context").set_default(parsed.store) end
local path = table.remove(parsed, 1)
local chunk, globals = script.load("exec", path)
globals.arg = table.move(parsed, 1, #parsed, 1, { [0] = path }) -- as programs of Lua know them
collectgarbage("incremental", 200, 0) -- the start-up setting is for loading modules only
local result = chunk(table.unpack(parsed))
if math.type(result) ~= "integer" then
  return require("evalua.judgement").interrupted and fail.codes.interrupted or 0
end
if result < 0 or result > 255 then
  fail.script(("%s: it returned %d; what a script returns is its exit code, a whole number from 0 to 255"):format(path,
    result))
end
return result
