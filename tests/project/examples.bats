# Every example runs offline and shows what its text says.
bats_require_minimum_version 1.5.0

setup() {
  cd "$BATS_TEST_TMPDIR"
  export EVALUA_STORE=$BATS_TEST_TMPDIR/examples.db
  examples=$EVALUA_TEST_ROOT/examples
}

query() { sqlite3 "$EVALUA_STORE" "$1"; }

@test "quickstart holds its rules and stores every result" {
  run --separate-stderr "$EVALUA" run "$examples/quickstart"
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *exact* ]]
  [[ $output == *careful* ]]
  [ "$(query 'SELECT count(*) FROM results')" = 8 ]
  [ "$(query "SELECT count(*) FROM scores WHERE scorer_id = 'exact' AND score = 1")" = 7 ]
  [ "$(query "SELECT score FROM scores WHERE scorer_id = 'careful' AND item_id = 'slow'")" = 0.5 ]
}

@test "quickstart fails its rule when the target gets worse" {
  sed 's/then return team end/then return "wish" end/' "$examples/quickstart/quickstart.eval.lua" >worse.eval.lua
  run --separate-stderr "$EVALUA" run worse.eval.lua
  echo "$output"
  [ "$status" -eq 1 ]
  [[ $output == *"exact at least 0.8"* ]]
}

@test "spelling runs both programs over the same words, and a second run makes no new version" {
  for _ in 1 2; do
    run --separate-stderr "$EVALUA" run "$examples/spelling/spelling.eval.lua" --limit 60
    echo "$output $stderr"
    [ "$status" -eq 0 ]
  done
  [ "$(query 'SELECT count(*) FROM experiments')" = 4 ]
  [ "$(query 'SELECT count(*) FROM dataset_versions WHERE version > 0')" = 1 ]
  [ "$(query 'SELECT count(*) FROM items')" -ge 5000 ]
  [ "$(query "SELECT count(*) FROM results WHERE status = 'ok'")" = 240 ]
  [ "$(query "SELECT count(*) FROM scores WHERE status = 'ok'")" = 720 ]
  run --separate-stderr "$EVALUA" compare 'spelling[program=hunspell]' 'spelling[program=aspell]' --format json
  [ "$status" -eq 0 ]
  [ "$(python3 -c 'import json,sys; print(json.loads(sys.argv[1])["items"]["paired"])' "$output")" = 60 ]
}

@test "the ispell protocol and the dictionary are read as their formats say" {
  cat >check.lua <<'LUA'
    local here = ...
    package.path = here .. "/?.lua;" .. package.path
    local ispell, codespell = require "ispell", require "codespell"
    local function lines(text) return text:gmatch "([^\n]*)\n" end
    local function corrections(input, reply)
      return table.concat(ispell.response(lines(reply), input), "|")
    end
    assert(ispell.request "x" == "^x")
    assert(corrections("tihs", "& tihs 2 1: this, hits\n\n") == "this|hits")
    assert(corrections("the", "*\n\n") == "")
    assert(corrections("qqz", "# qqz 1\n\n") == "")
    assert(corrections("auto-detet", "*\n& detet 2 6: deter, detect\n\n") == "auto-deter|auto-detect")
    assert(corrections("tihs bda", "& tihs 2 1: this, hits\n& bda 3 6: bad, bd, dab\n\n") == "this bad|hits bd|hits dab")
    assert(not pcall(ispell.response, lines "*\n", "x"))
    local function parse(line)
      local word, list = codespell.parse(line)
      return word .. "=" .. table.concat(list, "|")
    end
    assert(parse "1nd->1st" == "1nd=1st")
    assert(parse "aganda->agenda, Uganda," == "aganda=agenda|Uganda")
    assert(parse "clas->class, disabled because of a name clash" == "clas=class")
LUA
  run "$EVALUA" exec check.lua "$examples/spelling"
  echo "$output"
  [ "$status" -eq 0 ]
}
