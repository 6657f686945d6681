#!/usr/bin/env bats
# Permits of hosts that workers pass on from one request to the next: fair between workers, returned by the dead, and
# stopped at once by a 429 that another worker met. Only loopback is contacted.
load helper
load mock

teardown() {
  stop_mock
  nothing_left
}

# get PATH: what the mock answers.
get() {
  python3 -c 'import sys, urllib.request
print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1]).read().decode())' "$MOCK_URL$1"
}

# Worker processes as "a" (the first that came) and "b" in `who()`.
WHO='local function worker_setup()
  return os.rename("token", "taken") and "a" or "b"
end
local function who(item) return item.worker end'

@test "permits: a worker that passes its own on shares them with one that comes later" {
  # Three of the first 20 requests are refused: the host is left with about as many permits for a minute.
  mock <<'LUA'
local count, order = 0, {}
return {
  ["/work"] = function(request)
    count = count + 1
    order[#order + 1] = request.query.who
    if count < 18 or count > 20 then return { body = "ok", delay = 5 } end
    return { status = 429, headers = { ["Retry-After"] = "60" }, delay = 5 }
  end,
  ["/count"] = function() return { body = tostring(count) } end,
  ["/order"] = function() return { body = table.concat(order) } end,
}
LUA
  touch token quit1 quit2 quit3 quit4 quit5 quit6
  suite fair.eval.lua <<LUA
local url = eval.env "MOCK_URL"
local apart = url:gsub("127%.0%.0%.1", "localhost") -- another host, with permits of its own
$WHO
local items = {}
for number = 1, 24 do items[number] = { id = "i" .. number, input = number } end
local function work(item, times)
  for _ = 1, times do eval.fetch { url = url .. "/work?who=" .. who(item) } end
end
eval.experiment { name = "fair", dataset = items, max_concurrency = 24, scorers = {}, worker_setup = worker_setup,
  target = function(_, item)
    if who(item) == "b" then
      repeat eval.sleep(5) until tonumber(eval.fetch { url = apart .. "/count" }.body) >= 100
      work(item, 40)
      return "late"
    end
    work(item, 3)
    for number = 1, 6 do if os.rename("quit" .. number, "gone" .. number) then return "early" end end
    work(item, 100)
    return "long"
  end }
LUA
  evalua run fair.eval.lua --workers 2
  expect 0
  # Twelve items of b beside six of a: two of three requests are theirs. Where a keeps what it has, it is less than half.
  python3 - "$(get /order)" <<'PY'
import sys
order = sys.argv[1]
assert len(order) == 12 * 3 + 6 * 100 + 12 * 40, len(order)
begin = order.index("b") + 50
late = order[begin:begin + 300].count("b")
assert late >= 0.55 * 300, (late, order)
PY
}

@test "permits: a worker that dies gives back those that it passed on" {
  mock <<'LUA'
local count, held = 0, 0
return {
  ["/work"] = function()
    count = count + 1
    return { status = count % 10 == 0 and 500 or 200, body = "ok", delay = 5 }
  end,
  ["/hold"] = function()
    held = held + 1
    return { silent = true }
  end,
  ["/held"] = function() return { body = tostring(held) } end,
}
LUA
  touch token killer
  suite death.eval.lua <<LUA
local url = eval.env "MOCK_URL"
local apart = url:gsub("127%.0%.0%.1", "localhost") -- another host, with permits of its own
$WHO
local items = {}
for number = 1, 40 do items[number] = { id = "i" .. number, input = number } end
local function hold() eval.fetch { url = url .. "/hold" } end
local function die_with_all()
  repeat eval.sleep(10) until eval.fetch { url = apart .. "/held" }.body == "20"
  eval.spawn { argv = { "sh", "-c", "kill -9 \$PPID; sleep 5" } }
end
eval.experiment { name = "death", dataset = items, max_concurrency = 40, scorers = {}, worker_setup = worker_setup,
  tolerance = 40,
  target = function(_, item)
    for _ = 1, who(item) == "a" and 5 or 60 do eval.fetch { url = url .. "/work" } end
    if who(item) == "b" then return "done" end
    if os.rename("killer", "chosen") then eval.all { hold, die_with_all } else hold() end
  end }
LUA
  # Worker a holds all 20 permits when it dies; b, which waits for them, goes on.
  evalua run death.eval.lua --workers 2 --format json
  expect 0
  # Those of a fail with it, or run again in its successor, which is a b.
  equal "$(json "d['experiments'][0]['succeeded_count'] + d['experiments'][0]['failed_count']")" 40
  [ "$(json "d['experiments'][0]['succeeded_count']")" -ge 20 ]
  equal "$(json "{r['error']['code'] for r in d['experiments'][0]['results'] if r['error']} == {'worker_crashed'}")" true
}

@test "permits: a 429 that one worker meets stops what the other passes on" {
  # Worker a is refused for two seconds from its 60th request on; worker b would always be answered.
  mock <<'LUA'
local sys = require "evalua.native.sys"
local a, first, during = 0, nil, 0
local function since() return first and sys.monotonic_ms() - first or 0 end
return {
  ["/a"] = function()
    a = a + 1
    if a <= 60 or first and since() >= 2000 then return { body = "ok", delay = 5 } end
    first = first or sys.monotonic_ms()
    return { status = 429, headers = { ["retry-after-ms"] = tostring(math.max(1, 2000 - math.floor(since()))) } }
  end,
  ["/b"] = function()
    if since() > 400 and since() < 1900 then during = during + 1 end
    return { body = "ok", delay = 5 }
  end,
  ["/during"] = function() return { body = tostring(during) } end,
}
LUA
  touch token
  suite stop.eval.lua <<LUA
local url = eval.env "MOCK_URL"
$WHO
local items = {}
for number = 1, 20 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "stop", dataset = items, max_concurrency = 20, scorers = {}, worker_setup = worker_setup,
  target = function(_, item)
    local path = url .. "/" .. who(item)
    local good = 0
    while good < 200 do
      if eval.fetch { url = path }.status == 200 then good = good + 1 end
    end
    return "done"
  end }
LUA
  evalua run stop.eval.lua --workers 2
  expect 0
  # Without the word b would send 10 at a time, 5 ms each: hundreds.
  during=$(get /during)
  [ "$during" -le 40 ] || { echo "$during requests while the host was to be left alone"; return 1; }
}
