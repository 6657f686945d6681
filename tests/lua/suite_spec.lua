local t = require "harness"
local suite = require "evalua.suite"

local head = "local eval = require 'evalua'\n"
local dataset = "eval.dataset { name = 'd', items = { { id = 'a', input = 1 } } }\n"

-- Loads a suite from text; its first line is line 1 of tickets.eval.lua.
local function load(text) return suite.load("tickets.eval.lua", { text = text }) end

local function fails(text, pattern, exit)
  local problem = t.raises(function() load(text) end, pattern)
  if exit then t.equal(problem.exit, exit, pattern) end
  return problem
end

t.test("a suite declares experiments, whose names are resolved", function()
  local loaded = load(head .. dataset .. [[
    eval.target { id = "echo", run = function(input) return input end }
    eval.scorer { id = "short", score = function() return 1 end }
    eval.experiment { name = "e", dataset = "d", target = "echo", scorers = { eval.scorers.exact, "short" } }
  ]])
  t.equal(#loaded.experiments, 1)
  local experiment = loaded.experiments[1]
  t.equal(experiment.name, "e")
  t.equal(experiment.target.id, "echo")
  t.equal(experiment.target.run("x"), "x")
  t.equal(experiment.scorers[1].id, "exact")
  t.equal(experiment.scorers[2].id, "short")
  t.equal(experiment.dataset.declaration.name, "d")
  t.equal(experiment.max_concurrency, 5)
  t.equal(loaded.datasets.d.name, "d")
end)

t.test("names may be used before they are declared", function()
  local loaded = load(head .. "eval.experiment { name = 'e', dataset = 'd', target = 't' }\n" .. dataset
    .. "eval.target { id = 't', run = function() end }")
  t.equal(loaded.experiments[1].target.id, "t")
end)

t.test("a syntax error and an error of the script are exit 3 with the script's line", function()
  fails("local x = = 1", "tickets.eval.lua:1: ", 3)
  fails(head .. "local x = nil\nprint(x.y)", "^tickets.eval.lua:3: attempt to index", 3)
  fails(head .. "error('no')", "^tickets.eval.lua:2: no", 3)
  fails(head .. "error({})", "tickets.eval.lua:2: error object", 3)
  fails(head .. "eval.fail('no such size')", "^tickets.eval.lua:2: no such size", 3)
end)

t.test("the trace shows the script's own lines only", function()
  local problem = fails("local function f() error('deep') end\nlocal function g() f() end\ng()",
    "^tickets.eval.lua:1: deep", 3)
  t.matches(problem.trace, "tickets.eval.lua:1: in .*\n  tickets.eval.lua:2: in .*\n  tickets.eval.lua:3: in the file")
end)

t.test("an undeclared global is exit 2 with the nearest name", function()
  fails(head .. "\nprnt('x')", '^tickets.eval.lua:3: undeclared global prnt; did you mean "print"?', 2)
  load("count = 1\nlocal function f() count = count + 1 end\nf()")
end)

t.test("an unknown option is exit 2 with its line and the nearest name", function()
  fails(head .. dataset .. "\neval.experiment { name = 'e', dataset = 'd', max_concurency = 3 }",
    '^tickets.eval.lua:4: unknown option "max_concurency" of eval.experiment; did you mean "max_concurrency"?', 2)
end)

t.test("unknown names of eval, eval.scorers and eval.rules", function()
  fails(head .. "eval.experimnt {}", '^tickets.eval.lua:2: unknown name eval.experimnt; did you mean "experiment', 2)
  fails(head .. "local x = eval.scorers.exat", "eval.scorers.exat", 2)
  fails(head .. "local x = eval.rules.at_lest", "at_least", 2)
  fails(head .. "eval.agent {}", "eval.agent is not available yet", 2)
end)

t.test("unknown scorers and targets are found after loading, all of them", function()
  local problem = fails(head .. dataset .. [[
eval.target { id = "echo", run = function() end }
eval.experiment { name = "e", dataset = "d", target = "ehco" }
eval.experiment { name = "f", dataset = "d", target = "echo", scorers = { "exat" } }
]], 'tickets.eval.lua:4: there is no target "ehco"; did you mean "echo"?', 2)
  t.matches(problem.message, "tickets.eval.lua:5: ")
  t.matches(problem.message, '"exat"')
end)

t.test("a rule about a scorer that the experiment does not have", function()
  fails(head .. dataset .. "eval.experiment { name = 'e', dataset = 'd', scorers = { eval.scorers.exact },\n"
    .. " rules = { eval.rules.at_least('exat', 0.5) } }", '"exat"', 2)
end)

t.test("a nil hole in a list", function()
  fails(head .. dataset
    .. "eval.experiment { name = 'e', dataset = 'd', scorers = { eval.scorers.exact, nil, 'exact' } }",
    "element 2 is nil", 2)
  fails(head .. "eval.dataset { name = 'd', items = { { input = 1 }, nil, { input = 2 } } }", "element 2 is nil", 2)
  fails(head .. dataset
    .. "eval.experiment { name = 'e', dataset = 'd', rules = { nil, eval.rules.at_least('x', 1) } }",
    "element 1 is nil", 2)
end)

t.test("two declarations of one name name both places", function()
  fails(head .. dataset .. dataset,
    '^tickets.eval.lua:3: dataset "d" is declared twice; the first is at tickets.eval.lua:2', 2)
  fails(head .. "for _ = 1, 2 do eval.target { id = 't', run = function() end } end", 'target "t" is declared twice', 2)
  fails(head .. dataset
    .. "eval.experiment { name = 'e', dataset = 'd' }\neval.experiment { name = 'e', dataset = 'd' }",
    'tickets.eval.lua:4: experiment "e" is declared twice; the first is at tickets.eval.lua:3', 2)
end)

t.test("suites share nothing", function()
  load("shared_name = 1")
  fails("print(shared_name)", "undeclared global shared_name", 2)
  t.equal(rawget(_G, "shared_name"), nil)
end)

t.test("modules are found beside the suite and belong to it alone", function()
  local path = t.write_file(t.temp_path("helper.lua"),
    "loaded_count = (rawget(_G, 'loaded_count') or 0) + 1\nreturn { n = loaded_count }")
  local directory, name = path:match("^(.*/)([^/]*)%.lua$")
  for _ = 1, 2 do
    suite.load(directory .. "x.eval.lua",
      { text = ("local h = require %q\nassert(h.n == 1)\nassert(require %q == h)"):format(name, name) })
  end
  t.equal(package.loaded[name], nil)
  t.raises(function() load("require 'no_such_module'") end, 'there is no module "no_such_module"')
end)

t.test("an error in a module shows the module's line", function()
  local path = t.write_file(t.temp_path("broken.lua"), "local x\nreturn x.y")
  local directory, name = path:match("^(.*/)([^/]*)%.lua$")
  local problem = t.raises(function()
    suite.load(directory .. "x.eval.lua", { text = ("\nrequire %q"):format(name) })
  end, "broken.lua:2: attempt to index")
  t.matches(problem.trace, "x.eval.lua:2: in the file")
end)

t.test("a module that requires itself", function()
  local path = t.temp_path("circle.lua")
  local directory, name = path:match("^(.*/)([^/]*)%.lua$")
  t.write_file(path, ("return require %q"):format(name))
  t.raises(function() suite.load(directory .. "x.eval.lua", { text = ("require %q"):format(name) }) end,
    "requires itself")
end)

t.test("what would harm a run is refused, with what to use", function()
  fails("os.exit(0)", "os.exit would end the whole run", 2)
  fails("os.execute('true')", "use eval.spawn", 2)
  fails("io.popen('true')", "use eval.spawn", 2)
  fails("os.setlocale('C')", "not offered", 2)
  fails("debug.sethook()", "not offered", 2)
  load("assert(os.time() > 0 and os.getenv and debug.traceback)")
end)

t.test("load and dofile get the suite's globals, and no bytecode", function()
  load("x = 5\nassert(load('return x')() == 5)")
  load("assert(load(string.dump(function() end)) == nil)")
  local path = t.write_file(t.temp_path("part.lua"), "y = 7")
  load(("dofile(%q)\nassert(y == 7)"):format(path))
end)

t.test("a first line with # and a byte order mark are skipped", function()
  load("#!/usr/bin/env evalua\nassert(true)")
  load("\239\187\191assert(true)")
end)

t.test("a missing suite file", function()
  local problem = t.raises(function() suite.load("no-such.eval.lua") end, "cannot read the suite no%-such.eval.lua")
  t.equal(problem.exit, 2)
end)

t.test("variants of a matrix", function()
  local loaded = load(head .. dataset .. [[
    for v in eval.matrix { model = { "a", "b" } } do
      eval.experiment { name = "e", variant = v, dataset = "d", target = function() return v.model end }
    end
  ]])
  t.equal(loaded.experiments[1].variant, "model=a")
  t.equal(loaded.experiments[2].variant, "model=b")
  t.equal(loaded.experiments[2].target.run(), "b")
end)
