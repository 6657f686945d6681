#!/usr/bin/env bats
# Hooks of an experiment that wait or take too long: after_each waits as scripts do, setup has the experiment's time.
load helper

@test "after_each may wait: sleep, spawn, eval.all, in a coroutine; results come in order, and items go on meanwhile" {
  suite waits.eval.lua <<LUA
$(numbered 30)
local seen = {}
eval.experiment { name = "waits", dataset = items, max_concurrency = 10, scorers = {},
  target = function(input) eval.sleep(20) return input end,
  after_each = function(result)
    seen[#seen + 1] = result.item_id
    eval.sleep(5)
    assert(eval.spawn { argv = { "echo", "told" } }.stdout == "told\n")
    local both = { 0, 0 }
    eval.all { function() eval.sleep(2) both[1] = 1 end, function() eval.sleep(2) both[2] = 1 end }
    assert(both[1] + both[2] == 2)
    assert(coroutine.wrap(function() eval.sleep(1) return "woken" end)() == "woken")
  end,
  teardown = function() io.stderr:write("seen ", table.concat(seen, " "), "\n") end }
LUA
  evalua run waits.eval.lua --workers 2 --format jsonl
  expect 0
  says "seen $(printf 'i%d ' {1..29})i30"
  equal "$(jsonl '[e["item_id"] for e in d if e["type"] == "item"] == ["i%d" % n for n in range(1, 31)]')" true
}

@test "a worker that dies while after_each waits is replaced when that has ended; every item has its result" {
  suite dies.eval.lua <<LUA
$(numbered 12)
local told = 0
eval.experiment { name = "dies", dataset = items, max_concurrency = 2, scorers = {},
  target = function(input)
    if input == 3 then eval.spawn { argv = { "sh", "-c", "kill -9 \$PPID" } } eval.sleep "20s" end
    return input
  end,
  after_each = function() told = told + 1 eval.sleep(100) end,
  teardown = function() io.stderr:write("told ", told, "\n") end }
LUA
  evalua run dies.eval.lua --workers 1 --format json
  expect 4
  says "told 12"
  equal "$(each '[R["i3"]["error"]["code"], len(R), e["skipped_count"]]')" '["worker_crashed", 12, 0]'
}

@test "Ctrl-C twice while after_each waits: exit 130, and resume gives it every result" {
  suite slow.eval.lua <<LUA
$(numbered 6)
eval.experiment { name = "slow", dataset = items, scorers = {}, target = function(input) return input end,
  after_each = function(result)
    io.stderr:write("told ", result.item_id, "\n")
    if not os.getenv "QUICK" then eval.sleep "60s" end
  end,
  teardown = function() io.stderr:write("teardown\n") end }
LUA
  "$EVALUA" run slow.eval.lua 2>err.txt >/dev/null 3>&- &
  pid=$!
  for _ in {1..1000}; do grep -q "told i1" err.txt && break; sleep 0.02; done
  kill -INT "$pid"
  for _ in {1..500}; do grep -q "once more to stop at once" err.txt && break; sleep 0.02; done
  kill -INT "$pid"
  ended
  cat err.txt
  equal "$code" 130
  grep -qx teardown err.txt
  equal "$(query "select count(*) from results where status = 'ok'")" 6
  QUICK=1 evalua resume latest
  expect 0
  says "told i1" "told i6" teardown
}

@test "setup has the experiment's timeout, whether it loops, swallows errors or waits: exit 4, and teardown runs" {
  suite setup.eval.lua <<'LUA'
local ways = {
  loops = function() while true do end end,
  swallows = function() while true do pcall(function() while true do end end) end end,
  nests = function() coroutine.wrap(function() while true do end end)() end,
  sleeps = function() eval.sleep "60s" end,
  spawns = function() eval.spawn { argv = { "sleep", "60" } } end,
}
for way, setup in pairs(ways) do
  eval.experiment { name = way, dataset = { { id = "a", input = 1 } }, scorers = {}, timeout = 300.5, setup = setup,
    target = function(input) return input end, teardown = function() io.stderr:write("teardown of ", way, "\n") end }
end
LUA
  for way in loops swallows nests sleeps spawns; do
    evalua run setup.eval.lua -e "$way" --format json
    expect 4
    says "$way: the experiment's timeout passed in setup with 0 of 1 items done" "teardown of $way"
    equal "$(each '[e["status"], e["verdict"], e["skipped_count"]]')" '["cancelled", "error", 1]'
  done
}

@test "what setup takes of the experiment's timeout its items have not; a setup in time changes nothing" {
  suite left.eval.lua <<'LUA'
local function declare(name, timeout)
  eval.experiment { name = name, dataset = { { id = "a", input = 1 } }, scorers = {}, timeout = timeout,
    setup = function() eval.sleep(600) end, target = function(input) eval.sleep(700) return input end }
end
declare("short", "1s")
declare("long", "60s")
LUA
  evalua run left.eval.lua -e short --format json
  expect 4
  says "short: the experiment's timeout passed with 0 of 1 items done"
  evalua run left.eval.lua -e long --format json
  expect 0
}

@test "a timeout that passes while after_each works on the last results ends nothing: the run is complete" {
  suite late.eval.lua <<LUA
$(numbered 4)
eval.experiment { name = "late", dataset = items, scorers = {}, timeout = "2s",
  target = function(input) return input end, after_each = function() eval.sleep(700) end }
LUA
  evalua run late.eval.lua --format json
  expect 0
  equal "$(each '[e["status"], e["succeeded_count"]]')" '["completed", 4]'
}

@test "before_each that takes too long is a timeout of the item, and named" {
  suite before.eval.lua <<'LUA'
local ways = { loops = function() while true do end end, sleeps = function() eval.sleep "60s" end }
eval.experiment { name = "before", item_timeout = "300ms", scorers = {},
  dataset = { { id = "loops", input = "" }, { id = "sleeps", input = "" }, { id = "fine", input = "" } },
  before_each = function(item) if ways[item.id] then ways[item.id]() end end,
  target = function(input) return input end }
LUA
  evalua run before.eval.lua --format json
  expect 4
  equal "$(each '[R[i]["status"] for i in ("loops", "sleeps", "fine")]')" '["timeout", "timeout", "ok"]'
  equal "$(each '{R[i]["error"]["message"] for i in ("loops", "sleeps")} == {"before_each took longer than item_timeout, 300 ms"}')" true
}
