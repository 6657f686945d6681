#!/usr/bin/env bats
# A disk that is full, a store that cannot be written any more, a lock that another process holds: the run says what is
# not stored, never calls itself complete without its rows, and `resume` finishes it.
load ../cli/helper

teardown() {
  if [ -n "${mounted:-}" ]; then umount -l "$mounted"; fi
  nothing_left
}

# writing_suite COUNT [EXTRA]: items whose results are a few hundred bytes each.
writing_suite() {
  suite writing.eval.lua <<LUA
local items = {}
for number = 1, $1 do items[number] = { id = "i" .. number, input = number, ground_truth = ("x"):rep(300) } end
eval.experiment { name = "writing", dataset = items, max_concurrency = 100,
  target = function(input) eval.sleep(10) return ("x"):rep(300) end, scorers = { eval.scorers.exact }, ${2:-} }
LUA
}

# What the stream reported is stored, the file is sound, and the run is not called complete unless it is.
nothing_lost() { # COUNT
  equal "$(query 'pragma integrity_check')" ok
  query 'select item_id from results' 2>/dev/null | sort >stored || : >stored
  sed -n 's/^{"type":"item".*"item_id":"\(i[0-9]*\)".*}$/\1/p' out.jsonl | sort >reported
  equal "$(comm -23 reported stored)" ""
  if [ "$(query 'select status from experiments' 2>/dev/null || true)" = completed ]; then
    equal "$(query 'select count(*) from results')" "$1"
  fi
}

resumed() { # COUNT
  [ "$(query 'select count(*) from experiments' 2>/dev/null || echo 0)" = 1 ] || return 0 # nothing to finish yet
  "$EVALUA" resume 1 --store "${store:-.evalua/evalua.db}" >resumed.txt 2>&1 || { cat resumed.txt; return 1; }
  equal "$(query 'select status, (select count(*) from results), (select count(*) from scores) from experiments')" \
    "completed|$1|$1"
}

# Builds what makes writing fail, or skips.
build_faults() {
  "${CC:-cc}" -shared -fPIC -O1 -Wall -o faults.so "$BATS_TEST_DIRNAME/store_faults.c" -ldl 2>cc.txt || skip "no C compiler"
}

# faulty COMMAND...: with the writes to the store failing as $EVALUA_FAULT_* say.
faulty() {
  ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0 LD_PRELOAD=$PWD/faults.so EVALUA_FAULT_PATH=.evalua/evalua.db \
    "$EVALUA" "$@"
}

@test "a full disk: exit 4 and what is not stored; with room again resume completes" {
  writing_suite 3000
  mkdir full
  mount -t tmpfs -o size=2600k tmpfs full 2>mount.txt || skip "mounting a tmpfs is not allowed here"
  mounted=$PWD/full store=$PWD/full/evalua.db
  status=0
  "$EVALUA" run writing.eval.lua --store "$store" --format jsonl >out.jsonl 2>err.txt || status=$?
  cat err.txt
  equal "$status" 4
  grep -q "disk is full" err.txt
  grep -Eq "[1-9][0-9]* finished results are not stored \([0-9]+ of 3000 are\)" err.txt
  equal "$(jsonl '[d[-1]["type"], d[-1]["summary"]["status"]]' <out.jsonl 2>/dev/null || tail -1 out.jsonl |
    python3 -c 'import json, sys; e = json.loads(sys.stdin.read()); print(json.dumps([e["type"], e["summary"]["status"]]))')" \
    '["done", "failed"]'
  mount -o remount,size=40m full
  nothing_lost 3000
  equal "$(query 'select status <> "completed" from experiments')" 1
  resumed 3000
}

@test "a disk that is full before anything can be stored: exit 4, and no run" {
  writing_suite 3000
  mkdir full
  mount -t tmpfs -o size=200k tmpfs full 2>mount.txt || skip "mounting a tmpfs is not allowed here"
  mounted=$PWD/full
  evalua run writing.eval.lua --store full/evalua.db
  expect 4
  says "disk is full"
  mount -o remount,size=40m full
  evalua run writing.eval.lua --store full/evalua.db
  expect 0
}

@test "a file that may not grow (ulimit -f): exit 4, not the signal; then resume completes" {
  writing_suite 3000
  status=0
  (ulimit -f 3000; exec "$EVALUA" run writing.eval.lua --format jsonl) >out.jsonl 2>err.txt || status=$?
  cat err.txt
  equal "$status" 4
  grep -q "finished results are not stored" err.txt
  nothing_lost 3000
  resumed 3000
}

@test "no space, read-only, I/O errors from any write on: exit 4, nothing lost, and resume completes" {
  build_faults
  writing_suite 1500
  for after in 0 30 150 250 400 500 600 700 800 900; do
    for number in 28 30 5; do
      rm -rf .evalua out.jsonl
      status=0
      EVALUA_FAULT_ERRNO=$number EVALUA_FAULT_AFTER=$after faulty run writing.eval.lua --format jsonl \
        >out.jsonl 2>err.txt || status=$?
      echo "error $number after $after writes: exit $status, $(grep -c '"type":"item"' out.jsonl || true) reported"
      cat err.txt
      [ "$status" = 4 ] || [ "$status" = 0 ] || return 1
      if [ "$status" = 0 ]; then
        equal "$(query 'select count(*) from results')" 1500
      else
        grep -q "evalua.db" err.txt
        [ "$status" = 4 ] && ! query 'select status from experiments' 2>/dev/null | grep -q completed
      fi
      nothing_lost 1500
      # Another moment each time finds other states; resuming all 30 would take long.
      if [ "$number" = 28 ]; then resumed 1500; fi
    done
  done
}

# hold_lock SECONDS [BEGIN]: another process takes the write lock and keeps it; waits until it has it.
hold_lock() {
  python3 - "$@" 3>&- >lock.txt <<'PY' &
import sqlite3, sys, time
db = sqlite3.connect(".evalua/evalua.db", isolation_level=None, timeout=0)
for statement in (sys.argv[2] if len(sys.argv) > 2 else "begin immediate").split(";"):
    while True:
        try: db.execute(statement).fetchall()
        except sqlite3.OperationalError: time.sleep(0.0002)
        else: break
print("locked", flush=True)
time.sleep(float(sys.argv[1]))
db.execute("rollback")
PY
  locker=$!
  for _ in {1..500}; do grep -q locked lock.txt && return 0; sleep 0.01; done
  return 1
}

@test "another process holds the write lock for 10 s: the run waits, deadlines keep working, and it completes" {
  suite locked.eval.lua <<'LUA'
local items = {}
for number = 1, 2000 do items[number] = { id = "i" .. number, input = number, ground_truth = number } end
eval.experiment { name = "locked", dataset = items, max_concurrency = 20, item_timeout = "300ms", tolerance = 20,
  target = function(input)
    if input % 100 == 50 then eval.sleep "60s" end
    if input % 100 == 51 then while true do end end
    eval.sleep(10)
    return input
  end, scorers = { eval.scorers.exact } }
LUA
  "$EVALUA" run locked.eval.lua --limit 1 >/dev/null 2>&1
  EVALUA_TEST_MARK=locked_$SRANDOM "$EVALUA" run locked.eval.lua >out.txt 2>err.txt 3>&- &
  pid=$!
  for _ in {1..500}; do
    [ "$(query 'select count(*) from results where experiment_id = (select id from experiments where number = 2)')" -gt 0 ] &&
      break
    sleep 0.01
  done
  hold_lock 10
  begin=${EPOCHREALTIME/./}
  status=0
  wait "$pid" || status=$?
  took=$(((${EPOCHREALTIME/./} - begin) / 1000))
  wait "$locker"
  cat out.txt err.txt
  grep -q "locked by another process; results wait" err.txt
  equal "$status" 4 # the timeouts; nothing else is wrong
  [ "$took" -ge 9000 ] && [ "$took" -lt 20000 ] || { echo "it ended $took ms after the lock was taken"; return 1; }
  equal "$(query "select status from experiments where number = 2")" completed
  equal "$(query "select status, count(*), max(latency_ms) < 8000 from results where experiment_id =
    (select id from experiments where number = 2) group by status order by 1")" $'ok|1960|1\ntimeout|40|1'
  # Items went on while nothing could be written: the last one ended long before the lock was given back.
  equal "$(query "select (julianday((select completed_at from experiments where number = 2)) -
    julianday((select max(completed_at) from results))) * 86400 > 2")" 1
}

@test "a lock that another process holds when a run starts is waited for" {
  counting_suite numbers.eval.lua 50
  "$EVALUA" run numbers.eval.lua >/dev/null
  hold_lock 3 "begin exclusive"
  evalua run numbers.eval.lua
  expect 0
  wait "$locker"
  hold_lock 3
  evalua run numbers.eval.lua
  expect 0
  wait "$locker"
}

@test "a lock that is held longer than store_timeout: exit 4, and what is not stored; resume completes" {
  writing_suite 3000
  "$EVALUA" run writing.eval.lua --store-timeout 1s --format jsonl >out.jsonl 2>err.txt 3>&- &
  pid=$!
  for _ in {1..500}; do [ "$(query 'select count(*) from results' 2>/dev/null || echo 0)" -gt 0 ] && break; sleep 0.01; done
  hold_lock 4
  status=0
  wait "$pid" || status=$?
  cat err.txt
  equal "$status" 4
  grep -Eq "locked by another process for 1 s \(store_timeout\); [1-9][0-9]* finished results are not stored" err.txt
  nothing_lost 3000
  wait "$locker"
  evalua list --format json
  equal "$(json 'd[0]["status"]')" interrupted
  resumed 3000
  EVALUA_STORE_TIMEOUT=never evalua run writing.eval.lua
  expect 2
  says EVALUA_STORE_TIMEOUT never
}

@test "on a network file system, without WAL, readers hold a commit up and the run completes" {
  build_faults
  writing_suite 1500
  EVALUA_FAULT_NETWORK=1 faulty run writing.eval.lua --limit 10 >/dev/null 2>&1
  EVALUA_FAULT_NETWORK=1 faulty run writing.eval.lua --format jsonl >out.jsonl 2>err.txt 3>&- &
  pid=$!
  for _ in {1..500}; do grep -q '"item"' out.jsonl && break; sleep 0.01; done
  [ ! -e .evalua/evalua.db-wal ]
  hold_lock 3 "begin;select count(*) from results"
  status=0
  wait "$pid" || status=$?
  wait "$locker"
  cat err.txt
  equal "$status" 0
  equal "$(query 'select count(*) from results')" 1510
}
