-- eval.http: a target that is an HTTP request for each item, with retries.

local cache = require "evalua.cache"
local digest = require "evalua.digest"
local fetch = require "evalua.fetch"
local http_failure = require "evalua.http_failure"
local json = require "evalua.json"
local message = require "evalua.http_message"
local model = require "evalua.model"
local options = require "evalua.options"
local place = require "evalua.place"
local process_failure = require "evalua.process_failure"
local retry = require "evalua.http_retry"
local secrets = require "evalua.secrets"
local sys = require "evalua.native.sys"
local template = require "evalua.template"

local http = {}

local schema = options.schema("eval.http", {
  { "id", "text", required = true, help = "names it in experiments and results" },
  { "url", "text|function",
    help = "a template, or function(input, item) -> url; with a model also what comes behind the model's" },
  { "model", "text|table", help = "the id of a model, or what eval.model returned: its key, limits and price hold" },
  { "method", "text", help = "GET, or POST where there is a body" },
  { "headers", "map|function", help = "templates, or function(input, item) -> table" },
  { "body", "any", help = "a template: text as it is, a table as JSON; or function(input, item) -> text or table" },
  { "output", "string|function",
    help = "a JSON pointer, or function(response, item) -> output, info (default: the JSON, else the text)" },
  { "retries", "integer", default = 3, min = 0, max = 100, help = "further tries of one request" },
  { "version", "text|number", help = "stands for the definition instead of its digest" },
  table.unpack(fetch.limits),
})

-- ---- the request ----

local function bad_definition(spec, text, ...)
  process_failure.raise { message = ("target '%s': "):format(spec.id) .. text:format(...), code = "bad_request",
    permanent = true }
end

local function header_texts(headers)
  local texts = {}
  for name, value in next, headers do texts[name] = type(value) == "table" and json.encode(value) or value end
  return texts
end

-- A function(input, item) -> headers, lines; lines only where they are the same for every item.
local function compile_headers(spec)
  local make, body = spec.headers or {}, spec.body
  if type(make) ~= "function" then
    local fill, is_constant = template.compile(make)
    if is_constant and type(body) ~= "function" then
      local kind = body ~= nil and (type(body) == "string" and message.TEXT or message.JSON) or nil
      local headers = message.complete_headers(header_texts(make), kind)
      local lines = message.header_lines(headers, "headers")
      return function() return headers, lines end
    end
    make = function(_, item) return fill(item) end
  end
  return function(input, item)
    local headers = make(input, item)
    if headers ~= nil and type(headers) ~= "table" then
      bad_definition(spec, "its headers function returned a %s; a table of names and values is right", type(headers))
    end
    headers = header_texts(headers or {})
    local _, problem = message.header_lines(headers, "headers")
    if problem then bad_definition(spec, "%s", problem) end
    return headers
  end
end

local function compile_url(spec)
  local make, is_constant = spec.url, false
  if type(make) ~= "function" then
    local fill
    fill, is_constant = template.compile_text(make, message.escape, not spec.model) -- a URL begins with its scheme
    make = function(_, item) return fill(item) end
  end
  if is_constant then return make end -- it was checked with the definition
  return function(input, item)
    local url = make(input, item)
    if spec.model and type(url) == "string" then url = model.url_of(spec.model, url) or url end
    if type(url) ~= "string" then bad_definition(spec, "its url function returned a %s, not a text", type(url)) end
    local problem = fetch.url_problem(url)
    if problem then http_failure.raise(spec.method or "GET", url, problem, "bad_url") end
    return url
  end
end

local function compile_body(spec)
  local body = spec.body
  if type(body) == "function" then
    return function(input, item)
      local made = body(input, item)
      local ok, problem = pcall(json.encode, made == nil and json.null or made)
      if ok or type(made) == "string" then return made end
      bad_definition(spec, "what its body function returned cannot be sent: %s",
        (tostring(problem):gsub("^stdlib/[%w_/]+%.lua:%d+: ", "")))
    end
  end
  local fill = type(body) == "string" and template.compile_text(body) or template.compile(body)
  return function(_, item) return fill(item) end
end

-- A function(input, item) -> the values of one request, in the shape of eval.fetch's options.
local function compile_request(spec)
  local make_url, make_headers, make_body = compile_url(spec), compile_headers(spec), compile_body(spec)
  return function(input, item)
    local values = {
      url = make_url(input, item), method = spec.method, timeout = spec.timeout,
      connect_timeout = spec.connect_timeout, first_byte_timeout = spec.first_byte_timeout,
      max_bytes = spec.max_bytes, redirects = spec.redirects, cache = spec.cache, model = spec.model,
    }
    local body = make_body(input, item)
    if type(body) == "string" then values.body = body else values.json = body end
    values.headers, values.lines = make_headers(input, item)
    if spec.model then
      local before = values.headers
      fetch.authorize(values)
      if values.headers ~= before then values.lines = nil end
    end
    values.method = values.method or (body ~= nil and "POST" or "GET")
    return values
  end
end

-- ---- the answer ----

local function body_note(response)
  local text = (response.body or ""):gsub("^%s+", ""):gsub("%s+$", "")
  return text == "" and "no body" or http_failure.shown_text(text)
end

local function raise_answer(spec, values, response, status, problem, asked_ms)
  local stop = retry.stops_run(status, problem)
  local said = problem and problem.message and http_failure.shown_text(problem.message) or body_note(response)
  local note = ""
  if asked_ms then
    note = ("; the server asks to wait %g s, more than the %g s that are waited for"):format(asked_ms / 1000,
      retry.DELAY_MAX_MS / 1000)
  end
  process_failure.raise {
    message = ("target '%s': %s %s: status %d: %s%s"):format(spec.id, values.method,
      http_failure.shown_url(response.url), response.status, said, note),
    code = stop or status == 429 and "rate_limited" or status < 300 and "error_in_body" or "http_" .. status,
    permanent = stop ~= nil or status >= 400 and status < 500 and status ~= 408 and status ~= 409 and status ~= 429,
    stops_run = stop ~= nil,
  }
end

-- The names in a JSON pointer (RFC 6901).
local function names_in(pointer)
  local names = {}
  for part in pointer:gmatch "/([^/]*)" do names[#names + 1] = part:gsub("~1", "/"):gsub("~0", "~") end
  return names
end

-- The value that the names lead to: found, value.
local function at_names(value, names)
  for _, part in ipairs(names) do
    if type(value) ~= "table" then return false end
    if json.is_array(value) then
      local index = (part == "0" or part:find "^[1-9]%d*$") and math.tointeger(tonumber(part))
      value = index and value[index + 1]
    else
      value = rawget(value, part)
    end
    if value == nil then return false end
  end
  return true, value
end

local function output_of(spec, response, item)
  local output = spec.output
  if type(output) == "function" then return output(response, item) end
  local body = response.json
  if not output then
    if body == nil then return response.body end
    return body
  end
  if body == nil then
    process_failure.raise { code = "bad_json", message = ("target '%s': the answer is not JSON: %s"):format(spec.id,
      process_failure.quoted(response.body or "")) }
  end
  local found, value = at_names(body, spec.output_names)
  if not found then
    process_failure.raise { code = "bad_output", message = ("target '%s': the answer has nothing at %s: %s"):format(
      spec.id, output, process_failure.quoted(response.body or "")) }
  end
  return value
end

-- ---- running ----

-- The status that an answer stands for: services also send errors as 200 with the error in the body.
local function real_status(spec, response)
  local status = response.status
  local problem = retry.body_error(response.json, status >= 400)
  if status >= 200 and status < 300 and problem and type(spec.output) ~= "function"
      and not (spec.output or ""):find "^/error" then
    local code = math.tointeger(tonumber(problem.code))
    return code and code >= 400 and code <= 599 and code or status, problem, true
  end
  return status, problem, status < 200 or status >= 300
end

-- One try: the response, or nil, what it failed of, and how long to wait before the next.
local function try(spec, values, retries)
  local ok, response = pcall(fetch.perform, values)
  if not ok then
    local code = type(response) == "table" and response.code
    if type(response) == "table" then response.message = ("target '%s': %s"):format(spec.id, response.message) end
    return nil, function() error(response, 0) end,
      retry.delay_after_failure(code, retries) or type(response) == "table" and response.retry_ms
  end
  local status, problem, is_error = real_status(spec, response)
  if not is_error then return response end
  local delay, asked
  if not retry.stops_run(status, problem) then
    delay, asked = retry.delay_after_answer(status, response.headers, retries, sys.now_ms())
  end
  return nil, function() raise_answer(spec, values, response, status, problem, asked) end, delay
end

-- The result of an answer.
local function result_of(spec, response, item)
  if type(spec.output) == "function" then cache.keep(response) end -- what it makes of the answer is its own matter
  local output, info = output_of(spec, response, item)
  cache.keep(response)
  if spec.model then info = model.account(spec.model, response.json, info) end
  return output, info
end

-- With all its tries: where the request is a part of something else (a step, a scorer).
local function run(spec, values, item)
  local retries = 0
  while true do
    values.retries = retries
    local response, raise, delay_ms = try(spec, values, retries)
    if response then return result_of(spec, response, item) end
    if not delay_ms or retries >= spec.retries then raise() end
    require("evalua.native.task").sleep(delay_ms)
    retries = retries + 1
  end
end

-- One try, as the target of an experiment: the engine runs the item again when the error says when, and an item that
-- waits holds no slot.
local function run_once(spec, values, item, retries)
  values.retries, values.can_come_back = retries, true
  local response, raise, delay_ms = try(spec, values, retries)
  if response then return result_of(spec, response, item) end
  local _, problem = pcall(raise)
  if delay_ms and retries < spec.retries and type(problem) == "table" then problem.retry_after_ms = delay_ms end
  error(problem, 0)
end

-- ---- the definition ----

local function checked_spec(given)
  local spec = options.check(schema, given)
  local problems = fetch.problems({ method = spec.method, headers = spec.headers }, "eval.http")
  fetch.use_model(spec, "eval.http", problems)
  for _, option in ipairs { "url", "headers", "body" } do
    template.check(spec[option], ('option "%s" of eval.http'):format(option), problems)
  end
  if type(spec.url) == "string" and not spec.url:find "^{{" then
    local problem = fetch.url_problem((spec.url:gsub("{{.-}}", "x")))
    if problem then problems[#problems + 1] = ('option "url" of eval.http: %s'):format(problem) end
  end
  if type(spec.output) == "string" and spec.output ~= "" and spec.output:sub(1, 1) ~= "/" then
    problems[#problems + 1] = ('option "output" of eval.http: a JSON pointer begins with "/", as in'
      .. ' "/choices/0/message/content"; this is %s'):format(options.show(spec.output))
  end
  if #problems > 0 then place.fail_all(problems) end
  spec.output_names = type(spec.output) == "string" and names_in(spec.output) or nil
  return spec
end

local function redacted(value)
  if type(value) == "string" then return secrets.redact(value) end
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, entry in next, value do copy[key] = redacted(entry) end
  return copy
end

---Makes an HTTP target.
---@param given table
---@return table target {id, type, version, digest, prepare, run, try}
function http.target(given)
  local spec = checked_spec(given)
  local request_of = compile_request(spec)
  return {
    id = spec.id, type = "http", version = spec.version,
    digest = digest.of { type = "http", url = redacted(spec.url), method = spec.method,
      headers = redacted(spec.headers), body = redacted(spec.body), output = spec.output },
    prepare = fetch.prepare,
    run = function(input, item) return run(spec, request_of(input, item), item) end,
    try = function(input, item, retries) return run_once(spec, request_of(input, item), item, retries) end,
  }
end

---Declares an HTTP target (`eval.http{...}`).
---@param given table
---@return table target
function http.declare(given) return require("evalua.target").register(http.target(given)) end

return http
