#!/usr/bin/env bats
# A subset of the tests under valgrind, all processes of a run: no invalid access, nothing definitely lost.
# And what valgrind does not see: descriptors and processes that a long-lived program collects.
load ../cli/helper

# checked COMMAND...: the program under valgrind; what it finds in any process is in vg.PID.
checked() {
  command -v valgrind >/dev/null || skip "valgrind is not installed"
  ! grep -q __asan_init "$EVALUA" || skip "the program is built with AddressSanitizer"
  rm -f vg.*
  status=0
  valgrind -q --trace-children=yes --trace-children-skip='*/sh,*/sleep,*/cat' --child-silent-after-fork=no \
    --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --log-file=vg.%p \
    --error-exitcode=99 "$EVALUA" "$@" >out.txt 2>err.txt || status=$?
  cat err.txt
  grep -h '^==' vg.* || true # lines with -- are valgrind's own: it does not know pidfd_open
  equal "$(cat vg.* | grep -c '^==')" 0
}

@test "valgrind: waits, commands, timeouts, retries, errors, a stuck and a dead worker" {
  suite all.eval.lua <<'LUA'
local items = {}
for number = 1, 60 do items[number] = { id = "i" .. number, input = number, ground_truth = number } end
local odd = {
  [10] = function() error("no") end,
  [20] = function() while true do end end,
  [30] = function() eval.sleep "60s" end,
  [40] = function() return eval.spawn { argv = { "sh", "-c", "sleep 60" } } end,
  [50] = function() return eval.spawn { argv = { "cat" }, stdin = ("x"):rep(100000) }.stdout end,
  [55] = function() return eval.all { function() eval.sleep(5) return 1 end, function() return 2 end } end,
}
eval.experiment { name = "all", dataset = items, max_concurrency = 20, item_timeout = "4s", max_retries = 1,
  trials = 2, tolerance = 60, slices = { "metadata.x" },
  target = function(input, item)
    if odd[input] then return odd[input]() end
    eval.sleep(input % 7)
    if input == 15 and item.trial == 1 then eval.fail("again") end
    return input
  end,
  scorers = { eval.scorers.exact, eval.scorer { id = "own", score = function(run) return run.output == run.input end } },
  rules = { eval.rules.at_least("exact", 0.5) } }
LUA
  checked run all.eval.lua --workers 2
  equal "$(query 'select count(*) from results')" 120
}

@test "valgrind: resume, compare, show, list, reports" {
  counting_suite numbers.eval.lua 300
  "$EVALUA" run numbers.eval.lua >/dev/null
  "$EVALUA" run numbers.eval.lua >/dev/null
  query "delete from results where experiment_id = (select id from experiments where number = 2) and position > 200;
    update experiments set status = 'cancelled' where number = 2"
  checked resume 2 --workers 1
  equal "$status" 0
  checked compare 1 2
  checked show 2 --format html
  checked list
}

@test "a script that runs many experiments keeps its descriptors and processes" {
  cat >many.lua <<'LUA'
local eval = require "evalua"
local sys = require "evalua.native.sys"
local items = {}
for number = 1, 20 do items[number] = { id = "i" .. number, input = number, ground_truth = number } end
local ds = eval.datasets.create { name = "many" }
ds:add_items(items)
local function count(place)
  local names = sys.list(place)
  return names and #names or 0
end
local before
for round = 1, 12 do
  ds:start_experiment { name = "many", scorers = { eval.scorers.exact }, item_timeout = "2s", max_concurrency = 10,
    target = function(input)
      if input == 3 then eval.spawn { argv = { "true" } } end
      eval.sleep(1)
      return input
    end }
  local now = { fds = count("/proc/self/fd"), threads = count("/proc/self/task") }
  if round == 2 then before = now end
  if round > 2 and (now.fds > before.fds or now.threads > before.threads) then
    error(("round %d: %d descriptors and %d threads, %d and %d after round 2"):format(round, now.fds, now.threads,
      before.fds, before.threads))
  end
end
local children = io.open("/proc/self/task/" .. sys.pid() .. "/children"):read "a"
if children:find "%d" then error("children are left: " .. children) end
print "kept"
LUA
  evalua exec many.lua
  expect 0
  prints kept
}

@test "nothing is left in shared memory" {
  ls -A /dev/shm >before 2>/dev/null || skip "there is no /dev/shm"
  counting_suite numbers.eval.lua 100
  "$EVALUA" run numbers.eval.lua >/dev/null
  ls -A /dev/shm >after
  equal "$(comm -13 before after | grep -i eva || true)" ""
  equal "$(ls .evalua | tr '\n' ' ')" "evalua.db evalua.db.lock "
}
