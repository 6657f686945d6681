-- Checks which file may include what: layers go one way, and each foreign header has one home.
-- usage: lua5.4 scripts/dev/check-layers.lua [RUNTIME_DIR]     prints file:line messages, exits 1 if there are any

local runtime = arg and arg[1] or "runtime"

-- What each layer may include besides itself.
local below = {
  base = {},
  data = { "base" },
  store = { "base", "data" },
  stats = { "base", "data" },
  io = { "base", "data", "store", "stats" },
  engine = { "base", "data", "store", "stats", "io" },
  lua = { "base", "data", "store", "stats", "io", "engine" },
}

-- Headers with a home: a Lua pattern of the path (below runtime/) that may include them.
local homes = {
  { header = "^lua%.h$", "^lua/", "^engine/worker" },
  { header = "^lauxlib%.h$", "^lua/", "^engine/worker" },
  { header = "^lualib%.h$", "^lua/", "^engine/worker" },
  { header = "^sqlite3%.h$", "^store/db_sqlite%.c$" },
  { header = "^curl/", "^io/http" },
  { header = "^microhttpd%.h$", "^io/server" },
  { header = "^libpq", "^store/db_postgres" },
  { header = "^pcre2%.h$", "^data/" },
  { header = "^csv%.h$", "^data/" },
  { header = "^openssl/", "^base/" },
  { header = "^uv%.h$", "^io/", "^engine/", "^lua/" },
}

local allowed = {}
for layer, list in pairs(below) do
  allowed[layer] = { [layer] = true }
  for _, name in ipairs(list) do allowed[layer][name] = true end
end

local function matches_any(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then return true end
  end
  return false
end

local problems = 0
local function complain(path, line, message)
  problems = problems + 1
  io.stdout:write(("%s/%s:%d: %s\n"):format(runtime, path, line, message))
end

local function check_include(path, line, kind, header)
  local layer = path:match("^([^/]+)/")
  for _, home in ipairs(homes) do
    if header:find(home.header) and not matches_any(path, home) then
      complain(path, line, ("%s is not for this file; it belongs to %s"):format(header,
        table.concat(home, ", "):gsub("[%^%$%%]", "")))
    end
  end
  if kind ~= '"' then return end
  if header:find("^%.%.?/") then
    complain(path, line, ('write "layer/file.h", not a relative path: %s'):format(header))
    return
  end
  local target = header:match("^([^/]+)/")
  if not target or not layer then return end -- main.c may use every layer
  if not below[target] then
    complain(path, line, ("no layer '%s' (%s)"):format(target, header))
  elseif not allowed[layer][target] and not (path:find("^engine/worker") and target == "lua") then
    complain(path, line, ("%s must not include %s: layers go base <- data <- store, stats <- io, engine <- lua")
      :format(layer, header))
  end
end

local listing = assert(io.popen(("find '%s' -name '*.[ch]' | LC_ALL=C sort"):format(runtime)))
local files = 0
for full in listing:lines() do
  files = files + 1
  local path = full:sub(#runtime + 2)
  local line = 0
  for text in io.lines(full) do
    line = line + 1
    local kind, header = text:match('^%s*#%s*include%s*(["<])([^">]+)[">]')
    if header then check_include(path, line, kind, header) end
  end
end
listing:close()
if files == 0 then
  io.stderr:write("check-layers: no C files below ", runtime, "\n")
  os.exit(2)
end
os.exit(problems == 0 and 0 or 1)
