-- `expect`: checks as data, validated when datasets are read, run as one scorer.

local t = require "harness"
local expect = require "evalua.expect"
local json = require "evalua.json"
local scorer = require "evalua.scorer"

local registry = {
  short = scorer.declare { id = "short", score = function(run) return 10 / #run.output end },
  polite = scorer.declare { id = "polite", score = function(run) return run.output:find("please", 1, true) ~= nil end },
}

local function outcome_of(checks, output, more)
  local run = { item_id = "a", output = output }
  for name, value in next, more or {} do run[name] = value end
  return expect.scorer(checks, registry, "item a").evaluate(scorer.run_record(run))
end

t.test("the score is the fraction that held, the reason lists the rest", function()
  local outcome = outcome_of({ { contains = "refund" }, { excludes = "sorry" }, { max_words = 2 }, { matches = "^A" } },
    "A refund, sorry for all")
  t.equal(outcome.score, 0.5)
  t.equal(outcome.passed, false)
  t.equal(outcome.reason, 'failed: excludes "sorry" (found: "sorry"); max_words 2 (5 words, at most 2 are allowed)')
  t.equal(outcome_of({ { contains = "a" } }, "a"), { status = "ok", score = 1, passed = true })
end)

t.test("every kind of check holds and fails", function()
  local cases = {
    { { contains = { "a", "b" } }, "ab", "a" },
    { { contains = { value = "A", ignore_case = true } }, "a", "b" },
    { { equals = { a = 1 } }, { a = 1 }, { a = 2 } },
    { { exact = "x" }, "x", "X" },
    { { starts_with = "x" }, "xy", "yx" },
    { { one_of = { "x", "y" } }, "y", "z" },
    { { json_valid = true }, "[1]", "[1" },
    { { numeric = 18 }, "it is 18", "it is 19" },
    { { numeric = { value = 18, tolerance = 1 } }, "17", "16" },
    { { matches = "^\\d+$" }, "1", "a" },
    { { levenshtein = "kitten", at_least = 0.8 }, "mitten", "dog" },
    { { similarity = "martha", at_least = 0.9, at_most = 0.99 }, "marhta", "martha" },
    { { max_length = 3 }, "abc", "abcd" },
    { { min_length = 3 }, "abc", "ab" },
    { { length = { max = 3 } }, "abc", "abcd" },
    { { min_words = 2 }, "a b", "a" },
    { { scorer = "short", at_least = 1 }, "0123456789", "0123456789a" },
    { { scorer = "polite" }, "please", "now" },
  }
  for position, case in ipairs(cases) do
    t.equal(outcome_of({ case[1] }, case[2]).score, 1, "case " .. position .. " holds")
    t.equal(outcome_of({ case[1] }, case[3]).score, 0, "case " .. position .. " fails")
  end
end)

t.test("max_latency looks at the run", function()
  t.equal(outcome_of({ { max_latency = "2s" } }, "x", { latency_ms = 1999 }).score, 1)
  t.matches(outcome_of({ { max_latency = "2s" } }, "x", { latency_ms = 2500 }).reason, "max_latency 2s %(took 2.5s%)")
  t.equal(outcome_of({ { max_latency = 10 } }, "x").score, 0)
end)

t.test("what cannot be judged does not hold", function()
  t.matches(outcome_of({ { scorer = "short" } }, "x").reason, "states no `pass`")
  t.matches(outcome_of({ { scorer = "exact" } }, "x").reason, "no ground truth")
  t.matches(outcome_of({ { scorer = "short", at_least = 1 } }, nil).reason, "attempt to get length")
  t.equal(outcome_of({ { contains = "a" } }, nil).score, 0)
end)

t.test("a failed target is not scored", function()
  t.equal(outcome_of({ { contains = "a" } }, nil, { error = { message = "down" } }).status, "unscored")
end)

t.test("wrong lists are found before anything runs, with the nearest name", function()
  local function problem(checks, pattern)
    local problems = expect.problems(checks, registry)
    t.equal(#problems, 1)
    t.matches(problems[1], pattern)
  end
  problem({ { contain = "x" } }, '^expect%[1%]: unknown check "contain"; did you mean "contains"%?')
  problem({ { max_words = 3 }, { contains = "a", excludes = "b" } }, "^expect%[2%]: it has two checks")
  problem({ { at_least = 1 } }, "no check")
  problem({ "contains" }, "must be a check")
  problem({ { "contains", "x" } }, "it is a list")
  problem({ contains = "x" }, "must be a list of checks: write")
  problem("contains", "must be a list")
  problem({ { matches = "(a" } }, "^expect%[1%]: scorer matches: the pattern")
  problem({ { scorer = "shrt" } }, 'did you mean "short"')
  problem({ { scorer = 3 } }, "must be the id")
  problem({ { levenshtein = "x" } }, "needs a bound")
  problem({ { max_words = "three" } }, "whole number")
  problem({ { max_words = 3, at_least = 1 } }, "is a bound itself")
  problem({ { max_latency = "2 parsecs" } }, "max_latency")
  problem({ { contains = "" } }, "empty text")
  problem({ { contains = json.null } }, "null")
  problem({ { contains = { ignore_case = true } } }, "no value")
  problem({ { numeric = 3, at_least = "x" } }, "at_least must be a number")
  problem({ { json_valid = false } }, "json_valid must be true")
  t.equal(#expect.problems({ { a = 1 }, { b = 2 } }, registry), 2)
  t.equal(expect.problems({ { contains = "x" }, { scorer = "unknown", at_least = 1 } }), {})
  t.equal(expect.problems({}), {})
  t.raises(function() expect.scorer({ { contain = "x" } }, registry, "tickets.jsonl:3") end, "^tickets.jsonl:3: expect")
end)

t.test("lists are run from the text that the store keeps", function()
  local run = scorer.run_record { item_id = "a", output = "refund 18" }
  local text = '[{"contains":"refund"},{"numeric":18},{"scorer":"short","at_least":1}]'
  for _ = 1, 2 do t.equal(expect.evaluate(run, text, registry).passed, true) end
  t.equal(expect.evaluate(run, '[{"equals":{"a":[]}}]').score, 0)
  t.equal(expect.evaluate(run, "[]"), nil)
  t.equal(expect.evaluate(run, '[{"contain":1}]').status, "error")
end)
