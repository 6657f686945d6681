-- Two texts side by side with the words that differ marked: red and green where there are colours, [-so-] and {+so+}
-- elsewhere.

local text = require "evalua.report.text"

local word_diff = {}

local WORDS_MAX = 400  -- of each text; what is beyond is cut
local LINES_MAX = 12   -- of each side
local WIDTH = 100      -- where there is no terminal
local SEPARATOR = " | "
local BREAK = {}       -- a line break among the words

---@class evalua.diff_word
---@field text string
---@field changed boolean

local function words_of(value)
  local words, is_cut = {}, false
  for line in (value:gsub("\r\n?", "\n") .. "\n"):gmatch("(.-)\n") do
    if #words > 0 then words[#words + 1] = BREAK end
    for word in line:gmatch("%S+") do
      if #words >= WORDS_MAX then
        is_cut = true
        break
      end
      words[#words + 1] = word
    end
  end
  while words[#words] == BREAK do words[#words] = nil end
  return words, is_cut
end

-- lengths[i][j]: the longest common subsequence of the words from i and from j on.
local function common_lengths(a, b)
  local lengths = {}
  lengths[#a + 1] = {}
  for j = 1, #b + 1 do lengths[#a + 1][j] = 0 end
  for i = #a, 1, -1 do
    local row, below = { [#b + 1] = 0 }, lengths[i + 1]
    for j = #b, 1, -1 do
      row[j] = a[i] == b[j] and below[j + 1] + 1 or math.max(below[j], row[j + 1])
    end
    lengths[i] = row
  end
  return lengths
end

---The words of two texts, each with whether the other lacks it there.
---@param before string
---@param after string
---@return (evalua.diff_word|table)[] before_words
---@return (evalua.diff_word|table)[] after_words
function word_diff.words(before, after)
  local a, b = words_of(before), words_of(after)
  local lengths, i, j = common_lengths(a, b), 1, 1
  local left, right = {}, {}
  local function add(list, word, changed)
    list[#list + 1] = word == BREAK and BREAK or { text = word, changed = changed }
  end
  while i <= #a or j <= #b do
    if i <= #a and j <= #b and a[i] == b[j] then
      add(left, a[i], false)
      add(right, b[j], false)
      i, j = i + 1, j + 1
    elseif j > #b or i <= #a and lengths[i + 1][j] >= lengths[i][j + 1] then
      add(left, a[i], true)
      i = i + 1
    else
      add(right, b[j], true)
      j = j + 1
    end
  end
  return left, right
end

-- Words in lines of a width; each line is its text with marks, and the columns that it takes.
local function lines_of(words, width, paint, colour, marks)
  local lines, parts, used = {}, {}, 0
  local is_coloured = paint("red", "x") ~= "x"
  local function flush()
    lines[#lines + 1] = { table.concat(parts), used }
    parts, used = {}, 0
  end
  for _, word in ipairs(words) do
    if word == BREAK then
      flush()
    else
      local shown = word.text
      if word.changed and not is_coloured then shown = marks[1] .. shown .. marks[2] end
      if text.width(shown) > width then shown = text.cut(shown, width) end
      local size = text.width(shown)
      if used > 0 and used + 1 + size > width then flush() end
      if used > 0 then parts[#parts + 1], used = " ", used + 1 end
      parts[#parts + 1] = word.changed and paint(colour, shown) or shown
      used = used + size
    end
  end
  flush()
  if #lines > LINES_MAX then
    for position = #lines, LINES_MAX + 1, -1 do lines[position] = nil end
    lines[LINES_MAX] = { "...", 3 }
  end
  return lines
end

---Both texts side by side.
---@param before string clean text
---@param after string clean text
---@param settings { width: integer|nil, paint: fun(colour: string?, value: string): string, indent: string|nil,
---  titles: string[]|nil }
---@return string[] lines
function word_diff.lines(before, after, settings)
  local indent, paint = settings.indent or "  ", settings.paint
  local width = math.max(10, ((settings.width or WIDTH) - #indent - #SEPARATOR) // 2)
  local left, right = word_diff.words(before, after)
  local a = lines_of(left, width, paint, "red", { "[-", "-]" })
  local b = lines_of(right, width, paint, "green", { "{+", "+}" })
  local out = {}
  if settings.titles then
    table.insert(a, 1, { paint("dim", settings.titles[1]), #settings.titles[1] })
    table.insert(b, 1, { paint("dim", settings.titles[2]), #settings.titles[2] })
  end
  for position = 1, math.max(#a, #b) do
    local one, other = a[position] or { "", 0 }, b[position] or { "", 0 }
    out[position] = ((indent .. one[1] .. (" "):rep(width - one[2]) .. SEPARATOR .. other[1]):gsub("%s+$", ""))
  end
  return out
end

return word_diff
