-- Text that is safe and fits: terminal escapes stripped, control characters shown, widths counted, colour where wanted.

local sys = require "evalua.native.sys"
local json = require "evalua.json"
local secrets = require "evalua.secrets"

local text = {}

local ESCAPE = "\27"

-- Characters that would act on a terminal or reorder the line: shown by their number.
local function is_hidden(code)
  return (code < 0x20 and code ~= 0x0A and code ~= 0x09) or code == 0x7F or (code >= 0x80 and code <= 0x9F)
    or (code >= 0x200E and code <= 0x200F) or (code >= 0x2028 and code <= 0x202E)
    or (code >= 0x2066 and code <= 0x2069) or code == 0xFEFF
end

local function strip_escapes(value)
  value = value:gsub("\27%[[0-?]*[ -/]*[@-~]", "") -- CSI: colours, cursor movement
  value = value:gsub("\27[%]PX^_][^\7\27]*\7", "") -- OSC and the other strings, ended by BEL
  value = value:gsub("\27[%]PX^_][^\7\27]*\27\\", "") -- the same, ended by ST
  value = value:gsub("\27[ -/]+[0-~]", ""):gsub("\27[0-~]", "") -- the short ones
  value = value:gsub("\194\155[0-?]*[ -/]*[@-~]", "") -- CSI as one character (U+009B)
  return value
end

local function harmless(value)
  if value:find(ESCAPE, 1, true) or value:find("\194[\128-\159]") then value = strip_escapes(value) end
  if not value:find("[%c\127\194\226\239]") and utf8.len(value) then return value end
  local out, position = {}, 1
  while position <= #value do
    local stop = value:find("[%c\127-\255]", position)
    if not stop then
      out[#out + 1] = value:sub(position)
      break
    end
    if stop > position then out[#out + 1] = value:sub(position, stop - 1) end
    local sequence = value:match("^[\0-\127]", stop) or value:match("^[\194-\244][\128-\191]+", stop)
    local code = sequence and utf8.len(sequence) == 1 and utf8.codepoint(sequence)
    if not code then
      out[#out + 1], position = "\u{FFFD}", stop + 1
    else
      out[#out + 1] = not is_hidden(code) and sequence
        or (code < 0x100 and ("\\x%02x"):format(code) or ("\\u{%x}"):format(code))
      position = stop + #sequence
    end
  end
  return table.concat(out)
end

---Text from outside made safe for a terminal; newlines and tabs stay. Secrets are replaced here, though outputs do that
---too: what is escaped or shortened afterwards holds values that nobody would find.
---@param value string
---@return string
function text.clean(value)
  value = harmless(value)
  return secrets.count() > 0 and secrets.redact(value) or value
end

local wide = {
  { 0x1100, 0x115F }, { 0x2E80, 0x303E }, { 0x3041, 0xA4CF }, { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF },
  { 0xFE30, 0xFE6F }, { 0xFF00, 0xFF60 }, { 0xFFE0, 0xFFE6 }, { 0x1F300, 0x1F64F }, { 0x1F900, 0x1F9FF },
  { 0x20000, 0x3FFFD },
}

-- Columns that a character takes on a terminal.
local function columns(code)
  if code < 0x300 then return 1 end
  if code <= 0x36F or (code >= 0x200B and code <= 0x200D) or (code >= 0xFE00 and code <= 0xFE0F)
    or (code >= 0x20D0 and code <= 0x20FF) then
    return 0
  end
  for _, range in ipairs(wide) do if code >= range[1] and code <= range[2] then return 2 end end
  return 1
end

---The columns that `value` (clean text on one line) takes.
---@param value string
---@return integer
function text.width(value)
  if not value:find("[\128-\255]") then return #value end
  local total = 0
  for _, code in utf8.codes(value, true) do total = total + columns(code) end
  return total
end

---`value` cut to `width` columns, ending in an ellipsis where something is cut.
---@param value string clean text on one line
---@param width integer
---@return string
function text.cut(value, width)
  if text.width(value) <= width then return value end
  if width < 1 then return "" end
  local used = 0
  for position, code in utf8.codes(value, true) do
    local next_used = used + columns(code)
    if next_used > width - 1 then return value:sub(1, position - 1) .. "…" end
    used = next_used
  end
  return value
end

---Text in which nothing is a command of a CI system (`::set-output`, `##vso[`): a backslash or a space stands in it.
---@param value string lines
---@return string
function text.neutral(value)
  if value:find("::", 1, true) then
    value = value:gsub("^([ \t]*)::", "%1\\::"):gsub("([\n\r][ \t]*)::", "%1\\::")
  end
  return value:find("##", 1, true) and value:gsub("##(%a*)%[", "# #%1[") or value
end

---Breaks lines that are too long between words; the rest of a line is indented. A word that does not fit stays whole.
---@param value string lines; colours take no room
---@param width integer? nil: nothing is broken
---@param indent string? of the rest of a line
---@return string
function text.wrap(value, width, indent)
  if not width then return value end
  local lines = {}
  for line in (value .. "\n"):gmatch("(.-)\n") do
    local start, used, out = line:match("^%s*"), 0, {}
    local rest = indent or (start .. "  ")
    for word in line:sub(#start + 1):gmatch("%S+%s*") do
      local bare = word:gsub("%s+$", "")
      local size = text.width((bare:gsub("\27%[[%d;]*m", "")))
      if #out == 0 then
        out[1], used = start, #start
      elseif used + size > width and used > #rest then
        lines[#lines + 1] = (table.concat(out):gsub("%s+$", ""))
        out, used = { rest }, #rest
      end
      out[#out + 1] = word
      used = used + size + #word - #bare
    end
    lines[#lines + 1] = #out > 0 and table.concat(out) or line
  end
  return table.concat(lines, "\n")
end

local LINE_BYTES_MAX = 4096 -- of a value shown on one line, before it is cut to its column

local ESCAPE_BYTES_MAX = 12 -- of a character in JSON: two halves of a pair, \uD83D\uDE00

-- The beginning of a long JSON string as text.
local function beginning_of(raw)
  local part = raw:sub(1, LINE_BYTES_MAX)
  for _ = 0, ESCAPE_BYTES_MAX do -- the cut may have gone through a character
    local decoded = json.decode(part .. '"')
    if type(decoded) == "string" then return decoded .. "…" end
    part = part:sub(1, -2)
  end
  return part
end

---A value of an item or result on one line: strings in quotes only where their ends would not be seen.
---@param raw string? JSON text of the value
---@return string
function text.preview(raw)
  if raw == nil then return "" end
  local value = raw
  if raw:sub(1, 1) == '"' then
    local decoded = #raw <= LINE_BYTES_MAX and json.decode(raw)
    value = type(decoded) == "string" and decoded or beginning_of(raw)
  elseif #raw > LINE_BYTES_MAX then
    value = raw:sub(1, LINE_BYTES_MAX):gsub("[\128-\191]*[\192-\255]?$", "") .. "…"
  end
  value = text.clean(value):gsub("\n", "\\n"):gsub("\t", " ")
  if value == "" then return '""' end
  if value:find("^%s") or value:find("%s$") then return '"' .. value .. '"' end
  return value
end

local LARGE = 1e12 -- from here on powers of ten are easier to read

---A number for people: two decimals, more where two would hide that it is not 0 or 1, none for whole large ones, and
---powers of ten for very large ones.
---@param value number?
---@return string
function text.number(value)
  if value == nil then return "-" end
  if math.type(value) == "integer" then return tostring(value) end
  local size = math.abs(value)
  if value ~= value or size == math.huge then return "-" end
  if size >= LARGE then return ("%.4g"):format(value) end
  if size >= 1000 then return ("%.1f"):format(value) end
  local short = ("%.2f"):format(value)
  if tonumber(short) == value or value == 0 then return short == "-0.00" and "0.00" or short end
  for digits = 2, 6 do
    local rounded = (("%%.%df"):format(digits)):format(value)
    local shown = tonumber(rounded)
    if shown ~= 0 and (size > 1 or math.abs(shown) ~= 1) then return rounded end
  end
  return ("%.3g"):format(value)
end

---Two numbers that are to be told apart: with as many decimals as their difference needs, at most six.
---@param first number?
---@param second number?
---@return string
---@return string
function text.two_numbers(first, second)
  local shown, other = text.number(first), text.number(second)
  if shown ~= other or first == second or not first or not second then return shown, other end
  if math.abs(first) >= LARGE then return ("%.17g"):format(first), ("%.17g"):format(second) end
  for digits = 3, 6 do
    shown, other = (("%%.%df"):format(digits)):format(first), (("%%.%df"):format(digits)):format(second)
    if shown ~= other then break end
  end
  return shown, other
end

---A share such as 0.8213 as percent: `82.1%`.
---@param share number?
---@return string
function text.percent(share)
  if share == nil then return "-" end
  local shown = ("%.1f"):format(share * 100)
  if share < 1 and tonumber(shown) >= 100 then shown = "99.9" end
  if share > 0 and tonumber(shown) == 0 then shown = "<0.1" end
  return (shown:gsub("%.0$", "")) .. "%"
end

---A duration: `850 us`, `12 ms`, `3.2 s`, `4 min 05 s`, `2 h 10 min`.
---@param milliseconds number?
---@return string
function text.duration(milliseconds)
  if milliseconds == nil then return "-" end
  if milliseconds > 0 and milliseconds < 0.0005 then return "<1 us" end
  if milliseconds < 1 then return ("%.0f us"):format(milliseconds * 1000) end
  if milliseconds < 10 then return ("%.1f ms"):format(milliseconds) end
  if milliseconds < 1000 then return ("%.0f ms"):format(milliseconds) end
  local seconds = milliseconds / 1000
  if seconds < 60 then return ("%.1f s"):format(seconds) end
  local whole = math.floor(seconds + 0.5)
  if seconds >= 1e12 then return ("%.4g s"):format(seconds) end
  if whole < 3600 then return ("%d min %02d s"):format(whole // 60, whole % 60) end
  return ("%d h %02d min"):format(whole // 3600, whole % 3600 // 60)
end

---`1 item`, `2 items`.
---@param count integer
---@param noun string
---@return string
function text.count(count, noun)
  return ("%d %s%s"):format(count, noun, count == 1 and "" or "s")
end

local function colour_wanted(descriptor)
  local refused = sys.environ("NO_COLOR")
  if refused and refused ~= "" then return false end
  return sys.isatty(descriptor) and sys.environ("TERM") ~= "dumb"
end

---True where the environment variable says yes: set, and neither empty, `0` nor `false`.
---@param name string
---@return boolean
function text.is_set(name)
  local value = sys.environ(name)
  return value ~= nil and value ~= "" and value ~= "0" and value ~= "false"
end

---True where a line can be written over by the next: on a terminal with somebody before it. The terminal of a CI job
---keeps every line.
---@param descriptor integer
---@return boolean
function text.is_rewritable(descriptor)
  return sys.isatty(descriptor) and sys.environ("TERM") ~= "dumb"
    and not (text.is_set("CI") or text.is_set("GITHUB_ACTIONS"))
end

local codes = { bold = "1", dim = "2", red = "31", green = "32", yellow = "33", cyan = "36" }

---A function that colours text for the descriptor (1 stdout, 2 stderr), or leaves it alone.
---@param descriptor integer
---@return fun(colour: string?, value: string): string
function text.painter(descriptor)
  if not colour_wanted(descriptor) then return function(_, value) return value end end
  return function(colour, value)
    local code = colour and codes[colour]
    return code and ("\27[%sm%s\27[0m"):format(code, value) or value
  end
end

---The width that lines on the descriptor should fit, or nil in a pipe or file.
---@param descriptor integer
---@return integer?
function text.terminal_width(descriptor)
  if not sys.isatty(descriptor) then return nil end
  return sys.width(descriptor) or 80
end

local verdict_colours = {
  pass = "green", fail = "red", inconclusive = "yellow", error = "red", no_data = "red", improved = "green",
  regressed = "red", no_worse = "green", incomparable = "yellow", completed = "green", failed = "red",
  interrupted = "yellow", cancelled = "yellow",
}

---The colour of a status or verdict.
---@param verdict string?
---@return string?
function text.verdict_colour(verdict) return verdict and verdict_colours[verdict] end

return text
