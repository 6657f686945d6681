#!/usr/bin/env bats
# Metrics over all results: in summaries, rules, comparisons and baselines; clusters and slices in rules; planning, noise.
load helper

# triage [BROKEN] [RULES] [MORE]: 60 tickets of three teams; every seventh goes wrong, and BROKEN of each ten.
triage() {
  suite triage.eval.lua <<LUA
local teams, items = { "billing", "bug", "other" }, {}
for i = 1, 60 do
  items[i] = { id = ("t%02d"):format(i), input = i, ground_truth = teams[i % 3 + 1],
    metadata = { lang = i % 2 == 0 and "de" or "en", doc = "d" .. i // 4 } }
end
eval.dataset { name = "tickets", items = items }
eval.experiment {
  name = "triage", dataset = "tickets", scorers = { eval.scorers.exact },
  target = function(input, item)
    if (input * 7) % 10 < ${1:-0} then return teams[(input + 1) % 3 + 1] end
    return input % 7 == 0 and "other" or item.ground_truth
  end,
  metrics = {
    macro_f1 = eval.metrics.f1 { average = "macro" }, kappa = eval.metrics.kappa,
    mine = function(results)
      local count = 0
      for _, result in ipairs(results) do if result.output == "other" then count = count + 1 end end
      return count / #results
    end,
  },
  rules = { ${2:-} }, ${3:-}
}
LUA
}

@test "metrics stand in the summary with interval and n, and in every report" {
  triage
  evalua run triage.eval.lua --format json
  expect 0
  # by hand: of 8 wrong ones 5 are not "other" by truth
  equal "$(json '[round(d["experiments"][0]["metrics"][k]["value"], 4) for k in ("macro_f1", "kappa", "mine")]')" \
    "$(python3 -c '
truth = [["billing", "bug", "other"][i % 3] for i in range(1, 61)]
said = ["other" if i % 7 == 0 else truth[i - 1] for i in range(1, 61)]
labels = sorted(set(truth))
def f1(l):
    both = sum(t == s == l for t, s in zip(truth, said))
    return 2 * both / (truth.count(l) + said.count(l))
observed = sum(t == s for t, s in zip(truth, said)) / 60
chance = sum(truth.count(l) * said.count(l) for l in labels) / 3600
print([round(sum(map(f1, labels)) / 3, 4), round((observed - chance) / (1 - chance), 4), round(said.count("other") / 60, 4)])')"
  equal "$(json 'd["experiments"][0]["metrics"]["macro_f1"]["n"]')" 60
  equal "$(json '(lambda m: m["ci"][0] < m["value"] < m["ci"][1])(d["experiments"][0]["metrics"]["macro_f1"])')" true
  equal "$(json 'd["experiments"][0]["metrics"]["mine"]["ci"]')" null
  evalua show latest
  prints "macro_f1: 0.92 over 60" "mine: 0.42 over 60"
  for format in markdown html; do
    evalua show latest --format $format
    expect 0
    prints macro
  done
}

@test "rules take metrics like scorers: thresholds, regressions, slices; unknown names are exit 2" {
  local rules='eval.rules.at_least("macro_f1", 0.8), eval.rules.no_regression("macro_f1"), eval.rules.at_most("mine", 0.5),
    eval.rules.no_regression("kappa", { each = "metadata.lang" }), eval.rules.at_least("kappa", 0.2, { each = "metadata.lang" })'
  triage 0 "$rules"
  evalua run triage.eval.lua
  expect 4
  evalua accept
  evalua run triage.eval.lua
  expect 0
  prints "macro_f1 is 0.92" "macro_f1 changed by +0"
  triage 4 "$rules"
  evalua run triage.eval.lua --format json
  expect 1
  equal "$(json '[r["status"] for r in d["experiments"][0]["rules"]]')" '["fail", "fail", "pass", "fail", "pass"]'
  equal "$(json 'd["experiments"][0]["comparison"]["metrics"]["macro_f1"]["verdict"]')" regressed
  rm triage.baseline.json # the run accepted in the store says the same
  evalua run triage.eval.lua
  expect 1
  triage 0 'eval.rules.at_least("makro_f1", 0.8)'
  evalua run triage.eval.lua
  expect 2
  says 'did you mean "macro_f1"?'
  triage 0 'eval.rules.no_regression("mine")'
  evalua run triage.eval.lua
  expect 4
  prints "mine: its two values cannot be tested, because it is a function of the suite"
}

@test "functions of rules see the results as values; unknown fields are script errors" {
  triage 0 'eval.rules.all_items(function(result) return result.output == "bug" or result.score.exact <= 1 and result.metadata.lang ~= nil end)'
  evalua run triage.eval.lua
  expect 0
  prints "all 60 results satisfy it"
  triage 0 'eval.rules.all_items(function(result) return result.otput == "bug" end)'
  evalua run triage.eval.lua
  expect 3
  prints 'did you mean "output"?'
}

@test "a metric without a value, or whose function fails, is never a pass" {
  triage 0 'eval.rules.at_least("calibration", 0)' 'x = nil'
  sed -i 's/metrics = {/metrics = { calibration = eval.metrics.calibration_error { prediction = "output.confidence" },/' triage.eval.lua
  evalua run triage.eval.lua
  expect 4
  prints "no_data" "calibration has no value"
  sed -i 's/mine = function(results)/mine = function(results) error("broken metric")/' triage.eval.lua
  evalua run triage.eval.lua
  expect 3
  prints "metric mine failed" "broken metric"
  triage 0 "" 'metrics_ = 1'
  evalua run triage.eval.lua
  expect 2
}

@test "metrics are compared over the rows that both runs have" {
  triage 0
  evalua run triage.eval.lua
  triage 3
  evalua run triage.eval.lua
  evalua compare 1 2 --format json
  expect 0
  equal "$(json '[d["metrics"]["macro_f1"][k] for k in ("n", "test", "verdict", "improved", "regressed")]')" \
    '[60, "bootstrap", "regressed", 0, 18]'
  equal "$(json '[d["metrics"]["mine"][k] for k in ("verdict", "p_value", "delta")]')" '["incomparable", null, 0.0]'
  evalua compare 1 2 --scorer macro_f1 --fail-on regressed
  expect 1
  evalua compare 1 2 --by metadata.lang --format json
  equal "$(json 'sorted(d["slices"]["metadata.lang"]["de"]["metrics"])')" '["kappa", "macro_f1", "mine"]'
  equal "$(json 'd["slices"]["metadata.lang"]["de"]["metrics"]["mine"]["n"]')" 0
}

@test "rules over clusters, and budgets, latency and new failures of slices" {
  local rules='eval.rules.no_regression("exact", { cluster = "metadata.doc" }), eval.rules.success_rate(1, { each = "metadata.lang" }),
    eval.rules.max_latency("1s", { slice = "metadata.lang=de" }), eval.rules.no_new_failures { slice = "metadata.lang=de" },
    eval.rules.max_cost(1, { slice = "metadata.lang=de" })'
  triage 0 "$rules"
  evalua run triage.eval.lua
  evalua accept
  triage 3 "$rules"
  evalua run triage.eval.lua --format json
  expect 4
  equal "$(json '[r["status"] for r in d["experiments"][0]["rules"]]')" '["fail", "pass", "pass", "fail", "no_data"]'
  equal "$(json 'd["experiments"][0]["comparison"]["scorers"]["exact"]["clusters"]')" 16
  triage 3 'eval.rules.no_regression("exact", { cluster = "metadata.dok" })'
  evalua run triage.eval.lua
  expect 4
  prints 'no_data' 'no item has the field "metadata.dok"'
  triage 3 'eval.rules.no_regression("exact", { cluster = "metadata.doc" }), eval.rules.improved("exact", { cluster = "metadata.lang" })'
  evalua run triage.eval.lua
  expect 2
  says "another rule by"
  triage 0 "" 'cluster = "metadata.dok",'
  evalua run triage.eval.lua
  expect 4
  prints 'cluster: no item has the field "metadata.dok"'
}

@test "plan: what this dataset can detect, from its spread or from the last comparison" {
  triage 0
  evalua plan
  expect 2
  evalua run triage.eval.lua
  evalua plan --detect 0.03 --format json
  expect 0
  # two runs of share p that correlate by 0.5 differ by p(1-p) n/(n-1); (z + z)^2 variance / difference^2
  equal "$(json '[d["scorers"]["exact"][k] for k in ("n", "source", "within_variance")]')" '[60, "assumed", null]'
  equal "$(json '[round(d["scorers"]["exact"]["mde"], 6), d["scorers"]["exact"]["needed"][0]["items"]]')" "$(python3 -c '
import math
p = 52 / 60 + 3 / 60
variance = p * (1 - p) * 60 / 59
z = 1.959963984540054 + 0.8416212335729143
print([round(z * math.sqrt(variance / 60), 6), math.ceil(z * z * variance / 0.03 ** 2)])')"
  triage 3
  evalua run triage.eval.lua
  evalua plan --detect 0.03 --scorer exact --format json
  equal "$(json '[d["scorers"]["exact"][k] for k in ("source", "compared_with")]')" '["comparison", 1]'
  evalua compare 1 2 --format json
  local mde
  mde=$(json 'round(d["scorers"]["exact"]["mde"], 9)')
  evalua plan 2 --format json
  equal "$(json 'round(d["scorers"]["exact"]["mde"], 9)')" "$mde"
  evalua plan 2
  prints "paired with #1" "times as many" "trials: not known how much a target differs from itself"
  for wrong in "--detect 0" "--power 1" "--alpha 0" "--scorer exat"; do
    evalua plan 2 $wrong
    expect 2
  done
}

# noisy [MORE]: a target that is right 7 times in 10 by chance, and a scorer that is not sure of itself.
noisy() {
  suite noisy.eval.lua <<LUA
local items = {}
for i = 1, 200 do items[i] = { id = "i" .. i, input = i, ground_truth = i } end
eval.dataset { name = "noisy", items = items }
eval.experiment {
  name = "noisy", dataset = "noisy", rules = { eval.rules.at_least("exact", 1) },
  target = function(input) return math.random() < 0.7 and input or 0 end,
  scorers = { eval.scorers.exact, eval.scorer { id = "judge", score = function() return math.random() end },
    eval.scorer { id = "sure", score = function() return 1 end } }, ${1:-}
}
LUA
}

@test "--noise: the same target against itself, target noise and scorer noise apart; it gates and is compared with nothing" {
  noisy
  evalua run noisy.eval.lua --noise
  expect 0
  prints "noisy (noise): 2 runs of 200 items" "noise floor" "sure: every run gave the same scores"
  evalua run noisy.eval.lua --noise=4 --format json
  expect 0
  equal "$(json 'len(d["experiments"])')" 4
  equal "$(json '[(s["n"], s["runs"]) for s in d["noise"][0]["scorers"].values()]')" "[[200, 4], [200, 4], [200, 4]]"
  # right by chance: 0.7 * 0.3 = 0.21 within an item, all of it the target's; a uniform score: 1/12, all the scorer's
  equal "$(json '(lambda s: [0.18 < s["target_variance"] < 0.24, s["scorer_variance"]])(d["noise"][0]["scorers"]["exact"])')" \
    "[true, 0]"
  equal "$(json '(lambda s: [0.07 < s["variance"] < 0.096, s["scorer_variance"] > 0.07])(d["noise"][0]["scorers"]["judge"])')" \
    "[true, true]"
  equal "$(json '[d["noise"][0]["scorers"]["sure"][k] for k in ("floor", "differing")]')" "[0.0, 0]"
  equal "$(json '(lambda s: abs(s["floor"] - 1.959963985 * (2 * s["variance"] / 200) ** 0.5) < 1e-9)(d["noise"][0]["scorers"]["exact"])')" true
  evalua run noisy.eval.lua --format json
  expect 1
  equal "$(json '"previous" in d["experiments"][0] or "baseline" in d["experiments"][0]')" false
  evalua plan --detect 0.05 --format json
  equal "$(json '[d["scorers"]["exact"]["within_source"], d["scorers"]["exact"]["needed"][0]["trials"] > 5]')" '["noise", true]'
  evalua accept 'noisy (noise)'
  expect 2
  says "nobody's baseline"
  evalua run noisy.eval.lua --noise=1
  expect 2
  evalua run noisy.eval.lua --noise --baseline 1
  expect 2
  says "exclude each other"
}

@test "plan: trials tell noise from difficulty" {
  noisy 'trials = 4,'
  evalua run noisy.eval.lua
  evalua plan --detect 0.05 --scorer exact --format json
  expect 0
  equal "$(json '(lambda s: [s["within_source"], 0.18 < s["within_variance"] < 0.24, s["needed"][0]["trials"] > 4])(d["scorers"]["exact"])')" \
    '["trials", true, true]'
  evalua plan --scorer exact
  prints "4 trials each" "noise from 4 trials" "or trials of the 200 items"
}
