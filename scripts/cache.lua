-- evalua cache: what the request cache holds, clearing it, and cassettes.

local cassette = require "evalua.cassette"
local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local keeper = require "evalua.cache_keeper"
local options = require "evalua.cli.options"
local output = require "evalua.cli.output"
local parts = require "evalua.report.parts"
local pretty = require "evalua.report.pretty"
local report = require "evalua.report.json"
local store_context = require "evalua.store_context"
local strict = require "evalua.strict"
local sys = require "evalua.native.sys"
local text = require "evalua.report.text"

local LIST_LIMIT = 20
local DAY_MS = 24 * 60 * 60 * 1000
local REQUEST_BYTES_SHOWN = 80
local BUSY_TRIES, BUSY_NAP_MS = 250, 20 -- while another process writes
local actions = {}

local parsed = options.begin("cache", ...)
if not parsed then return 0 end

local path, is_project
if parsed.store then store_context.set_default(parsed.store) end
path, is_project = keeper.path(parsed.cache_file, nil, nil)

local function check(value, problem, code)
  if value ~= nil then return value end
  local message = tostring(problem)
  if not message:find(path, 1, true) then message = path .. ": " .. message end
  fail.raise(code == "argument" and fail.codes.usage or fail.codes.incomplete, message)
end

-- The cache; nil where there is none and none is to be made.
local function open(is_read_only, create)
  if keeper.is_cassette(path) then
    fail.usage("cache: %s is a cassette; --cache-file names the database here", path)
  elseif path == ":memory:" then
    fail.usage("cache: the cache of a store in memory ends with its process; --cache-file names another")
  end
  if not create and not sys.exists(path) then return nil end
  if create and is_project then store_context.make_directory(path) end
  local cache, problem, code = require("evalua.native.cache").open(path,
    { read_only = is_read_only, create = create or false })
  if not cache and code == "not_found" and not create then return nil end
  return check(cache, problem, code)
end

local function no_cache()
  sys.stderr_write(("there is no cache yet (%s); `evalua run --cache use` makes one\n"):format(path))
  return 0
end

local function plural(count) return count == 1 and "1 entry" or ("%d entries"):format(count) end

-- ==== list ====

local function shown_request(request)
  if request.kind == "command" then
    return table.concat(request.argv or {}, " ") .. (request.stdin and " < " .. request.stdin or "")
  end
  local body = request.body or request.body_base64
  return ("%s %s%s"):format(request.method, request.url, body ~= nil
    and " " .. (type(body) == "string" and body or json.encode(body)) or "")
end

local function put_table(stdout, rows, more)
  local view, cells = pretty.view(stdout.write), {}
  for position, row in ipairs(rows) do
    local request = parts.one_line(text.clean(shown_request(json.decode(row.request, { mode = "foreign" }) or {})))
    if #request > REQUEST_BYTES_SHOWN then
      request = request:sub(1, utf8.offset(request, 0, REQUEST_BYTES_SHOWN) - 1) .. "..."
    end
    cells[position] = { row.digest:sub(1, 12), text.clean(row.target_id ~= "" and row.target_id or "-"),
      tostring(row.trial), request, tostring(row.bytes), row.created_at:sub(1, 16):gsub("T", " ") .. "" }
  end
  pretty.table(view, {
    { title = "entry" }, { title = "target", flexible = true }, { title = "trial", right = true, drop = 3 },
    { title = "request", flexible = true }, { title = "bytes", right = true, drop = 2 }, { title = "kept", drop = 1 },
  }, cells)
  stdout.flush()
  if more then sys.stderr_write(("the first %s; --limit N shows more\n"):format(plural(#rows))) end
end

function actions.list(target)
  local cache = open(true)
  local given = parsed.json and "json" or parsed.format or "pretty"
  if parsed.json and parsed.format and parsed.format ~= "json" then
    fail.usage("cache list: --json and --format %s exclude each other", parsed.format)
  end
  if not cache and given == "pretty" then return no_cache() end
  local limit = parsed.limit or given == "pretty" and LIST_LIMIT + 1 or nil
  local rows, stdout = cache and check(cache:list(target, limit)) or {}, output.stdout()
  local more = not parsed.limit and given == "pretty" and #rows > LIST_LIMIT
  if more then rows[#rows] = nil end
  if given == "pretty" then
    if #rows == 0 then sys.stderr_write(("the cache holds nothing%s\n"):format(target and " of " .. target or ""))
    else put_table(stdout, rows, more) end
    return 0
  end
  for _, row in ipairs(rows) do row.request = json.decode(row.request, { mode = "foreign" }) end
  if given == "json" then
    report.list(stdout.write, rows)
  else
    for _, row in ipairs(rows) do stdout.write(report.harmless(json.encode(row)) .. "\n") end
  end
  stdout.flush()
  return 0
end

-- ==== clear ====

-- Milliseconds of `30d`, `12h`, ...
local function age_of(given)
  local days = given:match "^(%d+%.?%d*)d$"
  if days then return tonumber(days) * DAY_MS end
  local ms, problem = require("evalua.duration").parse(given)
  if not ms then fail.usage("cache clear: --older-than: %s (or days: 30d)", problem) end
  return ms
end

function actions.clear(target)
  local before = parsed.older_than and sys.wall_text(math.floor(sys.now_ms() - age_of(parsed.older_than)))
  local cache = open(false)
  if not cache then return no_cache() end
  local count = check(cache:clear(target, before))
  sys.stdout_write(("removed %s\n"):format(plural(count)))
  cache:close()
  return 0
end

-- ==== cassettes ====

function actions.export(file, target)
  local cache = open(true)
  if not cache then fail.usage("cache export: there is no cache (%s); `evalua run --cache use` records one", path) end
  if file == "-" then
    local stdout = output.stdout()
    check(cassette.print(cache, target, stdout.write))
    stdout.flush()
    return 0
  end
  local count, problem = cassette.write(file, cache, target)
  if not count then fail.incomplete("cache export: %s", tostring(problem)) end
  sys.stderr_write(("wrote %s to %s\n"):format(plural(count), file))
  return 0
end

function actions.import(file)
  if not sys.exists(file) then fail.usage("cache import: %s: no such file", file) end
  -- Looked at as a whole before the cache is touched, or made.
  local trial = check(require("evalua.native.cache").open(":memory:", { create = true }))
  local count, problem = cassette.read(file, trial)
  trial:close()
  if not count then fail.usage("%s\nnothing was imported", tostring(problem)) end
  local cache = open(false, true)
  local done, wrong, code
  for _ = 1, BUSY_TRIES do
    done, wrong, code = cassette.read(file, cache)
    if code ~= "busy" then break end
    require("evalua.native.task").sleep(BUSY_NAP_MS)
  end
  if not done and code == nil then fail.usage("%s", tostring(wrong)) end
  check(done, wrong, code)
  cache:close()
  sys.stderr_write(("read %s from %s\n"):format(plural(count), file))
  return 0
end

local counts = { list = { 0, 1 }, clear = { 0, 1 }, export = { 1, 2 }, import = { 1, 1 } }

local action = parsed[1]
if not actions[action] then
  fail.usage("cache: there is no action %s%s", action, strict.hint(action, strict.keys(actions), "actions"))
end
local given = #parsed - 1
if given < counts[action][1] or given > counts[action][2] then
  fail.usage("cache %s: too %s arguments; usage: evalua cache %s", action,
    given < counts[action][1] and "few" or "many", require("evalua.cli.commands").cache.arguments)
end
options.check_action("cache", parsed, action)
return actions[action](parsed[2], parsed[3])
