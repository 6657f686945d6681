#!/usr/bin/env bats
# Waiting inside items: eval.sleep, eval.all and eval.spawn at the same time, in coroutines, and where Lua cannot pause.
load helper

# ==== Waiting ====

@test "100 items that wait 200 ms at concurrency 100 end in about one wait, and really overlap" {
  suite wait.eval.lua <<LUA
$(numbered 100)
eval.experiment { name = "wait", dataset = items, max_concurrency = 100, scorers = {},
  target = function(input) eval.sleep "200ms" return input end }
LUA
  timed evalua run wait.eval.lua --format json
  expect 0
  [ "$took" -lt 1000 ]
  equal "$(each 'min(r["latency_ms"] for r in e["results"]) >= 200')" true
  equal "$(each 'max(sum(o["started_at"] <= r["started_at"] < o["completed_at"] for o in e["results"]) for r in e["results"])')" 100
}

@test "max_concurrency holds over all workers, whatever its size beside theirs" {
  for setting in "7 2" "1 4" "3 8"; do
    read -r concurrency workers <<<"$setting"
    rm -rf .evalua log && mkdir log
    suite limit.eval.lua <<LUA
$(numbered 21)
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
  suite all.eval.lua <<LUA
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
$(keyed cases)
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
  suite all.eval.lua <<LUA
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
$(keyed cases)
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
  suite inside.eval.lua <<LUA
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
$(keyed cases)
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
  suite cannot.eval.lua <<LUA
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
$(keyed cases)
eval.experiment { name = "cannot", dataset = items, item_timeout = "5s", scorers = {},
  target = function(input) return cases[input]() end }
LUA
  evalua run cannot.eval.lua --workers 1 --format json
  expect 4
  for id in sort gsub tostring spawn coroutine; do
    equal "$(each "R['$id']['status']")" error
    message=$(each "R['$id']['error']['message']")
    [[ $message == *"cannot wait"* && $message == *"sort comparator"* ]] || { echo "$id: $message"; return 1; }
    [ "$id" != gsub ] || [[ $message == *"cannot wait (sleep) in a gsub callback: "* ]]
    [ "$id" != tostring ] || [[ $message == *"cannot wait (sleep) in __tostring: "* ]]
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
