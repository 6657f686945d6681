-- Values that must never be shown or stored: what eval.env read, to be replaced wherever text leaves the program.

local secrets = {}

local SHORTEST_BYTES = 4 -- shorter values would blank out ordinary text
local values, names = {}, {}

---Remembers a value that came from the environment.
---@param name string the variable
---@param value string
function secrets.add(name, value)
  if #value < SHORTEST_BYTES or names[value] then return end
  names[value] = name
  values[#values + 1] = value
  table.sort(values, function(a, b) return #a > #b or #a == #b and a < b end) -- the longest is replaced first
end

---The values, longest first.
---@return string[]
function secrets.list() return values end

---`text` with every secret replaced by the name of its variable: `[API_KEY]`.
---@param text string
---@return string
function secrets.redact(text)
  for _, value in ipairs(values) do
    local position = text:find(value, 1, true)
    if position then
      local parts, start = {}, 1
      while position do
        parts[#parts + 1] = text:sub(start, position - 1)
        parts[#parts + 1] = "[" .. names[value] .. "]"
        start = position + #value
        position = text:find(value, start, true)
      end
      parts[#parts + 1] = text:sub(start)
      text = table.concat(parts)
    end
  end
  return text
end

return secrets
