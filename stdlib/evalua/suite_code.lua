-- The files that a suite's code consists of, as digests: what a resumed run is compared with.

local sys = require "evalua.native.sys"
local text = require "evalua.native.text"

local suite_code = {}

local FILE_BYTES_MAX = 16 * 1024 * 1024 -- larger ones are data

---SHA-256 of every file, by its absolute path. Files that cannot be read are left out.
---@param files string[]
---@return table<string, string>
function suite_code.digests(files)
  local digests = {}
  for _, file in ipairs(files) do
    local path = sys.realpath(file)
    local content = path and not digests[path] and sys.read_file(path, FILE_BYTES_MAX)
    if content then digests[path] = text.sha256(content) end
  end
  return digests
end

---Which files are others than they were.
---@param before table<string, string>
---@param now table<string, string>
---@return string[] lines such as "suite.eval.lua changed", by path
function suite_code.changes(before, now)
  local lines = {}
  for path, digest in next, before do
    if now[path] == nil then
      lines[#lines + 1] = path .. " is no longer part of it"
    elseif now[path] ~= digest then
      lines[#lines + 1] = path .. " changed"
    end
  end
  for path in next, now do if before[path] == nil then lines[#lines + 1] = path .. " is new" end end
  table.sort(lines)
  return lines
end

return suite_code
