-- Metrics over all results: their values against published ones, what is missing from them, their options.

local metric_values = require "evalua.metric_values"
local metrics = require "evalua.metrics"
local native = require "evalua.native.metrics"
local result_record = require "evalua.result_record"
local t = require "harness"

local eval_metrics = metrics.builders

-- Rows as metric_rows.read makes them, of columns by accessor.
local function rows_of(columns, ids)
  local rows = { n = 0, ids = {}, trials = {}, columns = columns, repeated = false }
  for _, column in next, columns do rows.n = math.max(rows.n, #column) end
  for position = 1, rows.n do
    rows.ids[position], rows.trials[position] = ids and ids[position] or "i" .. position, 1
    rows.repeated = rows.repeated or position > 1 and rows.ids[position] == rows.ids[position - 1]
  end
  return rows
end

local function value_of(metric, prediction, truth, given)
  return metric_values.of_rows(metric, rows_of { output = prediction, ground_truth = truth }, given)
end

-- scikit-learn's own examples: precision_recall_fscore_support, cohen_kappa_score, roc_auc_score.
local ANIMALS_TRUTH = { "cat", "dog", "pig", "cat", "dog", "pig" }
local ANIMALS = { "cat", "pig", "dog", "cat", "cat", "dog" }

t.test("precision, recall and F1 average as scikit-learn does", function()
  for average, expected in next, { macro = { 2 / 9, 1 / 3, 4 / 15 }, micro = { 1 / 3, 1 / 3, 1 / 3 },
    weighted = { 2 / 9, 1 / 3, 4 / 15 }, cat = { 2 / 3, 1, 0.8 }, dog = { 0, 0, 0 } } do
    t.near(value_of(eval_metrics.precision { average = average }, ANIMALS, ANIMALS_TRUTH).value, expected[1], 1e-12)
    t.near(value_of(eval_metrics.recall { average = average }, ANIMALS, ANIMALS_TRUTH).value, expected[2], 1e-12)
    t.near(value_of(eval_metrics.f1 { average = average }, ANIMALS, ANIMALS_TRUTH).value, expected[3], 1e-12)
  end
  t.near(value_of(eval_metrics.accuracy(), ANIMALS, ANIMALS_TRUTH).value, 1 / 3, 1e-12)
  local absent = value_of(eval_metrics.f1 { average = "cow" }, ANIMALS, ANIMALS_TRUTH)
  t.equal(absent.value, nil)
  t.matches(absent.problem, 'no result has the label "cow"')
end)

t.test("kappa, also weighted, and alpha on the published data", function()
  local x, y = {}, {}
  for letter in ("CCICIICCIC"):gmatch "." do x[#x + 1] = letter end
  for letter in ("CIICICCCII"):gmatch "." do y[#y + 1] = letter end
  t.near(value_of(eval_metrics.kappa(), x, y).value, 0.4, 1e-12)
  t.near(value_of(eval_metrics.alpha(), x, y).value, 0.4242424242, 1e-9)
  -- By hand: what is observed against the mean distance of all pairs of the margins.
  local low, high = { 1, 2, 3, 2, 1 }, { 1, 3, 3, 1, 1 }
  t.near(value_of(eval_metrics.kappa { weights = "linear" }, low, high).value, 1 - (2 / 5) / 0.96, 1e-12)
  local words = eval_metrics.kappa { weights = "quadratic", labels = { "low", "middle", "high" } }
  t.near(value_of(words, { "low", "high" }, { "low", "middle" }).value, 1 - (1 / 2) / (1.5), 1e-12)
  local unordered = value_of(eval_metrics.kappa { weights = "linear" }, { "low", "high" }, { "low", "middle" })
  t.matches(unordered.problem, "state the order of the labels")
  -- Krippendorff 2011, section C: four observers, twelve units, ratings missing.
  local ratings = { { 1, 2, 3, 3, 2, 1, 4, 1, 2, false, false, false }, { 1, 2, 3, 3, 2, 2, 4, 1, 2, 5, false, 3 },
    { false, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, false }, { 1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, false } }
  local columns = {}
  for position, column in ipairs(ratings) do columns["rating.r" .. position] = column end
  for level, expected in next, { nominal = 0.743421, ordinal = 0.815388, interval = 0.849107 } do
    local metric = eval_metrics.alpha { scorers = { "r1", "r2", "r3", "r4" }, level = level }
    local found = metric_values.of_rows(metric, rows_of(columns))
    t.near(found.value, expected, 1e-6, level)
    t.equal({ found.n, found.n_missing }, { 11, 1 }, "one unit has a single rating")
  end
end)

t.test("correlations, errors, calibration and AUC", function()
  local x, y = { 1, 2, 3, 4, 5 }, { 1, 3, 2, 5, 4 }
  t.near(value_of(eval_metrics.pearson(), x, y).value, 0.8, 1e-12)
  t.near(value_of(eval_metrics.spearman(), x, y).value, 0.8, 1e-12)
  t.near(value_of(eval_metrics.kendall(), x, y).value, 0.6, 1e-12)
  t.near(value_of(eval_metrics.mae(), x, y).value, 0.8, 1e-12)
  t.near(value_of(eval_metrics.rmse(), x, y).value, math.sqrt(0.8), 1e-12)
  t.near(value_of(eval_metrics.auc(), { .1, .4, .35, .8 }, { 0, 0, 1, 1 }).value, 0.75, 1e-12)
  t.near(value_of(eval_metrics.auc { positive = "spam" }, { .1, .4, .35, .8 }, { "ham", "ham", "spam", "spam" }).value,
    0.75, 1e-12)
  -- two bins are used: mean 0.25 against 0.5 of two rows, mean 0.9 against 1 of two rows
  t.near(value_of(eval_metrics.calibration_error { bins = 2 }, { .2, .3, .9, .9 }, { 0, 1, 1, 1 }).value,
    (2 * 0.25 + 2 * 0.1) / 4, 1e-12)
  t.equal(value_of(eval_metrics.mae(), { "1.5", " 2 " }, { 1, 2 }).value, 0.25, "numbers may be written out")
  t.equal(value_of(eval_metrics.pearson(), { 1, 1, 1 }, { 1, 2, 3 }).value, nil, "without spread there is none")
  t.matches(value_of(eval_metrics.pearson(), { 1, 1, 1 }, { 1, 2, 3 }).problem, "no value")
end)

t.test("what is missing is counted, what is no number is said", function()
  local found = value_of(eval_metrics.accuracy(), { "a", false, "b", "c" }, { "a", "a", false, "b" })
  t.equal({ found.value, found.n, found.n_missing }, { 0.5, 2, 2 })
  found = value_of(eval_metrics.mae(), { 1, "abc", 3 }, { 1, 2, 3 })
  t.equal({ found.value, found.n, found.n_missing }, { 0.0, 2, 1 })
  t.matches(found.problem, 'item i2: "abc" is no number')
  found = value_of(eval_metrics.calibration_error(), { 1.5, 0.5 }, { 1, 1 })
  t.equal(found.n, 1)
  t.matches(found.problem, "no probability from 0 to 1")
  found = value_of(eval_metrics.auc(), { 0.5, 0.7 }, { "yes", 1 })
  t.matches(found.problem, "`positive`")
  found = value_of(eval_metrics.f1(), {}, {})
  t.equal({ found.n, found.value }, { 0 })
end)

t.test("intervals: Wilson for accuracy, t for mae, the seeded bootstrap for the others; none without spread", function()
  local truth, prediction = {}, {}
  for position = 1, 20 do truth[position], prediction[position] = "a", position <= 17 and "a" or "b" end
  local found = value_of(eval_metrics.accuracy(), prediction, truth)
  t.near(found.ci[1], .6395811353, 1e-9)
  t.near(found.ci[2], .9476312541, 1e-9)
  local first = value_of(eval_metrics.f1(), ANIMALS, ANIMALS_TRUTH)
  t.equal(first.ci, value_of(eval_metrics.f1(), ANIMALS, ANIMALS_TRUTH).ci, "the same seed, the same interval")
  t.ok(first.ci[1] >= 0 and first.ci[1] < first.value and first.ci[2] > first.value and first.ci[2] <= 1)
  local perfect = value_of(eval_metrics.f1(), truth, truth)
  t.equal(perfect.value, 1.0)
  t.near(perfect.ci[1], 1 / (1 + 3.841458821 / 20), 1e-6, "perfect over 20 is Wilson's 20 of 20")
  t.equal(value_of(eval_metrics.spearman(), { 1, 2, 3 }, { 1, 2, 3 }).ci, nil)
  local by_item = {}
  for position = 1, 20 do by_item["i" .. position] = "in " .. position // 5 end
  local clustered = value_of(eval_metrics.accuracy(), prediction, truth, { by_item = by_item })
  t.ok(clustered.ci[2] - clustered.ci[1] > found.ci[2] - found.ci[1], "what belongs together says less")
end)

t.test("trials of an item count as one item", function()
  local ids = { "a", "a", "b", "b", "c", "c" }
  local rows = rows_of({ output = { 1, 1, 1, 2, 2, 2 }, ground_truth = { 1, 1, 1, 1, 1, 1 } }, ids)
  local found = metric_values.of_rows(eval_metrics.accuracy(), rows)
  t.equal({ found.value, found.n }, { 0.5, 3 })
  t.ok(found.ci[2] - found.ci[1] > 0.9, "three items are few")
end)

t.test("two runs: the rows that both have, by the paired bootstrap", function()
  local before, after, truth = {}, {}, {}
  for position = 1, 60 do
    truth[position] = ({ "x", "y", "z" })[position % 3 + 1]
    before[position] = position % 4 == 0 and "x" or truth[position]
    after[position] = position % 2 == 0 and "x" or truth[position]
  end
  after[60] = false
  local function side(column) return rows_of { output = column, ground_truth = truth } end
  local function compared(metric, one, other, given)
    given = given or {}
    given.leaves_out = given.leaves_out or function() return false end
    return metric_values.compare(metric, side(one), side(other), given)
  end
  local entry = compared(eval_metrics.f1(), before, after)
  t.equal({ entry.n, entry.test, entry.verdict }, { 59, "bootstrap", "regressed" })
  t.ok(entry.ci[2] < 0 and entry.delta < 0 and entry.p_value < 0.05)
  t.equal(compared(eval_metrics.f1(), after, before).verdict, "improved")
  entry = compared(eval_metrics.f1(), before, before)
  t.equal({ entry.delta, entry.p_value, entry.verdict }, { 0.0, 1.0, "no_worse" })
  t.equal(compared(eval_metrics.accuracy(), before, after).test, "mcnemar")
  t.equal(compared(eval_metrics.kappa(), before, after).regressed, nil, "kappa is of no single row")
  t.equal(compared(eval_metrics.f1(), before, after, { leaves_out = function(id) return id ~= "i4" end }).n, 1)
  t.equal(compared(eval_metrics.f1(), before, after, { leaves_out = function() return true end }).verdict,
    "incomparable")
  local flat = metric_values.compare(eval_metrics.pearson(), rows_of { output = { 1, 1 }, ground_truth = { 1, 2 } },
    rows_of { output = { 1, 2 }, ground_truth = { 1, 2 } }, { leaves_out = function() return false end })
  t.equal({ flat.verdict, flat.delta, flat.ci }, { "incomparable" }, "one side has no value")
  local errors = compared(eval_metrics.mae(), { 1, 2 }, { 3, 4 })
  t.equal(errors.verdict, "incomparable", "labels are no numbers")
end)

t.test("lower is better for errors", function()
  for kind, expected in next, { mae = false, rmse = false, calibration_error = false, f1 = true, kendall = true } do
    t.equal(native.higher_is_better(kind), expected, kind)
    t.equal(eval_metrics[kind]().higher_is_better, expected, kind)
  end
end)

t.test("wrong options are errors at their line", function()
  local function wrong(build, pattern) t.matches(tostring(t.raises(build, pattern)), "metrics_spec.lua:%d+: ") end
  wrong(function() eval_metrics.f1 { avrage = "macro" } end, 'did you mean "average"')
  wrong(function() eval_metrics.kappa { weights = "cubic" } end, "weights")
  wrong(function() eval_metrics.accuracy { prediction = "outpt.team" } end, 'did you mean "output"')
  wrong(function() eval_metrics.accuracy { prediction = "score" } end, "must name the scorer")
  wrong(function() eval_metrics.kappa { scorers = { "a" } } end, "two scorers, not 1")
  wrong(function() eval_metrics.kappa { scorers = { "a", "b" }, truth = "output" } end, "in place of")
  wrong(function() return eval_metrics.f2 end, "unknown name eval.metrics.f2")
  t.raises(function() metrics.resolve({ mine = 42 }, "suite:1") end, "one of eval.metrics or a function")
  t.equal(metrics.resolve({ f = eval_metrics.f1 }, "suite:1")[1].metric.kind, "f1", "uncalled ones are meant, too")
end)

t.test("a definition is stored and found again", function()
  local list = metrics.resolve({ team = eval_metrics.f1 { prediction = "output.team", average = "bug" },
    own = function() return 1 end, by = eval_metrics.kappa { truth = function(result) return result.input end },
  }, "s:1")
  local columns = { "output.team", "ground_truth" }
  t.equal(metrics.definition(list[3]), { id = "team", kind = "f1", columns = columns, options = { average = "bug" } })
  local again = metrics.of_definition(metrics.definition(list[3]))
  t.equal({ again.kind, again.columns, again.options }, { "f1", columns, { average = "bug" } })
  t.equal(metrics.of_definition(metrics.definition(list[1])), nil, "a column by a function cannot be read again")
  t.equal(metrics.of_definition(metrics.definition(list[2])), nil)
  t.ok(metrics.definition(list[2]).digest)
end)

t.test("functions over all results read them a page at a time", function()
  local store, reads = {}, 0
  function store.results(_, _, query)
    reads = reads + 1
    local rows = {}
    for position = query.after + 1, math.min(query.after + query.limit, 1203) do
      rows[#rows + 1] = { position = position, item_id = "i" .. position, trial = 1, status = "ok",
        output = ('{"n":%d}'):format(position), scores = { { scorer_id = "s", score = position % 2 } } }
    end
    return rows
  end
  local results = result_record.list(store, "e")
  t.equal({ #results, reads }, { 1203, 3 })
  local sum, odd = 0, 0
  for _, result in ipairs(results) do sum, odd = sum + result.output.n, odd + result.score.s end
  t.equal({ sum, odd, reads }, { 1203 * 1204 // 2, 602, 6 })
  t.equal(results[1203].item_id, "i1203")
  t.equal(results[1204], nil)
  t.raises(function() return results[1].outptu end, 'did you mean "output"')
  local function given(compute) return metric_values.of_function("mine", { compute = compute }, results) end
  t.equal(given(function(list) return #list end).value, 1203)
  t.equal(given(function() return { value = 0.5, ci = { 0.4, 0.6 }, n = 7 } end).ci, { 0.4, 0.6 })
  t.equal(given(function() return 0 / 0 end).value, nil, "NaN is no value")
  t.matches(given(function() end).problem, "gave no value")
  t.raises(function() given(function() return "high" end) end, "must return a number")
end)
