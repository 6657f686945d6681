-- The globals of a suite: fresh ones for each, with its own modules, and without what would harm a run.

local files_read = require "evalua.files_read"
local place = require "evalua.place"
local secrets = require "evalua.secrets"
local strict = require "evalua.strict"

local environment = {}

-- What suites do not get, and what they use instead.
local refused = {
  os = {
    exit = "os.exit would end the whole run; raise an error, or use eval.fail(message)",
    execute = 'os.execute is not offered; use eval.spawn { argv = { "program", "argument" } }',
    setlocale = "os.setlocale is not offered; numbers and text are the same everywhere",
  },
  io = {
    popen = 'io.popen is not offered; use eval.spawn { argv = { "program", "argument" } }',
  },
  debug = {
    sethook = "debug.sethook is not offered; deadlines use the hook",
    setmetatable = "debug.setmetatable is not offered; it would change values of the program itself",
    getregistry = "debug.getregistry is not offered",
  },
  package = {
    loadlib = "package.loadlib is not offered; use require",
  },
}

local function guarded_library(name)
  local copy = {}
  for key, value in next, _G[name] or {} do copy[key] = value end
  for key, message in next, refused[name] do
    copy[key] = function() place.fail(message) end
  end
  return copy
end

---Compiles the text of a script. A byte order mark and a first line that starts with # are skipped; bytecode is
---refused.
---@param text string
---@param path string as messages show it
---@param globals table
---@return function|nil chunk, string|nil problem
function environment.compile(text, path, globals)
  if text:sub(1, 3) == "\239\187\191" then text = text:sub(4) end
  if text:sub(1, 1) == "#" then text = "--" .. text end
  if text:sub(1, 1) == "\27" then return nil, path .. ": compiled Lua is not run; give the text that it was made of" end
  return load(text, "@" .. path, "t", globals)
end

-- The directory that holds the store of a suite's project, else the current one; where shared modules are found.
local function project_root(directory)
  local sys = require "evalua.native.sys"
  local real = sys.realpath(directory == "" and "." or directory)
  while real and real ~= "" do
    if sys.exists(real .. "/.evalua") == "directory" then
      local here = sys.cwd()
      if real == here then return "" end
      if real .. "/" == here:sub(1, #real + 1) or not here then return real .. "/" end
      return here .. "/" == real:sub(1, #here + 1) and real:sub(#here + 2) .. "/" or real .. "/"
    end
    real = real:match("^(.*)/[^/]*$")
  end
  return ""
end

local function search_path(directory)
  local start = directory == "" and "" or directory .. "/"
  local root = project_root(directory)
  local parts = { start .. "?.lua", start .. "?/init.lua" }
  if root ~= start then
    parts[#parts + 1] = root .. "?.lua"
    parts[#parts + 1] = root .. "?/init.lua"
  end
  parts[#parts + 1] = package.path
  return table.concat(parts, ";")
end

local function read_module(file)
  files_read.add(file)
  local handle, problem = io.open(file, "rb")
  if not handle then place.fail(("require: %s"):format(problem)) end
  local text = handle:read("a")
  handle:close()
  return text
end

local LOADING = {} -- marks a module whose file is being run

-- Runs a module's file in the suite's globals and keeps what it returns.
local function load_module(name, file, globals, loaded, registry)
  local chunk, problem = environment.compile(read_module(file), file, globals)
  if not chunk then place.fail_script(problem) end
  loaded[name] = LOADING
  registry.files[#registry.files + 1] = file
  -- No pcall: a failing module is to show the stack of its error.
  local unmark <close> = setmetatable({}, {
    __close = function() if loaded[name] == LOADING then loaded[name] = nil end end,
  })
  local value = chunk(name, file)
  if value ~= nil then loaded[name] = value end
  if loaded[name] == LOADING then loaded[name] = true end
  local _ = unmark
  return loaded[name], file
end

local PLACES_SHOWN = 2 -- of a module that is not there: those near the suite come first

-- The first files of what package.searchpath tried.
local function places_of(tried)
  local files = {}
  for file in tried:gmatch("no file '([^\n]*)'") do files[#files + 1] = file end
  local rest = #files - PLACES_SHOWN
  return table.concat(files, ", ", 1, math.min(#files, PLACES_SHOWN))
    .. (rest > 0 and (" and %d more"):format(rest) or "")
end

-- `require` of one suite: modules near the suite are loaded anew for it, everything else is the program's.
local function make_require(globals, registry)
  local loaded = globals.package.loaded
  return function(name)
    if type(name) ~= "string" then place.fail(("require takes the name of a module, not a %s"):format(type(name))) end
    local found = loaded[name]
    if found == LOADING then place.fail(('module "%s" requires itself, directly or through others'):format(name)) end
    if found ~= nil then return found end
    local preload = globals.package.preload[name]
    if preload then
      local value = preload(name, ":preload:")
      loaded[name] = value == nil and true or value
      return loaded[name]
    end
    if name == "evalua" or name:sub(1, 7) == "evalua." or package.loaded[name] ~= nil or package.preload[name] then
      loaded[name] = require(name)
      return loaded[name]
    end
    local file, tried = package.searchpath(name, globals.package.path)
    if file then return load_module(name, file, globals, loaded, registry) end
    local native = package.searchpath(name, package.cpath)
    if not native then
      for missing in tried:gmatch("no file '([^\n]*)'") do files_read.add(missing) end
      place.fail(('there is no module "%s"; looked for %s'):format(name, places_of(tried)))
    end
    loaded[name] = require(name)
    return loaded[name]
  end
end

-- What a script reads itself counts as read by the suite.
local function add_readers(library)
  local open, lines = library.open, library.lines
  function library.open(path, mode)
    if type(path) == "string" and (mode == nil or mode == "r" or mode == "rb") then files_read.add(path) end
    return open(path, mode)
  end
  function library.lines(path, ...)
    if type(path) == "string" then files_read.add(path) end
    return lines(path, ...)
  end
end

-- What a script writes to the terminal by io.write and io.stderr:write is part of the log, and holds no secret either.
local function guard_writes()
  local methods, stdout, stderr = getmetatable(io.stdout).__index, io.stdout, io.stderr
  local write = methods.write
  methods.write = function(file, ...)
    if (file ~= stdout and file ~= stderr) or secrets.count() == 0 then return write(file, ...) end
    local parts = table.pack(...)
    for position = 1, parts.n do
      local kind = type(parts[position])
      if kind ~= "string" and kind ~= "number" then return write(file, ...) end -- it raises
      if math.type(parts[position]) == "float" then parts[position] = ("%.14g"):format(parts[position]) end
    end
    return write(file, secrets.redact(table.concat(parts, "", 1, parts.n)))
  end
end
guard_writes()

-- Functions that compile text must give it the suite's globals, not the program's.
local function add_loaders(globals)
  function globals.load(text, name, _, given)
    if type(text) == "function" then
      local parts = {}
      for part in text do
        if part == "" then break end
        parts[#parts + 1] = part
      end
      text = table.concat(parts)
    end
    return load(text, name or text, "t", given or globals)
  end
  function globals.loadfile(path, _, given)
    if type(path) == "string" then files_read.add(path) end
    local handle, problem = io.open(path, "rb")
    if not handle then return nil, problem end
    local text = handle:read("a")
    handle:close()
    return environment.compile(text, path, given or globals)
  end
  function globals.dofile(path)
    local chunk, problem = globals.loadfile(path)
    if not chunk then place.fail_script(problem) end
    return chunk()
  end
end

---Fresh, guarded globals for a script.
---@param path string the script's file
---@param registry table the registry of its declarations
---@return table
function environment.new(path, registry)
  local globals = {}
  for key, value in next, _G do
    if type(key) == "string" then globals[key] = value end
  end
  for name in next, refused do globals[name] = guarded_library(name) end
  add_readers(globals.io)
  globals.io.write = function(...) return io.output():write(...) end
  globals._G = globals
  -- Looked up at each call: whoever runs items may replace the program's print.
  globals.print = function(...)
    if secrets.count() == 0 then return _G.print(...) end
    local parts = table.pack(...)
    for position = 1, parts.n do parts[position] = secrets.redact(tostring(parts[position])) end
    return _G.print(table.unpack(parts, 1, parts.n))
  end
  globals.package.loaded = {}
  globals.package.preload = {}
  globals.package.path = search_path(place.directory(path))
  for _, name in ipairs { "os", "io", "debug", "package" } do globals.package.loaded[name] = globals[name] end
  globals.package.loaded._G = globals
  globals.require = make_require(globals, registry)
  add_loaders(globals)
  return strict.globals(globals)
end

return environment
