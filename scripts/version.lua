-- evalua version: prints the version of the program.

local json = require "evalua.json"
local options = require "evalua.cli.options"
local sys = require "evalua.native.sys"

local parsed = options.begin("version", ...)
if not parsed then return 0 end
local version = type(sys.version) == "function" and sys.version() or sys.version or "unknown"
if parsed.format == "json" then
  sys.stdout_write(json.encode({ version = version, lua = _VERSION }) .. "\n")
else
  sys.stdout_write(("evalua %s (%s)\n"):format(version, _VERSION))
end
return 0
