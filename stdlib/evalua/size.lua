-- Sizes: numbers are bytes, strings carry a unit ("64KB", "512MB", "1GiB").

local size = {}

local units = {
  b = 1, kb = 1000, mb = 1000 ^ 2, gb = 1000 ^ 3, kib = 1024, mib = 1024 ^ 2, gib = 1024 ^ 3,
}

---Bytes of a size.
---@param value number|string
---@return integer|nil bytes
---@return string|nil problem what is wrong with it
function size.parse(value)
  local bytes = value
  if type(value) == "string" then
    local digits, unit = value:match("^%s*(%d+%.?%d*)%s*(%a*)%s*$")
    if not digits or unit == "" or not units[unit:lower()] then
      return nil, ('"%s" is not a size; write for example "64KB", "512MB" or "1GiB", or a number of bytes'):format(
        value)
    end
    bytes = tonumber(digits) * units[unit:lower()]
  elseif type(value) ~= "number" then
    return nil, ('a size is a number of bytes or a string such as "512MB", not a %s'):format(type(value))
  end
  local whole = math.tointeger(bytes) or bytes == bytes and bytes < 2 ^ 62 and math.tointeger(bytes // 1)
  if not whole or whole < 1 then return nil, ("%s is not a size; it is at least 1 byte"):format(tostring(value)) end
  return whole
end

local shown = { { 1024 ^ 3, "GiB" }, { 1024 ^ 2, "MiB" }, { 1024, "KiB" } }

---A size as people write it: 1073741824 gives "1 GiB"; what is no round figure is in bytes.
---@param bytes integer
---@return string
function size.text(bytes)
  for _, unit in ipairs(shown) do
    if bytes >= unit[1] and bytes % (unit[1] // 4) == 0 then return ("%g %s"):format(bytes / unit[1], unit[2]) end
  end
  return ("%d bytes"):format(bytes)
end

return size
