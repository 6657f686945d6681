-- The limits of an experiment: what an item, a worker and the run may use. Every one has a name, which its error shows
-- beside the limit and the actual value.

local engine = require "evalua.native.engine"
local options = require "evalua.options"
local place = require "evalua.place"
local process_failure = require "evalua.process_failure"

local limits = {}

local MIB = 1024 * 1024

limits.schema = options.schema("eval.experiment.limits", {
  { "tokens", "integer", min = 1, help = "of one attempt at an item, input and output together" },
  { "cost", "number", help = "of one attempt at an item" },
  { "steps", "integer", min = 1, help = "of an agent in one attempt at an item" },
  { "run_tokens", "integer", min = 1, help = "of the whole run: more ends it unjudged" },
  { "run_cost", "number", help = "of the whole run: more ends it unjudged" },
  { "output_bytes", "size", default = 64 * MIB, help = "of one output as JSON" },
  { "memory_per_worker", "size", default = 1024 * MIB, min = MIB,
    help = "of Lua in one worker, beyond what it began with" },
  { "rss_per_worker", "size", min = MIB,
    help = "of one worker process, beyond what it began with (default 2 GiB, at least twice memory_per_worker)" },
  { "processes", "integer", default = 100, min = 1, help = "that eval.spawn has running at once for one item" },
  { "requests", "integer", default = 1000, min = 1, help = "that one item has open at once" },
})

---Checks the option `limits` of an experiment and fills in the defaults.
---@param given table|nil
---@param memory_per_worker integer|nil the option of that name, in bytes
---@param where string for messages
---@return table limits by name
function limits.resolve(given, memory_per_worker, where)
  local values = options.check(limits.schema, given or {}, where)
  for _, name in ipairs { "cost", "run_cost" } do
    if values[name] and not (values[name] > 0 and values[name] < math.huge) then
      place.fail(('option "%s" of eval.experiment.limits must be above 0, not %s; leave it out for no limit'):format(
        name, tostring(values[name])), where)
    end
  end
  if memory_per_worker then
    if given and given.memory_per_worker ~= nil then
      place.fail("memory_per_worker is given twice: as an option of eval.experiment and in its limits", where)
    end
    values.memory_per_worker = memory_per_worker
  end
  values.rss_per_worker = values.rss_per_worker or math.max(2048 * MIB, 2 * values.memory_per_worker)
  return values
end

---What was said, for the stored record: nil where nothing was.
---@param given table|nil
---@return table|nil
function limits.stated(given)
  if not given then return nil end
  local stated = {}
  for _, option in ipairs(limits.schema.options) do
    local name = option[1]
    if given[name] ~= nil and given[name] ~= option.default then stated[name] = given[name] end
  end
  return next(stated) and stated or nil
end

---Counts one more open thing of the running item, until the token is closed. Raises where that is one too many.
---@param name "processes"|"requests"
---@return userdata|nil token to be closed (`local held <close> = ...`); nil outside of items
function limits.open(name)
  local token, count, limit = engine.open(name)
  if token or not count then return token end
  process_failure.raise {
    message = ("the item has %d %s open at once; the limit (%s) is %d"):format(count, name, name, limit),
    code = name, status = "limited", permanent = true,
  }
end

---What is said of an item that met the memory limit of its worker.
---@return string
function limits.memory_message()
  local used, limit = engine.memory()
  if not used then return "not enough memory (memory_per_worker)" end
  return ("not enough memory: Lua wanted %d bytes, the limit (memory_per_worker) is %d"):format(used, limit)
end

return limits
