-- eval.fetch: one HTTP request. Its answer, whatever the status, is the result; retries are the caller's.

local cache = require "evalua.cache"
local failure = require "evalua.http_failure"
local json = require "evalua.json"
local limits = require "evalua.limits"
local message = require "evalua.http_message"
local native = require "evalua.native.http"
local options = require "evalua.options"
local permits = require "evalua.permits"
local place = require "evalua.place"
local strict = require "evalua.strict"
local sys = require "evalua.native.sys"

local fetch = {}

-- The options of a request that eval.http has too.
fetch.limits = {
  { "timeout", "duration", default = 600000, help = "from the start to the end of the answer (default 10m)" },
  { "connect_timeout", "duration", default = 5000, help = "until there is a connection (default 5s)" },
  { "first_byte_timeout", "duration", help = "until the first byte of the answer" },
  { "max_bytes", "size", default = 64 * 1024 * 1024, min = 0, help = "limit of the body, decompressed" },
  { "redirects", "integer", default = 5, min = 0, max = 50,
    help = "how many are followed; 0: the redirect is the answer" },
  cache.option,
}

local schema = options.schema("eval.fetch", {
  { "url", "text", help = "http:// or https://; with a model also what comes behind the model's" },
  { "model", "text|table", help = "the id of a model, or what eval.model returned: its key and limits hold" },
  { "method", "text", help = "GET, or POST where there is a body" },
  { "headers", "map", help = "names and values; false leaves one out that would be sent" },
  { "body", "string", help = "text to send" },
  { "json", "any", help = "a value to send as JSON, instead of body" },
  { "form", "map", help = "names and values to send as a form, instead of body" },
  { "stream", "boolean", help = "return when the headers are there; the body is read piece by piece" },
  table.unpack(fetch.limits),
})

---What is wrong with a URL.
---@param url string
---@return string|nil problem
function fetch.url_problem(url)
  if url:find "[%c ]" then return "the URL has a space or control character in it; write %20 for a space" end
  local scheme = url:match "^(%a[%w+.-]*)://"
  if not scheme then return "the URL must begin with http:// or https://" end
  if not scheme:lower():find "^https?$" then
    return ("the URL has the scheme %s; only http and https are known"):format(scheme)
  end
  if not url:find "^%a+://[^/?#]" then return "the URL names no host" end
  return nil
end

-- ---- answers ----

local response_fields = { "body", "close", "events", "headers", "json", "json_lines", "read", "status", "url" }
local decoded_bodies = setmetatable({}, { __mode = "k" })

local function decode_body(response)
  local found = decoded_bodies[response]
  if found == nil then
    local body = rawget(response, "body")
    found = { value = body and body:find "%S" and json.decode(body, { mode = "foreign" }) or nil }
    if body and body:find "^%s*false%s*$" then found.value = false end
    decoded_bodies[response] = found
  end
  return found.value
end

local methods = {}

local response_meta = {
  __name = "evalua.response",
  __index = function(response, name)
    if name == "json" then return decode_body(response) end
    if methods[name] then return methods[name] end
    if strict.contains(response_fields, name) then return nil end
    place.fail(("unknown field %s of the response of eval.fetch%s"):format(options.show(name),
      strict.hint(tostring(name), response_fields, "its fields")))
  end,
  __close = function(response) response:close() end,
}

---The next piece of a streamed body; nil at its end.
---@return string|nil
function methods:read()
  local stream = rawget(self, "stream")
  if not stream then
    place.fail "response:read() needs eval.fetch { stream = true }; without it there is response.body"
  end
  if stream.ended then return nil end
  local piece, problem, code = stream.transfer:read()
  if piece then
    cache.note_piece(self, piece)
    return piece
  end
  stream.ended = true
  stream.transfer:close()
  if code then failure.raise(stream.method, stream.url, problem, code) end
  cache.keep(self)
  return nil
end

---Iterates over the server-sent events of a streamed body.
function methods:events()
  return require("evalua.event_stream").events(function() return self:read() end)
end

---Iterates over the JSON lines of a streamed body.
function methods:json_lines()
  return require("evalua.event_stream").json_lines(function() return self:read() end)
end

---Ends a streamed answer early.
function methods:close()
  local stream = rawget(self, "stream")
  if stream then
    stream.ended = true
    stream.transfer:close()
  end
end

-- ---- requests ----

local last_url, last_origin -- most requests go where the one before went

---Scheme, host and port of a URL.
---@param url string
---@return string
local function origin(url)
  if url == last_url then return last_origin end
  local scheme, host = url:match "^(%a+)://([^/?#]*)"
  scheme, host = scheme:lower(), host:gsub("^.*@", ""):lower()
  last_url, last_origin = url, scheme .. "://" .. host:gsub(scheme == "http" and ":80$" or ":443$", "")
  return last_origin
end

fetch.origin = origin

---Does what each worker would have to do before its first request, before they are forked.
fetch.prepare = native.prepare

-- Headers that another host may see when a server sends us there: nothing that could be a key.
local function is_harmless(name)
  name = name:lower()
  return name:find "^accept" or name == "user-agent" or name:find "^content%-" or name == "range"
end

local function follow(request, status, location)
  local problem = fetch.url_problem(location)
  if not problem and request.url:find "^[hH][tT][tT][pP][sS]:" and not location:find "^[hH][tT][tT][pP][sS]:" then
    problem = "it leads from https to http"
  end
  if problem then
    failure.raise(request.method, request.url, ("the redirect to %s is not followed: %s"):format(
      failure.shown_url(location), problem), "bad_redirect")
  end
  request.headers, request.lines = message.complete_headers(request.headers), nil
  if request.method ~= "HEAD" and (status == 303 or status < 303 and request.method == "POST") then
    request.method, request.body = "GET", nil
    for name in next, request.headers do
      if name:lower():find "^content%-" then request.headers[name] = nil end
    end
  end
  if origin(location) ~= origin(request.url) then
    for name in next, request.headers do if not is_harmless(name) then request.headers[name] = nil end end
  end
  request.url = location
end

local redirecting = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

-- One exchange; returns the transfer, status, head and, where it is no stream, body.
local function exchange(request, values, begin)
  local total_ms = values.timeout
  if total_ms and total_ms > 0 then
    total_ms = math.ceil(total_ms - (sys.monotonic_ms() - begin))
    if total_ms < 1 then
      failure.raise(request.method, request.url, ("no complete answer within its timeout of %g ms"):format(
        values.timeout), "timeout")
    end
  end
  local transfer, problem, code = native.start {
    url = message.sent_url(request.url), method = request.method, body = request.body, stream = values.stream,
    headers = request.lines or message.header_lines(request.headers, "headers"), connect_ms = values.connect_timeout,
    first_byte_ms = values.first_byte_timeout, total_ms = total_ms, max_bytes = values.max_bytes,
  }
  if not transfer then
    failure.raise(request.method, request.url, problem, code == "not_found" and "no_http" or "bad_url")
  end
  local status, head, body
  if values.stream then status, head, code = transfer:head() else status, head, body = transfer:whole() end
  if not status then
    transfer:close()
    failure.raise(request.method, request.url, head, code or body)
  end
  return transfer, status, head, body
end

-- The whole body of a stream (which redirects), piece by piece, as reading it pauses otherwise.
local function read_all(transfer, request)
  local pieces = {}
  while true do
    local piece, problem, code = transfer:read()
    if piece then
      pieces[#pieces + 1] = piece
    elseif code then
      transfer:close()
      failure.raise(request.method, request.url, problem, code)
    else
      return table.concat(pieces)
    end
  end
end

-- Sends a request, and those that its redirects lead to.
local function send(values, request)
  local begin, hops = sys.monotonic_ms(), 0
  while true do
    local transfer, status, head, body = exchange(request, values, begin)
    local response = { status = status, headers = message.read_headers(head), url = request.url }
    local is_redirect = redirecting[status] and response.headers.location and values.redirects > 0
    if values.stream and not is_redirect then
      response.stream = { transfer = transfer, method = request.method, url = request.url }
      return setmetatable(response, response_meta)
    end
    response.body = body or read_all(transfer, request)
    local location = is_redirect and transfer:location()
    transfer:close()
    if not location then return setmetatable(response, response_meta) end
    hops = hops + 1
    if hops > values.redirects then
      failure.raise(request.method, request.url, ("more than %d redirects (option redirects)"):format(values.redirects),
        "too_many_redirects")
    end
    follow(request, status, location)
  end
end

-- The body of a streamed answer: its permits are given back at its end.
local function held_transfer(transfer, held, response)
  local proxy = {}
  function proxy.read() return transfer:read() end
  function proxy.close()
    transfer:close()
    permits.answered(held, response)
  end
  return proxy
end

-- Sends a request once it may be sent.
local function send_permitted(values, request)
  local held <close> = permits.take(values, permits.host_name(origin(request.url), request.headers))
  local response = send(values, request)
  if held and values.stream and response.status ~= 429 then
    held.is_kept = true
    local stream = rawget(response, "stream")
    stream.transfer = held_transfer(stream.transfer, held, response)
  else
    permits.answered(held, response)
  end
  if values.model and not values.stream then require("evalua.model").report(values.model, response) end
  return response
end

-- A kept answer in the shape of one that came; a streamed one is one piece.
local function kept_response(values, request, kept)
  local response = { status = kept.status, url = kept.url, headers = message.with_any_case(kept.headers) }
  if #kept.body > values.max_bytes then
    failure.raise(request.method, request.url, ("the kept answer has %d bytes, the limit (max_bytes) is %d"):format(
      #kept.body, values.max_bytes), "too_large")
  end
  if values.stream then
    local rest = kept.body ~= "" and kept.body or nil
    local transfer = { close = function() rest = nil end }
    function transfer.read()
      local piece = rest
      rest = nil
      return piece
    end
    response.stream = { transfer = transfer, method = request.method, url = kept.url }
  else
    response.body = kept.body
  end
  return setmetatable(response, response_meta)
end

---Performs a request with checked options, or takes its answer from the cache. The caller says by cache.keep(response)
---that the answer is one to keep (one that is streamed is kept when it has been read to its end).
---@param values table as options.check of eval.fetch returns it; or with complete headers and their `lines`
---@return table response
function fetch.perform(values)
  local body, kind = message.body(values)
  local request = { url = values.url, method = values.method or (body and "POST" or "GET"), body = body,
    headers = values.lines and values.headers or message.complete_headers(values.headers, kind), lines = values.lines }
  local entry = cache.of_request(request, values)
  local held <close> = limits.open "requests" -- luacheck: ignore 211
  if not entry then return send_permitted(values, request) end
  local kept = cache.response_of(entry:find(), request)
  if kept then return kept_response(values, request, kept) end
  return cache.watch(send_permitted(values, request), entry, values.url)
end

---What is wrong with the options of a request beyond their types.
---@param values table
---@param name string of the function, for messages
---@return string[] problems
function fetch.problems(values, name)
  local problems, bodies = {}, {}
  for _, option in ipairs { "body", "json", "form" } do
    if values[option] ~= nil then bodies[#bodies + 1] = option end
  end
  if #bodies > 1 then problems[1] = ("%s takes one of %s, not several"):format(name, table.concat(bodies, ", ")) end
  if values.method and not values.method:find "^%u+$" then
    problems[#problems + 1] = ('option "method" of %s must be capital letters such as "POST", not %s'):format(name,
      options.show(values.method))
  end
  if type(values.headers) == "table" then
    local _, problem = message.header_lines(values.headers, ('option "headers" of %s'):format(name))
    problems[#problems + 1] = problem
  end
  return problems
end

---Puts what the option `model` stands for in its place: the handle, the whole URL, the header with the key.
---@param values table checked options; url and headers may be functions or templates, which are left alone
---@param name string of the function, for messages
---@param problems string[] grows
function fetch.use_model(values, name, problems)
  if values.model == nil then
    if not values.url then problems[#problems + 1] = ('option "url" of %s is missing'):format(name) end
    return
  end
  local model = require "evalua.model"
  local problem
  values.model, problem = model.find(values.model, ('option "model" of %s'):format(name))
  if problem then
    problems[#problems + 1] = problem
    return
  end
  if type(values.url) == "function" or values.url and values.url:find "^{{" then return end
  local url = model.url_of(values.model, values.url)
  if not url then
    problems[#problems + 1] = ('option "url" of %s must be a whole URL: the model "%s" has none'):format(name,
      values.model.id)
    return
  end
  values.url = url
  if type(values.headers) == "function" or fetch.url_problem(url) or fetch.origin(url):find "{{" then return end
  fetch.authorize(values)
end

---Adds the key of the model, where the request goes to its host and has no key of its own.
---@param values table with model, url and headers
function fetch.authorize(values)
  local authorization = require("evalua.model").authorization(values.model, values.url, values.headers)
  if not authorization then return end
  local headers = {}
  for header, value in next, values.headers or {} do headers[header] = value end
  headers.Authorization = authorization
  values.headers = headers
end

---One HTTP request. Any status is a result; what gives no answer raises an error with a code.
---@param given table
---@return table response {status, headers, body, json, url}
function fetch.fetch(given)
  local values = options.check(schema, given)
  local problems = fetch.problems(values, "eval.fetch")
  fetch.use_model(values, "eval.fetch", problems)
  if #problems > 0 then place.fail_all(problems) end
  local problem = fetch.url_problem(values.url)
  if problem then failure.raise(values.method or "GET", values.url, problem, "bad_url") end
  local response = fetch.perform(values)
  if not values.stream then cache.keep(response) end
  return response
end

return fetch
