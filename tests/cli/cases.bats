#!/usr/bin/env bats
# A file of cases without a suite.
load helper

write_cases() {
  cat >cases.jsonl <<'JSONL'
{"id": "a", "question": "one", "answer": "ONE", "output": "ONE"}
{"id": "b", "question": "two words", "answer": "TWO WORDS", "output": "two"}
JSONL
  cat >app.py <<'PY'
import sys
sys.stdout.write(sys.stdin.read().upper())
PY
}

@test "a command is run on every case, split as a shell would but without one" {
  write_cases
  evalua run cases.jsonl --map input=question,ground_truth=answer --command 'python3 app.py' -s exact --format json
  expect 0
  equal "$(json 'd["experiments"][0]["name"]')" cases
  equal "$(json '[r["output"] for r in d["experiments"][0]["results"]]')" '["ONE", "TWO WORDS"]'
  equal "$(json 'd["experiments"][0]["scorers"]["exact"]["mean"]')" 1.0
  evalua run cases.jsonl --map input=question,ground_truth=answer -s exact --format json \
    --command "sh -c 'printf %s \"\$1 \$HOME\"' name 'a  b;c'"
  expect 0
  equal "$(json 'd["experiments"][0]["results"][0]["output"]')" "a  b;c $HOME"
  evalua run cases.jsonl --map input=question --command 'cat | tr a b' -s exact
  expect 2
  says "|" "shell"
}

@test "without a target the output of the cases is scored" {
  write_cases
  evalua run cases.jsonl --map input=question,ground_truth=answer,output=output -s exact -s 'levenshtein{pass=0.8}' --format json
  expect 0
  equal "$(json 'd["experiments"][0]["scorers"]["exact"]["mean"]')" 0.5
  equal "$(json '[s["passed"] for r in d["experiments"][0]["results"] for s in r["scores"] if s["scorer_id"] == "levenshtein"]')" '[true, false]'
}

@test "csv cases" {
  printf 'id,input,ground_truth,output\na,"x, y","1","1"\nb,"two\nlines","2","3"\n' >cases.csv
  evalua run cases.csv -s exact --format json
  expect 0
  equal "$(json '[(r["item_id"], r["input"], r["passed"]) for r in d["experiments"][0]["results"]]')" '[["a", "x, y", true], ["b", "two\nlines", false]]'
}

@test "--save writes the suite that does the same, and overwrites nothing" {
  write_cases
  evalua run cases.jsonl --map input=question,ground_truth=answer --command 'python3 app.py' -s 'levenshtein{pass=0.8}' --save saved.eval.lua
  expect 0
  [ -e saved.eval.lua ]
  evalua run saved.eval.lua --format json
  expect 0
  equal "$(json 'd["experiments"][0]["scorers"]["levenshtein"]["mean"]')" 1.0
  before=$(cat saved.eval.lua)
  evalua run cases.jsonl --map input=question -s exact --save saved.eval.lua
  expect 2
  says saved.eval.lua
  equal "$(cat saved.eval.lua)" "$before"
}

@test "scorers, maps and commands that cannot be" {
  write_cases
  evalua run cases.jsonl --map input=question -s exat
  expect 2
  says exat exact
  evalua run cases.jsonl --map input=question -s 'levenshtein{pas=0.8}'
  expect 2
  says pas pass
  evalua run cases.jsonl --map input=question -s 'os.exit(0)'
  expect 2
  evalua run cases.jsonl --map inptu=question -s exact
  expect 2
  says inptu input
  evalua run cases.jsonl --map input -s exact
  expect 2
  evalua run cases.jsonl --map input=question --command "python3 'app.py" -s exact
  expect 2
  says quote
  evalua run cases.jsonl -s exact
  expect 2
  says input
  if [ -e .evalua/evalua.db ]; then equal "$(query 'select count(*) from experiments')" 0; fi
}

@test "messages about cases name the file of cases, and c.csv and c.jsonl are two datasets" {
  printf '{"id": "a", "input": "x", "ground_truth": "x"}\n' >c.jsonl
  printf 'id,input,ground_truth\na,y,y\n' >c.csv
  evalua run c.jsonl c.csv --command cat -s exact --format json
  expect 0
  equal "$(json '[e["dataset"]["name"] for e in d["experiments"]]')" '["c.jsonl", "c.csv"]'
  mkdir other
  printf '{"id": "a", "input": "other"}\n' >other/c.jsonl
  evalua run other/c.jsonl --command cat -s exact
  expect 2
  says "other/c.jsonl: dataset \"c.jsonl\" belongs to" "$PWD/c.jsonl"
  : >zero.csv
  evalua run zero.csv -s exact
  expect 2
  says "evalua: zero.csv: dataset" "no items"
  evalua run c.csv --command no-such-command -s exact
  expect 2
  says "evalua: c.csv: command" "no-such-command"
  [[ $stderr != *.eval.lua* ]]
}

@test "--map leaves columns alone that have the name of a field" {
  printf 'id,question,ground_truth\nfirst,q,q\n' >kept.csv
  evalua run kept.csv --map input=question --command cat -s exact --format json
  expect 0
  equal "$(json '[(r["item_id"], r["input"], r["ground_truth"], r["passed"]) for r in d["experiments"][0]["results"]]')" '[["first", "q", "q", true]]'
  printf '{"id": "first", "input": "no", "question": "q", "ground_truth": "q"}\n' >kept.jsonl
  evalua run kept.jsonl --map input=question --command cat -s exact --format json
  expect 0
  equal "$(json '[(r["item_id"], r["input"], r["ground_truth"], r["passed"]) for r in d["experiments"][0]["results"]]')" '[["first", "q", "q", true]]'
}
