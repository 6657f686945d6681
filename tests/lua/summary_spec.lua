-- The summary: counts from rows, means with what is missing from them, nothing that is NaN.

local json = require "evalua.json"
local stats = require "evalua.native.stats"
local summary = require "evalua.summary"
local t = require "harness"

-- A store that knows one experiment.
local function store_of(given)
  return {
    status_counts = function() return given.counts end,
    score_keys = function() return given.keys or {} end,
    latencies = function() return stats.vector(given.latencies or {}) end,
    score_values = function(_, _, scorer_id, step_id)
      local entry = given.scores[step_id == "" and scorer_id or step_id .. "/" .. scorer_id] or { values = {} }
      return stats.vector(entry.values), entry.counts or {}
    end,
  }
end

local function experiment_of(fields)
  local record = { id = "e1", number = 3, name = "triage", status = "completed", total_items = 50,
    dataset_name = "tickets", dataset_version = 2, dataset_digest = "abc", target_type = "function",
    target_id = "triage", scorers = json.encode { { id = "exact", pass = 1 } },
    params = '{"model":"m"}', started_at = "2026-11-21T01:02:03.456Z" }
  for key, value in pairs(fields or {}) do record[key] = value end
  return record
end

local function ones(count, of)
  local values = {}
  for position = 1, of do values[position] = position <= count and 1 or 0 end
  return values
end

t.test("a mean stands beside what is missing from it", function()
  local store = store_of {
    counts = { ok = 48, error = 1, timeout = 1, limited = 0, skipped = 0, passed = 38, total = 50 },
    latencies = { 1, 2, 3, 4 },
    scores = { exact = { values = ones(38, 47), counts = { ok = 47, unscored = 1, error = 0, passed = 38,
      not_passed = 9 } } },
  }
  local record = summary.build(store, experiment_of())
  t.equal(record.total_items, 50)
  t.equal(record.succeeded_count, 48)
  t.equal(record.failed_count, 2)
  t.equal(record.skipped_count, 0)
  t.equal(record.pending_count, 0)
  t.equal(record.passed_count, 38)
  t.ok(record.completed_with_errors)
  t.equal(record.dataset, { name = "tickets", version = 2, digest = "abc" })
  t.equal(record.params, { model = "m" })
  t.equal(record.verdict, "none")
  t.equal(record.usage, nil)
  local exact = record.scorers.exact
  t.equal(exact.n, 47)
  t.near(exact.mean, 38 / 47)
  t.equal({ exact.n_unscored, exact.n_error, exact.n_failed, exact.n_without }, { 1, 0, 2, 0 })
  t.near(exact.bounds[1], 38 / 50)
  t.near(exact.bounds[2], 41 / 50)
  t.near(exact.pass_rate, 38 / 50, nil, "what failed or has no score never passes")
  t.ok(exact.binary)
  t.equal(exact.ci, stats.wilson(38, 47))
  t.equal(summary.mean_text(exact), "0.81 over 47 of 50 (2 failed, 1 unscored)")
  t.near(record.latency_ms.p50, 2.5)
  t.near(record.latency_ms.mean, 2.5)
  t.equal(record.latency_ms.max, 4)
end)

t.test("a complete mean says only its n", function()
  local exact = summary.of_scores({ id = "exact", higher_is_better = true }, stats.vector(ones(4, 5)), {},
    { expected = 5, failed = 0, skipped = 0, pending = 0 })
  t.equal(summary.mean_text(exact), "0.80 over 5")
  t.equal(exact.bounds, { 0.8, 0.8 })
  t.equal(exact.pass_rate, nil, "without a threshold there is no pass rate")
end)

t.test("no scores give no numbers, and never NaN", function()
  local store = store_of {
    counts = { ok = 0, error = 2, timeout = 0, limited = 0, skipped = 1, passed = 0, total = 3 },
    scores = {},
  }
  local record = summary.build(store, experiment_of { total_items = 3, status = "failed" })
  local exact = record.scorers.exact
  t.equal(exact.n, 0)
  for _, name in ipairs { "mean", "stderr", "ci", "min", "max", "p50", "histogram", "bounds" } do
    t.equal(exact[name], nil, name)
  end
  t.equal(exact.pass_rate, 0)
  t.equal(summary.mean_text(exact), "no score over 0 of 3 (2 failed, 1 skipped)")
  t.equal(record.latency_ms, nil)
  t.equal(record.completed_with_errors, false)
  local shown = json.decode(json.encode(summary.for_json(record)))
  t.equal(shown.usage, json.null)
  t.equal(shown.scorers.exact.mean, json.null)
end)

t.test("one score has a mean and no interval", function()
  local one = summary.of_scores({ id = "similarity", higher_is_better = true }, stats.vector { 0.25 }, {},
    { expected = 1, failed = 0, skipped = 0, pending = 0 })
  t.equal(one.mean, 0.25)
  t.equal(one.stderr, nil)
  t.equal(one.ci, nil)
end)

t.test("scores outside [0, 1] have no bounds", function()
  local record = summary.of_scores({ id = "length", higher_is_better = false }, stats.vector { 10, 300 }, {},
    { expected = 3, failed = 1, skipped = 0, pending = 0 })
  t.equal(record.bounds, nil)
  t.equal(record.higher_is_better, false)
  t.equal(summary.mean_text(record), "155.00 over 2 of 3 (1 failed)")
end)

t.test("an interrupted run counts what is pending", function()
  local store = store_of {
    counts = { ok = 10, error = 0, timeout = 0, limited = 0, skipped = 0, passed = 10, total = 10 },
    scores = { exact = { values = ones(10, 10), counts = { passed = 10, not_passed = 0 } } },
  }
  local record = summary.build(store, experiment_of { status = "interrupted" })
  t.equal(record.pending_count, 40)
  t.equal(record.scorers.exact.pass_rate, 1)
  t.equal(record.scorers.exact.bounds, { 0.2, 1 })
  t.equal(summary.mean_text(record.scorers.exact), "1.00 over 10 of 50 (40 pending)")
end)

t.test("a scorer of few items is not blamed for the others", function()
  local store = store_of {
    counts = { ok = 50, passed = 50 },
    scores = { exact = { values = ones(5, 5), counts = { passed = 5 } } },
  }
  local exact = summary.build(store, experiment_of()).scorers.exact
  t.equal(exact.n_without, 45)
  t.equal(exact.pass_rate, 1)
  t.equal(exact.bounds, { 1, 1 })
  t.equal(summary.mean_text(exact), "1.00 over 5 of 50 (45 without it)")
end)

t.test("scorers of categories and steps have keys of their own, labels are counted", function()
  local store = store_of {
    counts = { ok = 2, passed = 2 },
    scores = {
      tone = { values = {}, counts = { unscored = 0, labels = { polite = 1, rude = 1 } } },
      ["fetch/exact"] = { values = { 1, 1 } },
    },
  }
  local record = summary.build(store, experiment_of {
    total_items = 2,
    scorers = json.encode { agent = { { id = "tone" } }, steps = { fetch = { { id = "exact" } } } },
  })
  t.equal(record.scorers.tone.labels, { polite = 1, rude = 1 })
  t.equal(record.scorers["fetch/exact"].mean, 1)
  t.equal(record.scorers["fetch/exact"].step_id, "fetch")
end)

t.test("scorers that only the rows know are summed up too", function()
  local store = store_of { counts = { ok = 4, passed = 2 }, keys = { { scorer_id = "expect", step_id = "",
    scorer_name = "Expectations" } }, scores = { expect = { values = { 0, 1 }, counts = { passed = 1 } } } }
  local record = summary.build(store, experiment_of { total_items = 4 })
  t.equal({ record.scorers.expect.n, record.scorers.expect.name }, { 2, "Expectations" })
  t.equal(record.scorers.exact.n, 0)
end)

t.test("numbers keep the digits that say something", function()
  local function text(value) return summary.number_text(value) end
  t.equal({ text(0), text(1), text(0.8235), text(0.05), text(0.00012), text(12.345), text(12345.6), text(-0.5) },
    { "0.00", "1.00", "0.82", "0.050", "0.00012", "12.35", "12346", "-0.50" })
end)

t.test("a failing store is not an empty summary", function()
  local store = store_of { counts = {}, scores = {} }
  store.status_counts = function() return nil, "the store is locked", "busy" end
  t.raises(function() summary.build(store, experiment_of()) end, "the store is locked")
end)
