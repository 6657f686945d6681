#!/usr/bin/env bats
# evalua run: what it runs, prints, stores and returns.
load helper

@test "run prints a table with the mean, its n and the worst items" {
  small_suite
  evalua run small.eval.lua
  expect 0
  prints "upper #1" "exact" "0.67 over 3 of 3" "worst items" "nothing gates this experiment"
  equal "$stderr" ""
  equal "$(query 'select count(*) from results')" 3
  equal "$(query 'select count(*) from scores')" 3
}

@test "run without an argument finds every suite below, but not in dot directories and node_modules" {
  mkdir -p deep/er .hidden node_modules/x
  small_suite deep/er/a.eval.lua
  small_suite .hidden/b.eval.lua
  small_suite node_modules/x/c.eval.lua
  evalua run --format json
  expect 0
  equal "$(json 'len(d["experiments"])')" 1
  evalua list suites
  expect 0
  equal "$output" "deep/er/a.eval.lua"
}

@test "run takes several files and a directory, each suite once" {
  mkdir more
  small_suite
  sed 's/"upper"/"other"/; s/"small"/"other"/' small.eval.lua >more/other.eval.lua
  evalua run small.eval.lua more ./small.eval.lua --format json
  expect 0
  equal "$(json '[e["name"] for e in d["experiments"]]')" '["upper", "other"]'
}

@test "--format json prints summaries with their results" {
  small_suite
  evalua run small.eval.lua --format json
  expect 0
  equal "$(json 'd["verdict"]')" none
  equal "$(json 'd["experiments"][0]["status"]')" completed
  equal "$(json 'd["experiments"][0]["total_items"]')" 3
  equal "$(json 'd["experiments"][0]["scorers"]["exact"]["n"]')" 3
  equal "$(json '[r["item_id"] for r in d["experiments"][0]["results"]]')" '["a", "b", "c"]'
  equal "$(json '[r["scores"][0]["score"] for r in d["experiments"][0]["results"]]')" '[1.0, 1.0, 0.0]'
  equal "$(json '[r["passed"] for r in d["experiments"][0]["results"]]')" '[true, true, false]'
  equal "$(json 'd["experiments"][0]["results"][1]["metadata"]')" '{"lang": "de"}'
  equal "$(json 'd["experiments"][0]["rules"]')" '[]'
}

@test "--format jsonl prints started, items in order, and done" {
  small_suite
  evalua run small.eval.lua --format jsonl
  expect 0
  equal "$(jsonl 'd[0]["type"]')" started
  equal "$(jsonl 'd[-1]["type"]')" done
  equal "$(jsonl '[e["item_id"] for e in d if e["type"] == "item"]')" '["a", "b", "c"]'
  equal "$(jsonl 'd[-1]["summary"]["scorers"]["exact"]["n"]')" 3
  equal "$(jsonl 'len({e["type"] for e in d} - {"started", "item", "progress", "done"})')" 0
}

@test "-o writes files by their ending, next to what is printed" {
  small_suite
  evalua run small.eval.lua -o out.json -o out.jsonl
  expect 0
  prints "exact"
  output=$(cat out.json)
  equal "$(json 'len(d["experiments"][0]["results"])')" 3
  output=$(cat out.jsonl)
  equal "$(jsonl 'd[-1]["type"]')" done
  equal "$(ls | tr '\n' ' ')" "out.json out.jsonl small.eval.lua "
}

@test "-o with an ending that is not known is exit 2 before anything runs" {
  small_suite
  evalua run small.eval.lua -o out.txt
  expect 2
  says "out.txt" ".json" ".jsonl"
  [ ! -e .evalua ]
}

@test "-e picks experiments and variants; an unknown one names the nearest" {
  suite variants.eval.lua <<'LUA'
eval.dataset { name = "one", items = { { id = "x", input = "a", ground_truth = "a" } } }
for variant in eval.matrix { size = { "small", "large" } } do
  eval.experiment { name = "sized", variant = variant, dataset = "one", target = function(input) return input end,
    scorers = { eval.scorers.exact } }
end
eval.experiment { name = "plain", dataset = "one", target = function(input) return input end,
  scorers = { eval.scorers.exact } }
LUA
  evalua run variants.eval.lua -e plain --format json
  expect 0
  equal "$(json '[e["name"] for e in d["experiments"]]')" '["plain"]'
  evalua run variants.eval.lua -e 'sized[size=large]' --format json
  expect 0
  equal "$(json '[(e["name"], e["variant"]) for e in d["experiments"]]')" '[["sized", "size=large"]]'
  evalua run variants.eval.lua -e sized
  expect 0
  prints "size=small" "size=large" "each against the first"
  evalua run variants.eval.lua -e plian
  expect 2
  says "plian" "plain"
}

@test "--items, --where and --limit choose items" {
  small_suite
  evalua run small.eval.lua --items c,a --format json
  expect 0
  equal "$(json '[r["item_id"] for r in d["experiments"][0]["results"]]')" '["a", "c"]'
  printf 'b\n\nc\n' >ids.txt
  evalua run small.eval.lua --items @ids.txt --format json
  expect 0
  equal "$(json '[r["item_id"] for r in d["experiments"][0]["results"]]')" '["b", "c"]'
  evalua run small.eval.lua --where 'metadata.lang == "de"' --format json
  expect 0
  equal "$(json '[r["item_id"] for r in d["experiments"][0]["results"]]')" '["b"]'
  equal "$(json 'd["experiments"][0]["selection"]["where"]')" 'metadata.lang == "de"'
  evalua run small.eval.lua --limit 2 --format json
  expect 0
  equal "$(json '[r["item_id"] for r in d["experiments"][0]["results"]]')" '["a", "b"]'
}

@test "--sample takes the same items for the same seed, in item order" {
  counting_suite numbers.eval.lua 200
  evalua run numbers.eval.lua --sample 20 --seed 7 --format json
  expect 0
  first=$(json '[r["item_id"] for r in d["experiments"][0]["results"]]')
  equal "$(json 'len(d["experiments"][0]["results"])')" 20
  equal "$(json '[r["item_id"] for r in d["experiments"][0]["results"]] == sorted(r["item_id"] for r in d["experiments"][0]["results"])')" true
  evalua run numbers.eval.lua --sample 20 --seed 7 --format json
  equal "$(json '[r["item_id"] for r in d["experiments"][0]["results"]]')" "$first"
  evalua run numbers.eval.lua --sample 20 --seed 8 --format json
  [ "$(json '[r["item_id"] for r in d["experiments"][0]["results"]]')" != "$first" ]
}

@test "-p sets parameters; one that no suite declares is exit 2" {
  suite param.eval.lua <<'LUA'
local word = eval.param { name = "word", default = "a" }
eval.experiment { name = "param", dataset = { { id = "x", input = "i", ground_truth = "b" } },
  target = function() return word end, scorers = { eval.scorers.exact } }
LUA
  evalua run param.eval.lua -p word=b --format json
  expect 0
  equal "$(json 'd["experiments"][0]["scorers"]["exact"]["mean"]')" 1.0
  equal "$(json 'd["experiments"][0]["params"]["word"]')" b
  evalua run param.eval.lua -p wrod=b
  expect 2
  says "wrod" "word"
}

@test "--dry-run says what would run and changes nothing" {
  small_suite
  evalua run small.eval.lua --dry-run
  expect 0
  prints "upper" "3 items" "exact" "nothing was run or written"
  [ ! -e .evalua ]
  evalua run small.eval.lua
  before=$(store_digest)
  evalua run small.eval.lua --limit 1 --dry-run
  expect 0
  equal "$(store_digest)" "$before"
}

@test "--note and --tag are kept with the experiment" {
  small_suite
  evalua run small.eval.lua --note "tried upper case" --tag team=red
  expect 0
  query "select * from experiments" | grep -q "tried upper case"
  query "select * from experiments" | grep -q red
}

@test "a failed rule is exit 1, a held one exit 0" {
  small_suite
  sed -i 's/scorers = /rules = { eval.rules.at_least("exact", 0.9) }, scorers = /' small.eval.lua
  evalua run small.eval.lua
  expect 1
  prints "fail"
  evalua run small.eval.lua --items a,b --format json
  expect 0
  equal "$(json 'd["verdict"]')" pass
}

@test "--baseline gates; without one a comparing rule cannot be judged" {
  counting_suite numbers.eval.lua 40 'rules = { eval.rules.no_regression("exact") },'
  evalua run numbers.eval.lua
  expect 4
  prints "no_data" "evalua accept"
  evalua run numbers.eval.lua --baseline 1 --format json
  expect 0
  equal "$(json 'd["verdict"]')" pass
  sed -i 's/return input \* 2/return input % 2 == 0 and input * 2 or 0/' numbers.eval.lua
  evalua run numbers.eval.lua --baseline latest
  expect 1
  evalua run numbers.eval.lua --baseline 99
  expect 2
}

@test "--inconclusive=fail is exit 5" {
  counting_suite numbers.eval.lua 40 'rules = { eval.rules.no_worse("exact", 0) },'
  "$EVALUA" run numbers.eval.lua >/dev/null || [ $? -eq 4 ]
  sed -i 's/return input \* 2/return input ~= 1 and input * 2 or 0/' numbers.eval.lua
  evalua run numbers.eval.lua --baseline 1 --format json
  expect 0
  equal "$(json 'd["verdict"]')" inconclusive
  evalua run numbers.eval.lua --baseline 1 --inconclusive fail
  expect 5
}

@test "an item that fails is counted beside the mean and is exit 4" {
  suite failing.eval.lua <<'LUA'
eval.experiment { name = "failing", dataset = { { id = "x", input = 1, ground_truth = 1 }, { id = "y", input = 2 } },
  target = function(input) if input == 2 then error("no answer for " .. input) end return input end,
  scorers = { eval.scorers.exact } }
LUA
  evalua run failing.eval.lua
  expect 4
  prints "1.00 over 1 of 2 (1 failed)" "no answer for 2"
}

@test "an interrupt keeps what is done and is exit 130" {
  suite slow.eval.lua <<'LUA'
local items = {}
for number = 1, 1000 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "slow", dataset = items, max_concurrency = 10,
  target = function(input) eval.sleep(50) return input end, scorers = {} }
LUA
  "$EVALUA" run slow.eval.lua >out.txt 2>err.txt 3>&- &
  pid=$!
  for _ in $(seq 100); do
    sleep 0.1
    [ -e .evalua/evalua.db ] && [ "$(query 'select count(*) from results' 2>/dev/null || echo 0)" -gt 20 ] && break
  done
  kill -INT "$pid"
  code=0
  wait "$pid" || code=$?
  cat out.txt err.txt
  equal "$code" 130
  [ "$(query "select count(*) from results where status = 'ok'")" -gt 20 ]
  equal "$(query 'select status from experiments')" cancelled
}

@test "--store and EVALUA_STORE name the store; :memory: leaves nothing" {
  small_suite
  evalua run small.eval.lua --store other.db
  expect 0
  equal "$(store=other.db query 'select count(*) from results')" 3
  [ ! -e .evalua ]
  EVALUA_STORE=third.db evalua run small.eval.lua
  expect 0
  equal "$(store=third.db query 'select count(*) from results')" 3
  mkdir empty
  small_suite empty/small.eval.lua
  cd empty
  evalua run small.eval.lua --store :memory: --format json
  expect 0
  equal "$(json 'len(d["experiments"][0]["results"])')" 3
  equal "$(ls -A)" small.eval.lua
}

@test "the store of the nearest ancestor is used" {
  mkdir -p .evalua a/b
  small_suite a/b/small.eval.lua
  cd a/b
  evalua run small.eval.lua
  expect 0
  [ -e ../../.evalua/evalua.db ]
  [ ! -e .evalua ]
}

@test "terminal escapes in outputs are stripped, other control characters shown" {
  suite escapes.eval.lua <<'LUA'
eval.experiment { name = "escapes", dataset = { { id = "x", input = "in", ground_truth = "out" } },
  target = function() return "\27[31mred\27[0m \27]0;title\7bell\7 back\8" end, scorers = { eval.scorers.exact } }
LUA
  evalua run escapes.eval.lua
  expect 0
  [[ $output != *$'\e'* && $output != *$'\a'* && $output != *$'\b'* ]]
  prints "red bell\\x07 back\\x08"
  evalua show latest x
  expect 0
  [[ $output != *$'\e'* ]]
  prints "red bell"
}

@test "a progress line on a terminal, rewritten in place and gone at the end" {
  suite slow.eval.lua <<'LUA'
local items = {}
for number = 1, 60 do items[number] = { id = "i" .. number, input = number } end
eval.experiment { name = "slow", dataset = items, target = function(input) eval.sleep(100) return input end,
  scorers = {} }
LUA
  run python3 "$BATS_TEST_DIRNAME/terminal.py" "$EVALUA" run slow.eval.lua </dev/null
  [ "$status" -eq 0 ]
  [[ $output == *$'\r\e[K'*"slow: "*"/60"* ]]
  [[ $output == *"left"* ]]
  evalua run slow.eval.lua
  [[ $stderr != *$'\r'* ]]
}

@test "colour appears on a terminal only, and never with NO_COLOR" {
  small_suite
  export TERM=xterm
  run python3 "$BATS_TEST_DIRNAME/terminal.py" "$EVALUA" run small.eval.lua </dev/null
  [[ $output == *$'\e[1m'* ]]
  NO_COLOR=1 run python3 "$BATS_TEST_DIRNAME/terminal.py" "$EVALUA" run small.eval.lua </dev/null
  [[ $output != *$'\e[1m'* ]]
  evalua run small.eval.lua
  [[ $output$stderr != *$'\e'* ]]
}

@test "print in a target goes to stderr, never into the results" {
  suite talk.eval.lua <<'LUA'
eval.experiment { name = "talk", dataset = { { id = "x", input = "in", ground_truth = "in" } },
  target = function(input) print("hello from the target") return input end, scorers = { eval.scorers.exact } }
LUA
  evalua run talk.eval.lua --format json
  expect 0
  says "hello from the target"
  equal "$(json 'd["experiments"][0]["scorers"]["exact"]["mean"]')" 1.0
}

@test "a run that is not complete says that its rules were not judged" {
  suite slow.eval.lua <<'LUA'
eval.experiment { name = "slow", dataset = { { input = 1 }, { input = 2 } }, timeout = 300, max_concurrency = 1,
  target = function(input) if input > 1 then eval.sleep("5s") end return input end, scorers = { eval.scorers.exact },
  rules = { eval.rules.at_least("exact", 0.5), eval.rules.max_latency("2s") } }
LUA
  evalua run slow.eval.lua
  expect 4
  prints "its 2 rules were not judged"
  [[ $output != *"has no rules"* ]]
  evalua show latest
  prints "its 2 rules were not judged"
}

@test "a run in which no scorer gave a score is not judged" {
  suite nothing.eval.lua <<'LUA'
local items = { { input = 1 }, { input = 2 } }
eval.experiment { name = "nothing", dataset = items, target = function(input) return input end,
  scorers = { eval.scorers.exact } }
LUA
  evalua run nothing.eval.lua
  expect 4
  prints "not judged: nothing was scored: scorer exact"
  suite some.eval.lua <<'LUA'
eval.experiment { name = "some", dataset = { { input = 1 } }, target = function(input) return input end,
  scorers = { eval.scorers.exact, eval.scorers.length { max = 3 }, function() return 1 end } }
LUA
  evalua run some.eval.lua
  [[ $output != *"nothing was scored"* ]]
}
