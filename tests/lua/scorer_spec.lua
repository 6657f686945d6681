-- Scorers of scripts: their options, what `score` may return, passing, pipelines, run records, lists of scorers.

local t = require "harness"
local json = require "evalua.json"
local scorer = require "evalua.scorer"

local function run_of(fields) return scorer.run_record(fields or { item_id = "t1", output = "yes" }) end

local function outcome_of(score, more)
  local given = { id = "mine", score = score }
  for name, value in next, more or {} do given[name] = value end
  return scorer.declare(given).evaluate(run_of())
end

t.test("a number is the score and passes nothing by itself", function()
  t.equal(outcome_of(function() return 0.25 end), { status = "ok", score = 0.25 })
end)

t.test("a boolean is 1 or 0 and passes at 1", function()
  t.equal(outcome_of(function() return true end), { status = "ok", score = 1, passed = true })
  t.equal(outcome_of(function() return false end), { status = "ok", score = 0, passed = false })
end)

t.test("where lower is better a boolean passes at 0", function()
  t.equal(outcome_of(function() return true end, { higher_is_better = false }).passed, false)
  t.equal(outcome_of(function() return false end, { higher_is_better = false }).passed, true)
end)

t.test("the second value returned is the reason", function()
  local made = outcome_of(function(run) return #run.output, "length " .. #run.output end)
  t.equal(made, { status = "ok", score = 3, reason = "length 3" })
end)

t.test("nil with a reason is unscored and never passes", function()
  t.equal(outcome_of(function() return nil, "no passages" end, { pass = 0 }),
    { status = "unscored", passed = false, reason = "no passages" })
  local made = outcome_of(function() end)
  t.equal(made.status, "unscored")
  t.matches(made.reason, "no reason")
end)

t.test("a table gives score, label, reason and metadata", function()
  local made = outcome_of(function()
    return { score = true, label = "good", reason = "it is", metadata = { votes = 3 } }
  end)
  t.equal(made, { status = "ok", score = 1, label = "good", reason = "it is", metadata = { votes = 3 }, passed = true })
end)

t.test("a label without a score is categorical", function()
  t.equal(outcome_of(function() return { label = "rude" } end), { status = "ok", label = "rude" })
  t.equal(outcome_of(function() return { label = "rude" } end, { pass = 0.5 }).passed, false)
  local polite = { pass = function(_, label) return label == "polite" end }
  t.equal(outcome_of(function() return { label = "rude" } end, polite).passed, false)
  t.equal(outcome_of(function() return { label = "polite" } end, polite).passed, true)
end)

t.test("nulls in the table are absent fields", function()
  t.equal(outcome_of(function() return { score = 1, label = json.null } end), { status = "ok", score = 1 })
  t.equal(outcome_of(function() return { score = json.null, reason = "x" } end).status, "unscored")
end)

local function problem_of(score, more)
  local made = outcome_of(score, more)
  t.equal(made.status, "error")
  t.equal(made.passed, false)
  t.equal(made.score, nil)
  return made.error
end

t.test("what is not a score is an error that says what would be right", function()
  local problem = problem_of(function() return "A" end)
  t.equal(problem.code, "bad_score")
  t.matches(problem.message, 'the score function returned the string "A"; return a number, true or false')
  t.matches(problem.message, "scorer_spec.lua:%d+: scorer \"mine\"")
  t.matches(problem_of(function() return print end).message, "returned a function")
  t.matches(problem_of(function() return json.null end).message, "returned null")
  t.matches(problem_of(function() return {} end).message, "an empty table")
end)

t.test("NaN and infinities are errors", function()
  t.matches(problem_of(function() return 0 / 0 end).message, "NaN")
  t.matches(problem_of(function() return math.huge end).message, "infinite")
  t.matches(problem_of(function() return { score = -math.huge } end).message, "infinite")
end)

t.test("unknown and wrong fields of the table are errors", function()
  t.matches(problem_of(function() return { scor = 1 } end).message, 'unknown field "scor"; did you mean "score"?')
  t.matches(problem_of(function() return { 1 } end).message, "unknown field")
  t.matches(problem_of(function() return { score = "1" } end).message, "the score is the string")
  t.matches(problem_of(function() return { label = 3 } end).message, "the label is 3")
  t.matches(problem_of(function() return { score = 1, metadata = "m" } end).message, "must be a table")
  t.matches(problem_of(function() return { score = 1, metadata = { f = print } } end).message, "cannot be stored")
  t.matches(problem_of(function() return 1, 2 end).message, "reason")
end)

t.test("an error in the function is an error of the scorer, with its line and a trace", function()
  local problem = problem_of(function(run) return #run.metadata.tags end)
  t.matches(problem.message, "scorer_spec.lua:%d+: attempt to index a nil value")
  t.equal(problem.code, "scorer_error")
  t.matches(problem.stack, "traceback")
end)

t.test("an error object keeps its message and code", function()
  local problem = problem_of(function() error({ message = "judge is down", code = "judge" }) end)
  t.equal(problem.message, "judge is down")
  t.equal(problem.code, "judge")
  t.matches(problem_of(function() error() end).message, "nil")
end)

t.test("pass is a bound, in the direction that is better", function()
  local function half() return 0.5 end
  t.equal(outcome_of(half, { pass = 0.5 }).passed, true)
  t.equal(outcome_of(half, { pass = 0.51 }).passed, false)
  t.equal(outcome_of(half, { pass = 0.51, higher_is_better = false }).passed, true)
  t.equal(outcome_of(function() return true end, { pass = 2 }).passed, false)
end)

t.test("pass may be a function, which returns true or false", function()
  local function one() return 1 end
  t.equal(outcome_of(one, { pass = function(score) return score > 0 end }).passed, true)
  t.matches(problem_of(one, { pass = function() end }).message, "`pass` returned nil")
  t.matches(problem_of(one, { pass = function() error("boom") end }).message, "boom")
end)

t.test("preprocess and analyze fill the stage, reason comes last", function()
  local made = outcome_of(function(_, stage) return stage.preprocess + stage.analyze end, {
    preprocess = function(run) return #run.output end,
    analyze = function(_, stage) return stage.preprocess * 10 end,
    reason = function(_, stage) return "score " .. stage.score end,
  })
  t.equal(made, { status = "ok", score = 33, reason = "score 33" })
end)

t.test("a failing step of the pipeline fails the scorer", function()
  local problem = problem_of(function() return 1 end, { analyze = function() error("no luck") end })
  t.matches(problem.message, "no luck")
  t.matches(problem_of(function() return 1 end, { reason = function() return 5 end }).message, "`reason` returned 5")
  t.matches(problem_of(function(_, stage) return stage.analyse end).message, 'analyse')
end)

t.test("a failed target is scored only where on_error says so", function()
  local function evaluate(on_error)
    local function score(run) return run.error and 0.5 or 1 end
    local made = scorer.declare { id = "mine", on_error = on_error, score = score }
    return made.evaluate(scorer.run_record { item_id = "a", error = { message = "down" } })
  end
  t.equal(evaluate(nil).status, "unscored")
  t.equal(evaluate(0).score, 0)
  t.equal(evaluate(true).score, 0.5)
  t.equal(evaluate(function(run) return run.error.message == "down" end).score, 1)
end)

t.test("options are checked, with the nearest name and the script's line", function()
  local function score() return 1 end
  t.matches(t.raises(function() scorer.declare { id = "x", scor = score } end, 'did you mean "score"'),
    "^[^\n]*scorer_spec.lua:%d+: ")
  t.raises(function() scorer.declare { id = "x" } end, '"score" of eval.scorer is missing')
  t.raises(function() scorer.declare { score = score } end, '"id" of eval.scorer is missing')
  t.raises(function() scorer.declare { id = "a/b", score = score } end, '"/"')
  t.raises(function() scorer.declare { id = "x", score = score, timeout = "3 parsecs" } end, "unit")
  t.raises(function() scorer.declare { id = "x", score = score, pass = "0.7" } end, "pass")
  t.raises(function() scorer.declare "x" end, "table of options")
  local made = scorer.declare { id = "x", score = score, timeout = "2s", version = 3 }
  t.equal({ made.id, made.name, made.timeout_ms, made.version, made.higher_is_better }, { "x", "x", 2000, "3", true })
  t.raises(function() return made.idd end, "unknown field")
end)

t.test("the digest follows the definition", function()
  local function first() return 1 end
  local function second() return 2 end
  local function digest(score, pass) return scorer.declare({ id = "x", score = score, pass = pass }).digest end
  t.equal(digest(first), digest(first))
  t.not_equal(digest(first), digest(second))
  t.not_equal(digest(first), digest(first, 0.5))
  t.not_equal(scorer.builtins.exact().digest, scorer.builtins.exact { trim = true }.digest)
end)

t.test("an unknown field of the run is an error, a known one that is absent is nil", function()
  local run = run_of()
  t.equal(run.ground_truth, nil)
  t.raises(function() return run.ouput end, 'unknown field "ouput" of run; did you mean "output"?')
  t.matches(problem_of(function(r) return r.ouput == "yes" end).message, "scorer_spec.lua:%d+: unknown field")
end)

-- Lists.

local function ids_of(entries)
  local ids = {}
  for position, entry in ipairs(entries) do
    ids[position] = (entry.step_id and entry.step_id .. "/" or "") .. entry.scorer.id
  end
  return ids
end

local short = scorer.declare { id = "short", score = function() return 1 end }
local registry = { short = short }

t.test("a list holds handles, called handles, scorers, ids and functions", function()
  local exact = scorer.builtins.exact
  local entries = scorer.resolve_list(
    { exact, exact { id = "ci", ignore_case = true }, short, "json_valid", function() return 1 end,
      function() return 0 end }, registry)
  t.equal(ids_of(entries), { "exact", "ci", "short", "json_valid", "scorer_1", "scorer_2" })
  t.equal(ids_of(scorer.resolve_list({ "short" }, registry)), { "short" })
  t.equal(scorer.resolve_list(nil, registry), {})
  t.equal(scorer.resolve_list({}, registry), {})
end)

t.test("a suite's registry works as well as a plain map", function()
  local suite_registry = { declared = { scorer = { short = { object = short, where = "x:1" } } } }
  t.equal(ids_of(scorer.resolve_list({ "short" }, suite_registry)), { "short" })
  t.raises(function() scorer.resolve_list({ "shrt" }, suite_registry) end, 'did you mean "short"')
end)

t.test("the categories, with steps by their id", function()
  local exact = scorer.builtins.exact
  local entries = scorer.resolve_list({
    workflow = { exact, "short" },
    steps = { fetch = { exact }, answer = { exact, function() return 1 end } },
    trajectory = { "length" },
  }, registry)
  t.equal(ids_of(entries), { "exact", "short", "answer/exact", "answer/scorer_1", "fetch/exact", "length" })
  t.equal(entries[1].category, "workflow")
  t.equal(entries[3].category, "steps")
  t.equal(entries[6].category, "trajectory")
end)

t.test("mistakes in lists", function()
  local exact = scorer.builtins.exact
  local function refused(spec, pattern)
    t.raises(function() scorer.resolve_list(spec, registry, "suite.eval.lua:7") end, pattern)
  end
  refused({ exact, exact }, 'two scorers have the id "exact"')
  refused({ exact, nil, short }, "element 2 is nil")
  refused({ "exct" }, 'no scorer "exct"; did you mean "exact"')
  refused({ "exct" }, "^suite.eval.lua:7: ")
  refused({ "shrot" }, 'did you mean "short"')
  refused({ { id = "x" } }, "goes through eval.scorer")
  refused({ 3 }, "element 1 is 3")
  refused(exact, "must be a list")
  refused(short, "must be a list")
  refused("exact", "must be a list")
  refused({ agnet = { exact } }, 'did you mean "agent"')
  refused({ exact, agent = { exact } }, "mixes a list with categories")
  refused({ agent = { exact }, workflow = { exact } }, "both")
  refused({ agent = exact }, "scorers.agent must be a list")
  refused({ agent = { exact }, trajectory = { exact } }, "two scorers")
  refused({ steps = { exact } }, "by the id of a step")
  refused({ "matches" }, 'option "pattern" of scorer matches is missing')
end)
