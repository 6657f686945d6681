-- Trials and reducers: options, stored form, and the values that reports and the store make of the same trials.

local t = require "harness"
local items = require "evalua.report.items"
local native = require "evalua.native.store"
local trials = require "evalua.trials"

local reducers = trials.reducers

t.test("trials is a number, or a count with a reducer", function()
  local count, reducer = trials.resolve(nil, "x:1")
  t.equal({ count, reducer.name }, { 1, "mean" })
  count, reducer = trials.resolve(5, "x:1")
  t.equal({ count, reducer.name }, { 5, "mean" })
  count, reducer = trials.resolve({ count = 5, reducer = reducers.pass_at(2) }, "x:1")
  t.equal({ count, trials.text(reducer) }, { 5, "pass_at(2)" })
end)

t.test("wrong trials and reducers say what would be right", function()
  t.raises(function() trials.resolve(0, "x:1") end, "from 1 to 1000")
  t.raises(function() trials.resolve({ count = 2, reducer = reducers.pass_at(3) }, "x:1") end, "at least 3 trials")
  t.raises(function() trials.resolve({ count = 2, reducer = reducers.pass_at }, "x:1") end, "pass_at%(2%)")
  t.raises(function() trials.resolve({ count = 2, reducer = "mean" }, "x:1") end, "one of eval.reducers")
  t.raises(function() trials.resolve({ number = 2 }, "x:1") end, "number")
  t.raises(function() reducers.pass_k(0) end, "whole number")
  t.raises(function() local _ = reducers.avg end, "avg")
end)

t.test("a run without trials has no reduction", function()
  t.equal(trials.of_record({ options = '{"max_concurrency":5}' }), nil)
  t.equal(trials.of_record({}), nil)
  t.equal(trials.of_record({ options = '{"reducer":{"k":2,"name":"pass_at"},"trials":3}' }),
    { trials = 3, reducer = "pass_at", k = 2 })
end)

-- A store with one run of three items, five trials each: the first passes twice, the second always, and of the third
-- two trials failed. Made by the program itself.
local SUITE = [[
local eval = require "evalua"
eval.experiment { name = "t", trials = { count = 5, reducer = REDUCER },
  dataset = { { id = "a", input = 2 }, { id = "b", input = 5 }, { id = "c", input = 3 } },
  target = function(input, item)
    if input == 3 and item.trial > 3 then error("flaky") end
    return item.trial <= input and 1 or item.trial / 10
  end,
  scorers = { eval.scorer { id = "s", pass = 1, score = function(run) return run.output end } } }
]]

local function run_with(reducer)
  local store = native.open(":memory:", { create = true })
  local suite = require("evalua.suite").load("t.eval.lua", { text = (SUITE:gsub("REDUCER", reducer)) })
  local summary = require("evalua.runner").run(suite.experiments[1], { store = store, workers = 1 })
  return store, summary
end

t.test("statistics are over items: each reducer, in the store and in reports", function()
  local expected = {
    ["eval.reducers.mean"] = { (2 + .3 + .4 + .5) / 5, 1, 1 },
    ["eval.reducers.median"] = { .5, 1, 1 },
    ["eval.reducers.mode"] = { 1, 1, 1 },
    ["eval.reducers.max"] = { 1, 1, 1 },
    ["eval.reducers.at_least(3)"] = { 0, 1, 1 },
    ["eval.reducers.pass_at(2)"] = { .7, 1, .9 },
    ["eval.reducers.pass_k(2)"] = { .1, 1, .3 },
  }
  for reducer, values in pairs(expected) do
    local store, summary = run_with(reducer)
    t.equal(summary.scorers.s.n, 3)
    t.equal(summary.total_items, 3)
    t.equal(summary.failed_count, 0)
    t.equal(summary.trials.failed, 2)
    t.equal(summary.trials.total, 15)
    t.near(summary.scorers.s.mean, (values[1] + values[2] + values[3]) / 3, 1e-12)
    local reduction, position = items.reduction_of(summary), 0
    items.each(store, summary.experiment_id, reduction, function(row)
      position = position + 1
      t.near(row.scores[1].score, values[position], 1e-12)
    end)
    t.equal(position, 3)
    store:close()
  end
end)

t.test("an item passes as its reducer says, and consistency is counted", function()
  local passes = { ["eval.reducers.mean"] = 2, ["eval.reducers.pass_at(2)"] = 3, ["eval.reducers.pass_k(2)"] = 1,
    ["eval.reducers.at_least(3)"] = 2, ["eval.reducers.mode"] = 2 }
  for reducer, count in pairs(passes) do
    local store, summary = run_with(reducer)
    t.equal(summary.passed_count, count)
    t.equal(summary.scorers.s.passed, count)
    local seen = {}
    items.each(store, summary.experiment_id, items.reduction_of(summary), function(row)
      seen[#seen + 1] = row.consistency
    end)
    t.equal(seen, { "2 of 5", "5 of 5", "3 of 5" })
    store:close()
  end
end)

t.test("failed trials are missing, and not tolerated, where passes are not counted", function()
  local store, summary = run_with("eval.reducers.mean")
  t.equal(summary.exit_code, 4)
  t.ok(summary.reason:find("2 of 15 trials failed", 1, true))
  store:close()
  store, summary = run_with("eval.reducers.pass_at(2)")
  t.equal(summary.exit_code, 0)
  t.equal(store:failing_items(summary.experiment_id, { trials = 5, reducer = "pass_k", k = 2 }), { "a", "c" })
  t.equal(store:failing_items(summary.experiment_id, { trials = 5, reducer = "pass_at", k = 2 }), {})
  store:close()
end)

t.test("reducers without a number may be called, and take none", function()
  t.equal(trials.reducers.mean(), trials.reducers.mean)
  t.raises(function() trials.reducers.median(3) end, "eval.reducers.median takes no arguments")
end)
