-- When a request is worth another try, how long to wait for it, and which answers mean that no request will do.
-- The rules are those of the SDKs of model providers.

local json = require "evalua.json"

local http_retry = {}

http_retry.DELAY_MAX_MS = 120000 -- a server that asks for more than this is not waited for
local BACKOFF_FIRST_MS, BACKOFF_MOST_MS = 500, 8000

local retried_statuses = { [408] = true, [409] = true, [429] = true }
local retried_codes = {
  timeout = true, connect_failed = true, dns_failed = true, cut = true, bad_answer = true, http_failed = true,
}

-- What providers call an account that can do nothing more, or a key that they do not know.
local stopping_codes = {
  insufficient_quota = "quota_exhausted", credit_balance_exhausted = "quota_exhausted",
  organization_spend_limit_exceeded = "quota_exhausted", project_spend_limit_exceeded = "quota_exhausted",
  organization_usage_limit_exceeded = "quota_exhausted", enforced_spend_limit_reached = "quota_exhausted",
  billing_error = "quota_exhausted", invalid_api_key = "bad_key", authentication_error = "bad_key",
}
local stopping_statuses = { [401] = "bad_key", [402] = "quota_exhausted" }

local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11,
  Dec = 12 }

-- Days since 1970 of a date (the civil calendar, any year).
local function days(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = year // 400
  local year_of_era = year - era * 400
  local day_of_year = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5 + day - 1
  return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
end

---Milliseconds since 1970 of an HTTP date in any of its three forms.
---@param text string
---@return integer|nil
function http_retry.parse_date(text)
  local day, month, year, hour, minute, second = text:match "^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$"
  if not day then
    day, month, year, hour, minute, second = text:match "^%a+, (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$"
    if day then year = (tonumber(year) < 70 and "20" or "19") .. year end
  end
  if not day then
    month, day, hour, minute, second, year = text:match "^%a%a%a (%a%a%a) +(%d+) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$"
  end
  if not day or not months[month] then return nil end
  local number = math.tointeger
  return (days(number(year), months[month], number(day)) * 86400 + number(hour) * 3600 + number(minute) * 60
    + number(second)) * 1000
end

-- A number as headers have it; Lua's tonumber also takes hexadecimal ones.
local function decimal(text)
  return text and text:find "^%s*[+-]?[%d.]+[eE]?[+-]?%d*%s*$" and tonumber(text) or nil
end

---What the server asks for, from retry-after-ms, or retry-after as seconds or as a date.
---@param headers table<string, string>
---@param now_ms number of the wall clock
---@return number|nil ms
function http_retry.server_delay_ms(headers, now_ms)
  local ms = decimal(headers["retry-after-ms"])
  local after = headers["retry-after"]
  if not ms and after then
    local seconds = decimal(after)
    local date = not seconds and http_retry.parse_date(after)
    ms = seconds and seconds * 1000 or date and date - now_ms
  end
  if not ms or ms ~= ms or ms <= 0 then return nil end
  return ms
end

-- From 0 to 1, of a source of its own: scripts' math.random is not disturbed.
local function chance() return tonumber(require("evalua.native.text").uuid():sub(-8), 16) / 0xFFFFFFFF end

---The wait before another try where the server asks for none: doubling, with jitter.
---@param retries integer done so far
---@return number ms
function http_retry.backoff_ms(retries)
  return math.min(BACKOFF_FIRST_MS * 2 ^ retries, BACKOFF_MOST_MS) * (0.75 + 0.25 * chance())
end

local function is_retried(status, headers)
  local said = headers["x-should-retry"]
  if said == "true" then return true end
  if said == "false" then return false end
  return retried_statuses[status] or status >= 500
end

---The error that a body speaks of: `{"error": {...}}` or `{"error": "text"}`; where the status says that it is one,
---also `{"message": ...}` (old vLLM) and `{"detail": "text"}` (FastAPI).
---@param body any decoded JSON, or nil
---@param is_failed boolean the status is one of an error
---@return { message: string|nil, code: string|number|nil, type: string|nil, details: any }|nil
function http_retry.body_error(body, is_failed)
  if type(body) ~= "table" then return nil end
  local found = rawget(body, "error")
  if found == nil or found == json.null or found == false then
    if not is_failed then return nil end
    local detail = rawget(body, "detail")
    found = type(rawget(body, "message")) == "string" and body
      or type(detail) == "string" and { message = detail } or nil
    if not found then return nil end
  end
  if type(found) ~= "table" then return { message = tostring(found) } end
  local function field(name)
    local value = rawget(found, name)
    if value ~= json.null then return value end
  end
  local text = field "message"
  return { message = type(text) == "string" and text or nil, code = field "code", type = field "type",
    details = field "details" }
end

---Why every further request would fail too ("bad_key", "quota_exhausted"), or nil.
---@param status integer
---@param problem table|nil what body_error returns
---@return string|nil code
function http_retry.stops_run(status, problem)
  if problem then
    local details = type(problem.details) == "table" and rawget(problem.details, "error_code")
    local found = stopping_codes[problem.code] or stopping_codes[problem.type] or details and stopping_codes[details]
    if found then return found end
  end
  return stopping_statuses[status]
end

---How long to wait before another try of a request that got an answer.
---@param status integer
---@param headers table<string, string>
---@param retries integer done so far
---@param now_ms number
---@return number|nil ms nil: do not try again
---@return number|nil asked what the server asked for, where that is too long
function http_retry.delay_after_answer(status, headers, retries, now_ms)
  if not is_retried(status, headers) then return nil end
  local asked = http_retry.server_delay_ms(headers, now_ms)
  if asked and asked > http_retry.DELAY_MAX_MS then return nil, asked end
  return asked or http_retry.backoff_ms(retries)
end

---The same for a request that got none.
---@param code string|nil of the error
---@param retries integer
---@return number|nil ms
function http_retry.delay_after_failure(code, retries)
  return retried_codes[code] and http_retry.backoff_ms(retries) or nil
end

return http_retry
