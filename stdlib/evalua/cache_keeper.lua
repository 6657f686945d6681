-- Holds the request cache for a process and its workers: finds its file, answers look-ups, and writes what comes in
-- short transactions, so that another process can use the same file. Runs in the coordinator, between its events.

local fail = require "evalua.cli.fail"
local native = require "evalua.native.cache"
local sys = require "evalua.native.sys"

local keeper = {}

local MEMORY = ":memory:"
local BATCH_ENTRIES, BATCH_BYTES = 200, 8 * 1024 * 1024 -- written at once, at the latest with the next tick
local BUSY_MS, BUSY_BYTES = 30000, 64 * 1024 * 1024     -- what waits that long, or is that much, is given up
local CLOSE_WAIT_MS, NAP_MS = 5000, 20

-- ---- which file ----

local function beside(store_path)
  if store_path == MEMORY then return MEMORY end
  local directory, name = store_path:match "^(.*/)([^/]*)$"
  if not directory then directory, name = "", store_path end
  if name == "evalua.db" then return directory .. "cache.db" end
  return directory .. name:gsub("%.db$", "") .. ".cache.db"
end

---The cache's file: the one that is named, that of the experiment, EVALUA_CACHE, or the one beside the store.
---@param named string|nil --cache-file
---@param of_experiment string|nil a path that is resolved already
---@param store_path string|nil path of an open store
---@return string path a database, a cassette (*.jsonl) or ":memory:"
---@return boolean is_project whether its directory is the project's own, `.evalua/`
function keeper.path(named, of_experiment, store_path)
  local path = named or of_experiment or os.getenv "EVALUA_CACHE"
  if path and path ~= "" then return path, false end
  local is_project = false
  if not store_path then store_path, is_project = require("evalua.store_context").url() end
  return beside(store_path), is_project
end

---True where the path names a cassette: JSON lines, one an entry.
---@param path string
---@return boolean
function keeper.is_cassette(path) return path:find "%.jsonl$" ~= nil end

-- ---- opening ----

---@class evalua.held_cache
---@field key string in `held`
---@field path string
---@field native userdata
---@field is_cassette boolean
---@field is_changed boolean a cassette that is to be written
---@field pending table[] entries that are not written yet
---@field by_digest table<string, table> the same
---@field bytes integer of them

local held = {}   -- open caches, by whether they are only read, and path
local current     -- the one of the running experiment, or of the script
local is_running = false
local warned = {} -- paths of which something has been said
local unusable    -- the path that a script's requests do without, and why

local function warn(path, message)
  if warned[path] then return end
  warned[path] = true
  sys.stderr_write(("evalua: warning: %s\n"):format(message))
end

local function of_place(path, message)
  message = tostring(message)
  return message:find(path, 1, true) and message or path .. ": " .. message
end

local function open_database(path, is_read_only, is_project)
  if not is_read_only and is_project then require("evalua.store_context").make_directory(path) end
  return native.open(path, { read_only = is_read_only, create = not is_read_only })
end

-- A cassette is read into memory; it is written when the run ends.
local function open_cassette(path, is_read_only)
  if not sys.exists(path) then
    if is_read_only then return nil, ("there is no cassette %s; `evalua cache export` writes one"):format(path) end
    return native.open(MEMORY, { create = true })
  end
  local cache, problem, code = native.open(MEMORY, { create = true })
  if not cache then return nil, problem, code end
  local count, wrong = require("evalua.cassette").read(path, cache)
  if count then return cache end
  cache:close()
  return nil, wrong, "parse"
end

-- Opens a cache, or returns nil and what is wrong.
local function open(path, mode, is_project)
  local is_cassette, is_read_only = keeper.is_cassette(path), mode == "replay"
  local place = (is_read_only and path ~= MEMORY and "r " or "w ") .. path
  if held[place] then return held[place] end
  local cache, problem, code
  if is_cassette then
    cache, problem, code = open_cassette(path, is_read_only)
  elseif is_read_only and path == MEMORY then
    problem = "mode replay has nothing to read: the cache of a store in memory is empty; --cache-file names another"
  else
    cache, problem, code = open_database(path, is_read_only, is_project)
    if not cache and code == "not_found" and is_read_only then
      problem = ("there is no cache %s to replay; `evalua run --cache use` records one, `evalua cache import FILE` "
        .. "reads a cassette"):format(path)
    end
  end
  if not cache then return nil, of_place(path, problem), code end
  held[place] = { key = place, path = path, native = cache, is_cassette = is_cassette, is_changed = false,
    pending = {}, by_digest = {}, bytes = 0 }
  return held[place]
end

-- ---- writing ----

local function drop_pending(cache) cache.pending, cache.by_digest, cache.bytes, cache.busy_since = {}, {}, 0, nil end

local function put_all(cache)
  local lists, now = { {}, {} }, sys.wall_text(sys.now_ms())
  for _, entry in ipairs(cache.pending) do
    entry.created_at = entry.created_at or now
    local list = lists[entry.is_newer and 2 or 1]
    list[#list + 1] = entry
  end
  for index, list in ipairs(lists) do
    if #list > 0 then
      local done, problem, code = cache.native:put(list, index == 2)
      if not done then return nil, problem, code end
    end
  end
  return true
end

-- Writes what waits. A file that another process holds is tried again with the next tick, for a while.
local function flush(cache)
  if #cache.pending == 0 then return end
  local done, problem, code = put_all(cache)
  if done then
    cache.is_changed = cache.is_cassette
    drop_pending(cache)
  elseif code == "busy" then
    local now = sys.monotonic_ms()
    cache.busy_since = cache.busy_since or now
    if now - cache.busy_since < BUSY_MS and cache.bytes < BUSY_BYTES then return end
    warn(cache.path, ("the cache %s is locked by another process; %d answers were not kept"):format(cache.path,
      #cache.pending))
    drop_pending(cache)
  else
    warn(cache.path, ("the cache cannot be written, the run goes on without: %s"):format(of_place(cache.path, problem)))
    drop_pending(cache)
  end
end

local function add(cache, text)
  local entry = {}
  entry.digest, entry.kind, entry.target_id, entry.target_version, entry.trial, entry.request, entry.answer,
    entry.is_newer = string.unpack("<s4s4s4s4i8s4s4B", text)
  entry.is_newer = entry.is_newer == 1
  local known = cache.by_digest[entry.digest]
  if known and not entry.is_newer then return end
  if known then
    known.answer, known.is_newer = entry.answer, true
  else
    cache.pending[#cache.pending + 1], cache.by_digest[entry.digest] = entry, entry
  end
  cache.bytes = cache.bytes + #entry.answer + #entry.request
  if #cache.pending >= BATCH_ENTRIES or cache.bytes >= BATCH_BYTES then flush(cache) end
end

local function save_cassette(cache)
  if not cache.is_changed then return end
  local done, problem = require("evalua.cassette").write(cache.path, cache.native)
  if not done then warn(cache.path, ("the cassette cannot be written: %s"):format(of_place(cache.path, problem))) end
  cache.is_changed = false
end

-- ---- answering ----

-- The cache that is asked. Where no mode was known before the run it is opened by the first request that wants it.
local function opened()
  if current then return current end
  local path, is_project = keeper.path(keeper.named, nil, keeper.store_path)
  if unusable and unusable.path == path then return nil, unusable.problem end
  local cache, problem = open(path, "use", is_project)
  if not cache then
    unusable = { path = path, problem = problem }
    warn(path, ("the cache cannot be opened, the run goes on without: %s"):format(problem))
    return nil, problem
  end
  current = cache
  return cache
end

local function get(cache, digest)
  local waiting = cache.by_digest[digest]
  if waiting then return "h" .. waiting.answer end
  local answer, problem, code = cache.native:get(digest)
  if answer then return "h" .. answer end
  if not problem then return "m" end
  if code == "busy" then return "b" end
  warn(cache.path, ("the cache cannot be read, the run goes on without: %s"):format(of_place(cache.path, problem)))
  return "e" .. problem
end

local function versions(cache, text)
  local target_id, version = string.unpack("<s4s4", text)
  local found = cache.native:list(target_id, 1)
  if not found then return "" end
  return not found[1] and "none" or found[1].target_version ~= version and "other" or "same"
end

---Answers a request of the desk: `g` digest -> `h` answer, `m` (missing), `b` (busy) or `e` message; `v` target and
---version -> what there is of it; `p` entry (nobody waits).
---@param request string
---@return string
function keeper.handle(request)
  local cache, problem = opened()
  if not cache then return "e" .. problem end
  local kind, rest = request:sub(1, 1), request:sub(2)
  if kind == "g" then return get(cache, rest) end
  if kind == "v" then return versions(cache, rest) end
  add(cache, rest)
  if not is_running then -- a script has no tick and no end
    flush(cache)
    save_cassette(cache)
  end
  return ""
end

-- ---- runs ----

local function path_for(experiment, settings)
  local file = experiment.cache and experiment.cache.file
  if file then file = require("evalua.place").resolve(file, experiment.file) end
  return keeper.path(settings.cache_file, file, settings.store and settings.store:path())
end

---Opens the cache of a run whose mode is known. Raises a failure (exit 2) where it cannot be: before anything ran.
---@param experiment table resolved
---@param settings table of the runner
function keeper.prepare(experiment, settings)
  local mode = require("evalua.cache").mode_of_run(experiment, settings)
  if not mode or mode == "off" then return end
  local path, is_project = path_for(experiment, settings)
  local cache, problem, code = open(path, mode, is_project)
  if cache then return cache end
  fail.raise(code == "busy" and fail.codes.incomplete or fail.codes.usage, ("--cache %s: %s"):format(mode, problem))
end

---A run begins.
---@param experiment table
---@param settings table
function keeper.start(experiment, settings)
  local cache = require "evalua.cache"
  current = keeper.prepare(experiment, settings)
  keeper.named, keeper.store_path = settings.cache_file, settings.store and settings.store:path()
  is_running = true
  cache.start(cache.mode_of_run(experiment, settings), experiment.target)
end

---Every tenth of a second of a run: what came is written.
function keeper.tick() if current then flush(current) end end

---The run has ended: what is left is written, and the file is closed, so that it can be copied.
function keeper.stop()
  require("evalua.cache").stop()
  is_running = false
  local cache = current
  current = nil
  if not cache then return end
  for _ = 1, CLOSE_WAIT_MS // NAP_MS do
    flush(cache)
    if #cache.pending == 0 then break end
    require("evalua.native.task").sleep(NAP_MS)
  end
  if #cache.pending > 0 then
    warn(cache.path, ("the cache %s is locked by another process; %d answers were not kept"):format(cache.path,
      #cache.pending))
    drop_pending(cache)
  end
  save_cassette(cache)
  if cache.path == MEMORY then return end -- the next run of this process may use it
  held[cache.key] = nil
  cache.native:close()
end

---In a worker: nothing here is its own.
function keeper.forget()
  for place, cache in next, held do
    cache.native:forget()
    held[place] = nil
  end
  current = nil
end

return keeper
