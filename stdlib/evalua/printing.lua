-- What `print` does while stdout carries results only: lines go to stderr, safe for terminals and CI systems, because
-- people print what a model wrote. In an item each line begins with its id.

local engine = require "evalua.native.engine"
local sys = require "evalua.native.sys"

local printing = {}

local function print_line(...)
  local text = require "evalua.report.text"
  local parts = table.pack(...)
  for position = 1, parts.n do parts[position] = tostring(parts[position]) end
  local id = engine.current_item()
  local prefix = id and ("[%s] "):format(text.clean(id)) or ""
  local printed = text.clean(table.concat(parts, "\t", 1, parts.n)):gsub("\n", "\n" .. prefix:gsub("%%", "%%%%"))
  sys.stderr_write(text.neutral(prefix .. printed .. "\n"))
end

---From here on `print` writes to stderr.
function printing.to_stderr() _G.print = print_line end

return printing
