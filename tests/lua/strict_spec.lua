local t = require "harness"
local strict = require "evalua.strict"

t.test("nearest finds a name with a slip and none without", function()
  local names = { "max_concurrency", "item_timeout", "name", "tags" }
  t.equal(strict.nearest("max_concurency", names), "max_concurrency")
  t.equal(strict.nearest("tgas", names), "tags")
  t.equal(strict.nearest("Name", names), "name")
  t.equal(strict.nearest("item", names), "item_timeout")
  t.equal(strict.nearest("colour", names), nil)
  t.equal(strict.nearest("x", {}), nil)
end)

t.test("short names that share nothing are not near", function()
  t.equal(strict.nearest("x", { "e", "y" }), nil)
  t.equal(strict.nearest("E", { "e" }), "e")
  t.equal(strict.nearest("ab", { "cd", "ac" }), "ac")
end)

t.test("a hint names the nearest, or what there is", function()
  t.equal(strict.hint("exat", { "exact", "contains" }), '; did you mean "exact"?')
  t.equal(strict.hint("zzzzzz", { "exact", "contains" }, "scorers"), "; scorers are exact, contains")
  t.equal(strict.hint("zzzzzz", {}, "scorers"), "; there are no scorers")
end)

t.test("a strict record refuses unknown fields and gives nil for absent ones", function()
  local run = strict.record({ output = "x" }, { "output", "input" }, "run")
  t.equal(run.output, "x")
  t.equal(run.input, nil)
  local problem = t.raises(function() return run.ouput end, 'unknown field "ouput" of run; did you mean "output"?')
  t.matches(problem, "strict_spec.lua:%d+: ")
  t.raises(function() return run[1] end, "unknown field 1 of run")
end)

t.test("strict records of one kind share their metatable", function()
  local known = { "a", "b" }
  t.ok(rawequal(getmetatable(strict.record({}, known, "x")), getmetatable(strict.record({}, known, "x"))))
  t.ok(not rawequal(getmetatable(strict.record({}, known, "x")), getmetatable(strict.record({}, known, "y"))))
end)

t.test("known fields may be the keys of a map", function()
  local record = strict.record({}, { a = true }, "x")
  t.equal(record.a, nil)
  t.raises(function() return record.c end, 'unknown field "c"')
end)

t.test("a namespace refuses unknown names and assignment", function()
  local space = strict.namespace({ exact = 1 }, "eval.scorers")
  t.equal(space.exact, 1)
  t.raises(function() return space.exat end, 'unknown name eval.scorers.exat; did you mean "exact"?')
  t.raises(function() space.other = 1 end, "cannot be assigned")
end)

t.test("an undeclared global: the error says what would be right", function()
  local function fails(code, expected)
    local chunk = assert(load(code, "@suite.lua", "t", strict.globals { print = print, next = next }))
    t.raises(chunk, "suite.lua:1: undeclared global " .. expected)
  end
  fails("return prnt", 'prnt; did you mean "print"?')
  fails("local answers = {} return #anwsers", 'anwsers; did you mean "answers"?')
  fails("local answers = {} return (function() local x = #answers + #anwsers return x end)()",
    'anwsers; did you mean "answers"?')
  fails("do local answers = {} end return anwsers",
    "anwsers; nothing has declared it: write `local anwsers = ...` above the line that uses it")
  fails("local evil = 1 return eval.dataset, evil", 'eval; write `local eval = require "evalua"` above')
  fails("return text.fold('x')", "text; write `eval.text`")
  fails("return { exact }", "exact; write `eval.scorers.exact`")
  fails("return at_least('exact', 1)", "at_least; write `eval.rules.at_least`")
  fails("return _ENV[1]", "1; nothing has declared it$")
end)

t.test("globals: reading an undeclared one raises, a top-level assignment declares", function()
  local environment = strict.globals { print = print, tostring = tostring }
  assert(load("counter = 1; result = counter", "@suite.lua", "t", environment))()
  t.equal(environment.result, 1)
  t.raises(assert(load("\nreturn prnt", "@suite.lua", "t", environment)),
    'suite.lua:2: undeclared global prnt; did you mean "print"?')
  t.raises(assert(load("local function f() total = 1 end f()", "@suite.lua", "t", environment)),
    "suite.lua:1: undeclared global total is assigned in a function")
  assert(load("total = nil; local function f() total = 2 end f(); result = total", "@suite.lua", "t", environment))()
  t.equal(environment.result, 2)
end)
