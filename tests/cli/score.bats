#!/usr/bin/env bats
# evalua score: stored outputs scored again, as a score set beside the run's own scores.
load helper

# The run's own part of the store: nothing of it may change.
own_rows() {
  query "SELECT * FROM results ORDER BY 1, 2"
  query "SELECT experiment_id, position, scorer_id, status, score, passed, scored_at FROM scores WHERE score_set = ''"
  query "SELECT status, verdict, summary, completed_at, scorers FROM experiments"
}

# Three words upper-cased; one is compared with lower case, and one fails.
words_suite() {
  suite "${1:-words.eval.lua}" <<LUA
eval.dataset { name = "words", items = {
  { id = "a", input = "one", ground_truth = "ONE" },
  { id = "b", input = "two", ground_truth = "two", expect = { { max_words = 1 } } },
  { id = "c", input = "boom", ground_truth = "BOOM" },
} }
eval.experiment { name = "upper", dataset = "words", scorers = { ${2:-eval.scorers.exact} },
  target = function(input)
    if input == "boom" then error("no such word") end
    return input:upper()
  end }
LUA
}

@test "outputs are scored again without a target, beside the run's own scores" {
  words_suite
  evalua run
  own_rows >before
  words_suite again.lua 'eval.scorers.exact { ignore_case = true }, eval.scorer { id = "size", score = function(run)
    return #run.output / 10, run.item_id .. " " .. run.input .. " " .. tostring(run.latency_ms ~= nil)
  end }'
  sed -i 's/return input:upper()/error("the target must not run")/' again.lua
  evalua score 1 again.lua
  expect 0
  prints "upper #1@rescored" "1.00 over 2 of 3 (1 failed)" "evalua compare 1 1@rescored"
  own_rows >after
  cmp before after
  equal "$(query "SELECT item_id, scorer_id, score, passed, reason, scored_at IS NOT NULL FROM scores
    WHERE score_set = 'rescored' ORDER BY position, scorer_id")" 'a|exact|1.0|1||1
a|size|0.3||a one true|1
b|exact|1.0|1||1
b|expect|1.0|1||1
b|size|0.3||b two true|1'
  evalua show 1 --format json
  equal "$(json '[(s["name"], s["status"], s["scored_count"], s["total_count"]) for s in d["score_sets"]]')" \
    '[["rescored", "complete", 2, 2]]'
  equal "$(json 'd["scorers"]["exact"]["mean"]')" 0.5
  run query "SELECT scorers FROM score_sets"
  [[ $output == *'"digest":"'* ]]
}

@test "show, compare and list take a run with a set" {
  words_suite
  evalua run
  words_suite again.lua 'eval.scorers.exact { ignore_case = true }'
  evalua score latest again.lua --set folded --format json
  expect 0
  equal "$(json 'd["number"], d["score_set"]["name"], d["score_set"]["status"], d["scorers"]["exact"]["mean"]')" \
    '[1, "folded", "complete", 1.0]'
  for ref in 1@folded latest@folded upper@folded upper~0@folded "1 --set folded"; do
    evalua show $ref --format json
    expect 0
    equal "$(json 'd["score_set"], d["scorers"]["exact"]["mean"], d["passed_count"], d["verdict"]')" \
      '["folded", 1.0, 2, "none"]'
    equal "$(json '[r["passed"] for r in d["results"]]')" '[true, true, false]'
  done
  evalua show 1@folded --failed --format jsonl
  equal "$(jsonl '[r["item_id"] for r in d]')" '["c"]'
  for sides in "1 1@folded" "1 --set folded"; do
    evalua compare $sides --format json
    expect 0
    equal "$(json 'd["scorers"]["exact"]["delta"], d["scorers"]["exact"]["improved"], d["candidate"]["score_set"]')" \
      '[0.5, 1, "folded"]'
    equal "$(json 'd["new_failures"]')" '[]'
  done
  evalua compare 1@folded 1 --format json
  equal "$(json '[f["item_id"] for f in d["new_failures"]]')" '["b"]'
  evalua compare 1 1@folded
  prints "upper #1@folded against upper #1"
  for format in markdown html csv; do
    evalua compare 1 1@folded --format "$format"
    expect 0
  done
  evalua list --format json
  equal "$(json 'd[0]["score_sets"][0]["name"]')" folded
  evalua show 1
  prints "score set folded: complete, 2 of 2 results by exact"
}

@test "what is not there is exit 2 and names what is" {
  words_suite
  evalua run
  evalua score 1 words.eval.lua --set one
  expect 0
  evalua show 1@on
  expect 2
  says "no score set on" "one"
  evalua compare 1 --set other
  expect 2
  says "no score set other"
  evalua accept 1@one
  expect 2
  says "a run as a whole"
  evalua score 1@one words.eval.lua
  expect 2
  evalua score 1 words.eval.lua --scorer exct
  expect 2
  says 'no such scorer; did you mean "exact"?'
  evalua score 1 words.eval.lua --set 'a b'
  expect 2
  evalua score 1 words.eval.lua --set one
  expect 2
  says "complete"
  words_suite other.lua 'eval.scorers.levenshtein'
  evalua score 1 other.lua --set one
  expect 2
  says "made with other scorers"
  evalua score 1 missing.lua
  expect 2
  echo 'error("broken here")' >broken.lua
  evalua score 1 broken.lua
  expect 3
  says "broken.lua:1: broken here"
  equal "$(query "SELECT COUNT(*) FROM score_sets")" 1
}

@test "--scorer chooses; a second set gets its own name" {
  words_suite
  evalua run
  words_suite more.lua 'eval.scorers.exact, eval.scorers.levenshtein'
  evalua score 1 more.lua --scorer levenshtein
  expect 0
  equal "$(query "SELECT DISTINCT scorer_id FROM scores WHERE score_set = 'rescored'")" levenshtein
  evalua score 1 more.lua --scorer expect
  expect 0
  equal "$(query "SELECT item_id, scorer_id FROM scores WHERE score_set = 'rescored-2'")" 'b|expect'
  equal "$(query "SELECT name, status FROM score_sets ORDER BY name")" 'rescored|complete
rescored-2|complete'
}

@test "failed targets are scored by scorers with on_error only" {
  words_suite
  evalua run
  words_suite again.lua 'eval.scorers.exact, eval.scorer { id = "kept", on_error = 0, score = function() return 1 end }'
  evalua score 1 again.lua
  expect 0
  equal "$(query "SELECT item_id, scorer_id, score FROM scores WHERE score_set = 'rescored' ORDER BY position, scorer_id")" \
    'a|exact|1.0
a|kept|1.0
b|exact|0.0
b|expect|1.0
b|kept|1.0
c|kept|0.0'
  equal "$(query "SELECT total, status FROM score_sets")" '3|complete'
}

@test "outputs of a dataset are scored without any target, and again" {
  suite given.eval.lua <<'LUA'
eval.dataset { name = "given", items = {
  { id = "a", input = 1, output = "x", ground_truth = "x" }, { id = "b", input = 2, output = "y", ground_truth = "x" },
} }
eval.experiment { name = "given", dataset = "given", scorers = { eval.scorers.exact } }
LUA
  evalua run --format json
  expect 0
  equal "$(json 'd["experiments"][0]["scorers"]["exact"]["mean"]')" 0.5
  sed 's/eval.scorers.exact/function(run) return run.output == "y" end/' given.eval.lua >other.lua
  evalua score 1 other.lua --format json
  expect 0
  equal "$(json 'd["scorers"]["scorer_1"]["mean"]')" 0.5
}

@test "scorers get what the run stored: context, usage, trajectory, error; trials are reduced" {
  suite rich.eval.lua <<'LUA'
eval.dataset { name = "rich", items = { { id = "a", input = { n = 1 }, context = "of the item", metadata = { k = "v" },
  tags = { "t" }, expected_trajectory = { "x" } } } }
eval.experiment { name = "rich", dataset = "rich", trials = 2, scorers = { eval.scorer { id = "one",
  score = function(run) return run.trial - 1 end } },
  target = function() return { ok = true }, { context = { "found" }, usage = { input_tokens = 3 },
    trajectory = { "x", "y" } } end }
LUA
  evalua run --format json
  expect 0
  cat >check.lua <<'LUA'
local eval = require "evalua"
eval.dataset { name = "rich", items = { { id = "a", input = 1 } } }
eval.experiment { name = "rich", dataset = "rich", scorers = { eval.scorer { id = "seen", score = function(run)
  return run.trial, eval.json.encode { run.input, run.output, run.context, run.usage, run.trajectory, run.metadata,
    run.tags, run.expected_trajectory, run.error == nil, type(run.latency_ms) }
end } } }
LUA
  evalua score 1 check.lua --format json
  expect 0
  equal "$(json 'd["scorers"]["seen"]["n"], d["scorers"]["seen"]["mean"]')" '[1, 1.5]'
  equal "$(query "SELECT reason FROM scores WHERE scorer_id = 'seen' AND trial = 1")" \
    '[{"n":1},{"ok":true},["found"],{"input_tokens":3},["x","y"],{"k":"v"},["t"],["x"],true,"number"]'
  evalua compare 1 1@rescored --format json
  expect 0
}

# slow_suite FILE MILLISECONDS: a scorer that notes what it scored and takes its time.
slow_suite() {
  suite "$1" <<LUA
local items = {}
for number = 1, 20 do items[number] = { id = "n" .. number, input = number, ground_truth = number } end
eval.dataset { name = "numbers", items = items }
eval.experiment { name = "slow", dataset = "numbers", max_concurrency = 2, target = function(input) return input end,
  scorers = { eval.scorer { id = "slow", score = function(run)
    local note = io.open("$work/scored", "a")
    note:write(run.item_id .. "\n")
    note:close()
    eval.sleep($2)
    return 1
  end } } }
LUA
}

await_lines() {
  for _ in $(seq 200); do
    [ "$(wc -l <"$1" 2>/dev/null || echo 0)" -ge "$2" ] && return 0
    sleep 0.05
  done
  echo "$1 has not $2 lines"
  return 1
}

@test "Ctrl-C leaves an incomplete set, and the same command completes it" {
  slow_suite slow.eval.lua 0
  evalua run
  expect 0
  rm scored
  slow_suite slow.eval.lua 150
  "$EVALUA" score 1 slow.eval.lua 2>err >out &
  await_lines scored 5
  kill -INT $!
  code=0
  wait $! || code=$?
  cat err
  equal "$code" 130
  [[ $(cat err) == *"interrupted with"*"left"* ]]
  equal "$(query "SELECT status FROM score_sets")" incomplete
  first=$(query "SELECT COUNT(*) FROM scores WHERE score_set = 'rescored'")
  [ "$first" -ge 4 ] && [ "$first" -lt 20 ]
  evalua show 1
  prints "score set rescored: incomplete, $first of 20 results by slow"
  evalua show 1@rescored --format json
  equal "$(json 'd["scorers"]["slow"]["n"]')" "$first"
  : >scored
  slow_suite slow.eval.lua 0
  evalua score 1 slow.eval.lua --set rescored
  expect 2
  says "other scorers"
  slow_suite slow.eval.lua 150
  evalua score 1 slow.eval.lua -j 20
  expect 0
  equal "$(query "SELECT name, status, total FROM score_sets")" 'rescored|complete|20'
  equal "$(query "SELECT COUNT(*), COUNT(DISTINCT item_id) FROM scores WHERE score_set = 'rescored'")" '20|20'
  equal "$(wc -l <scored)" "$((20 - first))"
}

@test "kill -9 loses no score that was stored" {
  slow_suite slow.eval.lua 150
  sed -i 's/eval.sleep(150)/if os.getenv("SLOWLY") then eval.sleep(150) end/' slow.eval.lua
  evalua run
  rm scored
  SLOWLY=1 "$EVALUA" score 1 slow.eval.lua >/dev/null 2>&1 &
  await_lines scored 8
  kill -9 $!
  wait $! || true
  evalua show 1 --format json
  equal "$(json 'd["score_sets"][0]["status"]')" incomplete
  first=$(json 'd["score_sets"][0]["scored_count"]')
  [ "$first" -ge 2 ] && [ "$first" -lt 20 ]
  evalua score 1 slow.eval.lua
  expect 0
  equal "$(query "SELECT name, status, total FROM score_sets")" 'rescored|complete|20'
  equal "$(query "SELECT COUNT(*) FROM scores WHERE score_set = 'rescored'")" 20
}

@test "results are scored at the same time" {
  slow_suite slow.eval.lua 0
  evalua run
  slow_suite slow.eval.lua 200
  begin=$(date +%s%N)
  evalua score 1 slow.eval.lua -j 20
  expect 0
  [ $((($(date +%s%N) - begin) / 1000000)) -lt 1500 ] # one after the other: 4000
}

@test "a scorer that takes its worker down fails alone, and is tried again by the same command" {
  counting_suite count.eval.lua 6
  evalua run
  counting_suite crash.lua 6
  sed -i 's/scorers = { eval.scorers.exact }/scorers = { function(run)\n    if run.item_id == "n000003" and not os.getenv("TAME") then eval.spawn { argv = { "sh", "-c", "kill -9 $PPID; sleep 5" } } end\n    return 1\n  end }/' crash.lua
  evalua score 1 crash.lua
  expect 4
  says "died with its worker"
  equal "$(query "SELECT COUNT(*), MAX(status) FROM scores WHERE score_set = 'rescored'")" '5|ok'
  equal "$(query "SELECT status FROM score_sets")" incomplete
  TAME=1 evalua score 1 crash.lua
  expect 0
  equal "$(query "SELECT COUNT(*) FROM scores WHERE score_set = 'rescored'")" 6
}

@test "scorers that fail are said, and the set is complete with their errors" {
  counting_suite count.eval.lua 3
  evalua run
  counting_suite bad.lua 3
  sed -i 's/scorers = { eval.scorers.exact }/scorers = { function(run) return run.input > 2 and error("too much") or 1 end }/' bad.lua
  evalua score 1 bad.lua
  expect 4
  says "1 score failed"
  equal "$(query "SELECT status FROM score_sets")" complete
}

@test "a retry takes a result's scores with it, and the set can be completed" {
  words_suite
  evalua run
  words_suite again.lua 'eval.scorer { id = "any", on_error = 0, score = function() return 1 end }'
  evalua score 1 again.lua
  equal "$(query "SELECT COUNT(*) FROM scores WHERE score_set = 'rescored' AND scorer_id = 'any'")" 3
  sed -i 's/if input == "boom" then error("no such word") end//' words.eval.lua
  evalua retry 1
  evalua show 1 --format json
  equal "$(json 'd["score_sets"][0]["status"]')" incomplete
  evalua score 1 again.lua
  expect 0
  equal "$(query "SELECT name, status FROM score_sets")" 'rescored|complete'
  equal "$(query "SELECT score FROM scores WHERE score_set = 'rescored' AND item_id = 'c' AND scorer_id = 'any'")" 1.0
}

@test "a set can be the baseline of a run" {
  words_suite
  evalua run
  words_suite again.lua 'eval.scorers.exact { ignore_case = true }'
  evalua score 1 again.lua
  evalua run --baseline 1@rescored --format json
  equal "$(json 'd["experiments"][0]["comparison"]["scorers"]["exact"]["delta"]')" -0.5
}

@test "--scorer names each scorer of the suite once" {
  small_suite
  evalua run
  evalua score latest small.eval.lua --scorer nothing_like_it
  expect 2
  [ "$(grep -o exact <<<"$stderr" | wc -l)" = 1 ]
}
