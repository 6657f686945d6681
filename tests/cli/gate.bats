#!/usr/bin/env bats
# What gates a run: baselines and their order, evalua accept, and every exit code, also of two causes at once.
load helper

# gate_suite BROKEN [RULES] [OPTION...]: 40 items of which the target gets the first BROKEN wrong.
gate_suite() {
  local broken=$1 rules=${2:-} more=${3:-}
  suite gate.eval.lua <<LUA
local items = {}
for number = 1, 40 do items[#items + 1] = { id = ("n%02d"):format(number), input = number, ground_truth = number * 2 } end
eval.dataset { name = "numbers", items = items }
eval.experiment {
  name = "double", dataset = "numbers", target = function(input) return input > $broken and input * 2 or "wrong" end,
  scorers = { eval.scorers.exact }, rules = { $rules }, $more
}
LUA
}

no_regression='eval.rules.no_regression("exact")'

@test "as a new user: init, run, accept, break the target, run: which scorer fell by how much, and three items" {
  git init -q . && git config user.email a@b.c && git config user.name a
  evalua init
  git add -A && git commit -qm suite
  evalua run
  expect 0
  evalua accept
  expect 0
  prints "accepted capitals #1: 3 items" "wrote capitals.baseline.json"
  sed -i '/^local capitals/{s/Lima/Cusco/; s/Paris/Lyon/; s/Tokyo/Kyoto/}' example.eval.lua
  evalua run
  expect 1
  prints "against the baseline capitals.baseline.json" "exact fell by 1.00: 1.00 to 0.00 over 3 items" \
    "3 worse, 0 better" "france  exact   1.00 to 0.00" "peru    exact   1.00 to 0.00" \
    "japan   exact   1.00 to 0.00" "Lyon" "Cusco" "Kyoto" \
    "short is as it was: 1.00 over 3 items"
  [ "$(wc -l <<<"$output")" -le 24 ]
  on_terminal 80 run
  first_screen "exact fell by 1.00: 1.00 to 0.00 over 3 items" "france" "peru" "japan" "Lyon" "Cusco" "Kyoto"
  evalua show latest --format json
  equal "$(json 'd["git"]["dirty"]')" true
  equal "$(json 'd["git"]["commit"]')" "$(git rev-parse HEAD)"
  equal "$(query 'select command_line from experiments where number = 2')" "evalua run"
  equal "$(query 'select host from experiments where number = 2')" "$(hostname)"
}

# first_screen TEXT...: each is in the first 24 lines of 80 columns, words that were broken apart joined again.
first_screen() {
  fits 80
  local screen text
  screen=$(head -24 <<<"$output" | tr -s ' \n' ' ')
  for text in "$@"; do
    [[ $screen == *"$text"* ]] || { echo "the first screen does not say: $text"; echo "$output"; return 1; }
  done
}

@test "the first screen says it too where there are many items, scorers, slices and warnings" {
  suite big.eval.lua <<'LUA'
local wrong = tonumber(eval.param { name = "wrong", default = "0" })
local items = {}
for number = 1, 300 do
  items[number] = { id = ("customer-ticket-%03d"):format(number), ground_truth = "The answer to question " .. number,
    input = "A question that takes a whole sentence to ask, of a customer who has the number " .. number .. ".",
    metadata = { lang = ({ "de", "en", "fr", "es" })[number % 4 + 1] } }
end
local scorers = { eval.scorers.levenshtein, eval.scorers.exact }
for number = 1, 5 do
  scorers[#scorers + 1] = eval.scorer { id = "tone_" .. number,
    score = function(run) return (#run.output + number * tonumber(run.item_id:sub(-3)) * (wrong + 7)) % 10 / 10 end }
end
eval.experiment { name = "answers", dataset = items, slices = { "metadata.lang" }, tolerance = 20, scorers = scorers,
  target = function(_, item)
    local number = tonumber(item.id:sub(-3))
    if number % 50 == 0 then error("the provider is overloaded") end
    return number % 10 < wrong and "I do not know." or item.ground_truth
  end,
  rules = { eval.rules.at_least("exact", 0.5), eval.rules.no_regression("exact"),
    eval.rules.no_regression("levenshtein"), eval.rules.max_latency("2s", { percentile = 95 }) } }
LUA
  evalua run big.eval.lua
  evalua accept
  expect 0
  on_terminal 80 run big.eval.lua -p wrong=4
  first_screen "exact fell by 0.39" "customer-ticket-001" "customer-ticket-002" "customer-ticket-003"
  # And so does the last one, where a terminal stops.
  [[ $(tail -24 <<<"$output") == *"exact fell by 0.39; see customer-ticket-001"* ]]
}

@test "exit 0: everything holds, and with an accepted run the comparison passes" {
  gate_suite 0 "$no_regression, eval.rules.no_new_failures()"
  evalua run gate.eval.lua
  expect 4
  prints "evalua accept"
  evalua accept
  expect 0
  evalua run gate.eval.lua
  expect 0
  prints "exact is as it was: 1.00 over 40 items" "none of 40 common items fails newly"
}

@test "exit 1: a regression; a red run stays red however often it is repeated" {
  gate_suite 0 "$no_regression, eval.rules.no_new_failures()"
  evalua run gate.eval.lua
  evalua accept
  gate_suite 12 "$no_regression, eval.rules.no_new_failures()"
  for _ in 1 2 3; do
    evalua run gate.eval.lua
    expect 1
    prints "regressed  exact fell by 0.30: 1.00 to 0.70 over 40 items" "12 items fail newly: n01"
  done
  rm double.baseline.json
  for _ in 1 2; do
    evalua run gate.eval.lua
    expect 1
    prints "against the accepted run #1"
  done
}

@test "without a baseline the previous complete unfiltered run is shown, and gates nothing" {
  gate_suite 0
  evalua run gate.eval.lua
  [[ $output != *against* ]]
  evalua run gate.eval.lua --limit 5
  [[ $output != *against* ]]
  gate_suite 20
  evalua run gate.eval.lua
  expect 0
  prints "against the previous run #1" "gates nothing" "regressed  exact fell by 0.50"
  evalua run gate.eval.lua --format json
  equal "$(json 'd["experiments"][0]["previous"]["number"]')" 3
  equal "$(json '"baseline" in d["experiments"][0]')" false
  gate_suite 20 "$no_regression"
  evalua run gate.eval.lua
  expect 4
}

@test "the order: --baseline, the experiment's baseline, the file beside the suite, the accepted run" {
  gate_suite 0 && evalua run gate.eval.lua
  gate_suite 10 && evalua run gate.eval.lua
  gate_suite 20 && evalua run gate.eval.lua
  gate_suite 30 && evalua run gate.eval.lua
  evalua accept 1 -o one.json && expect 0
  evalua accept 3 && expect 0
  evalua accept 4 -o four.json && expect 0
  source_of() { json 'd["experiments"][0]["baseline"]["source"] + " " + d["experiments"][0]["baseline"]["text"]'; }
  gate_suite 0 "" 'baseline = "one.json"'
  evalua run gate.eval.lua --baseline 2 --format json
  equal "$(source_of)" "option 2"
  equal "$(json 'd["experiments"][0]["baseline"]["number"]')" 2
  evalua run gate.eval.lua --baseline four.json --format json
  equal "$(source_of)" "option four.json"
  equal "$(json 'd["experiments"][0]["comparison"]["scorers"]["exact"]["delta"]')" 0.75
  evalua run gate.eval.lua --format json
  equal "$(source_of)" "experiment one.json"
  gate_suite 0 "" 'baseline = "double~3"'
  evalua run gate.eval.lua --format json
  equal "$(source_of)" "experiment double~3"
  gate_suite 0
  (mkdir elsewhere && cd elsewhere && "$EVALUA" run ../gate.eval.lua --format json >../from_elsewhere.json)
  output=$(cat from_elsewhere.json)
  equal "$(source_of)" "file ../double.baseline.json"
  equal "$(json 'd["experiments"][0]["comparison"]["scorers"]["exact"]["delta"]')" 0.5
  rm double.baseline.json
  evalua run gate.eval.lua --format json
  equal "$(source_of)" "accepted double #4"
}

@test "a fresh machine needs no store: the file gates" {
  gate_suite 0 "$no_regression" && evalua run gate.eval.lua
  evalua accept
  rm -r .evalua
  evalua run gate.eval.lua
  expect 0
  rm -r .evalua
  gate_suite 15 "$no_regression"
  evalua run gate.eval.lua
  expect 1
  prints "against the baseline double.baseline.json"
}

@test "the file is made for git: the same run gives the same file, one changed item changes one line of items" {
  gate_suite 1 && evalua run gate.eval.lua && evalua accept
  cp double.baseline.json before.json
  evalua accept
  cmp before.json double.baseline.json
  gate_suite 0 && evalua run gate.eval.lua && evalua accept
  run diff <(grep '^{"id"' before.json) <(grep '^{"id"' double.baseline.json)
  equal "$(grep -c '^[<>]' <<<"$output")" 2
  [[ $output == *'> {"id":"n01"'*'"passed":true,"scores":{"exact":1}},'* ]]
  python3 -c 'import json; d = json.load(open("double.baseline.json")); v = d["variants"][0]
assert d["format"] == "evalua baseline" and d["version"] == 1 and d["experiment"] == "double"
assert v["dataset"]["digest"] and v["target"]["digest"] and v["scorers"][0]["digest"]
assert len(v["items"]) == v["item_count"] == 40 and v["items"][0]["scores"] == {"exact": 1}'
}

@test "all variants are in one file, and each is gated by its own" {
  suite variants.eval.lua <<'LUA'
local off = eval.param { name = "off", default = 0 }
for variant in eval.matrix { factor = { 2, 3 } } do
  eval.experiment {
    name = "times", variant = variant, dataset = { { id = "a", input = 1, ground_truth = 2 },
      { id = "b", input = 2, ground_truth = 4 } },
    target = function(input) return input * variant.factor + off end, scorers = { eval.scorers.exact },
    rules = { eval.rules.no_new_failures() },
  }
end
LUA
  evalua run variants.eval.lua
  expect 4
  evalua accept times
  expect 0
  prints "accepted times [factor=2] #1" "accepted times [factor=3] #2" "wrote times.baseline.json"
  equal "$(python3 -c 'import json; print([v["variant"] for v in json.load(open("times.baseline.json"))["variants"]])')" \
    "['factor=2', 'factor=3']"
  evalua run variants.eval.lua
  expect 0
  evalua run variants.eval.lua -p off=1
  expect 1
  prints "2 items fail newly: a, b" "none of 2 common items fails newly"
  evalua accept 'times[factor=2]~1'
  prints "(1 other variant in it stays)"
  evalua show times.baseline.json
  expect 2
  says "several variants" "factor=2, factor=3"
  evalua show 'times.baseline.json[factor=3]' --format json
  expect 0
  equal "$(json 'd["scorers"]["exact"]["mean"]')" 0.0
  evalua compare times.baseline.json 'times[factor=2]'
  expect 0
  prints "against times.baseline.json: "
}

@test "a baseline file is a REF in compare and show, without a store as well" {
  gate_suite 3 && evalua run gate.eval.lua && evalua accept
  gate_suite 20 && evalua run gate.eval.lua
  evalua compare double.baseline.json latest --format json
  expect 0
  equal "$(json 'd["scorers"]["exact"]["regressed"]')" 17
  equal "$(json 'len(d["new_failures"])')" 17
  evalua compare 1 2 --format json
  equal "$(json '[d["scorers"]["exact"][k] for k in ("delta", "p_value", "verdict")]')" \
    "$("$EVALUA" compare double.baseline.json 2 --format json | python3 -c 'import json,sys
d = json.load(sys.stdin); print(json.dumps([d["scorers"]["exact"][k] for k in ("delta", "p_value", "verdict")]))')"
  evalua accept 2 -o other.json
  rm -r .evalua
  evalua compare double.baseline.json other.json --fail-on regressed
  expect 1
  evalua show double.baseline.json --failed
  expect 0
  prints "n01" "n03"
  [[ $output != *n04* ]]
  evalua resume double.baseline.json
  expect 2
}

@test "exit 2: a baseline that is truncated, newer, no JSON, no baseline or not there, before anything runs" {
  gate_suite 0 "$no_regression" && evalua run gate.eval.lua && evalua accept
  cp double.baseline.json good.json
  refused() {
    evalua run gate.eval.lua
    expect 2
    says "double.baseline.json" "$@"
    equal "$(query 'select count(*) from experiments')" 1
  }
  head -c 600 good.json >double.baseline.json && refused "truncated or damaged"
  sed 's/"version":1,/"version":2,/' good.json >double.baseline.json && refused "format version 2" "reads up to 1"
  echo "not json" >double.baseline.json && refused "not JSON"
  : >double.baseline.json && refused "not JSON"
  echo '{"experiments":[]}' >double.baseline.json && refused "no baseline"
  sed '/"id":"n07"/d' good.json >double.baseline.json && refused "says that it has 40 items and has 39"
  { echo '<<<<<<< HEAD'; cat good.json; } >double.baseline.json && refused "conflict marks"
  sed 's/"experiment":"double"/"experiment":"other"/' good.json >double.baseline.json && refused "of experiment other"
  sed 's/"exact":1}/"exact":"one"}/' good.json >double.baseline.json && refused "must be a number"
  evalua accept
  expect 2
  rm double.baseline.json
  evalua run gate.eval.lua --baseline absent.json
  expect 2
  says "there is no such baseline file"
  gate_suite 0 "" 'baseline = "absent.json"'
  evalua run gate.eval.lua
  expect 2
  says "gate.eval.lua:" "option baseline" "there is no such baseline file"
  evalua run gate.eval.lua --dry-run
  expect 2
}

@test "a stale baseline is compared on what is common, and says so; where nothing is, exit 4" {
  gate_suite 0 "$no_regression" && evalua run gate.eval.lua && evalua accept
  sed -i 's/for number = 1, 40/for number = 2, 42/' gate.eval.lua
  evalua run gate.eval.lua
  expect 0
  prints "double.baseline.json is stale" "compared on the 39 items that both have alike" "1 item (n01) only in the baseline" \
    "2 items (n41, n42) only in the candidate"
  gate_suite 0 "$no_regression"
  sed -i 's/eval.scorers.exact }/eval.scorers.exact { trim = true } }/' gate.eval.lua
  evalua run gate.eval.lua
  expect 0
  prints "scorer exact was defined differently"
  gate_suite 0 "$no_regression"
  sed -i 's/"n%02d"/"m%02d"/' gate.eval.lua
  evalua run gate.eval.lua
  expect 4
  prints "is stale" "evalua accept"
}

@test "exit 2: rules are checked before the run" {
  gate_suite 0 'eval.rules.no_regression("exakt")'
  evalua run gate.eval.lua
  expect 2
  says "gate.eval.lua:" "exakt" 'did you mean "exact"'
  equal "$(store_digest)" none
}

@test "exit 3 before 4 and 1: a rule that raises, with failed items and a failed rule" {
  gate_suite 10 'eval.rules.at_least("exact", 0.9), eval.rule("mine", function(now) return now.nothing end)'
  evalua run gate.eval.lua
  expect 3
  sed -i 's/return input > 10/if input == 3 then error "broken" end return input > 10/' gate.eval.lua
  evalua run gate.eval.lua
  expect 3
}

@test "exit 4 before 1: failed items, and no baseline, with a failed rule" {
  gate_suite 10 'eval.rules.at_least("exact", 0.9)'
  sed -i 's/return input > 10/if input == 3 then error "broken" end return input > 10/' gate.eval.lua
  evalua run gate.eval.lua
  expect 4
  gate_suite 10 "eval.rules.at_least(\"exact\", 0.9), $no_regression"
  evalua run gate.eval.lua
  expect 4
  prints "there is no baseline to compare with" "evalua accept"
}

@test "exit 1 before 5, and 5 alone where inconclusive fails" {
  gate_suite 0 && evalua run gate.eval.lua && evalua accept
  gate_suite 2 "$no_regression"
  evalua run gate.eval.lua
  expect 0
  evalua run gate.eval.lua --inconclusive fail
  expect 5
  gate_suite 2 "$no_regression, eval.rules.at_least(\"exact\", 0.99)"
  evalua run gate.eval.lua --inconclusive fail
  expect 1
}

@test "exit 130 before everything: interrupted with a failed item" {
  gate_suite 40 'eval.rules.at_least("exact", 0.9)'
  sed -i 's/return input > 40/if input == 1 then error "broken" end if input > 4 then eval.sleep("20s") end return input > 40/' \
    gate.eval.lua
  set -m
  "$EVALUA" run gate.eval.lua -j 2 >out.txt 2>err.txt &
  local pid=$!
  for _ in $(seq 100); do
    [ "$(query 'select count(*) from results' 2>/dev/null || echo 0)" -ge 4 ] && break
    sleep 0.1
  done
  kill -INT "$pid"
  sleep 0.2
  kill -INT "$pid" 2>/dev/null || true
  local code=0
  wait "$pid" || code=$?
  equal "$code" 130
}

@test "several experiments: the worst cause decides, and a broken baseline of the second stops the first" {
  gate_suite 0
  cat >>gate.eval.lua <<'LUA'
eval.experiment { name = "second", dataset = "numbers", target = function() return 0 end,
  scorers = { eval.scorers.exact }, rules = { eval.rules.at_least("exact", 0.5) } }
LUA
  evalua run gate.eval.lua
  expect 1
  echo '{' >second.baseline.json
  evalua run gate.eval.lua
  expect 2
  equal "$(query 'select count(*) from experiments')" 2
}

@test "accept refuses what stands for nothing" {
  gate_suite 0 && evalua run gate.eval.lua --limit 3
  evalua accept
  expect 2
  says "ran a selection of the items only"
  evalua accept --partial
  expect 0
  evalua accept 99
  expect 2
  evalua accept double.baseline.json
  expect 2
  says "no run of this store"
  mkdir empty && cd empty
  evalua accept --store none.db
  expect 2
}

@test "trend shows mean and interval of each run, oldest first" {
  gate_suite 0 && evalua run gate.eval.lua
  gate_suite 20 && evalua run gate.eval.lua
  gate_suite 10 && evalua run gate.eval.lua --limit 20
  evalua trend double
  expect 0
  prints "double: 3 runs" "█▁▁" "1.00 [0.91, 1.00] n 40" "0.50 [0.35, 0.65] n 40" "partial"
  evalua trend double -n 1 --format json
  expect 0
  equal "$(json '[(r["number"], r["scorers"]["exact"]["n"], r["partial"]) for r in d[0]["runs"]]')" '[[3, 20, true]]'
  evalua trend doubel
  expect 2
  says 'did you mean "double"'
  evalua trend double --scorer exakt
  expect 2
}

# slice_suite WRONG_DE [RULES]: 30 English items, all right, and 30 German ones, of which the first WRONG_DE are wrong.
slice_suite() {
  suite slices.eval.lua <<LUA
local items = {}
for number = 1, 60 do
  items[number] = { id = ("n%02d"):format(number), input = number, ground_truth = number,
    metadata = { lang = number > 30 and "de" or "en" } }
end
eval.experiment {
  name = "sliced", dataset = items, slices = { "metadata.lang" },
  target = function(input) return input > 30 and input <= 30 + $1 and 0 or input end,
  scorers = { eval.scorers.exact }, rules = { $2 }
}
LUA
}

@test "slices stand in the summary, and rules take slice and each" {
  slice_suite 15 'eval.rules.at_least("exact", 0.9, { slice = "metadata.lang=en" })'
  evalua run slices.eval.lua
  expect 0
  prints "metadata.lang" "0.50 (n 30)" "metadata.lang=en: exact is 1.00 over 30"
  evalua run slices.eval.lua --format json
  equal "$(json '[(v, d["experiments"][0]["slices"]["metadata.lang"][v]["scorers"]["exact"]["mean"]) for v in ("de", "en")]')" \
    '[["de", 0.5], ["en", 1.0]]'
  evalua show latest --by metadata.lang --by input --limit 1
  expect 0
  prints "metadata.lang" "0.50 (n 30)" "input"
  evalua show latest --by metadata.language
  expect 2
  slice_suite 15 'eval.rules.at_least("exact", 0.7, { each = "metadata.lang" })'
  evalua run slices.eval.lua
  expect 1
  prints "metadata.lang=de: exact is 0.50 over 30, must be at least 0.7"
  slice_suite 15 'eval.rules.at_least("exact", 0.7, { slice = "metadata.lang=fr" })'
  evalua run slices.eval.lua
  expect 4
  prints "no item has metadata.lang=fr"
  slice_suite 0 'eval.rules.at_least("exact", 0.7, { each = "metadata.nothing" })'
  evalua run slices.eval.lua
  expect 4
  slice_suite 0 'eval.rules.at_least("exact", 0.7, { slice = "metadata.lang" })'
  evalua run slices.eval.lua
  expect 2
  says "FIELD=VALUE"
}

@test "a regression of one slice is found by each, against a file and against a run" {
  slice_suite 0 && evalua run slices.eval.lua && evalua accept
  slice_suite 10 'eval.rules.no_regression("exact", { each = "metadata.lang" })'
  evalua run slices.eval.lua
  expect 1
  prints "metadata.lang=de: exact changed by -0.333" "n 30): regressed"
  rm sliced.baseline.json
  evalua run slices.eval.lua
  expect 1
  slice_suite 10 'eval.rules.no_regression("exact", { slice = "metadata.lang=en" })'
  evalua run slices.eval.lua
  expect 0
}

@test "git is read in work trees, with packed refs and a detached head" {
  git init -q -b main repo && cd repo && git config user.email a@b.c && git config user.name a
  gate_suite 0
  git add -A && git commit -qm one && git worktree add -q ../tree -b feature && git pack-refs --all
  git_of() { "$EVALUA" show latest --format json | python3 -c 'import json, sys; d = json.load(sys.stdin)["git"]
print(d["commit"], d.get("branch"), d["dirty"])'; }
  evalua run gate.eval.lua
  equal "$(git_of)" "$(git rev-parse HEAD) main False"
  (cd ../tree && "$EVALUA" run gate.eval.lua >/dev/null && equal "$(git_of)" "$(git rev-parse HEAD) feature False")
  git checkout -q --detach
  echo "-- changed" >>gate.eval.lua
  evalua run gate.eval.lua
  equal "$(git_of)" "$(git rev-parse HEAD) None True"
}

@test "a resumed run is gated as it would have been" {
  gate_suite 0 "$no_regression" && evalua run gate.eval.lua && evalua accept
  gate_suite 20 "$no_regression"
  sed -i 's/return input > 20/eval.sleep(input > 30 and "20s" or 0) return input > 20/' gate.eval.lua
  "$EVALUA" run gate.eval.lua -j 2 >/dev/null 2>&1 &
  local pid=$!
  for _ in $(seq 100); do
    [ "$(query 'select count(*) from results where experiment_id = (select id from experiments where number = 2)' \
      2>/dev/null || echo 0)" -ge 30 ] && break
    sleep 0.1
  done
  kill -9 "$pid"
  evalua accept
  expect 2
  says "not completed" "evalua resume 2"
  sed -i 's/"20s"/0/' gate.eval.lua
  evalua resume 2
  expect 1
  prints "against the baseline double.baseline.json" "exact fell by 0.50"
}

@test "some pairs of a variant, in any order, name the variants that have them" {
  suite matrix.eval.lua <<'LUA'
for v in eval.matrix { model = { "a", "b" }, prompt = { "short", "long" } } do
  eval.experiment { name = "qa", variant = v, dataset = { { id = "i", input = 1, ground_truth = 1 } },
    target = function(input) return input end, scorers = { eval.scorers.exact } }
end
LUA
  evalua run -e 'qa[prompt=short]' --format json
  expect 0
  equal "$(json '[e["variant"] for e in d["experiments"]]')" '["model=a,prompt=short", "model=b,prompt=short"]'
  evalua run -e 'qa[prompt=long,model=b]' --format json
  equal "$(json '[e["variant"] for e in d["experiments"]]')" '["model=b,prompt=long"]'
  evalua run -e 'qa[prompt=wide]'
  expect 2
  says "qa[model=a,prompt=short]"
  evalua show 'qa[prompt=long]' --format json
  equal "$(json 'd["variant"]')" model=b,prompt=long
  evalua show 'qa[prompt=short]'
  expect 2
  says "2 variants of qa have that" "model=b,prompt=short"
  evalua accept
  evalua compare 'qa.baseline.json[model=b,prompt=long]' 'qa[prompt=long]' --format json
  expect 0
  evalua compare 'qa.baseline.json[prompt=long]' 'qa[prompt=long]' --format json
  expect 0
  equal "$(json 'd["baseline"]["variant"]')" model=b,prompt=long
}

@test "accept -o says how its file gates, and wants a directory that is there" {
  small_suite
  evalua run
  evalua accept -o elsewhere.json
  expect 0
  prints "--baseline elsewhere.json"
  evalua accept -o ./upper.baseline.json
  prints "runs of this experiment are compared with it from now on"
  evalua accept -o nowhere/file.json
  expect 2
  says "there is no directory nowhere"
}

@test "a rule that indexes what no baseline gives says so, whatever it calls it" {
  suite named.eval.lua <<'LUA'
eval.experiment { name = "x", dataset = { { id = "i", input = 1 } }, target = function(input) return input end,
  rules = { eval.rule("c", function(_, _, c) return c.verdict ~= "regressed" end) } }
LUA
  evalua run
  expect 3
  prints "there is no baseline"
}
