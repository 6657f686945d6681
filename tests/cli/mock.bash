# A mock server for a test: `evalua mock` with the routes that it wants. Only loopback is contacted.

# mock <ROUTES: starts the server with routes from stdin; $url, and MOCK_URL for suites, are where it listens.
mock() {
  cat >routes.lua
  "$EVALUA" mock routes.lua >mock.out 2>mock.err 3>&- &
  mock_pid=$!
  for _ in $(seq 200); do [ -s mock.out ] && break; sleep 0.02; done
  url=$(python3 -c 'import json; print(json.loads(open("mock.out").readline())["url"])')
  export MOCK_URL=$url
}

# stop_mock: ends it where there is one; that it ended with an error is a failure.
stop_mock() {
  local pid=${mock_pid:-}
  mock_pid=
  [ -n "$pid" ] || return 0
  kill "$pid"
  wait "$pid" || { echo "the mock ended with $?"; cat mock.err; return 1; }
}

# counts EXPRESSION: of what the mock has counted, `d`.
counts() {
  python3 -c 'import json, sys, urllib.request
d = json.load(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1] + "/_mock"))
print(eval(sys.argv[2]))' "$url" "$1"
}

# requests [PATH]: how many the mock has got.
requests() { counts "d['routes'].get('${1:-}', 0) if '${1:-}' else d['total']"; }
