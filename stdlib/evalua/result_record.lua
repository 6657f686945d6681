-- A stored result as functions of suites see it: values instead of JSON text, decoded when they are read; a field that
-- there is not is an error.

local json = require "evalua.json"
local place = require "evalua.place"
local strict = require "evalua.strict"

local result_record = {}

---The fields of a result; `score`, `label` and `reason` are by scorer (`step/scorer` for a step's).
result_record.FIELDS = {
  "item_id", "item_version", "trial", "status", "passed", "input", "output", "ground_truth", "metadata", "tags",
  "context", "error", "latency_ms", "retry_count", "usage", "steps", "trajectory", "started_at", "completed_at",
  "scores", "score", "label", "reason", "position", "target_metadata", "output_repaired", "interrupted_by",
}

local known = {}
for _, name in ipairs(result_record.FIELDS) do known[name] = true end

local JSON_FIELDS = {
  input = true, output = true, ground_truth = true, metadata = true, tags = true, context = true, error = true,
  usage = true, steps = true, trajectory = true, target_metadata = true,
}
local BY_SCORER = { score = true, label = true, reason = true }

local function by_scorer(row, field)
  local values = {}
  for _, score in ipairs(row.scores or {}) do
    local value, step = score[field], score.step_id
    if value ~= nil and value ~= json.null then
      values[step and step ~= "" and step ~= json.null and (step .. "/" .. score.scorer_id) or score.scorer_id] = value
    end
  end
  return values
end

local function decoded(text)
  if type(text) ~= "string" then return text end
  local value = json.decode(text)
  if value == json.null then return nil end
  return value
end

-- The scores of a row, those that no step has without a step.
local function scores_of(row)
  local scores = {}
  for position, score in ipairs(row.scores or {}) do
    local copy = {}
    for name, value in next, score do if value ~= json.null then copy[name] = value end end
    if copy.step_id == "" then copy.step_id = nil end
    copy.error, copy.metadata = decoded(copy.error), decoded(copy.metadata)
    scores[position] = strict.record(copy, result_record.SCORE_FIELDS, "score")
  end
  return scores
end

---The value of a field of a stored row.
---@param row table of store:results
---@param field string
---@return any
function result_record.value(row, field)
  if JSON_FIELDS[field] then return decoded(row[field]) end
  if BY_SCORER[field] then return by_scorer(row, field) end
  if field == "scores" then return scores_of(row) end
  local value = row[field]
  if value == json.null then return nil end
  return value
end

local function unknown(field)
  place.fail(("unknown field %s of result%s"):format(type(field) == "string" and ('"%s"'):format(field)
    or tostring(field), strict.hint(tostring(field), result_record.FIELDS, "its fields")))
end

---The record of a stored row.
---@param row table of store:results
---@return table result strict
function result_record.of(row)
  local record = {}
  return setmetatable(record, {
    __name = "evalua.result",
    __index = function(_, field)
      if not known[field] then unknown(field) end
      local value = result_record.value(row, field)
      if value ~= nil then rawset(record, field, value) end
      return value
    end,
  })
end

---The fields of one score of a result.
result_record.SCORE_FIELDS = {
  "scorer_id", "scorer_name", "step_id", "score", "label", "passed", "reason", "error", "status", "metadata",
  "latency_ms", "source", "score_set", "scored_at", "position", "item_id", "trial",
}

local whole = {
  __name = "evalua.result",
  __index = function(row, field)
    if BY_SCORER[field] then return by_scorer(row, field) end
    if known[field] then return nil end
    return unknown(field)
  end,
}

---Makes a row whose fields are values already the strict record of a result, in place, and its scores too.
---@param row table
---@return table row itself
function result_record.strict(row)
  for _, score in ipairs(row.scores or {}) do strict.record(score, result_record.SCORE_FIELDS, "score") end
  return setmetatable(row, whole)
end

local PAGE = 500

---All results of a run as a list that reads itself from the store, a page at a time: `#results`, `results[i]`, ipairs.
---@param store table
---@param experiment_id string
---@return table results
function result_record.list(store, experiment_id)
  local starts, count, after = {}, 0, 0 -- starts: the position before each page
  repeat
    local rows, problem = store:results(experiment_id, { after = after, limit = PAGE })
    if not rows then error(problem, 0) end
    if #rows > 0 then
      starts[#starts + 1] = after
      count, after = count + #rows, rows[#rows].position
    end
  until #rows < PAGE
  local page_number, page
  return setmetatable({}, {
    __len = function() return count end,
    __index = function(_, index)
      if math.type(index) ~= "integer" or index < 1 or index > count then return nil end
      local wanted = (index - 1) // PAGE + 1
      if wanted ~= page_number then
        local rows, problem = store:results(experiment_id, { after = starts[wanted], limit = PAGE })
        if not rows then error(problem, 0) end
        page_number, page = wanted, {}
        for position, row in ipairs(rows) do page[position] = result_record.of(row) end
      end
      return page[(index - 1) % PAGE + 1]
    end,
    __pairs = function(self)
      local index = 0
      return function()
        index = index + 1
        local value = self[index]
        if value ~= nil then return index, value end
      end
    end,
  })
end

---Gives a summary its `results`: the list above, made when it is first asked for. Unknown fields of it and of its
---scorers are errors from then on.
---@param summary table
---@param store table
---@return table summary itself
function result_record.attach(summary, store)
  local fields = require "evalua.summary"
  local experiment_id, list = summary.experiment_id, nil
  for _, name in ipairs { "metrics", "slices", "params" } do summary[name] = summary[name] or {} end
  for id, scorer in next, summary.scorers do
    strict.record(scorer, fields.SCORER_FIELDS, ("summary.scorers[%q]"):format(id))
  end
  strict.record(summary.scorers, strict.keys(summary.scorers), "summary.scorers")
  local known_fields = table.move(fields.FIELDS, 1, #fields.FIELDS, 2, { "exit_code" })
  return setmetatable(summary, {
    __index = function(_, field)
      if field == "results" and experiment_id then
        list = list or result_record.list(store, experiment_id)
        return list
      end
      if strict.contains(known_fields, field) then return nil end
      place.fail(("unknown field %s of summary%s"):format(type(field) == "string" and ('"%s"'):format(field)
        or tostring(field), strict.hint(field, known_fields, "its fields")))
    end,
  })
end

return result_record
