# Shared by the tests of the command line: every test gets an empty directory of its own and no store.
bats_require_minimum_version 1.5.0

setup() {
  EVALUA=${EVALUA:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/build/evalua}
  export EVALUA LC_ALL=C.UTF-8
  unset EVALUA_STORE NO_COLOR CI GITHUB_ACTIONS GITHUB_STEP_SUMMARY
  export EVALUA_TEST_MARK=$$_$RANDOM$SRANDOM # every process that the test starts has it in its environment
  work=$BATS_TEST_TMPDIR/work
  mkdir -p "$work"
  cd "$work"
}

teardown() { nothing_left; }

# The processes that carry the mark of this test (or another). One that is dead and waits to be reaped has none.
marked() {
  env -u EVALUA_TEST_MARK grep -lzsx "EVALUA_TEST_MARK=${1:-$EVALUA_TEST_MARK}" /proc/[0-9]*/environ || true
}

# After a test no process of its is left; those that are just ending get two seconds.
nothing_left() {
  local left file
  [ -n "${BATS_TEST_COMPLETED:-}" ] || { end_marked; return 0; } # it has failed already
  for _ in {1..40}; do
    left=$(marked)
    [ -z "$left" ] && return 0
    sleep 0.05
  done
  echo "the test has left processes behind:"
  for file in $left; do echo "  ${file//[^0-9]/}: $(tr '\0' ' ' <"${file%environ}cmdline")"; done
  end_marked
  return 1
}

end_marked() {
  local file
  for file in $(marked); do kill -9 "${file//[^0-9]/}" 2>/dev/null || true; done
}

# Runs the program; $status, $output (stdout alone) and $stderr are what it did.
evalua() {
  run --separate-stderr "$EVALUA" "$@"
  echo "\$ evalua $*" $'\n'"status $status" $'\n'"stdout: ${output:0:2000}" $'\n'"stderr: ${stderr:0:2000}"
}

# expect STATUS: the exit code of the last command.
expect() {
  [ "$status" -eq "$1" ] || { echo "exit code $status, not $1"; return 1; }
}

# says TEXT...: each text is somewhere in stderr.
says() {
  local text
  for text in "$@"; do
    [[ $stderr == *"$text"* ]] || { echo "stderr does not say: $text"; return 1; }
  done
}

# prints TEXT...: each text is somewhere in stdout.
prints() {
  local text
  for text in "$@"; do
    [[ $output == *"$text"* ]] || { echo "stdout does not say: $text"; return 1; }
  done
}

# Evaluates a Python expression over `d`, the JSON that the last command printed.
json() {
  python3 -c 'import json, sys
d = json.loads(sys.stdin.read())
value = eval(sys.argv[1])
print(value if isinstance(value, str) else json.dumps(value))' "$1" <<<"$output"
}

# The same with names for what one mostly asks of a run: e is its first experiment, R that one's results by item id, and
# score(ITEM, SCORER) a score.
each() {
  python3 -c 'import json, sys
e = json.loads(sys.stdin.read())["experiments"][0]
R = {r["item_id"]: r for r in e["results"]}
def score(item, scorer): return next(s for s in R[item]["scores"] if s["scorer_id"] == scorer)
value = eval(sys.argv[1])
print(value if isinstance(value, str) else json.dumps(value))' "$1" <<<"$output"
}

# The same over lines of JSON: `d` is a list.
jsonl() {
  python3 -c 'import json, sys
d = [json.loads(line) for line in sys.stdin.read().splitlines()]
value = eval(sys.argv[1])
print(value if isinstance(value, str) else json.dumps(value))' "$1" <<<"$output"
}

# equal ACTUAL EXPECTED
equal() {
  [ "$1" = "$2" ] || { echo "got:      $1"; echo "expected: $2"; return 1; }
}

# until_results COUNT: waits for at most 20 s until the store holds so many results, of all experiments.
until_results() {
  for _ in {1..1000}; do
    [ "$(query 'select count(*) from results' 2>/dev/null || echo 0)" -ge "$1" ] && return 0
    sleep 0.02
  done
  echo "there are not $1 results after 20 s"
  return 1
}

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# timed COMMAND...: $took is how many milliseconds it took.
timed() {
  local begin
  begin=$(now_ms)
  "$@"
  took=$(($(now_ms) - begin))
  echo "took $took ms"
}

# ended: waits for the program that was started as $pid; $code is its exit code.
ended() {
  code=0
  wait "$pid" || code=$?
}

# A number of seconds that no other process has in its arguments.
unique() { echo "98$RANDOM$RANDOM.$$"; }

# The processes that descend from $1, itself left out.
descendants() {
  local child
  for child in $(ps -o pid= --ppid "$1"); do echo "$child"; descendants "$child"; done
}

# gone PID...: none of them runs (init may reap them later); waits a little.
gone() {
  local pid alive
  for _ in {1..50}; do
    alive=
    for pid in "$@"; do
      [[ $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) == [!ZX]* ]] && alive="$alive $pid"
    done
    [ -z "$alive" ] && return 0
    sleep 0.05
  done
  echo "still alive:$alive"
  return 1
}

query() { sqlite3 "${store:-.evalua/evalua.db}" "$1"; }

# What is in the store, as one line; `none` where there is no store.
store_digest() {
  if [ -e "${store:-.evalua/evalua.db}" ]; then
    sqlite3 "${store:-.evalua/evalua.db}" .dump | sha256sum
  else
    echo none
  fi
}

# suite FILE: writes a suite from stdin, after the line that every suite begins with.
suite() {
  { echo 'local eval = require "evalua"'; cat; } >"$1"
}

# numbered COUNT: Lua that makes the list `items`, i1 ... with their number as input.
numbered() { echo "local items = {} for number = 1, $1 do items[number] = { id = \"i\" .. number, input = number } end"; }

# keyed TABLE: the same with an item for each key of a table, which is its id and its input.
keyed() { echo "local items = {} for id in pairs($1) do items[#items + 1] = { id = id, input = id } end"; }

# A suite of three items whose target answers two of them right.
small_suite() {
  suite "${1:-small.eval.lua}" <<'LUA'
eval.dataset {
  name = "small",
  items = {
    { id = "a", input = "one", ground_truth = "ONE", metadata = { lang = "en" } },
    { id = "b", input = "two", ground_truth = "TWO", metadata = { lang = "de" } },
    { id = "c", input = "three", ground_truth = "DREI" },
  },
}
eval.experiment {
  name = "upper", dataset = "small",
  target = function(input) return input:upper() end,
  scorers = { eval.scorers.exact },
}
LUA
}

# counting_suite FILE COUNT [EXTRA]: COUNT items 1..COUNT whose target doubles them.
counting_suite() {
  suite "$1" <<LUA
local items = {}
for number = 1, $2 do items[number] = { id = ("n%06d"):format(number), input = number, ground_truth = number * 2 } end
eval.dataset { name = "numbers", items = items }
eval.experiment {
  name = "double", dataset = "numbers",
  target = function(input) return input * 2 end,
  scorers = { eval.scorers.exact },
  ${3:-}
}
LUA
}

# on_terminal COLUMNS ARGUMENT...: runs the program on a terminal of that width; $output is what it wrote there.
on_terminal() {
  local columns=$1
  shift
  NO_COLOR=1 run python3 "$BATS_TEST_DIRNAME/terminal.py" --columns "$columns" "$EVALUA" "$@"
  # As a person sees it at the end: what a line was before it was rewritten is gone.
  output=$(python3 -c 'import sys
for line in sys.stdin.read().replace("\r\n", "\n").split("\n"):
    print(line.split("\r")[-1].replace("\x1b[K", ""))' <<<"$output")
}

# fits COLUMNS: no line of $output is longer.
fits() {
  python3 -c 'import sys
wrong = [line for line in sys.stdin.read().split("\n") if len(line) > int(sys.argv[1])]
print("\n".join(wrong))
sys.exit(1 if wrong else 0)' "$1" <<<"$output" || { echo "longer than $1 columns"; return 1; }
}
