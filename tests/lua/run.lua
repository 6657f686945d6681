-- Runs spec files and prints TAP: evalua exec tests/lua/run.lua FILE...
-- Works under plain lua5.4 too, for modules that are pure Lua.

local here = (debug.getinfo(1, "S").source:match("^[@=](.*)/[^/]*$")) or "tests/lua"
package.path = here .. "/?.lua;" .. here .. "/../../stdlib/?.lua;" .. package.path

local t = require "harness"

local files = { ... }
if #files == 0 then
  io.stderr:write("usage: evalua exec tests/lua/run.lua FILE_spec.lua...\n")
  return 2
end
for _, path in ipairs(files) do t.run_file(path) end
return t.finish() > 0 and 1 or 0
