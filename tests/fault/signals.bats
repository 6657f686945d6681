#!/usr/bin/env bats
# Terminals that close, readers that leave, outputs that are full: the run is stored, and its end is said.
load ../cli/helper

# 400 items that wait: about two seconds.
waiting_suite() {
  suite waiting.eval.lua <<'LUA'
local items = {}
for number = 1, 400 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "waiting", dataset = items, max_concurrency = 20, scorers = {},
  target = function(input) eval.sleep(100) return input end }
LUA
}

# Starts a run of which some results are stored already.
start_waiting() {
  waiting_suite
  mark=signals_$SRANDOM$SRANDOM
  EVALUA_TEST_MARK=$mark "$@" >out.txt 2>err.txt 3>&- &
  pid=$!
  for _ in {1..200}; do [ "$(query 'select count(*) from results' 2>/dev/null || echo 0)" -gt 0 ] && return 0; sleep 0.01; done
  cat err.txt
  return 1
}

nobody_left() { equal "$(grep -lzsx "EVALUA_TEST_MARK=$mark" /proc/[0-9]*/environ || true)" ""; }

@test "SIGHUP and SIGTERM end a run as Ctrl-C does: items in flight end, the rest is skipped, exit 130" {
  for signal in HUP TERM INT; do
    rm -rf .evalua
    start_waiting "$EVALUA" run waiting.eval.lua
    kill -s "$signal" "$pid"
    status=0
    wait "$pid" || status=$?
    equal "$status" 130
    equal "$(query "select status, (select count(*) from results where status <> 'ok') from experiments")" "cancelled|0"
    nobody_left
    evalua resume 1
    expect 0
    equal "$(query "select status, (select count(*) from results) from experiments")" "completed|400"
  done
}

@test "under nohup a run goes on when the terminal closes" {
  start_waiting nohup "$EVALUA" run waiting.eval.lua
  kill -HUP "$pid"
  wait "$pid"
  equal "$(query "select status, (select count(*) from results) from experiments")" "completed|400"
}

@test "a terminal that is closed ends the run; what was finished is stored, and nobody is left" {
  waiting_suite
  mark=signals_$SRANDOM$SRANDOM
  EVALUA_TEST_MARK=$mark python3 - "$BATS_TEST_DIRNAME/../cli/terminal.py" "$EVALUA" run waiting.eval.lua 3>&- <<'PY'
import os, re, runpy, sys
master, slave = runpy.run_path(sys.argv[1])["open_terminal"]()
child = os.fork()
if child == 0:
    import fcntl, termios
    os.setsid()
    for descriptor in 0, 1, 2: os.dup2(slave, descriptor)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.close(master); os.close(slave)
    os.execv(sys.argv[2], sys.argv[2:])
os.close(slave)
seen = b""
while not re.search(rb"[1-9]\d*/400", seen):
    seen += os.read(master, 65536)
os.close(master)  # the window is closed: SIGHUP, and writing to the terminal fails
print("ended with", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
PY
  equal "$(query "select status, (select count(*) from results where status <> 'ok') from experiments")" "cancelled|0"
  [ "$(query "select count(*) from results")" -gt 0 ]
  nobody_left
}

@test "a reader that leaves (| head) does not end the run: it is stored whole, without a word" {
  waiting_suite
  "$EVALUA" run waiting.eval.lua --format jsonl 2>err.txt | head -1 >first.txt
  equal "${PIPESTATUS[*]}" "0 0"
  grep -q '"type":"started"' first.txt
  equal "$(query "select status, (select count(*) from results) from experiments")" "completed|400"
  equal "$(grep -ci "pipe" err.txt || true)" 0
  "$EVALUA" run waiting.eval.lua --limit 5 2>err.txt | true
  equal "${PIPESTATUS[0]}" 0
  "$EVALUA" show latest --full 2>err.txt | head -1 >first.txt
  equal "${PIPESTATUS[0]}" 0
  # Closed from the start.
  "$EVALUA" run waiting.eval.lua --limit 5 >&-
  "$EVALUA" run waiting.eval.lua --limit 5 2>&- >/dev/null
  equal "$(query 'select count(*) from experiments where status = "completed"')" 4
}

@test "an output that is full: exit 4 and its name, and the run is stored and complete" {
  waiting_suite
  for arguments in "--format jsonl" "--format json" "--format junit" ""; do
    status=0
    "$EVALUA" run waiting.eval.lua --limit 40 $arguments >/dev/full 2>err.txt || status=$?
    cat err.txt
    equal "$status" 4
    grep -q "stdout.*No space left" err.txt
  done
  equal "$(query 'select count(*), sum(status = "completed"), (select count(*) from results) from experiments')" "4|4|160"
  mkdir full
  mount -t tmpfs -o size=8k tmpfs full 2>mount.txt || skip "mounting a tmpfs is not allowed here"
  status=0
  "$EVALUA" run waiting.eval.lua -o full/x.jsonl -o y.json >out.txt 2>err.txt || status=$?
  ls full >left.txt
  umount full
  cat err.txt
  equal "$status" 4
  grep -q "full/x.jsonl.*No space left" err.txt
  equal "$(cat left.txt)" ""
  [ ! -e y.json ]
  equal "$(query 'select status from experiments where number = 5')" completed
}
