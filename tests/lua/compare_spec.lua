-- Comparisons: pairing, verdicts, and everything that is missing, changed or one-sided said aloud.

local compare = require "evalua.compare"
local json = require "evalua.json"
local stats = require "evalua.native.stats"
local t = require "harness"

-- A store of runs given as { id = { scores = { scorer = { item = score } }, statuses = { item = "error" } } }.
local function store_of(runs, extra)
  local store = {}
  local function item_ids(run)
    local ids = {}
    for id in pairs(run.items) do ids[#ids + 1] = id end
    table.sort(ids)
    return ids
  end
  function store.status_counts(_, id)
    local counts = { ok = 0, error = 0, timeout = 0, limited = 0, skipped = 0, passed = 0, total = 0 }
    for _, item in pairs(runs[id].items) do
      counts[item.status or "ok"] = counts[item.status or "ok"] + 1
      counts.total = counts.total + 1
      if item.passed then counts.passed = counts.passed + 1 end
    end
    return counts
  end
  function store.latencies(_, id)
    local values = {}
    for _, item in pairs(runs[id].items) do values[#values + 1] = item.latency_ms end
    return stats.vector(values)
  end
  function store.paired_items(_, a, b)
    local result = { paired = 0, only_baseline = {}, only_candidate = {}, changed = {} }
    for _, id in ipairs(item_ids(runs[a])) do
      if runs[b].items[id] then
        result.paired = result.paired + 1
        if runs[a].items[id].input ~= runs[b].items[id].input then result.changed[#result.changed + 1] = id end
      else
        result.only_baseline[#result.only_baseline + 1] = id
      end
    end
    for _, id in ipairs(item_ids(runs[b])) do
      if not runs[a].items[id] then result.only_candidate[#result.only_candidate + 1] = id end
    end
    return result
  end
  local function each_pair(a, b, scorer)
    local list = {}
    for _, id in ipairs(item_ids(runs[a])) do
      local before, after = runs[a].items[id], runs[b].items[id]
      if after and before.input == after.input and before[scorer] and after[scorer] then
        list[#list + 1] = { item_id = id, baseline = before[scorer], candidate = after[scorer] }
      end
    end
    return list
  end
  function store.paired_scores(_, a, b, scorer)
    local before, after, ids = {}, {}, {}
    for position, pair in ipairs(each_pair(a, b, scorer)) do
      before[position], after[position], ids[position] = pair.baseline, pair.candidate, pair.item_id
    end
    return stats.vector(before), stats.vector(after), ids
  end
  function store.results(_, id, options)
    local rows = {}
    for position, item_id in ipairs(item_ids(runs[id])) do
      local item = runs[id].items[item_id]
      local failed = (item.status or "ok") ~= "ok" or item.passed == false
      if position > options.after and #rows < options.limit and (failed or not options.failed) then
        rows[#rows + 1] = { position = position, item_id = item_id, status = item.status or "ok",
          passed = item.passed, metadata = item.metadata and json.encode(item.metadata) }
      end
    end
    return rows
  end
  function store.score_keys() return {} end
  function store.diff() return { added = { "n1" }, removed = { "o1", "o2" }, changed = {} } end
  for name, method in pairs(extra or {}) do store[name] = method end
  return store
end

local function experiment(id, fields)
  local record = { id = id, number = tonumber(id:match "%d+"), name = "qa", status = "completed", dataset_id = "d",
    dataset_name = "tickets", dataset_version = 1, scorers = json.encode { { id = "exact" } } }
  for key, value in pairs(fields or {}) do record[key] = value end
  return record
end

-- Two runs over n items with `up` improved and `down` regressed ones.
local function runs_of(n, up, down)
  local a, b = { items = {} }, { items = {} }
  for position = 1, n do
    local id = ("i%04d"):format(position)
    local before = position > up and position <= up + down and 1 or 0
    local after = position <= up and 1 or 0
    a.items[id] = { exact = before, passed = before == 1, latency_ms = 10 }
    b.items[id] = { exact = after, passed = after == 1, latency_ms = 20 }
  end
  return { e1 = a, e2 = b }
end

local function compared(runs, options, fields_a, fields_b)
  return compare.pair(store_of(runs), experiment("e1", fields_a), experiment("e2", fields_b), options)
end

t.test("28 improved and 4 regressed of 100 is an improvement", function()
  local c = compared(runs_of(100, 28, 4))
  local exact = c.scorers.exact
  t.equal({ exact.n, exact.improved, exact.regressed, exact.same, exact.test }, { 100, 28, 4, 68, "mcnemar" })
  t.near(exact.p_value, 1.9301195e-05, 1e-11)
  t.equal(exact.verdict, "improved")
  t.equal(c.verdict, "improved")
  t.equal(#c.regressions, 4)
  t.equal(#c.improvements, 28)
  t.equal(c.regressions[1], { item_id = "i0029", scorer_id = "exact", baseline = 1, candidate = 0 })
  t.equal(c.new_failure_count, 4)
  t.equal(c.new_failures[1], { item_id = "i0029", status = "not passed" })
  t.equal(c.warnings, {})
  t.equal(c.items.paired, 100)
  t.equal(c.latency_ms.delta.p50, 10)
  t.equal(c.success_rate, { baseline = 1, candidate = 1, delta = 0 })
end)

t.test("13 against 13 is not a regression, and neither is 20 against 9 of 250", function()
  local c = compared(runs_of(100, 13, 13))
  t.equal({ c.scorers.exact.p_value, c.verdict }, { 1, "inconclusive" })
  c = compared(runs_of(250, 9, 20))
  t.near(c.scorers.exact.p_value, .0614283457, 1e-9)
  t.ok(c.scorers.exact.ci[2] < 0, "its t interval excludes 0")
  t.equal(c.verdict, "inconclusive")
  t.equal(compared(runs_of(250, 20, 9)).verdict, "no_worse")
end)

t.test("a run compared with itself is no worse", function()
  local runs = runs_of(30, 10, 0)
  runs.e2 = runs.e1
  local c = compared(runs)
  t.equal({ c.scorers.exact.delta, c.scorers.exact.p_value, c.verdict }, { 0, 1, "no_worse" })
  t.equal({ #c.regressions, #c.improvements, #c.new_failures }, { 0, 0, 0 })
end)

t.test("one-sided items, changed items and failed targets are said", function()
  local runs = runs_of(6, 1, 1)
  runs.e2.items.i0006 = nil
  runs.e2.items.i0007 = { exact = 1, passed = true }
  runs.e1.items.i0005.input = "before"
  runs.e2.items.i0005.input = "after"
  runs.e2.items.i0002 = { status = "timeout" }
  local c = compared(runs, nil, nil, { dataset_version = 4 })
  t.equal(c.items, { paired = 5, only_baseline = { "i0006" }, only_candidate = { "i0007" }, changed = { "i0005" } })
  t.equal(c.failed, { baseline = {}, candidate = { "i0002" } })
  t.equal(c.scorers.exact.n, 3)
  t.equal(c.scorers.exact.n_one_sided, 1)
  t.equal(c.version_mismatch, { baseline = 1, candidate = 4, added = { "n1" }, removed = { "o1", "o2" },
    changed = {} })
  local text = table.concat(c.warnings, "\n")
  t.matches(text, "version 1 against version 4 (1 added, 2 removed, 0 changed)")
  t.matches(text, "1 item (i0005) changed between the versions")
  t.matches(text, "1 item (i0006) only in the baseline")
  t.matches(text, "1 item (i0007) only in the candidate")
  t.matches(text, "the target failed on 1 of 6 items of the candidate")
  t.matches(text, "1 of 4 common items have no score in both runs")
  t.equal(c.new_failures, { { item_id = "i0002", status = "timeout" } }, "a failed target is a new failure")
end)

t.test("a scorer in one run only is incomparable, and so is a comparison without pairs", function()
  local runs = runs_of(5, 1, 1)
  local c = compared(runs, nil, nil, { scorers = json.encode { { id = "exact" }, { id = "tone" } } })
  t.equal(c.scorers.tone.verdict, "incomparable")
  t.equal(c.scorers.tone.only_in, "candidate")
  t.matches(table.concat(c.warnings, "\n"), "scorer tone is only in the candidate")
  runs.e2.items = { other = { exact = 1 } }
  c = compared(runs)
  t.equal(c.verdict, "incomparable")
  t.matches(table.concat(c.warnings, "\n"), "no item in common")
  t.equal(c.scorers.exact.delta, nil)
end)

t.test("scorers that only the rows know are compared too", function()
  local runs = runs_of(40, 20, 0)
  local store = store_of(runs, { score_keys = function() return { { scorer_id = "exact", step_id = "" } } end })
  local bare = { scorers = "[]" }
  t.equal(compare.pair(store, experiment("e1", bare), experiment("e2", bare)).scorers.exact.verdict, "improved")
  local stored = { scorers = "[]", summary = json.encode { scorers = { exact = { scorer_id = "exact" } } } }
  store.score_keys = function() error "a finished run's stored summary says which scorers there are" end
  t.equal(compare.pair(store, experiment("e1", stored), experiment("e2", stored)).scorers.exact.n, 40)
end)

t.test("lower is better turns changes round", function()
  local definitions = { scorers = json.encode { { id = "exact", higher_is_better = false } } }
  local c = compared(runs_of(100, 28, 4), nil, definitions, definitions)
  t.equal(c.scorers.exact.verdict, "regressed")
  t.equal({ #c.regressions, #c.improvements }, { 28, 4 })
end)

t.test("changes are sorted by size", function()
  local runs = { e1 = { items = {} }, e2 = { items = {} } }
  for position, change in ipairs { -0.1, -0.5, 0.2, -0.3 } do
    runs.e1.items["i" .. position] = { exact = 0.5 }
    runs.e2.items["i" .. position] = { exact = 0.5 + change }
  end
  local c = compared(runs)
  local ids = {}
  for position, change in ipairs(c.regressions) do ids[position] = change.item_id end
  t.equal(ids, { "i2", "i4", "i1" })
  t.equal(c.scorers.exact.test, "permutation")
end)

t.test("several gated scorers share the error rate", function()
  local runs = runs_of(60, 12, 3)
  for _, run in pairs(runs) do
    for _, item in pairs(run.items) do item.short = item.exact end
  end
  local both = { scorers = json.encode { { id = "exact" }, { id = "short" } } }
  local plain = compared(runs, nil, both, both)
  t.near(plain.scorers.exact.p_value, 0.03515625, 1e-9)
  t.equal(plain.scorers.exact.verdict, "improved")
  local c = compared(runs, { gated = { "exact", "short" } }, both, both)
  t.near(c.scorers.exact.p_adjusted, 2 * 0.03515625, 1e-9)
  t.equal(c.scorers.exact.verdict, "no_worse")
  t.matches(table.concat(c.warnings, "\n"), "Holm%-adjusted")
  t.equal(compared(runs, { gated = { "exact" } }, both, both).scorers.exact.p_adjusted, nil)
end)

t.test("clusters make the errors honest", function()
  local runs = runs_of(12, 4, 0)
  for position = 1, 12 do
    runs.e2.items[("i%04d"):format(position)].metadata = { document = (position - 1) // 4 }
  end
  local c = compared(runs, { cluster = "metadata.document" })
  t.equal({ c.scorers.exact.test, c.scorers.exact.clusters }, { "t", 3 })
  t.raises(function() compared(runs, { cluster = "metadata.nothing" }) end, 'no item has the field "metadata.nothing"')
end)

t.test("a verdict under another alpha has another interval", function()
  local entry = compared(runs_of(100, 16, 4)).scorers.exact
  t.equal(entry.verdict, "improved")
  t.equal(compare.verdict(entry, { alpha = 0.001 }), "inconclusive")
  t.equal(compare.verdict(entry, { alpha = 0.001, margin = 0.1 }), "no_worse")
end)

t.test("unfinished runs are warned of, other datasets refused unless asked", function()
  local other = { dataset_id = "x", dataset_name = "other" }
  t.raises(function() compared(runs_of(5, 1, 0), nil, nil, other) end,
    "#1 qa is over dataset tickets and #2 qa over dataset other.*%-%-across%-datasets")
  local c = compared(runs_of(5, 1, 0), { across_datasets = true }, { status = "interrupted" }, other)
  local text = table.concat(c.warnings, "\n")
  t.matches(text, "the baseline #1 qa is interrupted")
  t.matches(text, "different datasets, tickets and other")
end)

t.test("more than two runs are each compared with the first", function()
  local runs = runs_of(5, 1, 0)
  runs.e3 = runs.e1
  local list = compare.runs(store_of(runs), { experiment "e1", experiment "e2", experiment "e3" })
  t.equal({ list[1].candidate.experiment_id, list[2].candidate.experiment_id }, { "e2", "e3" })
  t.equal(list[2].verdict, "no_worse")
  t.raises(function() compare.runs(store_of(runs), { experiment "e1" }) end, "needs two runs")
  t.raises(function() compared(runs, { scorer = "tone" }) end, 'scorer "tone" is in neither run')
end)

t.test("JSON has every field and no NaN", function()
  local c = compared(runs_of(3, 0, 0), nil, nil, { scorers = json.encode { { id = "tone" } } })
  local shown = json.decode(json.encode(compare.for_json(c)))
  t.equal(shown.version_mismatch, json.null)
  t.ok(json.is_array(shown.regressions))
  t.ok(json.is_array(shown.items.changed))
  t.equal(shown.scorers.tone.ci, json.null)
end)
