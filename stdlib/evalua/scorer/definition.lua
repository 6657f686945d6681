-- Makes a scorer from its definition: checks it, and gives it `evaluate`, which never raises for a user's mistake.

local digest = require "evalua.digest"
local options = require "evalua.options"
local outcome = require "evalua.scorer.outcome"
local place = require "evalua.place"
local run_record = require "evalua.scorer.run"
local strict = require "evalua.strict"

local definition = {}

---@class evalua.scorer
---@field id string
---@field name string
---@field description string?
---@field higher_is_better boolean
---@field pass number|function|nil
---@field on_error number|boolean|function|nil
---@field timeout_ms number?
---@field version string?
---@field digest string
---@field builtin string? name of the built-in that it is
---@field file string? where it was declared
---@field line integer?
---@field evaluate fun(run: table): evalua.outcome

definition.fields = {
  "id", "name", "description", "higher_is_better", "pass", "on_error", "timeout_ms", "version", "digest", "builtin",
  "file", "line", "place", "evaluate",
}
local scorer_methods = strict.metatable(definition.fields, "scorer")

-- Options that every scorer takes, built-in or not.
definition.common = {
  { "id", "text", help = "names it in results and rules" },
  { "name", "text", help = "for people; the id where absent" },
  { "description", "string" },
  { "higher_is_better", "boolean", help = "default true" },
  { "pass", "number|function", help = "passes at this score or better, or where function(score, label) says true" },
  { "on_error", "number|boolean|function",
    help = "for failed targets: a score, true (call `score` all the same) or function(run)" },
  { "timeout", "duration", help = "for one scoring" },
  { "version", "text|number", help = "stands for the definition; a digest of it where absent" },
}

local own = {
  { "score", "function", required = true, help = "score(run, stage)" },
  { "preprocess", "function", help = "preprocess(run, stage), before the others; its result is stage.preprocess" },
  { "analyze", "function", help = "analyze(run, stage), before `score`; its result is stage.analyze" },
  { "reason", "function", help = "reason(run, stage), after `score`: the reason as text, or nil" },
}

local function schema_of(name, more)
  local list = table.move(definition.common, 1, #definition.common, 1, {})
  return options.schema(name, table.move(more, 1, #more, #list + 1, list))
end

definition.schema_of = schema_of
local schema = schema_of("eval.scorer", own)

-- Where one step of a pipeline fails, the scorer does: fills the stage, or returns the outcome of the failure.
local function run_step(stage, name, step, run)
  local ok, result = xpcall(step, outcome.handler, run, stage)
  if not ok then return outcome.raised(result) end
  stage[name] = result
  return nil
end

local function add_reason(scorer, reason, run, stage, made)
  stage.score, stage.label, stage.reason = made.score, made.label, made.reason
  local ok, text = xpcall(reason, outcome.handler, run, stage)
  if not ok then return outcome.raised(text) end
  if text ~= nil and type(text) ~= "string" then
    return outcome.failed("bad_score", ("%s`reason` returned %s; return a string or nil"):format(scorer.place,
      options.show(text)))
  end
  if text then made.reason = text end
  return made
end

local function on_error(scorer, given, run)
  local answer = scorer.on_error
  if type(answer) == "number" then return outcome.from(scorer, answer, "the target failed") end
  if type(answer) == "function" then
    local ok, result, reason = xpcall(answer, outcome.handler, run)
    if not ok then return outcome.raised(result) end
    return outcome.from(scorer, result, reason)
  end
  if answer == true then return given(run) end
  return outcome.unscored("the target failed")
end

-- The usual case has no pipeline and no `on_error`; a call of it makes one table, the outcome.
local function plain_evaluate(scorer, score)
  local handler, from, no_stage = outcome.handler, outcome.from, run_record.no_stage
  return function(run)
    local ok, result, reason = xpcall(score, handler, run, no_stage)
    if not ok then return outcome.raised(result) end
    return from(scorer, result, reason)
  end
end

local function pipeline_evaluate(scorer, steps)
  return function(run)
    local stage = run_record.stage()
    local failure = steps.preprocess and run_step(stage, "preprocess", steps.preprocess, run)
      or steps.analyze and run_step(stage, "analyze", steps.analyze, run)
    if failure then return failure end
    local ok, result, reason = xpcall(steps.score, outcome.handler, run, stage)
    if not ok then return outcome.raised(result) end
    local made = outcome.from(scorer, result, reason)
    if made.status == "ok" and steps.reason then return add_reason(scorer, steps.reason, run, stage, made) end
    return made
  end
end

local function evaluate_of(scorer, steps)
  local given = (steps.preprocess or steps.analyze or steps.reason) and pipeline_evaluate(scorer, steps)
    or plain_evaluate(scorer, steps.score)
  return function(run)
    if rawget(run, "error") ~= nil then return on_error(scorer, given, run) end
    return given(run)
  end
end

---Makes a scorer of options that were checked.
---@param values table the common options, with id
---@param steps { score: function, preprocess?: function, analyze?: function, reason?: function }
---@param more { builtin?: string, settings?: table, file?: string, line?: integer, place?: string }
---@return evalua.scorer
function definition.make(values, steps, more)
  local scorer = {
    id = values.id,
    name = values.name or values.id,
    description = values.description,
    higher_is_better = values.higher_is_better ~= false,
    pass = values.pass,
    on_error = values.on_error,
    timeout_ms = values.timeout,
    version = values.version and tostring(values.version),
    builtin = more.builtin,
    file = more.file,
    line = more.line,
    -- Begins messages about what the scorer returned.
    place = more.place or ('scorer "%s": '):format(values.id),
  }
  scorer.digest = digest.of {
    id = scorer.id, pass = scorer.pass, on_error = scorer.on_error, higher_is_better = scorer.higher_is_better,
    version = scorer.version, builtin = more.builtin, settings = more.settings,
    score = not more.builtin and steps.score or nil,
    preprocess = steps.preprocess, analyze = steps.analyze, reason = steps.reason,
  }
  scorer.evaluate = evaluate_of(scorer, steps)
  return setmetatable(scorer, scorer_methods)
end

---True for what definition.make returned.
---@param value any
---@return boolean
function definition.is_scorer(value) return type(value) == "table" and getmetatable(value) == scorer_methods end

---True for scorers that never wait and run no code of a script: they need no scope and no deadline.
---@param scorer evalua.scorer
---@return boolean
function definition.is_in_place(scorer)
  return scorer.builtin ~= nil and type(scorer.pass) ~= "function" and type(scorer.on_error) ~= "function"
end

---An id may not hold what separates the parts of a scorer's key, and is one line of text.
---@param id string
---@return string|nil problem
function definition.id_problem(id)
  if id == "expect" then return 'the scorer id "expect" is kept for the checks of items; take another' end
  if not id:find("[%c/]") then return nil end
  return ('the scorer id %q holds a "/" or a control character; "/" is kept for the scorers of steps'):format(id)
end

---Where a function is written: "file:12", for messages about what it returned.
local function place_of(callable)
  local info = debug.getinfo(callable, "S")
  if info.what == "C" or info.linedefined < 1 then return "" end
  return ("%s:%d: "):format(info.source:match("^@(.*)") or info.short_src, info.linedefined)
end

---Makes a scorer of a bare function, under an id.
---@param id string
---@param score function
---@return evalua.scorer
function definition.inline(id, score)
  return definition.make({ id = id }, { score = score },
    { place = ('%sscorer "%s": '):format(place_of(score), id) })
end

---Makes the scorer that a script declares with eval.scorer.
---@param given table
---@param where string|nil where it is declared; the caller's line where absent
---@return evalua.scorer
function definition.declare(given, where)
  local values = options.check(schema, given, where)
  if not values.id then
    place.fail('option "id" of eval.scorer is missing; it must be a string that is not empty', where)
  end
  local problem = definition.id_problem(values.id)
  if problem then place.fail(problem, where) end
  local caller = place.caller()
  return definition.make(values, values, {
    file = caller and caller.file, line = caller and caller.line,
    place = ('%sscorer "%s": '):format(place_of(values.score), values.id),
  })
end

return definition
