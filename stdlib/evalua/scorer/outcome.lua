-- Turns what a `score` function returned (or raised) into an outcome: the one shape that is stored.
-- Anything that is not clearly a score is an error that says what would be right; nothing is guessed.

local failure = require "evalua.failure"
local json = require "evalua.json"
local options = require "evalua.options"
local strict = require "evalua.strict"

local outcome = {}

local result_fields = { "score", "label", "reason", "metadata" }
local known = { score = true, label = true, reason = true, metadata = true }
local right = "return a number, true or false, nil and a reason, or {score =, label =, reason =, metadata =}"

---@class evalua.outcome
---@field status "ok"|"unscored"|"error"
---@field score number?
---@field label string?
---@field reason string?
---@field metadata table?
---@field passed boolean? nil only where the scorer states no pass
---@field error {message: string, code: string, stack: string?}?

local function show(value)
  if value == json.null then return "null" end
  if type(value) == "string" then return "the string " .. options.show(value) end
  return options.show(value)
end

---An outcome of a scorer that failed. It never passes.
---@param code string
---@param message string
---@param stack? string
---@return evalua.outcome
function outcome.failed(code, message, stack)
  return { status = "error", passed = false, error = { message = message, code = code, stack = stack } }
end

---An outcome of an item that this scorer cannot score. It never passes.
---@param reason? string
---@return evalua.outcome
function outcome.unscored(reason)
  return { status = "unscored", passed = false, reason = reason or "the scorer gave no score and no reason" }
end

---The message handler of every call of a user's function: keeps code and message of `eval.fail`, adds a trace.
---@param problem any
---@return table
function outcome.handler(problem)
  local message, code = failure.text(problem)
  return { message = message, code = code or "scorer_error", stack = debug.traceback(message, 2) }
end

---The outcome of a call that raised; `problem` is what outcome.handler made of it.
---@param problem any
---@return evalua.outcome
function outcome.raised(problem)
  -- Memory errors and errors in the handler come without our table.
  if type(problem) ~= "table" then problem = { message = tostring(problem), code = "scorer_error" } end
  return { status = "error", passed = false, error = problem }
end

local function bad(scorer, message) return outcome.failed("bad_score", scorer.place .. message) end

local function judge(scorer, made, is_boolean)
  local pass, score = scorer.pass, made.score
  if pass == nil then
    if is_boolean then made.passed = (score == 1) == scorer.higher_is_better end
  elseif type(pass) == "number" then
    -- A label alone cannot reach a number: not passed.
    if score == nil then made.passed = false
    elseif scorer.higher_is_better then made.passed = score >= pass
    else made.passed = score <= pass end
  else
    local ok, passed = xpcall(pass, outcome.handler, score, made.label)
    if not ok then return outcome.raised(passed) end
    if type(passed) ~= "boolean" then
      return bad(scorer, "`pass` returned " .. show(passed) .. "; return true or false")
    end
    made.passed = passed
  end
  return made
end

local function text_problem(name, value)
  if value == nil or type(value) == "string" then return nil end
  return ("the %s is %s; it must be a text"):format(name, show(value))
end

local function number_problem(score)
  if score == score and score ~= math.huge and score ~= -math.huge then return nil end
  return ("the score is %s; a score is a finite number; for what cannot be scored return nil and a reason")
    :format(score ~= score and "NaN" or "infinite")
end

local function table_problem(result)
  for name in next, result do
    if not known[name] then
      return ('the result has an unknown field "%s"%s'):format(tostring(name),
        strict.hint(name, result_fields, "its fields"))
    end
  end
  local problem = text_problem("label", result.label) or text_problem("reason", result.reason)
  if problem then return problem end
  local score, kind = result.score, type(result.score)
  if kind == "number" then problem = number_problem(score)
  elseif kind ~= "boolean" and kind ~= "nil" then
    problem = "the score is " .. show(score) .. "; it must be a number, true or false"
  end
  if problem or result.metadata == nil then return problem end
  if type(result.metadata) ~= "table" then
    return "the metadata is " .. show(result.metadata) .. "; it must be a table"
  end
  local ok, message = pcall(json.encode, result.metadata)
  return not ok and "the metadata cannot be stored: " .. tostring(message) or nil
end

local function from_table(scorer, result, reason)
  -- Null stands for an absent field, as everywhere at the top level.
  local clean
  for _, value in next, result do
    if value == json.null then
      clean = {}
      for other, kept in next, result do if kept ~= json.null then clean[other] = kept end end
      break
    end
  end
  result = clean or result
  local problem = table_problem(result)
  if problem then return bad(scorer, problem) end
  if next(result) == nil then return bad(scorer, "the score function returned an empty table; " .. right) end
  local score, is_boolean = result.score, type(result.score) == "boolean"
  if score == nil and result.label == nil then
    local made = outcome.unscored(result.reason or reason)
    made.metadata = result.metadata
    return made
  end
  if is_boolean then score = score and 1 or 0 end
  return judge(scorer, {
    status = "ok", score = score, label = result.label, reason = result.reason or reason, metadata = result.metadata,
  }, is_boolean)
end

---What `score` returned, as an outcome.
---@param scorer table pass, higher_is_better and place are used
---@param result any
---@param reason any the second returned value
---@return evalua.outcome
function outcome.from(scorer, result, reason)
  local problem = text_problem("reason (the second value returned)", reason)
  if problem then return bad(scorer, problem) end
  local kind = type(result)
  if kind == "number" then
    problem = number_problem(result)
    if problem then return bad(scorer, problem) end
    return judge(scorer, { status = "ok", score = result, reason = reason }, false)
  elseif kind == "boolean" then
    return judge(scorer, { status = "ok", score = result and 1 or 0, reason = reason }, true)
  elseif kind == "nil" then
    return outcome.unscored(reason)
  elseif kind == "table" then
    return from_table(scorer, result, reason)
  end
  return bad(scorer, ("the score function returned %s; %s"):format(show(result), right))
end

return outcome
