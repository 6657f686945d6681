#!/usr/bin/env bats
# What all workers share: limits, models, and hosts that say 429. Only loopback is contacted.
load helper
load mock

teardown() {
  stop_mock
  nothing_left
}

experiment() { json "d['experiments'][0]$1"; }

# What items that call `note("begin")` and `note("end")` have written: {most at a time, how many, worker processes}.
overlap() {
  python3 -c 'import json
events = sorted((float(at), what, pid) for at, what, pid in (line.split() for line in open("notes")))
active = most = count = 0
for at, what, pid in events:
    active += 1 if what == "begin" else -1
    count += what == "begin"
    most = max(most, active)
print(json.dumps({"most": most, "count": count, "workers": len({pid for _, _, pid in events})}))' >overlap.json
  python3 -c 'import json, sys; print(json.load(open("overlap.json"))[sys.argv[1]])' "$1"
}

NOTE='local sys = require "evalua.native.sys"
local function note(what)
  local file <close> = io.open("notes", "a")
  file:write(("%.6f %s %d\n"):format(sys.monotonic_ms(), what, sys.pid()))
end'

# ==== eval.limit ====

@test "limit: four workers never hold more than max_concurrency at once, and all get their turn" {
  suite limit.eval.lua <<LUA
$NOTE
local items = {}
for number = 1, 60 do items[number] = { id = "i" .. number, input = number } end
local db = eval.limit { id = "db", max_concurrency = 3 }
eval.experiment { name = "limit", dataset = items, max_concurrency = 40, scorers = {},
  target = function(input)
    return db(function() note "begin" eval.sleep(10) note "end" return input end)
  end }
LUA
  evalua run limit.eval.lua --workers 4 --format json
  expect 0
  equal "$(experiment '["succeeded_count"]')" 60
  equal "$(overlap most)" 3
  equal "$(overlap count)" 60
  equal "$(overlap workers)" 4
}

@test "limit: the same id is the same limit, wherever it is made; in scorers too" {
  suite same.eval.lua <<LUA
$NOTE
local items = {}
for number = 1, 20 do items[number] = { id = "i" .. number, input = number } end
local function work() note "begin" eval.sleep(5) note "end" end
eval.experiment { name = "same", dataset = items, max_concurrency = 20,
  target = function(input) eval.limit { id = "one", max_concurrency = 1 } (work) return input end,
  scorers = { function() eval.limit { id = "one", max_concurrency = 1 } (work) return 1 end } }
LUA
  evalua run same.eval.lua --workers 4 --format json
  expect 0
  equal "$(overlap most)" 1
  equal "$(overlap count)" 40
}

@test "limit: two declarations of one id that differ are an error that names both" {
  suite twice.eval.lua <<'LUA'
eval.limit { id = "db", max_concurrency = 3 }
eval.limit { id = "db", max_concurrency = 3 }
eval.limit { id = "db", max_concurrency = 4 }
LUA
  evalua run twice.eval.lua
  expect 2
  says 'twice.eval.lua:4: limit "db" is declared twice with different options; the first is at ' 'twice.eval.lua:2'
}

@test "limit: requests_per_minute holds over all workers" {
  suite rate.eval.lua <<LUA
$NOTE
local items = {}
for number = 1, 30 do items[number] = { id = "i" .. number, input = number } end
local rate = eval.limit { id = "rate", requests_per_minute = 600 }
eval.experiment { name = "rate", dataset = items, max_concurrency = 30, scorers = {},
  target = function(input) return rate(function() note "begin" return input end) end }
LUA
  evalua run rate.eval.lua --workers 4 --format json
  expect 0
  # Ten at once, then one each 0.1 s.
  python3 - <<'PY'
times = sorted(float(line.split()[0]) for line in open("notes"))
assert len(times) == 30
assert times[-1] - times[0] >= 1900, times[-1] - times[0]
assert times[-1] - times[0] <= 10000, times[-1] - times[0]
assert all(times[n + 15] - times[n] >= 400 for n in range(15)), times
PY
}

@test "limit: waiting for it is not the item's time; holding it is" {
  suite time.eval.lua <<'LUA'
local items = {}
for number = 1, 10 do items[number] = { id = "i" .. number, input = number } end
local one = eval.limit { id = "one", max_concurrency = 1 }
eval.experiment { name = "time", dataset = items, max_concurrency = 10, scorers = {}, item_timeout = "400ms", tolerance = 1,
  target = function(input) return one(function() eval.sleep(input == 7 and 5000 or 100) return input end) end }
LUA
  evalua run time.eval.lua --workers 2 --format json
  expect 0
  equal "$(experiment '["succeeded_count"]')" 9
  equal "$(json '[r["item_id"] for r in d["experiments"][0]["results"] if r["status"] == "timeout"]')" '["i7"]'
  equal "$(json '90 < d["experiments"][0]["latency_ms"]["p50"] < 350')" true
}

@test "limit: what an item has under it, it has for its branches too: no item waits for itself, or for another that does" {
  suite itself.eval.lua <<'LUA'
local one = eval.limit { id = "one", max_concurrency = 1 }
eval.experiment { name = "itself", dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } }, scorers = {},
  target = function(input)
    return one(function() return eval.all { one:wrap(function() return input end) }[1] end)
  end }
local two, items = eval.limit { id = "two", max_concurrency = 2 }, {}
for number = 1, 40 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "others", dataset = items, scorers = {}, max_concurrency = 20,
  target = function(input)
    return two(function()
      eval.sleep(1)
      local function inner() eval.sleep(1) return input end
      return eval.all { two:wrap(inner), two:wrap(inner), two:wrap(inner) }[3]
    end)
  end }
LUA
  evalua run itself.eval.lua --workers 2 --format json
  expect 0
  equal "$(json '[e["succeeded_count"] for e in d["experiments"]]')" '[2, 40]'
}

@test "limit: a coroutine that would wait for another one of its item fails at once, and says why" {
  suite yielded.eval.lua <<'LUA'
local one = eval.limit { id = "one", max_concurrency = 1 }
local function wait_for_another()
  local holder = coroutine.wrap(function() one(coroutine.yield) end)
  holder()
  local value = one(function() return "never" end)
  return value
end
eval.experiment { name = "yielded", dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } }, scorers = {},
  target = function(input)
    if input == 1 then return wait_for_another() end
    return one(function() return eval.all { wait_for_another } end)
  end }
LUA
  evalua run yielded.eval.lua --format json
  expect 4
  equal "$(json '["yielded.eval.lua:6: waiting for a permit of limit:one would never end: max_concurrency is 1, and a coroutine"
    in r["error"]["message"] for r in d["experiments"][0]["results"]]')" '[true, true]'
}

@test "limit: a worker that dies gives back what it held, and those who wait go on" {
  suite death.eval.lua <<'LUA'
local items = {}
for number = 1, 20 do items[number] = { id = "i" .. number, input = number } end
local one = eval.limit { id = "one", max_concurrency = 1 }
eval.experiment { name = "death", dataset = items, max_concurrency = 8, scorers = {}, tolerance = 20,
  target = function(input)
    return one(function()
      if input == 3 then eval.spawn { argv = { "sh", "-c", "kill -9 $PPID; sleep 5" } } end
      eval.sleep(5)
      return input
    end)
  end }
LUA
  evalua run death.eval.lua --workers 2 --format json
  expect 0
  # Item 3 fails with those that ran beside it; nobody waits for ever.
  equal "$(json 'd["experiments"][0]["results"][2]["error"]["code"]')" worker_crashed
  equal "$(experiment '["succeeded_count"] + d["experiments"][0]["failed_count"]')" 20
  [ "$(experiment '["succeeded_count"]')" -ge 12 ]
}

@test "limit: Ctrl-C while items wait ends the run" {
  suite wait.eval.lua <<'LUA'
local items = {}
for number = 1, 50 do items[number] = { id = "i" .. number, input = number } end
local one = eval.limit { id = "one", max_concurrency = 1 }
eval.experiment { name = "wait", dataset = items, max_concurrency = 50, scorers = {},
  target = function(input) return one(function() eval.sleep(300) return input end) end }
LUA
  "$EVALUA" run wait.eval.lua >out 2>err 3>&- &
  pid=$!
  until_results 1
  kill -INT "$pid"
  sleep 0.2
  kill -INT "$pid"
  wait "$pid" && status=0 || status=$?
  equal "$status" 130
}

# ==== The desk ====

@test "desk: workers ask the coordinator, from items, scorers and worker_setup" {
  suite desk.eval.lua <<'LUA'
local desk = require "evalua.native.desk"
local count = 0
desk.serve("counter", function(request)
  if request == "fail" then error "broken" end
  count = count + 1
  return ("%s %d"):format(request, count)
end)
local items = {}
for number = 1, 200 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "desk", dataset = items, max_concurrency = 50,
  worker_setup = function() return desk.ask("counter", "setup") end,
  target = function(input, item)
    assert(item.worker:find "^setup %d")
    local answer, message, code = desk.ask("counter", "fail")
    assert(not answer and code == "handler_failed" and message:find "broken", message)
    answer, message, code = desk.ask("nobody", "x")
    assert(not answer and code == "not_found", message)
    desk.tell("counter", "told")
    assert(not pcall(desk.serve, "late", function() end))
    return (desk.ask("counter", tostring(input)))
  end,
  scorers = { function() return desk.ask("counter", "score") and 1 end } }
LUA
  evalua run desk.eval.lua --workers 4 --format json
  expect 0
  equal "$(experiment '["succeeded_count"]')" 200
  equal "$(json 'len({r["output"].split()[1] for r in d["experiments"][0]["results"]})')" 200
  equal "$(json 'all(r["output"].split()[0] == str(r["input"]) for r in d["experiments"][0]["results"])')" true
}

@test "desk: large requests and answers, and many that are given up" {
  suite large.eval.lua <<'LUA'
local desk = require "evalua.native.desk"
desk.serve("double", function(request) return request .. request end)
local items = {}
for number = 1, 40 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "large", dataset = items, max_concurrency = 40, scorers = {}, tolerance = 1, item_timeout = "2s",
  target = function(input)
    local task = require "evalua.native.task"
    for _ = 1, 5 do task.attempt(0.001, function() desk.ask("double", "given up") end) end
    local text = ("x"):rep(input * 50000)
    return #desk.ask("double", text) / #text
  end }
LUA
  evalua run large.eval.lua --workers 4 --format json
  expect 0
  equal "$(json '{r["output"] for r in d["experiments"][0]["results"]} == {2}')" true
}

# ==== eval.model ====

@test "model: url, key, price and limits hold in eval.http and eval.fetch, over all workers" {
  mock <<'LUA'
local active, most = 0, 0
return {
  ["POST /v1/chat"] = function(request)
    return { delay = 10, json = { key = request.headers.authorization, text = request.json.text,
      usage = { prompt_tokens = 1000, completion_tokens = 10 } } }
  end,
  ["/v1/who"] = function(request) return { json = { key = request.headers.authorization } } end,
}
LUA
  suite model.eval.lua <<LUA
$NOTE
local model = eval.model { id = "test/small", url = eval.env "MOCK_URL" .. "/v1", api_key = eval.env "TEST_KEY",
  max_concurrency = 2, price = { input = 0.15, output = 0.6 } }
eval.http { id = "chat", model = "test/small", url = "/chat", body = { text = "{{input}}" }, output = "/text" }
eval.scorer { id = "who", score = function()
  local response = eval.fetch { model = model, url = "who" }
  return response.json.key ~= nil and 1 or 0
end }
local items = {}
for number = 1, 20 do items[number] = { id = "i" .. number, input = "t" .. number } end
eval.experiment { name = "model", dataset = items, target = "chat", max_concurrency = 20, scorers = { "who" },
  rules = { eval.rules.max_cost(1) } }
LUA
  TEST_KEY=sk-very-secret evalua run model.eval.lua --workers 4 --format json
  expect 0
  equal "$(experiment '["succeeded_count"]')" 20
  equal "$(json 'd["experiments"][0]["results"][4]["output"]')" t5
  equal "$(json 'd["experiments"][0]["results"][0]["usage"]["input_tokens"]')" 1000
  equal "$(json 'round(d["experiments"][0]["results"][0]["usage"]["cost"], 9)')" 0.000156
  equal "$(experiment '["scorers"]["who"]["mean"]')" 1.0
  equal "$(json '"sk-very-secret" in json.dumps(d)')" false
}

@test "model: what eval.fetch has used counts for its item, with its cost" {
  mock <<<'return { ["/x"] = { json = { usage = { input_tokens = 1000, output_tokens = 500 } } } }'
  suite usage.eval.lua <<'LUA'
local model = eval.model { id = "m", url = eval.env "MOCK_URL", price = { input = 2, output = 4 } }
eval.experiment { name = "usage", dataset = { { id = "a", input = 1 } }, scorers = {}, limits = { cost = 0.01 },
  rules = { eval.rules.max_cost(0.01) },
  target = function()
    eval.fetch { model = model, url = "x" }
    return eval.fetch { model = "m", url = "/x" }.json.usage.input_tokens
  end }
LUA
  evalua run usage.eval.lua --format json
  expect 0
  equal "$(json 'd["experiments"][0]["results"][0]["usage"]')" '{"cost": 0.008, "input_tokens": 2000, "output_tokens": 1000}'
}

@test "model: requests_per_minute and the key reach the server as declared" {
  mock <<'LUA'
local sys = require "evalua.native.sys"
local begun
return { ["/x"] = function(request)
  begun = begun or sys.monotonic_ms()
  return { json = { at = sys.monotonic_ms() - begun, key = request.headers.authorization or "none" } }
end }
LUA
  suite rate.eval.lua <<'LUA'
local url = eval.env "MOCK_URL"
eval.model { id = "m", url = url, api_key = "key-of-mine", requests_per_minute = 600 }
eval.http { id = "t", model = "m", url = "/x", output = function(response)
  return { at = response.json.at, right = response.json.key == "Bearer key-of-mine" }
end }
local items = {}
for number = 1, 20 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "rate", dataset = items, target = "t", max_concurrency = 20, scorers = {} }
LUA
  evalua run rate.eval.lua --workers 2 --format json
  expect 0
  equal "$(json 'all(r["output"]["right"] for r in d["experiments"][0]["results"])')" true
  equal "$(json '900 <= max(r["output"]["at"] for r in d["experiments"][0]["results"]) <= 5000')" true
}

# ==== Hosts that refuse ====

@test "429: 1,000 requests of which 1 in 20 is refused for a second, at concurrency 100: all ok, and soon" {
  mock <<'LUA'
local count = 0
return { ["/limited"] = function()
  count = count + 1
  if count % 20 == 0 then return { status = 429, headers = { ["Retry-After"] = "1" }, body = "slow down" } end
  return { body = "ok", delay = 20 }
end }
LUA
  suite acceptance.eval.lua <<'LUA'
eval.http { id = "t", url = eval.env "MOCK_URL" .. "/limited" }
local items = {}
for number = 1, 1000 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "acceptance", dataset = items, target = "t", scorers = {}, max_concurrency = 100 }
LUA
  begin=$(now_ms)
  evalua run acceptance.eval.lua --format json
  took=$(($(now_ms) - begin))
  expect 0
  equal "$(experiment '["succeeded_count"]')" 1000
  # The 50 that were refused, and then those of them that met another twentieth request.
  equal "$(json 'sum(r["retry_count"] for r in d["experiments"][0]["results"])')" 52
  equal "$(query "select count(*) from attempts where error like '%429%'")" 52
  # The server forces 2.2 s (two refusals one after the other, and 1,000 requests at 100); five times 1.5 of that.
  [ "$took" -lt 16500 ] || { echo "it took $took ms"; return 1; }
}

@test "429: a server with a rate of its own is kept busy, and no item fails of it" {
  mock <<'LUA'
local sys = require "evalua.native.sys"
local tokens, filled = 10, sys.monotonic_ms()
return { ["/rate"] = function()
  local now = sys.monotonic_ms()
  tokens, filled = math.min(50, tokens + (now - filled) / 20), now
  if tokens < 1 then return { status = 429, headers = { ["retry-after-ms"] = "500" } } end
  tokens = tokens - 1
  return { body = "ok", delay = 10 }
end }
LUA
  suite rate.eval.lua <<'LUA'
eval.http { id = "t", url = eval.env "MOCK_URL" .. "/rate", retries = 5 }
local items = {}
for number = 1, 150 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "rate", dataset = items, target = "t", scorers = {}, max_concurrency = 50 }
LUA
  begin=$(now_ms)
  evalua run rate.eval.lua --format json
  took=$(($(now_ms) - begin))
  expect 0
  equal "$(experiment '["succeeded_count"]')" 150
  [ "$took" -lt 15000 ] || { echo "it took $took ms, the server forces 2.8 s"; return 1; }
}

@test "429: a host that refuses everything blocks no other" {
  mock <<'LUA'
return {
  ["/full"] = { status = 429, headers = { ["Retry-After"] = "1" } },
  ["/free"] = { body = "ok", delay = 5 },
}
LUA
  # Two origins of one server: hosts are told apart by name.
  suite hosts.eval.lua <<'LUA'
local url = eval.env "MOCK_URL"
local full = url:gsub("127%.0%.0%.1", "localhost") .. "/full"
eval.http { id = "t", url = function(input) return input % 2 == 0 and full or url .. "/free" end, retries = 1 }
local items = {}
for number = 1, 200 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "hosts", dataset = items, target = "t", scorers = {}, max_concurrency = 10, tolerance = 200 }
LUA
  evalua run hosts.eval.lua --format jsonl
  # The items of the free host take 0.1 s; they do not wait for the others, which take 5 s and more.
  python3 - "$output" <<'PY'
import json, sys
from datetime import datetime
items = [e for e in map(json.loads, sys.argv[1].splitlines()) if e.get("type", e.get("event")) == "item" or "item_id" in e]
items = [e.get("item", e) if isinstance(e.get("item", e), dict) else e for e in items]
at = lambda e: datetime.fromisoformat(e["completed_at"].replace("Z", "+00:00"))
free = [e for e in items if e["status"] == "ok"]
full = [e for e in items if e["status"] != "ok"]
assert len(free) == 100 and len(full) == 100, (len(free), len(full))
assert all(e["error"]["code"] == "rate_limited" and e["retry_count"] == 1 for e in full)
begin = min(datetime.fromisoformat(e["started_at"].replace("Z", "+00:00")) for e in items)
assert (max(map(at, full)) - begin).total_seconds() > 4
assert (max(map(at, free)) - begin).total_seconds() < 3, max(map(at, free)) - begin
PY
}

@test "429: waiting for the next try holds no slot, and is not the item's time" {
  mock <<'LUA'
local seen = {}
return {
  ["/once"] = function(request)
    local id = request.query.id
    if seen[id] then return { body = "ok" } end
    seen[id] = true
    return { status = 503, headers = { ["Retry-After"] = "1" } }
  end,
}
LUA
  suite slots.eval.lua <<'LUA'
eval.http { id = "t", url = eval.env "MOCK_URL" .. "/once?id={{id}}" }
local items = {}
for number = 1, 20 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "slots", dataset = items, target = "t", scorers = {}, max_concurrency = 2, item_timeout = "500ms" }
LUA
  begin=$(now_ms)
  evalua run slots.eval.lua --format json
  took=$(($(now_ms) - begin))
  expect 0
  equal "$(experiment '["succeeded_count"]')" 20
  equal "$(json '{r["retry_count"] for r in d["experiments"][0]["results"]} == {1}')" true
  equal "$(json 'd["experiments"][0]["latency_ms"]["max"] < 500')" true
  equal "$(query "select count(*) from attempts where status = 'error' and error like '%503%'")" 20
  # One second for all of them; ten if each pair held its slots.
  [ "$took" -lt 6000 ] || { echo "it took $took ms"; return 1; }
}

@test "429: the target's tries do not use up max_retries, nor the other way round" {
  mock <<'LUA'
return { ["/never"] = { status = 500, headers = { ["retry-after-ms"] = "5" } } }
LUA
  suite both.eval.lua <<'LUA'
eval.http { id = "t", url = eval.env "MOCK_URL" .. "/never", retries = 2 }
eval.experiment { name = "both", dataset = { { id = "a", input = 1 } }, target = "t", scorers = {}, max_retries = 1,
  tolerance = 1 }
LUA
  evalua run both.eval.lua --format json
  equal "$(json 'd["experiments"][0]["results"][0]["retry_count"]')" 5
  equal "$(json 'd["experiments"][0]["results"][0]["error"]["code"]')" http_500
  equal "$(query 'select group_concat(attempt) from attempts')" 1,2,3,4,5
}

@test "429: eval.fetch in items waits for its host too, and streams give their permit back" {
  mock <<'LUA'
return { ["/stream"] = { stream = { "data: a\n\n", "data: b\n\n" } } }
LUA
  suite stream.eval.lua <<'LUA'
local url = eval.env "MOCK_URL"
local items = {}
for number = 1, 100 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "stream", dataset = items, scorers = {}, max_concurrency = 60, item_timeout = "20s",
  target = function(input)
    local response = eval.fetch { url = url .. "/stream", stream = true }
    if input % 2 == 0 then return response.status end -- it is left unread
    local count = 0
    for _ in response:events() do count = count + 1 end
    return count
  end }
LUA
  evalua run stream.eval.lua --format json
  expect 0
  equal "$(experiment '["succeeded_count"]')" 100
}
