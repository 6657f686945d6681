-- Cassettes: the entries of a request cache as JSON lines in a stable order, to be kept in git and replayed in CI.

local json = require "evalua.json"
local key = require "evalua.cache_key"
local sys = require "evalua.native.sys"

local cassette = {}

local LINES_AT_ONCE = 500
local BYTES_MAX = 1024 * 1024 * 1024 -- of a cassette
local PROBLEMS_MAX = 20

local FIELDS = { digest = true, request = true, answer = true }

-- What is wrong with the answer of an entry of that kind.
local function answer_problem(kind, answer)
  if type(answer) ~= "table" or json.is_array(answer) then return "answer must be an object" end
  if kind == "command" then
    if key.get_bytes(answer, "stdout") or answer.output ~= nil or answer.info ~= nil then return nil end
    return "the answer of a command must have stdout or output"
  end
  if math.type(answer.status) ~= "integer" or answer.status < 200 or answer.status > 299 then
    return "the status of an answer must be from 200 to 299"
  end
  if type(answer.headers) ~= "table" then return "the answer must have headers, an object" end
  for name, value in next, answer.headers do
    if type(name) ~= "string" or type(value) ~= "string" then return "the headers of an answer must be texts" end
  end
  if not key.get_bytes(answer, "body") then return "the answer must have a body, a text" end
  return nil
end

-- The entry of a line, or nil and what is wrong with it.
local function entry_of(line, created_at)
  local record, problem = json.decode(line, { mode = "foreign" })
  if record == nil then return nil, problem end
  if type(record) ~= "table" or json.is_array(record) then return nil, "an entry is an object" end
  for name in next, record do
    if not FIELDS[name] then
      return nil, ('unknown field "%s"; an entry has answer, digest and request'):format(name)
    end
  end
  local request = record.request
  if type(request) ~= "table" or json.is_array(request) then return nil, "request must be an object" end
  if request.kind ~= "http" and request.kind ~= "command" then
    return nil, 'request.kind must be "http" or "command"'
  end
  local target = request.target or {}
  if type(target) ~= "table" or type(target.id or "") ~= "string" or type(target.version or "") ~= "string" then
    return nil, "request.target must be an object with the texts id and version"
  end
  if request.trial ~= nil and math.type(request.trial) ~= "integer" then return nil, "request.trial must be a count" end
  local text, digest = key.seal(request)
  if record.digest ~= digest then
    return nil, ("the digest is not that of its request, which is %s; the line was changed by somebody"):format(digest)
  end
  problem = answer_problem(request.kind, record.answer)
  if problem then return nil, problem end
  return { digest = digest, kind = request.kind, target_id = target.id or "", target_version = target.version or "",
    trial = request.trial or 0, request = text, answer = json.encode(record.answer), created_at = created_at }
end

---Reads a cassette into a cache: all of it, or nothing where a line is wrong.
---@param path string
---@param cache userdata of evalua.native.cache
---@return integer|nil count of entries
---@return string|nil problem a line for each wrong one: `file:line: what`
function cassette.read(path, cache)
  local text, unreadable = sys.read_file(path, BYTES_MAX)
  if not text then return nil, tostring(unreadable) end
  local entries, problems, number, now = {}, {}, 0, sys.wall_text(sys.now_ms())
  for line in (text:sub(-1) == "\n" and text or text .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    if line:find "%S" then
      local entry, problem = entry_of(line, now)
      if entry then entries[#entries + 1] = entry
      else problems[#problems + 1] = ("%s:%d: %s"):format(path, number, problem) end
    end
  end
  if #problems > 0 then
    local shown = table.concat(problems, "\n", 1, math.min(#problems, PROBLEMS_MAX))
    if #problems > PROBLEMS_MAX then shown = ("%s\nand %d more"):format(shown, #problems - PROBLEMS_MAX) end
    return nil, shown
  end
  if #entries > 0 then
    local done, problem, code = cache:put(entries, true)
    if not done then return nil, problem, code end
  end
  return #entries
end

---The lines of a cache, or of one target's entries, given to `write` some at a time.
---@param cache userdata
---@param target_id string|nil
---@param write fun(text: string)
---@return integer|nil count
---@return string|nil problem
function cassette.print(cache, target_id, write)
  local list, problem = cache:list(target_id)
  if not list then return nil, problem end
  local lines = {}
  for position, row in ipairs(list) do
    local entry, wrong = cache:entry(row.digest)
    if not entry and wrong then return nil, wrong end
    if entry then -- the texts are canonical: keys in order
      lines[#lines + 1] = ('{"answer":%s,"digest":"%s","request":%s}\n'):format(entry.answer, entry.digest,
        entry.request)
    end
    list[position] = false
    if #lines == LINES_AT_ONCE or position == #list then
      write(table.concat(lines))
      lines = {}
    end
  end
  return #list
end

---Writes a cassette in the place of the old one.
---@param path string
---@param cache userdata
---@param target_id string|nil
---@return integer|nil count
---@return string|nil problem
function cassette.write(path, cache, target_id)
  local parts = {}
  local count, problem = cassette.print(cache, target_id, function(text) parts[#parts + 1] = text end)
  if not count then return nil, problem end
  local done, unwritable = sys.write_file(path, table.concat(parts))
  if not done then return nil, tostring(unwritable) end
  return count
end

return cassette
