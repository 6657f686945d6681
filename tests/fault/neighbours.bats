#!/usr/bin/env bats
# Items that never end, with 100 good ones beside them: each is a timeout, and no good one pays for it.
load ../cli/helper

# neighbours FILE ITEM_TIMEOUT: a suite of 100 good items with the bad ones of stdin (lines `name = function...,`)
# spread among them.
neighbours() {
  { cat <<'LUA'
local bad = {
LUA
    cat
    cat <<LUA
}
local names, items = {}, {}
for name in pairs(bad) do names[#names + 1] = name end
table.sort(names)
local every = 100 // #names
for number = 1, 100 do
  items[#items + 1] = { id = "good" .. number, input = number, ground_truth = number }
  if number % every == every // 2 and names[number // every + 1] then
    items[#items + 1] = { id = names[number // every + 1], input = names[number // every + 1] }
  end
end
eval.experiment { name = "neighbours", dataset = items, max_concurrency = 100 + #names, item_timeout = "$2",
  scorers = { eval.scorers.exact },
  target = function(input)
    if bad[input] then return bad[input]() end
    eval.sleep(input)
    local sum = 0
    for value = 1, 10000 do sum = sum + value end
    return input
  end }
LUA
  } | suite "$1"
}

# held COUNT SECONDS: exactly so many timeouts, 100 ok, in time, and no process left.
held() {
  local left
  equal "$(query "select status || ' ' || count(*) from results group by status order by 1")" \
    "$(printf 'ok 100\ntimeout %d' "$1")"
  equal "$(query "select distinct error ->> 'code' from results where status <> 'ok'")" timeout
  equal "$(query "select count(*) from scores where score = 1")" 100
  [ "$took" -le $(($2 * 1000)) ] || { echo "the run took $took ms"; return 1; }
  left=$(grep -lzsx "EVALUA_TEST_MARK=$mark" /proc/[0-9]*/environ || true)
  [ -z "$left" ] || { echo "still alive: $left"; return 1; }
}

run_marked() {
  mark=neighbours_$SRANDOM$SRANDOM
  local begin=${EPOCHREALTIME/./}
  EVALUA_TEST_MARK=$mark evalua run "$@"
  took=$(((${EPOCHREALTIME/./} - begin) / 1000))
}

@test "a loop, a loop in pcall, backtracking, a silent server, a child that ignores SIGTERM: 5 timeouts, 100 ok" {
  echo 'return { ["GET /silent"] = { silent = true } }' >mock.lua
  "$EVALUA" mock mock.lua >port.json 2>mock.txt 3>&- &
  server=$!
  for _ in {1..100}; do [ -s port.json ] && break; sleep 0.05; done
  port=$(python3 -c 'import json; print(json.load(open("port.json"))["port"])')
  neighbours five.eval.lua 1s <<LUA
  loop = function() while true do end end,
  pcalls = function() while true do pcall(function() while true do end end) end end,
  pattern = function() return (("a"):rep(28)):find(("a?"):rep(28) .. ("a"):rep(28)) end,
  server = function() return eval.fetch { url = "http://127.0.0.1:$port/silent" }.body end,
  child = function()
    return eval.spawn { argv = { "sh", "-c", "trap '' TERM INT HUP; while :; do sleep 0.1; done" } }.stdout
  end,
LUA
  run_marked five.eval.lua
  kill "$server"
  wait "$server" || true
  expect 4
  held 5 10
}

@test "nested pcalls, an xpcall handler, __close, __gc, a wrap inside a coroutine: 5 timeouts, 100 ok" {
  neighbours nested.eval.lua 1s <<'LUA'
  nested = function()
    local function deep(level)
      if level == 0 then while true do end end
      while true do pcall(deep, level - 1) end
    end
    deep(50)
  end,
  handler = function()
    while true do xpcall(error, function() while true do end end, "x") end
  end,
  close = function()
    local guard <close> = setmetatable({}, { __close = function() while true do end end })
    local _ = guard
    error "leave"
  end,
  finalizer = function()
    setmetatable({}, { __gc = function() while true do end end })
    collectgarbage()
    collectgarbage()
  end,
  wrapped = function()
    local outer = coroutine.create(function()
      local inner = coroutine.wrap(function() while true do pcall(function() while true do end end) end end)
      while true do pcall(inner) end
    end)
    while true do coroutine.resume(outer) end
  end,
LUA
  run_marked nested.eval.lua
  expect 4
  held 5 10
}

@test "xpcall handlers that raise, __close that waits, new wraps, resumes of each other, metamethods: timeouts, 100 ok" {
  neighbours odd.eval.lua 1s <<'LUA'
  handler_raises = function()
    while true do xpcall(error, function() error "again" end, "x") end
  end,
  handler_calls = function()
    local function handler() return xpcall(error, handler, "deeper") end
    while true do xpcall(error, handler, "x") end
  end,
  close_waits = function()
    while true do
      pcall(function()
        local guard <close> = setmetatable({}, { __close = function() while true do pcall(eval.sleep, 10) end end })
        local _ = guard
        while true do end
      end)
    end
  end,
  new_wraps = function()
    while true do coroutine.wrap(function() coroutine.wrap(function() for _ = 1, 1000 do end end)() end)() end
  end,
  ping_pong = function()
    local a, b
    a = coroutine.create(function() while true do coroutine.resume(b) coroutine.yield() end end)
    b = coroutine.create(function() while true do coroutine.yield() end end)
    while true do coroutine.resume(a) end
  end,
  index = function()
    local strange = setmetatable({}, { __index = function() while true do end end })
    while true do pcall(function() return strange.field end) end
  end,
  sorted = function()
    local list = {}
    for index = 1, 1000 do list[index] = index end
    while true do pcall(table.sort, list, function() while true do end end) end
  end,
  replaced = function()
    while true do pcall(string.gsub, ("x"):rep(100), "x", function() while true do end end) end
  end,
  everything = function()
    while true do eval.all { function() while true do end end, function() eval.sleep "60s" end } end
  end,
  all_closes = function()
    eval.all { function()
      local guard <close> = setmetatable({}, { __close = function() while true do end end })
      local _ = guard
      eval.sleep "60s"
    end }
  end,
  text = function()
    while true do pcall(tostring, setmetatable({}, { __tostring = function() while true do end end })) end
  end,
LUA
  run_marked odd.eval.lua
  expect 4
  held 11 60
}

@test "long calls of C: rep, gsub, sort, concat, format, find, match, move, len: timeouts, 100 ok" {
  neighbours giant.eval.lua 1s <<'LUA'
  rep = function() while true do local _ = #("0123456789"):rep(10000000) end end,
  gsub = function()
    local text = ("ab"):rep(5000000)
    while true do text:gsub("a", "a") end
  end,
  sort = function()
    local list = {}
    for index = 1, 2000000 do list[index] = (index * 7919) % 2000003 end
    while true do
      table.sort(list)
      table.sort(list, function(a, b) return a > b end)
    end
  end,
  concat = function()
    local list = {}
    for index = 1, 2000000 do list[index] = "0123456789" end
    while true do local _ = #table.concat(list, ", ") end
  end,
  format = function() while true do local _ = ("%99.99f"):format(1e300) end end,
  find = function()
    local text = ("a"):rep(300000)
    return text:find(".-.-.-b")
  end,
  plain_find = function()
    local text, sought = ("a"):rep(5000000), ("a"):rep(50000) .. "b"
    while true do text:find(sought, 1, true) end
  end,
  match = function() return (("a"):rep(3000)):match("^(a-)(a-)(a-)(a-)b$") end,
  table_move = function() while true do table.move({}, 1, 100000000, 2, {}) end end,
  utf8 = function()
    local text = ("ü"):rep(3000000)
    while true do utf8.len(text) end
  end,
LUA
  run_marked giant.eval.lua
  expect 4
  held 10 40
}

@test "what a target leaves behind is held to its time too: __tostring of its error, metatables in its info, forged failures" {
  suite left.eval.lua <<'LUA'
local function for_ever() while true do end end
local never = { __index = for_ever, __len = for_ever, __pairs = for_ever, __tostring = for_ever, __name = "evalua.failure" }
local bad = {
  tostring = function() error(setmetatable({}, { __tostring = for_ever })) end,
  forged = function() error(setmetatable({}, never)) end,
  methods = function() error(setmetatable({}, setmetatable({}, { __index = for_ever }))) end,
  changed = function()
    local _, problem = pcall(eval.fail, "x", { code = "y" })
    problem.message, problem.code, problem.status = {}, {}, "strange"
    error(problem)
  end,
  info = function() return "out", setmetatable({}, never) end,
  parts = function() return "out", { context = setmetatable({}, never), usage = setmetatable({}, never) } end,
}
local items = {}
for name in pairs(bad) do items[#items + 1] = { id = name, input = name } end
eval.experiment { name = "left", dataset = items, item_timeout = "500ms", target = function(input) return bad[input]() end,
  scorers = { eval.scorers.contains "out", eval.scorers.equals { value = 1 } } }
LUA
  run_marked left.eval.lua --workers 1
  expect 4
  equal "$(query "select item_id, status, error ->> 'code' from results order by item_id")" "changed|error|target_error
forged|error|target_error
info|ok|
methods|error|target_error
parts|ok|
tostring|timeout|timeout"
  [ "$took" -le 10000 ]
}

@test "functions of a script inside built-in scorers and in expect have the scorer's time" {
  suite scorers.eval.lua <<'LUA'
local function for_ever() while true do end end
eval.scorer { id = "slow", timeout = "100ms", score = for_ever }
eval.scorer { id = "slower", score = for_ever }
local function experiment(name, more, scorers, target)
  more.id, more.input = name, 1
  eval.experiment { name = name, dataset = { more }, item_timeout = "500ms", scorers = scorers,
    target = target or function() return "out" end }
end
experiment("pass", {}, { eval.scorers.exact { value = "out", pass = for_ever } })
experiment("on_error", {}, { eval.scorers.exact { value = "out", on_error = for_ever } }, function() error "x" end)
experiment("expect", { expect = { { scorer = "slow", at_least = 1 }, { scorer = "slower", at_least = 1 },
  { contains = "out" } } }, {})
LUA
  run_marked scorers.eval.lua
  equal "$(query "select e.name, s.scorer_id, s.status, s.error ->> 'code' from scores s
    join experiments e on e.id = s.experiment_id order by e.number")" "pass|exact|error|timeout
on_error|exact|error|timeout
expect|expect|ok|"
  equal "$(query "select reason from scores where scorer_id = 'expect'")" \
    "failed: scorer slow (scorer slow took longer than 100 ms); scorer slower (scorer slower took longer than 500 ms)"
  [ "$took" -le 10000 ]
}

@test "a finalizer that loops while the program works on an item ends with its worker, not never" {
  suite finalizer.eval.lua <<'LUA'
local function for_ever() while true do end end
local items = { { id = "bad", input = "bad" } }
for number = 1, 10 do items[#items + 1] = { id = "good" .. number, input = ("x"):rep(200000), ground_truth = ("x"):rep(200000) } end
eval.experiment { name = "finalizer", dataset = items, item_timeout = "500ms", max_concurrency = 1,
  scorers = { eval.scorers.exact },
  target = function(input)
    if input ~= "bad" then return input end
    for _ = 1, 2 do setmetatable({}, { __gc = for_ever }) end
    return "left"
  end }
LUA
  run_marked finalizer.eval.lua --workers 1
  expect 4
  equal "$(query "select count(*) from results where status in ('ok', 'timeout')")" 11
  [ "$(query "select count(*) from results where status = 'timeout'")" -le 2 ]
  [ "$took" -le 40000 ]
}

@test "a timeout of less than a millisecond is one, too" {
  suite short.eval.lua <<'LUA'
local function for_ever() while true do end end
local function experiment(more)
  more.dataset, more.scorers = { { id = "a", input = 1 } }, more.scorers or {}
  eval.experiment(more)
end
experiment { name = "item", item_timeout = 0.4, target = for_ever }
experiment { name = "scorer", target = function() return 1 end,
  scorers = { eval.scorer { id = "s", timeout = 0.4, score = for_ever } } }
experiment { name = "run", timeout = 0.4, target = function() eval.sleep "1h" end }
LUA
  run_marked short.eval.lua
  expect 4
  equal "$(query "select e.name, r.status, s.error ->> 'code' from experiments e join results r on r.experiment_id = e.id
    left join scores s on s.experiment_id = e.id order by e.number")" "item|timeout|
scorer|ok|timeout"
  equal "$(query "select status from experiments where name = 'run'")" cancelled
  [ "$took" -le 10000 ]
}
