#!/usr/bin/env bats
# Nothing is lost and nothing depends on chance: kill -9, any number of workers, thousands of items.
load helper

@test "kill -9 of the coordinator: what was reported is stored, and no process remains" {
  suite long.eval.lua <<'LUA'
local items = {}
for number = 1, 5000 do items[number] = { id = "i" .. number, input = number, ground_truth = number } end
eval.experiment { name = "long", dataset = items, max_concurrency = 20,
  target = function(input) eval.sleep(20) return input end, scorers = { eval.scorers.exact } }
LUA
  "$EVALUA" run long.eval.lua --format jsonl --workers 2 >out.jsonl 2>err.txt 3>&- &
  pid=$!
  for _ in $(seq 200); do
    [ "$(grep -c '"type":"item"' out.jsonl)" -gt 100 ] && break
    sleep 0.05
  done
  children=$(descendants "$pid")
  [ -n "$children" ]
  kill -9 "$pid"
  wait "$pid" || true
  for _ in $(seq 50); do
    alive=
    for child in $children; do kill -0 "$child" 2>/dev/null && alive=$child; done
    [ -z "$alive" ] && break
    sleep 0.1
  done
  equal "$alive" ""
  grep '"type":"item"' out.jsonl | python3 -c '
import json, sys
for line in sys.stdin:
    if line.endswith("\n"): print(json.loads(line)["item_id"])' | sort >reported.txt
  [ "$(wc -l <reported.txt)" -gt 100 ]
  query 'select item_id from results' | sort >stored.txt
  equal "$(comm -23 reported.txt stored.txt)" ""
  equal "$(query 'select count(*) from results')" "$(query 'select count(*) from scores')"
  evalua list --format json
  expect 0
  equal "$(json 'd[0]["status"]')" interrupted
  evalua show latest
  expect 0
  prints interrupted
  equal "$(query 'pragma integrity_check')" ok
}

@test "kill -9 takes the programs that targets run along" {
  suite child.eval.lua <<'LUA'
eval.command { id = "sleeper", argv = { "sh", "-c", "echo $$ >> pids; exec sleep 300" } }
eval.experiment { name = "child", dataset = { { input = 1 }, { input = 2 } }, target = "sleeper",
  scorers = { eval.scorers.exact } }
LUA
  "$EVALUA" run child.eval.lua >out.txt 2>err.txt 3>&- &
  pid=$!
  for _ in $(seq 100); do [ "$(cat pids 2>/dev/null | wc -l)" = 2 ] && break; sleep 0.05; done
  equal "$(wc -l <pids)" 2
  kill -9 "$pid"
  wait "$pid" || true
  for _ in $(seq 50); do
    alive=
    for child in $(cat pids); do kill -0 "$child" 2>/dev/null && alive=$child; done
    [ -z "$alive" ] && break
    sleep 0.1
  done
  equal "$alive" ""
}

@test "1, 2 and 8 workers give the same results in the same order" {
  suite chance.eval.lua <<'LUA'
local items = {}
for number = 1, 500 do items[number] = { id = "i" .. number, input = number, ground_truth = number % 7 } end
eval.experiment { name = "chance", dataset = items, max_concurrency = 16, trials = 1, seed = 5,
  target = function(input)
    eval.sleep(math.random(0, 3))
    if input % 50 == 0 then error("item " .. input .. " cannot be done") end
    return math.random(0, 6)
  end,
  scorers = { eval.scorers.exact, eval.scorer { id = "dice", score = function() return math.random() end } } }
LUA
  for workers in 1 2 8; do
    "$EVALUA" run chance.eval.lua --workers $workers --format json >"$workers.json" || [ $? -eq 4 ]
    python3 - "$workers" <<'PY'
import json, sys
run = json.load(open(sys.argv[1] + ".json"))["experiments"][0]
def plain(score): return {k: v for k, v in score.items() if k != "latency_ms"}
rows = [(r["item_id"], r["status"], r["output"], r["passed"], (r["error"] or {}).get("message"),
         sorted((plain(s) for s in r["scores"]), key=lambda s: s["scorer_id"])) for r in run["results"]]
json.dump([rows, run["scorers"]], open(sys.argv[1] + ".rows", "w"), sort_keys=True)
assert len(rows) == 500 and [r[0] for r in rows] == ["i%d" % n for n in range(1, 501)]
PY
  done
  cmp 1.rows 2.rows
  cmp 1.rows 8.rows
}

@test "10,000 items at concurrency 100: every result and score is stored, and the summary agrees" {
  counting_suite many.eval.lua 10000
  "$EVALUA" run many.eval.lua -j 100 --format json >out.json
  equal "$(query 'select count(*) from results')" 10000
  equal "$(query 'select count(*) from scores')" 10000
  equal "$(query 'select count(distinct item_id) from results')" 10000
  python3 - <<'PY'
import json
run = json.load(open("out.json"))["experiments"][0]
assert run["total_items"] == run["succeeded_count"] == 10000, run["succeeded_count"]
assert run["scorers"]["exact"]["n"] == 10000 and run["scorers"]["exact"]["mean"] == 1
assert [r["item_id"] for r in run["results"]] == ["n%06d" % n for n in range(1, 10001)]
PY
}

@test "another process reads while a run writes" {
  suite slow.eval.lua <<'LUA'
local items = {}
for number = 1, 300 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "slow", dataset = items, target = function(input) eval.sleep(20) return input end,
  scorers = {} }
LUA
  "$EVALUA" run slow.eval.lua >out.txt 2>err.txt 3>&- &
  pid=$!
  seen=
  for _ in $(seq 100); do
    sleep 0.1
    kill -0 "$pid" 2>/dev/null || break
    [ -e .evalua/evalua.db ] || continue
    count=$(query 'select count(*) from results' 2>/dev/null) || continue
    if [ "$count" -gt 0 ] && [ "$count" -lt 300 ]; then
      evalua list --format json
      expect 0
      equal "$(json 'd[0]["status"]')" running
      seen=1
      break
    fi
  done
  wait "$pid"
  [ -n "$seen" ]
  equal "$(query 'select count(*) from results')" 300
}

@test "the second run of a suite makes no new version of its dataset" {
  small_suite
  "$EVALUA" run small.eval.lua >/dev/null
  "$EVALUA" run small.eval.lua >/dev/null
  evalua dataset history small --format json
  equal "$(json '[v["version"] for v in d if v["version"] > 0]')" '[1]'
  evalua compare latest~1 latest --format json
  expect 0
  equal "$(json 'd["items"]["paired"]')" 3
  equal "$(json 'd["scorers"]["exact"]["delta"]')" 0.0
  equal "$(json 'd["scorers"]["exact"]["verdict"]')" no_worse
}
