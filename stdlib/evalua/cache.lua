-- The request cache as requests see it: whether one takes part, the look-up before it and keeping its answer after it.
-- The answers themselves are with the coordinator (evalua.cache_keeper), which is asked over the desk.

local desk = require "evalua.native.desk"
local engine = require "evalua.native.engine"
local json = require "evalua.json"
local key = require "evalua.cache_key"
local options = require "evalua.options"
local place = require "evalua.place"
local process_failure = require "evalua.process_failure"
local strict = require "evalua.strict"
local task = require "evalua.native.task"

local cache = {}

cache.modes = { "off", "use", "refresh", "replay" }
cache.SERVICE = "cache"
cache.ENTRY_BYTES_MAX = 64 * 1024 * 1024 -- an answer that is larger is not kept: entry_bytes

local BUSY_NAP_MS = 20
local BUSY_WAIT_MS, REPLAY_WAIT_MS = 5000, 30000 -- for a cache file that another process holds

--- The option of targets and requests.
cache.option = { "cache", "boolean|string", enum = { true, false, "off", "use", "refresh", "replay" },
  help = "the mode where neither the run nor the experiment names one; false: never takes part" }

-- ---- modes ----

-- What holds for this process: the mode that the command line or the experiment names, and whose requests they are.
local run = { mode = nil, target = nil }
local command_line_mode -- known before a suite is loaded

---Says what --cache named, before suites are loaded.
---@param mode string|nil
function cache.set_command_line(mode) command_line_mode = mode end

---True where answers come from the cache alone, so that keys are not needed.
---@return boolean
function cache.is_replay() return (command_line_mode or run.mode) == "replay" end

---Checks the option `cache` of an experiment.
---@param given any
---@param where string for messages
---@return { mode: string, file: string|nil }|nil
function cache.resolve(given, where)
  if given == nil then return nil end
  local mode, file = given, nil
  if type(given) == "table" then
    for name in next, given do
      if name ~= "mode" and name ~= "file" then
        place.fail(('unknown field "%s" of option "cache" of eval.experiment%s'):format(tostring(name),
          strict.hint(tostring(name), { "mode", "file" }, "its fields")), where)
      end
    end
    mode, file = given.mode, given.file
    if mode == nil then mode = "use" end
    if file ~= nil and (type(file) ~= "string" or file == "") then
      place.fail(('cache.file of eval.experiment must be the path of a file, not %s'):format(options.show(file)), where)
    end
  end
  if mode == true then mode = "use" elseif mode == false then mode = "off" end
  if type(mode) ~= "string" or not strict.contains(cache.modes, mode) then
    place.fail(('option "cache" of eval.experiment cannot be %s%s'):format(options.show(mode),
      strict.hint(tostring(mode), cache.modes, "modes")), where)
  end
  return { mode = mode, file = file }
end

---The mode of a run: that of the command line, else of the experiment; nil where neither says one.
---@param experiment table resolved
---@param settings table of the runner
---@return string|nil
function cache.mode_of_run(experiment, settings)
  return settings.cache or experiment.cache and experiment.cache.mode or nil
end

---Who asks, as a part of the key: its id, and its version or else the digest of its definition.
local function identity_of(handle)
  local version = rawget(handle, "version")
  return { id = rawget(handle, "id"), version = version ~= nil and tostring(version) or rawget(handle, "digest") or "" }
end

---From here on requests are those of this experiment; workers that are forked know it too.
---@param mode string|nil
---@param target table
function cache.start(mode, target) run.mode, run.target = mode, identity_of(target) end

---The experiment has ended.
function cache.stop() run.mode, run.target = nil, nil end

-- ---- items ----

local contexts = {} -- by the item's slot in this worker
local NOBODY = { id = "", version = "" } -- scripts and hooks

---An item begins: what it asks is counted from here on.
---@param trial integer
---@return table context { hits, misses, absent (in mode replay): of all; target_hits ...: of the target }
function cache.enter(trial)
  local slot = task.item()
  local context = contexts[slot]
  if not context then
    context = {}
    contexts[slot] = context
  end
  context.trial, context.scorers = trial, nil
  context.hits, context.misses, context.absent = 0, 0, 0
  return context
end

---Its target has ended: what is asked from here on is asked by scorers, told apart by the tag of their scope.
---@param context table
---@param scorers table[]
function cache.enter_scoring(context, scorers)
  context.target_hits, context.target_misses, context.target_absent = context.hits, context.misses, context.absent
  context.scorers = scorers
end

---True where no request of the target was sent, as the cache had to answer all: the time that it took says nothing.
---@param context table
---@return boolean
function cache.answered_all(context)
  return context.target_misses == 0 and (context.target_hits > 0 or context.target_absent > 0)
end

---Tells the engine how many requests of the item the cache answered, before its result goes out.
---@param context table
function cache.leave(context)
  if context.hits + context.misses > 0 then engine.cached(context.hits, context.misses) end
end

-- Who asks now, and in which trial.
local function asker()
  local slot, tag = task.item()
  local context = slot and contexts[slot]
  if not context then return nil, NOBODY, 0 end
  if not context.scorers then return context, run.target or NOBODY, context.trial end
  local scorer = context.scorers[tag]
  return context, scorer and identity_of(scorer) or { id = "expect", version = "" }, context.trial
end

-- ---- entries ----

---@class evalua.cache_entry a request that takes part
---@field mode string
---@field digest string
---@field request string identity text
local Entry = {}
Entry.__index = Entry

local function count(entry, field)
  local context = entry.context
  if context then context[field] = context[field] + 1 end
end

local function fail_missing(entry, why)
  count(entry, "absent")
  process_failure.raise {
    message = ("%s: no answer in the cache (entry %s%s)%s; `evalua run --cache use` records it"):format(entry.shown,
      entry.digest, entry.trial > 1 and (", trial %d"):format(entry.trial) or "", why or ""),
    code = "cache_miss", permanent = true,
  }
end

-- Asks the keeper; waits while another process holds the file. Returns the first byte of its answer, and the rest.
local function ask(entry)
  local waited, most = 0, entry.mode == "replay" and REPLAY_WAIT_MS or BUSY_WAIT_MS
  while true do
    local answer, message = desk.ask(cache.SERVICE, "g" .. entry.digest)
    if not answer then return "e", message end
    local kind = answer:sub(1, 1)
    if kind ~= "b" or waited >= most then return kind, answer:sub(2) end
    task.sleep(BUSY_NAP_MS)
    waited = waited + BUSY_NAP_MS
  end
end

-- Why there may be none, from what there is of the same target.
local function reason_for_miss(entry)
  local answer = desk.ask(cache.SERVICE, "v" .. string.pack("<s4s4", entry.target.id, entry.target.version))
  if answer == "none" then return ("; it has none of %s"):format(entry.target.id) end
  if answer == "other" then
    return ("; it has those of another version of %s: its definition has changed since"):format(entry.target.id)
  end
  return nil
end

---The kept answer, or nil: the request is to be sent. Raises in mode replay where there is none.
---@return table|nil
function Entry:find()
  if self.mode ~= "refresh" then
    local kind, rest = ask(self)
    local answer = kind == "h" and json.decode(rest) or nil
    if answer then
      count(self, "hits")
      return answer.redacted and key.restored(answer) or answer
    end
    if self.mode == "replay" then
      fail_missing(self, kind == "m" and reason_for_miss(self) or kind == "b" and "; another process holds its file"
        or kind == "e" and ("; " .. tostring(rest)) or nil)
    end
  end
  count(self, "misses")
  return nil
end

---Keeps the answer. What JSON cannot hold or is too large is not kept.
---@param answer table
function Entry:keep(answer)
  if self.mode == "replay" then return end
  local ok, text = pcall(json.encode, answer)
  if not ok or #text > cache.ENTRY_BYTES_MAX then return end
  desk.tell(cache.SERVICE, "p" .. string.pack("<s4s4s4s4i8s4s4B", self.digest, self.kind, self.target.id,
    self.target.version, self.trial, self.request, text, self.mode == "refresh" and 1 or 0))
end

-- The mode of a request that says `asked`; nil where it takes no part. Commands take part only where they ask.
local function mode_of(asked, only_if_asked)
  if asked == false or only_if_asked and (asked == nil or asked == "off") then return nil end
  if asked == true then asked = "use" end
  local mode = run.mode or asked or "off"
  return mode ~= "off" and mode or nil
end

local function new_entry(mode, identity, shown)
  local context, target, trial = asker()
  if target.id ~= "" then identity.target = target end
  if trial > 0 then identity.trial = trial end
  local ok, text, digest = pcall(key.seal, identity)
  if not ok then return nil end
  return setmetatable({ mode = mode, kind = identity.kind, request = text, digest = digest, target = target,
    trial = trial, shown = shown, context = context }, Entry)
end

---The entry of an HTTP request; nil where it takes no part.
---@param request { method: string, url: string, headers: table, body: string|nil }
---@param values { cache: any, redirects: integer }
---@return evalua.cache_entry|nil
function cache.of_request(request, values)
  local mode = mode_of(values.cache, false)
  local is_refused = values.cache == false and run.mode == "replay"
  if not mode and not is_refused then return nil end
  local shown = ("%s %s"):format(request.method, require("evalua.http_failure").shown_url(key.redacted(request.url)))
  if is_refused then
    process_failure.raise { code = "cache_miss", permanent = true,
      message = shown .. ": it takes no part in the cache (cache = false), and mode replay sends nothing" }
  end
  return new_entry(mode, key.of_request(request, (values.redirects or 1) > 0), shown)
end

---The entry of a command's run or request; nil where it takes no part.
---@param spec table the checked options of eval.command
---@param input string
---@return evalua.cache_entry|nil
function cache.of_command(spec, input)
  local mode = mode_of(spec.cache, true)
  if not mode then return nil end
  return new_entry(mode, key.of_command(spec, input), spec.label)
end

-- ---- answers of HTTP requests ----

local function is_error(value) return require("evalua.http_retry").body_error(value) ~= nil end

-- Whether one of the events or lines of a streamed answer is an error.
local function has_error_event(body)
  for line in body:gmatch "[^\r\n]+" do
    local data = line:match "^data:%s*(.*)" or line
    if data:find "^%s*{" and data:find('"error"', 1, true) and is_error(json.decode(data, { mode = "foreign" })) then
      return true
    end
  end
  return false
end

-- An answer that is complete and no error: 202 says that it comes later, 206 is a part.
local function is_complete(status, headers, body, decoded)
  if status < 200 or status > 299 or status == 202 or status == 206 then return false end
  if decoded ~= nil then return not is_error(decoded) end
  local kind = rawget(headers, "content-type") or ""
  return not ((kind:find "event%-stream" or kind:find "ndjson" or kind:find "jsonl") and has_error_event(body))
end

-- Responses whose answers are to be kept: {entry, url, pieces of a stream, bytes of them}
local watched = setmetatable({}, { __mode = "k" })

---Remembers what a response answers, for cache.keep.
---@param response table
---@param entry evalua.cache_entry
---@param url string that was asked for
---@return table response
function cache.watch(response, entry, url)
  watched[response] = { entry = entry, url = url, pieces = rawget(response, "stream") and {}, bytes = 0 }
  return response
end

---A piece of a streamed answer has been read.
---@param response table
---@param piece string
function cache.note_piece(response, piece)
  local watch = watched[response]
  if not watch then return end
  watch.pieces[#watch.pieces + 1] = piece
  watch.bytes = watch.bytes + #piece
  if watch.bytes > cache.ENTRY_BYTES_MAX then watched[response] = nil end
end

---Keeps an answer that is whole, unless it is an error or not one that takes part. Safe to call twice.
---@param response table
function cache.keep(response)
  local watch = watched[response]
  if not watch then return end
  watched[response] = nil
  local body = watch.pieces and table.concat(watch.pieces) or rawget(response, "body")
  local decoded
  if watch.pieces then decoded = json.decode(body, { mode = "foreign" }) else decoded = response.json end
  local status, headers = rawget(response, "status"), rawget(response, "headers")
  if not is_complete(status, headers, body, decoded) then return end
  local answer = { status = status }
  answer.headers = key.answer_headers(headers, answer)
  local url = rawget(response, "url")
  if url ~= watch.url then
    answer.url = key.url(url)
    if answer.url ~= url then answer.redacted = true end
  end
  key.put_bytes(answer, "body", key.redacted(body, answer))
  watch.entry:keep(answer)
end

---Status, headers, url and body of a kept answer; nil where it is not one of an HTTP request.
---@param answer table|nil
---@param request { url: string }
---@return table|nil
function cache.response_of(answer, request)
  if not answer then return nil end
  local body = key.get_bytes(answer, "body")
  if math.type(answer.status) ~= "integer" or type(answer.headers) ~= "table" or not body then return nil end
  return { status = answer.status, headers = answer.headers, url = answer.url or request.url, body = body }
end

-- In the process that holds the cache; workers inherit the service.
if not engine.in_worker() then
  desk.serve(cache.SERVICE, function(request) return require("evalua.cache_keeper").handle(request) end)
end

return cache
