#!/usr/bin/env bats
# Bad input: the message names file and line (or item) and the remedy, the exit code is right, the store is unchanged.
load helper

teardown() {
  chmod -R u+w "$work"
  if [ -n "${open_place:-}" ]; then rm -rf "$open_place"; fi
  nothing_left
}

# refused STATUS TEXT...: running bad.eval.lua ends so and leaves no trace, in an empty place and in a used store.
refused() {
  local wanted=$1
  shift
  local before
  rm -rf .evalua
  evalua run bad.eval.lua
  expect "$wanted"
  says "$@"
  equal "$output" ""
  if [ -e .evalua/evalua.db ]; then equal "$(query 'select count(*) from experiments')" 0; fi
  rm -rf .evalua
  small_suite
  "$EVALUA" run small.eval.lua >/dev/null
  before=$(store_digest)
  evalua run bad.eval.lua
  expect "$wanted"
  equal "$(store_digest)" "$before"
}

@test "a syntax error" {
  suite bad.eval.lua <<'LUA'
eval.dataset { name = "x"
eval.experiment { }
LUA
  refused 3 "bad.eval.lua:3:"
}

@test "an error in top-level code" {
  suite bad.eval.lua <<'LUA'
local function prepare() error("the model file is missing") end
prepare()
LUA
  refused 3 "bad.eval.lua:2:" "the model file is missing"
}

@test "an unknown option" {
  suite bad.eval.lua <<'LUA'
eval.experiment {
  name = "x", dataset = { { input = 1 } }, target = function(input) return input end,
  max_concurency = 5,
}
LUA
  refused 2 "bad.eval.lua:" "max_concurency" "max_concurrency"
}

@test "an undeclared global" {
  suite bad.eval.lua <<'LUA'
eval.experiment { name = "x", dataset = itmes, target = function(input) return input end }
LUA
  refused 2 "bad.eval.lua:2" "undeclared global itmes" "write \`local itmes = ...\` above"
}

@test "a nil hole in a list of scorers" {
  suite bad.eval.lua <<'LUA'
local missing = nil
eval.experiment { name = "x", dataset = { { input = 1 } }, target = function(input) return input end,
  scorers = { eval.scorers.exact, missing, eval.scorers.contains } }
LUA
  refused 2 "bad.eval.lua:" "nil"
}

@test "an unknown scorer" {
  suite bad.eval.lua <<'LUA'
eval.experiment { name = "x", dataset = { { input = 1 } }, target = function(input) return input end,
  scorers = { "exat" } }
LUA
  refused 2 "bad.eval.lua:" "exat" "exact"
  suite bad.eval.lua <<'LUA'
local scorer = eval.scorers.exat
LUA
  refused 2 "bad.eval.lua:2" "exat" "exact"
}

@test "an unknown target" {
  suite bad.eval.lua <<'LUA'
eval.target { id = "triage", run = function(input) return input end }
eval.experiment { name = "x", dataset = { { input = 1 } }, target = "traige", scorers = { eval.scorers.exact } }
LUA
  refused 2 "bad.eval.lua:" "traige" "triage"
}

@test "an unknown dataset" {
  suite bad.eval.lua <<'LUA'
eval.dataset { name = "tickets", items = { { input = 1 } } }
eval.experiment { name = "x", dataset = "tikcets", target = function(input) return input end,
  scorers = { eval.scorers.exact } }
LUA
  refused 2 "tikcets" "tickets"
}

@test "duplicate item ids" {
  suite bad.eval.lua <<'LUA'
eval.dataset { name = "twice", items = { { id = "a", input = 1 }, { id = "b", input = 2 }, { id = "a", input = 3 } } }
eval.experiment { name = "x", dataset = "twice", target = function(input) return input end,
  scorers = { eval.scorers.exact } }
LUA
  refused 2 '"a"'
}

@test "ids that no terminal should see are named in short and in clear text" {
  for pair in '"a\0b":a\x00b' '"a\27[31mb":a\x1B[31mb' '"\xff":\xFF' '("x"):rep(100000):xxx...'; do
    suite bad.eval.lua <<LUA
eval.experiment { name = "x", dataset = { { id = ${pair%:*}, input = 1 } }, target = function() end, scorers = {} }
LUA
    evalua run bad.eval.lua
    expect 2
    says "${pair##*:}\": id "
    [ "${#stderr}" -lt 1000 ]
  done
}

@test "an item without input" {
  suite bad.eval.lua <<'LUA'
eval.dataset { name = "lacking", items = { { id = "a", input = 1 }, { id = "b", ground_truth = 2 } } }
eval.experiment { name = "x", dataset = "lacking", target = function(input) return input end,
  scorers = { eval.scorers.exact } }
LUA
  refused 2 "b" "input"
}

@test "an empty dataset" {
  suite bad.eval.lua <<'LUA'
eval.dataset { name = "nothing", items = {} }
eval.experiment { name = "x", dataset = "nothing", target = function(input) return input end,
  scorers = { eval.scorers.exact } }
LUA
  refused 2 "nothing"
}

@test "a dataset file with a broken line names the file and the line" {
  printf '{"input": 1}\n{"input": 2\n' >cases.jsonl
  suite bad.eval.lua <<'LUA'
eval.dataset { name = "broken", items = eval.jsonl "cases.jsonl" }
eval.experiment { name = "x", dataset = "broken", target = function(input) return input end,
  scorers = { eval.scorers.exact } }
LUA
  refused 2 "cases.jsonl:2"
}

@test "an unknown field of run is an error of that scorer, with its line" {
  suite bad.eval.lua <<'LUA'
eval.scorer { id = "typo", score = function(run) return #run.ouput end }
eval.experiment { name = "x", dataset = { { id = "a", input = "b" } }, target = function(input) return input end,
  scorers = { "typo" } }
LUA
  evalua run bad.eval.lua
  prints "item a: scorer typo: bad.eval.lua:2" "ouput" "output"
  evalua run bad.eval.lua --format json
  says "item a: scorer typo: bad.eval.lua:2"
  equal "$(json 'd["experiments"][0]["results"][0]["scores"][0]["status"]')" error
  message=$(json 'd["experiments"][0]["results"][0]["scores"][0]["error"]["message"]')
  [[ $message == *"bad.eval.lua:2"*ouput*output* ]]
  evalua show latest a
  prints "bad.eval.lua:2" "ouput"
}

@test "a NaN score is a scorer error, not a number" {
  suite bad.eval.lua <<'LUA'
eval.scorer { id = "nan", score = function(run) return 0 / 0 end }
eval.experiment { name = "x", dataset = { { id = "a", input = "b" } }, target = function(input) return input end,
  scorers = { "nan" } }
LUA
  evalua run bad.eval.lua --format json
  says "item a: scorer nan"
  equal "$(json 'd["experiments"][0]["results"][0]["scores"][0]["status"]')" error
  equal "$(json 'd["experiments"][0]["results"][0]["scores"][0]["score"]')" null
  equal "$(json 'd["experiments"][0]["scorers"]["nan"]["n"]')" 0
  equal "$(query "select count(*) from scores where score is null and status = 'error'")" 1
}

@test "a scorer that returns a string is a scorer error" {
  suite bad.eval.lua <<'LUA'
eval.scorer { id = "text", score = function(run) return "good" end }
eval.experiment { name = "x", dataset = { { id = "a", input = "b" } }, target = function(input) return input end,
  scorers = { "text", eval.scorers.exact } }
LUA
  evalua run bad.eval.lua --format json
  says "item a: scorer text"
  equal "$(json '[s["status"] for s in d["experiments"][0]["results"][0]["scores"] if s["scorer_id"] == "text"]')" '["error"]'
  says "returned the string"
}

@test "a target that returns a function fails that item" {
  suite bad.eval.lua <<'LUA'
eval.experiment { name = "x", dataset = { { id = "a", input = "b" } }, target = function(input) return print end,
  scorers = { eval.scorers.exact } }
LUA
  evalua run bad.eval.lua --format json
  expect 4
  equal "$(json 'd["experiments"][0]["results"][0]["status"]')" error
  [[ $(json 'd["experiments"][0]["results"][0]["error"]["message"]') == *function* ]]
  equal "$(json 'd["experiments"][0]["status"]')" failed
}

# command_suite ARGV: one item through a command target.
command_suite() {
  suite bad.eval.lua <<LUA
eval.command { id = "program", argv = { $1 }, ${2:-} }
eval.experiment { name = "x", dataset = { { id = "a", input = "b" } }, target = "program",
  scorers = { eval.scorers.exact } }
LUA
}

@test "a command that is missing" {
  command_suite '"./no-such-program"'
  refused 2 "bad.eval.lua:" "no-such-program"
}

@test "a command that prints garbage where JSON is wanted" {
  command_suite '"echo", "not json"' 'stdout = "json"'
  evalua run bad.eval.lua --format json
  expect 4
  [[ $(json 'd["experiments"][0]["results"][0]["error"]["message"]') == *JSON* ]]
}

@test "a command that exits 3 shows its code and stderr" {
  command_suite '"sh", "-c", "echo out of disk >&2; exit 3"'
  evalua run bad.eval.lua --format json
  expect 4
  message=$(json 'd["experiments"][0]["results"][0]["error"]["message"]')
  [[ $message == *3* && $message == *"out of disk"* ]]
}

@test "a command that prints 100 MB meets the limit" {
  command_suite '"sh", "-c", "head -c 100000000 /dev/zero | tr \\\\0 x"'
  evalua run bad.eval.lua --format json
  expect 4
  [ "$(json 'd["experiments"][0]["results"][0]["status"]')" != ok ]
  [[ $(json 'd["experiments"][0]["results"][0]["error"]["message"]') == *limit* ]]
}

@test "a store that is not SQLite" {
  small_suite
  echo "this is a text of more than a few bytes and no database at all" >notes.txt
  evalua run small.eval.lua --store notes.txt
  expect 4
  says "notes.txt" "not"
  equal "$(cat notes.txt)" "this is a text of more than a few bytes and no database at all"
  sqlite3 foreign.db 'create table mine (x); insert into mine values (1)'
  before=$(sqlite3 foreign.db .dump)
  evalua run small.eval.lua --store foreign.db
  expect 4
  says "foreign.db"
  equal "$(sqlite3 foreign.db .dump)" "$before"
}

# Runs the program as somebody who may not write here; root has to become somebody else for that.
as_reader() {
  if [ "$(id -u)" = 0 ]; then
    run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups "$PWD/evalua" "$@"
  else
    run --separate-stderr "$EVALUA" "$@"
  fi
  echo "status $status, stderr: $stderr"
}

@test "a store that is read-only" {
  if [ "$(id -u)" = 0 ]; then
    command -v setpriv >/dev/null || skip "root may write everything, and there is no setpriv"
    open_place=$(mktemp -d /tmp/evalua-reader.XXXXXX)
    chmod 755 "$open_place"
    cp "$EVALUA" "$open_place/evalua"
    cd "$open_place"
  fi
  small_suite
  "$EVALUA" run small.eval.lua >/dev/null
  chmod 444 .evalua/evalua.db
  chmod 555 .evalua
  before=$(store_digest)
  as_reader run small.eval.lua
  expect 4
  says "evalua.db" "cannot be written"
  equal "$output" ""
  equal "$(store_digest)" "$before"
  as_reader show latest
  expect 0
  prints "0.67 over 3 of 3"
}

@test "a store with a newer schema" {
  small_suite
  "$EVALUA" run small.eval.lua >/dev/null
  version=$(sqlite3 .evalua/evalua.db 'pragma user_version')
  sqlite3 .evalua/evalua.db "pragma user_version = $((version + 1))"
  before=$(store_digest)
  evalua run small.eval.lua
  expect 4
  says "evalua.db" "newer"
  equal "$(store_digest)" "$before"
}

@test "--items that names absent ids" {
  small_suite
  evalua run small.eval.lua --items a,nope,never
  expect 2
  says "nope" "never"
  equal "$output" ""
  if [ -e .evalua/evalua.db ]; then equal "$(query 'select count(*) from experiments')" 0; fi
  "$EVALUA" run small.eval.lua >/dev/null
  before=$(store_digest)
  evalua run small.eval.lua --items nope
  expect 2
  equal "$(store_digest)" "$before"
}

@test "--where that is no expression, names no field, or never ends" {
  small_suite
  evalua run small.eval.lua --where 'metadata.lang = "de"'
  expect 2
  says "metadata.lang" "=="
  evalua run small.eval.lua --where 'metdata.lang == "de"'
  expect 2
  says "metdata" "metadata"
  evalua run small.eval.lua --where '(function() while true do end end)()'
  expect 2
  says "function"
  evalua run small.eval.lua --where 'os.exit(0)'
  expect 2
  says "os"
  [ ! -e .evalua ]
}

@test "--where that no item matches is exit 2, as an empty dataset" {
  small_suite
  evalua run small.eval.lua --where 'metadata.lang == "fr"'
  expect 2
  says "selects no item"
}

@test "command lines that cannot be" {
  small_suite
  evalua run small.eval.lua --limt 3
  expect 2
  says "--limt" "--limit"
  evalua run small.eval.lua --limit three
  expect 2
  says "--limit" "three"
  evalua run small.eval.lua --limit 0
  expect 2
  evalua run small.eval.lua --format yaml
  expect 2
  says "yaml" "json"
  evalua run small.eval.lua --limit
  expect 2
  evalua run smal.eval.lua
  expect 2
  says "smal.eval.lua" "small.eval.lua"
  mkdir empty
  evalua run empty
  expect 2
  says "empty" "evalua init"
  evalua run small.eval.lua -s exact
  expect 2
  says "--scorer"
  evalua runn small.eval.lua
  expect 2
  says "runn" "run"
  [ ! -e .evalua ]
}

@test "broken CSV files are bad input: the file, the line and exit 2" {
  bad_csv() {
    printf "$1" >bad.csv
    shift
    evalua run bad.csv --command cat -s exact
    expect 2
    says bad.csv "$@"
  }
  bad_csv 'id,input\na\n' "bad.csv:2:" "cells"
  bad_csv 'id,input\na,"x\n' "bad.csv:2:" "quote"
  bad_csv 'id,input\na,\377\n' "bad.csv:2:" "UTF-8"
  bad_csv 'id,id\na,b\n' "twice"
  bad_csv 'id,question\na,b\n' "bad.csv:1:" "question"
  evalua run bad.csv --map input=quest --command cat -s exact
  expect 2
  says "bad.csv:1:" "quest" "question"
}

@test "metadata and tags that cannot be stored" {
  suite bad.eval.lua <<'LUA'
eval.experiment { name = "x", dataset = { { input = 1 } }, target = function(input) return input end,
  scorers = { eval.scorers.exact }, metadata = { f = print }, tags = { a = 0 / 0 } }
LUA
  refused 2 "bad.eval.lua:" "metadata.f" "function" "tags.a" "NaN"
  suite bad.eval.lua <<'LUA'
eval.dataset { name = "x", items = { { input = 1 } }, metadata = { f = { print } } }
LUA
  refused 2 "bad.eval.lua:" "metadata.f[1]"
}

@test "numbers and variants that mean nothing" {
  meaningless() {
    suite bad.eval.lua <<LUA
eval.experiment { name = "x", dataset = { { input = 1 } }, target = function(input) return input end,
  scorers = {}, $1 }
LUA
    evalua run bad.eval.lua
    expect 2
    says "bad.eval.lua:2: option \"$2\""
  }
  meaningless 'variant = {}' variant
  meaningless 'variant = { "a" }' variant
  meaningless 'tolerance = 2.5' tolerance
  meaningless 'item_timeout = 0' item_timeout
  says "leave it out"
  meaningless 'timeout = "0s"' timeout
}

@test "what a failed item says" {
  suite fails.eval.lua <<'LUA'
local function run_with(name, target)
  eval.experiment { name = name, dataset = { { id = "a", input = 1 } }, target = target, scorers = {} }
end
run_with("returns", function(input)
  return function() return input end
end)
run_with("nothing", function() error() end)
run_with("exits", eval.command { id = "broken", argv = { "sh", "-c", "echo first >&2; echo the reason >&2; exit 3" } })
LUA
  evalua run fails.eval.lua
  expect 4
  prints "fails.eval.lua:5: the target's output cannot be stored" "raised without a message" \
    "exited with code 3; stderr: the reason"
}

@test "a module or a command that is not there is told in one line" {
  suite bad.eval.lua <<'LUA'
local lib = require "lib.nope"
LUA
  evalua run bad.eval.lua
  expect 2
  says 'bad.eval.lua:2: there is no module "lib.nope"; looked for lib/nope.lua, lib/nope/init.lua'
  equal "$(wc -l <<<"$stderr")" 1
  suite bad.eval.lua <<'LUA'
eval.experiment { name = "x", dataset = { { input = 1 } }, scorers = {},
  target = eval.command { id = "none", argv = { "no-such-command" } } }
LUA
  PATH="$PATH:/a/very/long/directory/at/the/end/of/the/path/which/nobody/reads" evalua run bad.eval.lua
  expect 2
  says "no-such-command" "install it"
  [[ $stderr != *nobody* ]]
}
