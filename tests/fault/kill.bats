#!/usr/bin/env bats
# kill -9 at random moments: what was reported is stored, nothing is doubled, nothing stays behind.
# KILL_SEED=N repeats the moments of a run; KILL_RUNS=N makes it longer.
load ../cli/helper

# The processes that descend from $1, itself left out.
descendants() {
  local child
  for child in $(ps -o pid= --ppid "$1"); do echo "$child"; descendants "$child"; done
}

# Whether a process runs; one that is dead and only waits to be reaped by init does not.
runs() { [[ $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) == [!ZX]* ]]; }

write_suite() {
  suite kill.eval.lua <<'LUA'
local items = {}
for number = 1, 2000 do items[number] = { id = "i" .. number, input = number, ground_truth = number } end
eval.experiment { name = "kill", dataset = items, max_concurrency = 100,
  target = function(input)
    eval.sleep(input % 60)
    if input % 400 == 7 then eval.spawn { argv = { "sleep", "0.2" } } end
    return input
  end, scorers = { eval.scorers.exact, eval.scorer { id = "own", score = function() return 1 end } } }
LUA
}

# Starts a run, kills it after $1 ms, waits until its processes are gone.
run_and_kill() {
  local pid children child alive
  : >out.jsonl
  "$EVALUA" run kill.eval.lua --format jsonl --workers 2 >out.jsonl 2>err.txt 3>&- &
  pid=$!
  sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
  children=$(descendants "$pid")
  kill -9 "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  for _ in $(seq 100); do
    alive=
    for child in $children; do runs "$child" && alive="$alive $child"; done
    [ -z "$alive" ] && return 0
    sleep 0.02
  done
  ps -o pid,ppid,stat,args -p "${alive# }" || true
  echo "still alive after the coordinator's death:$alive"
  return 1
}

# What out.jsonl reported against the rows of the experiment with the highest number.
check_stored() {
  python3 - <<'PY'
import json, os, sqlite3, sys
reported, started = [], None
for line in open("out.jsonl"):
    if not line.endswith("\n"): break # cut by the kill
    event = json.loads(line)
    if event["type"] == "started": started = event
    if event["type"] == "item": reported.append(event)
db = sqlite3.connect(".evalua/evalua.db")
assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
if started is None:
    assert not reported
    print("killed before the start was reported")
    sys.exit()
run = started["experiment_id"]
rows = db.execute("select item_id, position, output, status from results where experiment_id = ? order by position", (run,)).fetchall()
stored = {row[0]: row for row in rows}
assert len(stored) == len(rows), "an item is stored twice"
assert len({e["item_id"] for e in reported}) == len(reported), "an item was reported twice"
lost = [e["item_id"] for e in reported if e["item_id"] not in stored]
assert not lost, "reported and not stored: %s" % lost
assert [e["item_id"] for e in reported] == ["i%d" % n for n in range(1, len(reported) + 1)], "not in item order"
for item, position, output, status in rows:
    assert item == "i%d" % position and status == "ok" and output == item[1:], (item, position, output, status)
scores = db.execute("select item_id, scorer_id, score from scores where experiment_id = ?", (run,)).fetchall()
assert len(scores) == 2 * len(rows) and len({s[:2] for s in scores}) == len(scores), (len(scores), len(rows))
assert {s[0] for s in scores} == set(stored) and all(s[2] == 1 for s in scores)
assert db.execute("select count(*) from selections where experiment_id = ?", (run,)).fetchone()[0] == 2000
print("%d reported, %d stored" % (len(reported), len(rows)))
open("run", "w").write(run)
open("counts", "a").write("%d\n" % len(rows))
PY
}

@test "kill -9 at random moments of 2,000 items at concurrency 100" {
  seed=${KILL_SEED:-$((SRANDOM % 1000000))}
  echo "KILL_SEED=$seed"
  RANDOM=$seed
  write_suite
  for round in $(seq "${KILL_RUNS:-12}"); do
    after=$((20 + RANDOM % 700))
    echo "round $round: killed after $after ms (KILL_SEED=$seed)"
    rm -f run
    run_and_kill "$after"
    [ -e .evalua/evalua.db ] || continue
    check_stored
    [ -e run ] || continue
    evalua list --format json
    expect 0
    status=$(json "next(e['status'] for e in d if e['id'] == '$(cat run)')")
    if grep -q '"type":"done"' out.jsonl; then equal "$status" completed; else equal "$status" interrupted; fi
    evalua show latest
    expect 0
  done
  # Some of the moments were in the middle of a run.
  equal "$(awk '$1 > 0 && $1 < 2000' counts | wc -l | awk '{ print ($1 > 2) }')" 1
  # The store is as good as new.
  evalua run kill.eval.lua --format json
  expect 0
  equal "$(json 'd["experiments"][0]["scorers"]["exact"]["n"]')" 2000
  equal "$(query 'pragma integrity_check')" ok
  equal "$(query 'select count(*) from dataset_versions where version > 0')" 1
}
