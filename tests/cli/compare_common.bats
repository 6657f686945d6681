#!/usr/bin/env bats
# Comparing runs that do not have everything in common: item order, usage and latency of the common items, labels
# without scores, too few pairs, baseline files of runs with trials, and sums that only rounding parts from a bound.
load helper

# A run over the items IDS of dataset `part`: what it costs and answers is in the item.
over() { # over IDS CHANGED
  suite part.eval.lua <<LUA
local items = {}
for id in ("$1"):gmatch "%S+" do
  items[#items + 1] = { id = id, input = id .. ((" $2 "):find(" " .. id .. " ", 1, true) and "!" or ""),
    ground_truth = id }
end
eval.dataset { name = "part", items = items }
eval.experiment {
  name = "part", dataset = "part", scorers = { eval.scorer { id = "one", score = function() return 1 end } },
  target = function(input)
    return input, { usage = { input_tokens = 10, output_tokens = 1, cost = 0.01 } }
  end,
}
LUA
  evalua run part.eval.lua
  expect 0
}

@test "where the versions differ, lists come in item order and not by id" {
  over "z m a y b x c q"
  over "z m a y b x zz aa k" "y m a"
  evalua compare 1 2 --format json
  expect 0
  equal "$(json '[d["items"][k] for k in ("changed", "only_baseline", "only_candidate")]')" \
    '[["m", "a", "y"], ["c", "q"], ["zz", "aa", "k"]]'
  equal "$(json '[d["version_mismatch"][k] for k in ("changed", "removed", "added")]')" \
    '[["m", "a", "y"], ["c", "q"], ["zz", "aa", "k"]]'
  evalua accept 1
  evalua compare part.baseline.json 2 --format json
  equal "$(json '[d["items"][k] for k in ("changed", "only_baseline", "only_candidate")]')" \
    '[["m", "a", "y"], ["c", "q"], ["zz", "aa", "k"]]'
}

@test "usage, latency and success rate are of the items that both runs have alike" {
  over "a b c d e f g h i j"
  evalua run part.eval.lua --limit 4
  expect 0
  evalua compare 1 2 --format json
  expect 0
  equal "$(json '[d["usage"][k]["input_tokens"] for k in ("baseline", "candidate", "delta")]')" "[40, 40, 0]"
  equal "$(json '[d["usage"]["delta"]["cost"], d["success_rate"]["delta"], d["items"]["paired"]]')" "[0.0, 0.0, 4]"
  evalua compare 1 2
  prints "usage of the 4 common items: input tokens 40, was 40" "latency of the 4 common items"
  evalua compare 1 1
  prints "usage: input tokens 100, was 100"
  evalua accept 1
  evalua compare part.baseline.json 2
  expect 0
  prints "usage of the whole runs: input tokens 40, was 100"
  evalua compare part.baseline.json 2 --format json
  equal "$(json '[d["whole_runs"], d["success_rate"]["baseline"]]')" "[true, 1.0]"
}

# A scorer of labels only: the first letter of what a run answers.
labelled() { # labelled ANSWERS [EXTRA]
  suite labels.eval.lua <<LUA
local answers, items = { $1 }, {}
for number = 1, #answers do items[number] = { id = "t" .. number, input = number } end
eval.dataset { name = "labels", items = items }
eval.experiment {
  name = "labels", dataset = "labels", target = function(input) return answers[input] end,
  scorers = { eval.scorer { id = "team", score = function(run) return { label = run.output } end } }, ${2:-}
}
LUA
  evalua run labels.eval.lua
}

@test "a scorer of labels says which labels changed, and has no verdict" {
  labelled '"bug", "bug", "billing", "other", "bug", "bug"'
  expect 0
  labelled '"bug", "other", "billing", "other", "other", "bug"'
  expect 0
  prints "4 of 6 labels alike" "bug to other: 2 items (t2, t5)"
  evalua compare 1 2 --format json
  expect 0
  equal "$(json '[d["scorers"]["team"][k] for k in ("n", "verdict", "p_value")]')" '[0, "incomparable", null]'
  equal "$(json '[d["scorers"]["team"]["labels"][k] for k in ("n", "same", "changed", "baseline", "candidate")]')" \
    '[6, 4, 2, {"billing": 1, "bug": 4, "other": 1}, {"billing": 1, "bug": 2, "other": 3}]'
  equal "$(json 'd["scorers"]["team"]["labels"]["changes"]')" \
    '[{"baseline": "bug", "candidate": "other", "item_id": "t2"}, {"baseline": "bug", "candidate": "other", "item_id": "t5"}]'
  # By hand: 4/6 observed, (4*2 + 1*1 + 1*3) / 36 by chance.
  equal "$(json 'round(d["scorers"]["team"]["labels"]["kappa"], 12) == round(1 - (2 / 6) / (24 / 36), 12)')" true
  for format in pretty markdown html; do
    evalua compare 1 2 --format $format
    expect 0
    prints "4 of 6 labels alike" "bug to other"
  done
  evalua accept 1
  evalua compare labels.baseline.json 2 --format json
  equal "$(json '[d["scorers"]["team"]["labels"][k] for k in ("same", "changed")]')" '[4, 2]'
  labelled '"bug", "bug", "bug", "bug", "bug", "bug"' 'rules = { eval.rules.no_regression "team" }'
  expect 4
  prints "scorer team gives labels, which are neither better nor worse" "gate a metric of them"
}

@test "counting reducers leave labels alone" {
  labelled '"bug", "other"' 'trials = { count = 3, reducer = eval.reducers.at_least(2) }'
  expect 0
  prints "bug 1, other 1 over 2 of 2"
  evalua show 1 --format json
  equal "$(json 'd["scorers"]["team"]["mean"]')" null
}

@test "with too few pairs to find anything, that is said, and no difference that would be found" {
  suite few.eval.lua <<'LUA'
local now = eval.param { name = "now", default = "0" }
eval.dataset { name = "few", items = { { id = "a", input = 1 }, { id = "b", input = 2 }, { id = "c", input = 3 } } }
eval.experiment { name = "few", dataset = "few", target = function(input) return input end,
  scorers = { eval.scorer { id = "mark", score = function(run) return 0.5 + tonumber(now) * run.input end } },
  rules = { eval.rule("any", function() return true end) } }
LUA
  evalua run few.eval.lua
  evalua run few.eval.lua -p now=-0.1
  expect 0
  prints "so few cannot show any difference: that takes 6"
  evalua compare 1 2
  prints "mark: with n = 3 no difference would be seen, however large: that takes 6 pairs"
  evalua compare 1 2 --confidence 0.7
  [[ $output != *"no difference would be seen"* ]]
}

@test "metrics of a run with trials are the same against the run and against its file" {
  suite trials.eval.lua <<'LUA'
local seed = eval.param { name = "seed", default = 1 }
local items = {}
for number = 1, 20 do items[number] = { id = "t" .. number, input = number, ground_truth = number % 3 } end
eval.dataset { name = "trials", items = items }
eval.experiment { name = "trials", dataset = "trials", seed = math.tointeger(tonumber(seed)), trials = 3, tolerance = 100,
  target = function(_, item)
    if math.random() < 0.1 then eval.fail("no answer", { permanent = true }) end
    return math.random() < 0.6 and item.ground_truth or 0
  end,
  scorers = { eval.scorers.exact, eval.scorer { id = "sure", score = function() return math.random() end },
    eval.scorer { id = "team", score = function(run) return { label = tostring(run.output) } end } },
  metrics = { f1 = eval.metrics.f1(), auc = eval.metrics.auc { prediction = "score.sure", truth = "score.exact" },
    kappa = eval.metrics.kappa { prediction = "label.team" } } }
LUA
  evalua run trials.eval.lua -p seed=1
  evalua accept 1 -o kept.json
  evalua run trials.eval.lua -p seed=2
  local fields='[d[k] for k in ("items", "scorers", "metrics", "success_rate", "new_failures", "regressions")]'
  evalua compare 1 2 --format json
  expect 0
  local of_runs; of_runs=$(json "$fields")
  equal "$(json 'd["metrics"]["f1"]["delta"] != 0 and d["metrics"]["auc"]["n"] > 15')" true
  evalua compare kept.json 2 --format json
  expect 0
  equal "$(json "$fields")" "$of_runs"
}

@test "what only rounding parts from its bound holds" {
  suite bound.eval.lua <<'LUA'
local items = {}
for number = 1, 40 do items[number] = { id = "t" .. number, input = number } end
eval.dataset { name = "bound", items = items }
eval.experiment { name = "bound", dataset = "bound",
  target = function(input) return input, { usage = { cost = 0.01 } } end,
  scorers = { eval.scorer { id = "third", score = function(run)
    return run.item_id == "t40" and 0.2 or ({ 0.1, 0.2, 0.3 })[run.input % 3 + 1]
  end } },
  rules = { eval.rules.max_cost(0.4), eval.rules.max_cost(0.01, { per = "item" }), eval.rules.at_least("third", 0.2),
    eval.rules.at_most("third", 0.2) } }
LUA
  evalua run bound.eval.lua --format json
  expect 0
  equal "$(json '[rule["status"] for rule in d["experiments"][0]["rules"]]')" '["pass", "pass", "pass", "pass"]'
  equal "$(json 'd["experiments"][0]["usage"]["cost"]')" 0.4
  sed -i 's/max_cost(0.4)/max_cost(0.3999)/; s/at_least("third", 0.2)/at_least("third", 0.2001)/' bound.eval.lua
  evalua run bound.eval.lua
  expect 1
  prints "the cost per run is 0.4, at most 0.3999 is allowed" "third is 0.20 over 40, must be at least 0.2001"
  sed -i 's/and 0.2 or/and 0.1999 or/; s/max_cost(0.3999)/max_cost(0.4)/; s/at_least("third", 0.2001)/at_least("third", 0.2)/' bound.eval.lua
  evalua run bound.eval.lua
  expect 1
  prints "third is 0.20 over 40, exactly 0.1999975, must be at least 0.2"
}

@test "a tolerance of 0.29 lets 29 of 100 fail, and no more" {
  suite share.eval.lua <<'LUA'
local most = eval.param { name = "most", default = "29" }
local items = {}
for number = 1, 100 do items[number] = { id = "t" .. number, input = number } end
eval.dataset { name = "share", items = items }
eval.experiment { name = "share", dataset = "share", tolerance = 0.29,
  target = function(input) if input <= tonumber(most) then error "no answer" end return 1 end,
  scorers = { eval.scorer { id = "one", score = function() return 1 end } } }
LUA
  evalua run share.eval.lua
  expect 0
  evalua run share.eval.lua -p most=30
  expect 4
  prints "30 of 100 items failed, 29 are tolerated"
}

@test "compare --limit holds for JSON too" {
  over "a b c"
  sed -i 's/score = function() return 1 end/score = function() return 0 end/' part.eval.lua
  evalua run part.eval.lua
  evalua compare 1 2 --format json --limit 2
  expect 0
  equal "$(json '[len(d["regressions"]), d["scorers"]["one"]["regressed"]]')" "[2, 3]"
}

@test "usage beyond all numbers breaks neither a run nor a comparison, and what nobody reports is not 0" {
  suite huge.eval.lua <<'LUA'
local items = {}
for number = 1, 4 do items[number] = { id = "t" .. number, input = number, metadata = { half = number % 2 } } end
eval.dataset { name = "huge", items = items }
eval.experiment { name = "huge", dataset = "huge", slices = { "metadata.half" },
  target = function(input) return input, { usage = { input_tokens = 1e300, cost = 1e308 } } end,
  scorers = { eval.scorer { id = "big", score = function() return 1.7e308 end } },
  metrics = { own = function() return { value = 1, ci = { -1 / 0, 1 / 0 } } end } }
LUA
  evalua run huge.eval.lua --format json
  expect 0
  equal "$(json '[d["experiments"][0]["usage"][k] for k in ("input_tokens",)] + [d["experiments"][0]["usage"].get("cost")]')" \
    "[4e+300, null]"
  equal "$(json '[d["experiments"][0]["scorers"]["big"]["mean"], d["experiments"][0]["metrics"]["own"]["ci"]]')" \
    "[1.7e+308, null]"
  evalua run huge.eval.lua
  expect 0
  prints "4e+300 tokens in"
  [[ $output != *"tokens in, 0 out"* ]]
  evalua compare 1 2
  expect 0
  prints "usage: input tokens 4e+300, was 4e+300"
}

@test "runs without a common item: null where nothing is known, and never an empty object" {
  over "a b c d"
  evalua run part.eval.lua --items a,b
  evalua run part.eval.lua --items c,d
  evalua compare 2 3 --format json
  expect 0
  equal "$(json 'd["success_rate"]')" '{"baseline": null, "candidate": null, "delta": null}'
  equal "$(json '[d["latency_ms"], d["usage"], d["verdict"], d["items"]["paired"]]')" '[null, null, "incomparable", 0]'
}

@test "exit 2: a baseline file whose fields are of another kind, with the field" {
  over "a b c"
  evalua accept 1
  while IFS='|' read -r from to message; do
    sed "s/$from/$to/" part.baseline.json >damaged.json
    evalua compare damaged.json 1
    expect 2
    says "damaged.json: the baseline is damaged: variants[1] $message"
  done <<'CASES'
"p50":[^,]*|"p50":"fast"|latency_ms.p50 must be a number
"higher_is_better":true|"higher_is_better":1|scorers[1]: higher_is_better must be true or false
"version":1},|"version":"1"},|dataset.version must be a whole number from 0 on
"usage":{"cost":0.03|"usage":{"cost":[]|usage.cost must be a number
"scores":{"one":1}|"scores":{"one":"1"}|has an item 1 that (a): the score of one must be a number
"completed_at":"[^"]*"|"trials":{"count":3,"reducer":"mean"}|trials.reducer must be one of eval.reducers
CASES
}

@test "a metric of few items, or of two clusters, proves nothing" {
  suite macro.eval.lua <<'LUA'
local n, right = tonumber(eval.param { name = "n", default = "4" }), eval.param { name = "right", default = "no" }
local items = {}
for number = 1, n do
  items[number] = { id = "t" .. number, input = number, ground_truth = number % 2 == 0 and "even" or "odd",
    metadata = { half = number % 2 } }
end
eval.dataset { name = "macro" .. n, items = items }
eval.experiment { name = "macro" .. n, dataset = "macro" .. n, scorers = { eval.scorers.exact },
  target = function(_, item) return right == "yes" and item.ground_truth or "neither" end,
  metrics = { f1 = eval.metrics.f1() } }
LUA
  local fields='[round(d["metrics"]["f1"][k], 9) for k in ("delta", "p_value")] + [d["metrics"]["f1"]["verdict"]]'
  for n in 4 20; do
    evalua run macro.eval.lua -p right=yes -p n=$n
    evalua run macro.eval.lua -p n=$n
  done
  evalua compare 1 2 --format json
  equal "$(json "$fields")" '[-1.0, 0.125, "inconclusive"]'
  evalua compare 1 2
  prints "f1: with n = 4 no difference would be seen, however large: that takes 6 pairs"
  evalua compare 3 4 --format json
  equal "$(json 'd["metrics"]["f1"]["verdict"]')" regressed
  evalua compare 3 4 --cluster metadata.half --format json
  equal "$(json "$fields")" '[-1.0, 0.5, "inconclusive"]'
}

@test "accept says how many items of the run have failed" {
  suite half.eval.lua <<'LUA'
eval.experiment { name = "half", tolerance = 1, dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } },
  target = function(input) if input == 2 then error "no answer" end return 1 end,
  scorers = { eval.scorer { id = "one", score = function() return 1 end } } }
LUA
  evalua run half.eval.lua
  expect 0
  evalua accept
  expect 0
  prints "2 items (1 failed: without scores they gate nothing)"
}

@test "noise of a scorer of labels: how many items got another one" {
  suite flips.eval.lua <<'LUA'
local items = {}
for number = 1, 20 do items[number] = { id = "t" .. number, input = number } end
eval.dataset { name = "flips", items = items }
eval.experiment { name = "flips", dataset = "flips",
  target = function(input) return input <= 12 and "same" or tostring(math.random(1000000)) end,
  scorers = { eval.scorer { id = "said", score = function(run) return { label = run.output } end } } }
LUA
  evalua run flips.eval.lua --noise
  expect 0
  prints "said: runs of the same target gave different labels to 8 of 20 items"
}

@test "accept says that the baseline which the suite names gates before the file that it wrote" {
  suite named.eval.lua <<'LUA'
eval.experiment { name = "named", dataset = { { id = "a", input = 1 } }, target = function(input) return input end,
  scorers = { eval.scorer { id = "one", score = function() return 1 end } }, --[[ baseline ]] }
LUA
  evalua run named.eval.lua
  evalua accept -o mine.json
  prints 'baseline = "mine.json" in the suite'
  sed -i 's/--\[\[ baseline \]\]/baseline = "mine.json"/' named.eval.lua
  evalua run named.eval.lua
  expect 0
  prints "against the baseline mine.json"
  evalua accept
  prints "wrote named.baseline.json" 'the suite says baseline = "mine.json", which gates before this file'
  evalua accept -o mine.json
  prints "wrote mine.json; keep it in git: runs of this experiment are compared with it from now on"
}
