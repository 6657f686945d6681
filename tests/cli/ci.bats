#!/usr/bin/env bats
# examples/ci as a repository of its own: the steps of its GitHub workflow, its GitLab job and its shell script are taken
# out of the files and executed, in a good state and in broken ones, with the built program on PATH.
load helper

setup() {
  work=$BATS_TEST_TMPDIR/work
  cp -r "$BATS_TEST_DIRNAME/../../examples/ci" "$work"
  cd "$work"
  git init -q -b main . && git config user.email a@b.c && git config user.name a
  git add -A && git commit -qm "evals" && git clone -q . ../clone
  cd ../clone
  mkdir ../bin && ln -s "$(realpath "$EVALUA")" ../bin/evalua
  PATH=$(realpath ../bin):$PATH
  unset EVALUA_STORE NO_COLOR CI GITHUB_ACTIONS GITHUB_STEP_SUMMARY GITLAB_CI
}

teardown() {
  [ -z "${server:-}" ] || kill "$server" 2>/dev/null || true
  nothing_left
}

# block FILE TEXT: the lines of the first block scalar after the line with TEXT.
block() {
  awk -v text="$2" '
    !found { found = index($0, text) > 0; next }
    !inside { if ($0 ~ /\|$/) { inside = 1; indent = -1 } next }
    {
      match($0, /^ */)
      if (NF > 0 && indent < 0) indent = RLENGTH
      if (NF > 0 && RLENGTH < indent) exit
      print substr($0, indent + 1)
    }' "$1"
}

# step FILE TEXT: runs such a block as its runner would.
step() {
  block "$1" "$2" >../step.sh
  [ -s ../step.sh ] || { echo "$1 has no step $2"; return 1; }
  run --separate-stderr bash -e -o pipefail ../step.sh
  echo "step '$2': status $status" $'\n'"stdout: ${output:0:1500}" $'\n'"stderr: ${stderr:0:1500}"
}

in_workflow() {
  export GITHUB_ACTIONS=true CI=true GITHUB_STEP_SUMMARY=$PWD/../summary.md GITHUB_PATH=$PWD/../path RUNNER_TEMP=$PWD/..
  export GITHUB_REPOSITORY=octo/triage GITHUB_TOKEN=t0ken GITHUB_EVENT_PATH=$PWD/../event.json
  export GITHUB_WORKSPACE=$PWD
  echo '{"pull_request":{"number":7}}' >"$GITHUB_EVENT_PATH"
  : >"$GITHUB_STEP_SUMMARY"
}

# As if the model no longer heeded the prompt: another answer is read than before.
break_target() { sed -i 's|output = "/choices/0/message/content"|output = "/model"|' evals/triage.eval.lua; }

# serve SCRIPT: evalua mock; $port is its port.
serve() {
  "$EVALUA" mock "$1" >../mock.json 2>../mock.err 3>&- &
  server=$!
  for _ in $(seq 100); do [ -s ../mock.json ] && break; sleep 0.05; done
  port=$(python3 -c 'import json; print(json.loads(open("../mock.json").readline())["port"])')
}

# The comments of a pull or merge request, as an API: they are kept as long as the server runs.
comments_api() {
  cat >../api.lua <<'LUA'
local json = require "evalua.json"
local comments = json.array { { id = 1, body = "Nice work!" } }
local function list() return { json = comments } end
local function add(request)
  comments[#comments + 1] = { id = #comments + 1, body = request.json.body, by = request.headers }
  return { status = 201, json = comments[#comments] }
end
local function change(request)
  local comment = comments[tonumber(request.path:match "(%d+)$")]
  comment.body = request.json.body
  return { json = comment }
end
return {
  ["GET /repos/octo/triage/issues/7/comments"] = list, ["POST /repos/octo/triage/issues/7/comments"] = add,
  ["PATCH /repos/octo/triage/issues/comments/2"] = change,
  ["GET /projects/5/merge_requests/9/notes"] = list, ["POST /projects/5/merge_requests/9/notes"] = add,
  ["PUT /projects/5/merge_requests/9/notes/2"] = change,
}
LUA
  serve ../api.lua
}

comments() {
  python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' \
    "http://127.0.0.1:$port/$1"
}

@test "the GitHub workflow: all holds" {
  in_workflow
  step github.yml "name: Install evalua"
  expect 0
  step github.yml "name: Run the evaluations"
  expect 0
  prints "triage #1  pass" "against the baseline evals/triage.baseline.json" "32 answers from the cache"
  [[ $stderr != *::error* ]]
  grep -q '### triage #1: ✅ pass' reports/evals.md
  [ -s reports/evals.html ] && [ -s reports/junit.xml ]
  grep -q '### triage #1: ✅ pass' "$GITHUB_STEP_SUMMARY"
}

@test "the GitHub workflow: a broken target fails it, and annotation, summary and comment name the scorer" {
  in_workflow
  break_target
  step github.yml "name: Run the evaluations"
  expect 1
  prints "exact fell by 0.97: 0.97 to 0.00 over 32 items" "evals/triage.baseline.json"
  says "::error file=evals/triage.eval.lua,line=1,title=triage%3A exact does not regress::exact changed by -0.969"
  for file in reports/evals.md "$GITHUB_STEP_SUMMARY"; do
    grep -q '❌ fail: exact does not regress' "$file"
    grep -q '| exact | 32 | 0.97 | 0.00 | -0.97 |.*❌ regressed |' "$file"
  done
  comments_api
  export GITHUB_API_URL=http://127.0.0.1:$port
  step github.yml "name: Comment on the pull request"
  expect 0
  prints "posted a comment"
  output=$(comments repos/octo/triage/issues/7/comments)
  equal "$(json '[len(d), d[0]["body"], d[1]["by"]["authorization"]]')" '[2, "Nice work!", "Bearer t0ken"]'
  [[ $(json 'd[1]["body"]') == *"exact does not regress"* ]]
  # The next push replaces it.
  git checkout -q .
  step github.yml "name: Run the evaluations"
  expect 0
  step github.yml "name: Comment on the pull request"
  expect 0
  prints "replaced the comment"
  output=$(comments repos/octo/triage/issues/7/comments)
  equal "$(json 'len(d)')" 2
  [[ $(json 'd[1]["body"]') == *"✅ pass: exact does not regress"* ]]
}

@test "the GitLab job: all holds, and a broken target fails it; the note is posted" {
  export GITLAB_CI=true CI=true CI_PROJECT_ID=5 CI_MERGE_REQUEST_IID=9 EVALUA_GITLAB_TOKEN=glpat
  step gitlab.yml "before_script:"
  expect 0
  step gitlab.yml "  script:"
  expect 0
  equal "$(cat reports/quality.gitlab.json | python3 -c 'import json, sys; print([e["description"] for e in json.load(sys.stdin)])')" \
    "['triage, item t31: exact 0.00']"
  equal "$(tail -1 reports/metrics.prom)" "# EOF"
  break_target
  step gitlab.yml "  script:"
  expect 1
  grep -q '❌ fail: exact does not regress' reports/evals.md
  grep -q '"check_name":"evalua-rule"' reports/quality.gitlab.json
  ! command -v xmllint >/dev/null || xmllint --noout --relaxng "$BATS_TEST_DIRNAME/junit.rng" reports/junit.xml
  comments_api
  export CI_API_V4_URL=http://127.0.0.1:$port
  for _ in 1 2; do
    step gitlab.yml "after_script:"
    expect 0
  done
  prints "replaced the comment"
  output=$(comments projects/5/merge_requests/9/notes)
  equal "$(json '[len(d), d[1]["by"]["private-token"]]')" '[2, "glpat"]'
  unset CI_MERGE_REQUEST_IID
  step gitlab.yml "after_script:"
  expect 0
  equal "$output" ""
}

@test "the shell script: all holds, and a broken target fails it" {
  run --separate-stderr ci/evals.sh
  echo "$output $stderr"
  expect 0
  for file in evals.md evals.html junit.xml metrics.prom; do [ -s "reports/$file" ]; done
  break_target
  (cd / && "$OLDPWD/ci/evals.sh" out) >../out.txt 2>&1 && return 1
  grep -q 'exact fell by 0.97' ../out.txt
  grep -q '❌ fail: exact does not regress' out/evals.md
}

@test "a changed prompt without its answers is no pass; recorded anew it is judged by them" {
  sed -i 's/Answer with one word, the team/Say which team it is/' evals/prompt.md
  run --separate-stderr ci/evals.sh
  echo "$output $stderr"
  expect 4
  prints "no answer in the cache" "evalua run --cache use"
  serve evals/provider.lua
  sed -i "s/127.0.0.1:8089/127.0.0.1:$port/" evals/triage.eval.lua
  evalua run evals --cache use
  expect 1
  evalua cache export evals/triage.cassette.jsonl
  expect 0
  kill "$server" && wait "$server" || true
  rm -r .evalua
  run --separate-stderr ci/evals.sh
  echo "$output $stderr"
  expect 1
  prints "one_word fell by 1.00" "32 answers from the cache"
}

@test "the committed cassette and baseline are those that the README's commands make" {
  serve evals/provider.lua
  sed -i "s/127.0.0.1:8089/127.0.0.1:$port/" evals/triage.eval.lua
  evalua run evals --cache use
  expect 0
  evalua cache export new.jsonl
  sed -i "s/127.0.0.1:$port/127.0.0.1:8089/; s/\"digest\":\"[0-9a-f]*\"//" new.jsonl
  sed 's/"digest":"[0-9a-f]*"//' evals/triage.cassette.jsonl >old.jsonl
  sort new.jsonl >new.sorted && sort old.jsonl >old.sorted && cmp new.sorted old.sorted
  evalua accept -o new.baseline.json
  expect 0
  cmp <(grep '^{"id"' new.baseline.json) <(grep '^{"id"' evals/triage.baseline.json)
}
