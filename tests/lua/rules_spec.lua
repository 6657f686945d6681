-- Rules: four statuses, no pass without data, and the order of exit codes.

local json = require "evalua.json"
local rules = require "evalua.rules"
local t = require "harness"

local builders = rules.builders

local function scorer(fields)
  local record = { scorer_id = "exact", higher_is_better = true, n = 50, n_unscored = 0, n_error = 0, n_failed = 0,
    n_skipped = 0, n_pending = 0, n_without = 0, mean = 0.82, min = 0, max = 1, ci = { .69, .9 }, passed = 41,
    not_passed = 9, pass_rate = 0.82 }
  for key, value in pairs(fields or {}) do record[key] = value end
  for key, value in pairs(record) do if value == "none" then record[key] = nil end end
  return record
end

local function summary(fields)
  local record = { name = "qa", status = "completed", total_items = 50, succeeded_count = 50, failed_count = 0,
    skipped_count = 0, pending_count = 0, passed_count = 41, scorers = { exact = scorer() },
    latency_ms = { mean = 10, p50 = 8, p95 = 90, p99 = 200, max = 2500 } }
  for key, value in pairs(fields or {}) do record[key] = value end
  return record
end

local function entry(verdict, fields)
  local record = { n = 100, delta = 0.1, stderr = 0.03, ci = { .04, .16 }, p_value = .001, alpha = .05, margin = 0,
    higher_is_better = true, mde = .08, verdict = verdict }
  if verdict == "regressed" then record.delta, record.ci = -0.1, { -.16, -.04 } end
  if verdict == "no_worse" then record.delta, record.ci, record.p_value = 0.03, { 0, .06 }, .2 end
  if verdict == "inconclusive" then record.delta, record.ci, record.p_value = -0.01, { -.07, .05 }, .7 end
  for key, value in pairs(fields or {}) do record[key] = value end
  return record
end

local function comparison(verdict, fields)
  return { items = { paired = 100, changed = {}, only_baseline = {}, only_candidate = {} }, verdict = verdict,
    scorers = { exact = entry(verdict, fields) }, new_failures = {}, new_failure_count = 0, warnings = {} }
end

local function judge(rule, now, compared, context)
  local result = rules.run({ rule }, now or summary(), compared and summary() or nil, compared, context)[1]
  return result.status, result.message, result
end

local function status(...) return (judge(...)) end

t.test("at_least and at_most", function()
  t.equal(status(builders.at_least("exact", 0.82)), "pass")
  t.equal(status(builders.at_least("exact", 0.83)), "fail")
  t.equal(status(builders.at_most("exact", 0.82)), "pass")
  t.equal(status(builders.at_most("exact", 0.8)), "fail")
  local _, message = judge(builders.at_least("exact", 0.9))
  t.equal(message, "exact is 0.82 over 50, must be at least 0.9")
end)

t.test("nothing to judge is no data, never a pass", function()
  local empty = summary { scorers = { exact = scorer { n = 0, mean = "none", n_failed = 50 } } }
  t.equal(status(builders.at_least("exact", 0), empty), "no_data")
  t.equal(status(builders.at_most("exact", 1), empty), "no_data")
  t.equal(status(builders.pass_rate("exact", 0), empty), "no_data")
  t.equal(status(builders.all_items "exact", empty), "no_data")
  t.equal(status(builders.at_least("exact", 0), summary { scorers = {} }), "no_data")
  t.equal(status(builders.success_rate(0), summary { total_items = 0 }), "no_data")
  local silent = summary()
  silent.latency_ms = nil
  t.equal(status(builders.max_latency "1s", silent), "no_data")
  t.equal(status(builders.max_cost(1)), "no_data")
  t.equal(status(builders.no_regression "exact"), "no_data")
  t.equal(status(builders.no_new_failures()), "no_data")
  local _, message = judge(builders.no_worse("exact", 0.1))
  t.matches(message, "evalua accept")
  t.equal(status(builders.at_least("exact", 0.5, { min_n = 51 })), "no_data")
  t.equal(status(rules.custom("mine", function() end)), "no_data")
  t.equal(status(builders.all_items(function() return true end)), "no_data")
end)

t.test("what the scorer could not judge may be decisive", function()
  local now = summary { scorers = { exact = scorer { n = 47, mean = 0.82, n_unscored = 3 } } }
  local found, message = judge(builders.at_least("exact", 0.8), now)
  t.equal(found, "inconclusive")
  t.matches(message, "0.82 over 47 of 50 (3 unscored)")
  t.matches(message, "would be 0.77")
  t.equal(status(builders.at_least("exact", 0.7), now), "pass")
  t.equal(status(builders.at_most("exact", 0.825), now), "inconclusive")
end)

t.test("metrics are rule subjects like scorers", function()
  local now = summary { metrics = { kappa = 0.61 } }
  t.equal(status(builders.at_least("kappa", 0.6), now), "pass")
  t.equal(status(builders.at_least("kappa", 0.7), now), "fail")
end)

t.test("rates, latency, cost", function()
  t.equal(status(builders.pass_rate("exact", 0.82)), "pass")
  t.equal(status(builders.pass_rate("exact", 0.83)), "fail")
  t.equal(status(builders.pass_rate("exact", 0), summary { scorers = { exact = scorer { passed = "none",
    pass_rate = "none" } } }), "no_data")
  t.equal(status(builders.success_rate(0.9), summary { succeeded_count = 44 }), "fail")
  t.equal(status(builders.success_rate(0.88), summary { succeeded_count = 44 }), "pass")
  t.equal(status(builders.max_latency("100ms", { percentile = 95 })), "pass")
  t.equal(status(builders.max_latency("100ms", { percentile = 99 })), "fail")
  t.equal(status(builders.max_latency "2s"), "fail", "without a percentile the slowest decides")
  local paid = summary { usage = { input_tokens = 1, output_tokens = 1, cost = 0.5 } }
  t.equal(status(builders.max_cost(0.5), paid), "pass")
  t.equal(status(builders.max_cost(0.4), paid), "fail")
  t.equal(status(builders.max_cost(0.01, { per = "item" }), paid), "pass")
end)

t.test("comparison rules by verdict", function()
  local expected = {
    no_regression = { improved = "pass", no_worse = "pass", inconclusive = "inconclusive", regressed = "fail" },
    no_worse = { improved = "pass", no_worse = "pass", inconclusive = "inconclusive", regressed = "fail" },
    improved = { improved = "pass", no_worse = "fail", inconclusive = "inconclusive", regressed = "fail" },
  }
  for kind, statuses in pairs(expected) do
    for verdict, wanted in pairs(statuses) do
      t.equal(status(builders[kind] "exact", nil, comparison(verdict)), wanted, kind .. " " .. verdict)
    end
  end
  local _, message = judge(builders.no_regression "exact", nil, comparison "inconclusive")
  t.matches(message, "n 100")
  t.matches(message, "differences from 0.08 on would be found")
  t.equal(status(builders.no_worse("exact", 0.07), nil, comparison "inconclusive"), "pass")
  t.equal(status(builders.no_worse("exact", { margin = 0.07 }), nil, comparison "inconclusive"), "pass")
  t.equal(status(builders.no_worse("exact", 0.06), nil, comparison "inconclusive"), "inconclusive")
  t.equal(status(builders.improved("exact", { alpha = 0.0001 }), nil, comparison "improved"), "inconclusive")
  t.equal(status(builders.no_regression "exact", nil, comparison("improved", { p_adjusted = 0.06 })), "pass")
  t.equal(status(builders.improved "exact", nil, comparison("improved", { p_adjusted = 0.06 })), "fail",
    "the adjusted p decides")
  t.equal(status(builders.no_regression "exact", nil, comparison("incomparable", { n = 0 })), "no_data")
end)

t.test("new failures", function()
  local compared = comparison "no_worse"
  t.equal(status(builders.no_new_failures(), nil, compared), "pass")
  compared.new_failures, compared.new_failure_count = { { item_id = "t1" }, { item_id = "t2" } }, 2
  local found, message = judge(builders.no_new_failures(), nil, compared)
  t.equal({ found, message }, { "fail", "2 items fail newly: t1, t2" })
end)

t.test("all items", function()
  t.equal(status(builders.all_items "exact"), "fail")
  t.equal(status(builders.all_items "exact", summary { scorers = { exact = scorer { passed = 50 } } }), "pass")
  local perfect_but_unscored = scorer { n = 49, passed = 49, n_unscored = 1 }
  t.equal(status(builders.all_items "exact", summary { scorers = { exact = perfect_but_unscored } }), "fail")
  local context = {
    each_result = function()
      local position = 0
      return function()
        position = position + 1
        if position <= 3 then return { item_id = "t" .. position, latency_ms = position * 10 } end
      end
    end,
  }
  local quick = builders.all_items(function(result) return result.latency_ms <= 30 end)
  t.equal(status(quick, nil, nil, context), "pass")
  local quicker = builders.all_items(function(result) return result.latency_ms <= 15 end)
  local found, message = judge(quicker, nil, nil, context)
  t.equal({ found, message }, { "fail", "2 of 3 results do not satisfy it, first t2" })
end)

t.test("a custom rule sees strict records", function()
  t.equal(status(rules.custom("mine", function(now) return now.scorers.exact.mean > 0.8, "good" end)), "pass")
  local found, message = judge(rules.custom("mine", function() return false, "not enough" end))
  t.equal({ found, message }, { "fail", "not enough" })
  local function raises(body, wanted)
    local _, text, result = judge(rules.custom("mine", body))
    t.matches(text, wanted)
    t.ok(result.script_error)
    t.equal(result.status, "no_data")
  end
  raises(function(now) return now.scorers.exat.mean > 0 end, 'did you mean "exact"')
  raises(function(now) return now.total_item > 0 end, 'did you mean "total_items"')
  raises(function(now) return now.scorers.exact.men > 0 end, 'did you mean "mean"')
  raises(function(_, baseline) return baseline.total_items > 0 end, "there is no baseline")
  raises(function() return "yes" end, "must return true or false")
  t.equal(status(rules.custom("mine", function(now) return now.usage == nil end)), "pass", "known but absent is nil")
  t.equal(status(rules.custom("mine", function(_, baseline, compared)
    return baseline.scorers.exact.mean == 0.82 and compared.scorers.exact.delta == 0.1
  end), nil, comparison "improved"), "pass")
end)

t.test("null in a stored summary is nil to rules", function()
  local stored = summary { usage = json.null, latency_ms = json.null, metrics = json.null,
    scorers = { exact = scorer { ci = json.null } } }
  t.equal(status(builders.max_cost(1), stored), "no_data")
  t.equal(status(builders.max_latency "1s", stored), "no_data")
  t.equal(status(builders.at_least("exact", 0.8), stored), "pass")
  t.equal(status(rules.custom("mine", function(now) return now.scorers.exact.ci == nil end), stored), "pass")
end)

t.test("arguments are checked where they are written", function()
  local function wrong(build, pattern)
    local problem = t.raises(build, pattern)
    t.matches(tostring(problem), "rules_spec.lua:%d+: ")
  end
  wrong(function() builders.at_least("exact", "0.9") end, "the threshold must be a number")
  wrong(function() builders.at_least(nil, 1) end, "must be the id of a scorer or metric, not nil")
  wrong(function() builders.at_least("exact", 1, { min_m = 2 }) end, 'did you mean "min_n"')
  wrong(function() builders.pass_rate("exact", 90) end, "from 0 to 1")
  wrong(function() builders.max_latency "2 parsecs" end, "eval.rules.max_latency")
  wrong(function() builders.max_latency("2s", { percentile = 42 }) end, "must be 50, 95, 99 or 100")
  wrong(function() builders.no_regression("exact", { margin = -1 }) end, "margin")
  wrong(function() builders.max_cost(1, { slice = "metadata.lang" }) end, "slice")
  wrong(function() builders.no_regression("exact", { cluster = "" }) end, "cluster")
  wrong(function() return builders.at_leest end, 'did you mean "at_least"')
  wrong(function() rules.custom("x") end, "must be a function")
  t.equal(builders.at_least({ id = "exact" }, 1).scorer, "exact", "a handle is as good as its id")
end)

t.test("unknown names are found before the run", function()
  local list = { builders.at_least("exat", 1), builders.at_least("kappa", 1), builders.success_rate(1) }
  local problems = rules.check_names(list, { "exact" }, { "kappa" })
  t.equal(#problems, 1)
  t.matches(problems[1], 'unknown scorer "exat"; did you mean "exact"?')
  t.matches(problems[1], "rules_spec.lua:%d+")
  t.matches(rules.check_names({ 42 }, {})[1], "rules%[1%] must be made by eval.rule")
  t.equal(rules.need_baseline(list), false)
  local gates = { builders.no_regression "exact", builders.improved "exact", builders.no_worse("tone", 0) }
  t.equal(rules.need_baseline(gates), true)
  t.equal(rules.gated(gates), { "exact", "tone" })
end)

t.test("the first cause in the order 130, 3, 4, 1, 5 decides", function()
  local function result(found, fields)
    local record = { name = "r", kind = "at_least", status = found, message = "m" }
    for key, value in pairs(fields or {}) do record[key] = value end
    return record
  end
  local function verdict(now, results, settings)
    local word, code, reason = rules.verdict(summary(now), results or {}, settings)
    return { word, code }, reason
  end
  t.equal(verdict(nil, { result "pass" }), { "pass", 0 })
  t.equal(verdict(), { "none", 0 })
  t.equal(verdict(nil, { result "pass", result "fail" }), { "fail", 1 })
  t.equal(verdict(nil, { result "fail", result "no_data" }), { "error", 4 })
  t.equal(verdict(nil, { result("no_data", { script_error = true }), result "fail" }), { "error", 3 })
  t.equal(verdict(nil, { result "fail" }, { interrupted = true }), { "error", 130 })
  t.equal(verdict({ status = "cancelled" }), { "error", 130 })
  t.equal(verdict(nil, { result "pass" }, { script_error = "teardown failed" }), { "error", 3 })
  t.equal(verdict(nil, {}, { failure = "the disk is full" }), { "error", 4 })
  t.equal(verdict(nil, { result "inconclusive" }), { "inconclusive", 0 })
  t.equal(verdict(nil, { result "inconclusive" }, { inconclusive = "fail" }), { "inconclusive", 5 })
  t.equal(verdict(nil, { result("inconclusive", { fails_inconclusive = true }) }), { "inconclusive", 5 })
  t.equal(verdict(nil, { result "inconclusive", result "fail" }, { inconclusive = "fail" }), { "fail", 1 })
  t.equal(verdict { pending_count = 3 }, { "error", 4 })
  t.equal(verdict { total_items = 0 }, { "error", 4 })
  t.equal(rules.worst_exit_code { 0, 5, 1, 4, 3 }, 3)
  t.equal(rules.worst_exit_code {}, 0)
end)

t.test("failed items above the tolerance cannot pass", function()
  local now = summary { failed_count = 2 }
  local _, code, reason = rules.verdict(now, {}, {})
  t.equal(code, 4)
  t.equal(reason, "2 of 50 items failed, none are tolerated")
  t.equal(select(2, rules.verdict(now, {}, 2)), 0)
  t.equal(select(2, rules.verdict(now, {}, 1)), 4)
  t.equal(select(2, rules.verdict(now, {}, { tolerance = 0.04 })), 0)
  t.equal(select(2, rules.verdict(now, {}, { tolerance = 0.03 })), 4)
  local speaking = { { name = "r", kind = "success_rate", status = "pass", message = "m" } }
  t.equal(select(2, rules.verdict(now, speaking, {})), 0, "a success_rate rule speaks of them")
end)

t.test("slice and each judge parts of the run", function()
  local function slice(mean, n)
    return { n = n, succeeded_count = n, scorers = { exact = scorer { mean = mean, n = n } } }
  end
  local slices = { built = { ["metadata.lang"] = { de = slice(0.5, 10), en = slice(0.95, 40) } } }
  local function part(given, compared)
    return judge(builders.at_least("exact", 0.9, given), summary(), compared, { slices = slices })
  end
  t.equal((part { slice = "metadata.lang=en" }), "pass")
  t.equal((part { slice = "metadata.lang=de" }), "fail")
  t.equal((part { each = "metadata.lang" }), "fail")
  t.equal((part { each = "metadata.lang", min_n = 20 }), "no_data", "too few is no data, which comes first")
  t.equal((part { slice = "metadata.lang=fr" }), "no_data")
  t.equal((part { each = "metadata.country" }), "no_data")
  t.equal(status(builders.at_least("exact", 0, { slice = "metadata.lang=en" })), "no_data", "no slices at hand")
  slices.parts = function(_, _, values)
    local parts = {}
    for _, value in ipairs(values) do
      parts[value] = entry(value == "de" and "regressed" or "no_worse", { p_value = .03 })
    end
    return parts
  end
  local rule = builders.no_regression("exact", { slice = "metadata.lang=de" })
  t.equal(judge(rule, summary(), comparison "no_worse", { slices = slices }), "fail")
  rule = builders.no_regression("exact", { each = "metadata.lang" })
  t.equal(judge(rule, summary(), comparison "no_worse", { slices = slices }), "inconclusive", "0.03 twice is 0.06")
  t.equal(judge(rule, summary(), nil, { slices = slices }), "no_data")
  t.equal(rules.gated { rule }, {})
  t.raises(function() builders.at_least("exact", 1, { slice = "metadata.lang" }) end, "FIELD=VALUE")
  t.raises(function() builders.at_least("exact", 1, { each = "a=b" }) end, "must be a field")
  t.raises(function() builders.at_least("exact", 1, { each = "a", slice = "b=c" }) end, "exclude each other")
end)
