-- Trials: how often each item runs, and how its trials become one value. Statistics are taken over items.

local json = require "evalua.json"
local options = require "evalua.options"
local place = require "evalua.place"
local strict = require "evalua.strict"

local trials = {}

trials.COUNT_MAX = 1000 -- trials of one item: trials

---@class evalua.reducer
---@field name string
---@field k integer|nil how many trials it asks for

local metatable = strict.metatable({ "name", "k" }, "reducer")

-- `eval.reducers.mean()` is `eval.reducers.mean`.
metatable.__call = function(self, ...)
  if select("#", ...) == 0 then return self end
  place.fail(("eval.reducers.%s takes no arguments"):format(self.name))
end

local function reducer(name, k) return setmetatable({ name = name, k = k }, metatable) end

-- at_least, pass_at and pass_k take a number of trials.
local function counting(name)
  return function(k)
    if type(k) ~= "number" or math.tointeger(k) == nil or k < 1 then
      place.fail(("eval.reducers.%s takes a whole number of trials, such as %s(2), not %s"):format(name, name,
        options.show(k)))
    end
    return reducer(name, math.tointeger(k))
  end
end

---What scripts know as eval.reducers.
trials.reducers = strict.namespace({
  mean = reducer "mean", median = reducer "median", mode = reducer "mode", max = reducer "max",
  at_least = counting "at_least", pass_at = counting "pass_at", pass_k = counting "pass_k",
}, "eval.reducers")

local counts_passes = { at_least = true, pass_at = true, pass_k = true }

---True for reducers that count passes: a failed trial is one that did not pass, instead of missing.
---@param name string
---@return boolean
function trials.counts_passes(name) return counts_passes[name] == true end

---How a reducer is written: `mean`, `pass_at(2)`.
---@param given { name: string, k: integer|nil }
---@return string
function trials.text(given) return given.k and ("%s(%d)"):format(given.name, given.k) or given.name end

local schema = options.schema("eval.experiment.trials", {
  { "count", "integer", required = true, min = 1, max = trials.COUNT_MAX, help = "times that each item runs" },
  { "reducer", "any", help = "one of eval.reducers; default mean" },
})

-- A reducer cannot ask for more trials than there are.
local function problem_of_k(count, chosen)
  if not chosen.k or chosen.k <= count then return nil end
  return ("reducer %s needs at least %d trials, not %d"):format(trials.text(chosen), chosen.k, count)
end

---The option `trials` of an experiment.
---@param given integer|table|nil
---@param where string
---@return integer count
---@return { name: string, k: integer|nil } reducer
function trials.resolve(given, where)
  if type(given) ~= "table" then
    local count = given or 1
    if count < 1 or count > trials.COUNT_MAX then
      place.fail(('option "trials" of eval.experiment must be from 1 to %d, not %d'):format(trials.COUNT_MAX, count),
        where)
    end
    return math.tointeger(count), trials.reducers.mean
  end
  local values = options.check(schema, given, where)
  local chosen = values.reducer or trials.reducers.mean
  if getmetatable(chosen) ~= metatable then
    local hint = type(chosen) == "function" and "; at_least, pass_at and pass_k take a number: pass_at(2)" or ""
    place.fail(('option "reducer" of eval.experiment.trials must be one of eval.reducers, not %s%s'):format(
      options.show(chosen), hint), where)
  end
  local problem = problem_of_k(values.count, chosen)
  if problem then place.fail(problem, where) end
  return values.count, chosen
end

---The experiment with another number of trials, as --trials gives it. Raises (exit 2) where its reducer needs more.
---@param experiment table
---@param count integer
function trials.override(experiment, count)
  local fail = require "evalua.cli.fail"
  if count > trials.COUNT_MAX then fail.usage("--trials %d: at most %d", count, trials.COUNT_MAX) end
  local problem = problem_of_k(count, experiment.reducer)
  if problem then fail.usage("%s", place.prefix(("--trials %d: %s"):format(count, problem), experiment.place)) end
  experiment.trials = count
end

---How the trials of a stored run are reduced, as the store takes it; nil where each item ran once.
---@param record table a record of the store
---@return { trials: integer, reducer: string, k: integer|nil }|nil
function trials.of_record(record)
  local stored = record.options
  if type(stored) == "string" then
    if not stored:find('"trials":', 1, true) then return nil end
    stored = json.decode(stored, { mode = "foreign" })
  end
  if type(stored) ~= "table" or type(stored.trials) ~= "number" or stored.trials <= 1 then return nil end
  local chosen = type(stored.reducer) == "table" and stored.reducer or {}
  return { trials = math.tointeger(stored.trials), reducer = chosen.name or "mean", k = math.tointeger(chosen.k) }
end

---The same for one scorer: `applies` where it is for every item.
---@param reduction table|nil of trials.of_record
---@param applies boolean|nil
---@return table|nil
function trials.for_scorer(reduction, applies)
  if not reduction then return nil end
  return { trials = reduction.trials, reducer = reduction.reducer, k = reduction.k, applies = applies or nil }
end

---Counts of a run by status, each item once, and those of its trials where there are several.
---@param store table
---@param record table
---@return table|nil counts
---@return string|nil message
function trials.counts(store, record)
  local reduction = trials.of_record(record)
  if not reduction then return store:status_counts(record.id) end
  return store:item_counts(record.id, reduction)
end

return trials
