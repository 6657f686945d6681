# Shared by the tests of HTTP: what users do with a server. Only loopback is contacted.
load mock

teardown() {
  local pid code=0
  for pid in ${helper_pids[@]+"${helper_pids[@]}"}; do
    kill "$pid"
    wait "$pid" || true
  done
  stop_mock || code=1
  nothing_left && return $code
}

# fetch OPTIONS: prints {status, body, headers} or {code, message, kind} of eval.fetch with these Lua options.
fetch() {
  cat >fetch.lua <<LUA
local eval = require "evalua"
local url = ...
local ok, r = pcall(eval.fetch, { $1 })
if ok then print(eval.json.encode { status = r.status, body = r.body, json = r.json, url = r.url, headers = r.headers })
else
  if type(r) ~= "table" then error(r, 0) end
  print(eval.json.encode { code = r.code, message = r.message, kind = r.status, permanent = r.permanent })
end
LUA
  evalua exec fetch.lua "$url"
  expect 0
}

# target OPTIONS [EXPERIMENT]: runs one item (id one, input "hi") through eval.http with these options.
target() {
  cat >http.eval.lua <<LUA
local eval = require "evalua"
local url = eval.env "MOCK_URL"
eval.http { id = "t", $1 }
eval.experiment { name = "e", dataset = { { id = "one", input = "hi" } }, target = "t", scorers = {}, $2 }
LUA
  MOCK_URL=$url evalua run http.eval.lua --format json
}
first() { json "d['experiments'][0]['results'][0]$1"; }

# certificate NAME: NAME.pem and NAME.key, for localhost and 127.0.0.1, signed by itself.
certificate() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$1.key" -out "$1.pem" \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null
}

# helper_server ARGUMENT...: starts http_server.py; $helper_port is where it listens.
helper_server() {
  rm -f helper.out
  python3 "$BATS_TEST_DIRNAME/http_server.py" "$@" >helper.out 2>helper.err 3>&- &
  helper_pids+=($!)
  for _ in $(seq 200); do [ -s helper.out ] && break; sleep 0.02; done
  helper_port=$(cat helper.out)
}
