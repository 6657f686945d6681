-- Finds what `evalua run` and `list suites` speak of: suites (*.eval.lua), and files of cases.

local fail = require "evalua.cli.fail"
local strict = require "evalua.strict"
local sys = require "evalua.native.sys"

local suites = {}

local DEPTH_MAX = 64 -- of directories
local skipped_directories = { node_modules = true }

local function join(directory, name)
  if directory == "." then return name end
  return directory:match("/$") and directory .. name or directory .. "/" .. name
end

local function is_suite(path) return path:match("%.eval%.lua$") ~= nil end

-- Each directory once, however many links lead to it.
local function collect(directory, found, depth, seen)
  local real = sys.realpath(directory) or directory
  if depth > DEPTH_MAX or seen[real] then return end
  seen[real] = true
  local names = sys.list(directory)
  if not names then return end
  table.sort(names)
  local inner = {}
  for _, name in ipairs(names) do
    if name:sub(1, 1) ~= "." and not skipped_directories[name] then
      local path = join(directory, name)
      if is_suite(name) and sys.exists(path) == "file" then
        found[#found + 1] = path
      elseif sys.exists(path) == "directory" then
        inner[#inner + 1] = path
      end
    end
  end
  for _, path in ipairs(inner) do collect(path, found, depth + 1, seen) end
end

---The suites below a directory, by name, files before directories; dot directories and node_modules are left out.
---@param directory string
---@return string[] paths
function suites.below(directory)
  local found = {}
  collect(directory, found, 0, {})
  return found
end

local function not_there(path)
  local directory, name = path:match("^(.*)/([^/]*)$")
  directory = directory or "."
  local hint
  local names = sys.list(directory == "" and "/" or directory)
  if names then
    local near = strict.nearest(name or path, names)
    hint = near and (": did you mean %s?"):format(join(directory, near)) or ""
  else
    hint = (": there is no directory %s"):format(directory)
  end
  fail.usage("%s: no such file or directory%s", path, hint)
end

---What the arguments of `evalua run` name: suites, and files of cases.
---@param arguments string[]
---@return string[] suite_paths
---@return string[] case_paths
function suites.find(arguments)
  local suite_paths, case_paths, seen = {}, {}, {}
  local function add(list, path)
    local key = sys.realpath(path) or path
    if not seen[key] then
      seen[key] = true
      list[#list + 1] = path
    end
  end
  if #arguments == 0 then arguments = { "." } end
  for _, path in ipairs(arguments) do
    local kind = sys.exists(path)
    if kind == "directory" then
      local found = suites.below(path)
      if #found == 0 then
        fail.usage("%s: no *.eval.lua below it; `evalua init` writes one that runs", path == "." and sys.cwd() or path)
      end
      for _, inner in ipairs(found) do add(suite_paths, inner) end
    elseif not kind then
      not_there(path)
    elseif path:match("%.jsonl$") or path:match("%.csv$") then
      add(case_paths, path)
    elseif path:match("%.lua$") then
      add(suite_paths, path)
    else
      fail.usage("%s: neither a suite (*.eval.lua) nor cases (*.jsonl, *.csv)", path)
    end
  end
  return suite_paths, case_paths
end

return suites
