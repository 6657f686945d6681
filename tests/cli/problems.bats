#!/usr/bin/env bats
# What a message says when much is wrong at once, or deep inside: up to 20 problems and a count, the script's line first.

load helper

@test "20 problems at once, whole, and then a count" {
  for number in $(seq 50); do
    echo "{\"id\": \"an item with quite a long name, number $number\"}"
  done >cases.jsonl
  evalua run cases.jsonl -s exact
  expect 2
  says "cases.jsonl:1, item" "cases.jsonl:20, item" "and 30 more problems"
  [ "${#stderr_lines[@]}" -eq 21 ]
  [[ $stderr != *"cases.jsonl:21"* ]]
  cp cases.jsonl again.jsonl
  evalua run cases.jsonl again.jsonl -s exact
  says "cases.jsonl:20, item" "and 80 more problems"
  [ "${#stderr_lines[@]}" -eq 21 ]
  equal "$(store_digest)" none
}

@test "all that is wrong with the names of an experiment is told at once" {
  suite wrong.eval.lua <<'LUA'
eval.dataset { name = "d", items = { { input = 1 } } }
eval.target { id = "echo", run = function(input) return input end }
eval.experiment { name = "one", dataset = "d", target = "ecoh", scorers = { "exat", eval.scorers.length, "contians" },
  items = {} }
eval.experiment { name = "two", dataset = "d@1", version = 2, target = "echo", scorers = { "exact", "exact" } }
LUA
  evalua run wrong.eval.lua
  expect 2
  says 'wrong.eval.lua:4: there is no target "ecoh"; did you mean "echo"?' 'no scorer "exat"; did you mean "exact"?' \
    'no scorer "contians"; did you mean "contains"?' '"items" of eval.experiment is an empty list' \
    'wrong.eval.lua:6: dataset "d@1" states a version' 'two scorers have the id "exact"'
  [ "${#stderr_lines[@]}" -eq 6 ]
  equal "$(store_digest)" none
}

@test "what is wrong with several suites and experiments is told at once, and nothing is stored" {
  mkdir .evalua
  for name in one two; do
    suite "$name.eval.lua" <<LUA
eval.experiment { name = "$name", dataset = { { input = 1 } }, target = "nobody-$name", scorers = { "exact" } }
LUA
  done
  evalua run
  expect 2
  says 'one.eval.lua:2: there is no target "nobody-one"' 'two.eval.lua:2: there is no target "nobody-two"'
  echo 'local x = = 1' >two.eval.lua
  evalua run
  expect 3
  says 'one.eval.lua:2: there is no target' 'two.eval.lua:1: unexpected symbol'
  rm one.eval.lua two.eval.lua
  suite items.eval.lua <<'LUA'
eval.dataset { name = "good", items = { { id = "a", input = 1 } } }
eval.dataset { name = "twice", items = { { id = "a", input = 1 }, { id = "a", input = 2 } } }
eval.dataset { name = "typo", items = { { id = "a", inptu = 1 } } }
for _, name in ipairs { "good", "twice", "typo" } do
  eval.experiment { name = name, dataset = name, target = function(x) return x end, scorers = { eval.scorers.length } }
end
LUA
  evalua run
  expect 2
  says 'items.eval.lua:3: items[2]: the id "a"' 'items.eval.lua:4: items[1], item "a": unknown field "inptu"'
  equal "$(store_digest)" none
}

@test "an error of the script shows its line first, then a short trace" {
  cat >helpers.lua <<'LUA'
local function deepest() error("it broke") end
return { call = function() deepest() end }
LUA
  suite deep.eval.lua <<'LUA'
local helpers = require "helpers"
helpers.call()
LUA
  evalua run deep.eval.lua
  expect 3
  equal "${stderr_lines[0]}" "evalua: helpers.lua:1: it broke"
  says "stack:" "helpers.lua:1: in" "helpers.lua:2: in" "deep.eval.lua:3: in"
  [[ $stderr != *stdlib/* ]]
  suite flat.eval.lua <<'LUA'
error("it broke at once")
LUA
  evalua run flat.eval.lua
  expect 3
  equal "$stderr" "evalua: flat.eval.lua:2: it broke at once"
}

@test "a long message is shown to its end" {
  suite long.eval.lua <<'LUA'
error(("x"):rep(5000) .. " the end")
LUA
  evalua run long.eval.lua
  expect 3
  says "the end"
}

@test "a compiled suite is refused by name" {
  printf '\033Lua' >compiled.eval.lua
  evalua run compiled.eval.lua
  expect 3
  says "compiled.eval.lua: compiled Lua is not run"
}

@test "a CSV file of a spreadsheet that parts cells by semicolons or tabs is read as such" {
  printf 'id;input;output;ground_truth\na;"x;y";1,5;1,5\n' >euro.csv
  evalua run euro.csv -s exact --format json
  expect 0
  equal "$(json '[d["experiments"][0]["results"][0][k] for k in ("item_id", "input", "output")]')" '["a", "x;y", "1,5"]'
  printf '\357\273\277id\tinput\toutput\n1\ta;b\tc,d\n' >tabs.csv
  evalua run tabs.csv --format json
  equal "$(json '[d["experiments"][0]["results"][0][k] for k in ("input", "output")]')" '["a;b", "c,d"]'
  printf 'id,"input;question"\n1,2;3\n' >comma.csv
  evalua run comma.csv --map 'input=input;question' --command cat --format json
  expect 0
  equal "$(json 'd["experiments"][0]["results"][0]["input"]')" '2;3'
}

@test "the last annotation counts everything that no annotation tells" {
  counting_suite many.eval.lua 100
  sed -i 's/return input \* 2/return 0/' many.eval.lua
  evalua run many.eval.lua --format github
  equal "$(grep -c '^::warning ' <<<"$output")" 10
  equal "${lines[-1]}" "::warning title=evalua::91 more; the report has all"
  sed -i 's/return 0/if input % 2 == 0 then error("no") end return 0/' many.eval.lua
  evalua run many.eval.lua --format github
  # One says that the run was not judged; 8 of 100 items are told.
  equal "$(grep -c '^::error ' <<<"$output")" 10
  equal "$(grep -c 'item n' <<<"$output")" 8
  equal "${lines[-1]}" "::error title=evalua::92 more; the report has all"
  evalua run many.eval.lua --limit 3 --format github
  [[ $output != *more* ]]
}

@test "where nothing says what passes, nobody is said to have passed or not" {
  suite open.eval.lua <<'LUA'
eval.dataset { name = "d", items = { { input = "a" }, { input = "bb" } } }
eval.experiment { name = "open", dataset = "d", target = function(x) return x end,
  scorers = { function(run) return #run.output / 3 end } }
LUA
  evalua run open.eval.lua -o r.csv
  prints "2 items, 2 ok, latency"
  [[ $output != *passed* ]]
  grep -q '^open,,[0-9a-f]*,1,ok,,0.3333333333333333,' r.csv
}

@test "what hooks and rules print goes to stderr, and is no command of a CI system or a terminal" {
  suite prints.eval.lua <<'LUA'
print("at the top\n::error::pwned")
eval.experiment { name = "prints", dataset = { { id = "a", input = "::warning::out\n##[error]out \27[31mred" } },
  target = function(input) return input end, scorers = { function() return 1 end },
  after_each = function(result) print(result.output) end,
  rules = { eval.rule("r", function() print("rule\n::error::pwned") return true end) } }
LUA
  evalua run prints.eval.lua --format json
  expect 0
  equal "$(json 'd["verdict"]')" pass
  says "at the top" "warning::out" "rule"
  ! grep -q -e '^::' -e '##\[' -e $'\e' <<<"$stderr"
}
