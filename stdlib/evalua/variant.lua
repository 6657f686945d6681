-- Names of variants: `model=a,prompt=short`, as eval.matrix makes them, and what is written of them.

local variant = {}

local function parts_of(text)
  local parts = {}
  for part in text:gmatch("[^,]+") do parts[part:match("^%s*(.-)%s*$")] = true end
  return parts
end

---True where `wanted` names the variant: as it is, or as some of its pairs in any order (`prompt=short`).
---@param name string|nil a variant; nil: the experiment has none
---@param wanted string
---@return boolean
function variant.matches(name, wanted)
  if not name or name == "" then return false end
  if name == wanted then return true end
  if not wanted:find("=", 1, true) then return false end
  local parts = parts_of(name)
  for part in next, parts_of(wanted) do
    if not parts[part] then return false end
  end
  return true
end

---The name and the variant of `qa[prompt=short]`.
---@param text string
---@return string|nil name nil where it is not of that form
---@return string|nil wanted
function variant.split(text) return text:match("^(.-)%[(.+)%]$") end

return variant
