-- HTTP requests and answers as tables: headers, forms, and what is sent of an options table.

local json = require "evalua.json"

local http_message = {}

http_message.JSON, http_message.TEXT = "application/json", "text/plain; charset=utf-8"

-- Header names are found however they are written.
local headers_meta = {
  __index = function(headers, name)
    if type(name) ~= "string" then return nil end
    return rawget(headers, name:lower())
  end,
}

---Headers by their lower-case names, to be found however they are written.
---@param headers table<string, string>
---@return table<string, string> headers itself
function http_message.with_any_case(headers) return setmetatable(headers, headers_meta) end

---Headers by their lower-case names; several of one name are joined by ", ".
---@param head string lines "Name: value"
---@return table<string, string>
function http_message.read_headers(head)
  return http_message.with_any_case(require("evalua.native.http").headers(head))
end

---Text as a part of a URL or form.
---@param text string
---@return string
function http_message.escape(text)
  return (text:gsub("[^%w%-._~]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

---A URL as it is sent: what is not ASCII behind the host is escaped, as browsers do.
---@param url string
---@return string
function http_message.sent_url(url)
  local whole = url:match "^[^#]*"
  local host_end = whole:find("[/?]", (whole:find("://", 1, true) or 0) + 3)
  if not host_end or not whole:find("[\x80-\xff]", host_end) then return whole end
  return whole:sub(1, host_end - 1) .. whole:sub(host_end):gsub("[\x80-\xff]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end)
end

---A table of names and values (or lists of values) as a form.
---@param fields table<string, any>
---@return string
function http_message.form(fields)
  local parts, names = {}, {}
  for name in next, fields do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local values = fields[name]
    for _, value in ipairs(type(values) == "table" and values or { values }) do
      parts[#parts + 1] = http_message.escape(name) .. "=" .. http_message.escape(tostring(value))
    end
  end
  return table.concat(parts, "&")
end

---The lines of headers to send, and what is wrong with them.
---@param headers table<string, any>
---@param what string how messages call the option
---@return string[]|nil lines
---@return string|nil problem
function http_message.header_lines(headers, what)
  local lines, names = {}, {}
  for name in next, headers do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = headers[name]
    if not name:find "^[%w!#$%%&'*+%-.^_`|~]+$" then
      return nil, ('%s: "%s" is not the name of a header'):format(what, name:gsub("%c", "?"))
    end
    if type(value) == "number" then value = tostring(value) end
    if type(value) ~= "string" and value ~= false then
      return nil, ("%s: %s must be a string, not a %s"):format(what, name, type(value))
    end
    if value and value:find "[\r\n\0]" then
      return nil, ("%s: %s has a line break or NUL in its value"):format(what, name)
    end
    if value and name:lower() == "content-length" then
      return nil, ("%s: leave out %s; the length of the body is sent by itself, and another would be wrong"):format(
        what, name)
    end
    if value and not value:find "%S" then lines[#lines + 1] = name .. ";" -- libcurl: a header without a value
    elseif value then lines[#lines + 1] = name .. ": " .. value
    else lines[#lines + 1] = name .. ":" end            -- and none at all
  end
  return lines
end

local function has(headers, wanted)
  for name in next, headers do if name:lower() == wanted then return true end end
  return false
end

---The body to send and its type.
---@param values { body: string|nil, json: any, form: table|nil }
---@return string|nil body
---@return string|nil kind
function http_message.body(values)
  if values.json ~= nil then return json.encode(values.json), http_message.JSON end
  if values.form then return http_message.form(values.form), "application/x-www-form-urlencoded" end
  if values.body then return values.body, http_message.TEXT end
  return nil
end

---Headers with those that go without saying.
---@param given table|nil
---@param kind string|nil of the body
---@return table headers a copy
function http_message.complete_headers(given, kind)
  local headers = {}
  for name, value in next, given or {} do headers[name] = value end
  if kind and not has(headers, "content-type") then headers["Content-Type"] = kind end
  if not has(headers, "user-agent") then headers["User-Agent"] = "evalua" end
  return headers
end

return http_message
