#!/usr/bin/env bats
# What users see of each fault that a server can have: the table "Faults of servers" in stdlib/README.md, row by row.
load helper
load http_helper
unset http_proxy https_proxy all_proxy no_proxy HTTPS_PROXY ALL_PROXY NO_PROXY CURL_CA_BUNDLE SSL_CERT_FILE

# ends STATUS CODE TRIES PATH TARGET-OPTIONS: the one item of eval.http { TARGET-OPTIONS } ends so, after TRIES requests.
ends() {
  target "retries = 1, $5"
  expect 4
  equal "$(first "['status']")" "$1"
  equal "$(first "['error']['code']")" "$2"
  [ "$4" = - ] || equal "$(requests "$4")" "$3"
}

# reads PATH HOW: reads a stream of eval.fetch in an item, by :HOW(); the item's output is what came before the error.
reads() {
  cat >stream.eval.lua <<LUA
local eval = require "evalua"
local url = eval.env "MOCK_URL"
eval.experiment { name = "s", dataset = { { id = "one", input = 1 } }, scorers = {}, tolerance = 1, target = function()
  local seen = {}
  local ok, problem = pcall(function()
    for value in eval.fetch { url = url .. "$1", stream = true }:$2() do
      seen[#seen + 1] = value.data or value.n
    end
  end)
  return { seen = seen, ok = ok, code = not ok and problem.code or nil }
end }
LUA
  MOCK_URL=$url evalua run stream.eval.lua --format json
  expect 0
}

# ==== answers that say no ====

@test "429 with Retry-After in seconds, as a date, in milliseconds: waited for, then ok" {
  mock <<'LUA'
local function after(name, value) return { { status = 429, headers = { [name] = value } }, { body = "fine" } } end
local count = 0
return { ["/seconds"] = after("Retry-After", "1"), ["/ms"] = after("Retry-After-Ms", "1000"),
  ["/date"] = function()
    count = count + 1
    if count > 1 then return "fine" end
    return { status = 429, headers = { ["Retry-After"] = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + 2) } }
  end }
LUA
  for path in seconds ms date; do
    begin=$(now_ms)
    target "url = url .. '/$path', retries = 1"
    expect 0
    equal "$(first "['output']")" fine
    [ $(($(now_ms) - begin)) -ge 950 ] || { echo "$path was not waited for"; return 1; }
    equal "$(requests "GET /$path")" 2
  done
}

@test "500 then 200 is ok; 500 for ever is http_500 after all tries" {
  mock <<<'return { ["/once"] = { { status = 500 }, { body = "fine" } }, ["/ever"] = { status = 500, body = "oh" } }'
  target 'url = url .. "/once", retries = 1'
  expect 0
  equal "$(first "['output']")" fine
  ends error http_500 2 "GET /ever" 'url = url .. "/ever"'
}

@test "garbage instead of JSON is bad_json, 200 with an error in it error_in_body: neither is tried again" {
  mock <<'LUA'
return { ["/garbage"] = { body = "{\"a\": <html>" }, ["/error"] = { json = { error = { message = "no credits" } } } }
LUA
  ends error bad_json 1 "GET /garbage" 'url = url .. "/garbage", output = "/a"'
  ends error error_in_body 1 "GET /error" 'url = url .. "/error"'
  [[ $(first "['error']['message']") == *"status 200: no credits"* ]]
}

@test "a bad key, no credit, an exhausted quota end the run after three items in a row" {
  mock <<'LUA'
return { ["/key"] = { status = 401, json = { error = { code = "invalid_api_key", message = "Incorrect API key" } } },
  ["/credit"] = { status = 402, json = { error = { message = "Insufficient credits" } } },
  ["/quota"] = { status = 429, json = { error = { type = "insufficient_quota", message = "You exceeded" } } },
  ["/limit"] = { status = 429, json = { type = "error",
    error = { message = "spent", details = { error_code = "enforced_spend_limit_reached" } } } },
  ["/one"] = { status = 403, body = "this one is not for you" } }
LUA
  for try in key=bad_key credit=quota_exhausted quota=quota_exhausted limit=quota_exhausted; do
    path=${try%=*}
    cat >stop.eval.lua <<LUA
local eval = require "evalua"
local items = {}
for number = 1, 1000 do items[number] = { id = "i" .. number, input = number } end
eval.http { id = "t", url = eval.env "MOCK_URL" .. "/$path" }
eval.experiment { name = "stop", dataset = items, target = "t", scorers = {}, max_concurrency = 4, max_retries = 3 }
LUA
    MOCK_URL=$url evalua run stop.eval.lua --format json
    expect 4
    equal "$(json 'd["experiments"][0]["status"]')" cancelled
    [[ $(json 'd["experiments"][0]["reason"]') == *"3 items in a row"* ]]
    equal "$(first "['error']['code']")" "${try#*=}"
    equal "$(json 'd["experiments"][0]["failed_count"] + d["experiments"][0]["skipped_count"]')" 1000
    [ "$(requests "GET /$path")" -le 40 ] || { echo "$(requests "GET /$path") requests"; return 1; }
  done
  # What one item may not do is no matter of the others.
  sed -i 's|/limit|/one|; s/1, 1000/1, 20/' stop.eval.lua
  MOCK_URL=$url evalua run stop.eval.lua --format json
  equal "$(json '[d["experiments"][0][k] for k in ("status", "failed_count")]')" '["failed", 20]'
}

# ==== answers that do not end ====

@test "cut before the answer, cut mid-body, a slow drip: tried again, then cut or timeout" {
  mock <<'LUA'
return { ["/none"] = { cut = 0 }, ["/half"] = { body = ("x"):rep(100), cut = 50 },
  ["/then"] = { { body = "hello", cut = 2 }, { body = "hello" } }, ["/drip"] = { body = ("x"):rep(99), drip = "50ms" } }
LUA
  ends error cut 2 "GET /none" 'url = url .. "/none"'
  ends error cut 2 "GET /half" 'url = url .. "/half"'
  ends timeout timeout 2 "GET /drip" 'url = url .. "/drip", timeout = "200ms"'
  target 'url = url .. "/then", retries = 1'
  expect 0
  equal "$(first "['output']")" hello
}

@test "a stream that is cut: what came before is there, then the error cut; SSE and JSON lines" {
  mock <<'LUA'
return { ["/events"] = { stream = { "data: 1\n\n", 20, "data: 2\n\nda" }, cut = 20 },
  ["/lines"] = { stream = { '{"n":1}\n', 20, '{"n":2}\n{"n' }, cut = 19 } }
LUA
  reads /events events
  equal "$(first "['output']")" '{"code": "cut", "ok": false, "seen": ["1", "2"]}'
  reads /lines json_lines
  equal "$(first "['output']")" '{"code": "cut", "ok": false, "seen": [1, 2]}'
}

@test "a line of a stream that is not JSON is bad_json and shows it" {
  mock <<<'return { ["/lines"] = { stream = { "{\"n\":1}\n<html>\n" } } }'
  reads /lines json_lines
  equal "$(first "['output']")" '{"code": "bad_json", "ok": false, "seen": [1]}'
}

@test "a redirect loop, a gzip bomb, a body of 1 GB: permanent, and quick" {
  python3 -c 'import gzip; open("bomb.gz", "wb").write(gzip.compress(bytes(200000000), 9))'
  mock <<'LUA'
return { ["/loop"] = { status = 302, headers = { Location = "/loop" } }, ["/gigabyte"] = { fill = 1000000000 },
  ["/bomb"] = { file = "bomb.gz", headers = { ["Content-Encoding"] = "gzip" } } }
LUA
  begin=$(now_ms)
  ends error too_many_redirects 6 "GET /loop" 'url = url .. "/loop"'
  ends limited too_large 1 "GET /bomb" 'url = url .. "/bomb"'
  [[ $(first "['error']['message']") == *"max_bytes = 67108864"* ]]
  ends limited too_large 1 "GET /gigabyte" 'url = url .. "/gigabyte"'
  [ $(($(now_ms) - begin)) -lt 20000 ]
}

@test "a client that leaves is noticed: the mock counts it, and its handler ends" {
  mock <<'LUA'
return { ["/silent"] = { silent = true }, ["/late"] = { delay = "1h", body = "x" },
  ["/drip"] = { body = ("x"):rep(10000), drip = "100ms" } }
LUA
  for path in silent late drip; do fetch "url = url .. '/$path', timeout = '200ms'"; done
  for _ in $(seq 50); do
    left=$(counts '"%d %d" % (d["left"], d["in_flight"])')
    [ "$left" = "3 0" ] && break
    sleep 0.1
  done
  equal "$left" "3 0"
}

# ==== no connection ====

@test "refused, unknown host: tried again, then connect_failed and dns_failed" {
  url=http://127.0.0.1:1
  ends error connect_failed - - 'url = url'
  equal "$(first "['retry_count']")" 1
  ends error dns_failed - - 'url = "http://nowhere.invalid/"'
}

@test "a certificate that nobody signed is tls_failed at once; SSL_CERT_FILE says whom to trust" {
  command -v openssl >/dev/null || skip "openssl is not installed"
  certificate own
  helper_server tls own.pem own.key
  url=https://127.0.0.1:$helper_port
  begin=$(now_ms)
  ends error tls_failed - - 'url = url'
  [ $(($(now_ms) - begin)) -lt 4000 ]
  SSL_CERT_FILE=$PWD/own.pem target 'url = url'
  expect 0
  equal "$(first "['output']")" secure
  SSL_CERT_FILE=$PWD/absent.pem target 'url = url'
  equal "$(first "['error']['code']")" tls_failed
}

# ==== ways through ====

@test "a proxy of the environment is used, for http and by CONNECT for https; its password is shown nowhere" {
  command -v openssl >/dev/null || skip "openssl is not installed"
  mock <<<'return { ["/x"] = { body = "through" } }'
  helper_server proxy proxy.log
  export http_proxy=http://user:pr0xyPass@127.0.0.1:$helper_port https_proxy=http://user:pr0xyPass@127.0.0.1:$helper_port
  target 'url = url .. "/x"'
  expect 0
  equal "$(first "['output']")" through
  certificate own
  helper_server tls own.pem own.key
  plain=$url url=https://127.0.0.1:$helper_port
  SSL_CERT_FILE=$PWD/own.pem target 'url = url'
  expect 0
  equal "$(first "['output']")" secure
  equal "$(cut -d' ' -f1-2 proxy.log)" "GET $plain/x"$'\n'"CONNECT 127.0.0.1:$helper_port"
  equal "$(cut -d' ' -f3,4 proxy.log | sort -u)" "Basic dXNlcjpwcjB4eVBhc3M="
  export no_proxy=127.0.0.1
  url=$plain
  target 'url = url .. "/x"'
  expect 0
  equal "$(wc -l <proxy.log)" 2
  unset no_proxy
  http_proxy=http://user:pr0xyPass@127.0.0.1:1 target 'url = url .. "/x", retries = 0'
  equal "$(first "['error']['code']")" connect_failed
  [[ $output$stderr != *pr0xyPass* ]]
}

@test "HTTP/2: where TLS agrees on it; many requests share a connection" {
  command -v nghttpd >/dev/null || [ -x /usr/sbin/nghttpd ] || skip "nghttpd is not installed (Debian package nghttp2-server)"
  certificate own
  mkdir docs
  echo two >docs/x
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  PATH=$PATH:/usr/sbin nghttpd -v --no-content-length -a 127.0.0.1 --htdocs "$PWD/docs" "$port" own.key own.pem \
    >nghttpd.log 2>&1 3>&- &
  helper_pids+=($!)
  for _ in $(seq 100); do (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.05; done
  cat >two.eval.lua <<LUA
local eval = require "evalua"
local items = {}
for number = 1, 50 do items[number] = { id = "i" .. number, input = number } end
eval.http { id = "t", url = "https://127.0.0.1:$port/x" }
eval.experiment { name = "two", dataset = items, target = "t", scorers = {}, max_concurrency = 50 }
LUA
  SSL_CERT_FILE=$PWD/own.pem evalua run two.eval.lua --workers 1 --format json
  expect 0
  equal "$(json 'd["experiments"][0]["succeeded_count"]')" 50
  equal "$(first "['output']")" two
  connections=$(grep -o '^\[id=[0-9]*\]' nghttpd.log | sort -u | wc -l)
  [ "$connections" -le 3 ] || { echo "$connections connections"; return 1; } # one is the look whether it listens
}

# ==== nothing is left, nothing is told ====

@test "requests that are given up leave no descriptor, nor a request on the server" {
  mock <<<'return { ["/silent"] = { silent = true }, ["/ok"] = { delay = 5, body = "ok" } }'
  cat >leak.eval.lua <<'LUA'
local eval = require "evalua"
local url = eval.env "MOCK_URL"
local function descriptors() return #require("evalua.native.sys").list("/proc/self/fd") end
local items = {}
for number = 1, 300 do items[number] = { id = "i" .. number, input = number } end
items[#items + 1] = { id = "last", input = 0 }
eval.experiment { name = "leak", dataset = items, max_concurrency = 50, item_timeout = "150ms", tolerance = 301,
  scorers = {}, target = function(input)
    if input == 0 then return descriptors() end
    if input % 3 == 0 then return eval.fetch { url = url .. "/silent" }.body end
    if input % 3 == 1 then return eval.fetch { url = url .. "/silent", stream = true }:read() end
    return eval.all { function() return eval.fetch { url = url .. "/ok" }.body end,
      function() return input % 2 == 0 and error("given up", 0) or eval.fetch { url = url .. "/ok" }.body end }[1]
  end }
LUA
  MOCK_URL=$url evalua run leak.eval.lua --workers 1 --format json
  expect 0
  equal "$(json 'sum(r["status"] == "timeout" for r in d["experiments"][0]["results"])')" 200
  equal "$(json 'd["experiments"][0]["results"][-1]["error"]')" null
  # Connections that are kept for the next request, and a few of the worker's own.
  left=$(json 'd["experiments"][0]["results"][-1]["output"]')
  [ "$left" -le 90 ] || { echo "$left descriptors"; return 1; }
  for _ in $(seq 50); do
    in_flight=$(counts 'd["in_flight"]')
    [ "$in_flight" = 0 ] && break
    sleep 0.1
  done
  equal "$in_flight" 0
}

@test "errors tell neither keys in a URL, nor user and password, nor headers" {
  mock <<'LUA'
return { ["/no"] = { status = 403, body = "no" }, ["/cut"] = { cut = 0 }, ["/key-in-path-abc"] = { cut = 0 },
  ["/away"] = { status = 302, headers = { Location = "ftp://who:hidd3nUser@127.0.0.1/?key=hidd3nQuery" } } }
LUA
  secret_url='url:gsub("//", "//who:hidd3nUser@") .. path .. "?key=hidd3nQuery#hidd3nFragment"'
  for path in /no /cut /away /absent; do
    target "url = ($secret_url), retries = 0, headers = { Authorization = 'Bearer hidd3nHeader', ['X-Api-Key'] = 'hidd3nKey' }" \
      "path = nil" >/dev/null || true
    sed -i "s|local url = |local path = \"$path\"\nlocal url = |; s|, path = nil||" http.eval.lua
    MOCK_URL=$url evalua run http.eval.lua --format json
    expect 4
    [[ $output$stderr != *hidd3n* ]] || { echo "told: ${output/hidd3n/>>hidd3n}"; return 1; }
    [[ $(query "SELECT group_concat(error) FROM results") != *hidd3n* ]]
    fetch "url = (function(path) return ($secret_url) end)('$path'), redirects = 1, headers = { ['X-Api-Key'] = 'hidd3nKey' }"
    [[ $output$stderr != *hidd3nQ* ]] || [ "$path" = /no ] || [ "$path" = /absent ]
  done
  for wrong in 'http://who:hidd3nUser@127.0.0.1:1/?key=hidd3nQuery' 'http://who:hidd3nUser@nowhere.invalid/?hidd3nQuery' \
    'ftp://who:hidd3nUser@127.0.0.1/?key=hidd3nQuery' 'http://who:hidd3nUser@127.0.0.1:99999999/?key=hidd3nQuery'; do
    fetch "url = '$wrong'"
    [[ $output$stderr != *hidd3n* ]] || { echo "told for $wrong: $output"; return 1; }
  done
}
