#!/usr/bin/env bats
# The engine as its users see it: deadlines, retries, scorers, chance and order, what items see and what they return.
load helper

# ==== Deadlines ====

@test "item_timeout: a target that sleeps or runs a program is given up with status timeout, its program is gone" {
  mark=$(unique)
  suite slow.eval.lua <<LUA
local closed = false
eval.experiment { name = "slow", item_timeout = 200, max_concurrency = 10, scorers = { eval.scorers.exact },
  dataset = { { id = "sleep", input = "sleep" }, { id = "spawn", input = "spawn" }, { id = "fast", input = "fast",
    ground_truth = "fast" }, { id = "pcall", input = "pcall" }, { id = "all", input = "all" } },
  target = function(input)
    if input == "sleep" then eval.sleep "60s" end
    if input == "spawn" then eval.spawn { argv = { "sleep", "$mark" } } end
    if input == "pcall" then while true do pcall(eval.sleep, "60s") end end
    if input == "all" then
      eval.all { function() eval.sleep "60s" end, function() eval.spawn { argv = { "sleep", "$mark" } } end }
    end
    return input
  end }
LUA
  timed evalua run slow.eval.lua --format json
  expect 4
  equal "$(pgrep -fc -- "sleep $mark" || true)" 0
  [ "$took" -lt 5000 ]
  for id in sleep spawn pcall all; do
    equal "$(each "R['$id']['status']")" timeout
    equal "$(each "R['$id']['error']['code']")" timeout
    [[ "$(each "R['$id']['error']['message']")" == *"item_timeout"*"200 ms"* ]]
    equal "$(each "R['$id']['scores']")" '[]'
  done
  equal "$(each 'R["fast"]["status"]')" ok
  equal "$(each 'score("fast", "exact")["score"]')" 1.0
  equal "$(query "select group_concat(status) from (select status from results order by position)")" \
    timeout,timeout,ok,timeout,timeout
}

@test "the program of a target that was given up is gone while the run goes on" {
  mark=$(unique)
  suite slow.eval.lua <<LUA
eval.experiment { name = "slow", item_timeout = 200, max_concurrency = 2, scorers = {},
  dataset = { { id = "a", input = "spawn" }, { id = "b", input = 1 }, { id = "c", input = 1 }, { id = "d", input = 1 },
    { id = "e", input = 1 }, { id = "f", input = 1 }, { id = "last", input = "count" } },
  target = function(input)
    if input == "spawn" then eval.spawn { argv = { "sh", "-c", "sleep $mark & sleep $mark" } } end
    if input == "count" then return eval.spawn { argv = { "pgrep", "-fc", "^sleep $mark" } }.stdout end
    eval.sleep(150)
    return input
  end }
LUA
  evalua run slow.eval.lua --workers 1 --format json
  expect 4
  equal "$(each 'R["a"]["status"]')" timeout
  equal "$(each 'R["last"]["output"] == "0\n"')" true
}

@test "targets that end just before the deadline are ok; work of others is not charged" {
  suite near.eval.lua <<LUA
$(numbered 40)
eval.experiment { name = "near", dataset = items, max_concurrency = 40, item_timeout = 1000, scorers = {},
  target = function(input)
    if input % 10 == 0 then -- holds the worker while the others wait
      local stop = os.clock() + 0.15
      while os.clock() < stop do end
      return input
    end
    eval.sleep(950)
    return input
  end }
LUA
  evalua run near.eval.lua --workers 1 --format json
  expect 0
  equal "$(each 'e["succeeded_count"]')" 40
}

@test "a timeout of eval.spawn is an error of the target's, the item's deadline is not" {
  suite spawn.eval.lua <<'LUA'
eval.experiment { name = "spawn", item_timeout = "5s", scorers = {},
  dataset = { { id = "raised", input = 1 }, { id = "caught", input = 2 } },
  target = function(input)
    local ok, problem = pcall(eval.spawn, { argv = { "sleep", "30" }, timeout = 50 })
    if input == 2 then return { ok, problem.code } end
    error(problem)
  end }
LUA
  evalua run spawn.eval.lua --format json
  expect 4
  equal "$(each 'R["caught"]["output"]')" '[false, "timeout"]'
  equal "$(each 'R["raised"]["error"]["code"]')" timeout
  [[ "$(each 'R["raised"]["error"]["message"]')" == *"50 ms"* ]]
}

@test "the timeout of an experiment ends it: what is done is stored, the rest is counted" {
  mark=$(unique)
  suite long.eval.lua <<LUA
$(numbered 200)
eval.experiment { name = "long", dataset = items, timeout = 600, max_concurrency = 4, scorers = { eval.scorers.exact },
  target = function(input)
    if input == 3 then eval.spawn { argv = { "sleep", "$mark" } } end
    eval.sleep(100)
    return input
  end }
LUA
  timed evalua run long.eval.lua --format json
  expect 4
  [ "$took" -lt 3000 ]
  equal "$(pgrep -fc -- "sleep $mark" || true)" 0
  equal "$(each 'e["status"]')" cancelled
  equal "$(each 'e["verdict"]')" error
  [[ "$(each 'e["reason"]')" == *"timeout"*"of 200"* ]]
  equal "$(each '5 <= e["succeeded_count"] <= 30')" true
  equal "$(each 'e["succeeded_count"] + e["failed_count"] + e["skipped_count"]')" 200
  equal "$(query 'select count(*) from results where status = "ok"')" "$(each 'e["succeeded_count"]')"
}

# ==== Retries, failures ====

@test "max_retries: attempts are kept, the last one counts, permanent failures are not retried" {
  suite retry.eval.lua <<'LUA'
local function tries(id)
  local file = assert(io.open("tries-" .. id, "a+"))
  file:write "x"
  file:seek "set"
  local count = #file:read "a"
  file:close()
  return count
end
eval.experiment { name = "retry", max_retries = 2, item_timeout = 100, max_concurrency = 10, scorers = { eval.scorers.exact },
  dataset = { { id = "second", input = "second", ground_truth = 2 }, { id = "never", input = "never" },
    { id = "permanent", input = "permanent" }, { id = "slow", input = "slow", ground_truth = "slow" },
    { id = "first", input = "first" }, { id = "output", input = "output" } },
  target = function(input)
    local count = tries(input)
    if input == "second" and count < 2 then error "not yet" end
    if input == "never" then error("failure " .. count, 0) end
    if input == "permanent" then eval.fail("no such user", { permanent = true, code = "no_user" }) end
    if input == "slow" then
      if count < 2 then eval.sleep "10s" end
      return input
    end
    if input == "output" then return 0 / 0 end
    return count
  end }
LUA
  evalua run retry.eval.lua --format json
  expect 4
  equal "$(each '[(r["item_id"], r["status"], r["retry_count"]) for r in e["results"]]')" \
    '[["second", "ok", 1], ["never", "error", 2], ["permanent", "error", 0], ["slow", "ok", 1], ["first", "ok", 0], ["output", "error", 0]]'
  equal "$(each 'score("second", "exact")["score"]')" 1.0
  equal "$(each 'R["never"]["error"]["message"]')" "failure 3"
  equal "$(each 'R["permanent"]["error"]["code"]')" no_user
  [[ "$(each 'R["permanent"]["error"]["message"]')" == *"no such user"* ]]
  equal "$(query 'select item_id, attempt, status from attempts order by item_id, attempt')" \
    $'never|1|error\nnever|2|error\nsecond|1|error\nslow|1|timeout'
  equal "$(query "select error ->> 'message' from attempts where item_id = 'never' and attempt = 1")" "failure 1"
  equal "$(query 'select count(*) from results')" 6
}

@test "a retry waits outside of its slot: other items go on" {
  suite slot.eval.lua <<'LUA'
eval.experiment { name = "slot", max_retries = 1, max_concurrency = 1, scorers = {},
  dataset = { { id = "fails", input = 1 }, { id = "b", input = 2 }, { id = "c", input = 3 } },
  target = function(input)
    if input > 1 then return input end
    local file = io.open("tried")
    if file then return "tried " .. file:read "a" end
    assert(io.open("tried", "w")):close()
    error "once"
  end }
LUA
  evalua run slot.eval.lua --format json
  expect 0
  equal "$(each '[r["item_id"] for r in e["results"]]')" '["fails", "b", "c"]'
  equal "$(each 'R["fails"]["retry_count"]')" 1
  equal "$(each 'R["b"]["completed_at"] < R["fails"]["started_at"] and R["c"]["completed_at"] < R["fails"]["started_at"]')" true
}

@test "max_failures stops the run and says so" {
  suite broken.eval.lua <<LUA
$(numbered 2000)
eval.experiment { name = "broken", dataset = items, max_failures = 5, max_concurrency = 2, scorers = {},
  target = function(input)
    eval.sleep(5)
    if input % 2 == 0 then error "even" end
    return input
  end }
LUA
  evalua run broken.eval.lua --format json
  expect 4
  equal "$(each 'e["status"]')" cancelled
  [[ "$(each 'e["reason"]')" == *"max_failures"* ]]
  equal "$(each '5 <= e["failed_count"] <= 7')" true
  equal "$(each 'e["succeeded_count"] + e["failed_count"] + e["skipped_count"]')" 2000
  equal "$(query "select count(*) from results where status = 'error'")" "$(each 'e["failed_count"]')"
}

@test "errors of every kind: tables, nil, objects, numbers, long and binary texts" {
  suite errors.eval.lua <<'LUA'
local raise = {
  text = function() error "plain" end,
  bare = function() error("bare", 0) end,
  ["nil"] = function() error(nil) end,
  number = function() error(42) end,
  table = function() error { code = 7, why = "because" } end,
  object = function() error(setmetatable({}, { __tostring = function() return "an object" end })) end,
  bad_object = function() error(setmetatable({}, { __tostring = function() error "again" end })) end,
  long = function() error(("x"):rep(1000000), 0) end,
  binary = function() error("a\0b\xff\xfe\27[31m", 0) end,
  index = function() local nothing return nothing.field end,
  overflow = function() local function f() return 1 + f() end return f() end,
  assert = function() assert(false, "asserted") end,
  cyclic = function() local t = {} t.t = t error(t) end,
}
local items = {}
for id in pairs(raise) do items[#items + 1] = { id = id, input = id } end
items[#items + 1] = { id = "fine", input = "fine" }
eval.experiment { name = "errors", dataset = items, scorers = {}, target = function(input)
  if raise[input] then raise[input]() end
  return input
end }
LUA
  evalua run errors.eval.lua --format json
  expect 4
  equal "$(each 'e["failed_count"]')" 13
  equal "$(each 'R["fine"]["status"]')" ok
  equal "$(each 'R["text"]["error"]["message"]')" "errors.eval.lua:3: plain"
  equal "$(each 'R["bare"]["error"]["message"]')" bare
  equal "$(each 'R["number"]["error"]["message"]')" 42
  equal "$(each 'R["object"]["error"]["message"]')" "an object"
  [[ "$(each 'R["table"]["error"]["message"]')" == *because* ]]
  [[ "$(each 'R["index"]["error"]["message"]')" == "errors.eval.lua:12: attempt to index a nil value"* ]]
  [[ "$(each 'R["overflow"]["error"]["message"]')" == *"stack overflow"* ]]
  equal "$(each 'len(R["long"]["error"]["message"]) <= 70000')" true
  equal "$(each 'R["binary"]["error"]["message"][:3] == "a\0b"')" true
  equal "$(each 'all(r["error"]["code"] == "target_error" for r in e["results"] if r["status"] == "error")')" true
}

# ==== Scorers ====

@test "a scorer that fails or hangs changes neither the others nor other items" {
  suite scorers.eval.lua <<'LUA'
eval.experiment { name = "scorers", max_concurrency = 10,
  dataset = { { id = "a", input = "a", ground_truth = "a" }, { id = "b", input = "b", ground_truth = "b" } },
  target = function(input) return input end,
  scorers = {
    eval.scorers.exact,
    eval.scorer { id = "fails", score = function(run) if run.input == "a" then error "cannot score" end return 1 end },
    eval.scorer { id = "hangs", timeout = 100,
      score = function(run) if run.input == "a" then eval.sleep "60s" end return 1 end },
    eval.scorer { id = "nan", score = function() return 0 / 0 end },
    eval.scorer { id = "text", score = function() return "good" end },
    eval.scorer { id = "late", score = function() eval.sleep(20) return 0.5 end },
    eval.scorer { id = "yields", score = function() return coroutine.yield(1) end },
  } }
LUA
  evalua run scorers.eval.lua --format json
  echo "$status"
  equal "$(each '[r["status"] for r in e["results"]]')" '["ok", "ok"]'
  equal "$(each 'score("a", "exact")["score"]')" 1.0
  equal "$(each 'score("a", "late")["score"]')" 0.5
  equal "$(each '[score("a", s)["status"] for s in ["exact", "fails", "hangs", "nan", "text", "late", "yields"]]')" \
    '["ok", "error", "error", "error", "error", "ok", "error"]'
  equal "$(each '[score("b", s)["status"] for s in ["exact", "fails", "hangs", "nan", "text", "late", "yields"]]')" \
    '["ok", "ok", "ok", "error", "error", "ok", "error"]'
  [[ "$(each 'score("a", "fails")["error"]["message"]')" == *"scorers.eval.lua:7: cannot score"* ]]
  [[ "$(each 'score("a", "hangs")["error"]["message"]')" == *"100 ms"* ]]
  equal "$(each 'score("a", "hangs")["error"]["code"]')" timeout
  equal "$(each '[r["passed"] for r in e["results"]]')" '[false, false]'
  equal "$(each '(e["scorers"]["hangs"]["n"], e["scorers"]["hangs"]["n_error"], e["scorers"]["nan"]["n_error"])')" '[1, 1, 2]'
}

@test "scorers of one item wait at the same time" {
  suite together.eval.lua <<'LUA'
local scorers = {}
for number = 1, 10 do
  scorers[number] = eval.scorer { id = "s" .. number, score = function() eval.sleep(200) return number / 10 end }
end
eval.experiment { name = "together", dataset = { { id = "x", input = 1 }, { id = "y", input = 2 } },
  target = function(input) return input end, scorers = scorers }
LUA
  timed evalua run together.eval.lua --format json
  expect 0
  [ "$took" -lt 1000 ]
  equal "$(each '[s["score"] for s in sorted(R["y"]["scores"], key=lambda s: s["score"])]')" \
    '[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]'
}

# ==== Chance and order ====

@test "math.random: the same seed gives the same values, whatever the workers and the concurrency" {
  suite chance.eval.lua <<LUA
$(numbered 60)
eval.experiment { name = "chance", dataset = items,
  target = function()
    local a = math.random(1000000)
    eval.sleep(math.random(0, 4))
    local b = eval.all { function() eval.sleep(2) return math.random(1000000) end, function() return math.random(1000000) end }
    return { a, math.random(1000000), b, coroutine.wrap(function() return math.random() end)() }
  end,
  scorers = {
    eval.scorer { id = "one", score = function() return math.random() end },
    eval.scorer { id = "two", score = function() eval.sleep(1) return math.random() end },
  } }
LUA
  values='[(r["item_id"], r["output"], sorted((s["scorer_id"], s["score"]) for s in r["scores"])) for r in e["results"]]'
  evalua run chance.eval.lua --seed 7 --workers 1 -j 1 --format json
  expect 0
  each "$values" >first
  equal "$(each '[r["item_id"] for r in e["results"]] == ["i%d" % n for n in range(1, 61)]')" true
  equal "$(each 'len({r["output"][0] for r in e["results"]}) > 55')" true
  equal "$(each 'len({s["score"] for r in e["results"] for s in r["scores"]})')" 120
  for setting in "1 60" "2 7" "2 60" "8 60" "8 8"; do
    read -r workers concurrency <<<"$setting"
    evalua run chance.eval.lua --seed 7 --workers "$workers" -j "$concurrency" --format json
    expect 0
    each "$values" >again
    cmp first again
  done
  evalua run chance.eval.lua --seed 8 --format json
  each "$values" >other
  ! cmp -s first other
  equal "$(python3 -c '
import json
a, b = json.load(open("first")), json.load(open("other"))
print(sum(x[1][0] == y[1][0] for x, y in zip(a, b)))')" 0
}

@test "target, scorers and every function of eval.all draw values of their own" {
  suite own.eval.lua <<'LUA'
local function draw() return math.random(1000000000) end
eval.experiment { name = "own", dataset = { { id = "x", input = 1 } },
  target = function() return { draw(), draw(), eval.all { draw, draw }, eval.all { draw, draw } } end,
  scorers = { eval.scorer { id = "one", score = draw }, eval.scorer { id = "two", score = draw } } }
LUA
  evalua run own.eval.lua --format json
  expect 0
  values=$(each '[R["x"]["output"][0], R["x"]["output"][1]] + R["x"]["output"][2] + R["x"]["output"][3] + [int(s["score"]) for s in R["x"]["scores"]]')
  equal "$(python3 -c 'import json, sys; v = json.loads(sys.argv[1]); print(len(set(v)), "different of", len(v), v if len(set(v)) < len(v) else "")' "$values")" "8 different of 8 "
}

@test "a scorer's random values do not depend on which other scorers there are" {
  for others in "" 'eval.scorer { id = "other", score = function() return math.random() end },'; do
    suite alone.eval.lua <<LUA
eval.experiment { name = "alone", dataset = { { id = "x", input = 1 } }, target = function(input) return input end,
  scorers = { eval.scorer { id = "dice", score = function() return math.random() end }, $others } }
LUA
    evalua run alone.eval.lua --seed 3 --format json
    expect 0
    each 'score("x", "dice")["score"]' >>dice
  done
  equal "$(sort -u dice | wc -l)" 1
}

@test "results come in item order however they end" {
  suite order.eval.lua <<'LUA'
local items = {}
for number = 1, 50 do items[number] = { id = "z" .. (100 - number), input = number } end
eval.experiment { name = "order", dataset = items, max_concurrency = 50, scorers = {},
  target = function(input) eval.sleep(5 * (50 - input)) return input end }
LUA
  evalua run order.eval.lua --format json
  expect 0
  equal "$(each '[r["output"] for r in e["results"]] == list(range(1, 51))')" true
  equal "$(each 'R["z50"]["completed_at"] < R["z99"]["completed_at"]')" true
  evalua run order.eval.lua --format jsonl
  expect 0
  equal "$(jsonl '[x["output"] for x in d if x["type"] == "item"] == list(range(1, 51))')" true
}

# ==== What items see and say ====

@test "print goes to stderr with the item's id, also after a wait and from a scorer" {
  suite talk.eval.lua <<'LUA'
eval.experiment { name = "talk", max_concurrency = 2,
  dataset = { { id = "first", input = "one" }, { id = "second", input = "two" } },
  target = function(input)
    print("before", input)
    eval.sleep(20)
    coroutine.wrap(function() print("after " .. input, nil, 3) end)()
    return input
  end,
  scorers = { eval.scorer { id = "s", score = function(run) print("scoring " .. run.output) return 1 end } } }
LUA
  evalua run talk.eval.lua --workers 1 --format json
  expect 0
  says $'[first] before\tone\n' $'[second] before\ttwo\n' $'[first] after one\tnil\t3' "[second] scoring two"
  equal "$(each 'e["succeeded_count"]')" 2
}

@test "globals, upvalues and modules of the top level are there in targets; what items change stays in their worker" {
  cat >shared.lua <<'LUA'
local shared = { name = "module" }
function shared.shout(text) return text:upper() end
return shared
LUA
  suite scope.eval.lua <<'LUA'
local shared = require "shared"
local upvalue = { list = { 1, 2, 3 } }
global_table = rawset(_G, "global_table", { name = "global" }) and global_table
local count = 0
local function helper(x) return shared.shout(x) .. #upvalue.list end
eval.experiment { name = "scope", scorers = {}, max_concurrency = 1,
  dataset = { { id = "a", input = "a" }, { id = "b", input = "b" } },
  target = function(input)
    count = count + 1
    return { helper(input), global_table.name, require("shared").name, count }
  end }
LUA
  evalua run scope.eval.lua --format json
  expect 0
  equal "$(each 'R["a"]["output"]')" '["A3", "global", "module", 1]'
  equal "$(each 'R["b"]["output"]')" '["B3", "global", "module", 2]'
}

@test "starting an experiment inside an item is refused, and only that item fails" {
  suite inside.eval.lua <<'LUA'
local other = eval.experiment { name = "other", dataset = { { id = "o", input = 1 } }, scorers = {},
  target = function(input) return input end }
eval.experiment { name = "inside", dataset = { { id = "x", input = "run" }, { id = "y", input = "dataset" },
    { id = "z", input = "fine" } }, scorers = {},
  target = function(input)
    if input == "run" then other:run() end
    if input == "dataset" then eval.datasets.get "other" end
    return input
  end }
LUA
  evalua run inside.eval.lua -e inside --format json
  expect 4
  [[ "$(each 'R["x"]["error"]["message"]')" == *"inside an item"* ]]
  [[ "$(each 'R["y"]["error"]["message"]')" == *'there is no dataset "other"'* ]]
  equal "$(each 'R["z"]["status"]')" ok
  equal "$(query 'select count(*) from experiments')" 1
}

@test "more workers than concurrency, and concurrency 1" {
  counting_suite few.eval.lua 30
  evalua run few.eval.lua --workers 64 -j 2 --format json
  expect 0
  equal "$(each 'e["scorers"]["exact"]["n"]')" 30
  evalua run few.eval.lua --workers 8 -j 1 --format json
  expect 0
  equal "$(each 'e["passed_count"]')" 30
  evalua run few.eval.lua -j 1000 --workers 200 --format json
  expect 0
  equal "$(each 'e["passed_count"]')" 30
}

# ==== Outputs ====

@test "outputs: a megabyte, NaN, invalid UTF-8, cycles, functions, deep and strange tables" {
  suite outputs.eval.lua <<'LUA'
local deep = {}
for _ = 1, 5000 do deep = { deep } end
local cyclic = { name = "c" }
cyclic.self = cyclic
local make = {
  megabyte = function() return ("0123456789abcdef"):rep(65536) end,
  nan = function() return 0 / 0 end,
  infinity = function() return { x = { 1, math.huge } } end,
  utf8 = function() return { text = "a\xff\xc3(b", ["key\xff"] = 1 } end,
  clean = function() return "grün" end,
  cyclic = function() return cyclic end,
  twice = function() local part = { 1 } return { part, part } end,
  ["function"] = function() return function() end end,
  nested = function() return { a = { b = print } } end,
  coroutine = function() return coroutine.create(print) end,
  deep = function() return deep end,
  mixed = function() return { 1, 2, x = 3 } end,
  hole = function() return { 1, nil, 3 } end,
  ["nil"] = function() return nil end,
  nothing = function() return end,
  ["false"] = function() return false end,
  null = function() return eval.null end,
  empty = function() return "" end,
}
local items = {}
for id in pairs(make) do items[#items + 1] = { id = id, input = id } end
eval.experiment { name = "outputs", dataset = items, scorers = {},
  target = function(input) return make[input]() end }
LUA
  evalua run outputs.eval.lua --format json
  expect 4
  equal "$(each 'R["megabyte"]["output"] == "0123456789abcdef" * 65536')" true
  equal "$(each '(R["utf8"]["output"]["text"] == "a\ufffd\ufffd(b", R["utf8"]["output_repaired"], R["utf8"]["status"])')" '[true, true, "ok"]'
  equal "$(each '(R["clean"]["output"], R["clean"]["output_repaired"])')" '["gr\u00fcn", false]'
  equal "$(each 'R["twice"]["output"]')" '[[1], [1]]'
  equal "$(each '[(i, R[i]["status"], R[i]["error"]["code"]) for i in "nan infinity cyclic function nested coroutine deep mixed hole".split() if (R[i]["status"], R[i]["error"]["code"]) != ("error", "bad_output") or "output" not in R[i]["error"]["message"]]')" '[]'
  [[ "$(each 'R["infinity"]["error"]["message"]')" == *"output.x[2]"* ]]
  [[ "$(each 'R["cyclic"]["error"]["message"]')" == *"contains itself"* ]]
  [[ "$(each 'R["nested"]["error"]["message"]')" == *"output.a.b"*function* ]]
  equal "$(each '[(R[i]["status"], R[i]["output"]) for i in ("nil", "nothing", "null")]')" '[["ok", null], ["ok", null], ["ok", null]]'
  equal "$(each '(R["false"]["output"], R["empty"]["output"])')" '[false, ""]'
  equal "$(query 'select length(output) from results where item_id = "megabyte"')" 1048578
}

@test "an output of 70 MB is limited and names the limit; the run goes on" {
  suite big.eval.lua <<'LUA'
eval.experiment { name = "big", max_retries = 2, scorers = { eval.scorers.exact },
  dataset = { { id = "big", input = 70 }, { id = "fits", input = 20 }, { id = "small", input = 0 } },
  target = function(input) return ("x"):rep(input * 1024 * 1024) end }
LUA
  evalua run big.eval.lua >/dev/null
  expect 4
  equal "$(query 'select item_id, status, length(output), retry_count from results order by position')" \
    $'big|limited||0\nfits|ok|20971522|0\nsmall|ok|2|0'
  message=$(query "select error ->> 'message' from results where item_id = 'big'")
  [[ $message == *output_bytes* && $message == *73400322* && $message == *67108864* ]] || { echo "$message"; return 1; }
  equal "$(query "select error ->> 'code' from results where item_id = 'big'")" output_bytes
}
