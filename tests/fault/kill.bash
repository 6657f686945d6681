# Kills runs of 2,000 items at concurrency 100 with kill -9 and looks at what is left; kill.bats says when and whom.
# A moment is something that can be seen (the stream's start, its size) and a random delay after it; RANDOM is seeded, so
# KILL_SEED=N repeats the choices, though not the machine's own timing.

ITEMS=2000

# A descriptor that never becomes readable: `read -t` on it sleeps without starting a process.
exec {never}<> <(:)
nap_ms() { read -r -t "$(printf '0.%03d' "$1")" -u "$never" || true; }

write_kill_suite() {
  suite kill.eval.lua <<LUA
local items = {}
for number = 1, $ITEMS do items[number] = { id = "i" .. number, input = number, ground_truth = number } end
eval.experiment { name = "kill", dataset = items, max_concurrency = 100,
  target = function(input)
    eval.sleep(input % 20)
    if input % 500 == 7 then eval.spawn { argv = { "sleep", "0.05" } } end
    return input
  end, scorers = { eval.scorers.exact, eval.scorer { id = "own", score = function() return 1 end } } }
LUA
}

# start COMMAND...: runs the program in the background; its stream goes to out.jsonl, its processes carry $mark.
start() {
  mark=kill_${BASHPID}_$SECONDS_$RANDOM$SRANDOM
  : >out.jsonl
  EVALUA_TEST_MARK=$mark "$EVALUA" "$@" --format jsonl --workers 2 >out.jsonl 2>>err.txt 3>&- &
  pid=$!
}

# Waits until the stream has more than $1 bytes, or the run has ended.
until_bytes() {
  while kill -0 "$pid" 2>/dev/null && [ "$(stat -c %s out.jsonl)" -le "$1" ]; do nap_ms 1; done
}

# kill_now coordinator|worker|both
kill_now() {
  local children=() victims=()
  read -r -a children <"/proc/$pid/task/$pid/children" 2>/dev/null || true
  local worker=${children[RANDOM % (${#children[@]} + 1)]:-${children[0]:-}}
  case $1 in
    coordinator) victims=("$pid") ;;
    worker) victims=($worker) ;;
    both) victims=($worker "$pid") ;;
  esac
  [ ${#victims[@]} = 0 ] || kill -9 "${victims[@]}" 2>/dev/null || true
  if [ "$1" = worker ]; then code=0; wait "$pid" || code=$?; else wait "$pid" 2>/dev/null || true; fi
}

# The processes that carry the mark; those that are dead and only wait to be reaped have no environment any more.
marked() { grep -lzsx "EVALUA_TEST_MARK=$mark" /proc/[0-9]*/environ || true; }

nobody_left() {
  local left
  for _ in {1..200}; do
    left=$(marked)
    [ -z "$left" ] && return 0
    nap_ms 10
  done
  echo "still alive: $left"
  for file in $left; do tr '\0' ' ' <"${file%environ}cmdline"; echo; done
  return 1
}

# Everything that the stream reported is stored, once, in item order, with both scores; sets $stored.
reported_is_stored() {
  [ -e .evalua/evalua.db ] || { stored=0; [ ! -s out.jsonl ] || { echo "reported, and there is no store"; return 1; }; return 0; }
  # A last line that the kill cut is none.
  sed -n 's/^{"type":"item".*"item_id":"i\([0-9]*\)".*}$/\1/p' out.jsonl >reported
  seq 1 "$(wc -l <reported)" | cmp - reported || { echo "reported doubled, or not in item order"; return 1; }
  query 'pragma integrity_check; select count(*) from sqlite_master where name = "results"' >state
  read -r -d '' sound tables <state || true
  equal "$sound" ok
  stored=0
  [ "$tables" = 1 ] || { [ ! -s reported ]; return; }
  local wrong total
  IFS='|' read -r stored total wrong < <(query "select count(distinct item_id), count(*),
    coalesce(sum(item_id <> 'i' || position or (status = 'ok') <> (output is not null and output = '' || position)
      or status = 'ok' and 2 <> (select count(*) from scores s where s.experiment_id = r.experiment_id
        and s.item_id = r.item_id and s.score = 1)), 0) from results r") || true
  equal "$total" "$stored"
  equal "$wrong" 0
  query 'select position from results' | sort -n >positions
  equal "$(sort -n reported | comm -23 --nocheck-order - positions | head -3)" ""
}

# Exactly one ok result for every item, in one experiment that is complete; two scores each.
whole() {
  equal "$(query "select count(*), count(distinct item_id), sum(status = 'ok'), sum(output = '' || position) from results")" \
    "$ITEMS|$ITEMS|$ITEMS|$ITEMS"
  equal "$(query 'select count(*), sum(score) from scores')" "$((2 * ITEMS))|$((2 * ITEMS)).0"
  equal "$(query 'select count(*) from selections')" "$ITEMS"
  equal "$(query 'select number, status from experiments')" "1|completed"
  equal "$(query 'pragma integrity_check')" ok
}

# Resumes: what is missing runs, and what a killed worker ran.
finish() {
  [ "$(query 'select count(*) from experiments' 2>/dev/null || echo 0)" = 1 ] || return 0 # before anything was to run
  equal "$(query "select distinct error ->> 'code' from results where status <> 'ok'" | sed '/^$/d')" \
    "$(query "select 'worker_crashed' from results where status <> 'ok' limit 1")"
  "$EVALUA" resume 1 >finish.txt 2>&1 || { cat finish.txt; return 1; }
  whole
}

# round NUMBER WHEN WHO DELAY: one kill and what follows; adds to `counts` in which state it was hit.
round() {
  local when=$2 who=$3 delay=$4 bytes=0
  rm -rf .evalua out.jsonl err.txt
  case $when in
    load) ;;                                  # a random moment of the start: suite, sync, fork
    before) bytes=0 ;;                        # the stream has begun, the first commit is about 100 ms away
    *) bytes=$((400 + RANDOM * 20)) ;;        # somewhere in the middle: about 420 bytes an item
  esac
  echo "round $1: kill the $who, $when, $bytes bytes of stream and $delay ms (KILL_SEED=$seed)"
  start run kill.eval.lua
  [ "$when" = load ] || until_bytes "$bytes"
  nap_ms "$delay"
  kill_now "$who"
  nobody_left
  reported_is_stored
  local hit=$stored
  if [ "$when" = resume ] && [ "$stored" -gt 0 ] && [ "$stored" -lt $ITEMS ]; then
    start resume 1
    until_bytes 0
    nap_ms $((RANDOM % 120))
    kill_now "$who"
    nobody_left
    reported_is_stored
    echo "  the resume of $hit was killed at $stored"
    [ "$stored" -ge "$hit" ] || { echo "the resume lost results"; return 1; }
    hit=$stored
  fi
  if [ "$who" = worker ]; then
    [ "$code" = 4 ] || [ "$code" = 0 ] || { echo "the run ended with $code"; cat err.txt; return 1; }
    [ "$stored" = 0 ] || equal "$stored" "$ITEMS"
  fi
  finish
  if [ "$who" = worker ]; then echo worker >>counts
  elif [ "$when" = resume ]; then [ "$hit" = $ITEMS ] || [ "$hit" = 0 ] || echo resume >>counts
  elif [ "$hit" = 0 ]; then echo "before" >>counts
  elif [ "$hit" -lt $ITEMS ]; then echo "mid" >>counts; fi
}

# until_hits COUNT STATE WHEN WHO DELAY_MAX: rounds until so many were hit in that state.
until_hits() {
  local wanted=$(($1 * ${KILL_FACTOR:-1})) number=0 hits=0
  : >counts
  while [ "$hits" -lt "$wanted" ]; do
    number=$((number + 1))
    [ "$number" -le $((4 * wanted)) ] || { echo "only $hits rounds were hit $2"; sort counts | uniq -c; return 1; }
    round "$number" "$3" "$4" $((RANDOM % $5))
    hits=$(grep -cx "$2" counts || true)
  done
}
