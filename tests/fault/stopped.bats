#!/usr/bin/env bats
# A worker process that is stopped (SIGSTOP, a debugger, a hang in the kernel) keeps no deadline: it is killed and replaced.
load ../cli/helper

# Twelve items, of which the third writes the id of its worker into `pid` and then waits.
stopping_suite() {
  suite stopping.eval.lua <<LUA
$(numbered 12)
eval.experiment { name = "stopping", dataset = items, max_concurrency = 4, item_timeout = "10s", scorers = {},
  target = function(input)
    if input == 3 then
      local stat <close> = io.open "/proc/self/stat"
      local file <close> = io.open("pid.new", "w")
      file:write(stat:read("n"))
      file:close()
      os.rename("pid.new", "pid")
      eval.sleep "2s"
    end
    return input
  end }
LUA
}

# Runs it, and stops the worker of the third item so many times.
run_and_stop() {
  "$EVALUA" run stopping.eval.lua --workers 2 --format json >out.json 2>err.txt 3>&- &
  pid=$!
  local worker
  for ((round = 0; round < $1; round++)); do
    for _ in {1..1500}; do [ -e pid ] && break; sleep 0.02; done
    worker=$(<pid)
    rm pid
    sleep 0.3 # it waits now; where it does not yet, the outcome is the same
    kill -STOP "$worker"
  done
  ended
  output=$(<out.json)
  cat err.txt
}

@test "a worker that was stopped is killed; what ran in it runs again and is ok" {
  stopping_suite
  run_and_stop 1
  equal "$code" 0
  equal "$(each '[e["succeeded_count"], R["i3"]["interrupted_by"], R["i3"]["retry_count"]]')" "[12, 1, 0]"
}

@test "an item whose workers are stopped again and again is a timeout in the end, and says why" {
  stopping_suite
  run_and_stop 3
  equal "$code" 4
  equal "$(each '[e["succeeded_count"], R["i3"]["status"], R["i3"]["error"]["code"]]')" '[11, "timeout", "timeout"]'
  equal "$(each '"not even watch its deadlines" in R["i3"]["error"]["message"]')" true
}
