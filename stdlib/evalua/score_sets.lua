-- Score sets: the scores that `evalua score` gave to the stored outputs of a run. A run with a set is a record like any
-- other whose id is "ID@SET": the store then reads the scores of that set, so that summaries, comparisons and reports
-- take it wherever they take a run.

local fail = require "evalua.cli.fail"
local json = require "evalua.json"
local strict = require "evalua.strict"

local score_sets = {}

score_sets.NAME_BYTES_MAX = 64

---Whether `name` can be the name of a set: letters, digits, `.`, `_` and `-`.
---@param name string
---@return boolean
function score_sets.is_name(name)
  return #name <= score_sets.NAME_BYTES_MAX and name:match("^[%w_][%w._-]*$") ~= nil
end

---The run and the set that `12@rescored` names; nil where there is no set in it.
---@param text string
---@return string|nil base
---@return string|nil set
function score_sets.split(text)
  local base, set = text:match("^(.+)@([^@%[%]]+)$")
  if base and score_sets.is_name(set) then return base, set end
  return nil
end

local function names_of(sets)
  local names = {}
  for position, set in ipairs(sets) do names[position] = set.name end
  return names
end

---The set of that name, or nil and the names of all sets.
---@param store table
---@param record table a run
---@param name string
---@return table|nil set
---@return string[] names
function score_sets.find(store, record, name)
  local sets = fail.check(fail.codes.incomplete, store:score_sets(record.id))
  for _, set in ipairs(sets) do if set.name == name then return set, names_of(sets) end end
  return nil, names_of(sets)
end

---The record of a run with the scores of a set. Raises (exit 2) where the run has no such set.
---@param store table
---@param record table a run of the store
---@param name string
---@param written string|nil how the user wrote it
---@return table record
function score_sets.over(store, record, name, written)
  local set, names = score_sets.find(store, record, name)
  if not set then
    local hint = #names > 0 and strict.hint(name, names, "its sets")
      or ("; `evalua score %d SUITE --set %s` makes one"):format(record.number, name)
    fail.usage("%s: run %d has no score set %s%s", written or ("%d@%s"):format(record.number, name), record.number,
      name, hint)
  end
  local derived = {}
  for key, value in next, record do derived[key] = value end
  derived.id, derived.run_id, derived.score_set = record.id .. "@" .. name, record.id, name
  derived.scorers, derived.summary, derived.verdict = set.scorers, nil, nil -- the verdict is of the run's own scores
  derived.score_set_status = score_sets.status(set)
  return derived
end

---complete, or incomplete where results are still without a score of the set (it was interrupted, a retry replaced
---results, or scorers failed with their worker).
---@param set table of store:score_sets
---@return string
function score_sets.status(set)
  if set.status == "complete" and set.scored < set.total then return "incomplete" end
  return set.status == "running" and "incomplete" or set.status
end

---A set as JSON prints it.
---@param set table of store:score_sets
---@return table
function score_sets.object(set)
  local ids = json.array {}
  for position, scorer in ipairs(json.decode(set.scorers) or {}) do ids[position] = scorer.id end
  return { name = set.name, status = score_sets.status(set), scorers = ids, scored_count = set.scored,
    total_count = set.total, suite = set.suite, created_at = set.created_at, completed_at = set.completed_at }
end

---The record with the id "ID" or "ID@SET".
---@param store table
---@param id string
---@return table|nil record
---@return string|nil message
function score_sets.experiment(store, id)
  local base, set = score_sets.split(id)
  if not base then return store:experiment(id) end
  local record, message = store:experiment(base)
  if not record then return nil, message end
  return score_sets.over(store, record, set)
end

return score_sets
