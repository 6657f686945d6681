-- Finds the last number that a text holds.

local numbers = {}

local ZERO, NINE = ("0"):byte(), ("9"):byte()
local MINUS_SIGN = "\u{2212}"

local function is_digit(byte) return byte ~= nil and byte >= ZERO and byte <= NINE end

-- The first byte of the number whose last digit is at `finish`, walking back over digits and separators that have a
-- digit before them; then over the decimal mark if the walk met one.
local function number_start(subject, finish)
  local start = finish
  while start > 1 do
    local byte = subject:byte(start - 1)
    if is_digit(byte) then start = start - 1
    elseif (byte == 44 or byte == 46) and start > 2 and is_digit(subject:byte(start - 2)) then start = start - 2
    else break end
  end
  return start
end

-- Of a run of digits, commas and dots: the part after the last impossible mark, as plain digits and one dot.
-- "1,450.75" gives "1450.75"; a second decimal mark starts a new number: "3.0.1" gives "0.1".
local function plain_number(run, decimal_comma)
  local thousands, decimal = ",", "."
  if decimal_comma then thousands, decimal = ".", "," end
  run = run:gsub("%" .. thousands, "")
  local before, after = run:match("^(.*)%" .. decimal .. "(%d+)$")
  if not before then return run end
  return (before:match("(%d+)$") or "") .. "." .. after
end

-- An exponent directly after digits belongs to them: in "1.5e-3" the last digits are not a number of their own.
local function with_exponent(subject, start)
  local mantissa_end = subject:sub(math.max(1, start - 3), start - 1):match("()[eE][+-]?$")
  if not mantissa_end then return nil end
  mantissa_end = math.max(1, start - 3) + mantissa_end - 2
  if not is_digit(subject:byte(mantissa_end)) then return nil end
  return mantissa_end
end

-- A sign counts at the start of a number, where it cannot be an operator: "10-5" ends in 5, "= -5" in -5.
local function is_negative(subject, start)
  local head = subject:sub(math.max(1, start - 16), start - 1)
  local before = head:match("^(.*)%-$") or head:match("^(.*)" .. MINUS_SIGN .. "$")
  if not before then
    -- A currency sign may stand between: "-$9".
    local bare = head:match("^(.*)%$$") or head:match("^(.*)\u{20AC}$") or head:match("^(.*)\u{A3}$")
      or head:match("^(.*)\u{A5}$")
    before = bare and (bare:match("^(.*)%-$") or bare:match("^(.*)" .. MINUS_SIGN .. "$"))
  end
  return before ~= nil and not before:find("[%w%)%]]$")
end

local function last_digit(subject)
  for position = #subject, 1, -1 do
    if is_digit(subject:byte(position)) then return position end
  end
  return nil
end

-- What follows the last occurrence of the marker.
local function after_last(subject, marker)
  local from, found = 1, nil
  while true do
    local start, finish = subject:find(marker, from, true)
    if not start then break end
    found, from = finish, start + 1
  end
  return found and subject:sub(found + 1)
end

---The last number in a text: an integer where it is one, else a float.
---@param subject string
---@param marker? string read only what follows its last occurrence
---@param decimal_comma? boolean commas mark decimals, dots separate thousands
---@return number|nil
---@return string|nil why there is none
function numbers.last(subject, marker, decimal_comma)
  if marker then
    local rest = after_last(subject, marker)
    if not rest then return nil, ("the output has no %q"):format(marker) end
    subject = rest
  end
  local finish = last_digit(subject)
  if not finish then return nil, "there is no number in the output" end
  local start, exponent = number_start(subject, finish), ""
  local mantissa_end = with_exponent(subject, start)
  if mantissa_end then
    exponent = subject:sub(mantissa_end + 1, finish)
    finish = mantissa_end
    start = number_start(subject, finish)
  end
  -- ".5" is a number; "1. 5" and "etc.5" read the same way, which does no harm to integers.
  local text = plain_number(subject:sub(start, finish), decimal_comma)
  local mark = decimal_comma and "," or "."
  if subject:sub(start - 1, start - 1) == mark and not text:find(".", 1, true)
    and not subject:sub(1, start - 2):find("[%w%)]$") then
    text, start = "." .. text, start - 1
  end
  local number = tonumber(text .. exponent)
  if not number or number == math.huge then return nil, "the last number in the output is too large" end
  if is_negative(subject, start) then number = -number end
  return number
end

return numbers
