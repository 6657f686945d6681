#!/usr/bin/env bats
# exec, init, help, version and commands of one's own.
load helper

@test "exec runs a script with its arguments and returns its code" {
  cat >script.lua <<'LUA'
local first, second = ...
print(first, second, select("#", ...))
return 7
LUA
  evalua exec script.lua --one two -h
  expect 7
  equal "$output" "--one	two	3"
  echo 'print("fine")' >fine.lua
  evalua exec fine.lua
  expect 0
  equal "$output" fine
}

@test "exec: a missing script is exit 2, an error in it exit 3 with its line" {
  evalua exec none.lua
  expect 2
  says none.lua
  printf 'local x = 1\nerror("broken here")\n' >broken.lua
  evalua exec broken.lua
  expect 3
  says "broken.lua:2: broken here"
  printf 'local x =\n' >syntax.lua
  evalua exec syntax.lua
  expect 3
  says "syntax.lua:"
}

@test "exec finds modules beside the script" {
  mkdir lib
  echo 'return { word = "beside" }' >lib/words.lua
  echo 'print(require("words").word)' >lib/main.lua
  evalua exec lib/main.lua
  expect 0
  equal "$output" beside
}

@test "init writes a suite that runs, and overwrites nothing" {
  evalua init
  expect 0
  [ -e example.eval.lua ] && [ -e .luarc.json ]
  diff -r .evalua/meta "$EVALUA_TEST_ROOT/stdlib/meta"
  python3 -m json.tool .luarc.json >/dev/null
  evalua run
  expect 0
  prints exact pass
  echo "-- mine" >example.eval.lua
  evalua init
  expect 0
  prints "kept example.eval.lua"
  equal "$(cat example.eval.lua)" "-- mine"
  evalua init some/where
  expect 0
  [ -e some/where/example.eval.lua ]
}

@test "help explains every command and topic; no command is the overview" {
  evalua
  expect 0
  prints "usage: evalua" run compare
  evalua --help
  expect 0
  evalua -h
  expect 0
  commands=$("$EVALUA" help | sed -n 's/^  \([a-z]*\) .*/\1/p')
  equal "$(sort <<<"$commands")" "$(basename -s .lua "$EVALUA_TEST_ROOT"/scripts/*.lua)"
  for command in $commands; do
    evalua help "$command"
    expect 0
    prints "usage: evalua $command"
    help=$output
    evalua "$command" --help
    expect 0
    if [ "$command" != help ]; then equal "$output" "$help"; fi
  done
  equal "$(ls -A)" ""
  for topic in ref where exit-codes environment; do
    evalua help "$topic"
    expect 0
  done
  evalua help runn
  expect 2
  says run
  evalua frobnicate
  expect 2
  says frobnicate "evalua help"
}

@test "version" {
  evalua version
  expect 0
  [[ $output =~ ^evalua\ [^\ ]+ ]]
  version=$output
  evalua --version
  expect 0
  equal "$output" "$version"
}

@test "a script in .evalua/commands is a command" {
  mkdir -p .evalua/commands below
  echo 'print("mine", ...) return 4' >.evalua/commands/mine.lua
  cd below
  evalua mine one
  expect 4
  equal "$output" "mine	one"
  evalua help
  prints mine
}

@test "exec: an exit code that cannot be one names the script" {
  echo 'return 700' >code.lua
  evalua exec code.lua
  expect 3
  says "code.lua" "700" "0 to 255"
}
