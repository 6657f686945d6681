-- What identifies a request in the cache: everything that decides its answer, nothing secret, nothing that differs from
-- run to run. Two requests with the same identity text have the same answer.

local json = require "evalua.json"
local native = require "evalua.native.text"
local secrets = require "evalua.secrets"

local cache_key = {}

local KEY_BYTES_MIN = 20 -- from here on a mixed value of a parameter such as `key` is taken for a secret

-- Headers that are keys, or differ from request to request without a meaning.
local ignored_headers = {
  ["accept-encoding"] = true, authorization = true, baggage = true, connection = true, ["content-length"] = true,
  cookie = true, date = true, host = true, ["idempotency-key"] = true, ["proxy-authorization"] = true,
  traceparent = true, tracestate = true, ["user-agent"] = true, ["x-correlation-id"] = true, ["x-request-id"] = true,
}
local secret_parameters = {
  access_token = true, auth_token = true, client_secret = true, id_token = true, password = true, secret = true,
}
local secret_words = { "api[-_]?key", "token$", "secret", "password", "passwd", "signature", "credential", "auth$" }

-- Headers of answers that say something about the moment and not about the answer.
local momentary_headers = {
  age = true, connection = true, ["content-encoding"] = true, ["content-length"] = true, date = true, expires = true,
  ["keep-alive"] = true, ["retry-after"] = true, ["set-cookie"] = true, ["transfer-encoding"] = true,
}

local function is_secret_name(name)
  name = name:lower()
  for _, word in ipairs(secret_words) do if name:find(word) then return true end end
  return false
end

---A value without secrets, at any depth: what eval.env read stands as `[NAME]`.
---@param value any
---@param note table|nil gets `redacted = true` where there was one
---@return any
function cache_key.redacted(value, note)
  if secrets.count() == 0 then return value end
  if type(value) == "string" then
    local clean = secrets.redact(value)
    if note and clean ~= value then note.redacted = true end
    return clean
  end
  if type(value) ~= "table" then return value end
  local copy = json.is_array(value) and json.array {} or {}
  for key, entry in next, value do
    copy[type(key) == "string" and secrets.redact(key) or key] = cache_key.redacted(entry, note)
  end
  return copy
end

---An answer with what stands as `[NAME]` put back, where this process knows it: a link of a server is one again.
---@param value any of an answer that is marked `redacted`
---@return any
function cache_key.restored(value)
  if secrets.count() == 0 then return value end
  if type(value) == "string" then return secrets.restore(value) end
  if type(value) ~= "table" then return value end
  for name, entry in next, value do value[name] = cache_key.restored(entry) end
  return value
end

-- A parameter of a URL that is a key by its name; where the name may mean something else (the token of a page) only if
-- the value looks like a key: leaving it out would give one page for all.
local function is_secret_parameter(name, value)
  name = name:lower()
  if name:find "api[-_]?key" or secret_parameters[name] then return true end
  return (name == "key" or name == "token" or name == "sig" or name:find "signature$") and #value >= KEY_BYTES_MIN
    and value:find "%d" and value:find "%a"
end

---A URL without its fragment, user and password, and without keys in its query.
---@param url string
---@return string
function cache_key.url(url)
  url = cache_key.redacted(url):gsub("#.*$", ""):gsub("^(%a[%w+.-]*://)[^/?#]*@", "%1")
  local head, query = url:match "^([^?]*)%?(.*)$"
  if not query then return url end
  query = query:gsub("([^&=]+)=([^&]*)", function(name, value)
    return is_secret_parameter(name, value) and name .. "=[secret]" or nil
  end)
  return head .. "?" .. query
end

-- The headers that may change the answer, by their lower-case names.
local function headers_of(headers)
  local kept
  for name, value in next, headers or {} do
    local lower = name:lower()
    if value ~= false and not ignored_headers[lower] and not is_secret_name(lower) then
      kept = kept or {}
      kept[lower] = cache_key.redacted(tostring(value))
    end
  end
  return kept
end

---Bytes as a field of an entry: `name` where they are text, else `name_base64`.
---@param record table
---@param name string
---@param bytes string
function cache_key.put_bytes(record, name, bytes)
  if utf8.len(bytes) then record[name] = bytes else record[name .. "_base64"] = native.base64(bytes) end
end

---What put_bytes has put.
---@param record table
---@param name string
---@return string|nil
function cache_key.get_bytes(record, name)
  if type(record[name]) == "string" then return record[name] end
  local text = record[name .. "_base64"]
  return type(text) == "string" and native.from_base64(text) or nil
end

-- A JSON body counts by its value, so that the order of its keys and its blanks do not matter.
local function put_body(record, body)
  if body == nil or body == "" then return end
  if body:find "^%s*[%[{]" then
    local value = json.decode(body, { mode = "foreign", max_depth = 900 })
    if value ~= nil then
      record.body = cache_key.redacted(value)
      return
    end
  end
  cache_key.put_bytes(record, "body", cache_key.redacted(body))
end

---The identity of an HTTP request.
---@param request { method: string, url: string, headers: table|nil, body: string|nil }
---@param follows boolean whether redirects are followed
---@return table
function cache_key.of_request(request, follows)
  local record = { kind = "http", method = request.method, url = cache_key.url(request.url),
    headers = headers_of(request.headers) }
  if not follows then record.redirects = 0 end
  put_body(record, request.body)
  return record
end

---The identity of one run of a command, or of one request to a persistent one. The working directory is no part of it.
---@param spec { argv: string[], env: table|nil, mode: string }
---@param input string what it gets on stdin
---@return table
function cache_key.of_command(spec, input)
  local record = { kind = "command", argv = json.array { table.unpack(cache_key.redacted(spec.argv)) } }
  if spec.mode ~= "oneshot" then record.mode = spec.mode end
  if spec.env and next(spec.env) then record.env = cache_key.redacted(spec.env) end
  for name in next, record.env or {} do if is_secret_name(name) then record.env[name] = "[secret]" end end
  cache_key.put_bytes(record, "stdin", cache_key.redacted(input))
  return record
end

---The headers of an answer that are kept.
---@param headers table<string, string>
---@param note table|nil as for redacted
---@return table
function cache_key.answer_headers(headers, note)
  local kept = {}
  for name, value in next, headers do
    if not momentary_headers[name] and not name:find "request%-id$" and not name:find "ratelimit"
        and not name:find "^cf%-" and not is_secret_name(name) then
      kept[name] = cache_key.redacted(value, note)
    end
  end
  return kept
end

---The identity text of a request and the digest under which its answer is kept. Raises for what JSON cannot hold.
---@param identity table
---@return string text
---@return string digest
function cache_key.seal(identity)
  local text = json.identity(identity)
  return text, native.sha256(text)
end

return cache_key
