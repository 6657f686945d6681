#!/usr/bin/env bats
# evalua review: people say what they think of results; on a pipe, on a terminal, and by way of CSV.
load helper

four_words() {
  suite "${1:-four.eval.lua}" <<'LUA'
eval.dataset { name = "four", items = {
  { id = "a", input = "one", ground_truth = "ONE", metadata = { lang = "en" } },
  { id = "b", input = "two", ground_truth = "two", metadata = { lang = "de" } },
  { id = "c", input = "boom", ground_truth = "BOOM" },
  { id = "d", input = "four", ground_truth = "FOUR", metadata = { lang = "de" } },
} }
eval.experiment { name = "upper", dataset = "four", scorers = { eval.scorers.exact },
  target = function(input)
    if input == "boom" then error("no such word") end
    return input:upper()
  end }
LUA
  "$EVALUA" run >/dev/null || true
}

# review LINES ARGUMENT...: the lines (with \n) on a pipe.
review() {
  local lines=$1
  shift
  printf "$lines" >lines.txt
  run --separate-stderr "$EVALUA" review "$@" <lines.txt
  echo "\$ evalua review $*" $'\n'"status $status" $'\n'"stdout: ${output:0:3000}" $'\n'"stderr: ${stderr:0:2000}"
}

human() { query "SELECT item_id, score, label, passed, reason FROM scores WHERE scorer_id = 'human/$1' ORDER BY position"; }
states() { query "SELECT item_id, state FROM reviews ORDER BY position"; }

@test "answers are stored as human/NAME with their time, beside the scorers' and never over them" {
  four_words
  query "SELECT * FROM scores" >before
  review 'accept\nreject too short\nskip\ns 0.25 half of it\n' 1 --as ann
  expect 0
  prints "1 of 4  a" "a: accepted" "b: rejected: too short" "c: skipped" "3 answers given" \
    "human/ann: 3 answers, 1 accepted, 1 rejected"
  equal "$(human ann)" 'a|1.0||1|
b|0.0||0|too short
d|0.25|||half of it'
  equal "$(query "SELECT COUNT(*) FROM scores WHERE source = 'human' AND scored_at LIKE '20__-__-__T%Z'")" 3
  query "SELECT * FROM scores WHERE source IS NULL" >after
  cmp before after
  equal "$(states)" 'a|reviewed
b|reviewed
d|reviewed'
  evalua show 1 --format json
  equal "$(json 'd["scorers"]["human/ann"]["n"], d["scorers"]["human/ann"]["passed"], d["scorers"]["exact"]["n"]')" \
    '[3, 1, 3]'
  evalua show 1 b
  prints "human/ann: 0.00  not passed  too short"
}

@test "comparisons read what people said" {
  four_words
  evalua run
  review 'a\nr\nk\na\n' 1 --as ann
  review 'a\na\nk\na\n' 2 --as ann
  evalua compare 1 2 --format json
  expect 0
  equal "$(json 'd["scorers"]["human/ann"]["n"], d["scorers"]["human/ann"]["improved"]')" '[3, 1]'
  evalua show 1 --where 'score["human/ann"] == 0' --format jsonl
  equal "$(jsonl '[r["item_id"] for r in d]')" '["b"]'
  evalua show 1 --sort human/ann --format jsonl
  equal "$(jsonl 'd[0]["item_id"]')" b
}

@test "labels: of two the first passes, of more none is worth a number" {
  four_words
  review 'godo\n' 1 --as ann --label good,bad
  expect 2
  says "line 1" "no command godo"
  review 'good\n2\nlabel bad with a word\na\n' 1 --as ann --label good,bad
  expect 0
  equal "$(human ann)" 'a|1.0|good|1|
b|0.0|bad|0|
c|0.0|bad|0|with a word
d|1.0|good|1|'
  review 'label biling\n' 1 --as bob --label billing,bug,other
  expect 2
  says 'none of the labels; did you mean "billing"?'
  review 'a\n' 1 --as bob --label billing,bug,other
  expect 2
  says "give one of them: billing, bug, other"
  review '1\nl other\n3\n2\n' 1 --as bob --label billing,bug,other
  expect 0
  equal "$(human bob)" 'a||billing||
b||other||
c||other||
d||bug||'
}

@test "a scale: numbers within it" {
  four_words
  review '5\nscore 1 poor\na\nr\n' 1 --as ann --scale 1..5
  expect 0
  equal "$(human ann)" 'a|5.0|||
b|1.0|||poor
c|5.0||1|
d|1.0||0|'
  for wrong in 'score 6' 0 'score much' 'score nan'; do
    review "$wrong\n" 1 --as bob --scale 1..5
    expect 2
    says "line 1" "no score from 1"
  done
  # what ann chooses from is remembered
  review '9\n' 1 --as ann
  expect 2
  says "no score from 1"
  for scale in 5..1 1 a..b 1..1; do
    evalua review 1 --as ann --scale "$scale"
    expect 2
    says "LOW..HIGH"
  done
  evalua review 1 --as ann --scale 1..5 --label a,b
  expect 2
}

@test "undo takes back answers, comments, tags and states, one after the other" {
  four_words
  review 'a\nr\nundo\nundo\nq\n' 1 --as ann
  expect 0
  prints "undone: answer of b" "undone: answer of a" "0 answers given"
  equal "$(human ann)" ""
  equal "$(states)" ""
  review 'a first\nq\n' 1 --as ann
  review 'b\nr second\nu\nc third\nt odd\nu\nu\nd\nu\nu\n' 1 --as ann
  expect 2
  says "nothing to undo"
  equal "$(human ann)" 'a|1.0||1|first'
  equal "$(states)" 'a|reviewed'
  equal "$(query "SELECT tags FROM reviews")" ""
}

@test "a walk goes on where the reviewer has not answered, and an answer can be changed" {
  four_words
  review 'a\nr\n' 1 --as ann
  review 'a\n' 1 --as ann
  prints "3 of 4  c"
  review 'b\nb\nb\nreject after all\n' 1 --as ann
  expect 0
  prints "your answer (ann): accepted"
  equal "$(human ann)" 'a|0.0||0|after all
b|0.0||0|
c|1.0||1|'
  review 'a\n' 1 --as bob
  prints "1 of 4  a"
}

@test "--only, --where, --items and --sample choose" {
  four_words
  review '' 1 --as ann --only failed
  prints "1 of 2  b"
  equal "$(states)" 'b|needs_review
c|needs_review'
  review 'a\nq\n' 1 --as ann --only failed
  review '' 1 --as ann --only needs_review
  prints "1 of 1  c"
  review '' 1 --as ann --only unreviewed
  prints "1 of 3  a"
  review '' 1 --as bob --only unreviewed
  prints "1 of 4  a"
  review 'd\n' 1 --as ann --only reviewed
  prints "1 of 1  b"
  review '' 1 --as ann --only complete
  prints "1 of 1  b"
  review '' 1 --as ann --only passed
  prints "1 of 2  a"
  review '' 1 --as ann --where 'metadata.lang == "de" and score.exact == 1'
  prints "1 of 1  d"
  review '' 1 --as ann --items d,a
  prints "1 of 2  a"
  review '' 1 --as ann --sample 2 --seed 3
  first=$output
  prints "of 2"
  review '' 1 --as ann --sample 2 --seed 3
  equal "$output" "$first"
  review '' 1 --as ann --where 'false'
  expect 0
  prints "no such result"
  evalua review 1 --as ann --only fialed
  expect 2
  says "did you mean failed"
}

@test "a queue with tags can be made without a walk" {
  four_words
  evalua review 1 --queue --where 'metadata.lang == "de"' --tag german --tag check
  expect 0
  prints "2 results put into the queue of run 1"
  equal "$(query "SELECT item_id, state, tags FROM reviews ORDER BY position")" 'b|needs_review|["german","check"]
d|needs_review|["german","check"]'
  review 't hard\nt -check\na\n' 1 --as ann --only needs_review --tag german
  expect 0
  prints "1 of 2  b" "#german"
  equal "$(query "SELECT item_id, state, tags FROM reviews ORDER BY position")" 'b|reviewed|["german","hard"]
d|needs_review|["german","check"]'
  evalua sql "SELECT item_id FROM v_reviews WHERE state = 'needs_review'" --format csv
  equal "$output" $'item_id\nd'
}

@test "--blind hides scores and other reviewers" {
  four_words
  review 'a secret opinion\n' 1 --as ann
  review 'q\n' 1 --as bob
  prints "exact: 1.00" "human/ann"
  review 'q\n' 1 --as bob --blind
  [[ ${output%%answers given*} != *exact* ]]
  [[ ${output%%answers given*} != *secret* ]]
}

@test "wrong use is exit 2" {
  four_words
  evalua review 1
  expect 2
  says "--as NAME"
  evalua review 1 --as 'a/b'
  expect 2
  evalua review nothing --as ann
  expect 2
  evalua review 1 2 --as ann
  expect 2
  evalua review 1 --as ann -o x.csv
  expect 2
  evalua review import 1 --as ann
  expect 2
  evalua review export 1 2
  expect 2
  evalua review --as ann
  expect 2
  review 'a\nfrobnicate\na\n' 1 --as ann
  expect 2
  says "line 2: frobnicate" "the answers before it are stored"
  equal "$(human ann)" 'a|1.0||1|'
}

@test "a scorer of a suite cannot pass for a person" {
  suite human.eval.lua <<'LUA'
eval.dataset { name = "x", items = { { id = "a", input = 1 } } }
eval.experiment { name = "x", dataset = "x", target = function() return 1 end,
  scorers = { eval.scorer { id = "human/ann", score = function() return 1 end } } }
LUA
  evalua run
  expect 2
  says "human/"
}

@test "agreement between reviewers and with scorers: kappa and raw, with intervals" {
  four_words
  suite ten.eval.lua <<'LUA'
local items = {}
for n = 1, 10 do items[n] = { id = "n" .. n, input = n, ground_truth = n <= 6 and n or 0 } end
eval.dataset { name = "ten", items = items }
eval.experiment { name = "ten", dataset = "ten", target = function(n) return n end, scorers = { eval.scorers.exact } }
LUA
  evalua run ten.eval.lua
  review 'a\na\na\na\na\na\nr\nr\nr\nr\n' ten --as ann
  review 'a\na\na\na\nr\nr\nr\nr\nr\na\n' ten --as bob
  evalua review ten --report --format json
  expect 0
  # ann = exact; bob agrees with ann on 7 of 10: expected 0.6*0.5 + 0.4*0.5 = 0.5, kappa (0.7 - 0.5) / 0.5
  equal "$(json 'd["between_reviewers"][0]["same"], d["between_reviewers"][0]["agreement"], round(d["between_reviewers"][0]["kappa"], 12), d["between_reviewers"][0]["basis"]')" '[7, 0.7, 0.4, "passed"]'
  equal "$(json '[(p["a"], p["b"], p["kappa"]) for p in d["with_scorers"] if p["a"] == "human/ann"]')" \
    '[["human/ann", "exact", 1.0]]'
  equal "$(json 'd["between_reviewers"][0]["kappa_ci"][0] < 0.4 < d["between_reviewers"][0]["kappa_ci"][1], d["between_reviewers"][0]["agreement_ci"][0] < 0.7 < d["between_reviewers"][0]["agreement_ci"][1]')" '[true, true]'
  equal "$(json 'd["states"]')" '{"complete": 0, "needs_review": 0, "none": 0, "reviewed": 10}'
  evalua review ten --report
  prints "human/ann  human/bob" "70% (7 of 10)" "0.40 ["
  evalua review upper --report
  expect 0
  prints "0 complete, 0 reviewed"
}

@test "export and import: an exact round trip, whatever was written" {
  four_words
  review 'a =HYPERLINK("http://x","y"), "quoted"\nr -1+2\nl @odd label\nscore 0.1\n' 1 --as ann
  expect 0
  review 'u\n' 1 --as ann
  query "UPDATE scores SET reason = 'two
lines, ''=x'' and  spaces ' WHERE scorer_id = 'human/ann' AND item_id = 'b'"
  query "UPDATE scores SET reason = '''=x', score = 0.30000000000000004 WHERE scorer_id = 'human/ann' AND item_id = 'd'"
  query "UPDATE reviews SET tags = '[\"one\",\"two words\"]', state = 'complete' WHERE item_id = 'b'"
  query "SELECT position, status, score, label, passed, reason, scored_at FROM scores WHERE source = 'human'" >before
  states >states_before
  evalua review export 1 --as ann -o review.csv
  expect 0
  python3 - <<'PY'
import csv
rows = list(csv.DictReader(open("review.csv", newline="")))
assert [row["item_id"] for row in rows] == ["a", "b", "c", "d"], rows
assert rows[0]["comment"] == "'=HYPERLINK(\"http://x\",\"y\"), \"quoted\"", rows[0]
assert rows[2]["label"] == "'@odd label" and rows[0]["scorer:exact"] == "1.00", rows
assert rows[0]["verdict"] == "accept" and rows[1]["tags"] == "one,two words", rows
PY
  query "DELETE FROM scores WHERE source = 'human'"
  query "DELETE FROM reviews"
  evalua review import 1 review.csv --as ann
  expect 0
  prints "4 imported as human/ann, 0 unchanged"
  query "SELECT position, status, score, label, passed, reason, scored_at FROM scores WHERE source = 'human'" >after
  cmp before after
  states >states_after
  cmp states_before states_after
  equal "$(query "SELECT tags FROM reviews WHERE item_id = 'b'")" '["one","two words"]'
  evalua review import 1 review.csv --as ann
  prints "0 imported as human/ann, 4 unchanged"
}

@test "a sheet that somebody filled in" {
  four_words
  printf 'item_id;verdict;comment\na;accept;fine\nb;Reject;\nc;;\n' >filled.csv
  evalua review import 1 filled.csv --as bob
  expect 0
  prints "2 imported as human/bob"
  equal "$(human bob)" 'a|1.0||1|fine
b|0.0||0|'
  printf 'item_id,score\r\na,4\r\nd,5\r\n' >scores.csv
  evalua review import 1 scores.csv --as eve --scale 1..5
  expect 0
  equal "$(human eve)" 'a|4.0|||
d|5.0|||'
  evalua review export 1
  equal "$(python3 -c 'import csv, sys
print([(r["item_id"], r["reviewer"]) for r in csv.DictReader(sys.stdin)])' <<<"$output")" \
    "[('a', 'bob'), ('a', 'eve'), ('b', 'bob'), ('c', ''), ('d', 'eve')]"
  "$EVALUA" review export 1 >all.csv
  evalua review import 1 all.csv --as eve
  prints "0 imported as human/eve, 2 unchanged, 2 lines of other reviewers left alone"
}

@test "a sheet with wrong lines: each with its line, and nothing is imported" {
  four_words
  cat >wrong.csv <<'CSV'
item_id,trial,verdict,score,label,comment,state,reviewed_at
a,1,accept,,,fine,,
x,1,accept,,,,,
b,2,reject,,,,,
c,1,maybe,,,,,
d,1,,much,,,,
a,1,reject,,,,,
b,1,,9,,,done,yesterday
CSV
  evalua review import 1 wrong.csv --as ann --scale 1..5
  expect 2
  says 'wrong.csv:3: the run has no result of an item "x"' 'wrong.csv:4: item b has no trial "2"' \
    "wrong.csv:5: verdict maybe: write accept or reject" "wrong.csv:6: score much: not a number" \
    "wrong.csv:7: item a, trial 1, is on line 2 already" "wrong.csv:8: score 9: not from 1" "wrong.csv:8: state done" \
    "wrong.csv:8: reviewed_at yesterday" "nothing was imported"
  equal "$(query "SELECT COUNT(*) FROM scores WHERE source = 'human'")" 0
  printf 'item_id,verdict\na,accept,more\n' >width.csv
  evalua review import 1 width.csv --as ann
  expect 2
  says "width.csv"
  printf 'id,verdict\na,accept\n' >columns.csv
  evalua review import 1 columns.csv --as ann
  expect 2
  says "columns.csv:1" "no column item_id"
  evalua review import 1 missing.csv --as ann
  expect 2
  says "missing.csv"
  equal "$(query "SELECT COUNT(*) FROM scores WHERE source = 'human'")" 0
}

@test "export --blind has no scores" {
  four_words
  evalua review export 1 --blind --only failed
  expect 0
  [[ $output != *scorer:* ]]
  prints "b,1,ok,two" "no such word"
  [[ $output != *"a,1,ok"* ]]
}

@test "what models wrote cannot act on the terminal" {
  suite evil.eval.lua <<'LUA'
eval.dataset { name = "evil", items = { { id = "a", input = "x\27]0;title\7y" } } }
eval.experiment { name = "evil", dataset = "evil", scorers = { eval.scorer { id = "s", score = function()
  return 0, "\27[31mred" end } }, target = function() return "\27[2Jgone \226\128\174 turned ::error::x" end }
LUA
  evalua run
  review 'c \033[2Jmine\na\nq\n' 1 --as ann
  expect 0
  [[ $output != *$'\e'* ]]
  [[ $output != *$'\u202e'* ]]
  evalua show 1
  [[ $output != *$'\e'* ]]
}

@test "each answer is committed: kill -9 loses none" {
  four_words
  mkfifo pipe
  "$EVALUA" review 1 --as ann <pipe >out &
  exec 7>pipe
  printf 'a\nr\n' >&7
  for _ in $(seq 100); do grep -q "b: rejected" out && break; sleep 0.05; done
  kill -9 $!
  wait $! || true
  exec 7>&-
  equal "$(human ann)" 'a|1.0||1|
b|0.0||0|'
}

@test "a retry keeps what was said of the old result, and asks for another review" {
  four_words
  review 'k\nk\nr broken\n' 1 --as ann
  sed -i 's/if input == "boom" then error("no such word") end//' four.eval.lua
  evalua retry 1
  equal "$(query "SELECT score_set, reason FROM scores WHERE source = 'human'")" 'attempt 1|broken'
  equal "$(states)" 'c|needs_review'
  evalua show 1 c
  [[ $output != *human/ann* ]]
}

@test "people do not get into baseline files" {
  four_words
  sed -i 's/if input == "boom" then error("no such word") end//' four.eval.lua
  evalua run
  review 'a\n' 2 --as ann
  evalua accept 2
  expect 0
  ! grep -q human upper.baseline.json
}

type_keys() {
  local keys=$1
  shift
  TERM=${TERM_OF:-dumb} NO_COLOR=1 run python3 "$BATS_TEST_DIRNAME/keystrokes.py" "$keys" "$EVALUA" "$@"
  echo "$output"
}

@test "on a terminal: keys, typed comments, and the terminal as it was" {
  four_words
  type_keys 'a c nice\x20one\n r ? s 0.5\n u k q' review 1 --as ann
  expect 0
  prints "a accept  r reject" "a: accepted" "commented" "b: rejected: nice one" "terminal: cooked"
  equal "$(human ann)" 'a|1.0||1|
b|0.0||0|nice one'
  type_keys '1 2 \x1b[A q' review 1 --as bob --label good,bad
  expect 0
  prints "a: good" "b: bad" "your answer (bob): bad" "terminal: cooked"
  TERM_OF=xterm type_keys 'q' review 1 --as bob
  [[ $output == *$'\e[2J'* ]]
}

@test "Ctrl-C and signals leave a terminal as it was, and the answers stored" {
  four_words
  type_keys 'a \x03' review 1 --as ann
  expect 130
  prints "terminal: cooked"
  equal "$(human ann)" 'a|1.0||1|'
  for signal in SIGTERM SIGHUP SIGINT SIGQUIT; do
    type_keys "@$signal" review 1 --as ann
    [ "$status" -ne 0 ]
    prints "terminal: cooked"
  done
  if [[ $EVALUA != *asan* ]]; then
    type_keys "@SIGSEGV" review 1 --as ann
    prints "terminal: cooked"
  fi
}

@test "kappa of chance agreement is 0, not what rounding leaves" {
  suite chance.eval.lua <<'LUA'
eval.experiment { name = "chance", dataset = { { id = "a", input = 1 }, { id = "b", input = 2 }, { id = "c", input = 3 } },
  target = function(input) return input end, scorers = { eval.scorer { id = "one", score = function() return 1 end } } }
LUA
  evalua run
  run --separate-stderr "$EVALUA" review latest --as ann <<<$'accept\nreject\nscore 0.3'
  evalua review latest --report --format json
  equal "$(json 'd["with_scorers"][0]["kappa"] in (0, None)')" true
}

@test "one answer of another kind does not hide the agreement on the others" {
  four_words
  review 'a\nr\nl odd\na\n' 1 --as ann
  review 'a\nr\na\nr\n' 1 --as bob
  evalua review 1 --report --format json
  expect 0
  equal "$(json '[d["between_reviewers"][0][k] for k in ("n", "n_shared", "basis", "same")]')" '[3, 4, "passed", 2]'
  evalua review 1 --report
  prints "3 of 4  passed  66.7% (2 of 3)"
}
