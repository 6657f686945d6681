#!/usr/bin/env bats
# Arguments that mean nothing, files that cannot be written, and a stdout that is full: told before anything runs, or as
# what is lost.

load helper

@test "-o that cannot be written is exit 2 before anything runs, and nothing is left over" {
  small_suite
  mkdir folder.json
  touch mine.csv
  for path in no-such-directory/r.json folder.json; do
    evalua run small.eval.lua -o first.md -o "$path"
    expect 2
    says "-o $path" director
    equal "$output" ""
  done
  evalua run small.eval.lua -o r.json -o ./r.json
  expect 2
  says "-o ./r.json is given twice"
  equal "$(store_digest)" none
  equal "$(ls)" "$(printf 'folder.json\nmine.csv\nsmall.eval.lua')"
  "$EVALUA" run small.eval.lua >/dev/null
  mkdir elsewhere
  touch elsewhere/report.json
  ln -s elsewhere/report.json link.json
  evalua show latest -o link.json
  expect 0
  [ -L link.json ] && [ -s elsewhere/report.json ]
  rm -r link.json elsewhere
  for command in "show latest" "compare latest latest" "trend upper"; do
    evalua $command -o first.md -o folder.json
    expect 2
    says "folder.json" "directory"
    equal "$(ls)" "$(printf 'folder.json\nmine.csv\nsmall.eval.lua')"
  done
}

@test "stdout that is full is exit 4 with its name, whatever the command; a reader that leaves is no failure" {
  [ -e /dev/full ] || skip "there is no /dev/full"
  small_suite
  echo 'for number = 1, 5000 do print(number) end' >numbers.lua
  "$EVALUA" run small.eval.lua >/dev/null
  for command in help "help run" version "init new" "exec numbers.lua" "show latest" "list suites" "dataset list" \
    "run small.eval.lua" "run small.eval.lua --format jsonl" "accept latest"; do
    status=0
    "$EVALUA" $command >/dev/full 2>err.txt || status=$?
    echo "$command: $status, $(cat err.txt)"
    expect 4
    [ "$(grep -c 'evalua: stdout: ' err.txt)" -eq 1 ]
  done
  for command in help version "exec numbers.lua" "show latest" "run small.eval.lua"; do
    set +o pipefail
    status=$({ "$EVALUA" $command 2>err.txt; echo $? >code.txt; } | true; cat code.txt)
    echo "$command: $status, $(cat err.txt)"
    expect 0
    equal "$(cat err.txt)" ""
  done
}

@test "numbers out of range and options of another action are refused; the nearest option is named" {
  small_suite
  for option in "-j 3000000000" "-j 4294967297" "--max-concurrency 100001" "--workers 4294967298"; do
    evalua run small.eval.lua $option
    expect 2
    says "must be at most 100000"
  done
  evalua run small.eval.lua --hlep
  expect 2
  says "did you mean --help?"
  equal "$(store_digest)" none
  "$EVALUA" run small.eval.lua >/dev/null
  evalua dataset list --where 'id == "a"'
  expect 2
  says "dataset list: --where is for show"
  evalua dataset history small --items a
  expect 2
  says "--items is for show"
  evalua list suites --name small
  expect 2
  says "list suites: --name is for experiments and datasets"
  evalua review latest --report --scale 1..5
  expect 2
  says "--scale is for"
  evalua cache list --older-than 3d
  expect 2
  says "--older-than is for clear"
}

@test "list finds by name what it lists, and says what it looked for" {
  small_suite
  small_suite other.eval.lua
  sed -i 's/"small"/"tiny"/; s/dataset = "small"/dataset = "tiny"/; s/"upper"/"lower"/' other.eval.lua
  "$EVALUA" run >/dev/null
  evalua list datasets --name tiny --format json
  equal "$(json '[e["name"] for e in d]')" '["tiny"]'
  evalua list datasets --limit 1 --format json
  equal "$(json 'len(d)')" 1
  evalua list --name uper
  expect 0
  equal "$output" "no experiment is called uper"
  evalua list datasets --name tinny
  equal "$output" "no dataset is called tinny"
}

@test "a store in memory has nothing to show, and a password in a store's URL is not repeated" {
  small_suite
  for command in "list" "show" "dataset list" "trend upper"; do
    evalua $command --store :memory:
    expect 2
    says "--store :memory: is empty"
  done
  evalua run small.eval.lua --store postgresql://ann:hush-hush@localhost/evals
  expect 2
  says "postgresql://ann:[password]@localhost/evals"
  [[ $stderr != *hush-hush* ]]
  evalua review 1 --as ann # a review makes no store
  expect 2
  says "no store"
  [ ! -e .evalua ]
}

@test "help explains the project's own commands, and their exit codes name them" {
  mkdir -p .evalua/commands
  echo 'print("hello", ...)' >.evalua/commands/hello.lua
  echo 'return "seven"' >.evalua/commands/seven.lua
  evalua help hello
  expect 0
  prints "hello is a command of this project" ".evalua/commands/hello.lua"
  evalua seven
  expect 3
  says ".evalua/commands/seven.lua: a command returns its exit code"
}

@test "compare NAME takes the variant that ran first for the first, also when it ran again" {
  suite matrix.eval.lua <<'LUA'
eval.dataset { name = "d", items = { { input = 1, ground_truth = 1 }, { input = 2, ground_truth = 2 } } }
for v in eval.matrix { model = { "one", "two" } } do
  eval.experiment { name = "m", variant = v, dataset = "d", target = function(x) return x end,
    scorers = { eval.scorers.exact } }
end
LUA
  "$EVALUA" run matrix.eval.lua >/dev/null
  "$EVALUA" run matrix.eval.lua -e 'm[model=one]' >/dev/null
  evalua compare m --format json
  equal "$(json '[d["baseline"]["variant"], d["baseline"]["number"], d["candidate"]["variant"]]')" \
    '["model=one", 3, "model=two"]'
}

@test "a baseline file is one by what it holds, whatever its name; what it lacks is told by its name" {
  small_suite
  "$EVALUA" run small.eval.lua >/dev/null
  evalua accept latest -o accepted.txt
  expect 0
  prints "--baseline accepted.txt"
  evalua run small.eval.lua --baseline accepted.txt
  expect 0
  prints "against the baseline accepted.txt" "no worse"
  evalua compare accepted.txt latest
  expect 0
  evalua show accepted.txt nothing
  expect 2
  says "accepted.txt has no result of an item nothing"
  echo "no baseline" >notes.txt
  evalua run small.eval.lua --baseline notes.txt
  expect 2
  says 'there is no experiment "notes.txt"'
}

@test "help and the history of a dataset fit the terminal" {
  small_suite
  "$EVALUA" run small.eval.lua >/dev/null
  "$EVALUA" dataset alias small stable 1 >/dev/null
  for command in help "help ref" "help where" "help environment" "help exit-codes"; do
    on_terminal 70 $command
    fits 70
  done
  on_terminal 50 dataset history small
  fits 50
  prints version stable
}

@test "-e takes * and ? for letters of a name" {
  for name in qa-short qa-long other; do
    small_suite "$name.eval.lua"
    sed -i "s/\"upper\"/\"$name\"/; s/\"small\"/\"$name\"/g" "$name.eval.lua"
  done
  evalua run -e 'qa-*' --dry-run --format json
  equal "$(json 'sorted(e["name"] for e in d)')" '["qa-long", "qa-short"]'
  evalua run -e '?ther' -e 'qa-l??g' --dry-run --format json
  equal "$(json 'sorted(e["name"] for e in d)')" '["other", "qa-long"]'
  evalua run -e 'q.*' --dry-run
  expect 2
  says "-e q.*: there is no such experiment"
}

@test "show has the note and the tags of a run; a tag or parameter is given once" {
  small_suite
  evalua run small.eval.lua --tag a=1 --tag a=2
  expect 2
  says "--tag a: is given twice"
  equal "$(store_digest)" none
  "$EVALUA" run small.eval.lua --note $'tried\n\e[31mupper case' --tag team=red --tag 'b=c=d' >/dev/null
  evalua show latest
  prints 'note: tried\nupper case' 'tags: b=c=d, team=red'
  evalua show latest --format json
  equal "$(json 'd["tags"]')" '{"b": "c=d", "team": "red"}'
}

@test "a file of ids may be one of Windows" {
  small_suite
  printf '\357\273\277a\r\n\r\nc\r\n' >ids.txt
  evalua run small.eval.lua --items @ids.txt --format json
  expect 0
  equal "$(json '[r["item_id"] for r in d["experiments"][0]["results"]]')" '["a", "c"]'
}

@test "links that lead back to a directory neither multiply its suites nor take for ever" {
  mkdir inner
  small_suite inner/small.eval.lua
  for name in a b c; do ln -s . "$name"; ln -s .. "inner/$name"; done
  run --separate-stderr timeout 20 "$EVALUA" list suites
  expect 0
  equal "$(grep -c 'small.eval.lua' <<<"$output")" 1
}

@test "in a CI job progress is plain lines, also on a terminal" {
  small_suite
  NO_COLOR=1 run python3 "$BATS_TEST_DIRNAME/terminal.py" --columns 80 "$EVALUA" run small.eval.lua
  [[ $output == *$'\e[K'* ]]
  CI=true NO_COLOR=1 run python3 "$BATS_TEST_DIRNAME/terminal.py" --columns 80 "$EVALUA" run small.eval.lua
  prints "0.67 over 3 of 3"
  [[ $output != *$'\e'* ]]
}
