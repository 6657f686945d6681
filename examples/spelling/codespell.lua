-- Reads codespell's dictionary: 37,000 misspellings that people really made, each with its accepted corrections.
-- A line is `misspelling->correction`, or `misspelling->one, another,` (a comma at the end), or
-- `misspelling->correction, a reason why it is never corrected automatically`.

local codespell = {}

local places = {
  "/usr/lib/python3/dist-packages/codespell_lib/data/dictionary.txt", -- Debian's package
  "/usr/lib/python3.11/site-packages/codespell_lib/data/dictionary.txt",
  "/usr/share/codespell/dictionary.txt",
}

--- Where the dictionary is: the given path, or the first known place that has it.
---@param path string|nil
---@return string
function codespell.find(path)
  if path and path ~= "" then return path end
  for _, place in ipairs(places) do
    local file = io.open(place)
    if file then
      file:close()
      return place
    end
  end
  error("codespell's dictionary.txt is not here: install the Debian package codespell, or pass -p dictionary=PATH", 0)
end

---@param line string
---@return string|nil misspelling, string[]|nil corrections
function codespell.parse(line)
  local misspelling, rest = line:match("^(.-)%->(.+)$")
  if not misspelling or misspelling == "" then return nil end
  local corrections = {}
  for part in rest:gmatch("[^,]+") do
    local word = part:match("^%s*(.-)%s*$")
    if word ~= "" then corrections[#corrections + 1] = word end
  end
  if rest:find(",", 1, true) and not rest:find(",%s*$") then
    corrections[#corrections] = nil -- the part after the last comma is a reason, not a word
  end
  return misspelling, corrections
end

-- FNV-1a with 32 bits, then mixed: the same word is in the sample on every machine and in every version.
local function hash(text)
  local value = 2166136261
  for position = 1, #text do
    value = ((value ~ text:byte(position)) * 16777619) & 0xffffffff
  end
  value = ((value ~ (value >> 16)) * 0x85ebca6b) & 0xffffffff
  return (value ~ (value >> 13)) & 0xffffffff
end

--- Items one at a time, so that the list is never in memory as a whole. `share` (0 to 1) is the part of the words
--- that is taken; which ones depends on the word alone.
---@param path string
---@param share number
---@return fun(): table|nil
function codespell.items(path, share)
  local lines = io.lines(path)
  local limit = share * 4294967296
  return function()
    for line in lines do
      local misspelling, corrections = codespell.parse(line)
      if misspelling and #corrections > 0 and hash(misspelling) < limit then
        return { id = misspelling, input = misspelling, ground_truth = corrections }
      end
    end
    return nil
  end
end

return codespell
