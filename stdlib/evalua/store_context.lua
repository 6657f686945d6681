-- The store of this process: which file it is, opened once, and shared by whoever asks.

local fail = require "evalua.cli.fail"

local store_context = {}

local DIRECTORY, FILE = ".evalua", "evalua.db"

local TIMEOUT_MAX_MS = 1000000000 -- eleven days

local default_url = nil -- what --store named
local timeout_ms = nil -- what --store-timeout says
local current_store, current_url, current_writable = nil, nil, false

---Names the store for the rest of the process, as --store does.
---@param url string
function store_context.set_default(url) default_url = url end

---Says how long writes wait for another process that holds the store's lock, as --store-timeout does.
---@param duration string|number|nil "10s", or milliseconds; nil: EVALUA_STORE_TIMEOUT, else 30 s
---@param what string|nil how a message calls it
function store_context.set_timeout(duration, what)
  if duration == nil then return end
  local ms, problem = require("evalua.duration").parse(duration)
  if ms and ms < 1 then problem = "it must be at least 1 ms" end
  if problem then fail.usage("%s: %s", what or "store_timeout", problem) end
  timeout_ms = math.min(ms, TIMEOUT_MAX_MS)
end

-- store_timeout in milliseconds; nil: the default of the store.
local function store_timeout()
  local stated = os.getenv("EVALUA_STORE_TIMEOUT")
  if not timeout_ms and stated and stated ~= "" then store_context.set_timeout(stated, "EVALUA_STORE_TIMEOUT") end
  return timeout_ms
end

local function parent(directory) return directory:match("^(.+)/[^/]*$") or (directory ~= "/" and "/" or nil) end

---The directory that has `.evalua/`: the current one or the nearest above it; nil where there is none.
---@return string|nil
function store_context.project_directory()
  local sys = require "evalua.native.sys"
  local directory = sys.cwd()
  while directory do
    if sys.exists((directory == "/" and "" or directory) .. "/" .. DIRECTORY) == "directory" then return directory end
    directory = parent(directory)
  end
  return nil
end

---Which store is meant: the given one, --store, EVALUA_STORE, or the project's.
---@param url string|nil
---@return string url, boolean is_project whether it is the one in `.evalua/`
function store_context.url(url)
  url = url or default_url or os.getenv("EVALUA_STORE")
  if url and url ~= "" then return url, false end
  local directory = store_context.project_directory() or require("evalua.native.sys").cwd()
  return (directory == "/" and "" or directory) .. "/" .. DIRECTORY .. "/" .. FILE, true
end

---Makes the directory of a file in `.evalua/`, and keeps it out of git.
---@param path string
function store_context.make_directory(path)
  local sys = require "evalua.native.sys"
  local directory = parent(path)
  if not directory or sys.exists(directory) then return end
  local done, message = sys.mkdir(directory)
  if not done then fail.incomplete("cannot make the store's directory: %s", message) end
  sys.write_file(directory .. "/.gitignore", "*\n!commands/\n!commands/**\n!.gitignore\n")
end

-- A store of an older schema is brought up to date by opening it for writing, also where somebody only wants to read.
local function open_native(url, settings)
  local native = require "evalua.native.store"
  local store, message, code = native.open(url, settings)
  if store or code ~= "read_only" or not settings.read_only then return store, message, code end
  local writable, problem, problem_code = native.open(url, { create = false })
  if not writable and problem_code == "read_only" then return nil, message, code end
  if not writable then return nil, problem, problem_code end
  writable:close()
  return native.open(url, settings)
end

---Opens a store; the same one again while it is open. Raises a failure {exit, message}.
---@param url string|nil a file, ":memory:" or nil for the project's
---@param given { read_only: boolean|nil, optional: boolean|nil, create: boolean|nil, durable: boolean|nil }|nil
---create: make the file where there is none (default unless read_only); optional: nil instead of an error where there
---is none
---@return table|nil store
function store_context.open(url, given)
  given = given or {}
  local create = given.create
  if create == nil then create = not given.read_only and not given.optional end
  local is_project
  url, is_project = store_context.url(url)
  if current_store and current_url == url and (current_writable or given.read_only) then return current_store end
  if is_project and create then store_context.make_directory(url) end
  if given.optional and not create and (url == ":memory:" or not require("evalua.native.sys").exists(url)) then
    return nil
  end
  if url == ":memory:" and given.read_only then
    fail.usage("--store :memory: is empty at the beginning: there is nothing to read; name a file")
  end
  local store, message, code = open_native(url, {
    read_only = given.read_only or false, create = create, durable = given.durable or false,
    timeout_ms = store_timeout(),
  })
  if not store then
    if code == "not_found" then
      if given.optional then return nil end
      if is_project then fail.usage("there is no store here yet (%s); `evalua run` makes one", url) end
    end
    if not message:find(url, 1, true) then message = url .. ": " .. message end
    message = message:gsub("(%w+://[^/@:%s]*):[^/@%s]*@", "%1:[password]@")
    fail.must(nil, message, code)
  end
  current_store, current_url, current_writable = store, url, not given.read_only
  return store
end

---The store of this process; opened, and made, where it is not yet.
---@return table store
function store_context.current()
  if current_store and current_writable then return current_store end
  return store_context.open(current_url, { create = true })
end

---Uses a store that somebody else has opened.
---@param store table
---@param url string|nil
function store_context.use(store, url)
  current_store, current_url, current_writable = store, url or ":memory:", true
end

---Closes the store of this process, so that the file can be copied. Safe to call twice.
function store_context.close()
  local store = current_store
  current_store, current_url, current_writable = nil, nil, false
  if store then store:close() end
end

return store_context
