#!/usr/bin/env bats
# What one sees of a run while it goes, and how it ends when hooks fail or time is up.
load helper

# ==== Events ====

@test "--format jsonl: started first, items as they are stored, progress with its counts, done last" {
  suite events.eval.lua <<'LUA'
local items = {}
for number = 1, 6 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "events", dataset = items, scorers = {}, max_concurrency = 2, max_retries = 1,
  target = function(input, item)
    if input == 1 and not package.loaded.tried then package.loaded.tried = true error "once" end
    eval.sleep(700)
    return input
  end }
LUA
  evalua run events.eval.lua --workers 1 --format jsonl
  expect 0
  equal "$(jsonl '[d[0]["type"], d[-1]["type"]]')" '["started", "done"]'
  equal "$(jsonl '[d[0][k] for k in ["name", "total_items"]]')" '["events", 6]'
  equal "$(jsonl '[e["item_id"] for e in d if e["type"] == "item"]')" '["i1", "i2", "i3", "i4", "i5", "i6"]'
  equal "$(jsonl 'all(e["total"] == 6 and e["done"] + e["in_flight"] + e["waiting"] + e["retrying"] <= 6
    and e["in_flight"] <= 2 for e in d if e["type"] == "progress")')" true
  equal "$(jsonl 'max(e["retrying"] for e in d if e["type"] == "progress")')" 1
  equal "$(jsonl 'max(e["waiting"] for e in d if e["type"] == "progress") >= 2')" true
  equal "$(jsonl 'max(e["in_flight"] for e in d if e["type"] == "progress")')" 2
  # At most one a second, and one at the end.
  equal "$(jsonl '2 <= len([e for e in d if e["type"] == "progress"]) <= 8')" true
}

@test "--format jsonl streams: an item is on stdout while others still run" {
  suite stream.eval.lua <<'LUA'
eval.experiment { name = "stream", scorers = {}, max_concurrency = 2,
  dataset = { { id = "quick", input = 1 }, { id = "slow", input = 3000 } },
  target = function(input) eval.sleep(input) return input end }
LUA
  "$EVALUA" run stream.eval.lua --format jsonl >events 2>errors &
  local pid=$! seen=
  for _ in $(seq 100); do
    grep -q '"item_id":"quick"' events && { seen=1; break; }
    sleep 0.05
  done
  ! grep -q '"type":"done"' events
  [ -n "$seen" ]
  wait "$pid"
  grep -q '"type":"done"' events
}

@test "after ten seconds without a result the slowest item is named, with what it does" {
  suite waits.eval.lua <<'LUA'
local function nap() eval.sleep "11500ms" end
eval.experiment { name = "waits", scorers = {}, max_concurrency = 3,
  dataset = { { id = "quick", input = 0 }, { id = "asleep", input = 1 } },
  target = function(input)
    if input == 1 then coroutine.wrap(nap)() end
    return input
  end }
LUA
  suite busy.eval.lua <<'LUA'
eval.experiment { name = "busy", scorers = {}, max_concurrency = 3,
  dataset = { { id = "quick", input = 0 }, { id = "loops", input = 1 } },
  target = function(input)
    local begin = os.time()
    while input == 1 and os.time() < begin + 12 do end
    return input
  end }
LUA
  suite scorer.eval.lua <<'LUA'
eval.experiment { name = "scorer", dataset = { { id = "judged", input = 0 } },
  target = function(input) return input end,
  scorers = { function() return eval.spawn { argv = { "sleep", "11.5" } }.code end } }
LUA
  "$EVALUA" run busy.eval.lua --store b.db --format jsonl >busy 2>busy.err &
  local busy=$!
  "$EVALUA" run scorer.eval.lua --store s.db --format jsonl >scorer 2>scorer.err &
  local scorer=$!
  evalua run waits.eval.lua --format jsonl
  wait "$busy" "$scorer"
  equal "$(jsonl '[e["slowest"]["item_id"] for e in d if "slowest" in e][0]')" asleep
  equal "$(jsonl '[e["slowest"]["doing"] for e in d if "slowest" in e][0]')" "target waits for sleep at waits.eval.lua:2"
  equal "$(jsonl '[e["slowest"]["running_ms"] >= 10000 for e in d if "slowest" in e][0]')" true
  says "slowest asleep for 1" "target waits for sleep at waits.eval.lua:2"
  output=$(cat busy)
  equal "$(jsonl '[[e["slowest"][k] for k in ["item_id", "doing"]] for e in d if "slowest" in e][0]')" \
    '["loops", "its code runs and does not wait"]'
  output=$(cat scorer)
  [[ "$(jsonl '[e["slowest"]["doing"] for e in d if "slowest" in e][0]')" == "scorer waits for the end of a process at scorer.eval.lua:4" ]]
}

@test "the progress line on a terminal: done of total, in flight, waiting, retrying" {
  suite line.eval.lua <<'LUA'
local items = {}
for number = 1, 9 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "line", dataset = items, scorers = {}, max_concurrency = 3, max_retries = 1,
  target = function(input)
    if input == 1 and not package.loaded.tried then package.loaded.tried = true error "once" end
    eval.sleep(400)
    return input
  end }
LUA
  NO_COLOR=1 run python3 "$BATS_TEST_DIRNAME/terminal.py" --columns 100 "$EVALUA" run line.eval.lua --workers 1
  echo "$output" | tr '\r' '\n' | head -30
  [[ "$output" =~ line:\ [0-9]/9,\ 3\ in\ flight,\ [0-9]\ waiting,\ 1\ retrying ]]
}

# ==== Hooks ====

@test "worker_setup that fails is exit 3 with the script's line, at once and said once; teardown runs" {
  suite hook.eval.lua <<'LUA'
local items = {}
for number = 1, 50 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "hook", dataset = items, scorers = {}, max_concurrency = 8,
  worker_setup = function()
    error "no connection"
  end,
  teardown = function() io.stderr:write "torn down\n" end,
  target = function(input) return input end }
LUA
  evalua run hook.eval.lua --workers 4 --format json
  expect 3
  equal "$(each '[e["verdict"], e["status"], e["skipped_count"]]')" '["error", "failed", 50]'
  equal "$(each 'e["reason"]')" "worker_setup failed: hook.eval.lua:6: no connection"
  says "hook.eval.lua:6: no connection" "torn down"
  [ "$(grep -c "no connection" <<<"$stderr")" -eq 1 ]
}

@test "a worker_setup that fails only in a worker that replaces another ends the run too" {
  suite second.eval.lua <<'LUA'
local function first() local file = io.open("first") if file then file:close() return false end
  assert(io.open("first", "w")):close() return true end
eval.experiment { name = "second", scorers = {}, max_concurrency = 1, max_retries = 2,
  dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } },
  worker_setup = function() if not first() then error "gone" end end,
  target = function(input)
    if input == 2 then eval.spawn { argv = { "sh", "-c", "kill -9 $PPID" } } end
    return input
  end }
LUA
  evalua run second.eval.lua --workers 1 --format json
  expect 3
  equal "$(each '[e["reason"], R["a"]["status"]]')" '["worker_setup failed: second.eval.lua:6: gone", "ok"]'
}

@test "teardown runs after a run that was stopped, timed out, or whose workers die" {
  suite ends.eval.lua <<'LUA'
local how = eval.param { name = "how", default = "none" }
eval.experiment { name = "ends", scorers = {}, max_concurrency = 1, timeout = how == "timeout" and "300ms" or nil,
  dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } },
  setup = function() return "connection" end,
  teardown = function(connection) io.stderr:write("closed ", connection, "\n") end,
  target = function(input)
    if how == "timeout" then eval.sleep "30s" end
    if how == "crash" then eval.spawn { argv = { "sh", "-c", "kill -9 $PPID" } } end
    if how == "signal" then eval.spawn { argv = { "sh", "-c", "kill -INT $(ps -o ppid= $PPID)" } } eval.sleep(100) end
    return input
  end }
LUA
  for pair in none:0 timeout:4 crash:4 signal:130; do
    evalua run ends.eval.lua -p how="${pair%:*}"
    expect "${pair#*:}"
    says "closed connection"
  done
}

# ==== Timeouts ====

@test "timeouts of an item, a scorer, a spawn and a fetch: the status of each is timeout, with its own time" {
  python3 -c 'import socket, time
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
time.sleep(60)' >port 3>&- &
  local silent=$!
  until [ -s port ]; do sleep 0.02; done
  suite times.eval.lua <<LUA
eval.experiment { name = "times", item_timeout = "2s", max_concurrency = 5,
  dataset = { { id = "item", input = 1 }, { id = "spawn", input = 2 }, { id = "fetch", input = 3 },
    { id = "scorer", input = 4 } },
  target = function(input)
    if input == 1 then eval.sleep "60s" end
    if input == 2 then eval.spawn { argv = { "sleep", "60" }, timeout = "150ms" } end
    if input == 3 then eval.fetch { url = "http://127.0.0.1:$(cat port)/", timeout = "160ms" } end
    return input
  end,
  scorers = { eval.scorer { id = "late", timeout = "170ms",
    score = function(run) if run.input == 4 then eval.sleep "60s" end return 1 end } } }
LUA
  evalua run times.eval.lua --format json
  kill "$silent"
  expect 4
  equal "$(each '[r["status"] for r in e["results"]]')" '["timeout", "timeout", "timeout", "ok"]'
  equal "$(each '[R[i]["error"]["code"] for i in ["item", "spawn", "fetch"]]')" '["timeout", "timeout", "timeout"]'
  [[ "$(each 'R["item"]["error"]["message"]')" == *"item_timeout, 2000 ms"* ]]
  [[ "$(each 'R["spawn"]["error"]["message"]')" == *"150 ms"* ]]
  [[ "$(each 'R["fetch"]["error"]["message"]')" == *"160 ms"* ]]
  equal "$(each '[R["scorer"]["scores"][0][k] for k in ["status", "passed"]]')" '["error", false]'
  equal "$(each 'R["scorer"]["scores"][0]["error"]["code"]')" timeout
  [[ "$(each 'R["scorer"]["scores"][0]["error"]["message"]')" == *"170 ms"* ]]
}

@test "__close in coroutines that wait inside each other runs when the item's time is up, the innermost first" {
  suite close.eval.lua <<'LUA'
local function closing(name, file)
  return setmetatable({}, { __close = function()
    local log <close> = assert(io.open(file, "a"))
    log:write(name, " ")
  end })
end
eval.experiment { name = "close", scorers = {}, item_timeout = "300ms", max_concurrency = 4,
  dataset = { { id = "waits", input = 1 }, { id = "loops", input = 2 }, { id = "branch", input = 3 },
    { id = "ends", input = 4 } },
  target = function(input, item)
    local base <close> = closing("base", item.id)
    return coroutine.wrap(function()
      local outer <close> = closing("outer", item.id)
      local inner = coroutine.create(function()
        local deepest <close> = closing("inner", item.id)
        if input == 1 then eval.sleep "10s" end
        while input == 2 do pcall(function() while true do end end) end
        if input == 3 then
          eval.all { function()
            coroutine.wrap(function()
              local branch <close> = closing("branch", item.id)
              eval.sleep "10s"
            end)()
          end }
        end
      end)
      coroutine.resume(inner)
      return input
    end)()
  end }
LUA
  evalua run close.eval.lua --workers 2 --format json
  equal "$(each '[r["status"] for r in e["results"]]')" '["timeout", "timeout", "timeout", "ok"]'
  equal "$(cat waits)" "inner outer base "
  equal "$(cat loops)" "inner outer base "
  equal "$(cat branch)" "branch inner outer base "
  equal "$(cat ends)" "inner outer base "
}

# ==== The store inside items ====

@test "datasets can be read and changed inside items and scorers; results of earlier runs too" {
  suite inside.eval.lua <<'LUA'
eval.dataset { name = "side", items = { { id = "x", input = "one", ground_truth = 1.0 }, { id = "y", input = "two" } } }
local items = {}
for number = 1, 200 do items[number] = { id = "i" .. number, input = number } end
eval.dataset { name = "main", items = items }
eval.experiment { name = "first", dataset = "side", target = function(i) return i end, scorers = { eval.scorers.exact } }
eval.experiment { name = "inside", dataset = "main", max_concurrency = 20, max_retries = 0,
  target = function(input)
    if input == 7 then
      local made = eval.datasets.create { name = "made", tags = { "new" } }
      made:add_items { { id = "n", input = { 1, eval.null, "x" } } }
      made:alias("stable")
      return made:items { version = "stable" }[1].input
    elseif input == 8 then
      local summary = eval.datasets.get "side":start_experiment { target = function(i) return i end, scorers = {} }
      return summary.number
    elseif input == 9 then
      local side = eval.datasets.get "sidee"
      return side.name
    elseif input == 10 then
      return eval.experiments.get "first".scorers.exact.n
    elseif input == 11 then
      return eval.experiments.compare("first", "first")
    end
    local found = eval.datasets.get "side":items { where = 'id == "x"' }
    return { #found, found[1].ground_truth, found[1].metadata == nil }
  end,
  scorers = { function(run) return #eval.datasets.get "side":items {} == 2 end } }
LUA
  evalua run inside.eval.lua --format json
  expect 4
  inside() { json "(lambda e: (lambda R: $1)({r['item_id']: r for r in e['results']}))(d['experiments'][1])"; }
  equal "$(inside '[R["i7"]["output"], R["i10"]["output"], R["i12"]["output"]]')" '[[1, null, "x"], 1, [1, 1.0, true]]'
  equal "$(inside '[i for i in R if R[i]["status"] != "ok"]')" '["i8", "i9", "i11"]'
  [[ "$(inside 'R["i8"]["error"]["message"]')" == *"inside.eval.lua:15: "*"cannot be started inside an item"* ]]
  [[ "$(inside 'R["i9"]["error"]["message"]')" == *'no dataset "sidee"; did you mean "side"?'* ]]
  [[ "$(inside 'R["i11"]["error"]["message"]')" == *"cannot be done inside an item"* ]]
  equal "$(inside 'e["scorers"]["scorer_1"]["mean"]')" 1.0
  equal "$(query 'select name, version from datasets order by name' | tr '\n' ' ')" "made|1 main|1 side|1 "
  equal "$(query 'pragma integrity_check')" ok
}

@test "200 items that all change a dataset at once: every change is there, no result is lost" {
  suite changes.eval.lua <<'LUA'
local items = {}
for number = 1, 200 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "changes", dataset = items, max_concurrency = 50, scorers = {},
  setup = function() eval.datasets.create { name = "log" } end,
  target = function(input) return eval.datasets.get "log":add_items { { id = "n" .. input, input = input } }.changed end }
LUA
  evalua run changes.eval.lua --format json
  expect 0
  equal "$(each 'all(r["output"] is True for r in e["results"])')" true
  equal "$(query "select version from datasets where name = 'log'")" 200
  equal "$(query 'select count(*) from results')" 200
}

@test "a run that is stopped streams and gives to after_each all that is stored, also behind what is missing" {
  suite stop.eval.lua <<'LUA'
local items, seen = {}, 0
for number = 1, 40 do items[number] = { id = ("n%02d"):format(number), input = number } end
local signal = eval.signal()
eval.experiment {
  name = "stop", dataset = items, max_concurrency = 10, signal = signal,
  after_each = function() seen = seen + 1 end,
  teardown = function() io.stderr:write("seen ", seen, "\n") end,
  target = function(input)
    if input == 3 then eval.sleep "1h" end
    eval.sleep "20ms"
    if input == 20 then signal:abort "enough" end
    return input
  end,
}
LUA
  evalua run stop.eval.lua --format jsonl
  expect 130
  stored=$(query "select count(*) from results")
  [ "$stored" -ge 18 ]
  equal "$(jsonl '[line["item_id"] for line in d if line["type"] == "item"]')" \
    "$(query "select json_group_array(item_id) from results order by position" | sed 's/,/, /g')"
  equal "$(jsonl '[line["done"] for line in d if line["type"] == "progress"][-1]')" "$stored"
  equal "$(jsonl 'd[-1]["type"]')" done
  says "seen $stored"
}

# interrupted SIGNALS FILE: runs it, and sends so many SIGINT once its hook has said that it runs.
interrupted() {
  rm -f err.txt # that of an earlier run would be taken for this one's: the signal would come before the program
  "$EVALUA" run "$2" >out.txt 2>err.txt 3>&- &
  local process=$! count
  for _ in {1..100}; do grep -qs hook err.txt && break; sleep 0.05; done
  for ((count = 0; count < $1; count++)); do kill -INT "$process"; sleep 0.3; done
  status=0
  wait "$process" || status=$?
  stderr=$(<err.txt)
}

@test "Ctrl-C ends a setup that waits or loops, the run is cancelled, and teardown runs; no other experiment begins" {
  for what in 'eval.sleep "1h"' 'eval.spawn { argv = { "sleep", "1000" } }' 'while true do end' \
    'while true do pcall(function() while true do end end) end'; do
    rm -rf .evalua
    suite setup.eval.lua <<LUA
for number = 1, 2 do
  eval.experiment { name = "e" .. number, dataset = { { id = "a", input = 1 } }, scorers = {},
    setup = function() io.stderr:write "hook\n"; $what end,
    teardown = function() io.stderr:write("teardown ", number, "\n") end,
    target = function() return 1 end }
end
LUA
    interrupted 1 setup.eval.lua
    expect 130
    says "teardown 1"
    [[ $stderr != *"teardown 2"* ]]
    equal "$(query "select group_concat(status) from experiments")" cancelled
  done
}

@test "an after_each that never ends is ended by the second Ctrl-C; what is stored stays, teardown runs" {
  suite after.eval.lua <<'LUA'
eval.experiment { name = "e", dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } }, scorers = {},
  after_each = function() io.stderr:write "hook\n"; while true do end end,
  teardown = function() io.stderr:write "teardown\n" end, target = function(input) return input end }
LUA
  interrupted 2 after.eval.lua
  expect 130
  says teardown
  equal "$(query "select count(*) from results")" 2
}

@test "a signal while after_each works ends the run when it has returned" {
  suite after.eval.lua <<'LUA'
local items = {}
for number = 1, 200 do items[number] = { id = ("n%03d"):format(number), input = number } end
eval.experiment { name = "e", dataset = items, scorers = {}, max_concurrency = 1,
  after_each = function(result)
    if result.item_id ~= "n001" then return end
    io.stderr:write "hook\n"
    local begin = os.clock()
    while os.clock() - begin < 0.3 do end
    io.stderr:write "returned\n"
  end,
  target = function(input) eval.sleep "20ms"; return input end }
LUA
  interrupted 1 after.eval.lua
  expect 130
  says returned "stopping: items in flight"
  [ "$(query "select count(*) from results")" -lt 200 ]
}
