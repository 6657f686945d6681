#!/usr/bin/env bats
# Ctrl-C and SIGTERM outside of the run of items: while a suite loads, items are imported, rules and reports work. The end
# is exit 130 and a message; what was finished is stored, and nothing that was not judged says that it was.
load ../cli/helper

# interrupted SIGNAL ARGUMENT...: runs evalua, sends the signal once a script has said "here", and notes how it ended.
interrupted() {
  local signal=$1 process
  shift
  rm -f err.txt
  "$EVALUA" "$@" >out.txt 2>err.txt </dev/null 3>&- &
  process=$!
  for _ in {1..400}; do grep -qs here err.txt && break; sleep 0.025; done
  grep -q here err.txt
  kill -s "$signal" "$process"
  status=0
  wait "$process" || status=$?
  output=$(<out.txt) stderr=$(<err.txt)
  echo "\$ evalua $*" $'\n'"status $status" $'\n'"stdout: $output" $'\n'"stderr: $stderr"
}

@test "a suite that loops while it loads: exit 130 and its line, whatever it catches" {
  local body
  for body in 'while true do end' \
    'while true do pcall(function() while true do end end) end' \
    'while true do coroutine.wrap(function() pcall(function() while true do end end) end)() end' \
    'eval.sleep "1h"' \
    'eval.spawn { argv = { "sleep", "1000" } }' \
    'eval.all { function() eval.sleep "1h" end, function() while true do eval.sleep(1) end end }'; do
    printf 'io.stderr:write "here\\n"\n%s\n' "$body" | suite loop.eval.lua
    for signal in INT TERM; do
      interrupted "$signal" run loop.eval.lua
      expect 130
      says "evalua: interrupted (loop.eval.lua:3)"
    done
  done
  [ ! -e .evalua/evalua.db ]
}

@test "code in C that does not come back is given five seconds, or a second signal" {
  suite stuck.eval.lua <<'LUA'
io.stderr:write "here\n"; (("a"):rep(40)):find(("a?"):rep(40) .. ("a"):rep(40))
LUA
  interrupted INT run stuck.eval.lua
  expect 130
  says "once more to stop at once" "did not end in time"
  rm err.txt # its words would be taken for those of the next run
  "$EVALUA" run stuck.eval.lua >out.txt 2>err.txt 3>&- &
  local process=$!
  for _ in {1..400}; do grep -qs here err.txt && break; sleep 0.025; done
  kill -TERM "$process"
  for _ in {1..400}; do grep -qs "once more" err.txt && break; sleep 0.025; done
  kill -TERM "$process"
  status=0
  wait "$process" || status=$?
  expect 130
}

@test "an import is stored whole or not at all" {
  suite import.eval.lua <<'LUA'
local passes = 0
local function items()
  local number = 0
  passes = passes + 1 -- the first one only checks
  return function()
    number = number + 1
    if number > 300 then return nil end
    if number == 200 and passes == 2 then io.stderr:write "here\n"; while true do end end
    return { id = "i" .. number, input = number }
  end
end
eval.experiment { name = "import", dataset = eval.dataset { name = "many", items = items },
  target = function(input) return input end, scorers = {} }
LUA
  interrupted INT run import.eval.lua -o report.json
  expect 130
  says "evalua: interrupted (import.eval.lua:9)"
  equal "$(query "select (select count(*) from items), (select count(*) from experiments)")" "0|0"
  equal "$(ls)" $'err.txt\nimport.eval.lua\nout.txt'
}

@test "rules and metrics: the results are stored, the run is not completed, and resume judges it" {
  suite judged.eval.lua <<'LUA'
local function slow()
  if os.getenv "GO" then return 1 end
  io.stderr:write "here\n"
  while true do end
end
local items = { { id = "a", input = 1 }, { id = "b", input = 2 } }
local function target(input) return input end
eval.experiment { name = "before", dataset = items, target = target, scorers = {} }
eval.experiment { name = "rule", dataset = items, target = target, scorers = {},
  rules = { eval.rule("slow", function() return slow() == 1, "as it should" end) } }
eval.experiment { name = "metric", dataset = items, target = target, scorers = {}, metrics = { m = slow } }
eval.experiment { name = "after", dataset = items, target = target, scorers = {} }
LUA
  interrupted TERM run judged.eval.lua -e before -e rule -e after --format json -o report.json
  expect 130
  equal "$(json '[(e["name"], e["status"], e["verdict"]) for e in d["experiments"]], d["verdict"]')" \
    '[[["before", "completed", "none"], ["rule", "interrupted", "error"]], "error"]'
  equal "$(json 'd["experiments"][1]["reason"]')" "the judging was interrupted (judged.eval.lua:5); every result is stored, and \`evalua resume 2\` judges them"
  equal "$(json 'd["experiments"][1]["succeeded_count"], d["experiments"][1]["skipped_count"]')" '[2, 0]'
  equal "$(<report.json)" "$output"
  interrupted INT run judged.eval.lua -e metric
  expect 130
  prints "interrupted, error"
  evalua list --format json
  equal "$(json '[(e["number"], e["status"]) for e in d]')" '[[3, "interrupted"], [2, "interrupted"], [1, "completed"]]'
  equal "$(query "select count(*) from results")" 6
  GO=1 evalua resume 2
  expect 0
  prints "pass  slow"
  GO=1 evalua resume 3
  expect 0
  equal "$(query "select group_concat(status), (select count(*) from results) from experiments")" \
    "completed,completed,completed|6"
}

@test "a signal in teardown, after the last item, leaves the run unjudged too" {
  suite late.eval.lua <<'LUA'
eval.experiment { name = "late", dataset = { { id = "a", input = 1 } }, target = function(input) return input end,
  scorers = {}, rules = { eval.rules.success_rate(1) },
  teardown = function() io.stderr:write "here\n"; while not os.getenv "GO" do end end }
LUA
  interrupted INT run late.eval.lua
  expect 130
  prints "interrupted, error"
  GO=1 evalua resume 1
  expect 0
  equal "$(query "select status, verdict from experiments")" "completed|pass"
}

@test "a script of exec: __close runs, no program stays, exit 130; a run that it started is not completed" {
  suite script.lua <<'LUA'
local guard <close> = setmetatable({}, { __close = function() io.stderr:write "closed\n" end })
io.stderr:write "here\n"
eval.spawn { argv = { "sleep", "1000" } }
LUA
  interrupted TERM exec script.lua
  expect 130
  says closed "evalua: interrupted (script.lua:4)"
  suite run.lua <<'LUA'
local set = eval.datasets.create { name = "d" }
set:add_items { { id = "a", input = 1 } }
local summary = set:start_experiment { name = "e", target = function(input) return input end, scorers = {},
  rules = { eval.rule("slow", function() io.stderr:write "here\n"; while true do end end) } }
print(summary.status, summary.verdict)
LUA
  interrupted INT exec run.lua
  expect 130
  prints $'interrupted\terror'
  [[ $output != *resume* ]]
  equal "$(query "select count(*), (select count(*) from results) from experiments where status = 'running'")" "1|1"
}

@test "a mock ends with 0 by SIGTERM and Ctrl-C, also while a route loops" {
  cat >routes.lua <<'LUA'
return { ["/loop"] = function()
  io.stderr:write "here\n"
  while true do pcall(function() while true do end end) end
end, ["/silent"] = { silent = true } }
LUA
  for signal in TERM INT; do
    for path in loop silent; do
      rm -f out.txt err.txt
      "$EVALUA" mock routes.lua >out.txt 2>err.txt 3>&- &
      local process=$!
      for _ in {1..400}; do [ -s out.txt ] && break; sleep 0.025; done
      url=$(python3 -c 'import json; print(json.loads(open("out.txt").readline())["url"])')
      curl -s "$url/$path" >got.txt 3>&- &
      local client=$!
      [ $path = silent ] || for _ in {1..400}; do grep -q here err.txt && break; sleep 0.025; done
      kill -s $signal $process
      status=0
      wait $process || status=$?
      cat err.txt
      expect 0
      if wait $client; then return 1; fi # it was cut
    done
  done
}

@test "waiting for a store that another process has locked ends at once" {
  suite locked.eval.lua <<'LUA'
io.stderr:write "here\n"
eval.experiment { name = "locked", dataset = { { id = "a", input = 1 } }, target = function(input) return input end, scorers = {} }
LUA
  evalua run locked.eval.lua
  expect 0
  python3 - >locked.txt 3>&- <<'PY' &
import sqlite3, sys, time
store = sqlite3.connect(".evalua/evalua.db", isolation_level=None)
store.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(600)
PY
  local locker=$!
  for _ in {1..400}; do [ -s locked.txt ] && break; sleep 0.025; done
  interrupted INT run locked.eval.lua
  kill $locker
  expect 130
  says "evalua: interrupted"
  [[ $stderr != *"did not end in time"* ]]
  equal "$(query "select count(*) from experiments")" 1
}
