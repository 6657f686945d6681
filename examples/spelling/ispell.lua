-- The line protocol of ispell -a, which hunspell and aspell speak too.
-- A request is one line that starts with `^` (so that nothing in it is a command). The reply is one line per word that
-- the program sees in it, then an empty line; the very first line of all is a banner.
--   *  or  + ROOT  or  -                   the word is fine
--   & WORD COUNT OFFSET: one, two, ...     it is not, and these are the suggestions, best first
--   # WORD OFFSET                          it is not, and there are none

local eval = require "evalua"

local ispell = {}

local keep = 10 -- suggestions kept per word; the scorers look at five

---@param word string
---@return string
function ispell.request(word)
  return "^" .. word
end

--- Reads the banner of a program that has just started.
---@param read_line fun(): string|nil
function ispell.ready(read_line)
  local banner = read_line()
  if banner and not banner:find("^@%(#%)") then error("not an ispell banner: " .. banner, 0) end
end

local function read_word(line)
  local word, offset, list = line:match("^& (%S+) %d+ (%d+): (.*)$")
  if word then
    local suggestions = {}
    for suggestion in (list .. ", "):gmatch("(.-), ") do suggestions[#suggestions + 1] = suggestion end
    return { word = word, offset = tonumber(offset), suggestions = suggestions }
  end
  word, offset = line:match("^# (%S+) (%d+)$")
  if word then return { word = word, offset = tonumber(offset), suggestions = {} } end
  if line:find("^[*+-]") then return nil end -- a word that is fine
  error("not an ispell reply: " .. line, 0)
end

--- Reads one reply: the parts of the request that the program does not know, each with its suggestions.
---@param read_line fun(): string|nil
---@return table[] parts
function ispell.read_parts(read_line)
  local parts = {}
  while true do
    local line = read_line()
    if not line then error("the speller ended in the middle of a reply", 0) end
    if line == "" then return parts end
    parts[#parts + 1] = read_word(line)
  end
end

--- Suggestions for the whole input: `auto-detet` is answered for `detet` alone, so each suggestion is put in its place.
--- Where several parts are wrong, the first suggestion of each makes the first of the whole, and so on.
---@param input string
---@param parts table[]
---@return string[] suggestions
function ispell.corrections(input, parts)
  local corrections, most = {}, 0
  for _, part in ipairs(parts) do
    if #part.suggestions == 0 then return corrections end -- one part without an idea: no idea for the whole
    most = math.max(most, #part.suggestions)
  end
  for rank = 1, math.min(most, keep) do
    local text, copied = {}, 1
    for _, part in ipairs(parts) do
      -- The offset counts the `^`, so it is the position of the part in the input, from 1.
      text[#text + 1] = input:sub(copied, part.offset - 1)
      text[#text + 1] = part.suggestions[rank] or part.suggestions[#part.suggestions]
      copied = part.offset + #part.word
    end
    text[#text + 1] = input:sub(copied)
    corrections[rank] = table.concat(text)
  end
  return corrections
end

---@param read_line fun(): string|nil
---@param word string the request that this is the reply to
---@return string[] suggestions, best first; none if the program takes the word for right
function ispell.response(read_line, word)
  return eval.json.array(ispell.corrections(word, ispell.read_parts(read_line)))
end

return ispell
