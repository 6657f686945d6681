-- Durations: numbers are milliseconds, strings carry a unit ("500ms" "30s" "2m" "1h").

local duration = {}

local units = { ms = 1, s = 1000, m = 60 * 1000, h = 60 * 60 * 1000 }

duration.MAX_MS = 365 * 24 * units.h -- a year; what is longer is a mistake

---Milliseconds of a duration.
---@param value number|string
---@return number|nil ms, string|nil problem what is wrong with it
function duration.parse(value)
  local ms
  if type(value) == "number" then
    ms = value
  elseif type(value) == "string" then
    local digits, unit = value:match("^%s*(%d+%.?%d*)%s*(%a*)%s*$")
    if not digits then
      return nil, ('"%s" is not a duration; write for example "500ms", "30s" or "2m"'):format(value)
    end
    if unit == "" then
      return nil, ('"%s" has no unit; write "%sms", "%ss" or "%sm", or a number for milliseconds'):format(value, digits,
        digits, digits)
    end
    if not units[unit] then
      return nil, ('"%s" has an unknown unit "%s"; units are ms, s, m and h'):format(value, unit)
    end
    ms = tonumber(digits) * units[unit]
  else
    return nil, ("a duration is a number of milliseconds or a string such as \"30s\", not a %s"):format(type(value))
  end
  if ms ~= ms or ms < 0 then return nil, ("%s is not a duration; it cannot be negative"):format(tostring(value)) end
  if ms > duration.MAX_MS then
    return nil, ("%s is longer than a year (duration.MAX_MS)"):format(tostring(value))
  end
  return math.tointeger(ms) or ms
end

---A duration as people write it: 1500 gives "1.5s".
---@param ms number
---@return string
function duration.text(ms)
  local function number(value)
    if value > 0 and value < 0.1 then return ("%.2g"):format(value) end
    return math.tointeger(value) and ("%d"):format(value) or (("%.2f"):format(value):gsub("%.?0+$", ""))
  end
  if ms < units.s then return number(ms) .. "ms" end
  if ms < units.m then return number(ms / units.s) .. "s" end
  if ms < units.h then return number(ms / units.m) .. "m" end
  return number(ms / units.h) .. "h"
end

return duration
