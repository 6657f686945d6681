#!/usr/bin/env bats
# What items, workers and runs may use: each limit by its name, with the limit and the actual value, and early ends.
load helper

# ==== Memory ====

@test "memory_per_worker: the item that cannot live with it is limited, those beside it are fine" {
  suite memory.eval.lua <<LUA
$(numbered 40)
eval.experiment { name = "memory", dataset = items, scorers = {}, max_concurrency = 20, memory_per_worker = "24MB",
  target = function(input)
    eval.sleep(20)
    if input % 20 == 0 then
      local hoard = {}
      for index = 1, 1e7 do hoard[index] = { index } end
    end
    return input
  end }
LUA
  evalua run memory.eval.lua --workers 2 --format json
  expect 4
  equal "$(each '[i for i in R if R[i]["status"] != "ok"]')" '["i20", "i40"]'
  equal "$(each '[R["i20"]["status"], R["i20"]["error"]["code"]]')" '["limited", "memory_per_worker"]'
  [[ "$(each 'R["i20"]["error"]["message"]')" =~ "Lua wanted "[0-9]+" bytes, the limit (memory_per_worker) is 24000000" ]]
}

@test "memory_per_worker: items that meet it only because of each other run again alone and are ok" {
  suite together.eval.lua <<LUA
$(numbered 6)
eval.experiment { name = "together", dataset = items, max_concurrency = 6, memory_per_worker = "20MB",
  scorers = {},
  target = function(input)
    local block = ("x"):rep(5000000) .. input
    eval.sleep(200)
    return #block
  end }
LUA
  evalua run together.eval.lua --workers 1 --format json
  expect 0
  equal "$(each '[r["output"] for r in e["results"]]')" '[5000001, 5000001, 5000001, 5000001, 5000001, 5000001]'
  equal "$(each '[r["retry_count"] for r in e["results"]]')" '[0, 0, 0, 0, 0, 0]'
}

@test "memory_per_worker: a scorer that needs too much is an error of the scorer's, with the limit's name" {
  suite scorer.eval.lua <<'LUA'
eval.experiment { name = "scorer", dataset = { { id = "a", input = 1 } }, limits = { memory_per_worker = "8MB" },
  target = function(input) return input end,
  scorers = { function() return #("x"):rep(20000000) end } }
LUA
  evalua run scorer.eval.lua --format json
  equal "$(each 'R["a"]["status"]')" ok
  equal "$(each '[R["a"]["scores"][0]["status"], R["a"]["scores"][0]["error"]["code"]]')" '["error", "memory_per_worker"]'
}

@test "rss_per_worker: the worker is killed, the item is limited once it fails alone, the others run again" {
  suite rss.eval.lua <<LUA
$(numbered 5)
eval.experiment { name = "rss", dataset = items, scorers = {}, max_concurrency = 5, limits = { rss_per_worker = "60MB" },
  target = function(input)
    local block = input == 3 and ("x"):rep(150000000) or ""
    eval.sleep(input == 3 and 8000 or 700)
    return #block
  end }
LUA
  evalua run rss.eval.lua --workers 1 --format json
  expect 4
  equal "$(each '[r["status"] for r in e["results"]]')" '["ok", "ok", "limited", "ok", "ok"]'
  equal "$(each 'R["i3"]["error"]["code"]')" rss_per_worker
  [[ "$(each 'R["i3"]["error"]["message"]')" =~ "held "[0-9]+" bytes more than it began with, the limit (rss_per_worker) is 60000000" ]]
  equal "$(each 'R["i1"]["interrupted_by"] > 0')" true
}

# ==== Output, processes, requests ====

@test "limits.output_bytes, processes and requests: limited, with name, limit and actual" {
  python3 -c 'import socket, sys, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
time.sleep(60)' >port 3>&- &
  local silent=$!
  until [ -s port ]; do sleep 0.02; done
  local port=$(cat port)
  suite things.eval.lua <<LUA
eval.experiment { name = "things", scorers = {}, limits = { output_bytes = "1KB", processes = 3, requests = 2 },
  dataset = { { id = "output", input = 1 }, { id = "processes", input = 2 }, { id = "requests", input = 3 },
    { id = "in turn", input = 4 } },
  target = function(input)
    if input == 1 then return ("x"):rep(2000) end
    local calls = {}
    for index = 1, 4 do
      calls[index] = function()
        if input == 3 then -- nobody answers: the first two wait
          if index > 2 then eval.sleep(20) end
          return eval.fetch { url = "http://127.0.0.1:$port/", timeout = index > 2 and "9s" or "2s" }.status
        end
        return eval.spawn { argv = { "sleep", "0.1" } }.code
      end
    end
    if input == 4 then calls.max = 2 end
    if input == 3 then
      for index, call in ipairs(calls) do
        calls[index] = function()
          local ok, problem = pcall(call)
          if not ok and problem.code == "requests" then error(problem) end
        end
      end
    end
    return #eval.all(calls)
  end }
LUA
  evalua run things.eval.lua --format json
  kill "$silent"
  expect 4
  equal "$(each '[R[i]["error"]["code"] for i in ["output", "processes", "requests"]]')" \
    '["output_bytes", "processes", "requests"]'
  equal "$(each 'sorted({R[i]["status"] for i in ["output", "processes", "requests"]})')" '["limited"]'
  [[ "$(each 'R["output"]["error"]["message"]')" == *"2002 bytes"*"(output_bytes) is 1000"* ]]
  [[ "$(each 'R["processes"]["error"]["message"]')" == *"has 4 processes open at once; the limit (processes) is 3"* ]]
  [[ "$(each 'R["requests"]["error"]["message"]')" == *"has 3 requests open at once; the limit (requests) is 2"* ]]
  equal "$(each 'R["in turn"]["output"]')" 4
}

# ==== Tokens and cost ====

@test "limits of an item: tokens and cost that the target reports end it as limited; what it used is stored" {
  suite tokens.eval.lua <<'LUA'
local function used(tokens, cost) return { usage = { input_tokens = tokens, output_tokens = 10, cost = cost } } end
eval.experiment { name = "tokens", scorers = { function() return 1 end }, max_retries = 3,
  limits = { tokens = 100, cost = 0.5 },
  dataset = { { id = "few", input = 90 }, { id = "many", input = 91 }, { id = "dear", input = 1 } },
  target = function(input) return input, used(input, input == 1 and 0.6 or 0.5) end }
LUA
  evalua run tokens.eval.lua --format json
  expect 4
  equal "$(each '[r["status"] for r in e["results"]]')" '["ok", "limited", "limited"]'
  equal "$(each '[R[i]["error"]["code"] for i in ["many", "dear"]]')" '["token_limit", "cost_limit"]'
  [[ "$(each 'R["many"]["error"]["message"]')" == *"101 tokens; the limit (tokens) is 100"* ]]
  [[ "$(each 'R["dear"]["error"]["message"]')" == *"0.6 of cost; the limit (cost) is 0.5"* ]]
  equal "$(each '[R["many"]["usage"]["input_tokens"], R["many"]["scores"], R["many"]["retry_count"]]')" '[91, [], 0]'
}

@test "limits of an item hold while it runs, and cannot be swallowed by pcall; nothing is counted twice" {
  suite calls.eval.lua <<'LUA'
local usage = require "evalua.usage"
eval.experiment { name = "calls", scorers = {}, limits = { tokens = 100, steps = 3 },
  dataset = { { id = "stops", input = 1 }, { id = "swallows", input = 2 }, { id = "twice", input = 3 },
    { id = "steps", input = 4 }, { id = "fails", input = 5 } },
  target = function(input)
    if input == 1 then
      for _ = 1, 100 do usage.add { total_tokens = 40 } end
    elseif input == 2 then
      for _ = 1, 3 do pcall(usage.add, { input_tokens = 30, output_tokens = 10 }) end
    elseif input == 3 then
      usage.add { input_tokens = 60, output_tokens = 20 }
      return "ok", { usage = { input_tokens = 60, output_tokens = 20 } }
    elseif input == 4 then
      return "ok", { trajectory = { steps = { 1, 2, 3, 4 } } }
    else
      usage.add { input_tokens = 5, cost = 0.25 }
      error "after the call"
    end
    return "ok"
  end }
LUA
  evalua run calls.eval.lua --format json
  equal "$(each '[r["status"] for r in e["results"]]')" '["limited", "limited", "ok", "limited", "error"]'
  [[ "$(each 'R["stops"]["error"]["message"]')" == *"120 tokens"* ]]
  equal "$(each 'R["steps"]["error"]["code"]')" step_limit
  equal "$(each 'R["swallows"]["usage"]["input_tokens"]')" 90
  equal "$(each '[R["fails"]["usage"][k] for k in ["input_tokens", "cost"]]')" '[5, 0.25]'
}

@test "run_tokens and run_cost: the run ends unjudged, exit 4, and says so; it is never green" {
  for limit in "run_tokens = 100" "run_cost = 1.0"; do
    rm -rf .evalua
    suite budget.eval.lua <<LUA
$(numbered 60)
eval.experiment { name = "budget", dataset = items, max_concurrency = 2, limits = { $limit },
  scorers = { function() return 1 end }, rules = { eval.rules.at_least("scorer_1", 0.5) },
  target = function(input)
    eval.sleep(5)
    return input, { usage = { input_tokens = 10, output_tokens = 5, cost = 0.15 } }
  end }
LUA
    evalua run budget.eval.lua --format json
    expect 4
    equal "$(each '[e["verdict"], e["status"]]')" '["error", "cancelled"]'
    [[ "$(each 'e["reason"]')" == *"budget of the run is spent"*"(${limit%% *}) is"* ]]
    equal "$(each '7 <= e["succeeded_count"] <= 12 and e["skipped_count"] == 60 - e["succeeded_count"]')" true
    says "budget of the run is spent"
  done
  # The last item that goes beyond it counts too, and so do attempts that failed.
  suite last.eval.lua <<'LUA'
eval.experiment { name = "last", dataset = { { id = "a", input = 1 } }, limits = { run_tokens = 10 }, scorers = {},
  target = function() return 1, { usage = { total_tokens = 11 } } end }
LUA
  evalua run last.eval.lua --format json
  expect 4
  equal "$(each '[e["verdict"], e["succeeded_count"]]')" '["error", 1]'
}

@test "the budget is of the run: resume and retry count what stored results have used" {
  suite budget.eval.lua <<LUA
$(numbered 60)
eval.experiment { name = "budget", dataset = items, max_concurrency = 2, limits = { run_tokens = 100 }, scorers = {},
  target = function(input)
    eval.sleep(5)
    return input, { usage = { input_tokens = 10, output_tokens = 5 } }
  end }
LUA
  tokens() { query "select sum(json_extract(usage, '$.input_tokens') + json_extract(usage, '$.output_tokens')) from results"; }
  evalua run budget.eval.lua
  expect 4
  first=$(tokens)
  evalua resume 1
  expect 4
  says "run 1 cannot go on: its budget is spent: its stored results have used $first, the limit (run_tokens) is 100"
  equal "$(tokens)" "$first"
  sed -i 's/run_tokens = 100/run_tokens = 300/' budget.eval.lua
  evalua resume 1 --format json
  expect 4
  [ "$(tokens)" -gt 300 ] && [ "$(tokens)" -le 375 ]
  [[ "$(each 'e["reason"]')" =~ "budget of the run is spent: "3[0-9][0-9]" tokens, the limit (run_tokens) is 300" ]]
  sed -i 's/run_tokens = 300/run_tokens = 900/' budget.eval.lua
  evalua resume 1
  expect 0
  equal "$(tokens)" 900
}

@test "limits are checked before anything runs" {
  check() { # OPTIONS TEXT...
    local given=$1
    shift
    suite bad.eval.lua <<LUA
eval.experiment { name = "bad", dataset = { { id = "a", input = 1 } }, target = function() return 1 end, scorers = {},
  $given }
LUA
    evalua run bad.eval.lua
    expect 2
    says bad.eval.lua:2 "$@"
  }
  check 'limits = { token = 5 }' 'unknown option "token" of eval.experiment.limits' tokens
  check 'limits = { tokens = 0 }' "at least 1"
  check 'limits = { cost = 0 }' '"cost"' "above 0"
  check 'memory_per_worker = "lots"' '"lots" is not a size' 512MB
  check 'memory_per_worker = "1KB"' "at least 1048576"
  check 'memory_per_worker = "32MB", limits = { memory_per_worker = "64MB" }' twice
  check 'max_failures = 1.5' "max_failures" "whole number of items"
  check 'max_failures = 0' "max_failures"
}

# ==== Early ends ====

@test "max_failures: a count ends the run with the failure that makes it so many, a share with that of the items" {
  for setting in "4 4" "0.1 4" "0.101 5"; do
    read -r option failures <<<"$setting"
    rm -rf .evalua
    suite failures.eval.lua <<LUA
$(numbered 40)
eval.experiment { name = "failures", dataset = items, max_concurrency = 1, max_failures = $option, scorers = {},
  target = function(input) if input % 2 == 0 then error "even" end return input end }
LUA
    evalua run failures.eval.lua --format json
    expect 4
    equal "$(each '[e["failed_count"], e["succeeded_count"], e["skipped_count"]]')" \
      "[$failures, $failures, $((40 - 2 * failures))]"
    [[ "$(each 'e["reason"]')" == *"stopped when $failures items had failed (max_failures"* ]]
    says "max_failures"
  done
  # Fewer do not end it.
  rm -rf .evalua
  sed -i 's/max_failures = [0-9.]*/max_failures = 21/' failures.eval.lua
  evalua run failures.eval.lua --format json
  equal "$(each '[e["failed_count"], e["skipped_count"], e["status"]]')" '[20, 0, "completed"]'
}

@test "max_failures counts items whose retries are spent, not attempts" {
  suite retried.eval.lua <<'LUA'
local tries = {}
eval.experiment { name = "retried", max_failures = 2, max_retries = 1, scorers = {}, max_concurrency = 3,
  dataset = { { id = "a", input = 1 }, { id = "b", input = 2 }, { id = "c", input = 3 } },
  target = function(input)
    tries[input] = (tries[input] or 0) + 1
    if tries[input] == 1 then error "once" end
    return input
  end }
LUA
  evalua run retried.eval.lua --workers 1 --format json
  expect 0
  equal "$(each '[r["retry_count"] for r in e["results"]]')" '[1, 1, 1]'
}

@test "an error that every item would meet ends the run after three in a row; other experiments still run" {
  suite quota.eval.lua <<LUA
$(numbered 500)
local function out() require("evalua.process_failure").raise {
  message = "the quota is exhausted", code = "quota_exhausted", permanent = true, stops_run = true } end
eval.dataset { name = "all", items = items }
eval.experiment { name = "quota", dataset = "all", scorers = {}, max_concurrency = 2, max_retries = 5,
  target = function(input) eval.sleep(5) if input > 10 then out() end return input end }
eval.experiment { name = "some", dataset = "all", scorers = {}, max_concurrency = 1, tolerance = 1,
  target = function(input) if input % 3 ~= 0 then out() end return input end }
LUA
  evalua run quota.eval.lua --format json --workers 1 # of two, one could stall while the other fails three times
  expect 4
  equal "$(each '[e["verdict"], e["status"], e["succeeded_count"]]')" '["error", "cancelled", 10]'
  equal "$(each '3 <= e["failed_count"] <= 60')" true
  [[ "$(each 'e["reason"]')" == *"3 items in a row"*"the quota is exhausted" ]]
  # Where others succeed in between it is no matter of the whole run.
  equal "$(json '[d["experiments"][1][k] for k in ["succeeded_count", "status"]]')" '[166, "completed"]'
}
