#!/usr/bin/env bats
# evalua sql: the views tell the truth about runs that were cut off, and what is printed cannot act on a terminal.
load helper

@test "a run that was killed is interrupted in v_experiments, and the store is left as it is" {
  small_suite
  evalua run
  suite slow.eval.lua <<'LUA'
eval.dataset { name = "slow", items = { { id = "a", input = 1 }, { id = "b", input = 2 } } }
eval.experiment { name = "slow", dataset = "slow", max_concurrency = 1,
  target = function(n) io.open("started", "w"):close() eval.sleep(n == 1 and 1 or 20000) return n end }
LUA
  "$EVALUA" run slow.eval.lua >/dev/null 2>&1 &
  for _ in $(seq 200); do [ -e started ] && break; sleep 0.05; done
  evalua sql "SELECT number, status FROM v_experiments ORDER BY number" --format csv
  equal "$output" $'number,status\n1,completed\n2,running'
  kill -9 $!
  wait $! || true
  for _ in $(seq 200); do [ "$("$EVALUA" list --format json | grep -c running)" = 0 ] && break; sleep 0.05; done
  evalua sql "SELECT number, name, status, total_items, ok_count FROM v_experiments ORDER BY number" --format csv
  expect 0
  prints $'1,upper,completed,3,3' "2,slow,interrupted,2,"
  equal "$(query "SELECT status FROM experiments WHERE number = 2")" running
  evalua sql "SELECT * FROM v_experiments LIMIT 0" --format csv
  equal "$output" "$(query "SELECT group_concat(name) FROM pragma_table_info('v_experiments')")"
}

@test "JSON of sql and of datasets escapes what acts on a terminal" {
  small_suite
  evalua run
  evalua sql "SELECT char(27, 127, 155, 8238) AS value" --format json
  equal "$output" '[{"value":"\u001b\u007f\u009b\u202e"}]'
  evalua sql "SELECT char(27, 127, 155, 8238) AS value" --format jsonl
  equal "$output" '{"value":"\u001b\u007f\u009b\u202e"}'
  suite named.eval.lua <<'LUA'
eval.dataset { name = "na\226\128\174me", items = { { id = "i\226\128\174d", input = 1 } } }
eval.experiment { name = "x", dataset = "na\226\128\174me", target = function() return 1 end }
LUA
  evalua run named.eval.lua
  for command in "diff $(printf 'na\u202eme') 1 1" "alias $(printf 'na\u202eme')" "alias $(printf 'na\u202eme') ok 1" \
    "history $(printf 'na\u202eme')" "show $(printf 'na\u202eme')"; do
    evalua dataset $command --format json
    expect 0
    [[ $output != *$'\u202e'* ]]
  done
}

@test "a comment after the statement is no second one" {
  small_suite
  evalua run
  evalua sql "SELECT 7 AS n; -- all there is
    /* really */ ;" --format csv
  expect 0
  equal "$output" $'n\n7'
  evalua sql "SELECT 7; -- more
    DELETE FROM results"
  expect 2
  says "one statement at a time"
}
