-- What a variant in a baseline file must look like: a file is edited by hand and merged by git, so every field is
-- looked at before anything relies on it.

local json = require "evalua.json"

local baseline_check = {}

local REDUCERS = { mean = true, median = true, mode = true, max = true, at_least = true, pass_at = true, pass_k = true }

local function is_object(value) return type(value) == "table" and not json.is_array(value) end

local function is_count(value) return math.type(value) == "integer" and value >= 0 end

local function is_finite(value) return type(value) == "number" and value - value == 0 end

local function is_list_of(value, accepts)
  if not json.is_array(value) then return false end
  for _, element in ipairs(value) do if not accepts(element) then return false end end
  return true
end

-- Name of a kind and whether a value is of it.
local KINDS = {
  ["a text"] = function(value) return type(value) == "string" end,
  ["a text that is not empty"] = function(value) return type(value) == "string" and value ~= "" end,
  ["a number"] = is_finite,
  ["a whole number from 0 on"] = is_count,
  ["true or false"] = function(value) return type(value) == "boolean" end,
  ["an object"] = is_object,
  ["a list of texts"] = function(value)
    return is_list_of(value, function(element) return type(element) == "string" end)
  end,
  ["a list of two numbers"] = function(value) return is_list_of(value, is_finite) and #value == 2 end,
  ["one of eval.reducers"] = function(value)
    return is_object(value) and REDUCERS[value.name] ~= nil and (value.k == nil or is_count(value.k))
  end,
}

local TEXT, NAME, NUMBER, COUNT, FLAG = "a text", "a text that is not empty", "a number", "a whole number from 0 on",
  "true or false"
local OBJECT = "an object"

local FIELDS = {
  { "variant", TEXT }, { "completed_at", TEXT }, { "git", OBJECT }, { "dataset", OBJECT }, { "target", OBJECT },
  { "trials", OBJECT }, { "latency_ms", OBJECT }, { "usage", OBJECT },
}
local PARTS = {
  dataset = { { "name", NAME, true }, { "version", COUNT }, { "digest", TEXT } },
  target = { { "type", TEXT }, { "id", TEXT }, { "version", TEXT }, { "digest", TEXT } },
  trials = { { "count", COUNT, true }, { "reducer", "one of eval.reducers", true } },
  latency_ms = { { "mean", NUMBER }, { "p50", NUMBER }, { "p95", NUMBER }, { "p99", NUMBER }, { "max", NUMBER } },
  usage = { { "input_tokens", NUMBER }, { "output_tokens", NUMBER }, { "cost", NUMBER } },
}
local SCORER = {
  { "id", NAME, true }, { "step_id", TEXT }, { "name", TEXT }, { "higher_is_better", FLAG }, { "pass", NUMBER },
  { "digest", TEXT }, { "n", COUNT }, { "mean", NUMBER },
}
local METRIC = {
  { "id", NAME, true }, { "kind", NAME, true }, { "columns", "a list of texts" }, { "options", OBJECT },
  { "digest", TEXT }, { "value", NUMBER }, { "ci", "a list of two numbers" }, { "n", COUNT },
  { "higher_is_better", FLAG },
}

-- The first thing that is wrong with an object, or nil; null is absent, and is taken out.
local function problem_of(object, fields, where)
  for _, field in ipairs(fields) do
    local name, kind, is_required = field[1], field[2], field[3]
    if object[name] == json.null then object[name] = nil end
    local value = object[name]
    if value == nil and is_required or value ~= nil and not KINDS[kind](value) then
      return ("%s%s must be %s"):format(where, name, kind)
    end
  end
  return nil
end

local function problem_of_list(list, fields, where)
  if not json.is_array(list) then return ("has no list of %s"):format(where) end
  for position, element in ipairs(list) do
    local problem = not is_object(element) and "is no object" or problem_of(element, fields, "")
    if problem then return ("%s[%d]: %s"):format(where, position, problem) end
  end
  return nil
end

---What is wrong with a variant of a baseline file but for its items; nil where all is well. What is null is taken out.
---@param found any the decoded variant
---@return string|nil problem
function baseline_check.problem(found)
  if not is_object(found) then return "is no object" end
  local problem = problem_of(found, FIELDS, "")
  if problem then return problem end
  if not found.dataset then return "names no dataset" end
  for _, name in ipairs { "dataset", "target", "trials", "latency_ms", "usage" } do
    problem = found[name] and problem_of(found[name], PARTS[name], name .. ".")
    if problem then return problem end
  end
  problem = problem_of_list(found.scorers, SCORER, "scorers")
  if problem or found.metrics == nil or found.metrics == json.null then return problem end
  return problem_of_list(found.metrics, METRIC, "metrics")
end

return baseline_check
