#!/usr/bin/env bats
# resume and retry: reports as run has them, runs that scripts started, and cases whose command holds a key.
load helper

# forget ITEM: the run has not got to that item, and is interrupted.
forget() {
  query "delete from results where item_id = '$1'; delete from scores where item_id = '$1';
    update experiments set status = 'running', verdict = null, completed_at = null"
}

@test "resume and retry write every report with --format and -o, as run does" {
  counting_suite count.eval.lua 5
  evalua run count.eval.lua
  expect 0
  forget n000003
  evalua resume latest --format junit -o out.json -o out.md -o out.csv -o out.jsonl -j 2
  expect 0
  prints '<testsuite' 'n000003'
  equal "$(python3 -c 'import json; print(json.load(open("out.json"))["experiments"][0]["succeeded_count"])')" 5
  grep -q "evalua report" out.md
  equal "$(wc -l <out.csv)" 6
  equal "$(grep -c '"type":"item"' out.jsonl)" 5
  query "update results set status = 'error' where item_id = 'n000002'"
  evalua retry latest --format csv -o again.html
  expect 0
  prints "n000002"
  grep -q "<html" again.html
  evalua resume latest -o out.xls
  expect 2
  says "out.xls" ".json"
}

@test "resume of a run that a script started says why it cannot, and leaves it as it was" {
  cat >script.lua <<'LUA'
local eval = require "evalua"
local set = eval.datasets.create { name = "set" }
set:add_items { { id = "a", input = 1 }, { id = "b", input = 2 } }
local summary = set:start_experiment { name = "scripted", scorers = {}, target = function(input) return input end }
assert(summary.succeeded_count == 2)
LUA
  evalua exec script.lua
  expect 0
  forget b
  before=$(store_digest)
  evalua resume latest
  expect 2
  says "experiment 1 (scripted) was started by a script (script.lua:4)" "run the script again" "evalua show 1"
  equal "$(store_digest)" "$before"
  # The same where a suite runs one while it is loaded: loading it again would run it again.
  rm -rf .evalua
  suite loaded.eval.lua <<'LUA'
local set = eval.datasets.create { name = "set" }
set:add_items { { id = "a", input = 1 }, { id = "b", input = 2 } }
set:start_experiment { name = "scripted", scorers = {}, target = function(input) return input end }
eval.experiment { name = "declared", dataset = "set", scorers = {}, target = function(input) return input end }
LUA
  evalua run loaded.eval.lua
  expect 0
  forget b
  evalua resume scripted
  expect 2
  says "was started by a script (loaded.eval.lua:4)"
  equal "$(query 'select count(*) from experiments')" 2
}

@test "cases: keys in --command are in no file and no row, and resume reads them from the environment" {
  printf '%s\n' '{"id":"a","input":1,"ground_truth":"fine"}' '{"id":"b","input":2,"ground_truth":"fine"}' >cases.jsonl
  printf '%s\n' '#!/bin/sh' '[ "$2" = sk-abcdefghijklmnopqrstuvwx ] && [ "$4" = tok-1234567890 ] && echo fine' >app
  chmod +x app
  export MY_TOKEN=tok-1234567890
  evalua run cases.jsonl --command './app --api-key sk-abcdefghijklmnopqrstuvwx --tok tok-1234567890 "a b"' \
    -s 'exact' --save saved.eval.lua --format json
  expect 0
  says "the key in --command is not stored" "environment variable API_KEY"
  equal "$(json '[r["output"] for r in d["experiments"][0]["results"]]')" '["fine", "fine"]'
  grep -q 'eval.env "API_KEY"' saved.eval.lua
  grep -q 'eval.env "MY_TOKEN"' saved.eval.lua
  ! grep -rq "sk-abcdefghij\|tok-1234567890" .evalua saved.eval.lua
  forget b
  evalua resume latest
  expect 2
  says "environment variable API_KEY is not set"
  API_KEY=sk-abcdefghijklmnopqrstuvwx evalua resume latest --format json
  expect 0
  equal "$(json '[r["output"] for r in d["experiments"][0]["results"]]')" '["fine", "fine"]'
  [[ $stderr != *"defined differently"* ]]
  ! grep -rq "sk-abcdefghij\|tok-1234567890" .evalua
}

@test "where nothing is left to resume or retry, the reports that are asked for are those of the run" {
  small_suite
  sed -i 's/scorers = { eval.scorers.exact },/&\n  rules = { eval.rules.at_least("exact", 0.9) },/' small.eval.lua
  "$EVALUA" run small.eval.lua >/dev/null || true
  evalua resume latest
  expect 1
  equal "$output" ""
  evalua resume latest --format json -o resumed.md
  expect 1
  says "nothing to resume"
  equal "$(json '[d["verdict"], len(d["experiments"]), len(d["experiments"][0]["results"])]')" '["fail", 1, 3]'
  grep -q 'fail: exact at least 0.9' resumed.md
  evalua retry latest --format jsonl -o retried.xml
  expect 1
  equal "$(jsonl '[e["type"] for e in d]')" '["done"]'
  grep -q '<testsuites' retried.xml
}
