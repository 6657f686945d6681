-- What would be right where a script reads a global that nothing has declared.

local place = require "evalua.place"
local strict = require "evalua.strict"

local undeclared = {}

local GROUPS = { "scorers", "rules", "metrics", "reducers" }

-- The variables that the innermost function of the script sees: its locals and those of functions around it.
local function visible_names()
  local names, level = {}, 2
  local info = debug.getinfo(level, "Sf")
  while info and place.is_own(info.source) do
    level = level + 1
    info = debug.getinfo(level, "Sf")
  end
  if not info then return names end
  local function collect(get, of)
    local position = 1
    local name = get(of, position)
    while name do
      if name:find("^[%a_][%w_]*$") and name ~= "_ENV" then names[#names + 1] = name end
      position = position + 1
      name = get(of, position)
    end
  end
  collect(function(_, position) return (debug.getlocal(level + 2, position)) end)
  collect(debug.getupvalue, info.func)
  return names
end

-- `eval.scorers.exact` for exact; nil where the library has no such name.
local function library_name(name)
  local eval = require "evalua"
  for known in pairs(eval) do if known == name then return "eval." .. name end end
  for _, group in ipairs(GROUPS) do
    if rawget(eval[group], name) ~= nil then return ("eval.%s.%s"):format(group, name) end
  end
end

---The end of the message: the nearest name that is there, the name in the library, or how to declare one.
---@param name any what was read
---@param globals table
---@return string
function undeclared.hint(name, globals)
  if name == "eval" or name == "evalua" then return ('; write `local %s = require "evalua"` above'):format(name) end
  local near = strict.nearest(name, visible_names())
  if near then return ('; did you mean "%s"?'):format(near) end
  local full = library_name(name)
  if full then return ("; write `%s`"):format(full) end
  near = strict.nearest(name, strict.keys(globals))
  if near then return ('; did you mean "%s"?'):format(near) end
  if type(name) ~= "string" or not name:find("^[%a_][%w_]*$") then return "; nothing has declared it" end
  return ("; nothing has declared it: write `local %s = ...` above the line that uses it"):format(name)
end

return undeclared
