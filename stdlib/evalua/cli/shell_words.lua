-- Splits a command line into its words by the quoting rules of a POSIX shell, without ever running a shell.

local SHELL_ONLY = "[|&;<>()$`]" -- words that a shell would act on, when they stand unquoted

---Splits `line` into words: quotes and backslashes as in sh; nothing is expanded.
---@param line string
---@return string[]? words
---@return string? message what cannot be split, or what only a shell could do
local function split(line)
  local words, word, position = {}, nil, 1
  while position <= #line do
    local character = line:sub(position, position)
    if character:match("%s") then
      if word then words[#words + 1], word = word, nil end
      position = position + 1
    elseif character == "'" then
      local closing = line:find("'", position + 1, true)
      if not closing then return nil, ("the quote at character %d is not closed"):format(position) end
      word = (word or "") .. line:sub(position + 1, closing - 1)
      position = closing + 1
    elseif character == '"' then
      local start = position
      word, position = word or "", position + 1
      while true do
        local inner = line:sub(position, position)
        if inner == "" then return nil, ("the quote at character %d is not closed"):format(start) end
        if inner == '"' then break end
        if inner == "\\" and line:sub(position + 1, position + 1):match('[\\"$`]') then
          position = position + 1
          inner = line:sub(position, position)
        end
        word, position = word .. inner, position + 1
      end
      position = position + 1
    elseif character == "\\" then
      if position == #line then return nil, "a backslash stands at the end" end
      word, position = (word or "") .. line:sub(position + 1, position + 1), position + 2
    elseif character:match(SHELL_ONLY) then
      return nil, ("%s at character %d needs a shell; write sh -c '...' if you want one, or quote it"):format(
        character, position)
    else
      word, position = (word or "") .. character, position + 1
    end
  end
  if word then words[#words + 1] = word end
  if #words == 0 then return nil, "it is empty" end
  return words
end

return { split = split }
