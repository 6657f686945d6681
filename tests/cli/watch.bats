#!/usr/bin/env bats
# evalua run --watch: a changed file starts a new run, and what came of it is said.
load helper

teardown() {
  if [ -n "${pid:-}" ]; then
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  fi
  nothing_left
}

# A suite of a module, a prompt and a CSV file.
watched_suite() {
  echo 'return { factor = 1 }' >lib.lua
  echo 1 >prompt.txt
  printf 'id,input,ground_truth\na,1,1\nb,2,2\nc,3,3\n' >data.csv
  suite watched.eval.lua <<'LUA'
local lib = require "lib"
local prompt = eval.file "prompt.txt"
eval.experiment { name = "watched", dataset = eval.csv "data.csv", scorers = { eval.scorers.numeric },
  target = function(input) return tonumber(prompt) * lib.factor * tonumber(input) end }
LUA
}

# Starts watching; what it says is in err.txt.
watch() {
  "$EVALUA" run "$@" --watch >out.txt 2>err.txt 3>&- &
  pid=$!
}

# waits COUNT: it has begun to wait for changes that many times.
waits() {
  for _ in {1..200}; do
    [ "$(grep -c "watching" err.txt || true)" -ge "$1" ] && return 0
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  echo "it does not wait"
  cat out.txt err.txt
  return 1
}

runs() { query 'select count(*) from experiments'; }

@test "a change of a module, a prompt or data starts a new run; what changed is said, and what came of it" {
  watched_suite
  watch
  waits 1
  grep -q "watching 4 files" err.txt
  equal "$(runs)" 1
  echo 'return { factor = 2 }' >lib.lua
  waits 2
  grep -q "lib.lua changed; running again" err.txt
  grep -q "watched, #2 against #1: numeric 1.00 to 0.00, inconclusive (0 better, 3 worse)" err.txt
  # As editors write: a new file takes the place of the old one.
  echo 0.5 >prompt.new
  mv prompt.new prompt.txt
  waits 3
  grep -q "prompt.txt changed; running again" err.txt
  grep -q "watched, #3 against #2: numeric 0.00 to 1.00, no worse (3 better, 0 worse)" err.txt
  rm data.csv
  sleep 0.2
  printf 'id,input,ground_truth\na,1,1\nb,2,2\nc,3,4\n' >data.csv
  waits 4
  grep -q "data.csv changed; running again" err.txt
  equal "$(query 'select group_concat(dataset_version) from experiments')" 1,1,1,2
  sed -i 's/numeric }/numeric, eval.scorers.exact }/' watched.eval.lua
  waits 5
  grep -q "watched.eval.lua changed; running again" err.txt
  equal "$(runs)" 5
}

@test "a file that is only touched starts nothing; several at once start one run" {
  watched_suite
  watch
  waits 1
  touch lib.lua prompt.txt
  sleep 0.5
  equal "$(runs)" 1
  echo 'return { factor = 3 }' >lib.lua
  echo 2 >prompt.txt
  waits 2
  grep -q "lib.lua changed, prompt.txt changed; running again" err.txt
  sleep 0.4
  equal "$(runs)" 2
}

@test "an error of the script is printed and waited on; a module that appears ends it" {
  watched_suite
  watch
  waits 1
  echo 'return {' >lib.lua
  waits 2
  grep -q "lib.lua:2: unexpected symbol" err.txt
  echo 'return { factor = require("missing") }' >lib.lua
  waits 3
  grep -q 'there is no module "missing"' err.txt
  echo 'return 1' >missing.lua
  waits 4
  grep -q "missing.lua is new; running again" err.txt
  equal "$(runs)" 2
}

@test "a run that was broken from the start is waited on, one that names nothing is not" {
  echo 'local eval = require "evalua" eval.experiment { nam = "x" }' >broken.eval.lua
  watch
  waits 1
  grep -q "broken.eval.lua:1" err.txt
  small_suite broken.eval.lua
  waits 2
  equal "$(runs)" 1
  kill -INT "$pid"
  wait "$pid"
  pid=
  evalua run nothing.eval.lua --watch
  expect 2
  says "nothing.eval.lua"
  evalua run broken.eval.lua --watch --dry-run
  expect 2
  evalua run broken.eval.lua --watch --store :memory:
  expect 2
}

@test "a new suite, a file that a script opens itself, and the program of a command are watched" {
  echo 5 >own.txt
  suite own.eval.lua <<'LUA'
local file <close> = io.open "own.txt"
local number = file:read "n"
eval.experiment { name = "own", dataset = { { id = "a", input = 1 } }, scorers = {}, target = function() return number end }
LUA
  echo 'cat; echo' >program.sh
  suite program.eval.lua <<'LUA'
eval.command { id = "program", argv = { "sh", "program.sh" } }
eval.experiment { name = "program", dataset = { { id = "a", input = "x" } }, scorers = {}, target = "program" }
LUA
  watch
  waits 1
  echo 6 >own.txt
  waits 2
  equal "$(query "select output from results r join experiments e on e.id = r.experiment_id where e.name = 'own'
    order by e.number desc limit 1")" 6
  echo 'cat >/dev/null; echo other' >program.sh
  waits 3
  small_suite
  waits 4
  grep -q "small.eval.lua is new; running again" err.txt
  equal "$(query "select group_concat(distinct name) from experiments where number > 6")" own,program,upper
}

@test "Ctrl-C while it waits ends it with 0; SIGTERM too; while a run is on with 130, and nothing is left" {
  watched_suite
  for signal in INT TERM HUP; do
    : >err.txt
    watch
    waits 1
    kill -s "$signal" "$pid"
    status=0
    wait "$pid" || status=$?
    equal "$status" 0
  done
  suite slow.eval.lua <<'LUA'
eval.experiment { name = "slow", dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } }, scorers = {},
  max_concurrency = 1, target = function(input) eval.sleep(1000) return input end }
LUA
  mark=watch_$SRANDOM$SRANDOM
  EVALUA_TEST_MARK=$mark "$EVALUA" run slow.eval.lua --watch >out.txt 2>err.txt 3>&- &
  pid=$!
  for _ in {1..100}; do [ "$(query 'select count(*) from selections' 2>/dev/null || echo 0)" -gt 1 ] && break; sleep 0.02; done
  sleep 0.2
  kill -TERM "$pid"
  status=0
  wait "$pid" || status=$?
  equal "$status" 130
  equal "$(query "select status from experiments where name = 'slow'")" cancelled
  equal "$(grep -lzsx "EVALUA_TEST_MARK=$mark" /proc/[0-9]*/environ || true)" ""
}
