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
    local open = value:gsub(PLACE, ""):find("{{", 1, true)
    if open and not value:find("{{[^{}]*[^%w%s_.{}-]") then
      problems[#problems + 1] = ('%s: a place begins with {{ and has no end; write "{{input.question}}"'):format(what)
    end
    for path in value:gmatch(PLACE) do
      local root = path:gsub("^json%s+", ""):match "^[^.]*"
      if not is_root(root) then
        problems[#problems + 1] = ('%s: {{%s}} begins with "%s"; a place begins with one of %s'):format(what, path,
          root, table.concat(template.roots, ", "))
      end
    end
  end
end

local function look_up(path, names, item)
  local value = item
  for position, name in ipairs(names) do
    local found
    if type(value) == "table" then
      found = rawget(value, name)
      if found == nil and name:find "^%d+$" then found = rawget(value, math.tointeger(name)) end
    end
    value = found
    if value == nil then
      require("evalua.failure").raise(("the template asks for {{%s}}, but item %s has no %s"):format(path,
        tostring(item.id), table.concat(names, ".", 1, position)), { permanent = true, code = "bad_template" })
    end
  end
  return value
end

-- A place as function(item) -> value.
local function place_of(path)
  local names = split(path)
  if names[1] == "item" then table.remove(names, 1) end
  return function(item) return look_up(path, names, item) end
end

local function as_text(value)
  if type(value) == "string" then return value end
  return json.encode(value)
end

-- A place within a text, as function(item) -> text.
local function text_place(path, escape)
  local of_json = path:match "^json%s+(.*)$"
  local value, shown = place_of(of_json or path), of_json and json.encode or as_text
  if not escape then return function(item) return shown(value(item)) end end
  return function(item) return escape(shown(value(item))) end
end

---A text as a function(item) that fills its places.
---@param text string
---@param escape (fun(text: string): string)|nil applied to each value
---@param keeps_first boolean|nil but not to one that the text begins with
---@return fun(item: table): string
---@return boolean is_constant it has no places
function template.compile_text(text, escape, keeps_first)
  local parts, after = {}, 1
  for start, path, next_start in text:gmatch("()" .. PLACE .. "()") do
    parts[#parts + 1] = text:sub(after, start - 1)
    parts[#parts + 1] = text_place(path, not (keeps_first and start == 1) and escape or nil)
    after = next_start
  end
  if #parts == 0 then return function() return text end, true end
  parts[#parts + 1] = text:sub(after)
  return function(item)
    local filled = {}
    for position, part in ipairs(parts) do filled[position] = position % 2 == 1 and part or part(item) end
    return table.concat(filled)
  end, false
end

---A value as a function(item) that copies it with the places in its texts filled. A text that is one place becomes the
---value itself.
---@param value any
---@return fun(item: table): any
---@return boolean is_constant it has no places
function template.compile(value)
  if type(value) == "string" then
    local path = value:match("^" .. PLACE .. "$")
    if path and not path:find "^json%s" then return place_of(path), false end
    return template.compile_text(value)
  elseif type(value) ~= "table" then
    return function() return value end, true
  end
  local methods, constants, filled, is_constant = getmetatable(value), {}, {}, true
  for key, entry in next, value do
    local fill, is_fixed = template.compile(entry)
    if is_fixed and type(entry) ~= "table" then constants[key] = entry else filled[key] = fill end
    is_constant = is_constant and is_fixed
  end
  return function(item)
    local copy = setmetatable({}, methods)
    for key, entry in next, constants do copy[key] = entry end
    for key, fill in next, filled do copy[key] = fill(item) end
    return copy
  end, is_constant
end

return template
