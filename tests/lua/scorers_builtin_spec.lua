-- The built-in scorers: what each calls right, how it reads outputs and ground truths, and what it refuses.

local t = require "harness"
local json = require "evalua.json"
local scorer = require "evalua.scorer"

local builtins = scorer.builtins

local function evaluate(made, output, ground_truth)
  if scorer.is_handle(made) then made = made() end
  return made.evaluate(scorer.run_record { item_id = "a", output = output, ground_truth = ground_truth })
end

-- The score, or the status where there is none.
local function score(made, output, ground_truth)
  local outcome = evaluate(made, output, ground_truth)
  if outcome.status == "error" then return "error: " .. outcome.error.message end
  return outcome.score or outcome.status
end

t.test("handles are callable in every form", function()
  t.equal(scorer.resolve_list({ builtins.exact })[1].scorer.id, "exact")
  t.equal(builtins.exact().id, "exact")
  local made = builtins.exact { id = "ci", ignore_case = true, pass = 1, description = "mine" }
  t.equal({ made.id, made.name, made.pass, made.description }, { "ci", "ci", 1, "mine" })
  t.equal(score(builtins.contains "refund", "a refund"), 1)
  t.equal(score(builtins.contains { "refund", ignore_case = true }, "A Refund"), 1)
  t.equal(score(builtins.contains { "a", "b" }, "ab"), 1)
  t.equal(builtins.exact.id, "exact")
end)

t.test("mistakes in calls of handles", function()
  t.matches(t.raises(function() builtins.exact { ignorecase = true } end, 'did you mean "ignore_case"'),
    "scorers_builtin_spec.lua:%d+: unknown option")
  t.raises(function() return builtins.exct end, 'unknown name eval.scorers.exct; did you mean "exact"')
  t.raises(function() builtins.json_valid "x" end, "takes a table of options")
  t.raises(function() builtins.contains { "a", value = "b" } end, "twice")
  t.raises(function() builtins.contains("a", "b") end, "not 2 arguments")
  t.raises(function() builtins.similarity { method = "jaro_winkle" } end, 'did you mean "jaro_winkler"')
  t.raises(function() builtins.numeric { tolerance = -1 } end, "at least 0")
  t.raises(function() builtins.exact { id = "" } end, "id")
end)

t.test("every built-in has a description and helps with its options", function()
  for _, name in ipairs(scorer.builtin_names) do
    local about = scorer.describe(name)
    t.ok(#about.description > 20, name)
    for _, option in ipairs(about.options) do t.ok(option.help, name .. "." .. option[1]) end
  end
end)

t.test("without the ground truth that is needed nothing is scored", function()
  for _, name in ipairs { "exact", "equals", "one_of", "contains", "excludes", "starts_with", "numeric", "levenshtein",
    "similarity" } do
    local outcome = evaluate(builtins[name], "x")
    t.equal(outcome.status, "unscored", name)
    t.equal(outcome.passed, false, name)
    t.matches(outcome.reason, "no ground truth", name)
  end
end)

t.test("an output that is null scores 0 and does not pass", function()
  for _, made in ipairs { builtins.exact "x", builtins.equals "x", builtins.one_of { { "x" } }, builtins.contains "x",
    builtins.excludes "x", builtins.starts_with "x", builtins.numeric(1), builtins.matches "x", builtins.json_valid(),
    builtins.length { max = 3 }, builtins.word_count { max = 3 } } do
    local outcome = evaluate(made, nil)
    t.equal({ outcome.status, outcome.score, outcome.passed }, { "ok", 0, false }, made.id)
  end
  t.equal(score(builtins.levenshtein, nil, "x"), 0)
  t.equal(score(builtins.exact(json.null), nil), 1)
  t.equal(score(builtins.equals(json.null), nil), 1)
end)

t.test("exact takes strings as they are", function()
  t.equal(score(builtins.exact, "billing", "billing"), 1)
  t.equal(score(builtins.exact, "Billing", "billing"), 0)
  t.equal(score(builtins.exact, " billing", "billing"), 0)
  t.equal(score(builtins.exact, "", ""), 1)
  t.equal(score(builtins.exact { ignore_case = true }, "ÄRGER", "ärger"), 1)
  t.equal(score(builtins.exact { trim = true }, " a \n", "a"), 1)
  t.equal(score(builtins.exact "x", "x"), 1)
end)

t.test("exact takes other values by identity text", function()
  t.equal(score(builtins.exact, 1, 1.0), 1)
  t.equal(score(builtins.exact, "1", 1), 0)
  t.equal(score(builtins.exact, true, true), 1)
  t.equal(score(builtins.exact, true, "true"), 0)
  t.equal(score(builtins.exact, { a = 1, b = { 2 } }, { b = { 2.0 }, a = 1 }), 1)
  t.equal(score(builtins.exact, { 1, 2 }, { 2, 1 }), 0)
  t.equal(score(builtins.exact, json.array {}, {}), 0)
  t.equal(score(builtins.exact, 9007199254740993, 9007199254740992), 0)
end)

t.test("equals compares deeply and names the first difference", function()
  t.equal(score(builtins.equals, { a = { b = 1 } }, { a = { b = 1.0 } }), 1)
  t.equal(evaluate(builtins.equals, { a = { b = 2 } }, { a = { b = 1 } }).reason, "at a.b: expected 1, got 2")
  t.matches(evaluate(builtins.equals, { a = 1, b = 2 }, { a = 1 }).reason, "at b: not expected, got 2")
  t.matches(evaluate(builtins.equals, {}, { a = 1 }).reason, "at a: expected 1, got null")
  t.equal(score(builtins.equals, { json.null }, { json.null }), 1)
  t.equal(score(builtins.equals, json.array {}, {}), 0)
  t.equal(score(builtins.equals, json.array { 1, 2 }, { 1, 2 }), 1)
  t.equal(score(builtins.equals, "1", 1), 0)
end)

t.test("equals leaves paths out and allows a tolerance", function()
  local made = builtins.equals { ignore = { "id", "items.*.time" } }
  local function answer(id, time) return { id = id, items = { { time = time, name = "x" } } } end
  t.equal(score(made, answer(1, 5), answer(2, 6)), 1)
  t.equal(score(made, { id = 1, items = { { name = "x" } } }, answer(2, 6)), 1)
  t.equal(score(made, { items = { { time = 1, name = "y" } } }, answer(2, 6)), 0)
  t.equal(score(builtins.equals { tolerance = 0.1 }, { 1.1 }, { 1.0 }), 1)
  t.equal(score(builtins.equals { tolerance = 0.1 }, { 1.2 }, { 1.0 }), 0)
  t.raises(function() builtins.equals { ignore = { 3 } } end, "paths")
end)

t.test("equals reads JSON text where asked", function()
  t.equal(score(builtins.equals { parse = true }, '{"a": [1, 2.0]}', { a = { 1, 2 } }), 1)
  t.matches(evaluate(builtins.equals { parse = true }, '{"a": ', { a = 1 }).reason, "not JSON")
  t.equal(score(builtins.equals, '{"a":1}', { a = 1 }), 0)
end)

t.test("one_of wants a list", function()
  t.equal(score(builtins.one_of, "b", { "a", "b" }), 1)
  t.equal(score(builtins.one_of, "c", { "a", "b" }), 0)
  t.equal(score(builtins.one_of { ignore_case = true, trim = true }, " B", { "a", "b" }), 1)
  t.equal(score(builtins.one_of, 1, { 1.0 }), 1)
  t.equal(score(builtins.one_of { "x", "y" }, "y"), 1)
  t.matches(evaluate(builtins.one_of, "b", "b").reason, "not a list")
  t.matches(evaluate(builtins.one_of, "b", json.array {}).reason, "empty list")
end)

t.test("contains, all or any of several, with or without case", function()
  t.equal(score(builtins.contains, "the answer is 18", "18"), 1)
  t.equal(score(builtins.contains, "the answer is 18", 18), 1)
  t.equal(score(builtins.contains, "a.c", "a%.c"), 0)
  t.equal(score(builtins.contains, "one two", { "one", "two" }), 1)
  t.equal(evaluate(builtins.contains, "one", { "one", "two" }).reason, 'missing: "two"')
  t.equal(score(builtins.contains { any = true }, "one", { "one", "two" }), 1)
  t.equal(score(builtins.contains { any = true }, "three", { "one", "two" }), 0)
  t.equal(score(builtins.contains { ignore_case = true }, "Straße ÉTÉ", "été"), 1)
  t.equal(score(builtins.contains '"a":1', { a = 1 }), 1)
  t.matches(evaluate(builtins.contains, "x", "").reason, "empty text")
  t.matches(evaluate(builtins.contains, "x", { a = 1 }).reason, "an object")
  t.raises(function() builtins.contains "" end, "empty text")
  t.raises(function() builtins.contains { "a", any = true, all = true } end, "exclude each other")
end)

t.test("excludes and starts_with", function()
  t.equal(score(builtins.excludes "sorry", "fine"), 1)
  t.equal(evaluate(builtins.excludes { "a", "sorry" }, "so sorry").reason, 'found: "sorry"')
  t.equal(score(builtins.excludes { "sorry", ignore_case = true }, "Sorry!"), 0)
  t.equal(score(builtins.starts_with "Dear", "Dear all"), 1)
  t.equal(score(builtins.starts_with "Dear", "All, Dear"), 0)
  t.equal(score(builtins.starts_with { "Dear", "Hi" }, "Hi all"), 1)
  t.equal(score(builtins.starts_with, "abc", "ab"), 1)
end)

t.test("matches is a regular expression", function()
  t.equal(score(builtins.matches "^\\d+$", "123"), 1)
  t.equal(score(builtins.matches "^\\d+$", "12a"), 0)
  t.equal(score(builtins.matches { "^yes$", flags = "im" }, "no\nYES"), 1)
  t.equal(score(builtins.matches "^\\d+$", 123), 1)
  t.matches(t.raises(function() builtins.matches "(a" end, "pattern"), "scorers_builtin_spec.lua:%d+: ")
  t.raises(function() builtins.matches { "a", flags = "g" } end, 'unknown flag "g"')
  t.raises(function() builtins.matches() end, "missing")
end)

t.test("numeric reads the last number", function()
  local function reads(output, expected) t.equal(score(builtins.numeric, output, expected), 1, output) end
  reads("18", 18)
  reads("18.0", "18")
  reads("that makes $1,450,000.", 1450000)
  reads("first 3, then 4", 4)
  reads("it is -9", -9)
  reads("loss of -$9.50", -9.5)
  reads("\u{2212}9", -9)
  reads("10-5", 5)
  reads("x = .5", 0.5)
  reads("about 1.5e-3", 0.0015)
  reads("2E6", 2000000)
  reads("50%", 50)
  reads("16 eggs.", 16)
  reads("9007199254740993", 9007199254740993)
  reads(18, "18")
  reads("18", "the answer is 18")
  t.equal(score(builtins.numeric, "9007199254740993", 9007199254740992), 0)
  t.equal(score(builtins.numeric, "19", 18), 0)
  t.equal(evaluate(builtins.numeric, "19", 18).reason, "read 19, expected 18")
end)

t.test("numeric says how it reads hard cases", function()
  t.equal(score(builtins.numeric, "9,9", 99), 1)
  t.equal(score(builtins.numeric, "24/7", 7), 1)
  t.equal(score(builtins.numeric, "24/7", 24), 0)
  t.equal(score(builtins.numeric, "3 billion", 3), 1)
  t.equal(score(builtins.numeric, "1, 2, 3", 3), 1)
  t.equal(score(builtins.numeric, "version 3.0.1", 0.1), 1)
  t.equal(evaluate(builtins.numeric, "x billion", 3).reason, "there is no number in the output")
  t.equal(score(builtins.numeric, "x billion", 3), 0)
  t.equal(score(builtins.numeric, ("9"):rep(400), 3), 0)
  t.equal(score(builtins.numeric { decimal_comma = true }, "1.234,5", 1234.5), 1)
  t.equal(score(builtins.numeric, "x", "no number"), "unscored")
  t.equal(score(builtins.numeric, "1", { 1 }), "unscored")
  t.raises(function() builtins.numeric "none" end, "no number in the value")
end)

t.test("numeric with a marker and tolerances", function()
  local made = builtins.numeric { after = "A:" }
  t.equal(score(made, "2+2=4\nA: 5 or\nA: 4", 4), 1)
  t.equal(score(made, "it is 4", 4), 0)
  t.equal(evaluate(made, "it is 4", 4).reason, 'the output has no "A:"')
  t.equal(score(made, "A: 4, 7 left\n", "16 - 9 = 7\nA: 7"), 1)
  t.equal(score(made, "A: none of 3", "x"), "unscored")
  t.equal(score(builtins.numeric { tolerance = 0.1 }, "1.1", 1), 1)
  t.equal(score(builtins.numeric { tolerance = 0.1 }, "1.11", 1), 0)
  t.equal(score(builtins.numeric { relative = 0.01 }, "101", 100), 1)
  t.equal(score(builtins.numeric { relative = 0.01 }, "102", 100), 0)
end)

t.test("levenshtein has the values of autoevals", function()
  for _, case in ipairs { { "", "", 1 }, { "", "a", 0 }, { "a", "", 0 }, { "ab", "ac", 0.5 }, { "abc", "axc", 0.66667 },
    { "xabxcdxxefxgx", "1ab2cd34ef5g6", 0.53846 } } do
    t.near(score(builtins.levenshtein, case[1], case[2]), case[3], 1e-4)
  end
  t.near(score(builtins.levenshtein, "größe", "grosse"), 0.5)
  local outcome = evaluate(builtins.levenshtein { pass = 0.8 }, "kitten", "mitten")
  t.near(outcome.score, 1 - 1 / 6)
  t.equal(outcome.passed, true)
  t.equal(evaluate(builtins.levenshtein, "a", "a").passed, nil)
  t.equal(score(builtins.levenshtein { ignore_case = true, trim = true }, " A", "a"), 1)
end)

t.test("levenshtein names its limit", function()
  t.matches(score(builtins.levenshtein, ("x"):rep(300000), "y"), "error: .*100000")
end)

t.test("similarity by every method", function()
  local function by(method) return score(builtins.similarity { method = method }, "martha", "marhta") end
  t.near(by "jaro", 0.94444444, 1e-6)
  t.near(by "jaro_winkler", 0.96111111, 1e-6)
  t.near(score(builtins.similarity, "martha", "marhta"), 0.96111111, 1e-6)
  t.near(by "dice", 0.4)
  t.near(by "lcs", 10 / 12)
  t.near(by "levenshtein", 1 - 2 / 6)
  t.near(by "damerau", 1 - 1 / 6)
end)

t.test("json_valid", function()
  t.equal(score(builtins.json_valid, '{"a": 1}'), 1)
  t.equal(score(builtins.json_valid, "null"), 1)
  t.equal(score(builtins.json_valid, "1"), 1)
  t.equal(score(builtins.json_valid { container = true }, "1"), 0)
  t.equal(score(builtins.json_valid { container = true }, "[]"), 1)
  t.equal(score(builtins.json_valid, { a = 1 }), 1)
  t.matches(evaluate(builtins.json_valid, '{"a": 1').reason, "line 1")
  t.equal(score(builtins.json_valid, ""), 0)
end)

t.test("length and word_count", function()
  t.equal(score(builtins.length { max = 5 }, "größe"), 1)
  t.equal(score(builtins.length { max = 5, unit = "bytes" }, "größe"), 0)
  t.equal(score(builtins.length(5), "größer"), 0)
  t.equal(evaluate(builtins.length { min = 3 }, "ab").reason, "2 characters, at least 3 are wanted")
  t.equal(score(builtins.length { max = 2, unit = "words" }, "one two"), 1)
  t.equal(evaluate(builtins.length, "abc"), { status = "ok", score = 3 })
  t.equal(score(builtins.word_count { min = 2, max = 3 }, " one  two\nthree "), 1)
  t.equal(evaluate(builtins.word_count { max = 2 }, "one two three").reason, "3 words, at most 2 are allowed")
  t.equal(score(builtins.word_count, "one two"), 2)
  t.raises(function() builtins.length { min = 3, max = 2 } end, "greater than max")
  t.raises(function() builtins.length { unit = "word" } end, 'did you mean "words"')
end)

t.test("output that is not UTF-8 is scored as it is", function()
  t.equal(score(builtins.contains "ok", "\xff ok"), 1)
  t.equal(score(builtins.matches "ok$", "\xff ok"), 1)
  t.equal(score(builtins.exact, "\xff", "x"), 0)
  t.equal(score(builtins.equals, "\xff", "x"), 0)
  t.equal(score(builtins.json_valid, '"\xff"'), 0)
  t.equal(score(builtins.length { max = 1 }, "\xff"), 1)
end)

t.test("deep values are compared", function()
  local function nest(inner)
    local value = inner
    for _ = 1, 900 do value = { value } end
    return value
  end
  t.equal(score(builtins.equals, nest(1), nest(1)), 1)
  t.equal(score(builtins.equals, nest(1), nest(2)), 0)
  t.equal(score(builtins.exact, nest(1), nest(1)), 1)
end)

t.test("numeric reads the values inside lists and objects, not their JSON", function()
  t.equal(score(builtins.numeric, { 1, 2 }, 2), 1)
  t.equal(score(builtins.numeric, { a = 3, answer = "it is 1,450" }, 1450), 1)
  t.equal(score(builtins.numeric, { steps = { "7 apples", "8 pears" } }, 8), 1)
  t.equal(score(builtins.numeric, json.array {}, 1), 0)
end)
