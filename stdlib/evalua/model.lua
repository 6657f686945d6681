-- eval.model: what requests to a model need and must keep to: where it is, its key, its limits over all workers, its
-- price.

local limit = require "evalua.limit"
local options = require "evalua.options"
local place = require "evalua.place"
local secrets = require "evalua.secrets"
local strict = require "evalua.strict"

local model = {}

local schema = options.schema("eval.model", {
  { "id", "text", required = true, help = "how targets and requests name it" },
  { "url", "text", help = "what relative URLs of requests are put behind" },
  { "api_key", "text", help = "sent as `Authorization: Bearer` to that URL's host; use eval.env" },
  { "max_concurrency", "integer", min = 1, max = 1000000, help = "requests at a time, over all workers" },
  { "requests_per_minute", "number", min = 0.01, max = 1e9, help = "requests begun in any minute, over all workers" },
  { "price", "map", help = "USD for a million tokens: { input = 0.15, output = 0.6 }" },
})

local PRICES = { "input", "output" }
local FIELDS = { "api_key", "cost", "id", "max_concurrency", "price", "requests_per_minute", "url" }

local methods = {}

-- Counts of tokens under the names that services give them.
local function count(usage, ...)
  for _, name in ipairs { ... } do
    local value = rawget(usage, name)
    if type(value) == "number" and value >= 0 and value < math.huge then return value end
  end
  return nil
end

---The cost of a request in USD; nil where there is no price or no usage: unknown is not free.
---@param usage table|nil {input_tokens, output_tokens}
---@return number|nil
function methods:cost(usage)
  local price = rawget(self, "price")
  if not price or type(usage) ~= "table" then return nil end
  local sum = 0
  for _, kind in ipairs(PRICES) do
    local tokens = count(usage, kind .. "_tokens")
    if tokens and tokens > 0 then
      if not price[kind] then return nil end
      sum = sum + tokens * price[kind] / 1e6
    end
  end
  if not count(usage, "input_tokens") and not count(usage, "output_tokens") then return nil end
  return sum
end

local metatable = {
  __name = "evalua.model",
  __index = function(_, key)
    if methods[key] then return methods[key] end
    if strict.contains(FIELDS, key) then return nil end
    place.fail(('unknown field "%s" of a model%s'):format(tostring(key), strict.hint(key, FIELDS, "its fields")))
  end,
  __newindex = function(_, key) place.fail(("model.%s cannot be assigned"):format(tostring(key))) end,
  __tostring = function(self) return rawget(self, "id") end,
}

local function check(values)
  local problems = {}
  if values.url then
    local problem = require("evalua.fetch").url_problem(values.url)
    if problem then problems[1] = ('option "url" of eval.model: %s'):format(problem) end
  end
  for name, price in next, values.price or {} do
    if not strict.contains(PRICES, name) then
      problems[#problems + 1] = ('unknown field "%s" in option "price" of eval.model%s'):format(name,
        strict.hint(name, PRICES, "its fields"))
    elseif type(price) ~= "number" or not (price >= 0 and price < math.huge) then
      problems[#problems + 1] = ("price.%s of eval.model must be a number of at least 0 (USD for a million tokens),"
        .. " not %s"):format(name, options.show(price))
    end
  end
  if values.api_key and values.api_key:find "[%c]" then
    problems[#problems + 1] = 'option "api_key" of eval.model has a line break or control character in it'
  end
  if #problems > 0 then place.fail_all(problems) end
end

local declared = {} -- the last one of each id, for requests that name it

---Declares a model. Under one id there is one: declared again with the same options it is the same.
---@param given table id, url, api_key, max_concurrency, requests_per_minute, price
---@return table model
function model.declare(given)
  local values = options.check(schema, given)
  check(values)
  if values.api_key then secrets.add("api_key of " .. values.id, values.api_key) end
  local made = limit.register("model", values, function()
    local fields = {}
    for name, value in next, values do fields[name] = value end
    return setmetatable(fields, metatable)
  end)
  declared[values.id] = made
  return made
end

---The model that an option names, as its id or its handle.
---@param value any
---@param what string how messages call the option
---@return table|nil model
---@return string|nil problem
function model.find(value, what)
  if getmetatable(value) == metatable then return value end
  if type(value) ~= "string" then
    return nil, ("%s must be the id of a model or what eval.model returned, not %s"):format(what, options.show(value))
  end
  if declared[value] then return declared[value] end
  return nil, ('%s names the model "%s", which no eval.model has declared%s'):format(what, value,
    strict.hint(value, strict.keys(declared), "models"))
end

---The URL of a request: a relative one is put behind the model's.
---@param self table a model
---@param url string|nil
---@return string|nil url nil where the model has none to put it behind
function model.url_of(self, url)
  local base = rawget(self, "url")
  if url and url:find "^%a[%w+.-]*:" then return url end
  if not base then return nil end
  if not url or url == "" then return base end
  if url:sub(1, 1) == "?" then return base .. url end
  return base:gsub("/+$", "") .. "/" .. url:gsub("^/+", "")
end

---The header with the key, for a request to this URL: nil where the request has one of its own, or goes to another host
---than the model's.
---@param self table a model
---@param url string
---@param headers table|nil
---@return string|nil value of Authorization
function model.authorization(self, url, headers)
  local key, base = rawget(self, "api_key"), rawget(self, "url")
  if not key then return nil end
  local origin = require("evalua.fetch").origin
  if base and origin(base) ~= origin(url) then return nil end
  for name in next, headers or {} do if name:lower() == "authorization" then return nil end end
  return "Bearer " .. key
end

-- What services say of usage, under the names that results have.
local function usage_of_body(body)
  local found = type(body) == "table" and rawget(body, "usage")
  if type(found) ~= "table" then return nil end
  local input = count(found, "input_tokens", "prompt_tokens")
  local output = count(found, "output_tokens", "completion_tokens")
  if not input and not output then return nil end
  return { input_tokens = input, output_tokens = output }
end

---Adds usage and cost to what a target says beside its output.
---@param self table a model
---@param body any the decoded answer
---@param info table|nil
---@return table|nil info
function model.account(self, body, info)
  if info ~= nil and type(info) ~= "table" then return info end
  local usage = info and info.usage or usage_of_body(body)
  if type(usage) ~= "table" then return info end
  local full = {}
  for name, value in next, info or {} do full[name] = value end
  full.usage = {}
  for name, value in next, usage do full.usage[name] = value end
  if full.usage.cost == nil then full.usage.cost = self:cost(usage) end
  return full
end

---Reports what a request has used, for the limits of the item and the run.
---@param self table a model
---@param response table of eval.fetch
function model.report(self, response)
  if response.status < 200 or response.status > 299 then return end
  local usage = usage_of_body(response.json)
  if not usage then return end
  usage.cost = self:cost(usage)
  require("evalua.usage").add(usage)
end

---Waits until the model may be asked.
---@param self table a model
---@return userdata|nil permit nil where it has no limits
function model.take(self)
  local max, per_minute = rawget(self, "max_concurrency"), rawget(self, "requests_per_minute")
  if not max and not per_minute then return nil end
  local permit, problem = require("evalua.native.desk").acquire("limit", "model:" .. rawget(self, "id"), max or 0,
    per_minute or 0)
  if not permit then error(("model %s: %s"):format(rawget(self, "id"), problem), 0) end
  return permit
end

return model
