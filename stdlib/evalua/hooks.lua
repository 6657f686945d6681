-- Hooks of an experiment in the coordinator: setup before the first item, after_each in item order, teardown last.

local engine = require "evalua.native.engine"
local json = require "evalua.json"

local hooks = {}

local PAGE = 500 -- results read at once

local JSON_FIELDS = {
  "input", "output", "ground_truth", "metadata", "tags", "error", "usage", "steps", "trajectory", "context",
}
local SCORE_JSON_FIELDS = { "error", "metadata" }

local function decode_fields(record, names)
  for _, name in ipairs(names) do
    if type(record[name]) == "string" then
      local value = json.decode(record[name])
      if value == json.null then value = nil end
      record[name] = value
    end
  end
end

-- A result as scripts get it: values, not texts.
local function decoded(row)
  decode_fields(row, JSON_FIELDS)
  for _, score in ipairs(row.scores or {}) do decode_fields(score, SCORE_JSON_FIELDS) end
  return row
end


local Hooks = {}
Hooks.__index = Hooks

-- Calls a hook that so many signals (Ctrl-C, SIGTERM) do not interrupt: ok, value, and how many came. The first hook
-- that fails says why the run is not judged.
function Hooks:guard(patience, name, ...)
  local signals, ok, value = engine.call_hook(patience, self.experiment[name], ...)
  if ok then return true, value, signals end
  self.problem = self.problem
    or (signals > patience and "%s was interrupted" or "%s failed: %s"):format(name, tostring(value))
  return false, nil, signals
end

---Runs setup. Its value is given to the other hooks and is `item.setup` in items. `interrupted`: the user ended it.
---@return boolean ok
function Hooks:open()
  if not self.experiment.setup then return true end
  local ok, value, signals = self:guard(0, "setup")
  self.experiment.setup_value = value
  if signals > 0 then self.interrupted, self.problem = true, nil end
  return ok and signals == 0
end

---Gives the results from one position to another to after_each, in order. After a failure it is not called again.
---@param store table
---@param experiment_id string
---@param from integer
---@param to integer
function Hooks:results(store, experiment_id, from, to)
  local after = from - 1
  while self.experiment.after_each and not self.after_each_failed and after < to do
    local rows, problem = store:results(experiment_id, { after = after, limit = math.min(PAGE, to - after) })
    if not rows then error(problem, 0) end
    for _, row in ipairs(rows) do
      if row.position > to then return end
      -- One signal is for the run, which ends when this has; another ends this.
      local ok, _, signals = self:guard(self.signals > 0 and 0 or 1, "after_each", decoded(row),
        self.experiment.setup_value)
      self.signals = self.signals + signals
      if not ok then
        self.after_each_failed = true
        return
      end
    end
    if #rows == 0 then return end
    after = rows[#rows].position
  end
end

---Runs teardown, whatever happened before.
function Hooks:close()
  if self.experiment.teardown then self:guard(0, "teardown", self.experiment.setup_value) end
  self.experiment.setup_value = nil
end

---The hooks of one run.
---@param experiment table
---@return table hooks {open, results, close, problem}
function hooks.of(experiment) return setmetatable({ experiment = experiment, signals = 0 }, Hooks) end

return hooks
