-- Texts and tables with places for values: "{{input.question}}", "{{json input}}".

local json = require "evalua.json"

local template = {}

-- What a place may begin with.
template.roots = { "input", "item", "id", "metadata", "context", "tags", "trial" }

local PLACE = "{{%s*([^{}]-)%s*}}"

local function split(path)
  local names = {}
  for name in path:gmatch "[^.]+" do names[#names + 1] = name end
  return names
end

local function is_root(name)
  for _, root in ipairs(template.roots) do if root == name then return true end end
  return false
end

---What is wrong with the places of a text (or of the texts in a table).
---@param value any
---@param what string how messages call it
---@param problems string[] gets them
function template.check(value, what, problems)
  if type(value) == "table" then
    for key, entry in next, value do template.check(entry, ("%s.%s"):format(what, tostring(key)), problems) end
  elseif type(value) == "string" then
    for path in value:gmatch(PLACE) do
      local root = path:gsub("^json%s+", ""):match "^[^.]*"
      if not is_root(root) then
        problems[#problems + 1] = ('%s: {{%s}} begins with "%s"; a place begins with one of %s'):format(what, path,
          root, table.concat(template.roots, ", "))
      end
    end
  end
end

local function look_up(path, item)
  local names = split(path)
  local value = item
  if names[1] == "item" then table.remove(names, 1) end
  for position, name in ipairs(names) do
    if type(value) ~= "table" then value = nil break end
    local found = rawget(value, name)
    if found == nil and name:find "^%d+$" then found = rawget(value, math.tointeger(name)) end
    value = found
    if value == nil then
      require("evalua.failure").raise(("the template asks for {{%s}}, but item %s has no %s"):format(path,
        tostring(item.id), table.concat(names, ".", 1, position)), { permanent = true, code = "bad_template" })
    end
  end
  return value
end

local function as_text(value)
  if type(value) == "string" then return value end
  return json.encode(value)
end

---A text with its places filled.
---@param text string
---@param item table
---@param escape (fun(text: string): string)|nil applied to each value
---@return string
function template.text(text, item, escape)
  return (text:gsub(PLACE, function(path)
    local of_json = path:match "^json%s+(.*)$"
    local value = look_up(of_json or path, item)
    local filled = of_json and json.encode(value) or as_text(value)
    return escape and escape(filled) or filled
  end))
end

---A copy of a value with the places in its texts filled. A text that is one place becomes the value itself.
---@param value any
---@param item table
---@return any
function template.value(value, item)
  if type(value) == "string" then
    local path = value:match("^" .. PLACE .. "$")
    if path and not path:find "^json%s" then return look_up(path, item) end
    return template.text(value, item)
  elseif type(value) ~= "table" then
    return value
  end
  local copy = setmetatable({}, getmetatable(value))
  for key, entry in next, value do copy[key] = template.value(entry, item) end
  return copy
end

return template
