#!/usr/bin/env bats
# Comparing runs: what improved, what regressed, what cannot be told, and everything that is left out said aloud.
load helper

# scored NAME SCORES [EXTRA] [ITEM_EXTRA]: a run of experiment `qa` whose i-th item gets the i-th of the scores;
# `fail` fails. ITEM_EXTRA is Lua inside the item of number `i`.
scored() {
  suite scored.eval.lua <<LUA
local scores, items = { $1 }, {}
for i = 1, #scores do items[i] = { id = ("q%03d"):format(i), input = i, ground_truth = i, ${3:-} } end
eval.dataset { name = "qa", items = items }
eval.experiment {
  name = "qa", dataset = "qa", tolerance = 100,
  target = function(input)
    if scores[input] == "fail" then error("no answer") end
    return "the answer is " .. tostring(scores[input])
  end,
  scorers = { eval.scorer { id = "mark", score = function(run) return scores[run.input] end } }, ${2:-}
}
LUA
  evalua run scored.eval.lua --format json
}

repeated() { # repeated COUNT VALUE [COUNT VALUE]...: a list of Lua values
  python3 -c 'import sys
a = sys.argv[1:]
print(",".join(v for n, v in zip(a[::2], a[1::2]) for _ in range(int(n))))' "$@"
}

need_bbh() {
  bbh=${EVALUA_TEST_SHARED:-$BATS_TEST_DIRNAME/../../../shared}/data/bbh
  [ -d "$bbh" ] || skip "there is no $bbh"
}

# The suite of one task, whose target gives what a model answered, directly or after a chain of thought.
bbh_suite() {
  suite bbh.eval.lua <<LUA
local task, prompt = eval.param { name = "task", default = "" }, eval.param { name = "prompt", default = "direct" }
local function read(path)
  local file = assert(io.open("$bbh/" .. path, "rb"))
  local text = file:read "a"
  file:close()
  return eval.json.decode(text)
end
local outputs = read("code-davinci-002-" .. prompt .. "/" .. task .. ".json").outputs
local items = {}
for number, example in ipairs(read("tasks/" .. task .. ".json").examples) do
  items[number] = { id = ("%s-%03d"):format(task, number), input = example.input, ground_truth = example.target,
    metadata = { number = number } }
end
eval.dataset { name = task, items = items }
eval.experiment {
  name = task, dataset = task, scorers = { eval.scorers.exact },
  target = function(_, item)
    local text = outputs[item.metadata.number].prediction
    if prompt == "direct" then return (text:match "^%s*(.-)%s*$") end
    local found = text:match "So the answer is ([^\n]*)" or text
    return (found:gsub("%s+$", ""):gsub("%.$", ""))
  end,
}
LUA
}

@test "BBH object_counting: 113 to 233 of 250, 122 improved, 2 regressed, improved" {
  need_bbh
  bbh_suite
  evalua run bbh.eval.lua -p task=object_counting -p prompt=direct
  expect 0
  evalua run bbh.eval.lua -p task=object_counting -p prompt=cot
  expect 0
  evalua compare 1 2 --format json
  expect 0
  equal "$(json '[d["scorers"]["exact"][k] for k in ("n", "improved", "regressed", "same", "verdict", "test")]')" \
    '[250, 122, 2, 126, "improved", "mcnemar"]'
  equal "$(json '[round(d["scorers"]["exact"][k] * 250) for k in ("baseline_mean", "candidate_mean", "delta")]')" \
    "[113, 233, 120]"
  equal "$(json 'd["verdict"]')" improved
  equal "$(json 'len(d["improvements"])')" 122
  evalua compare 1 2
  prints "object_counting-108" "object_counting-157" "improved (10 of 122)" "output in the baseline" "output now"
}

@test "BBH boolean_expressions: 221 to 232, p 0.0614283457: neither improved nor regressed, though the interval excludes 0" {
  need_bbh
  bbh_suite
  evalua run bbh.eval.lua -p task=boolean_expressions -p prompt=direct
  evalua run bbh.eval.lua -p task=boolean_expressions -p prompt=cot
  evalua compare 1 2 --format json --fail-on regressed
  expect 0
  equal "$(json '[d["scorers"]["exact"][k] for k in ("n", "improved", "regressed", "verdict")]')" \
    '[250, 20, 9, "no_worse"]'
  equal "$(json '[round(d["scorers"]["exact"][k] * 250) for k in ("baseline_mean", "candidate_mean")]')" "[221, 232]"
  equal "$(json '"%.10f" % d["scorers"]["exact"]["p_value"]')" 0.0614283457
  equal "$(json 'd["scorers"]["exact"]["ci"][0] > 0')" true
}

@test "identical runs: delta 0, p 1, no_worse, and no NaN anywhere" {
  scored "$(repeated 20 1 20 0.5)"
  scored "$(repeated 20 1 20 0.5)"
  evalua compare 1 2 --format json --fail-on inconclusive
  expect 0
  equal "$(json '[d["scorers"]["mark"][k] for k in ("delta", "p_value", "verdict", "ci", "effect_size")]')" \
    '[0.0, 1.0, "no_worse", [0.0, 0.0], null]'
  [[ ${output,,} != *nan* && ${output,,} != *inf,* ]]
  evalua compare 1 1
  expect 0
  prints "no worse"
  [[ ${output,,} != *nan* ]]
}

@test "one pair cannot be told, none is incomparable; null and never NaN" {
  scored "1"
  scored "0"
  evalua compare 1 2 --format json
  equal "$(json '[d["scorers"]["mark"][k] for k in ("n", "delta", "ci", "mde", "verdict")]')" \
    '[1, -1.0, null, null, "inconclusive"]'
  evalua compare 1 2 --fail-on inconclusive
  expect 5
  scored '"fail"'
  evalua compare 1 3 --format json
  expect 0
  equal "$(json '[d["scorers"]["mark"][k] for k in ("n", "delta", "p_value", "verdict")]')" '[0, null, null, "incomparable"]'
  equal "$(json 'd["verdict"]')" incomparable
  evalua compare 1 3 --fail-on inconclusive
  expect 5
  evalua compare 1 3 --fail-on regressed
  expect 4
  says "no scorer in common that could judge them"
  evalua compare 1 2 3 --fail-on regressed
  expect 4
}

@test "a scorer in one run only is incomparable, never a fall to 0" {
  scored "$(repeated 10 1)" 'metrics = { mae = eval.metrics.mae { prediction = "score.mark", truth = "score.mark" } }'
  scored "$(repeated 10 1)"
  sed -i 's/scorers = {/scorers = { eval.scorers.length,/' scored.eval.lua
  evalua run scored.eval.lua
  evalua compare 1 3 --format json
  equal "$(json '[d["scorers"]["length"][k] for k in ("verdict", "only_in", "delta")]')" '["incomparable", "candidate", null]'
  equal "$(json 'd["metrics"]["mae"]["verdict"]')" incomparable
  equal "$(json 'd["verdict"]')" no_worse
  evalua compare 3 1
  prints "scorer length is only in the baseline"
  evalua compare 1 3 --fail-on regressed
  expect 0
}

@test "a run with 5 failed items is compared on the rest, and the 5 are listed" {
  scored "$(repeated 50 1)"
  scored "$(repeated 45 1 5 '"fail"')"
  evalua compare 1 2 --format json
  expect 0
  equal "$(json 'd["failed"]["candidate"]')" '["q046", "q047", "q048", "q049", "q050"]'
  equal "$(json '[d["scorers"]["mark"]["n"], d["scorers"]["mark"]["n_one_sided"], d["items"]["paired"]]')" "[45, 5, 50]"
  equal "$(json 'd["success_rate"]["candidate"]')" 0.9
  evalua compare 1 2
  prints "the target failed on 5 of 50 items of the candidate" "q046, q047, q048, q049, q050" \
    "fine before, not now: 5" "success rate: 90%, was 100%"
}

@test "counts may contradict the mean: both are shown, and said" {
  scored "$(repeated 10 0.5 2 1)"
  scored "$(repeated 10 0.55 2 0)"
  evalua compare 1 2 --format json
  equal "$(json '[d["scorers"]["mark"][k] for k in ("improved", "regressed")] + [d["scorers"]["mark"]["delta"] < 0]')" \
    "[10, 2, true]"
  evalua compare 1 2
  prints "the mean fell although more items improved (10) than regressed (2)"
}

@test "runs over different datasets are refused unless asked; versions are compared with their lists" {
  scored "$(repeated 6 1)"
  suite other.eval.lua <<'LUA'
eval.experiment { name = "qa", dataset = { { id = "q001", input = 1 } }, target = function() return 1 end,
  scorers = { eval.scorer { id = "mark", score = function() return 1 end } } }
LUA
  mkdir elsewhere && mv other.eval.lua elsewhere && sed -i 's/dataset = {/dataset = eval.dataset { name = "other", items = {/; s/} }, target/} } }, target/' elsewhere/other.eval.lua
  evalua run elsewhere/other.eval.lua
  expect 0
  evalua compare 1 2
  expect 2
  says "#1 qa is over dataset qa and #2 qa over dataset other" "--across-datasets"
  evalua compare 1 2 --across-datasets
  expect 0
  prints "the runs are over different datasets, qa and other"
  scored "$(repeated 7 1)" "" 'metadata = { added = i == 7 }'
  evalua compare 1 3 --format json
  equal "$(json 'd["version_mismatch"]["added"]')" '["q007"]'
  equal "$(json 'd["items"]["only_candidate"]')" '["q007"]'
  equal "$(json '[d["version_mismatch"]["baseline"], d["version_mismatch"]["candidate"]]')" "[1, 2]"
}

@test "--where, --by, --scorer, --only, --margin, --confidence, --fail-on" {
  scored "$(repeated 60 1)" "" 'metadata = { half = i <= 30 and "first" or "second" }'
  scored "$(repeated 30 1 12 0 18 1)" "" 'metadata = { half = i <= 30 and "first" or "second" }'
  evalua compare 1 2 --where 'metadata.half == "first"' --format json
  equal "$(json '[d["items"]["paired"], d["scorers"]["mark"]["n"], d["verdict"], d["where"], d["new_failure_count"]]')" \
    '[30, 30, "no_worse", "metadata.half == \"first\"", 0]'
  evalua compare 1 2 --where 'metadata.half == "third"'
  expect 2
  evalua compare 1 2 --by metadata.half --format json
  equal "$(json '{k: [v["n"], v["scorers"]["mark"]["verdict"]] for k, v in d["slices"]["metadata.half"].items()}')" \
    '{"first": [30, "no_worse"], "second": [30, "regressed"]}'
  evalua compare 1 2 --by metadata.half
  prints "metadata.half" "first" "second" "p is Holm-adjusted over the slices"
  evalua compare 1 2 --by metadata.third
  expect 2
  says "no item has that field"
  evalua compare 1 2 --only improved --format json
  equal "$(json 'len(d["regressions"])')" 0
  evalua compare 1 2 --scorer mrk
  expect 2
  says 'did you mean "mark"?'
  evalua compare 1 2 --fail-on regressed
  expect 1
  evalua compare 1 2 --confidence 0.99 --format json
  equal "$(json '[d["scorers"]["mark"]["confidence"], round(d["scorers"]["mark"]["alpha"], 6)]')" "[0.99, 0.01]"
  evalua compare 1 2 --confidence 1
  expect 2
  scored "$(repeated 59 1 1 0)" "" 'metadata = { half = i <= 30 and "first" or "second" }'
  evalua compare 1 3 --format json --fail-on inconclusive
  expect 5
  evalua compare 1 3 --margin 0.1 --fail-on inconclusive
  expect 0
}

@test "--cluster: errors over clusters, by hand or as the experiment says" {
  scored "1,1,0,0,1,0,0,0,1,1" "" 'metadata = { doc = ({ 1, 1, 1, 2, 2, 3, 3, 3, 4, 4 })[i] }'
  scored "0,0,0,0,1,-1,0,0,2,1" "" 'metadata = { doc = ({ 1, 1, 1, 2, 2, 3, 3, 3, 4, 4 })[i] }'
  evalua compare 2 1 --cluster metadata.doc --format json
  # the differences q1 = 1,1,0 q2 = 0,0 q3 = 1,0,0 q4 = -1,0 of the published vector
  equal "$(json '["%.10f" % d["scorers"]["mark"][k] for k in ("delta", "stderr", "p_value")]')" \
    '["0.2000000000", "0.2377673933", "0.4620186623"]'
  equal "$(json '[d["scorers"]["mark"]["clusters"], d["scorers"]["mark"]["test"], d["cluster"]]')" \
    '[4, "t", "metadata.doc"]'
  evalua compare 2 1 --cluster metadata.dox
  expect 2
  says 'no item has the field "metadata.dox"'
  sed -i 's/tolerance = 100,/tolerance = 100, cluster = "metadata.doc",/' scored.eval.lua
  evalua run scored.eval.lua --format json
  equal "$(json 'd["experiments"][0]["cluster"]')" '{"clusters": 4, "field": "metadata.doc"}'
  equal "$(json 'd["experiments"][0]["scorers"]["mark"]["clusters"]')" 4
  evalua compare 3 1 --format json
  equal "$(json 'd["scorers"]["mark"]["clusters"]')" 4
  evalua compare 3 1 --cluster none --format json
  equal "$(json 'd["scorers"]["mark"].get("clusters")')" null
}

@test "more than two runs: each against the first, in one table; one name: its variants" {
  suite variants.eval.lua <<'LUA'
local items = {}
for i = 1, 40 do items[i] = { id = ("v%02d"):format(i), input = i, ground_truth = i } end
eval.dataset { name = "numbers", items = items }
for variant in eval.matrix { every = { 2, 5, 40 } } do
  eval.experiment { name = "v", variant = variant, dataset = "numbers", scorers = { eval.scorers.exact },
    target = function(input) return input % variant.every == 0 and 0 or input end }
end
LUA
  evalua run variants.eval.lua
  expect 0
  prints "v, each against the first" "v [every=2] #1" "+0.30" "improved" "v [every=40] #3"
  evalua compare v --format json
  expect 0
  equal "$(json '[[c["baseline"]["number"], c["candidate"]["number"], c["verdict"]] for c in d]')" \
    '[[1, 2, "improved"], [1, 3, "improved"]]'
  evalua compare 3 2 1
  prints "3 runs, each against the first" "v [every=40] #3" "regressed"
  evalua compare 3 2 1 --fail-on regressed
  expect 1
  evalua compare 1
  expect 2
}

@test "a word diff shows what changed in the outputs of the worst" {
  scored "1,1,1"
  scored "1,0,1"
  evalua compare 1 2
  prints "q002: mark 1.00 to 0.00" "output in the baseline" "output now" "the answer is [-1-]" "the answer is {+0+}"
  on_terminal 60 compare 1 2
  fits 60
}

@test "several scorers that gate are Holm-adjusted, and said so" {
  scored "$(repeated 40 1)" 'metrics = { mae = eval.metrics.mae { prediction = "score.mark", truth = "ground_truth" } }'
  scored "$(repeated 40 1)" 'metrics = { mae = eval.metrics.mae { prediction = "score.mark", truth = "ground_truth" } }'
  evalua compare 1 2 --fail-on regressed --format json
  expect 0
  equal "$(json 'any("Holm-adjusted" in w for w in d["warnings"])')" true
  equal "$(json '[d["scorers"]["mark"]["p_adjusted"], d["metrics"]["mae"]["p_adjusted"]]')" "[1.0, 1.0]"
}

@test "--scorer judges by the scorers it names alone" {
  suite two.eval.lua <<'LUA'
local bad = eval.param { name = "bad", default = 0 }
local items = {}
for i = 1, 20 do items[i] = { id = "q" .. i, input = i, metadata = { part = i % 2 } } end
eval.experiment { name = "two", dataset = items, target = function(input) return input end, scorers = {
  eval.scorer { id = "kept", score = function() return 1 end },
  eval.scorer { id = "lost", score = function() return bad == 0 end },
  eval.scorer { id = "some", score = function(run) if run.input < 3 then return nil, "no" end return 1 end },
} }
LUA
  evalua run two.eval.lua
  evalua run two.eval.lua -p bad=1
  evalua compare 1 2 --format json
  equal "$(json 'd["verdict"]')" regressed
  evalua compare 1 2 --scorer kept --by metadata.part --format json
  expect 0
  equal "$(json '[d["verdict"], list(d["scorers"]), d["warnings"], d["regressions"]]')" '["no_worse", ["kept"], [], []]'
  equal "$(json 'list(d["slices"]["metadata.part"]["0"]["scorers"])')" '["kept"]'
  evalua compare 1 2 --scorer lots
  expect 2
  says 'did you mean "lost"?'
}

@test "two clusters that agree prove nothing" {
  scored "$(repeated 40 1)" "" "metadata = { half = i % 2 }"
  scored "$(repeated 20 0 20 1)" "" "metadata = { half = i % 2 }"
  evalua compare 1 2 --cluster metadata.half --format json
  equal "$(json '[d["scorers"]["mark"][name] for name in ("p_value", "verdict", "delta")]')" '[0.5, "inconclusive", -0.5]'
  evalua compare 1 2 --format json
  equal "$(json 'd["verdict"]')" regressed
}
