-- Digests of definitions: what a target, scorer or dataset is, as SHA-256 over its options and function source text.

local json = require "evalua.json"

local digest = {}

local lines_by_file = {}

local function file_lines(path)
  local lines = lines_by_file[path]
  if lines == nil then
    lines = false
    local file = io.open(path, "rb")
    if file then
      lines = {}
      for line in file:lines("L") do lines[#lines + 1] = line end
      file:close()
    end
    lines_by_file[path] = lines
  end
  return lines
end

---Forgets the source lines that were read; files may change until the next digest.
function digest.forget_files() lines_by_file = {} end

---The source text of a function: its lines in its file. Functions of C and of the library give their name.
---@param target function
---@return string
function digest.function_text(target)
  local info = debug.getinfo(target, "S")
  local source, first, last = info.source, info.linedefined, info.lastlinedefined
  if info.what == "C" then return "C function" end
  local lines
  if source:sub(1, 1) == "@" then
    lines = file_lines(source:sub(2))
  elseif source:sub(1, 1) ~= "=" then
    lines = {}
    for line in source:gmatch("[^\n]*\n?") do lines[#lines + 1] = line end
  end
  if not lines or not lines[last] then return ("%s:%d-%d"):format(source, first, last) end
  return table.concat(lines, "", first, last)
end

-- A value as plain data: functions become their text, handles their digest, tables lists of sorted pairs.
local function plain(value, seen)
  local kind = type(value)
  if kind == "function" then return json.array { "function", digest.function_text(value) } end
  if kind == "string" then return json.array { "string", (json.repair(value)) } end
  if kind == "number" then return ("%s %q"):format(math.type(value), value) end
  if kind ~= "table" then return tostring(value == json.null and "null" or kind == "boolean" and value or kind) end
  if seen[value] then return "cycle" end
  seen[value] = true
  local own = rawget(value, "digest")
  if type(own) == "string" then
    seen[value] = nil
    return json.array { "digest", own }
  end
  local pairs_of = {}
  for key, entry in next, value do
    pairs_of[#pairs_of + 1] = json.array { ("%s %s"):format(type(key), tostring(key)), plain(entry, seen) }
  end
  table.sort(pairs_of, function(a, b) return a[1] < b[1] end)
  seen[value] = nil
  return json.array(pairs_of)
end

---SHA-256 (hexadecimal) of a definition.
---@param definition any options, functions and nested tables
---@return string
function digest.of(definition)
  return require("evalua.native.text").sha256(json.identity(plain(definition, {})))
end

return digest
