local t = require "harness"
local suite = require "evalua.suite"

local head = "local eval = require 'evalua'\n"

local function resolve(text)
  return suite.load("e.eval.lua", { text = head .. text }).experiments
end

t.test("defaults and conversions", function()
  local experiment = resolve([[eval.experiment {
    name = "e", dataset = { { id = "a", input = 1 } }, item_timeout = "30s", timeout = "2m", max_retries = 2,
    slices = { "metadata.lang" }, seed = 7, tolerance = 0.1, tags = { "x" }, metadata = { a = 1 },
  }]])[1]
  t.equal(experiment.item_timeout_ms, 30000)
  t.equal(experiment.timeout_ms, 120000)
  t.equal(experiment.max_retries, 2)
  t.equal(experiment.max_concurrency, 5)
  t.equal(experiment.seed, 7)
  t.equal(experiment.trials, 1)
  t.equal(experiment.rules, {})
  t.equal(experiment.scorers, nil)
  t.equal(experiment.place, "e.eval.lua:2")
end)

t.test("an inline list is a dataset named after the experiment", function()
  local experiment = resolve("eval.experiment { name = 'e', dataset = { { id = 'a', input = 1 } } }")[1]
  t.equal(experiment.dataset.name, "e")
  t.equal(experiment.dataset.inline, true)
  local items = {}
  for raw, where in experiment.dataset.declaration.each() do items[#items + 1] = { raw.id, where } end
  t.equal(items, { { "a", "e.eval.lua:2: items[1]" } })
end)

t.test("versions and aliases of datasets", function()
  local list = resolve([[
    eval.experiment { name = "a", dataset = "d@3" }
    eval.experiment { name = "b", dataset = "d@stable" }
    eval.experiment { name = "c", dataset = "d", version = 4 }
  ]])
  t.equal({ list[1].dataset.name, list[1].dataset.version }, { "d", 3 })
  t.equal(list[2].dataset.version, "stable")
  t.equal(list[3].dataset.version, 4)
  t.raises(function() resolve("eval.experiment { name = 'a', dataset = 'd@3', version = 4 }") end, "states a version")
end)

t.test("without a target the items' output is scored", function()
  local experiment = resolve("eval.experiment { name = 'e', dataset = 'd' }")[1]
  t.equal(experiment.target.type, "none")
  t.equal(experiment.target.run(1, { output = "x" }), "x")
  t.raises(function() experiment.target.run(1, {}) end, "the item has no output")
end)

t.test("targets by function, handle, id, and id with type", function()
  local list = resolve([[
    local echo = eval.target { id = "echo", run = function(input) return input end, version = 2 }
    eval.experiment { name = "a", dataset = "d", target = function() return 1 end }
    eval.experiment { name = "b", dataset = "d", target = echo }
    eval.experiment { name = "c", dataset = "d", target_id = "echo", target_type = "function" }
  ]])
  t.equal(list[1].target.id, "target")
  t.equal(list[2].target.version, "2")
  t.equal(list[3].target.id, "echo")
  t.raises(function()
    resolve("eval.target { id = 'x', run = print }\n"
      .. "eval.experiment { name = 'a', dataset = 'd', target_id = 'x', target_type = 'command' }")
  end, 'target "x" is of type function, not command')
  t.raises(function() resolve("eval.experiment { name = 'a', dataset = 'd', target = 5 }") end,
    "must be an id, a function")
end)

t.test("a scorer is a target", function()
  local experiment = resolve("eval.experiment { name = 'e', dataset = 'd', target = 'exact' }")[1]
  t.equal(experiment.target.type, "scorer")
  t.equal(experiment.target.run({ output = "a", ground_truth = "a" }, { id = "i" }), 1)
end)

t.test("a workflow feeds each step with the output before", function()
  local experiment = resolve([[
    eval.workflow { id = "w", steps = {
      { id = "double", run = function(input) return input * 2 end },
      { id = "never", when = function() return false end, run = function() return -1 end },
      { id = "add", run = function(input,
        context) return input + context.steps.double + context.item.metadata.plus end },
    } }
    eval.experiment { name = "e", dataset = "d", target = "w" }
  ]])[1]
  t.equal(experiment.target.type, "workflow")
  t.equal(experiment.target.run(3, { metadata = { plus = 1 } }), 13)
  t.raises(function()
    resolve("eval.workflow { id = 'w', steps = { { id = 'a', run = print }, { id = 'a', run = print } } }")
  end, 'two steps with the id "a"')
end)

t.test("scorers: functions get ids, two of one id are refused", function()
  local experiment = resolve([[eval.experiment { name = "e", dataset = "d",
    scorers = { eval.scorers.exact, function() return 1 end, function() return 0 end } }]])[1]
  t.equal(experiment.scorers[2].id, "scorer_1")
  t.equal(experiment.scorers[3].id, "scorer_2")
  t.raises(function()
    resolve("eval.experiment { name = 'e', dataset = 'd', scorers = { eval.scorers.exact, eval.scorers.exact } }")
  end, 'two scorers have the id "exact"')
  t.equal(experiment.find_scorer("contains").id, "contains")
  t.equal(experiment.find_scorer("no_such"), nil)
end)

t.test("options whose machinery comes later say so", function()
  t.raises(function() resolve("eval.dataset { name = 'd', items = { { input = 1 } }, input_schema = {} }") end,
    "is not available yet")
  t.equal(#resolve("eval.experiment { name = 'e', dataset = 'd', trials = 1, cache = false }"), 1)
end)

t.test("names that references could not tell apart are refused", function()
  for _, name in ipairs { "12", "latest", "a[b]", "a~1", "", " x" } do
    t.raises(function() resolve(("eval.experiment { name = %q, dataset = 'd' }"):format(name)) end, 'option "name"')
  end
end)

t.test("the digest of a target changes with its source alone", function()
  local function digest_of(body)
    local path = t.write_file(t.temp_path("target.eval.lua"),
      head .. "eval.target { id = 'x', run = function(i)\n" .. body
      .. "\nend }\neval.experiment { name = 'e', dataset = 'd', target = 'x' }")
    return suite.load(path).experiments[1].target.digest
  end
  t.equal(digest_of("return i"), digest_of("return i"))
  t.not_equal(digest_of("return i"), digest_of("return i + 1"))
  t.equal(#digest_of("return i"), 64)
end)

t.test("a dataset's items may be a function, and its scorers serve experiments without", function()
  local experiment = resolve([[
    eval.dataset { name = "d", scorers = { "exact" }, items = function()
      local n = 0
      return function() n = n + 1 if n <= 2 then return { id = n, input = n } end end
    end }
    eval.experiment { name = "e", dataset = "d" }
  ]])[1]
  for _ = 1, 2 do
    local count = 0
    for raw in experiment.dataset.declaration.each() do count = count + raw.input end
    t.equal(count, 3)
  end
  t.equal(experiment.dataset_scorers[1].id, "exact")
end)

t.test("a dataset needs items or a file, and a name", function()
  t.raises(function() resolve("eval.dataset { name = 'd' }") end, "needs either items or file")
  t.raises(function() resolve("eval.dataset { name = 'a@b', items = {} }") end, "cannot contain @")
  t.raises(function() resolve("eval.dataset { name = 'd', items = 5 }") end, "items must be a list")
  t.raises(function() resolve("eval.dataset { items = {} }") end, 'option "name" of eval.dataset is missing')
end)
