-- What a request must have before it is sent: a permit of its model's limits, and one of its host, which learns from
-- the answers how many requests it takes (runtime/engine/adaptive.h). Hosts are told apart by origin and key.

local desk = require "evalua.native.desk"
local engine = require "evalua.native.engine"
local process_failure = require "evalua.process_failure"
local retry = require "evalua.http_retry"

local permits = {}

local KEY_HEADERS = { authorization = true, ["x-api-key"] = true, ["api-key"] = true, ["x-goog-api-key"] = true }
local DIGESTS_MAX = 1000
local DIGEST_CHARACTERS = 16 -- of SHA-256 in hexadecimal: enough to tell keys apart, and no way back to them

local digests, digest_count = {}, 0

local function key_digest(key)
  local found = digests[key]
  if not found then
    if digest_count >= DIGESTS_MAX then digests, digest_count = {}, 0 end
    found = require("evalua.native.text").sha256(key):sub(1, DIGEST_CHARACTERS)
    digests[key], digest_count = found, digest_count + 1
  end
  return found
end

---The name under which a host's requests are counted: its origin, and a digest of the key that is sent.
---@param origin string
---@param headers table<string, any>
---@return string
function permits.host_name(origin, headers)
  for name, value in next, headers do
    if KEY_HEADERS[name:lower()] and value then return origin .. " " .. key_digest(tostring(value)) end
  end
  return origin
end

local held_meta = {}
held_meta.__index = held_meta

-- The request has ended: with this answer of its host, or none.
function held_meta:release(answer, wait_ms)
  if self.host then self.host:release(answer or "none", wait_ms) end
  if self.model then self.model:release() end
end

-- Leaving the request by an error: it got no answer. Being given up says nothing about the host.
function held_meta:__close(problem)
  if not self.is_kept or problem ~= nil then self:release(problem ~= nil and "failed" or "none") end
end

---What an answer says about its host.
---@param held table|nil what permits.take returned
---@param response { status: integer, headers: table<string, string> }
function permits.answered(held, response)
  if not held then return end
  local status = response.status
  if status == 429 then
    local wait_ms = retry.server_delay_ms(response.headers, require("evalua.native.sys").now_ms())
    held:release("refused", wait_ms or 0)
  else
    held:release(status >= 500 and "failed" or status >= 400 and "answered" or "ok")
  end
end

---Waits until a request may be sent. Outside of items only the limits of its model count.
---@param values { model: table|nil, retries: integer|nil, can_come_back: boolean|nil }
---@param host string what permits.host_name returns
---@return table|nil held to be closed; nil where nothing is needed
function permits.take(values, host)
  local of_model = values.model and require("evalua.model").take(values.model)
  if not engine.in_worker() then
    return of_model and setmetatable({ model = of_model }, held_meta)
  end
  local permit, wait, code = desk.acquire("host", host, (values.retries or 0) > 0, values.can_come_back)
  if permit then return setmetatable({ host = permit, model = of_model }, held_meta) end
  if of_model then of_model:release "unused" end
  if code == "refused" then
    process_failure.raise { code = "rate_limited", retry_ms = tonumber(wait),
      message = ("%s refuses every request (429) and asks to wait again and again"):format(host:match "^%S+") }
  end
  if code ~= "later" then error(wait, 0) end
  process_failure.raise { code = "deferred", message = "the host takes no more requests now",
    deferred_ms = tonumber(wait) }
end

return permits
