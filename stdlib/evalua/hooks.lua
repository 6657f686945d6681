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

local function explain(problem) return type(problem) == "string" and problem or tostring(problem) end

local Hooks = {}
Hooks.__index = Hooks

-- The first hook that fails says why the run is not judged.
function Hooks:guard(name, ...)
  local ok, value = xpcall(self.experiment[name], explain, ...)
  if ok then return true, value end
  self.problem = self.problem or ("%s failed: %s"):format(name, value)
  return false, nil
end

-- A hook outside of the run: Ctrl-C and SIGTERM end it with an error, so that what comes after it still runs.
function Hooks:interruptible(name, ...)
  engine.hold_signals(0)
  local ok, value = self:guard(name, ...)
  if engine.release_signals() > 0 then
    self.interrupted = name
    if not ok then self.problem = nil end
  end
  return ok, value
end

---Runs setup. Its value is given to the other hooks and is `item.setup` in items. `interrupted` says that the user ended
---it.
---@return boolean ok
function Hooks:open()
  if not self.experiment.setup then return true end
  local ok, value = self:interruptible("setup")
  self.experiment.setup_value = value
  return ok and not self.interrupted
end

---Gives the results from one position to another to after_each, in order. After a failure it is not called again.
---@param store table
---@param experiment_id string
---@param from integer
---@param to integer
function Hooks:results(store, experiment_id, from, to)
  if not self.experiment.after_each or self.after_each_failed then return end
  engine.hold_signals(1) -- one is for the run: it ends when this has; another ends this
  local ok, problem = pcall(self.each_result, self, store, experiment_id, from, to)
  if engine.release_signals() > 1 and self.after_each_failed then
    self.problem = "after_each was interrupted"
  end
  if not ok then error(problem, 0) end
end

function Hooks:each_result(store, experiment_id, from, to)
  local after = from - 1
  while not self.after_each_failed and after < to do
    local rows, problem = store:results(experiment_id, { after = after, limit = math.min(PAGE, to - after) })
    if not rows then error(problem, 0) end
    for _, row in ipairs(rows) do
      if row.position > to then return end
      if not self:guard("after_each", decoded(row), self.experiment.setup_value) then
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
  if self.experiment.teardown then
    local before = self.problem
    self:interruptible("teardown", self.experiment.setup_value)
    if self.interrupted == "teardown" then self.problem = before or "teardown was interrupted" end
  end
  self.experiment.setup_value = nil
end

---The hooks of one run.
---@param experiment table
---@return table hooks {open, results, close, problem}
function hooks.of(experiment) return setmetatable({ experiment = experiment }, Hooks) end

return hooks
