#!/usr/bin/env bats
# Values of environment variables that look like keys, and what eval.env reads, are nowhere: not in the store's file, not
# in its log, not in reports, streams, errors, prints or the cache, nor in encoded forms.
load helper

export_keys() {
  export PLANTED_API_KEY='sk-pl4nted/Key+With=Odd&Chars"q"9Z' # found by its name
  export PLANTED_PLAIN='plainValueReadByEvalEnv77'            # found because eval.env reads it
  export PLANTED_NUMBER='918273645546372819'                  # a number, in JSON without quotes
  export PLANTED_URL='postgres://user:pa55w0rdInUrl@db.example/x'
}

# nowhere FILE...: none of the values, in none of their forms, is in the files; says where.
nowhere() {
  python3 - "$@" <<'PY'
import base64, json, os, sys, urllib.parse
values = [os.environ["PLANTED_API_KEY"], os.environ["PLANTED_PLAIN"], os.environ["PLANTED_NUMBER"], "pa55w0rdInUrl"]
forms = {}
for value in values:
    raw = value.encode()
    forms[raw] = forms[urllib.parse.quote(value, safe="").encode()] = value
    forms[urllib.parse.quote_plus(value).encode()] = value
    forms[json.dumps(value)[1:-1].encode()] = value
    forms[json.dumps(json.dumps(value))[3:-3].encode()] = value
    for pad in range(3):
        for encode in base64.b64encode, base64.urlsafe_b64encode:
            forms[encode(b"x" * pad + raw)[4:4 + len(raw)]] = value
leaks = []
for path in sys.argv[1:]:
    data = open(path, "rb").read()
    for form, value in forms.items():
        at = data.find(form)
        if at >= 0: leaks.append("%s at %d: %r in %r" % (path, at, form, data[max(0, at - 60):at + 60]))
print("\n".join(leaks[:20]))
sys.exit(1 if leaks else 0)
PY
}

planted_suite() {
  suite planted.eval.lua <<'LUA'
local key, plain, number = os.getenv "PLANTED_API_KEY", eval.env "PLANTED_PLAIN", eval.env "PLANTED_NUMBER"
local url_password = os.getenv("PLANTED_URL"):match ":([^:@]*)@"
local base = eval.param { name = "base", default = "" }
eval.param { name = "given", default = "" }
print("top level", key, plain)
io.stderr:write("")
local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local function base64(text)
  local out = {}
  for at = 1, #text, 3 do
    local a, b, c = text:byte(at, at + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    for digit = 0, 3 do
      local pick = (bits >> (18 - 6 * digit) & 63) + 1
      out[#out + 1] = digit > 1 + (b and 1 or 0) - (b and 0 or 0) + (c and 1 or 0) and "=" or digits:sub(pick, pick)
    end
  end
  return table.concat(out)
end
local function percent(text) return (text:gsub("[^%w._~-]", function(c) return ("%%%02X"):format(c:byte()) end)) end
local json = require "evalua.json"
local cases = {
  output = function() return "the key is " .. key end,
  table = function() return { [key] = { plain, tonumber(number), number, { deep = url_password } } } end,
  number = function() return math.tointeger(tonumber(number)) end,
  error = function() error("failed with " .. key .. " and " .. plain) end,
  error_table = function() error { code = plain, message = key } end,
  error_long = function() error(("x"):rep(64 * 1024 - 90) .. "Stack: " .. key .. plain) end,
  fail = function() eval.fail("refused: " .. key, { code = plain }) end,
  stack = function()
    local chunk = load("local function inner() error('x') end inner()", "@" .. key .. ".lua")
    chunk()
  end,
  info = function()
    return 1, { context = { key }, metadata = { [plain] = key }, trajectory = { { name = key } },
      messages = { key }, steps = { one = key }, usage = { input_tokens = 1 } }
  end,
  print = function()
    print("printing " .. key, plain, number)
    io.write("writing ", key, "\n")
    io.stdout:write("writing ", plain:sub(1, 3), plain:sub(4), "\n")
    io.stderr:write("writing " .. key .. "\n")
    return 1
  end,
  encoded = function()
    return { base64("user:" .. key), base64("u:" .. key), base64(key), percent(key), json.encode { token = key },
      json.encode { body = json.encode { token = key } }, "Basic " .. base64("me:" .. plain) }
  end,
  command = function() return eval.spawn { argv = { "sh", "-c", "echo $PLANTED_API_KEY; echo $PLANTED_PLAIN >&2" } } end,
  command_fails = function()
    eval.spawn { argv = { "sh", "-c", "echo \"$PLANTED_API_KEY\" >&2; exit 3" }, check = true }
  end,
  http = function()
    return eval.fetch { url = base .. "/echo?token=" .. percent(key), headers = { Authorization = "Bearer " .. key } }.body
  end,
  http_fails = function()
    local answer = eval.fetch { url = base .. "/refuse?q=" .. percent(plain), headers = { ["X-Key"] = key } }
    error(answer.status .. " " .. answer.body)
  end,
  http_nowhere = function() eval.fetch { url = "http://user:" .. plain .. "@127.0.0.1:1/" .. percent(key) } end,
  input = function(input) return input end,
}
local items = {}
for name in pairs(cases) do
  items[#items + 1] = { id = name, input = { name, key }, metadata = { planted = key, [plain] = 1 }, tags = { plain },
    ground_truth = key, context = { plain } }
end
table.sort(items, function(a, b) return a.id < b.id end)
items[#items + 1] = { id = "id " .. plain, input = { "output", "x" } }
items[#items + 1] = { input = { "output", key } }
eval.command { id = "program", argv = { "sh", "-c", "cat >/dev/null; echo $PLANTED_API_KEY; echo $K >&2; exit 1" },
  env = { K = key } }
eval.experiment { name = "planted", dataset = items, description = key, metadata = { note = plain }, tags = { a = key },
  slices = { "metadata.planted" }, tolerance = 100,
  target = function(input) return cases[input[1]](input) end,
  scorers = {
    eval.scorers.exact,
    eval.scorer { id = "reasons", score = function(run)
      return { score = 1, label = plain, reason = "because " .. key, metadata = { [key] = plain } }
    end },
    eval.scorer { id = "fails", score = function() error("scorer " .. key) end },
  },
  rules = { eval.rule("rule", function() return false, "the rule says " .. key .. plain end) },
  setup = function() print("setup", key) return key end,
}
eval.experiment { name = "program", dataset = { { id = "a", input = key } }, target = "program", scorers = {} }
LUA
}

@test "planted keys are nowhere: store, log, reports of every format, stderr, baseline, step summary" {
  export_keys
  planted_suite
  cat >mock.lua <<'LUA'
local function echo(request) return { json = { headers = request.headers, query = request.query } } end
local function refuse(request) return { status = 401, body = "no: " .. (request.headers["x-key"] or "?") } end
return { ["GET /echo"] = echo, ["GET /refuse"] = refuse }
LUA
  env -u PLANTED_API_KEY "$EVALUA" mock mock.lua >port.json 2>mock.txt 3>&- &
  server=$!
  for _ in {1..100}; do [ -s port.json ] && break; kill -0 $server 2>/dev/null || break; sleep 0.05; done
  port=$(python3 -c 'import json; print(json.load(open("port.json"))["port"])')
  arguments=(planted.eval.lua -p "base=http://127.0.0.1:$port" -p "given=$PLANTED_API_KEY" --note "note $PLANTED_API_KEY"
    --tag "t=$PLANTED_PLAIN")
  mkdir out
  export GITHUB_STEP_SUMMARY=$PWD/out/summary.md
  "$EVALUA" run "${arguments[@]}" -o out/a.json -o out/a.jsonl -o out/a.xml -o out/a.md -o out/a.html -o out/a.csv \
    -o out/a.prom >out/pretty.txt 2>out/pretty.err || true
  unset GITHUB_STEP_SUMMARY
  cat out/pretty.err
  cp .evalua/evalua.db .evalua/*-wal out/ 2>/dev/null || true
  for format in json jsonl junit markdown html csv github gitlab openmetrics; do
    "$EVALUA" run "${arguments[@]}" --format "$format" --limit 30 >"out/$format.txt" 2>"out/$format.err" || true
  done
  "$EVALUA" run "${arguments[@]}" --cache use >out/cache.txt 2>&1 || true
  ls .evalua | grep -q cache
  "$EVALUA" cache list >out/cache_list.txt 2>&1 || true
  "$EVALUA" accept latest -o out/baseline.json >out/accept.txt 2>&1 || true
  "$EVALUA" show 1 --full >out/show.txt 2>&1
  "$EVALUA" show 1 output >out/item.txt 2>&1
  "$EVALUA" list --format json >out/list.txt 2>&1
  "$EVALUA" compare 1 3 --format json >out/compare.txt 2>&1
  "$EVALUA" sql "select * from v_results" --format json >out/sql.txt 2>&1
  "$EVALUA" retry 1 >out/retry.txt 2>&1 || true
  kill "$server"
  wait "$server" || true
  # The tests look at the right things: everything ran, and the name stands where the value was.
  equal "$(query "select count(*) from results where experiment_id = (select id from experiments where number = 1)")" 19
  equal "$(query "select output from results where item_id = 'output' limit 1")" '"the key is [PLANTED_API_KEY]"'
  equal "$(query "select json_valid(output) and output like '%[PLANTED_NUMBER]%' from results where item_id = 'table'
    limit 1")" 1
  equal "$(query "select count(*) from results where not json_valid(coalesce(output, 'null')) or not
    json_valid(coalesce(error, 'null'))")" 0
  equal "$(query "select output from results where item_id = 'number' limit 1")" '"[PLANTED_NUMBER]"'
  equal "$(query "select output like '%[PLANTED_API_KEY]%' from results where item_id = 'http' limit 1")" 1
  equal "$(query "select error ->> 'message' like '%401%' from results where item_id = 'http_fails' limit 1")" 1
  equal "$(query "select json_array_length(output), (length(output) -
    length(replace(output, '[PLANTED_', ''))) / length('[PLANTED_') from results where item_id = 'encoded' limit 1")" "7|7"
  grep -q "PLANTED_API_KEY" out/a.json out/a.html out/pretty.err
  nowhere out/* .evalua/* mock.txt || return 1
  # Written over and deleted rows are gone from the file's free pages too, because nothing was ever there.
  equal "$(query 'pragma integrity_check')" ok
}

@test "a file of cases: the key in --command is not stored, and resume takes it from the environment" {
  export_keys
  for number in 1 2 3; do echo "{\"id\":\"c$number\",\"input\":$number,\"ground_truth\":\"$number ok\"}"; done >cases.jsonl
  cat >program.sh <<'SH'
[ "$1" = "$PLANTED_API_KEY" ] || { echo "wrong key: $1" >&2; exit 1; }
read -r input; echo "$input ok"
SH
  evalua run cases.jsonl --command "sh program.sh '$PLANTED_API_KEY'" -s exact --format json
  expect 0
  printf '%s\n%s\n' "$output" "$stderr" >out.txt
  nowhere out.txt .evalua/*
  query "delete from results where item_id = 'c2'; update experiments set status = 'cancelled'"
  evalua resume 1
  expect 0
  equal "$(query "select count(*) from results where status = 'ok'")" 3
}

@test "syncing a suite whose items hold a key makes one version of the dataset, not one for each run" {
  export_keys
  suite same.eval.lua <<'LUA'
eval.experiment { name = "same", dataset = { { id = "a", input = os.getenv "PLANTED_API_KEY" }, { input = os.getenv "PLANTED_API_KEY" } },
  scorers = {}, target = function(input) return input end }
LUA
  evalua run same.eval.lua
  evalua run same.eval.lua
  expect 0
  equal "$(query "select max(version) from dataset_versions")" 1
  nowhere .evalua/*
}

@test "what only looks like a variable of a key is left alone: paths, short values, numbers, words" {
  echo x >file.pem
  suite plain.eval.lua <<'LUA'
eval.experiment { name = "plain", dataset = { { id = "a", input = 1 } }, scorers = {},
  target = function() return { os.getenv "SOME_KEY_FILE", os.getenv "KEY_DELAY", os.getenv "TOKEN", os.getenv "PWD" } end }
LUA
  SOME_KEY_FILE=$PWD/file.pem KEY_DELAY=12345678 TOKEN=short evalua run plain.eval.lua --format json
  expect 0
  equal "$(json 'd["experiments"][0]["results"][0]["output"]')" "[\"$PWD/file.pem\", \"12345678\", \"short\", \"$PWD\"]"
}

@test "a key whose characters a format escapes, or that is cut, is in no report: names of rules and metrics" {
  export PLANTED_API_KEY='tok_zqy_wxkq"<z>|vjj&rmz_uuhh' PLANTED_PLAIN=unused_unused PLANTED_NUMBER=918273645546372819
  suite named.eval.lua <<'LUA'
local key = os.getenv "PLANTED_API_KEY"
eval.experiment { name = "named", dataset = { { id = "a", input = 1, ground_truth = 1 } }, scorers = { eval.scorers.exact },
  target = function(input) return input end,
  rules = { eval.rule(("rule %s of a long name %s"):format(key, key), function() return false, "why " .. key end) } }
LUA
  COLUMNS=40 evalua run named.eval.lua -o n.md -o n.html -o n.xml -o n.csv -o n.json -o n.jsonl -o n.prom -o n.gitlab.json
  expect 1
  echo "$output$stderr" >n.txt
  GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=summary.md evalua run named.eval.lua
  echo "$output$stderr" >>n.txt
  grep -q PLANTED n.md && grep -q PLANTED n.html && grep -q PLANTED n.xml
  equal "$(grep -laE 'tok.{0,5}zqy|wxkq|vjj|rmz|uuhh' n.* summary.md .evalua/* || true)" ""
}
