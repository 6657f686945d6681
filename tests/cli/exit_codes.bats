#!/usr/bin/env bats
# Every exit code of a run, alone and each with each: the first cause in the order 130, 3, 4, 1, 5 decides, whatever else
# is wrong. gate.bats tells what gates; here it is the codes.
load helper

# causes CODE...: an experiment of 60 items in which all these causes come together, with a baseline that all items passed.
# 1: a rule that fails; 3: a rule that raises; 4: an item that fails; 5: a rule that cannot be told; 130: it is stopped.
causes() {
  local rules="" body="" wrong=3 code
  for code in "$@"; do
    case $code in
      1) rules+='eval.rules.at_least("exact", 1), ' ;;
      3) rules+='eval.rule("mine", function(now) return now.nothing end), ' ;;
      4) body+='if input == 59 then error("no answer") end ' ;;
      5) rules+='eval.rules.no_regression("exact", { inconclusive = "fail" }), ' ;;
      130) body+='if input > 30 then eval.sleep("30s") end ' ;;
    esac
  done
  # 4 by what fails needs an item that fails even where the run is stopped early.
  [[ " $* " != *" 130 "* ]] || body=${body/input == 59/input == 1}
  suite causes.eval.lua <<LUA
local items = {}
for number = 1, 60 do items[#items + 1] = { id = ("n%02d"):format(number), input = number, ground_truth = number } end
eval.experiment { name = "causes", dataset = items, max_concurrency = 4, rules = { $rules },
  target = function(input) $body return input <= ${WRONG:-$wrong} and 0 or input end, scorers = { eval.scorers.exact } }
LUA
}

baseline() {
  WRONG=0 causes
  "$EVALUA" run causes.eval.lua >/dev/null
  "$EVALUA" accept >/dev/null
}

# run_and_expect CODE
run_and_expect() {
  evalua run causes.eval.lua
  expect "$1"
}

@test "each cause alone" {
  baseline
  WRONG=0 causes
  run_and_expect 0
  prints "no worse"
  causes 1
  run_and_expect 1
  prints "fail  exact at least 1"
  causes 3
  run_and_expect 3
  prints "the rule's function failed" "causes.eval.lua:"
  causes 4
  run_and_expect 4
  prints "1 of 60 items failed, none are tolerated"
  causes 5
  run_and_expect 5
  prints "inconclusive  exact does not regress"
  WRONG=0 causes 5
  run_and_expect 0
}

@test "each two at once: the first in the order 3, 4, 1, 5 decides" {
  baseline
  local pair
  for pair in "3 4" "3 1" "3 5" "4 1" "4 5" "1 5"; do
    causes $pair
    run_and_expect "${pair% *}"
    # What the other one says is not lost.
    case ${pair#* } in
      1) prints "fail  exact at least 1" ;;
      5) prints "inconclusive  exact does not regress" ;;
      4) prints "1 failed" ;;
    esac
  done
  causes 5 1 4 3
  run_and_expect 3
  # The causes of two experiments are weighed alike.
  causes 5
  cat >>causes.eval.lua <<'LUA'
eval.experiment { name = "other", dataset = { { input = 1, ground_truth = 2 } }, target = function(input) return input end,
  scorers = { eval.scorers.exact }, rules = { eval.rules.at_least("exact", 1) } }
LUA
  run_and_expect 1
}

@test "stopped by hand is 130, whatever else is wrong" {
  baseline
  local other
  for other in "" 1 3 4 5; do
    causes 130 $other
    rm -f .stopped
    set -m
    "$EVALUA" run causes.eval.lua --format jsonl >out.jsonl 2>err.txt 3>&- &
    local pid=$!
    set +m
    for _ in $(seq 200); do
      [ "$(grep -c '"type":"item"' out.jsonl)" -ge 20 ] && break
      sleep 0.05
    done
    kill -INT "$pid"
    sleep 0.2
    kill -INT "$pid" 2>/dev/null || true
    local code=0
    wait "$pid" || code=$?
    equal "$other: $code" "$other: 130"
  done
}

@test "2: what can be known before anything runs, whatever the run would have been" {
  baseline
  causes 1 3 4
  local before
  before=$(query 'select count(*) from experiments')
  for arguments in "--limt 3" "--limit none" "-e cuases" "--baseline absent.json" "--baseline 99" "-o r.htm" \
    "--inconclusive maybe" "--where input>" "--limit 1 --sample 1" "--items absent"; do
    # shellcheck disable=SC2086 # they are words
    evalua run causes.eval.lua $arguments
    expect 2
    [ -n "$stderr" ]
  done
  evalua run absent.eval.lua
  expect 2
  echo '{' >causes.baseline.json
  run_and_expect 2
  equal "$(query 'select count(*) from experiments')" "$before"
}

@test "3: a suite that cannot be loaded or whose hooks fail" {
  baseline
  sed -i '2i local x = nil + 1' causes.eval.lua
  run_and_expect 3
  says "causes.eval.lua:2:"
  causes 1
  sed -i 's/name = "causes",/name = "causes", setup = function() error("no service") end,/' causes.eval.lua
  run_and_expect 3
}

@test "4: no data, no price, no baseline; a success_rate rule takes failed items upon itself" {
  baseline
  WRONG=0 causes
  sed -i 's/rules = {  }/rules = { eval.rules.max_cost(1) }/' causes.eval.lua
  run_and_expect 4
  prints "no_data  "
  sed -i 's/rules = { .* },$/rules = { eval.rules.at_least("exact", 0.1, { slice = "metadata.lang=xx" }) },/' \
    causes.eval.lua
  run_and_expect 4
  causes 4
  sed -i 's/rules = {  }/rules = { eval.rules.success_rate(0.9) }/' causes.eval.lua
  run_and_expect 0
  sed -i 's/success_rate(0.9)/success_rate(1)/' causes.eval.lua
  run_and_expect 1
  causes 4
  sed -i 's/rules = {  }/tolerance = 1/' causes.eval.lua
  run_and_expect 0
  rm -r .evalua causes.baseline.json
  causes 5
  run_and_expect 4
  prints "there is no baseline to compare with" "evalua accept"
}

@test "compare has codes of its own: 0, and what --fail-on asks for" {
  baseline
  causes
  "$EVALUA" run causes.eval.lua >/dev/null
  WRONG=30 causes
  "$EVALUA" run causes.eval.lua >/dev/null
  evalua compare 1 3
  expect 0
  evalua compare 1 3 --fail-on regressed
  expect 1
  evalua compare 1 2 --fail-on regressed
  expect 0
  evalua compare 1 2 --fail-on inconclusive
  expect 5
  evalua compare 1 2 3 --fail-on inconclusive
  expect 1
  evalua compare 1 9
  expect 2
}
