-- Mistyped names are errors: records that refuse unknown fields, guarded globals, and the nearest right name.

local place = require "evalua.place"

local strict = {}

local NAME_BYTES_MAX = 100 -- longer names are compared by their beginning
local NAMES_SHOWN = 12     -- of a list of right names in a message

---The name in `names` that `wrong` most likely stands for.
---@param wrong any
---@param names string[]
---@return string|nil nearest nil where none is near
function strict.nearest(wrong, names)
  local damerau = require("evalua.native.text").damerau
  local key = tostring(wrong):sub(1, NAME_BYTES_MAX):lower()
  if not utf8.len(key) then return nil end
  local best, best_edits
  for _, name in ipairs(names) do
    local candidate = name:sub(1, NAME_BYTES_MAX):lower()
    if utf8.len(candidate) then
      local edits = damerau(key, candidate)
      if #key >= 3 and #candidate > #key and candidate:sub(1, #key) == key then edits = math.min(edits, 1) end
      local shares = edits < #key -- names that share nothing are not near, however short: "x" is no "e"
      if shares and (not best_edits or edits < best_edits) then best, best_edits = name, edits end
    end
  end
  if best and best_edits <= math.max(1, math.min(#key, #best) // 3) then return best end
  return nil
end

---The end of a message about a wrong name: `; did you mean "x"?`, or the names that there are.
---@param wrong any
---@param names string[]
---@param kind string|nil plural of what they are ("datasets")
---@return string
function strict.hint(wrong, names, kind)
  local name = strict.nearest(wrong, names)
  if name then return ('; did you mean "%s"?'):format(name) end
  if #names == 0 then return kind and ("; there are no %s"):format((kind:gsub("^its ", ""))) or "" end
  local more = #names > NAMES_SHOWN and (" and %d more"):format(#names - NAMES_SHOWN) or ""
  local shown = table.concat(names, ", ", 1, math.min(#names, NAMES_SHOWN))
  return ("; %s are %s%s"):format(kind or "right ones", shown, more)
end

---The string keys of a table, sorted.
---@param map table
---@return string[]
function strict.keys(map)
  local keys = {}
  for key in next, map do if type(key) == "string" then keys[#keys + 1] = key end end
  table.sort(keys)
  return keys
end

---True where the list has the value.
---@param list any[]
---@param value any
---@return boolean
function strict.contains(list, value)
  for _, entry in ipairs(list) do if entry == value then return true end end
  return false
end

-- Sets of known fields, by the list or map that they came from.
local known_sets = setmetatable({}, { __mode = "k" })

local function known_set(known)
  local found = known_sets[known]
  if not found then
    found = {}
    for key, value in next, known do
      if type(key) == "number" then found[value] = true else found[key] = true end
    end
    known_sets[known] = found
  end
  return found
end

local metatables = setmetatable({}, { __mode = "k" }) -- metatables by known set, then by `what`

---The metatable of strict records with these fields; one per (known, what), so records are cheap.
---@param known table a list of names, or a map whose keys they are
---@param what string what the record is called in messages: "run"
---@return table
function strict.metatable(known, what)
  local set = known_set(known)
  local by_name = metatables[set]
  if not by_name then
    by_name = {}
    metatables[set] = by_name
  end
  local metatable = by_name[what]
  if not metatable then
    metatable = {
      __index = function(_, key)
        if set[key] then return nil end
        place.fail(("unknown field %s of %s%s"):format(
          type(key) == "string" and ('"%s"'):format(key) or tostring(key), what,
          strict.hint(key, strict.keys(set), "its fields")))
      end,
      __name = "evalua.record",
    }
    by_name[what] = metatable
  end
  return metatable
end

---Makes `values` a strict record: reading a field that is not known raises, a known one that is absent is nil.
---@generic T: table
---@param values T becomes the record itself
---@param known table a list of names, or a map whose keys they are
---@param what string what the record is called in messages: "run"
---@return T
function strict.record(values, known, what)
  return setmetatable(values, strict.metatable(known, what))
end

---A table of names that refuses the unknown ones at reading and any at assigning.
---@param values table
---@param what string "eval.scorers"
---@return table values
function strict.namespace(values, what)
  return setmetatable(place.keep_frames(values), {
    __index = function(_, key)
      place.fail(("unknown name %s.%s%s"):format(what, tostring(key),
        strict.hint(key, strict.keys(values), "its names")))
    end,
    __newindex = function(_, key)
      place.fail(("%s.%s cannot be assigned"):format(what, tostring(key)))
    end,
  })
end

-- The function that assigns or reads is the one that called the metamethod.
local function in_main_chunk()
  local info = debug.getinfo(3, "S")
  return info == nil or info.what == "main" or info.what == "C"
end

---Guards a table of globals. Reading an undeclared global raises. Assigning one at the top level of a file declares
---it, as plain Lua does; inside a function it raises, because items run at the same time and in several processes.
---@param environment table
---@return table environment
function strict.globals(environment)
  local declared = {}
  return setmetatable(environment, {
    __index = function(_, key)
      if declared[key] then return nil end
      place.fail(("undeclared global %s%s"):format(tostring(key),
        require("evalua.undeclared").hint(key, environment)))
    end,
    __newindex = function(_, key, value)
      if not declared[key] and not in_main_chunk() then
        place.fail(("undeclared global %s is assigned in a function; write `local %s`, or declare it at the top "
          .. "level"):format(tostring(key), tostring(key)))
      end
      declared[key] = true
      rawset(environment, key, value)
    end,
  })
end

return strict
