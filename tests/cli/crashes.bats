#!/usr/bin/env bats
# Workers that die and runs that are interrupted: what is stored, what is said, and that no process is left.
load helper

# ==== Workers that die ====

@test "a worker killed from outside: what it ran fails and names SIGKILL, everything else is done" {
  suite killed.eval.lua <<'LUA'
local items = {}
for number = 1, 300 do items[number] = { id = "i" .. number, input = number, ground_truth = number } end
eval.experiment { name = "killed", dataset = items, max_concurrency = 10, scorers = { eval.scorers.exact },
  target = function(input) eval.sleep(40) return input end }
LUA
  "$EVALUA" run killed.eval.lua --workers 2 --format json >out.json 2>err.txt 3>&- &
  pid=$!
  until_results 20
  worker=$(ps -o pid= --ppid "$pid" | head -1)
  kill -9 $worker
  ended
  output=$(cat out.json)
  equal "$code" 4
  equal "$(each 'e["status"]')" completed
  equal "$(each 'len(e["results"])')" 300
  equal "$(each '1 <= e["failed_count"] <= 5')" true
  equal "$(each 'sorted({r["error"]["code"] for r in e["results"] if r["error"]})')" '["worker_crashed"]'
  equal "$(each 'all("SIGKILL" in r["error"]["message"] for r in e["results"] if r["error"])')" true
  equal "$(each 'all(r["status"] == "ok" and r["output"] == r["input"] for r in e["results"] if not r["error"])')" true
  gone "$worker"
}

@test "an item that kills its own worker fails with the signal; only what ran beside it is touched" {
  export ASAN_OPTIONS=${ASAN_OPTIONS:-}:handle_segv=0:handle_sigbus=0 # the signal itself is what is tested
  suite suicide.eval.lua <<'LUA'
local items = {}
for number = 1, 60 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "suicide", dataset = items, max_concurrency = 1, scorers = {},
  target = function(input)
    if input == 20 then eval.spawn { argv = { "sh", "-c", "kill -SEGV $PPID; sleep 5" } } end
    if input == 40 then eval.spawn { argv = { "sh", "-c", "kill -ABRT $PPID; sleep 5" } } end
    return input
  end }
LUA
  evalua run suicide.eval.lua --format json
  expect 4
  equal "$(each '[r["item_id"] for r in e["results"] if r["status"] != "ok"]')" '["i20", "i40"]'
  [[ "$(each 'R["i20"]["error"]["message"]')" == *SIGSEGV* ]]
  [[ "$(each 'R["i40"]["error"]["message"]')" == *SIGABRT* ]]
  equal "$(each 'R["i20"]["error"]["code"]')" worker_crashed
  equal "$(each 'e["succeeded_count"]')" 58
}

@test "an item whose worker died has its start and end, and the summary its latency" {
  suite times.eval.lua <<'LUA'
eval.experiment { name = "times", max_concurrency = 1, scorers = {}, dataset = { { id = "a", input = 1 } },
  target = function() eval.spawn { argv = { "sh", "-c", "sleep 0.1; kill -KILL $PPID; sleep 5" } } end }
LUA
  evalua run times.eval.lua --format json
  expect 4
  equal "$(each 'R["a"]["error"]["code"]')" worker_crashed
  equal "$(each 'bool(R["a"]["completed_at"])')" true
  equal "$(each 'bool(R["a"]["started_at"]) and R["a"]["started_at"] < R["a"]["completed_at"]')" true
}

@test "a worker that dies while one item's code runs: that item fails, those that only waited run again" {
  export ASAN_OPTIONS=${ASAN_OPTIONS:-}:handle_segv=0:handle_sigbus=0 # the signal itself is what is tested
  suite busy.eval.lua <<'LUA'
local items = {}
for number = 1, 12 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "busy", dataset = items, max_concurrency = 6, scorers = {},
  target = function(input)
    if input == 6 then
      eval.sleep(50)
      eval.spawn { argv = { "sh", "-c", "p=$PPID; setsid sh -c \"sleep 0.3; kill -BUS $p\" >/dev/null 2>&1 </dev/null & sleep 0.15" } }
      local stop = os.clock() + 3
      while os.clock() < stop do end
    end
    eval.sleep(450)
    return input
  end }
LUA
  evalua run busy.eval.lua --workers 1 --format json
  expect 4
  equal "$(each '[r["item_id"] for r in e["results"] if r["status"] != "ok"]')" '["i6"]'
  [[ "$(each 'R["i6"]["error"]["message"]')" == *SIGBUS* ]]
  equal "$(each 'max(r["interrupted_by"] for r in e["results"])')" 1
  equal "$(each 'max(r["retry_count"] for r in e["results"])')" 0
}

@test "max_retries helps an item whose worker died" {
  suite again.eval.lua <<'LUA'
eval.experiment { name = "again", max_retries = 1, max_concurrency = 1, scorers = { eval.scorers.exact },
  dataset = { { id = "a", input = "a", ground_truth = "a" }, { id = "once", input = "once", ground_truth = "once" },
    { id = "always", input = "always" }, { id = "d", input = "d", ground_truth = "d" } },
  target = function(input)
    local file = io.open "died"
    if input == "always" or input == "once" and not file then
      assert(io.open("died", "w")):close()
      eval.spawn { argv = { "sh", "-c", "kill -KILL $PPID; sleep 5" } }
    end
    return input
  end }
LUA
  evalua run again.eval.lua --format json
  expect 4
  equal "$(each '[(r["item_id"], r["status"], r["retry_count"]) for r in e["results"]]')" \
    '[["a", "ok", 0], ["once", "ok", 1], ["always", "error", 1], ["d", "ok", 0]]'
  equal "$(each 'R["always"]["error"]["code"]')" worker_crashed
  equal "$(query "select item_id, attempt, error ->> 'code' from attempts order by item_id")" \
    $'always|1|worker_crashed\nonce|1|worker_crashed'
}

@test "the programs of a worker that was killed are gone when the run ends" {
  mark=$(unique)
  suite orphans.eval.lua <<LUA
eval.experiment { name = "orphans", max_concurrency = 2, scorers = {},
  dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } },
  target = function(input)
    if input == 1 then eval.spawn { argv = { "sh", "-c", "sleep $mark & sleep $mark" } } end
    eval.spawn { argv = { "sh", "-c", "sleep 0.3; kill -KILL \$PPID; sleep 5" } }
  end }
LUA
  evalua run orphans.eval.lua --workers 1 --format json
  expect 4
  equal "$(each '[r["error"]["code"] for r in e["results"]]')" '["worker_crashed", "worker_crashed"]'
  equal "$(pgrep -fc -- "sleep $mark" || true)" 0
}

# ==== Interrupts ====

# Items that wait, one of which holds a program named by $mark; the first 20 are quick.
interruptible() {
  mark=$(unique)
  suite slow.eval.lua <<LUA
local items = {}
for number = 1, 400 do items[number] = { id = "i" .. number, input = number, ground_truth = number } end
eval.experiment { name = "slow", dataset = items, max_concurrency = 10, scorers = { eval.scorers.exact },
  target = function(input)
    if input > 20 then eval.sleep($1) end
    if input == 25 then eval.spawn { argv = { "sleep", "$2" } } end
    return input
  end }
LUA
}

# interrupted CODE: what must hold after an interrupt, in out.json and in the store.
interrupted() {
  output=$(cat out.json)
  cat err.txt
  equal "$code" 130
  equal "$(pgrep -fc -- "sleep $mark" || true)" 0
  gone $children
  equal "$(each 'e["status"]')" cancelled
  equal "$(query 'select status from experiments')" cancelled
  equal "$(each 'e["succeeded_count"] >= 20 and e["skipped_count"] >= 200')" true
  equal "$(each 'e["succeeded_count"] + e["failed_count"] + e["skipped_count"]')" 400
  equal "$(query "select count(*) from results where status = 'ok'")" "$(each 'e["succeeded_count"]')"
  equal "$(query 'select count(*) from scores')" "$(each 'e["succeeded_count"]')"
  equal "$(query 'pragma integrity_check')" ok
}

start_slow() {
  setsid "$EVALUA" run slow.eval.lua --workers 2 --format json >out.json 2>err.txt 3>&- &
  pid=$!
  until_results 20
  sleep 0.2
  children=$(descendants "$pid")
  [ -n "$children" ]
}

interrupt() {
  kill -INT "$pid"
  ended
}

@test "SIGINT to the coordinator alone: items in flight end, the rest is skipped, exit 130" {
  interruptible 300 0.1
  start_slow
  timed interrupt
  [ "$took" -lt 4000 ]
  interrupted
  equal "$(each 'e["failed_count"]')" 0
  grep -q "stopping" err.txt
}

@test "Ctrl-C, SIGINT to the whole process group, is the same" {
  interruptible 300 0.1
  start_slow
  kill -INT -- "-$pid"
  ended
  interrupted
  equal "$(each 'e["failed_count"]')" 0
}

@test "SIGTERM is the same" {
  interruptible 300 0.1
  start_slow
  kill -TERM "$pid"
  ended
  interrupted
  equal "$(each 'e["failed_count"]')" 0
}

@test "a second SIGINT ends at once, and leaves no process" {
  interruptible 300 "$(unique)"
  sed -i 's/eval.sleep(300)/eval.sleep "100s"/' slow.eval.lua
  start_slow
  kill -INT "$pid"
  sleep 0.3
  kill -0 "$pid"
  timed interrupt
  [ "$took" -lt 2500 ]
  interrupted
}

@test "after one SIGINT items in flight get five seconds, then they are given up" {
  interruptible 300 "$(unique)"
  sed -i "s/eval.sleep(300)/eval.sleep '100s'/; s/input == 25/input == 21/" slow.eval.lua
  start_slow
  timed interrupt
  [ "$took" -ge 4900 ] && [ "$took" -lt 10000 ]
  interrupted
}
