-- The statistics as scripts see them: shapes, refusals, and nil where a number does not exist.

local stats = require "evalua.native.stats"
local t = require "harness"

t.test("a vector is a length, elements and a table", function()
  local v = stats.vector { 1, 2.5, 3 }
  t.equal(#v, 3)
  t.equal(v:get(2), 2.5)
  t.equal(v:get(0), nil)
  t.equal(v:get(4), nil)
  t.equal(v:table(), { 1, 2.5, 3 })
  t.equal(#stats.vector {}, 0)
  t.equal(tostring(v), "vector of 3 numbers")
end)

t.test("a vector holds finite numbers only", function()
  t.raises(function() stats.vector { 1, 0 / 0 } end, "entry 2")
  t.raises(function() stats.vector { 1 / 0 } end, "entry 1")
  t.raises(function() stats.vector { 1, "2" } end, "entry 2 is 2")
  t.raises(function() stats.summary {} end, "evalua.vector")
end)

t.test("summary", function()
  local b = stats.summary(stats.vector { .2, .9, .75, .5, 1, 0, .6, .85 })
  t.near(b.stderr, .1242836617, 1e-10)
  t.near(b.ci[1], .3061158394, 1e-10)
  t.near(b.ci[2], .8938841606, 1e-10)
  t.near(b.p50, .675)
  t.equal({ b.n, b.min, b.max, b.binary }, { 8, 0, 1, false })
  t.equal(#b.histogram.counts, 10)
  local none = stats.summary(stats.vector {})
  t.equal(none, { n = 0, binary = false })
  local clustered = stats.summary(stats.vector { 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0 },
    { clusters = { "a", "a", "a", "a", "b", "b", "b", "b", "c", "c", "c", "c", "d", "d", "d", "d" } })
  t.near(clustered.stderr, .2282177323, 1e-10)
  t.equal(clustered.clusters, 4)
  t.raises(function() stats.summary(stats.vector { 1, 2 }, { clusters = { "a" } }) end, "for each of 2 values, got 1")
end)

t.test("percentiles", function()
  t.equal(stats.percentiles(stats.vector { 4, 1, 3, 2 }, { 0, 50, 100 }), { 1, 2.5, 4 })
  t.equal(stats.percentiles(stats.vector {}, { 50 }), {})
  t.raises(function() stats.percentiles(stats.vector { 1 }, { 101 }) end, "from 0 to 100")
end)

t.test("paired: nothing is NaN", function()
  local same = stats.paired(stats.vector { .1, .2, .3 }, stats.vector { .1, .2, .3 })
  t.equal({ same.delta, same.p_value, same.verdict, same.same }, { 0, 1, "no_worse", 3 })
  t.equal(same.ci, { 0, 0 })
  t.equal(same.effect_size, nil)
  local one = stats.paired(stats.vector { 0 }, stats.vector { 1 })
  t.equal({ one.n, one.delta, one.ci, one.mde }, { 1, 1, nil, nil })
  t.equal(one.verdict, "inconclusive")
  local none = stats.paired(stats.vector {}, stats.vector {})
  t.equal(none, { n = 0, improved = 0, regressed = 0, same = 0, verdict = "incomparable" })
  local huge = stats.paired(stats.vector { 1e308, -1e308 }, stats.vector { -1e308, 1e308 })
  for name, value in pairs(huge) do t.equal(value, value, name .. " is not NaN") end
end)

t.test("paired: options are checked", function()
  local v = stats.vector { 1, 2 }
  t.raises(function() stats.paired(v, stats.vector { 1 }) end, "equally long, got 2 and 1")
  t.raises(function() stats.paired(v, v, { margin = -1 }) end, "margin must be 0 or more")
  t.raises(function() stats.paired(v, v, { alpha = 1 }) end, "alpha must be above 0 and below 1")
  t.raises(function() stats.paired(v, v, { seed = 1.5 }) end, "seed must be an integer")
end)

t.test("adjusted p-values, agreement, repeated trials", function()
  t.equal(stats.holm { 0.01, 0.04 }, { 0.02, 0.04 })
  t.equal(stats.holm {}, {})
  t.equal(stats.benjamini_hochberg { 0.01, 0.04 }, { 0.02, 0.04 })
  t.raises(function() stats.holm { 2 } end, "from 0 to 1")
  t.equal(stats.kappa({ "a", "b" }, { "a", "b" }), 1)
  t.equal(stats.kappa({ "a", "a" }, { "a", "a" }), nil)
  t.near(stats.krippendorff { { 1, 2 }, { 1, 1 }, { 2, 2 } }, 4 / 9)
  t.near(stats.pass_at(5, 2, 2), .7)
  t.near(stats.pass_all(5, 2, 2), .1)
  t.equal(stats.pass_at(2, 3, 1), nil)
  t.near(stats.mcnemar(28, 4), 1.9301195e-05, 1e-11)
  t.near(stats.sample_size(.03, 1 / 9), 968.9974981, 1e-6)
  t.near(stats.detectable_difference(1), 2.8015852, 1e-6)
end)

t.test("a verdict follows another p, margin or alpha", function()
  local entry = { n = 100, ci = { .01, .2 }, p_value = .03 }
  t.equal(stats.verdict(entry), "improved")
  t.equal(stats.verdict(entry, { alpha = .01 }), "no_worse")
  t.equal(stats.verdict(entry, { higher_is_better = false }), "regressed")
  t.equal(stats.verdict({ n = 100, ci = { -.02, .2 }, p_value = .5 }), "inconclusive")
  t.equal(stats.verdict({ n = 100, ci = { -.02, .2 }, p_value = .5 }, { margin = .02 }), "no_worse")
  t.equal(stats.verdict { n = 1, p_value = 1 }, "inconclusive")
  t.equal(stats.verdict { n = 0 }, "incomparable")
end)

t.test("changes come largest first", function()
  local before, after = stats.vector { 1, 0, .5, .5, 0 }, stats.vector { 1, .25, .25, 0, 1 }
  t.equal(stats.changes(before, after), { 5, 4, 2, 3 })
  t.equal(stats.changes(before, after, 1), { 5 })
  t.raises(function() stats.changes(before, stats.vector {}) end, "equally long")
end)

t.test("the bootstrap repeats itself", function()
  local d = stats.vector { .12, -.05, .20, .03, 0, .15, -.02, .08 }
  local means = stats.bootstrap(d, { seed = 42, draws = 1000 })
  t.near(stats.mean(means), .06444625, 1e-10)
  local ends = stats.percentiles(means, { 2.5, 97.5 })
  t.near(ends[1], .01125, 1e-10)
  t.near(ends[2], .12003125, 1e-10)
end)

t.test("precision along a ranking, and the expectation of a judge's score", function()
  t.near(stats.average_precision(stats.vector { 1, 0, 1, 1, 0 }), .8055555556, 1e-10)
  t.equal(stats.average_precision(stats.vector { 0 }), nil)
  t.near(stats.expected_score(stats.vector { 8, 7, 9, 10, 6 }, stats.vector { .6, .25, .1, .03, .005 }, .01),
    7.908163265, 1e-9)
  t.raises(function() stats.expected_score(stats.vector { 1 }, stats.vector { 1, 0 }) end, "as many probabilities")
end)
