-- What items use of models: tokens, cost and steps. It is charged to the running item as soon as it is reported, so
-- that limits hold while the item runs; the coordinator adds it up for the budget of the run.

local engine = require "evalua.native.engine"
local json = require "evalua.json"
local options = require "evalua.options"
local process_failure = require "evalua.process_failure"

local usage = {}

local is_used = false -- in this process: most targets report nothing

local codes = { tokens = "token_limit", cost = "cost_limit", steps = "step_limit" }

local function number(value)
  if type(value) == "number" and value == value and value > 0 and value < math.huge then return value end
  return 0
end

-- Tokens of a usage record: the total that it names, else input and output. No metamethod of a script runs in here.
local function tokens_of(record)
  local total = number(rawget(record, "total_tokens"))
  return total > 0 and total or number(rawget(record, "input_tokens")) + number(rawget(record, "output_tokens"))
end

local function whole(value) return math.tointeger(value) or value end

local FIELDS = { "input_tokens", "output_tokens", "total_tokens", "cost" }

---What is wrong with a usage record: its figures are finite numbers of at least 0, where there are any.
---@param record any
---@return string|nil problem
function usage.problem(record)
  if record == nil or record == json.null then return nil end
  if type(record) ~= "table" then
    return ("usage is a table such as { input_tokens = 12, cost = 0.01 }, not %s"):format(options.show(record))
  end
  for _, name in ipairs(FIELDS) do
    local value = rawget(record, name)
    if value ~= nil and value ~= json.null
      and not (type(value) == "number" and value >= 0 and value < math.huge) then
      return ("usage.%s must be a number of at least 0, not %s"):format(name, options.show(value))
    end
  end
  return nil
end

-- Raises where the item has used too much.
local function check(name, used, limit)
  if not name then return end
  process_failure.raise {
    message = ("the item has used %s %s; the limit (%s) is %s"):format(tostring(whole(used)),
      name == "cost" and "of cost" or name, name, tostring(whole(limit))),
    code = codes[name], status = "limited", permanent = true,
  }
end

---Charges what one call has used to the running item. Raises (status limited) where a limit of the item is passed.
---Outside of items nothing is counted.
---@param record table {input_tokens, output_tokens, total_tokens, cost, steps}, each may be absent
function usage.add(record)
  is_used = true
  check(engine.charge(tokens_of(record), number(rawget(record, "cost")), number(rawget(record, "steps")),
    number(rawget(record, "input_tokens")), number(rawget(record, "output_tokens"))))
end

---Charges what the target returned beside its output (`usage`, and the steps of `trajectory`), beyond what its calls
---have reported: the same tokens are not counted twice. Raises where a limit of the item is passed, also where that was
---reported before and the target went on.
---@param info table|nil
function usage.settle(info)
  local used, trajectory = info and rawget(info, "usage"), info and rawget(info, "trajectory")
  if used == nil and trajectory == nil then
    if is_used then check(engine.charge()) end
    return nil
  end
  is_used = true
  local record = type(used) == "table" and used or {}
  if type(trajectory) ~= "table" then trajectory = {} end
  local tokens, cost, steps = engine.spent()
  if not tokens then return nil end
  local list = rawget(trajectory, "steps")
  if type(list) ~= "table" then list = trajectory end
  return check(engine.charge(math.max(0, tokens_of(record) - tokens),
    math.max(0, number(rawget(record, "cost")) - cost), math.max(0, rawlen(list) - steps)))
end

---What the running item has reported so far, as a usage record; nil where it is nothing.
---@return table|nil
function usage.spent()
  if not is_used then return nil end
  local tokens, cost, _, input, output = engine.spent()
  if not tokens or tokens == 0 and cost == 0 then return nil end
  local function known(value) return value > 0 and whole(value) or nil end
  return { input_tokens = known(input), output_tokens = known(output), cost = known(cost),
    total_tokens = tokens ~= input + output and known(tokens) or nil }
end

local PAGE = 500 -- results read at once

---What the stored results of a run have used, as far as they say.
---@param store table
---@param experiment_id string
---@return number tokens
---@return number cost
function usage.of_run(store, experiment_id)
  local tokens, cost, after = 0, 0, 0
  repeat
    local rows = require("evalua.cli.fail").must(store:results(experiment_id, { after = after, limit = PAGE }))
    for _, row in ipairs(rows) do
      local record = row.usage and json.decode(row.usage)
      if type(record) == "table" then
        tokens, cost = tokens + tokens_of(record), cost + number(rawget(record, "cost"))
      end
      after = row.position
    end
  until #rows < PAGE
  return tokens, cost
end

return usage
