-- Hooks of an experiment in the coordinator: setup before the first item, after_each in item order, teardown last.

local engine = require "evalua.native.engine"
local failure = require "evalua.failure"
local json = require "evalua.json"
local sys = require "evalua.native.sys"

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
  return require("evalua.result_record").strict(row)
end


local Hooks = {}
Hooks.__index = Hooks

-- Calls a hook that so many signals (Ctrl-C, SIGTERM) do not interrupt, with a time in ms (0: any): ok, value, how many
-- came, and whether its time was up. The first hook that fails says why the run is not judged.
function Hooks:guard(patience, timeout_ms, name, ...)
  local signals, is_late, ok, value = engine.call_hook(patience, timeout_ms, self.experiment[name], ...)
  if ok then return true, value, signals end
  if is_late and signals <= patience then return false, nil, signals, true end
  self.problem = self.problem
    or (signals > patience and "%s was interrupted" or "%s failed: %s"):format(name, (failure.text(value)))
  return false, nil, signals
end

---Runs setup, within the timeout of the experiment. Its value is given to the other hooks and is `item.setup` in items.
---`interrupted`: the user ended it; `is_late`: its time was up.
---@return boolean ok
function Hooks:open()
  if not self.experiment.setup then return true end
  local ok, value, signals, is_late = self:guard(0, math.ceil(self.experiment.timeout_ms or 0), "setup")
  self.is_late = is_late
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
      local ok, _, signals = self:guard(self.signals > 0 and 0 or 1, 0, "after_each", decoded(row),
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

---Runs teardown, whatever happened before. `interrupted`: the user ended it.
function Hooks:close()
  if self.experiment.teardown then
    local problem = self.problem
    local _, _, signals = self:guard(0, 0, "teardown", self.experiment.setup_value)
    if signals > 0 then self.interrupted, self.problem = true, problem end
  end
  self.experiment.setup_value = nil
end

---The hooks of one run.
---@param experiment table
---@return table hooks {open, results, close, problem}
function hooks.of(experiment)
  return setmetatable({ experiment = experiment, signals = 0, begin_ms = sys.monotonic_ms() }, Hooks)
end

return hooks
