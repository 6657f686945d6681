#!/usr/bin/env bats
# evalua resume, evalua retry, run --failed-from: nothing runs twice, nothing is lost, and what changed is said.
load helper

# 600 items that wait a little, 50 at a time: over a second.
long_suite() {
  suite "${1:-long.eval.lua}" <<'LUA'
local items = {}
for number = 1, 600 do items[number] = { id = "i" .. number, input = number, ground_truth = number } end
eval.experiment { name = "long", dataset = items, max_concurrency = 50,
  target = function(input) eval.sleep(math.random(50, 180)) return input end, scorers = { eval.scorers.exact } }
LUA
}

# One result with its score for every (item, trial) of the selection, and a sound file.
whole() {
  equal "$(query "select count(*) from results where status = 'ok'")" "$1"
  equal "$(query 'select count(*) from (select distinct experiment_id, item_id, trial from results)')" "$1"
  equal "$(query 'select count(*) from scores')" "$1"
  equal "$(query 'select count(*) from selections s join results r on r.experiment_id = s.experiment_id and
    r.position = s.position and r.item_id = s.item_id and r.trial = s.trial and r.item_version = s.item_version')" "$1"
  equal "$(query 'pragma integrity_check')" ok
}

@test "kill -9 of a worker or of all of them does not lose or double an item" {
  long_suite
  "$EVALUA" run long.eval.lua --workers 2 >out.txt 2>err.txt 3>&- &
  pid=$!
  until_results 1
  kill -9 "$(ps -o pid= --ppid "$pid" | head -1)"
  wait "$pid" || true
  "$EVALUA" retry 1 >>out.txt 2>&1 || true
  whole 600
}

@test "a run that is cancelled is finished by resume, and says what ran" {
  long_suite
  "$EVALUA" run long.eval.lua >out.txt 2>err.txt 3>&- &
  pid=$!
  until_results 1
  kill -INT "$pid"
  wait "$pid" && false
  equal "$(query 'select status from experiments')" cancelled
  left=$((600 - $(query 'select count(*) from results')))
  [ "$left" -gt 0 ]
  evalua resume latest --format jsonl
  expect 0
  equal "$(jsonl '[e["left"] for e in d if e["type"] == "started"]')" "[$left]"
  equal "$(jsonl 'len([e for e in d if e["type"] == "item"])')" 600
  equal "$(jsonl 'd[-1]["summary"]["succeeded_count"]')" 600
  whole 600
  evalua resume 1
  expect 0
  says "nothing to resume"
}

@test "a run that was killed with all its results stored is judged by resume, and its stream is whole" {
  flaky_suite
  "$EVALUA" run flaky.eval.lua >/dev/null
  query "update experiments set status = 'running', summary = null"
  evalua resume 1 --format jsonl
  expect 0
  equal "$(jsonl '[e["item_id"] for e in d if e["type"] == "item"]')" '["a", "b", "c"]'
  equal "$(query 'select status from experiments')" completed
}

@test "a run that another process runs is refused" {
  long_suite
  "$EVALUA" run long.eval.lua >out.txt 2>err.txt 3>&- &
  pid=$!
  until_results 1
  evalua resume latest
  expect 2
  says "is running in another process"
  evalua retry latest
  expect 2
  wait "$pid"
  whole 600
}

# Three items of which b fails while the file `broken` is there; VERSION and MORE go into the target and experiment.
flaky_suite() {
  suite flaky.eval.lua <<LUA
local function broken() local file = io.open("broken") if file then file:close() end return file ~= nil end
eval.target { id = "upper", ${1:-} run = function(input)
  if input == "two" and broken() then error("the service is down") end
  return input:upper()
end }
eval.experiment { name = "flaky", target = "upper", scorers = { ${2:-eval.scorers.exact} }, ${3:-}
  dataset = { { id = "a", input = "one", ground_truth = "ONE" }, { id = "b", input = "two", ground_truth = "TWO" },
    { id = "c", input = "three", ground_truth = "DREI" } } }
LUA
}

@test "retry runs only what failed, keeps the old error as an attempt, and judges anew" {
  flaky_suite
  touch broken
  evalua run flaky.eval.lua
  expect 4
  before=$(query "select item_id, completed_at from results where item_id <> 'b' order by 1")
  evalua retry latest
  expect 4
  equal "$(query "select status, retry_count from results where item_id = 'b'")" 'error|1'
  rm broken
  evalua retry latest --format json
  expect 0
  equal "$(json 'd["experiments"][0]["failed_count"]')" 0
  equal "$(query "select item_id, completed_at from results where item_id <> 'b' order by 1")" "$before"
  equal "$(query "select status, retry_count, output from results where item_id = 'b'")" 'ok|2|"TWO"'
  equal "$(query "select attempt, status from attempts order by 1")" $'1|error\n2|error'
  equal "$(query 'select count(*) from experiments')" 1
  whole 3
  evalua retry latest
  expect 0
  says "nothing to retry"
}

@test "retry runs items again whose scorer failed; the old score goes with the old result" {
  flaky_suite "" 'eval.scorer { id = "judge", score = function(run)
    local file = io.open("broken") if file then file:close() error("no judge") end return 1 end }'
  touch broken
  evalua run flaky.eval.lua
  expect 4
  rm broken
  evalua retry latest
  expect 0
  whole 3
  equal "$(query "select count(*) from scores where status = 'ok'")" 3
}

@test "a changed target, version or scorer is refused and named; changed code is a warning" {
  flaky_suite 'version = "1",'
  touch broken
  "$EVALUA" run flaky.eval.lua >/dev/null 2>&1 || true
  flaky_suite 'version = "2",'
  evalua retry latest
  expect 2
  says 'target upper: its version was 1, now it is 2' "not reused"
  flaky_suite 'version = "1",' 'eval.scorers.exact, eval.scorers.contains { id = "more", "X" }'
  evalua retry latest
  expect 2
  says "scorer more is new"
  flaky_suite 'version = "1",' 'eval.scorers.exact' 'description = "now with words",'
  rm broken
  evalua retry latest
  expect 0
  says "the suite's code is not what it was when run 1 started" "flaky.eval.lua changed"
  sed -i 's/"flaky"/"shaky"/' flaky.eval.lua
  evalua retry latest
  says "nothing to retry"
  query "update results set status = 'error' where item_id = 'a'"
  evalua retry latest
  expect 2
  says "no longer declares the experiment"
  rm flaky.eval.lua
  evalua retry latest
  expect 2
  says "is gone"
}

@test "a target without a version whose function changed is a warning" {
  flaky_suite
  touch broken
  "$EVALUA" run flaky.eval.lua >/dev/null 2>&1 || true
  sed -i 's/input:upper()/input:upper() .. ""/' flaky.eval.lua
  rm broken
  evalua retry latest
  expect 0
  says "target upper is defined differently"
}

@test "resume takes parameters from the run, and works from another directory" {
  mkdir sub
  suite sub/params.eval.lua <<'LUA'
local word = eval.param { name = "word", default = "x" }
eval.experiment { name = "p", dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } }, max_concurrency = 1,
  max_failures = 1, target = function(input)
    local file = io.open("/tmp/no-such-file-of-evalua")
    if input == 1 and not os.getenv("FIXED") then error("no") end
    return word end, scorers = {} }
LUA
  "$EVALUA" run sub/params.eval.lua -p word=given >/dev/null 2>&1 || true
  equal "$(query 'select count(*) from results')" 1
  mkdir other
  cd other
  FIXED=1 evalua resume 1
  cd ..
  equal "$(query "select output from results where item_id = 'b'")" '"given"'
  FIXED=1 evalua retry 1
  expect 0
  equal "$(query "select distinct output from results")" '"given"'
}

@test "a file of cases is resumed with its command and scorers" {
  printf '{"id":"a","input":"x","ground_truth":"x"}\n{"id":"b","input":"y","ground_truth":"y"}\n' >cases.jsonl
  printf '#!/bin/sh\n[ -e broken ] && exit 3\ncat\n' >echo.sh
  chmod +x echo.sh
  touch broken
  "$EVALUA" run cases.jsonl --command ./echo.sh -s exact >/dev/null 2>&1 || true
  rm broken
  evalua retry latest
  expect 0
  whole 2
}

@test "run --failed-from runs what failed or did not pass, in a new run" {
  flaky_suite
  touch broken
  "$EVALUA" run flaky.eval.lua >/dev/null 2>&1 || true
  rm broken
  evalua run --failed-from 1 --format json
  expect 0
  equal "$(json '[r["item_id"] for r in d["experiments"][0]["results"]]')" '["b", "c"]'
  equal "$(json 'd["experiments"][0]["selection"]["failed_from"]')" 1
  evalua run flaky.eval.lua --failed-from latest --format json
  equal "$(json '[r["item_id"] for r in d["experiments"][0]["results"]]')" '["c"]'
  evalua run flaky.eval.lua --items a >/dev/null
  evalua run flaky.eval.lua --failed-from latest
  expect 2
  says "nothing to run"
  evalua run flaky.eval.lua --failed-from 1 --items a
  expect 2
}
