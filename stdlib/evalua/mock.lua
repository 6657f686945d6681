-- The server of `evalua mock`: routes of a script, answered with delays, streams, cuts and recorded bodies.

local json = require "evalua.json"
local message = require "evalua.http_message"
local options = require "evalua.options"
local strict = require "evalua.strict"
local sys = require "evalua.native.sys"
local task = require "evalua.native.task"

local mock = {}

mock.FILE_BYTES_MAX = 256 * 1024 * 1024
mock.COUNTS_PATH = "/_mock" -- answers with the counts
local LOOK_MS = 100         -- how often a long wait looks whether the client is still there

local schema = options.schema("a reply of evalua mock", {
  { "status", "integer", default = 200, min = 200, max = 599, help = "of the answer" },
  { "headers", "map", help = "names and values" },
  { "body", "string", help = "text" },
  { "json", "any", help = "a value to send as JSON" },
  { "file", "text", help = "a recorded body, from the directory of the script" },
  { "stream", "list", help = "pieces sent one after another: texts, or numbers: milliseconds to wait" },
  { "fill", "integer", min = 0, help = "a body of so many bytes, made on the way" },
  { "delay", "duration", help = "before the answer begins" },
  { "cut", "integer", min = 0,
    help = "the connection is cut after so many bytes of the body; 0: there is no answer at all" },
  { "drip", "duration", help = "the body is sent byte by byte, with this pause between" },
  { "silent", "boolean", help = "there is never an answer" },
})

-- ---- what is asked ----

local function of_pairs(list)
  local found = {}
  for position = 1, #list, 2 do found[list[position]] = list[position + 1] end
  return found
end

local function lower_names(list)
  local found = {}
  for position = 1, #list, 2 do found[list[position]:lower()] = list[position + 1] end
  return found
end

local function record_of(request, number)
  local body = request:body()
  return {
    method = request:method(), path = request:path(), query = of_pairs(request:query()),
    headers = lower_names(request:headers()), body = body, number = number,
    json = body:find "%S" and json.decode(body, { mode = "foreign" }) or nil,
  }
end

-- ---- answers ----

local function header_list(reply, kind)
  local list, has_type = {}, false
  for name, value in next, reply.headers or {} do
    has_type = has_type or name:lower() == "content-type"
    list[#list + 1], list[#list + 2] = name, tostring(value)
  end
  if not has_type and kind then list[#list + 1], list[#list + 2] = "Content-Type", kind end
  return list
end

local function body_of(reply, directory)
  if reply.json_text then return reply.json_text, "application/json" end
  if reply.json ~= nil then return json.encode(reply.json), "application/json" end
  if reply.file then
    local path = reply.file:sub(1, 1) == "/" and reply.file or directory .. reply.file
    local text, problem = sys.read_file(path, mock.FILE_BYTES_MAX)
    if not text then error(("the recorded body cannot be read: %s"):format(tostring(problem)), 0) end
    local kind = path:find "%.json$" and "application/json" or path:find "%.sse$" and "text/event-stream" or nil
    return text, kind
  end
  return reply.body or "", "text/plain; charset=utf-8"
end

-- Waits; returns early, and false, when the client has left.
local function pause(request, ms)
  while ms > LOOK_MS do
    task.sleep(LOOK_MS)
    if not request:is_open() then return false end
    ms = ms - LOOK_MS
  end
  task.sleep(ms)
  return request:is_open()
end

-- Pieces are texts and pauses; `cut` counts the bytes of texts.
local function send_pieces(request, pieces, cut)
  local sent = 0
  for _, piece in ipairs(pieces) do
    if type(piece) == "number" then
      pause(request, piece)
    else
      if cut and sent + #piece >= cut then
        request:write(piece:sub(1, cut - sent))
        request:cut()
        return
      end
      request:write(piece)
      sent = sent + #piece
    end
    if not request:is_open() then return end
  end
  if cut then request:cut() else request:finish() end
end

local function bytes_with_pauses(text, pause_ms)
  local pieces = {}
  for position = 1, #text do
    pieces[#pieces + 1] = text:sub(position, position)
    pieces[#pieces + 1] = pause_ms
  end
  return pieces
end

local function answer(request, reply, directory)
  if reply.delay and not pause(request, reply.delay) then return end
  if reply.silent then
    while pause(request, LOOK_MS) do end
    return
  end
  if reply.fill then
    request:begin(reply.status, header_list(reply, "application/octet-stream"), reply.fill)
    request:fill("evalua ", reply.cut and math.min(reply.cut, reply.fill) or reply.fill)
    if reply.cut then request:cut() else request:finish() end
    return
  end
  if reply.stream then
    request:begin(reply.status, header_list(reply, "text/event-stream"))
    send_pieces(request, reply.stream, reply.cut)
    return
  end
  local body, kind = body_of(reply, directory)
  if reply.cut == 0 then
    request:cut()
    return
  end
  local list = reply.header_list or header_list(reply, kind)
  request:begin(reply.status, list, #body)
  if not reply.drip and not reply.cut then
    request:write(body)
    request:finish()
    return
  end
  send_pieces(request, reply.drip and bytes_with_pauses(body, reply.drip) or { body }, reply.cut)
end

-- ---- routes ----

local BODIES = { "body", "json", "file", "stream", "fill" }

-- What is wrong with a reply beyond the types of its options.
local function problem_of(reply)
  local bodies = {}
  for _, name in ipairs(BODIES) do if reply[name] ~= nil then bodies[#bodies + 1] = name end end
  if #bodies > 1 then return ("a reply takes one of %s, not several"):format(table.concat(bodies, ", ")) end
  for position, piece in ipairs(reply.stream or {}) do
    local is_pause = type(piece) == "number" and piece >= 0 and piece < math.huge
    if type(piece) ~= "string" and not is_pause then
      return ('element %d of option "stream" must be a text, or a number of milliseconds to wait, not %s'):format(
        position, options.show(piece))
    end
  end
  local headers = {}
  for name, value in next, reply.headers or {} do
    if type(name) ~= "string" or type(value) ~= "string" and type(value) ~= "number" then
      return ('option "headers": %s must be a text or a number, not %s'):format(tostring(name), options.show(value))
    end
    if name:lower() ~= "content-length" then headers[name] = value end -- a wrong one is a fault to try
  end
  local _, problem = message.header_lines(headers, 'option "headers"')
  if problem then return problem end
  if reply.json == nil then return nil end
  local ok, unencodable = pcall(json.encode, reply.json)
  if not ok then return ('option "json": %s'):format((tostring(unencodable):gsub("^stdlib/[%w_/]+%.lua:%d+: ", ""))) end
end

local function check_reply(reply, where)
  if type(reply) == "string" then reply = { body = reply } end
  reply = options.check(schema, reply, where)
  local problem = problem_of(reply)
  if problem then error(("%s: %s"):format(where or "the reply", problem), 0) end
  return reply
end

-- A reply that is the same for every request: what can be made once is.
local function fixed_reply(reply, where)
  reply = check_reply(reply, where)
  if reply.json ~= nil then reply.json_text = json.encode(reply.json) end
  if not reply.file then
    reply.header_list = header_list(reply, reply.json ~= nil and "application/json" or "text/plain; charset=utf-8")
  end
  return reply
end

-- A route is a reply, a list of replies (the last one stays) or a function(request) -> reply.
local function checked_route(name, route)
  local where = ('route "%s"'):format(name)
  if not name:find "^%u+ /" and not name:find "^/" then
    error(('%s: a route is a path such as "/chat", or a method and a path such as "POST /chat"'):format(where), 0)
  end
  if type(route) == "function" then return { reply = route } end
  if type(route) == "table" and #route > 0 then
    local replies = {}
    for position, reply in ipairs(route) do
      replies[position] = type(reply) == "function" and reply or fixed_reply(reply, where)
    end
    return { replies = replies }
  end
  return { replies = { fixed_reply(route, where) } }
end

local function find_route(routes, method, path)
  local found = routes[method .. " " .. path] or routes[path]
  if not found and method == "HEAD" then found = find_route(routes, "GET", path) end
  if found then return found end
  local best
  for name, route in next, routes do -- "/files/*": the longest that fits
    local of_method, start = name:match "^(%u* ?)(/.*)%*$"
    if start and path:sub(1, #start) == start and (of_method == "" or of_method == method .. " ")
        and (not best or #start > #best.start) then
      best = { route = route, start = start }
    end
  end
  return best and best.route
end

-- ---- the server ----

---Checks the routes that a script returned; mistakes are raised.
---@param routes table<string, any>
---@return table known for mock.serve
function mock.check(routes)
  local known = {}
  for name, route in next, routes do
    if type(name) ~= "string" then error('routes have names, such as "GET /hello"', 0) end
    known[name] = checked_route(name, route)
  end
  return known
end

---Serves the routes until the process ends.
---@param server userdata of evalua.native.server
---@param known table what mock.check returned
---@param directory string that files are taken from, "" or ending in "/"
function mock.serve(server, known, directory)
  local names = strict.keys(known)
  local total, in_flight, most, left = 0, 0, 0, 0 -- left: clients that went before their answer was complete
  local counts = {}

  local function reply_to(request, method, path)
    local route = find_route(known, method, path)
    if not route then
      return check_reply { status = 404, json = { error = { message = ("no route for %s %s; there are: %s"):format(
        method, path, table.concat(names, ", ")) } } }
    end
    route.count = (route.count or 0) + 1
    local reply = route.reply or route.replies[math.min(route.count, #route.replies)]
    if type(reply) == "function" then reply = check_reply(reply(record_of(request, route.count))) end
    return reply
  end

  local function serve_one(request, method, path) answer(request, reply_to(request, method, path), directory) end

  local function handle(request)
    local method, path = request:method(), request:path()
    if path == mock.COUNTS_PATH then
      local text = json.encode { total = total, most_at_once = most, left = left, in_flight = in_flight,
        routes = counts }
      request:begin(200, { "Content-Type", "application/json" }, #text)
      request:write(text)
      request:finish()
      return
    end
    total, in_flight = total + 1, in_flight + 1
    most = math.max(most, in_flight)
    local name = method .. " " .. path
    counts[name] = (counts[name] or 0) + 1
    local ok, problem = pcall(serve_one, request, method, path)
    in_flight = in_flight - 1
    if not request:is_open() then left = left + 1 end
    if ok then return end
    sys.stderr_write(("mock: %s: %s\n"):format(name, tostring(problem)))
    local text = json.encode { error = { message = tostring(problem) } }
    if pcall(request.begin, request, 500, { "Content-Type", "application/json" }, #text) then
      request:write(text)
      request:finish()
    else
      request:cut()
    end
  end

  server:serve(handle)
end

return mock
