#!/usr/bin/env bats
# Trials: every item several times, statistics over items; and the hooks around them.
load helper

trials_suite() {
  suite trials.eval.lua <<LUA
eval.experiment { name = "t", trials = ${1:-5},
  dataset = { { id = "a", input = 2 }, { id = "b", input = 5 }, { id = "c", input = 3 } },
  target = function(input, item)
    if input == 3 and item.trial > 3 then error("flaky") end
    return item.trial <= input
  end,
  scorers = { eval.scorer { id = "right", score = function(run) assert(run.trial >= 1) return run.output end } },
  ${2:-}
}
LUA
}

@test "totals count items, and show says how often each passed" {
  trials_suite '{ count = 5, reducer = eval.reducers.pass_at(2) }'
  evalua run trials.eval.lua --format json
  expect 0
  equal "$(json '[d["experiments"][0][k] for k in ("total_items", "succeeded_count", "failed_count", "passed_count")]')" \
    '[3, 3, 0, 3]'
  equal "$(json 'len(d["experiments"][0]["results"])')" 15
  equal "$(json '[r["trial"] for r in d["experiments"][0]["results"]][:6]')" '[1, 2, 3, 4, 5, 1]'
  equal "$(json 'd["experiments"][0]["scorers"]["right"]["n"]')" 3
  equal "$(json 'round(d["experiments"][0]["scorers"]["right"]["mean"], 6)')" 0.866667
  equal "$(json 'd["experiments"][0]["trials"]["failed"]')" 2
  evalua show latest
  prints "5 trials each (pass_at(2))" "2 of 15 trials failed" "2 of 5" "5 of 5" "3 of 5" "3 items"
  evalua show latest a
  prints "passed in 2 of 5 trials" "trial 5"
  evalua list
  prints "3 of 3"
}

@test "an item whose trials all failed did not pass where passes are counted" {
  suite failing.eval.lua <<'LUA'
eval.experiment { name = "t", trials = { count = 3, reducer = eval.reducers.at_least(1) }, tolerance = 1,
  dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } },
  target = function(input) if input == 2 then error("never") end return true end,
  scorers = { eval.scorer { id = "right", score = function(run) return run.output end } },
  rules = { eval.rules.all_items "right" } }
LUA
  evalua run failing.eval.lua --format json
  expect 1
  equal "$(json '[d["experiments"][0]["scorers"]["right"][k] for k in ("n", "mean", "passed", "not_passed")]')" \
    '[2, 0.5, 1, 1]'
  equal "$(json 'd["experiments"][0]["failed_count"]')" 1
}

@test "an errored trial is missing from a mean, and is not tolerated in silence" {
  trials_suite 5
  evalua run trials.eval.lua
  expect 4
  prints "2 of 15 trials failed"
  evalua run trials.eval.lua --format json
  equal "$(json 'round(d["experiments"][0]["scorers"]["right"]["mean"], 6)')" 0.8
}

@test "--trials overrides the count; a reducer that needs more is refused" {
  trials_suite '{ count = 5, reducer = eval.reducers.at_least(3) }'
  evalua run trials.eval.lua --trials 3 --format json
  expect 0
  equal "$(json 'len(d["experiments"][0]["results"])')" 9
  equal "$(json 'd["experiments"][0]["trials"]["count"]')" 3
  evalua run trials.eval.lua --trials 2
  expect 2
  says "at_least(3) needs at least 3 trials"
}

@test "two runs with trials are paired by item" {
  trials_suite '{ count = 5, reducer = eval.reducers.pass_k(2) }'
  "$EVALUA" run trials.eval.lua >/dev/null
  "$EVALUA" run trials.eval.lua >/dev/null
  evalua compare latest~1 latest --format json
  expect 0
  equal "$(json 'd["items"]["paired"]')" 3
  equal "$(json 'd["scorers"]["right"]["n"]')" 3
  equal "$(json 'round(d["scorers"]["right"]["candidate_mean"], 6)')" 0.466667
  equal "$(json 'd["scorers"]["right"]["verdict"]')" no_worse
}

@test "a mistake in trials is found before anything runs" {
  trials_suite '{ count = 2, reducer = eval.reducers.pass_at(3) }'
  evalua run trials.eval.lua
  expect 2
  says "needs at least 3 trials" "trials.eval.lua:"
  trials_suite '{ count = 2, reducer = eval.reducers.median_of }'
  evalua run trials.eval.lua
  expect 2
  says "median"
  equal "$(store_digest)" none
}

@test "a killed run with trials is finished: every trial once" {
  suite slow.eval.lua <<'LUA'
local items = {}
for number = 1, 100 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "slow", dataset = items, trials = 4, max_concurrency = 20,
  target = function(input, item) eval.sleep(30) return item.trial end, scorers = {} }
LUA
  "$EVALUA" run slow.eval.lua >/dev/null 2>&1 3>&- &
  pid=$!
  until_results 1
  kill -9 $pid
  wait $pid || true
  evalua resume 1 --format json
  expect 0
  equal "$(json 'd["experiments"][0]["total_items"]')" 100
  equal "$(query 'select count(*) from (select distinct item_id, trial from results where status = "ok")')" 400
  equal "$(query 'select count(*) from results where output <> trial')" 0
}

@test "hooks: setup reaches workers and items, after_each sees results in order, teardown runs at the end" {
  suite hooks.eval.lua <<'LUA'
local order, sum = {}, 0
eval.experiment { name = "hooks", dataset = { { id = "a", input = 1 }, { id = "b", input = 2 }, { id = "c", input = 3 } },
  setup = function() io.stderr:write("setup\n") return { base = 10 } end,
  worker_setup = function(setup) eval.sleep(5) return setup.base + 1 end,
  before_each = function(item) item.metadata = { factor = item.worker } end,
  target = function(input, item) eval.sleep(30 - 10 * input) return input * item.metadata.factor + item.setup.base end,
  after_each = function(result) order[#order + 1] = result.item_id sum = sum + result.output end,
  teardown = function(setup) io.stderr:write(("teardown %d %s %d\n"):format(setup.base, table.concat(order), sum)) end,
  scorers = {} }
LUA
  evalua run hooks.eval.lua
  expect 0
  says "setup" "teardown 10 abc 96"
}

@test "a failing hook is exit 3, and teardown runs whatever happened" {
  suite failing.eval.lua <<'LUA'
local function failing(name) return function() if os.getenv("FAIL") == name then error("no " .. name) end end end
eval.experiment { name = "f", dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } },
  setup = failing("setup"), after_each = failing("after_each"), before_each = failing("before_each"),
  teardown = function() io.stderr:write("torn down\n") failing("teardown")() end,
  target = function(input) return input end, scorers = {} }
LUA
  for hook in setup after_each teardown; do
    FAIL=$hook evalua run failing.eval.lua
    expect 3
    says "torn down"
    prints "$hook failed: failing.eval.lua:2: no $hook"
  done
  FAIL=before_each evalua run failing.eval.lua
  expect 4
  says "torn down"
  prints "no before_each"
}

@test "a signal ends the run from inside an item; resume finishes it" {
  suite signal.eval.lua <<'LUA'
local signal = eval.signal()
local items = {}
for number = 1, 500 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "s", dataset = items, signal = signal, scorers = {},
  target = function(input)
    eval.sleep(10)
    if input == 20 and not os.getenv("CALM") then signal:abort("the quota is gone") end
    return input
  end }
LUA
  evalua run signal.eval.lua
  expect 130
  prints "the script aborted it: the quota is gone"
  equal "$(query 'select status from experiments')" cancelled
  [ "$(query 'select count(*) from results')" -lt 400 ]
  CALM=1 evalua resume latest
  expect 0
  equal "$(query "select count(*) from results where status = 'ok'")" 500
  suite wrong.eval.lua <<'LUA'
eval.experiment { name = "s", dataset = { { id = "a", input = 1 } }, signal = true, target = function() end }
LUA
  evalua run wrong.eval.lua
  expect 2
  says "must be what eval.signal() returned"
}
