#!/usr/bin/env bats
# Requests against `evalua mock`: what goes wrong with servers and what users see of it. Only loopback is contacted.
load helper
load http_helper

# ==== eval.fetch ====

@test "fetch: method, query, headers and JSON arrive; the answer comes back decoded" {
  mock <<'LUA'
return { ["POST /echo"] = function(request)
  return { status = 201, headers = { ["X-Two"] = "2" },
    json = { q = request.query, h = request.headers["x-one"], type = request.headers["content-type"], got = request.json } }
end }
LUA
  fetch 'url = url .. "/echo?a=b%20c", headers = { ["X-One"] = "1" }, json = { list = eval.json.array {} }'
  equal "$(json 'd["status"]')" 201
  equal "$(json 'd["json"]["q"]["a"]')" "b c"
  equal "$(json 'd["json"]["h"]')" 1
  equal "$(json 'd["json"]["type"]')" application/json
  equal "$(json 'd["json"]["got"]')" '{"list": []}'
  equal "$(json 'd["headers"]["x-two"]')" 2
}

@test "fetch: a form; a body of one's own; HEAD; a header left out" {
  mock <<'LUA'
return { ["/echo"] = function(request)
  return { json = { body = request.body, method = request.method, agent = request.headers["user-agent"] or "none" } }
end }
LUA
  fetch 'url = url .. "/echo", form = { a = "1 & 2", b = { "x", "y" } }'
  equal "$(json 'd["json"]["body"]')" 'a=1%20%26%202&b=x&b=y'
  fetch 'url = url .. "/echo", method = "PUT", body = "text", headers = { ["User-Agent"] = false }'
  equal "$(json '[d["json"][k] for k in ("method", "body", "agent")]')" '["PUT", "text", "none"]'
  fetch 'url = url .. "/echo", method = "HEAD"'
  equal "$(json '[d["status"], d["body"]]')" '[200, ""]'
}

# raw_server ANSWER...: answers the requests of each connection with these texts (as printf has them), one after another;
# 127.0.0.1:$raw_port. What was asked for is in raw.txt; <fill> stands for 99,000 bytes.
raw_server() {
  rm -f raw.port raw.txt
  python3 - "$@" >raw.port 2>/dev/null 3>&- <<'PY' &
import socket, sys, threading
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(50)
print(server.getsockname()[1], flush=True)
answers = [text.encode("latin-1").decode("unicode_escape").encode("latin-1").replace(b"<fill>", b"y" * 99000) for text in sys.argv[1:]]
def serve(client):
    for answer in answers:
        asked = b""
        while b"\r\n\r\n" not in asked:
            piece = client.recv(65536)
            if not piece: return
            asked += piece
        with open("raw.txt", "ab") as out: out.write(asked)
        client.sendall(answer)
    client.close()
while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
PY
  helper_pids+=($!)
  for _ in $(seq 400); do [ -s raw.port ] && break; sleep 0.02; done
  raw_port=$(<raw.port)
}

@test "fetch: what is asked for is what was said: no type without a body, escaped URLs, no length of one's own" {
  mock <<<'return { ["/*"] = function(q) return { json = { path = q.path, query = q.query, headers = q.headers, method = q.method } } end }'
  for method in PUT PATCH POST; do
    fetch "url = url .. '/x', method = '$method'"
    equal "$(json '[d["json"]["method"], d["json"]["headers"].get("content-type"), d["json"]["headers"]["content-length"]]')" \
      "[\"$method\", null, \"0\"]"
  done
  fetch "url = url .. '/x', method = 'PUT', headers = { ['Content-Type'] = 'a/b', ['X-Blank'] = '  ' }"
  equal "$(json '[d["json"]["headers"][name] for name in ("content-type", "x-blank")]')" '["a/b", ""]'
  fetch "url = url .. '/caf\\u{e9}?q=\\u{fc}&r=%20#\\u{fc}'"
  equal "$(json '[d["json"]["path"], d["json"]["query"]] == ["/caf\u00e9", {"q": "\u00fc", "r": " "}]')" true
  raw_server 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
  url=http://127.0.0.1:$raw_port fetch "url = url .. '/\\u{e9}?\\u{fc}'"
  equal "$(head -1 raw.txt)" $'GET /%C3%A9?%C3%BC HTTP/1.1\r'
  for how in "body = 'hello', headers = { ['content-length'] = '3' }" "headers = { ['Content-Length'] = 0 }"; do
    printf 'local eval = require "evalua"\nprint(pcall(eval.fetch, { url = ..., %s }))\n' "$how" >own.lua
    evalua exec own.lua "$url"
    prints false 'option "headers" of eval.fetch: leave out'
  done
}

@test "fetch: answers that are no HTTP have their codes: endless headers, garbage after an encoded body, bad chunks, a proxy that refuses" {
  raw_server 'HTTP/1.1 200 OK\r\nX: <fill>\r\nY: <fill>\r\nZ: <fill>\r\n\r\n'
  url=http://127.0.0.1:$raw_port fetch 'url = url'
  equal "$(json '[d["code"], d["kind"], "head_bytes = 262144" in d["message"]]')" '["too_large", "limited", true]'
  raw_server 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n'
  url=http://127.0.0.1:$raw_port fetch 'url = url'
  equal "$(json 'd["code"]')" bad_answer
  body=$(printf first | gzip | python3 -c 'import sys; b = sys.stdin.buffer.read() + b"junk"; print("Content-Length: %d\\r\\n\\r\\n" % len(b) + "".join("\\x%02x" % c for c in b))')
  raw_server 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n'"$body"
  url=http://127.0.0.1:$raw_port fetch 'url = url'
  equal "$(json '[d["code"], "cannot be decoded" in d["message"]]')" '["bad_answer", true]'
  raw_server 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'
  https_proxy=http://127.0.0.1:$raw_port url=https://127.0.0.1:9 fetch 'url = url'
  equal "$(json '[d["code"], "response 403" in d["message"]]')" '["connect_failed", true]'
}

@test "fetch: any status is a result" {
  mock <<<'return { ["/no"] = { status = 503, body = "later" } }'
  fetch 'url = url .. "/no"'
  equal "$(json '[d["status"], d["body"]]')" '[503, "later"]'
  equal "$(requests)" 1
}

@test "fetch: refused connection, unknown host, no TLS, bad URLs: each has its code" {
  mock <<<'return { ["/x"] = { body = "x" } }'
  fetch 'url = "http://127.0.0.1:1/x?key=secret"'
  equal "$(json 'd["code"]')" connect_failed
  equal "$(json '"secret" in d["message"]')" false
  fetch 'url = "http://nowhere.invalid/"'
  equal "$(json 'd["code"]')" dns_failed
  fetch 'url = url:gsub("^http", "https") .. "/x"'
  equal "$(json 'd["code"]')" tls_failed
  for bad in 'ftp://127.0.0.1/' '127.0.0.1/x' 'http://' 'http://a b/' 'http://[::1'; do
    fetch "url = '$bad'"
    equal "$(json '[d["code"], d["permanent"]]')" '["bad_url", true]'
  done
}

@test "fetch: cut before the answer, cut mid-body, cut mid-stream" {
  mock <<'LUA'
return { ["/none"] = { cut = 0 }, ["/half"] = { body = "hello world", cut = 5 },
  ["/chunks"] = { stream = { "data: a\n\n", "data: b\n\n" }, cut = 12 } }
LUA
  for path in none half chunks; do
    fetch "url = url .. '/$path'"
    equal "$(json 'd["code"]')" cut
  done
}

@test "fetch: a slow drip meets the timeout, silence the first byte timeout, the parts are named" {
  mock <<<'return { ["/drip"] = { body = ("x"):rep(1000), drip = "50ms" }, ["/silent"] = { silent = true } }'
  fetch 'url = url .. "/drip", timeout = "300ms"'
  equal "$(json '[d["code"], d["kind"]]')" '["timeout", "timeout"]'
  prints "within its timeout of 300 ms"
  fetch 'url = url .. "/drip", first_byte_timeout = "200ms", timeout = "600ms"'
  prints "within its timeout of 600 ms"
  fetch 'url = url .. "/silent", first_byte_timeout = "200ms"'
  prints "first_byte_timeout of 200 ms"
}

@test "fetch: a body over the limit, announced or not, and a gzip bomb: too_large, limit and actual named" {
  python3 -c 'import gzip; open("bomb.gz", "wb").write(gzip.compress(bytes(200000000), 9))'
  mock <<'LUA'
return { ["/gigabyte"] = { fill = 1000000000 },
  ["/bomb"] = { file = "bomb.gz", headers = { ["Content-Encoding"] = "gzip" } },
  ["/chunks"] = { stream = { ("x"):rep(1000), ("y"):rep(1000) } } }
LUA
  begin=$(now_ms)
  fetch 'url = url .. "/gigabyte"'
  [ $(($(now_ms) - begin)) -lt 5000 ]
  equal "$(json '[d["code"], d["kind"]]')" '["too_large", "limited"]'
  prints "max_bytes = 67108864: 1000000000 bytes are announced"
  fetch 'url = url .. "/bomb", max_bytes = 1000000'
  equal "$(json 'd["code"]')" too_large
  fetch 'url = url .. "/chunks", max_bytes = 1999'
  equal "$(json 'd["code"]')" too_large
  fetch 'url = url .. "/chunks", max_bytes = 2000'
  equal "$(json 'len(d["body"])')" 2000
}

@test "fetch: gzip is decompressed; an encoding that is a lie is bad_answer" {
  python3 -c 'import gzip; open("hello.gz", "wb").write(gzip.compress(b"hello"))'
  mock <<'LUA'
local gzip = { ["Content-Encoding"] = "gzip" }
return { ["/gzip"] = { file = "hello.gz", headers = gzip }, ["/lie"] = { body = "hello", headers = gzip } }
LUA
  fetch 'url = url .. "/gzip"'
  equal "$(json 'd["body"]')" hello
  fetch 'url = url .. "/lie"'
  equal "$(json 'd["code"]')" bad_answer
}

@test "fetch: redirects: loops end, POST becomes GET, keys do not follow to another origin" {
  mock <<'LUA'
local function show(request)
  return { json = { method = request.method, key = request.headers["x-api-key"] or "none", body = request.body } }
end
return { ["/loop"] = { status = 302, headers = { Location = "/loop" } }, ["/show"] = show,
  ["/see"] = { status = 303, headers = { Location = "/show" } },
  ["/keep"] = { status = 307, headers = { Location = "/show" } },
  ["/away"] = function(request)
    return { status = 307, headers = { Location = "http://localhost:" .. request.headers.host:match "%d+$" .. "/show" } }
  end,
  ["/file"] = { status = 302, headers = { Location = "file:///etc/passwd" } } }
LUA
  fetch 'url = url .. "/loop"'
  equal "$(json 'd["code"]')" too_many_redirects
  equal "$(requests "GET /loop")" 6
  fetch 'url = url .. "/loop", redirects = 0'
  equal "$(json 'd["status"]')" 302
  fetch 'url = url .. "/see", body = "b", headers = { ["X-Api-Key"] = "k" }'
  equal "$(json '[d["json"][k] for k in ("method", "key", "body")]')" '["GET", "k", ""]'
  fetch 'url = url .. "/keep", body = "b", headers = { ["X-Api-Key"] = "k" }'
  equal "$(json '[d["json"][k] for k in ("method", "key", "body")]')" '["POST", "k", "b"]'
  fetch 'url = url .. "/away", body = "b", headers = { ["X-Api-Key"] = "k" }'
  equal "$(json '[d["json"][k] for k in ("method", "key", "body")]')" '["POST", "none", "b"]'
  fetch 'url = url .. "/file"'
  equal "$(json 'd["code"]')" bad_redirect
}

@test "fetch: streams are read as they come: events, JSON lines, pieces" {
  mock <<'LUA'
return { ["/events"] = { stream = { "data: 1\n\nda", 100, "ta: 2\n\n", ": ping\n\n", "event: end\ndata: 3\n\n" } },
  ["/lines"] = { stream = { '{"a":1}\n{"a"', 20, ":2}\n" } },
  ["/cut"] = { stream = { "data: 1\n\n", "data: 2\n\n" }, cut = 12 } }
LUA
  cat >stream.lua <<'LUA'
local eval = require "evalua"
local url = ...
local seen = {}
for event in eval.fetch { url = url .. "/events", stream = true }:events() do
  seen[#seen + 1] = event.event .. "=" .. event.data
end
print(table.concat(seen, " "))
for value in eval.fetch { url = url .. "/lines", stream = true }:json_lines() do print(value.a) end
local cut = eval.fetch { url = url .. "/cut", stream = true }
local next_event = cut:events()
print(next_event().data)
local ok, problem = pcall(next_event)
print(ok, problem.code)
local closed = eval.fetch { url = url .. "/events", stream = true }
closed:close()
print(closed:read())
LUA
  evalua exec stream.lua "$url"
  expect 0
  equal "$output" $'message=1 message=2 end=3\n1\n2\n1\nfalse\tcut\nnil'
}

@test "fetch: a stream that nobody reads pauses; reading it gets all of it" {
  mock <<<'return { ["/big"] = { fill = 30000000 } }'
  cat >big.lua <<'LUA'
local eval = require "evalua"
local response = eval.fetch { url = ... .. "/big", stream = true }
eval.sleep "200ms"
local total = 0
for piece in function() return response:read() end do total = total + #piece end
print(total)
LUA
  evalua exec big.lua "$url"
  expect 0
  equal "$output" 30000000
}

@test "fetch: a limit is a size: bytes, a text, and 0" {
  mock <<<'return { ["/b"] = { fill = 1500 }, ["/none"] = { status = 204 } }'
  for limit in '"1kB"' 1000 0; do
    fetch "url = url .. '/b', max_bytes = $limit"
    equal "$(json 'd["code"]')" too_large
  done
  for rest in '"/b", max_bytes = "2 KiB"' '"/none", max_bytes = 0'; do
    fetch "url = url .. $rest"
    [ "$(json 'd["status"]')" -lt 300 ]
  done
}

@test "fetch: wrong options are named" {
  for try in 'url = "http://x", jsn = 1|unknown option "jsn" of eval.fetch; did you mean "json"?' \
    'url = "http://x", body = "a", json = 1|takes one of body, json' \
    'url = "http://x", headers = { ["a b"] = "c" }|is not the name of a header' \
    'url = "http://x", headers = { a = "b\r\nc: d" }|line break' \
    'url = "http://x", method = "get"|capital letters'; do
    echo "require('evalua').fetch { ${try%%|*} }" >wrong.lua
    evalua exec wrong.lua
    [ "$status" -ne 0 ]
    says "${try#*|}"
  done
}

# ==== in items ====

@test "200 requests that take 50 ms overlap, over connections that are used again" {
  mock <<<'return { ["/slow"] = function(request) return { delay = 50, json = request.number } end }'
  cat >many.eval.lua <<'LUA'
local eval = require "evalua"
local url = eval.env "MOCK_URL"
local items = {}
for number = 1, 200 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "many", dataset = items, max_concurrency = 100, scorers = {},
  target = function() return eval.fetch { url = url .. "/slow" }.json end }
LUA
  begin=$(now_ms)
  MOCK_URL=$url evalua run many.eval.lua --format json
  took=$(($(now_ms) - begin))
  expect 0
  equal "$(json 'd["experiments"][0]["succeeded_count"]')" 200
  equal "$(requests)" 200
  [ "$took" -lt 2500 ] || { echo "took $took ms"; return 1; } # 10 s one after another
}

@test "an item that waits for a silent server is a timeout; those beside it are not" {
  mock <<<'return { ["/silent"] = { silent = true }, ["/ok"] = { body = "ok" } }'
  cat >silent.eval.lua <<'LUA'
local eval = require "evalua"
local url = eval.env "MOCK_URL"
local items = { { id = "silent", input = "/silent" } }
for number = 1, 20 do items[#items + 1] = { id = "i" .. number, input = "/ok" } end
eval.experiment { name = "s", dataset = items, max_concurrency = 21, item_timeout = "500ms", tolerance = 1, scorers = {},
  target = function(input) return eval.fetch { url = url .. input }.body end }
LUA
  MOCK_URL=$url evalua run silent.eval.lua --format json
  expect 0
  equal "$(json '[r["item_id"] for r in d["experiments"][0]["results"] if r["status"] == "timeout"]')" '["silent"]'
  equal "$(json 'd["experiments"][0]["succeeded_count"]')" 20
}

@test "a fetch before the workers are forked does not disturb those in them" {
  mock <<<'return { ["/x"] = { body = "x" } }'
  cat >both.eval.lua <<'LUA'
local eval = require "evalua"
local url = eval.env "MOCK_URL"
local first = eval.fetch { url = url .. "/x" }.body
eval.experiment { name = "b", dataset = { { id = "a", input = 1 }, { id = "b", input = 2 }, { id = "c", input = 3 } },
  scorers = {}, target = function() return first .. eval.fetch { url = url .. "/x" }.body end }
LUA
  MOCK_URL=$url evalua run both.eval.lua --format json
  expect 0
  equal "$(json '[r["output"] for r in d["experiments"][0]["results"]]')" '["xx", "xx", "xx"]'
}

# ==== eval.http ====

@test "http: templates fill url, headers and body; a pointer picks the output" {
  mock <<'LUA'
return { ["/ask/*"] = function(request)
  return { json = { choices = { { text = request.path .. " " .. request.headers["x-lang"], got = request.json } } } }
end }
LUA
  cat >t.eval.lua <<'LUA'
local eval = require "evalua"
eval.http { id = "t", url = eval.env "MOCK_URL" .. "/ask/{{id}}", headers = { ["X-Lang"] = "{{metadata.lang}}" },
  body = { question = "{{input.q}}", all = "{{input}}", text = "about {{input.q}}!" }, output = "/choices/0" }
eval.experiment { name = "e", target = "t", scorers = {},
  dataset = { { id = "one", input = { q = "say \"hi\"" }, metadata = { lang = "de" } } } }
LUA
  MOCK_URL=$url evalua run t.eval.lua --format json
  expect 0
  equal "$(first "['output']['text']")" "/ask/one de"
  equal "$(first "['output']['got']['all']['q']")" 'say "hi"'
  equal "$(first "['output']['got']['text']")" 'about say "hi"!'
}

@test "http: a URL may be the item's" {
  mock <<<'return { ["/*"] = function(request) return { json = request.path } end }'
  cat >t.eval.lua <<'LUA'
local eval = require "evalua"
eval.http { id = "t", url = "{{input.base}}/ask/{{input.q}}" }
eval.experiment { name = "e", target = "t", scorers = {},
  dataset = { { id = "one", input = { base = os.getenv "MOCK_URL" .. "/v1", q = "a/b" } } } }
LUA
  MOCK_URL=$url evalua run t.eval.lua --format json
  expect 0
  equal "$(first "['output']")" "/v1/ask/a/b"
}

@test "http: functions for url, headers, body and output" {
  mock <<<'return { ["POST /f"] = function(r) return { body = r.body .. r.headers["x-a"] } end }'
  target 'url = function() return url .. "/f" end, headers = function(input) return { ["X-A"] = input .. "!" } end,
    body = function(input, item) return item.id .. " " end,
    output = function(response) return response.body, { metadata = { status = response.status } } end'
  expect 0
  equal "$(first "['output']")" "one hi!"
}

@test "http: 429 with Retry-After in seconds, as a date and in ms is waited for" {
  mock <<'LUA'
local function date(seconds) return os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + seconds) end
return {
  ["/seconds"] = { { status = 429, headers = { ["Retry-After"] = "1" } }, { body = "fine" } },
  ["/ms"] = { { status = 429, headers = { ["Retry-After-Ms"] = "1200" } }, { body = "fine" } },
  ["/date"] = { function() return { status = 429, headers = { ["Retry-After"] = date(2) } } end, { body = "fine" } } }
LUA
  for path in seconds ms date; do
    begin=$(now_ms)
    target "url = url .. '/$path'"
    took=$(($(now_ms) - begin))
    expect 0
    equal "$(first "['output']")" fine
    equal "$(requests "GET /$path")" 2
    [ "$took" -ge 1000 ] && [ "$took" -lt 5000 ] || { echo "$path took $took ms"; return 1; }
  done
}

@test "http: a server that asks for more than 120 s is not waited for" {
  mock <<<'return { ["/x"] = { status = 429, headers = { ["Retry-After"] = "3600" } } }'
  target 'url = url .. "/x"'
  expect 4
  equal "$(first "['error']['code']")" rate_limited
  [[ $(first "['error']['message']") == *"asks to wait 3600 s"* ]]
  equal "$(requests)" 1
}

@test "http: 500 then 200, and cut then 200, succeed; always 500 fails with the code and what was said" {
  mock <<'LUA'
return { ["/once"] = { { status = 500 }, { body = "fine" } }, ["/cut"] = { { cut = 0 }, { body = "fine" } },
  ["/always"] = { status = 503, json = { error = { message = "over\27[31mload" } } } }
LUA
  target 'url = url .. "/once"'
  equal "$(first "['output']")" fine
  target 'url = url .. "/cut"'
  equal "$(first "['output']")" fine
  target 'url = url .. "/always", retries = 1'
  expect 4
  equal "$(first "['error']['code']")" http_503
  [[ $(first "['error']['message']") == *"status 503: over\\x1B[31mload"* ]]
  equal "$(requests "GET /always")" 2
}

@test "http: what a further try cannot help is not tried again" {
  mock <<'LUA'
return { ["/404"] = { status = 404, body = "no such model" },
  ["/key"] = { status = 401, json = { error = { code = "invalid_api_key", message = "Incorrect API key" } } },
  ["/quota"] = { status = 429, json = { error = { type = "insufficient_quota", message = "You exceeded" } } },
  ["/said"] = { status = 500, headers = { ["x-should-retry"] = "false" } } }
LUA
  for try in 404=http_404 key=bad_key quota=quota_exhausted said=http_500; do
    target "url = url .. '/${try%=*}'"
    expect 4
    equal "$(first "['error']['code']")" "${try#*=}"
    equal "$(requests "GET /${try%=*}")" 1
  done
}

@test "http: 200 with an error in the body is an error; with a code that may pass it is tried again" {
  mock <<'LUA'
return { ["/bad"] = { json = { error = { message = "no credits" } } },
  ["/busy"] = { { json = { error = { code = 503, message = "busy" } } }, { json = { text = "fine" } } } }
LUA
  target 'url = url .. "/bad", output = "/text"'
  expect 4
  equal "$(first "['error']['code']")" error_in_body
  target 'url = url .. "/busy", output = "/text"'
  expect 0
  equal "$(first "['output']")" fine
}

@test "http: garbage instead of JSON, and JSON without what the pointer names, are shown" {
  mock <<<'return { ["/garbage"] = { body = "<html>{\"a\":" }, ["/other"] = { json = { b = 1 } } }'
  target 'url = url .. "/garbage", output = "/a"'
  expect 4
  equal "$(first "['error']['code']")" bad_json
  [[ $(first "['error']['message']") == *'"<html>{"a":"'* ]]
  target 'url = url .. "/other", output = "/a"'
  equal "$(first "['error']['code']")" bad_output
}

@test "http: JSON pointers as RFC 6901 has them: escapes, lists, null and the whole" {
  mock <<<'return { ["/p"] = { body = [[{"a/b":1,"m~n":2,"":3,"l":[10,{"x":"deep"}],"n":null,"~1":"t","f":false}]] } }'
  cat >t.eval.lua <<'LUA'
local eval = require "evalua"
for number, pointer in ipairs { "/a~1b", "/m~0n", "/", "/l/0", "/l/1/x", "/n", "/~01", "/f", "/l/-", "/l/00", "/l/2", "/l/1.0", "/n/x",
  "/f/x" } do
  eval.http { id = "t" .. number, url = eval.env "MOCK_URL" .. "/p", output = pointer, retries = 0 }
  eval.experiment { name = "e" .. number, target = "t" .. number, scorers = {}, dataset = { { id = "one", input = 1 } } }
end
LUA
  MOCK_URL=$url evalua run t.eval.lua --format json
  expect 4
  equal "$(json '[e["results"][0]["output"] for e in d["experiments"]][:8]')" '[1, 2, 3, 10, "deep", null, "t", false]'
  equal "$(json '[(e["results"][0]["error"] or {}).get("code") for e in d["experiments"]]')" \
    "[$(printf 'null, %.0s' {1..8})$(printf '"bad_output", %.0s' {1..5})\"bad_output\"]"
}

@test "http: mistakes in the definition are found before anything runs" {
  url=http://127.0.0.1:1
  target 'url = "localhost/x"'
  expect 2
  says "must begin with http://"
  target 'url = url .. "/{{inptu}}"'
  expect 2
  says 'begins with "inptu"'
  target 'url = url, output = "choices.0"'
  expect 2
  says "a JSON pointer begins with"
}

# ==== evalua mock ====

@test "mock: unknown routes are 404 and name the known ones; counts; an error in a route is 500" {
  mock <<<'return { ["GET /a"] = "plain", ["/b"] = function() error("oops") end }'
  fetch 'url = url .. "/nope"'
  equal "$(json 'd["status"]')" 404
  prints "there are: /b, GET /a"
  fetch 'url = url .. "/a"'
  equal "$(json 'd["body"]')" plain
  fetch 'url = url .. "/a", method = "HEAD"'
  equal "$(json '[d["status"], d["body"], d["headers"]["content-length"]]')" '[200, "", "5"]'
  fetch 'url = url .. "/b"'
  equal "$(json 'd["status"]')" 500
  equal "$(requests)" 4
  equal "$(requests "GET /a")" 1
}

@test "mock: wrong scripts, routes and addresses are exit 2" {
  evalua mock absent.lua
  expect 2
  echo 'return 1' >wrong.lua
  evalua mock wrong.lua
  expect 2
  says "a table of routes is right"
  echo 'return { ["/a"] = { bdy = "x" } }' >wrong.lua
  evalua mock wrong.lua
  expect 2
  says 'unknown option "bdy"' 'did you mean "body"?'
  echo 'return { a = "x" }' >wrong.lua
  evalua mock wrong.lua
  expect 2
  says 'a route is a path such as "/chat"'
  echo 'return {}' >fine.lua
  evalua mock fine.lua --host nowhere
  expect 2
  says "is not an address"
  evalua mock fine.lua --port 99999
  expect 2
  says "--port" 65535
  wrong() { # REPLY TEXT
    echo "return { ['/a'] = { $1 } }" >wrong.lua
    evalua mock wrong.lua
    expect 2
    says "mock: wrong.lua: route \"/a\": $2"
  }
  wrong 'body = "a", json = 1' "a reply takes one of body, json, not several"
  wrong 'stream = { "a", -5 }' 'element 2 of option "stream" must be a text, or a number of milliseconds to wait, not -5'
  wrong 'stream = { true }' 'element 1 of option "stream"'
  wrong 'headers = { X = "a\r\nY: b" }' 'option "headers": X has a line break or NUL in its value'
  wrong 'headers = { ["X Y"] = "a" }' 'option "headers": "X Y" is not the name of a header'
  wrong 'headers = { X = true }' 'option "headers": X must be a text or a number, not true'
  wrong 'json = print' 'option "json": value: a function cannot be written as JSON'
}

@test "mock: recorded bodies are served as they are" {
  recorded=$EVALUA_TEST_SHARED/data/http_recorded/anthropic_sdk/basic_response.sse
  [ -e "$recorded" ] || skip "../shared is not here"
  cp "$recorded" body.sse
  mock <<<'return { ["/v1/messages"] = { file = "body.sse" } }'
  cat >recorded.lua <<'LUA'
local eval = require "evalua"
local names = {}
for event in eval.fetch { url = ... .. "/v1/messages", stream = true }:events() do names[#names + 1] = event.event end
print(names[1], names[#names])
LUA
  evalua exec recorded.lua "$url"
  equal "$output" $'message_start\tmessage_stop'
}
