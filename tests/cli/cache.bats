#!/usr/bin/env bats
# The request cache as users meet it: what is sent and what is not (the mock counts), modes, cassettes, secrets, commands.
load helper
load mock

teardown() {
  stop_mock
  if [ -n "${holder_pid:-}" ]; then kill "$holder_pid" || true; fi
  nothing_left
}

# sent COUNT: so many requests has the mock got.
sent() { equal "$(requests)" "$1"; }

# A server that answers A:<q>.
echo_server() {
  mock <<'LUA'
return { ["POST /chat"] = function(request)
  return { json = { answer = "A:" .. request.json.q, other = "B:" .. request.json.q } }
end }
LUA
}
# asking COUNT [MORE] [EXTRA]: a suite of COUNT items that ask it. MORE options of the target, EXTRA of the experiment.
asking() {
  suite ask.eval.lua <<LUA
local items = {}
for n = 1, $1 do items[n] = { id = "i" .. n, input = "q" .. n, ground_truth = "A:q" .. n } end
eval.http { id = "chat", url = eval.env "MOCK_URL" .. "/chat", body = { q = "{{input}}" }, output = "/answer", ${2:-} }
eval.experiment { name = "ask", dataset = items, target = "chat", scorers = { eval.scorers.exact },
  max_concurrency = 50, ${3:-} }
LUA
}

summary() { json "d['experiments'][0]$1"; }
first() { summary "['results'][0]$1"; }

# ==== A run again ====

@test "2,000 items again: nothing is sent, it is as quick as a run that asks nobody, and hits have no latency" {
  echo_server
  asking 2000
  suite echo.eval.lua <<'LUA'
local items = {}
for n = 1, 2000 do items[n] = { id = "i" .. n, input = "q" .. n, ground_truth = "A:q" .. n } end
eval.experiment { name = "echo", dataset = items, target = function(input) return "A:" .. input end,
  scorers = { eval.scorers.exact }, max_concurrency = 50 }
LUA
  evalua run ask.eval.lua --cache use
  expect 0
  sent 2000
  local begin
  begin=$(now_ms)
  evalua run echo.eval.lua
  local plain=$(($(now_ms) - begin))
  begin=$(now_ms)
  evalua run ask.eval.lua --cache use
  local cached=$(($(now_ms) - begin))
  expect 0
  prints "2,000 answers from the cache" "2000 passed"
  [[ $output != *"latency"* ]]
  sent 2000
  echo "plain $plain ms, cached $cached ms"
  [ $((cached - plain)) -lt 1000 ] # five times the 0.2 s that it may take
  equal "$(query "select count(*), count(latency_ms), sum(cache_hits), sum(cache_misses) from v_results
    where experiment_number = 3")" "2000|0|2000|0"
}

@test "the summary counts hits and misses apart; without a mode there is no word of a cache" {
  echo_server
  asking 3
  evalua run ask.eval.lua --cache use --format json
  equal "$(summary '["cache"]')" '{"hits": 0, "misses": 3}'
  [ "$(first '["latency_ms"]')" != null ]
  asking 4
  evalua run ask.eval.lua --cache use --format json
  equal "$(summary '["cache"]')" '{"hits": 3, "misses": 1}'
  equal "$(first '["latency_ms"]')" null
  equal "$(first '["cache_hits"]')" 1
  [ "$(summary '["latency_ms"]["p50"]')" != null ] # of the one that was sent
  evalua run ask.eval.lua --format json
  equal "$(summary '.get("cache")')" null
  sent 8
}

@test "replay works with the server gone, and without any key" {
  echo_server
  asking 3 'headers = { Authorization = "Bearer " .. eval.env "API_KEY" }'
  API_KEY=sk-secret-0123456789 evalua run ask.eval.lua --cache use
  expect 0
  stop_mock
  evalua run ask.eval.lua --cache replay
  expect 0
  prints "3 answers from the cache"
  evalua run ask.eval.lua
  expect 2
  says "API_KEY is not set"
}

@test "replay with one entry deleted fails naming it: exit 4, cache_miss" {
  echo_server
  asking 3
  evalua run ask.eval.lua --cache use
  evalua cache export all.jsonl
  grep '"q":"q2"' all.jsonl >one.jsonl
  grep -v '"q":"q2"' all.jsonl >rest.jsonl
  evalua cache clear
  prints "removed 3 entries"
  evalua cache import rest.jsonl
  expect 0
  stop_mock
  evalua run ask.eval.lua --cache replay
  expect 4
  prints "2 answers from the cache" "POST [MOCK_URL]/chat" "$(python3 -c 'import json
print(json.loads(open("one.jsonl").read())["digest"])')"
  evalua run ask.eval.lua --cache replay --format json
  expect 4
  equal "$(summary '["results"][1]["error"]["code"]')" cache_miss
  equal "$(summary '["results"][1]["retry_count"]')" 0
  equal "$(summary '["failed_count"]')" 1
  equal "$(summary '["latency_ms"]')" null
}

@test "replay says that a target has changed since its answers were recorded" {
  echo_server
  asking 1
  evalua run ask.eval.lua --cache use
  asking 1 'method = "PUT"'
  evalua run ask.eval.lua --cache replay --format json
  expect 4
  [[ $(first '["error"]["message"]') == *"another version of chat: its definition has changed"* ]]
  sent 1
}

@test "a declared version stands for the definition" {
  echo_server
  asking 1 'version = "1"'
  evalua run ask.eval.lua --cache use
  asking 1 'version = "1", output = "/other"'
  evalua run ask.eval.lua --cache replay --format json
  equal "$(first '["output"]')" B:q1
  asking 1 'version = "2", output = "/other"'
  evalua run ask.eval.lua --cache use --format json
  equal "$(summary '["cache"]["hits"]')" 0
  sent 2
}

@test "replay without a cache is found before anything runs" {
  asking 1
  MOCK_URL=http://127.0.0.1:1 evalua run ask.eval.lua --cache replay
  expect 2
  says "there is no cache" "evalua cache import"
  equal "$(query 'select count(*) from experiments')" 0
  MOCK_URL=http://127.0.0.1:1 evalua run ask.eval.lua --cache reply
  expect 2
  says "did you mean replay?"
}

@test "refresh asks again and keeps the new answers" {
  mock <<'LUA'
local count = 0
return { ["/n"] = function() count = count + 1 return { json = { n = count } } end }
LUA
  suite n.eval.lua <<'LUA'
eval.http { id = "n", url = eval.env "MOCK_URL" .. "/n", output = "/n" }
eval.experiment { name = "n", dataset = { { id = "a", input = 1 } }, target = "n", scorers = {} }
LUA
  for step in use:1 use:1 refresh:2 use:2 off:3 replay:2; do
    evalua run n.eval.lua --cache "${step%:*}" --format json
    equal "$(first '["output"]')" "${step#*:}"
  done
  sent 3
}

@test "each trial has an answer of its own" {
  mock <<'LUA'
local count = 0
return { ["/n"] = function() count = count + 1 return { json = { n = count } } end }
LUA
  suite n.eval.lua <<'LUA'
eval.http { id = "n", url = eval.env "MOCK_URL" .. "/n", output = "/n" }
eval.experiment { name = "n", dataset = { { id = "a", input = 1 } }, target = "n", scorers = {}, trials = 3 }
LUA
  for _ in 1 2; do
    evalua run n.eval.lua --cache use --format json
    equal "$(json 'sorted(r["output"] for r in d["experiments"][0]["results"])')" "[1, 2, 3]"
  done
  sent 3
}

@test "equal requests of one item, and of two items, have the same answer" {
  mock <<'LUA'
local count = 0
return { ["/n"] = function() count = count + 1 return { json = { n = count } } end }
LUA
  suite n.eval.lua <<'LUA'
local function ask() return eval.fetch { url = eval.env "MOCK_URL" .. "/n" }.json.n end
eval.experiment { name = "n", dataset = { { id = "a", input = 1 }, { id = "b", input = 2 } }, scorers = {},
  max_concurrency = 1, target = function() return { ask(), ask() } end }
LUA
  evalua run n.eval.lua --cache use --format json
  equal "$(json '[r["output"] for r in d["experiments"][0]["results"]]')" "[[1, 1], [1, 1]]"
  equal "$(summary '["cache"]')" '{"hits": 3, "misses": 1}'
  sent 1
}

# ==== Who decides ====

@test "the command line goes before the experiment, the experiment before the target" {
  echo_server
  asking 1 'cache = true'
  evalua run ask.eval.lua --format json
  evalua run ask.eval.lua --format json
  equal "$(summary '["cache"]["hits"]')" 1
  sent 1
  evalua run ask.eval.lua --cache off
  sent 2
  asking 1 'cache = "use"' 'cache = "off"'
  evalua run ask.eval.lua
  sent 3
  evalua run ask.eval.lua --cache use
  sent 3
  asking 1 '' 'cache = "use"'
  evalua run ask.eval.lua
  sent 3
  asking 1 '' 'cache = { mode = "replay" }'
  evalua run ask.eval.lua
  expect 0
  evalua run ask.eval.lua --cache refresh
  sent 4
}

@test "cache = false never takes part; where nothing may be sent that is an error" {
  echo_server
  asking 1 'cache = false'
  evalua run ask.eval.lua --cache use
  evalua run ask.eval.lua --cache use --format json
  sent 2
  equal "$(summary '.get("cache")')" null
  asking 1
  evalua run ask.eval.lua --cache use
  asking 1 'cache = false'
  evalua run ask.eval.lua --cache replay --format json
  expect 4
  equal "$(first '["error"]["code"]')" cache_miss
  [[ $(first '["error"]["message"]') == *"cache = false"* ]]
  sent 3
}

@test "wrong options are found with their line" {
  asking 1 '' 'cache = "replya"'
  MOCK_URL=http://h evalua run ask.eval.lua
  expect 2
  says 'ask.eval.lua:5: option "cache"' 'did you mean "replay"'
  asking 1 'cache = "never"'
  MOCK_URL=http://h evalua run ask.eval.lua
  expect 2
  says 'option "cache" of eval.http cannot be "never"'
}

# ==== What is never kept ====

@test "errors, parts, cut answers and what is no answer for the target are not kept" {
  mock <<'LUA'
return {
  ["/error"] = { status = 500, json = { error = { message = "no" } } },
  ["/missing"] = { status = 404, body = "no" },
  ["/later"] = { status = 202, json = { answer = 1 } },
  ["/part"] = { status = 206, json = { answer = 1 } },
  ["/said"] = { json = { error = { message = "overloaded" } } },
  ["/cut"] = { headers = { ["Content-Length"] = "1000" }, body = '{"answer":', cut = 8 },
  ["/garbage"] = { body = "<html>" },
  ["/other"] = { json = { reply = 1 } },
}
LUA
  suite bad.eval.lua <<'LUA'
eval.http { id = "bad", url = eval.env "MOCK_URL" .. "/{{input}}", output = "/answer", retries = 0 }
eval.experiment { name = "bad", target = "bad", scorers = {}, dataset = { { input = "error" }, { input = "missing" },
  { input = "said" }, { input = "cut" }, { input = "garbage" }, { input = "other" } } }
eval.experiment { name = "fetch", scorers = {},
  dataset = { { input = "/error" }, { input = "/missing" }, { input = "/said" }, { input = "/later" }, { input = "/part" } },
  target = function(input) return eval.fetch { url = eval.env "MOCK_URL" .. input }.status end }
LUA
  evalua run bad.eval.lua --cache use
  expect 4
  sent 11
  evalua cache list --format json
  equal "$output" "[]"
}

@test "an answer that the target's own function fails over is kept: mending the function costs no request" {
  echo_server
  asking 2 'output = function(response) error "oops" end'
  evalua run ask.eval.lua --cache use
  expect 4
  sent 2
  evalua cache list --json
  equal "$(json 'len(d)')" 2
}

@test "no secret reaches the cache file or a cassette" {
  mock <<'LUA'
return { ["/echo"] = function(request)
  return { headers = { ["X-Seen"] = request.headers.authorization, ["Set-Cookie"] = "session=s3cr3t-cookie" },
    json = { q = request.query.q, auth = request.headers.authorization, body = request.body } }
end }
LUA
  suite secret.eval.lua <<'LUA'
local secret = eval.env "API_KEY"
eval.experiment { name = "s", dataset = { { id = "a", input = 1 } }, scorers = {}, target = function()
  return eval.fetch { url = eval.env "MOCK_URL" .. "/echo?q=" .. secret .. "&api_key=hard-coded-key", method = "POST",
    headers = { Authorization = "Bearer " .. secret, ["X-Api-Key"] = "hard-coded-key" }, json = { k = secret } }.json.auth
end }
eval.experiment { name = "c", dataset = { { id = "a", input = secret } }, scorers = {},
  target = eval.command { id = "cat", argv = { "cat" }, env = { TOKEN = "hard-coded-key" }, cache = true } }
LUA
  API_KEY=sk-very-secret-0123456789 evalua run secret.eval.lua --cache use --format json
  expect 0
  evalua cache export tape.jsonl
  expect 0
  equal "$(wc -l <tape.jsonl)" 2
  run grep -c -a -e sk-very-secret -e hard-coded-key -e s3cr3t-cookie .evalua/cache.db tape.jsonl
  equal "$output" $'.evalua/cache.db:0\ntape.jsonl:0'
}

@test "a link of the server is one again, whatever its address is now" {
  mock <<'LUA'
return { ["/first"] = function(request) return { json = { next = "http://" .. request.headers.host .. "/second" } } end,
  ["/second"] = { body = "there" } }
LUA
  suite link.eval.lua <<'LUA'
local url = eval.env "MOCK_URL"
eval.experiment { name = "l", dataset = { { id = "a", input = 1 } }, scorers = {}, target = function()
  local link = eval.fetch { url = url .. "/first" }.json.next
  return { eval.fetch { url = link }.body, link }
end }
LUA
  evalua run link.eval.lua --cache use
  expect 0
  sent 2
  stop_mock
  for MOCK_URL in "$MOCK_URL" http://other.example:8080; do
    evalua run link.eval.lua --cache replay --format json
    expect 0
    equal "$(first '["output"][0]')" there
  done
}

@test "a value of the environment that is part of ordinary text breaks no entry" {
  echo_server
  asking 3
  sed -i '1a local _ = eval.env "PLAIN"' ask.eval.lua
  export PLAIN=q2026
  sed -i 's/q" .. n/q" .. 2025 + n/g' ask.eval.lua
  evalua run ask.eval.lua --cache use
  evalua cache export tape.jsonl
  evalua cache clear
  evalua cache import tape.jsonl
  expect 0
  evalua run ask.eval.lua --cache replay --format json
  equal "$(json '[r["passed"] for r in d["experiments"][0]["results"]]')" '[true, true, true]'
  PLAIN=other evalua run ask.eval.lua --cache replay --format json
  equal "$(summary '["cache"]["hits"]')" 2 # what was the value then is not it now
  PLAIN=$(python3 -c 'import json; print(json.loads(open("tape.jsonl").readlines()[1])["digest"][:8])')
  evalua cache clear
  evalua cache import tape.jsonl
  evalua run ask.eval.lua --cache replay --format json
  equal "$(summary '["cache"]["hits"]')" 2
  evalua cache export again.jsonl
  cmp tape.jsonl again.jsonl
}

# ==== Streams, bytes, redirects ====

@test "a streamed answer is kept when it was read to its end, and comes as one piece" {
  mock <<'LUA'
return { ["/s"] = { headers = { ["Content-Type"] = "text/event-stream" },
  stream = { "data: one\n\n", 20, "data: two\n\n" } } }
LUA
  cat >stream.lua <<'LUA'
local eval = require "evalua"
local url, how = ...
local response <close> = eval.fetch { url = url .. "/s", stream = true, cache = true }
local seen = {}
for event in response:events() do
  seen[#seen + 1] = event.data
  if how == "part" then break end
end
print(response.status, table.concat(seen, " "))
LUA
  evalua exec stream.lua "$url" part
  evalua exec stream.lua "$url" all
  sent 2
  evalua exec stream.lua "$url" all
  expect 0
  equal "$output" $'200\tone two'
  evalua exec stream.lua "$url" part
  equal "$output" $'200\tone'
  sent 2
}

@test "a stream with an error in it is not kept" {
  mock <<'LUA'
local head = { ["Content-Type"] = "text/event-stream" }
return { ["/a"] = { headers = head, stream = { 'data: {"text":"a"}\n\n', 'data: {"error":{"message":"overloaded"}}\n\n' } },
  ["/b"] = { headers = head, stream = { 'data: {"text":"the \\"error\\"","error":null}\n\n' } },
  ["/c"] = { headers = head, stream = { 'data: {"text":"a"}\n\n' }, cut = 10 } }
LUA
  cat >stream.lua <<'LUA'
local eval = require "evalua"
local url = ...
for _, path in ipairs { "/a", "/b", "/c" } do
  pcall(function()
    local response <close> = eval.fetch { url = url .. path, stream = true, cache = true }
    for _ in response:events() do local _ = 1 end
  end)
end
LUA
  evalua exec stream.lua "$url"
  expect 0
  evalua cache list --json
  equal "$(json '[e["request"]["url"][-2:] for e in d]')" '["/b"]'
}

@test "bytes come back as they were; the address after redirects too" {
  mock <<'LUA'
return { ["/bytes"] = { headers = { ["Content-Type"] = "image/png" }, body = "\137PNG\r\n\26\n\0\255" },
  ["/from"] = { status = 302, headers = { Location = "/to" } }, ["/to"] = { body = "there" } }
LUA
  cat >bytes.lua <<'LUA'
local eval = require "evalua"
local url = ...
local a = eval.fetch { url = url .. "/bytes", cache = true }
assert(a.body == "\137PNG\r\n\26\n\0\255" and a.headers["Content-Type"] == "image/png", a.body)
local b = eval.fetch { url = url .. "/from", cache = true }
assert(b.body == "there" and b.url == url .. "/to", b.url)
local c = eval.fetch { url = url .. "/from", cache = true, redirects = 0 }
assert(c.status == 302)
LUA
  evalua exec bytes.lua "$url"
  expect 0
  sent 4
  evalua exec bytes.lua "$url"
  expect 0
  sent 5 # the redirect that was asked for as it is, is no answer to keep
}

# ==== Commands ====

@test "commands take part only where they ask; failures are not kept" {
  cat >tool <<'SH'
#!/bin/sh
echo run >>"$COUNT"
read -r line
[ "$line" = bad ] && exit 3
echo "<$line>"
SH
  chmod +x tool
  export COUNT=$PWD/count
  write_suite() {
    suite tool.eval.lua <<LUA
eval.experiment { name = "t", scorers = {}, dataset = { { input = "one\n" }, { input = "two\n" }, { input = "bad\n" } },
  target = eval.command { id = "tool", argv = { "./tool" }, cache = $1 } }
LUA
  }
  write_suite nil
  evalua run tool.eval.lua --cache use
  evalua run tool.eval.lua --cache use
  equal "$(wc -l <count)" 6
  write_suite true
  rm count
  evalua run tool.eval.lua
  evalua run tool.eval.lua --format json
  equal "$(summary '["cache"]')" '{"hits": 2, "misses": 1}'
  equal "$(wc -l <count)" 4
  evalua run tool.eval.lua --cache off
  equal "$(wc -l <count)" 7
  rm tool # what is replayed need not be there
  evalua run tool.eval.lua --cache replay --format json
  expect 4
  equal "$(json '[r["output"] or r["error"]["code"] for r in d["experiments"][0]["results"]]')" \
    '["<one>", "<two>", "cache_miss"]'
}

@test "persistent commands: each request is looked up, and none is started for hits" {
  cat >server.py <<'PY'
import json, os, sys
open(os.environ["COUNT"], "a").write("start\n")
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"id": request["id"], "output": request["input"] * 2, "context": ["c"]}), flush=True)
PY
  export COUNT=$PWD/count
  suite server.eval.lua <<'LUA'
eval.experiment { name = "s", dataset = { { input = 1 }, { input = 2.5 } },
  scorers = { function(run) return run.context[1] == "c" end },
  target = eval.command { id = "server", argv = { "python3", "server.py" }, mode = "persistent", processes = 1,
    cache = true } }
LUA
  evalua run server.eval.lua --workers 1 --format json
  expect 0
  equal "$(json '[r["output"] for r in d["experiments"][0]["results"]]')" '[2, 5.0]'
  evalua run server.eval.lua --workers 1 --format json
  equal "$(json '[r["output"] for r in d["experiments"][0]["results"]]')" '[2, 5.0]'
  equal "$(summary '["scorers"]["scorer_1"]["mean"]')" 1.0
  equal "$(summary '["cache"]["hits"]')" 2
  equal "$(wc -l <count)" 1
}

# ==== Scorers ====

@test "a scorer that asks a server: its answers are its own, whatever becomes of the target" {
  echo_server
  write_suite() {
    suite judge.eval.lua <<LUA
eval.scorer { id = "judge", score = function(run)
  return eval.fetch { url = eval.env "MOCK_URL" .. "/chat", json = { q = "judge " .. run.output } }.json.answer
    == "A:judge " .. run.output
end }
eval.experiment { name = "j", dataset = { { id = "a", input = "x" } }, scorers = { "judge" },
  target = function(input) $1 return input end }
LUA
  }
  write_suite ""
  evalua run judge.eval.lua --cache use --format json
  write_suite "local _ = 1"
  evalua run judge.eval.lua --cache use --format json
  equal "$(summary '["cache"]')" '{"hits": 1, "misses": 0}'
  equal "$(summary '["scorers"]["judge"]["mean"]')" 1.0
  [ "$(first '["latency_ms"]')" != null ] # the target asked nobody: its time is its own
  sent 1
}

# ==== evalua cache ====

@test "cache list, clear, export, import" {
  echo_server
  asking 3
  evalua cache list
  expect 0
  says "there is no cache yet"
  evalua run ask.eval.lua --cache use
  evalua cache list
  expect 0
  prints "chat" 'POST [MOCK_URL]/chat {"q":"q1"}'
  evalua cache list chat --json
  equal "$(json '[e["request"]["body"]["q"] for e in d]')" '["q1", "q2", "q3"]'
  evalua cache list nobody --json
  equal "$output" "[]"
  evalua cache export tape.jsonl
  evalua cache export - chat
  expect 0
  equal "$output" "$(cat tape.jsonl)"
  evalua cache clear --older-than 30d
  prints "removed 0 entries"
  evalua cache clear nobody
  prints "removed 0 entries"
  evalua cache clear chat
  prints "removed 3 entries"
  evalua cache import tape.jsonl
  expect 0
  says "read 3 entries"
  evalua cache export again.jsonl
  cmp tape.jsonl again.jsonl
  sleep 0.05
  evalua cache clear --older-than 10ms
  prints "removed 3 entries"
}

@test "a cassette with a wrong line: its place, exit 2, and nothing is imported" {
  echo_server
  asking 2
  evalua run ask.eval.lua --cache use
  evalua cache export tape.jsonl
  evalua cache clear
  sed '2s/"q":"q2"/"q":"qX"/' tape.jsonl >bad.jsonl
  echo '{"answer":' >>bad.jsonl
  evalua cache import bad.jsonl
  expect 2
  says "bad.jsonl:2: the digest is not that of its request" "bad.jsonl:3:" "nothing was imported"
  evalua cache list --json
  equal "$output" "[]"
  evalua cache import none.jsonl
  expect 2
  says "none.jsonl"
  rm -rf .evalua
  evalua cache import bad.jsonl
  [ ! -e .evalua ]
  evalua cache lists
  expect 2
  says 'did you mean "list"'
  evalua cache export
  expect 2
  says "too few arguments"
}

@test "a fresh machine: import a cassette, replay" {
  echo_server
  asking 2
  evalua run ask.eval.lua --cache use
  evalua cache export tape.jsonl
  stop_mock
  rm -rf .evalua
  evalua cache import tape.jsonl
  expect 0
  MOCK_URL=http://elsewhere.example evalua run ask.eval.lua --cache replay
  expect 0
  prints "2 answers from the cache"
  [ -e .evalua/.gitignore ]
}

@test "an experiment with a cassette of its own records and replays" {
  echo_server
  mkdir sub
  asking 2 '' 'cache = { mode = "use", file = "tape.jsonl" }'
  mv ask.eval.lua sub
  evalua run sub/ask.eval.lua
  expect 0
  equal "$(wc -l <sub/tape.jsonl)" 2
  cp sub/tape.jsonl before
  evalua run sub/ask.eval.lua
  cmp sub/tape.jsonl before
  sent 2
  stop_mock
  evalua run sub/ask.eval.lua --cache replay
  expect 0
  sed -i 1d sub/tape.jsonl
  evalua run sub/ask.eval.lua --cache replay
  expect 4
  echo garbage >sub/tape.jsonl
  evalua run sub/ask.eval.lua --cache replay
  expect 2
  says "sub/tape.jsonl:1:"
  equal "$(cat sub/tape.jsonl)" garbage
  [ ! -e .evalua/cache.db ]
}

@test "--cache-file and EVALUA_CACHE name another file; a store in memory has its cache in memory" {
  echo_server
  asking 2
  evalua run ask.eval.lua --cache use --cache-file mine.db
  EVALUA_CACHE=mine.db evalua run ask.eval.lua --cache use
  sent 2
  [ ! -e .evalua/cache.db ]
  evalua cache list --cache-file mine.db --json
  equal "$(json 'len(d)')" 2
  evalua run ask.eval.lua --store :memory: --cache use
  sent 4
  evalua run ask.eval.lua --store :memory: --cache replay
  expect 2
  says "in memory"
  evalua run ask.eval.lua --store :memory: --cache replay --cache-file mine.db
  expect 0
  evalua run ask.eval.lua --store other.db --cache use
  [ -e other.cache.db ]
}

@test "a file that is no cache is found before anything runs, and left alone" {
  echo_server
  asking 1
  evalua run ask.eval.lua
  cp .evalua/evalua.db copy.db
  echo "not a database at all, and long enough to be read as the header of one, or so" >text.db
  for file in copy.db text.db; do
    cp $file before
    evalua run ask.eval.lua --cache use --cache-file $file
    expect 2
    says "$file" "not an evalua cache"
    cmp $file before
  done
  sent 1
  equal "$(query 'select count(*) from experiments')" 1
}

# ==== Beside others ====

# Holds the write lock of the cache until it is killed.
hold_lock() {
  python3 -c 'import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN " + sys.argv[2])
open("held", "w").close()
time.sleep(60)' "$1" "$2" 3>&- &
  holder_pid=$!
  for _ in $(seq 100); do [ -e held ] && break; sleep 0.02; done
}

@test "two runs at once use one cache file" {
  echo_server
  asking 300
  "$EVALUA" run ask.eval.lua --store one.db --cache use --cache-file c.db >one.out 2>one.err 3>&- &
  local other=$!
  evalua run ask.eval.lua --store two.db --cache use --cache-file c.db
  expect 0
  wait $other
  equal "$(cat one.err)$stderr" ""
  equal "$(sqlite3 c.db 'pragma integrity_check; select count(*) from entries')" $'ok\n300'
  evalua run ask.eval.lua --cache replay --cache-file c.db
  expect 0
}

@test "a cache that another process writes: items do not wait for it, and what cannot be kept is said once" {
  echo_server
  asking 20
  evalua run ask.eval.lua --cache use --limit 5
  hold_lock .evalua/cache.db IMMEDIATE
  local begin
  begin=$(now_ms)
  evalua run ask.eval.lua --cache use --format json
  expect 0
  equal "$(summary '["cache"]')" '{"hits": 5, "misses": 15}'
  says "locked by another process; 15 answers were not kept"
  equal "$(grep -c locked <<<"$stderr")" 1
  [ $(($(now_ms) - begin)) -lt 25000 ]
  kill $holder_pid
  holder_pid=
  sleep 0.2
  evalua run ask.eval.lua --cache use --format json
  equal "$(summary '["cache"]')" '{"hits": 5, "misses": 15}'
  evalua cache list --json
  equal "$(json 'len(d)')" 20
}

@test "what was kept a while ago survives kill -9 of the run" {
  mock <<'LUA'
return { ["POST /chat"] = function(request)
  if request.json.q == "q5" then return { delay = 60000, body = "late" } end
  return { json = { answer = "A:" .. request.json.q } }
end }
LUA
  asking 5
  "$EVALUA" run ask.eval.lua --cache use >out 2>err 3>&- &
  local pid=$!
  for _ in $(seq 250); do
    [ -e .evalua/cache.db ] && [ "$(sqlite3 .evalua/cache.db 'select count(*) from entries' 2>/dev/null)" = 4 ] && break
    sleep 0.02
  done
  kill -9 $pid
  wait $pid || true
  equal "$(sqlite3 .evalua/cache.db 'pragma integrity_check; select count(*) from entries')" $'ok\n4'
}

@test "resume and retry use the cache as the run did" {
  mock <<'LUA'
local broken = 1
return { ["POST /chat"] = function(request)
  if request.json.q == "q2" and broken > 0 then
    broken = broken - 1
    return { status = 400, body = "not now" }
  end
  return { json = { answer = "A:" .. request.json.q } }
end }
LUA
  asking 3
  evalua run ask.eval.lua --cache use
  expect 4
  sent 3
  evalua retry latest
  expect 0
  sent 4
  evalua run ask.eval.lua --cache replay
  expect 0
  prints "3 answers from the cache"
  evalua cache clear
  evalua run ask.eval.lua --cache replay
  expect 4
  evalua retry latest
  expect 4
  evalua retry latest --cache off
  expect 0
  sent 7
}

@test "a latency rule over answers from the cache has no data, and says why" {
  echo_server
  asking 2 '' 'rules = { eval.rules.max_latency("10s") }'
  evalua run ask.eval.lua --cache use
  expect 0
  evalua run ask.eval.lua --cache use
  expect 4
  prints "no result has a latency: the answers came from the cache"
}

@test "setup in the coordinator, worker_setup in workers: their requests are looked up too" {
  echo_server
  suite hooks.eval.lua <<'LUA'
local function ask(q) return eval.fetch { url = eval.env "MOCK_URL" .. "/chat", json = { q = q } }.json.answer end
eval.experiment { name = "h", dataset = { { id = "a", input = 1 } }, scorers = {},
  setup = function() return ask "setup" end, worker_setup = function() return ask "worker" end,
  target = function(_, item) return item.setup .. " " .. item.worker end }
LUA
  for _ in 1 2; do
    evalua run hooks.eval.lua --cache use --format json
    expect 0
    equal "$(first '["output"]')" "A:setup A:worker"
  done
  sent 2
}
