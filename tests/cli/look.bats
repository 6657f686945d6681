#!/usr/bin/env bats
# list, show and compare: looking at what was run.
load helper

# Two runs: `upper` gets 2 of 3 right, the second time 3 of 3.
two_runs() {
  small_suite
  "$EVALUA" run small.eval.lua >/dev/null
  sed -i 's/return input:upper()/return input == "three" and "DREI" or input:upper()/' small.eval.lua
  "$EVALUA" run small.eval.lua >/dev/null
}

@test "list shows experiments newest first, datasets and suites" {
  evalua list
  [ "$status" -eq 0 ] || [ "$status" -eq 2 ]
  two_runs
  evalua list
  expect 0
  prints "upper" "completed" "small@1"
  evalua list --format json
  equal "$(json '[(e["number"], e["name"], e["status"]) for e in d]')" '[[2, "upper", "completed"], [1, "upper", "completed"]]'
  evalua list datasets --format json
  equal "$(json '[(e["name"], e["version"], e["item_count"]) for e in d]')" '[["small", 1, 3]]'
  evalua list suites --format json
  equal "$(json d)" '["small.eval.lua"]'
  evalua list experimens
  expect 2
  says experiments
}

@test "a REF is a number, id, prefix, latest, name or variant" {
  two_runs
  number_of() { evalua show "$1" --format json; expect 0; json 'd["number"]' | tail -1; }
  id=$(query 'select id from experiments where number = 1')
  evalua show 1 --format json
  equal "$(json 'd["number"]')" 1
  for ref in "$id" upper~1 latest~1; do
    evalua show "$ref" --format json
    expect 0
    equal "$(json 'd["number"]')" 1
  done
  for ref in latest upper; do
    evalua show "$ref" --format json
    expect 0
    equal "$(json 'd["number"]')" 2
  done
  evalua show 9
  expect 2
  says "9" "2"
  evalua show uper
  expect 2
  says "uper" "upper"
  evalua show upper~7
  expect 2
  evalua show latest~2
  expect 2
  # Ids of one moment begin alike: four characters of them are not enough.
  evalua show "${id:0:4}"
  if [ "$status" -ne 0 ]; then expect 2; says "${id:0:4}" "1"; fi
}

@test "show lists results; --failed, --where, --sort and --limit choose and order them" {
  two_runs
  evalua show 1
  expect 0
  prints "0.67 over 3 of 3" "THREE"
  evalua show 1 --failed --format json
  equal "$(json '[r["item_id"] for r in d["results"]]')" '["c"]'
  evalua show 1 --where 'score.exact == 1 and metadata.lang == "de"' --format json
  equal "$(json '[r["item_id"] for r in d["results"]]')" '["b"]'
  evalua show 1 --sort exact --format json
  equal "$(json '[r["item_id"] for r in d["results"]]')" '["c", "a", "b"]'
  evalua show 1 --sort -exact --limit 2 --format jsonl
  equal "$(jsonl '[r["item_id"] for r in d]')" '["a", "b"]'
  evalua show 1 --sort exat
  expect 2
  says exat exact
  evalua show 1 --where 'score.exat < 1'
  expect 2
  says exat exact
}

@test "show REF ITEM shows one result in full" {
  two_runs
  evalua show 1 c
  expect 0
  prints "input: three" "output: THREE" "ground truth: DREI" "exact: 0.00"
  evalua show 1 c --format json
  equal "$(json 'd["item_id"]')" c
  evalua show 1 nope
  expect 2
  says nope
}

@test "compare pairs by item and says what improved" {
  two_runs
  evalua compare 1 2
  expect 0
  prints "upper #2 against upper #1" "3 items paired" "exact" "improved"
  evalua compare 1 2 --format json
  equal "$(json '(d["scorers"]["exact"]["n"], d["scorers"]["exact"]["improved"], d["scorers"]["exact"]["regressed"])')" '[3, 1, 0]'
  equal "$(json '[i["item_id"] for i in d["improvements"]]')" '["c"]'
  equal "$(json 'd["regressions"]')" '[]'
  evalua compare 2 1 --only regressed
  expect 0
  prints "regressed" "c"
  evalua compare 1 2 --scorer exat
  expect 2
  says exat exact
  evalua compare 1
  expect 2
  evalua compare 1 2 1 --format json
  equal "$(json 'len(d)')" 2
}

@test "compare --fail-on is exit 1 for a regression and 5 where it cannot be told" {
  counting_suite numbers.eval.lua 40
  "$EVALUA" run numbers.eval.lua >/dev/null
  sed -i 's/return input \* 2/return input % 2 == 0 and input * 2 or 0/' numbers.eval.lua
  "$EVALUA" run numbers.eval.lua >/dev/null
  sed -i 's/input % 2 == 0/input ~= 1/' numbers.eval.lua
  "$EVALUA" run numbers.eval.lua >/dev/null
  evalua compare 1 2 --fail-on regressed --format json
  expect 1
  equal "$(json 'd["scorers"]["exact"]["verdict"]')" regressed
  evalua compare 2 1 --fail-on regressed
  expect 0
  evalua compare 1 3 --fail-on regressed
  expect 0
  evalua compare 1 3 --fail-on inconclusive
  expect 5
}

@test "compare of a known pair of models: counts, exact p and verdict" {
  data=${EVALUA_TEST_SHARED:-$BATS_TEST_DIRNAME/../../../shared}/data/gsm8k/example_model_solutions_first100.jsonl
  [ -e "$data" ] || skip "no shared data"
  suite gsm8k.eval.lua <<LUA
eval.dataset { name = "gsm8k", items = eval.jsonl("$data", { input = "question", ground_truth = "ground_truth",
  context = function(row) return row end }) }
local function last_number(text) return (text:match("A:%s*(.-)%s*\$") or text):gsub(",", "") .. "" end
local right = eval.scorer { id = "right", score = function(run)
  return last_number(run.output) == last_number(run.ground_truth)
end }
for _, model in ipairs { "6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification" } do
  eval.experiment { name = model, dataset = "gsm8k", scorers = { right },
    target = function(input, item) return item.context[model].solution end }
end
LUA
  evalua run gsm8k.eval.lua --format json
  expect 0
  equal "$(json '[round(e["scorers"]["right"]["mean"] * 100) for e in d["experiments"]]')" '[21, 34, 34, 58]'
  evalua compare 175b_finetuning 175b_verification --format json
  equal "$(json '(d["scorers"]["right"]["improved"], d["scorers"]["right"]["regressed"], d["scorers"]["right"]["verdict"])')" '[28, 4, "improved"]'
  equal "$(json 'abs(d["scorers"]["right"]["p_value"] - 1.9301195e-05) < 1e-11')" true
  evalua compare 6b_verification 175b_finetuning --format json
  equal "$(json '(d["scorers"]["right"]["improved"], d["scorers"]["right"]["regressed"], d["scorers"]["right"]["verdict"] == "regressed")')" '[13, 13, false]'
}

@test "everything fits a terminal of 80 and of 50 columns" {
  suite wide.eval.lua <<'LUA'
local items = {}
for number = 1, 4 do
  items[number] = { id = ("item-%d-with-a-long-name"):format(number), input = "what is the answer to everything",
    ground_truth = "an answer of some length" }
end
eval.dataset { name = "a-dataset-with-a-long-name", items = items }
for _, variant in ipairs { "first", "second" } do
  eval.experiment { name = "wide_experiment", variant = variant, dataset = "a-dataset-with-a-long-name",
    target = function(input) return input:sub(1, 20) .. variant end,
    scorers = { eval.scorers.exact { id = "my_long_scorer_name" }, eval.scorers.levenshtein { id = "another_long_name" },
      eval.scorers.length { id = "short", max = 10 } },
    rules = { eval.rules.at_least("my_long_scorer_name", 0.5) } }
end
LUA
  for width in 80 50; do
    on_terminal $width run wide.eval.lua
    fits $width
    prints "my_long"
    on_terminal $width show latest
    fits $width
    on_terminal $width compare latest~1 latest
    fits $width
    prints "no worse" "no room for: test, same"
    on_terminal $width list
    fits $width
    on_terminal $width list datasets
    fits $width
    on_terminal $width run --help
    fits $width
  done
}

@test "text of items and targets is no command of a CI system" {
  suite ci.eval.lua <<'LUA'
eval.experiment { name = "ci", dataset = { { id = "::set-output name=x::y", input = "one\n::add-mask::one\n##vso[task.x]" } },
  target = function(input) return input end, scorers = { eval.scorers.exact },
  rules = { eval.rule("mine", function() return false, "no\n  ::error::no\n##[error]no" end) } }
LUA
  evalua run ci.eval.lua
  expect 4
  for command in "run ci.eval.lua" "show latest" "show latest ::set-output\ name=x::y"; do
    eval "evalua $command"
    prints "::"
    ! grep -E '^[[:space:]]*::|##[a-z]*\[' <<<"$output"
  done
  evalua show latest -o page.html
  evalua compare latest latest -o compared.html
  ! grep -E '^[[:space:]]*::|##[a-z]*\[' page.html compared.html
}

@test "JSON escapes what would act on a terminal" {
  suite hidden.eval.lua <<'LUA'
eval.experiment { name = "hidden", dataset = { { id = "a", input = "\u{9b}31m \u{7f} \u{202e} \u{2066} é" } },
  target = function(input) return input end, scorers = {} }
LUA
  for format in json jsonl; do
    evalua run hidden.eval.lua --format $format
    expect 0
    prints '\u009b31m \u007f \u202e \u2066 é'
  done
  evalua show latest --format json
  equal "$(json 'd["results"][0]["output"] == "\u009b31m \u007f \u202e \u2066 é"')" true
}
