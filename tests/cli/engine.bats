#!/usr/bin/env bats
# The engine as its users see it: waiting, deadlines, retries, workers that die, interrupts, chance, limits.
load helper

# each EXPRESSION: Python over the last run's JSON; e: the experiment, R: its results by item id.
each() {
  python3 -c 'import json, sys
e = json.loads(sys.stdin.read())["experiments"][0]
R = {r["item_id"]: r for r in e["results"]}
def score(item, scorer): return next(s for s in R[item]["scores"] if s["scorer_id"] == scorer)
value = eval(sys.argv[1])
print(value if isinstance(value, str) else json.dumps(value))' "$1" <<<"$output"
}

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# The processes that descend from $1, itself left out.
descendants() {
  local child
  for child in $(ps -o pid= --ppid "$1"); do echo "$child"; descendants "$child"; done
}

# gone PID...: none of them runs (init may reap them later); waits a little.
gone() {
  local pid alive
  for _ in $(seq 50); do
    alive=
    for pid in "$@"; do
      [[ $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) == [!ZX]* ]] && alive="$alive $pid"
    done
    [ -z "$alive" ] && return 0
    sleep 0.05
  done
  echo "still alive:$alive"
  return 1
}

# until_true COMMAND...: waits for at most 10 s.
until_true() {
  for _ in $(seq 200); do "$@" >/dev/null 2>&1 && return 0; sleep 0.05; done
  echo "never came true: $*"
  return 1
}

stored() { [ "$(query 'select count(*) from results' 2>/dev/null || echo 0)" -ge "$1" ]; }
lines() { [ "$(cat "$1" 2>/dev/null | wc -l)" -ge "$2" ]; }

# A number of seconds that no other process has in its arguments.
unique() { echo "98$RANDOM$RANDOM.$$"; }

# ==== Waiting ====

@test "100 items that wait 200 ms at concurrency 100 end in about one wait, and really overlap" {
  suite wait.eval.lua <<'LUA'
local items = {}
for number = 1, 100 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "wait", dataset = items, max_concurrency = 100, scorers = {},
  target = function(input) eval.sleep "200ms" return input end }
LUA
  begin=$(now_ms)
  evalua run wait.eval.lua --format json
  took=$(($(now_ms) - begin))
  expect 0
  echo "took $took ms"
  [ "$took" -lt 1000 ]
  equal "$(each 'min(r["latency_ms"] for r in e["results"]) >= 200')" true
  equal "$(each 'max(sum(o["started_at"] <= r["started_at"] < o["completed_at"] for o in e["results"]) for r in e["results"])')" 100
}

@test "max_concurrency holds over all workers, whatever its size beside theirs" {
  for setting in "7 2" "1 4" "3 8"; do
    read -r concurrency workers <<<"$setting"
    rm -rf .evalua log && mkdir log
    suite limit.eval.lua <<LUA
local items = {}
for number = 1, 21 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "limit", dataset = items, max_concurrency = $concurrency, scorers = {},
  target = function(input)
    local function mark(what)
      local file = assert(io.open("log/" .. input .. what, "w"))
      file:close()
    end
    local begin = eval.spawn { argv = { "date", "+%s%N" } }.stdout
    eval.sleep(30)
    return { tonumber(begin), tonumber(eval.spawn { argv = { "date", "+%s%N" } }.stdout) }
  end }
LUA
    evalua run limit.eval.lua --workers "$workers" --format json
    expect 0
    most=$(each 'max(sum(o["output"][0] <= r["output"][0] < o["output"][1] for o in e["results"]) for r in e["results"])')
    echo "concurrency $concurrency, workers $workers: at most $most at a time"
    [ "$most" -le "$concurrency" ]
    [ "$concurrency" -eq 1 ] || [ "$most" -ge 2 ]
    equal "$(each '[r["input"] for r in e["results"]] == list(range(1, 22))')" true
  done
}

@test "eval.all: results in order, nils kept apart, max, at the same time" {
  suite all.eval.lua <<'LUA'
local function after(ms, value) return function() eval.sleep(ms) return value end end
local cases = {
  order = function() return eval.all { after(60, "a"), after(5, "b"), after(30, "c") } end,
  many = function()
    local list = {}
    for i = 1, 500 do list[i] = after(50, i) end
    local sum = 0
    for i, value in ipairs(eval.all(list)) do
      assert(i == value)
      sum = sum + value
    end
    return sum
  end,
  max = function()
    local running, most, list = 0, 0, { max = 3 }
    for i = 1, 12 do
      list[i] = function()
        running = running + 1
        most = math.max(most, running)
        eval.sleep(5)
        running = running - 1
        return i
      end
    end
    local results = eval.all(list)
    return { most, results }
  end,
  nested = function()
    return eval.all { function() return eval.all { after(5, 1), after(1, 2) } end, after(1, 3) }
  end,
  empty = function() return #eval.all {} end,
  plain = function() return eval.all { function() return 1 end, function() return 2, 3 end } end,
  missing = function() return { eval.all { after(1, nil), after(1, "x") }[2] } end,
}
local items = {}
for id in pairs(cases) do items[#items + 1] = { id = id, input = id } end
eval.experiment { name = "all", dataset = items, item_timeout = "5s", scorers = {}, max_concurrency = 20,
  target = function(input) return cases[input]() end }
LUA
  evalua run all.eval.lua --format json
  expect 0
  equal "$(each 'R["order"]["output"]')" '["a", "b", "c"]'
  equal "$(each 'R["many"]["output"]')" 125250
  equal "$(each 'R["many"]["latency_ms"] < 250')" true
  equal "$(each 'R["max"]["output"]')" '[3, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]]'
  equal "$(each 'R["nested"]["output"]')" '[[1, 2], 3]'
  equal "$(each 'R["empty"]["output"]')" 0
  equal "$(each 'R["plain"]["output"]')" '[1, 2]'
  equal "$(each 'R["missing"]["output"]')" '["x"]'
}

@test "eval.all: the first error in order is raised when all have ended, and mistakes are named" {
  suite all.eval.lua <<'LUA'
local cases = {
  first = function()
    local ended = 0
    local ok, problem = pcall(eval.all, {
      function() eval.sleep(20) ended = ended + 1 error("from the first", 0) end,
      function() ended = ended + 1 error("from the second", 0) end,
      function() eval.sleep(40) ended = ended + 1 end,
    })
    return { ok, problem, ended }
  end,
  raises = function() eval.all { function() error "it went wrong" end } end,
  object = function() eval.all { function() eval.fail("gone", { code = "no_such_thing" }) end } end,
  option = function() eval.all { function() end, mx = 2 } end,
  max = function() eval.all { function() end, max = 0 } end,
  hole = function() eval.all { function() end, nil, function() end } end,
  number = function() eval.all { 5 } end,
}
local items = {}
for id in pairs(cases) do items[#items + 1] = { id = id, input = id } end
eval.experiment { name = "all", dataset = items, item_timeout = "5s", scorers = {},
  target = function(input) local value = cases[input]() return value end }
LUA
  evalua run all.eval.lua --format json
  expect 4
  equal "$(each 'R["first"]["output"]')" '[false, "from the first", 3]'
  equal "$(each 'R["raises"]["error"]["message"]')" "all.eval.lua:12: it went wrong"
  equal "$(each 'R["object"]["error"]["code"]')" no_such_thing
  equal "$(each '"mx" in R["option"]["error"]["message"]')" true
  equal "$(each '"max" in R["max"]["error"]["message"]')" true
  equal "$(each '"hole" in R["hole"]["error"]["message"] or "nil" in R["hole"]["error"]["message"]')" true
  equal "$(each '"element 1 is 5" in R["number"]["error"]["message"]')" true
  equal "$(each 'e["failed_count"]')" 6
}

@test "waits inside coroutines, pcall, xpcall, iterators and __close" {
  suite inside.eval.lua <<'LUA'
local cases = {
  wrap = function() return coroutine.wrap(function(x) eval.sleep(20) return x + 1 end)(1) end,
  resume = function()
    local co = coroutine.create(function(x)
      eval.sleep(20)
      local y = coroutine.yield(x + 1)
      eval.sleep(20)
      return y * 2
    end)
    local a, b = coroutine.resume(co, 1)
    local c, d = coroutine.resume(co, 5)
    return { a, b, c, d, coroutine.status(co) }
  end,
  nested = function()
    return coroutine.wrap(function()
      local inner = coroutine.wrap(function()
        local a = coroutine.wrap(function() eval.sleep(10) coroutine.yield "deep" end)()
        eval.sleep(10)
        coroutine.yield(a .. "er")
        return "end"
      end)
      return { inner(), inner() }
    end)()
  end,
  pcall = function()
    return { pcall(function() eval.sleep(20) return 1 end) }
  end,
  ["pcall error"] = function()
    return { pcall(function() eval.sleep(20) error("after the wait", 0) end) }
  end,
  xpcall = function()
    return { xpcall(function(x) eval.sleep(20) error(x, 0) end, function(e) return e .. " handled" end, "it") }
  end,
  iterator = function()
    local seen = {}
    for value in coroutine.wrap(function() for i = 1, 3 do eval.sleep(10) coroutine.yield(i) end end) do
      eval.sleep(5)
      seen[#seen + 1] = value
    end
    return seen
  end,
  ["pcall in wrap in pcall"] = function()
    return { pcall(coroutine.wrap(function() return pcall(function() eval.sleep(10) error("x", 0) end) end)) }
  end,
  close = function()
    local log = {}
    do
      local _ <close> = setmetatable({}, { __close = function() eval.sleep(10) log[1] = "closed" end })
    end
    return log
  end,
  metamethod = function()
    local lazy = setmetatable({}, { __index = function(_, key) eval.sleep(10) return key .. "!" end })
    return lazy.name
  end,
  spawn = function()
    return coroutine.wrap(function() return eval.spawn { argv = { "echo", "hi" } }.stdout end)()
  end,
  all = function()
    return coroutine.wrap(function()
      return eval.all { coroutine.wrap(function() eval.sleep(10) return 1 end), function() return 2 end }
    end)()
  end,
}
local items = {}
for id in pairs(cases) do items[#items + 1] = { id = id, input = id } end
eval.experiment { name = "inside", dataset = items, item_timeout = "5s", scorers = {}, max_concurrency = 50,
  target = function(input) return cases[input]() end }
LUA
  evalua run inside.eval.lua --workers 1 --format json
  expect 0
  equal "$(each 'R["wrap"]["output"]')" 2
  equal "$(each 'R["resume"]["output"]')" '[true, 2, true, 10, "dead"]'
  equal "$(each 'R["nested"]["output"]')" '["deeper", "end"]'
  equal "$(each 'R["pcall"]["output"]')" '[true, 1]'
  equal "$(each 'R["pcall error"]["output"]')" '[false, "after the wait"]'
  equal "$(each 'R["xpcall"]["output"]')" '[false, "it handled"]'
  equal "$(each 'R["iterator"]["output"]')" '[1, 2, 3]'
  equal "$(each 'R["pcall in wrap in pcall"]["output"]')" '[true, false, "x"]'
  equal "$(each 'R["close"]["output"]')" '["closed"]'
  equal "$(each 'R["metamethod"]["output"]')" 'name!'
  equal "$(each 'R["spawn"]["output"] == "hi\n"')" true
  equal "$(each 'R["all"]["output"]')" '[1, 2]'
}

@test "a wait where Lua cannot pause is an error that says where and why, and only that item fails" {
  suite cannot.eval.lua <<'LUA'
local cases = {
  sort = function() table.sort({ 3, 2, 1 }, function(a, b) eval.sleep(1) return a < b end) end,
  gsub = function() local text = ("abc"):gsub(".", function(c) eval.sleep(1) return c end) return text end,
  tostring = function()
    local text = tostring(setmetatable({}, { __tostring = function() eval.sleep(1) return "x" end }))
    return text
  end,
  spawn = function()
    table.sort({ 3, 2, 1 }, function(a, b) eval.spawn { argv = { "true" } } return a < b end)
  end,
  coroutine = function()
    table.sort({ 3, 2, 1 }, function(a, b) coroutine.wrap(function() eval.sleep(1) end)() return a < b end)
  end,
  caught = function()
    local ok, problem = pcall(table.sort, { 2, 1 }, function() eval.sleep(1) end)
    eval.sleep(5)
    return { ok, (problem:find("cannot wait", 1, true)) ~= nil }
  end,
  yield = function() coroutine.yield(1) end,
  fine = function() eval.sleep(5) return "fine" end,
}
local items = {}
for id in pairs(cases) do items[#items + 1] = { id = id, input = id } end
eval.experiment { name = "cannot", dataset = items, item_timeout = "5s", scorers = {},
  target = function(input) return cases[input]() end }
LUA
  evalua run cannot.eval.lua --workers 1 --format json
  expect 4
  for id in sort gsub tostring spawn coroutine; do
    equal "$(each "R['$id']['status']")" error
    message=$(each "R['$id']['error']['message']")
    [[ $message == *"cannot wait"* && $message == *"sort comparator"* ]] || { echo "$id: $message"; return 1; }
    [[ "$(each "R['$id']['error']['stack']")" == *"cannot.eval.lua:"* ]] || [ "$id" = coroutine ]
  done
  [[ "$(each 'R["yield"]["error"]["message"]')" == *"coroutine.yield outside of a coroutine"*"eval.sleep"* ]]
  equal "$(each 'R["caught"]["output"]')" '[false, true]'
  equal "$(each 'R["fine"]["output"]')" fine
  equal "$(each 'e["failed_count"]')" 6
}

@test "the error of a wait that cannot be names the script's line first" {
  suite line.eval.lua <<'LUA'
eval.experiment { name = "line", dataset = { { id = "x", input = 1 } }, scorers = {},
  target = function() table.sort({ 3, 2, 1 }, function(a, b) eval.sleep(1) return a < b end) end }
LUA
  evalua run line.eval.lua --format json
  expect 4
  message=$(each 'R["x"]["error"]["message"]')
  [[ $message == "line.eval.lua:3: "*"cannot wait"* ]] || { echo "$message"; return 1; }
}

@test "two functions of eval.all that share a coroutine: an error, never an item that hangs" {
  suite shared.eval.lua <<'LUA'
eval.experiment { name = "shared", dataset = { { id = "x", input = 1 } }, scorers = {}, item_timeout = "2s",
  target = function()
    local co = coroutine.wrap(function() eval.sleep(20) return 1 end)
    local result = eval.all { function() return co() end, function() return co() end }
    return result
  end }
LUA
  evalua run shared.eval.lua --format json
  expect 4
  equal "$(each 'R["x"]["status"]')" error
  [[ "$(each 'R["x"]["error"]["message"]')" == *"coroutine"* ]]
}

@test "eval.sleep and eval.spawn block in exec" {
  cat >wait.lua <<'LUA'
local eval = require "evalua"
local begin = tonumber(eval.spawn { argv = { "date", "+%s%N" } }.stdout)
eval.sleep "150ms"
print(eval.spawn { argv = { "sh", "-c", "sleep 0.1; echo done; exit 3" } }.code)
local took = (tonumber(eval.spawn { argv = { "date", "+%s%N" } }.stdout) - begin) / 1e6
print(took >= 250 and took < 1500)
print(table.concat(eval.all { function() eval.sleep(20) return "a" end, function() return "b" end }))
print(coroutine.wrap(function() eval.sleep(5) coroutine.yield "c" end)())
LUA
  evalua exec wait.lua
  expect 0
  equal "$output" $'3\ntrue\nab\nc'
}

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
  begin=$(now_ms)
  evalua run slow.eval.lua --format json
  took=$(($(now_ms) - begin))
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
  suite near.eval.lua <<'LUA'
local items = {}
for number = 1, 40 do items[number] = { id = "i" .. number, input = number } end
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
local items = {}
for number = 1, 200 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "long", dataset = items, timeout = 600, max_concurrency = 4, scorers = { eval.scorers.exact },
  target = function(input)
    if input == 3 then eval.spawn { argv = { "sleep", "$mark" } } end
    eval.sleep(100)
    return input
  end }
LUA
  begin=$(now_ms)
  evalua run long.eval.lua --format json
  took=$(($(now_ms) - begin))
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
  suite broken.eval.lua <<'LUA'
local items = {}
for number = 1, 2000 do items[number] = { id = "i" .. number, input = number } end
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
  begin=$(now_ms)
  evalua run together.eval.lua --format json
  took=$(($(now_ms) - begin))
  expect 0
  echo "took $took ms"
  [ "$took" -lt 1000 ]
  equal "$(each '[s["score"] for s in sorted(R["y"]["scores"], key=lambda s: s["score"])]')" \
    '[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]'
}

# ==== Workers that die ====

@test "a worker killed from outside: what it ran fails and names SIGKILL, everything else is done" {
  suite killed.eval.lua <<'LUA'
local items = {}
for number = 1, 300 do items[number] = { id = "i" .. number, input = number, ground_truth = number } end
eval.experiment { name = "killed", dataset = items, max_concurrency = 10, scorers = { eval.scorers.exact },
  target = function(input) eval.sleep(40) return input end }
LUA
  "$EVALUA" run killed.eval.lua --workers 2 --format json >out.json 2>err.txt 3>&- &
  pid=$!
  until_true stored 20
  worker=$(ps -o pid= --ppid "$pid" | head -1)
  kill -9 $worker
  code=0
  wait "$pid" || code=$?
  output=$(cat out.json)
  equal "$code" 4
  equal "$(each 'e["status"]')" completed
  equal "$(each 'len(e["results"])')" 300
  equal "$(each '1 <= e["failed_count"] <= 5')" true
  equal "$(each 'sorted({r["error"]["code"] for r in e["results"] if r["error"]})')" '["worker_crashed"]'
  equal "$(each 'all("SIGKILL" in r["error"]["message"] for r in e["results"] if r["error"])')" true
  equal "$(each 'all(r["status"] == "ok" and r["output"] == r["input"] for r in e["results"] if not r["error"])')" true
  gone "$worker"
}

@test "an item that kills its own worker fails with the signal; only what ran beside it is touched" {
  export ASAN_OPTIONS=${ASAN_OPTIONS:-}:handle_segv=0:handle_sigbus=0 # the signal itself is what is tested
  suite suicide.eval.lua <<'LUA'
local items = {}
for number = 1, 60 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "suicide", dataset = items, max_concurrency = 1, scorers = {},
  target = function(input)
    if input == 20 then eval.spawn { argv = { "sh", "-c", "kill -SEGV $PPID; sleep 5" } } end
    if input == 40 then eval.spawn { argv = { "sh", "-c", "kill -ABRT $PPID; sleep 5" } } end
    return input
  end }
LUA
  evalua run suicide.eval.lua --format json
  expect 4
  equal "$(each '[r["item_id"] for r in e["results"] if r["status"] != "ok"]')" '["i20", "i40"]'
  [[ "$(each 'R["i20"]["error"]["message"]')" == *SIGSEGV* ]]
  [[ "$(each 'R["i40"]["error"]["message"]')" == *SIGABRT* ]]
  equal "$(each 'R["i20"]["error"]["code"]')" worker_crashed
  equal "$(each 'e["succeeded_count"]')" 58
}

@test "an item whose worker died has its start and end, and the summary its latency" {
  suite times.eval.lua <<'LUA'
eval.experiment { name = "times", max_concurrency = 1, scorers = {}, dataset = { { id = "a", input = 1 } },
  target = function() eval.spawn { argv = { "sh", "-c", "sleep 0.1; kill -KILL $PPID; sleep 5" } } end }
LUA
  evalua run times.eval.lua --format json
  expect 4
  equal "$(each 'R["a"]["error"]["code"]')" worker_crashed
  equal "$(each 'bool(R["a"]["completed_at"])')" true
  equal "$(each 'bool(R["a"]["started_at"]) and R["a"]["started_at"] < R["a"]["completed_at"]')" true
}

@test "a worker that dies while one item's code runs: that item fails, those that only waited run again" {
  export ASAN_OPTIONS=${ASAN_OPTIONS:-}:handle_segv=0:handle_sigbus=0 # the signal itself is what is tested
  suite busy.eval.lua <<'LUA'
local items = {}
for number = 1, 12 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "busy", dataset = items, max_concurrency = 6, scorers = {},
  target = function(input)
    if input == 6 then
      eval.sleep(50)
      eval.spawn { argv = { "sh", "-c", "p=$PPID; setsid sh -c \"sleep 0.3; kill -BUS $p\" >/dev/null 2>&1 </dev/null & sleep 0.15" } }
      local stop = os.clock() + 3
      while os.clock() < stop do end
    end
    eval.sleep(450)
    return input
  end }
LUA
  evalua run busy.eval.lua --workers 1 --format json
  expect 4
  equal "$(each '[r["item_id"] for r in e["results"] if r["status"] != "ok"]')" '["i6"]'
  [[ "$(each 'R["i6"]["error"]["message"]')" == *SIGBUS* ]]
  equal "$(each 'max(r["interrupted_by"] for r in e["results"])')" 1
  equal "$(each 'max(r["retry_count"] for r in e["results"])')" 0
}

@test "max_retries helps an item whose worker died" {
  suite again.eval.lua <<'LUA'
eval.experiment { name = "again", max_retries = 1, max_concurrency = 1, scorers = { eval.scorers.exact },
  dataset = { { id = "a", input = "a", ground_truth = "a" }, { id = "once", input = "once", ground_truth = "once" },
    { id = "always", input = "always" }, { id = "d", input = "d", ground_truth = "d" } },
  target = function(input)
    local file = io.open "died"
    if input == "always" or input == "once" and not file then
      assert(io.open("died", "w")):close()
      eval.spawn { argv = { "sh", "-c", "kill -KILL $PPID; sleep 5" } }
    end
    return input
  end }
LUA
  evalua run again.eval.lua --format json
  expect 4
  equal "$(each '[(r["item_id"], r["status"], r["retry_count"]) for r in e["results"]]')" \
    '[["a", "ok", 0], ["once", "ok", 1], ["always", "error", 1], ["d", "ok", 0]]'
  equal "$(each 'R["always"]["error"]["code"]')" worker_crashed
  equal "$(query "select item_id, attempt, error ->> 'code' from attempts order by item_id")" \
    $'always|1|worker_crashed\nonce|1|worker_crashed'
}

@test "the programs of a worker that was killed are gone when the run ends" {
  mark=$(unique)
  suite orphans.eval.lua <<LUA
eval.experiment { name = "orphans", max_concurrency = 2, scorers = {},
  dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } },
  target = function(input)
    if input == 1 then eval.spawn { argv = { "sh", "-c", "sleep $mark & sleep $mark" } } end
    eval.spawn { argv = { "sh", "-c", "sleep 0.3; kill -KILL \$PPID; sleep 5" } }
  end }
LUA
  evalua run orphans.eval.lua --workers 1 --format json
  expect 4
  equal "$(each '[r["error"]["code"] for r in e["results"]]')" '["worker_crashed", "worker_crashed"]'
  equal "$(pgrep -fc -- "sleep $mark" || true)" 0
}

# ==== Interrupts ====

# Items that wait, one of which holds a program named by $mark; the first 20 are quick.
interruptible() {
  mark=$(unique)
  suite slow.eval.lua <<LUA
local items = {}
for number = 1, 400 do items[number] = { id = "i" .. number, input = number, ground_truth = number } end
eval.experiment { name = "slow", dataset = items, max_concurrency = 10, scorers = { eval.scorers.exact },
  target = function(input)
    if input > 20 then eval.sleep($1) end
    if input == 25 then eval.spawn { argv = { "sleep", "$2" } } end
    return input
  end }
LUA
}

# interrupted CODE: what must hold after an interrupt, in out.json and in the store.
interrupted() {
  output=$(cat out.json)
  cat err.txt
  equal "$code" 130
  equal "$(pgrep -fc -- "sleep $mark" || true)" 0
  gone $children
  equal "$(each 'e["status"]')" cancelled
  equal "$(query 'select status from experiments')" cancelled
  equal "$(each 'e["succeeded_count"] >= 20 and e["skipped_count"] >= 200')" true
  equal "$(each 'e["succeeded_count"] + e["failed_count"] + e["skipped_count"]')" 400
  equal "$(query "select count(*) from results where status = 'ok'")" "$(each 'e["succeeded_count"]')"
  equal "$(query 'select count(*) from scores')" "$(each 'e["succeeded_count"]')"
  equal "$(query 'pragma integrity_check')" ok
}

start_slow() {
  setsid "$EVALUA" run slow.eval.lua --workers 2 --format json >out.json 2>err.txt 3>&- &
  pid=$!
  until_true stored 20
  sleep 0.2
  children=$(descendants "$pid")
  [ -n "$children" ]
}

@test "SIGINT to the coordinator alone: items in flight end, the rest is skipped, exit 130" {
  interruptible 300 0.1
  start_slow
  begin=$(now_ms)
  kill -INT "$pid"
  code=0
  wait "$pid" || code=$?
  [ $(($(now_ms) - begin)) -lt 4000 ]
  interrupted
  equal "$(each 'e["failed_count"]')" 0
  grep -q "stopping" err.txt
}

@test "Ctrl-C, SIGINT to the whole process group, is the same" {
  interruptible 300 0.1
  start_slow
  kill -INT -- "-$pid"
  code=0
  wait "$pid" || code=$?
  interrupted
  equal "$(each 'e["failed_count"]')" 0
}

@test "SIGTERM is the same" {
  interruptible 300 0.1
  start_slow
  kill -TERM "$pid"
  code=0
  wait "$pid" || code=$?
  interrupted
  equal "$(each 'e["failed_count"]')" 0
}

@test "a second SIGINT ends at once, and leaves no process" {
  interruptible 300 "$(unique)"
  sed -i 's/eval.sleep(300)/eval.sleep "100s"/' slow.eval.lua
  start_slow
  kill -INT "$pid"
  sleep 0.3
  kill -0 "$pid"
  begin=$(now_ms)
  kill -INT "$pid"
  code=0
  wait "$pid" || code=$?
  took=$(($(now_ms) - begin))
  echo "took $took ms"
  [ "$took" -lt 2500 ]
  interrupted
}

@test "after one SIGINT items in flight get five seconds, then they are given up" {
  interruptible 300 "$(unique)"
  sed -i "s/eval.sleep(300)/eval.sleep '100s'/; s/input == 25/input == 21/" slow.eval.lua
  start_slow
  begin=$(now_ms)
  kill -INT "$pid"
  code=0
  wait "$pid" || code=$?
  took=$(($(now_ms) - begin))
  echo "took $took ms"
  [ "$took" -ge 4900 ] && [ "$took" -lt 10000 ]
  interrupted
}

# ==== Chance and order ====

@test "math.random: the same seed gives the same values, whatever the workers and the concurrency" {
  suite chance.eval.lua <<'LUA'
local items = {}
for number = 1, 60 do items[number] = { id = "i" .. number, input = number } end
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
