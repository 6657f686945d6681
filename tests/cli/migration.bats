#!/usr/bin/env bats
# Stores of an older schema are brought up to date in one transaction; what cannot be is left alone and said.
load helper

# A store as the first landed version left it: two runs of three items.
v1_store() { sqlite3 "${1:-v1.db}" <"$BATS_TEST_DIRNAME/store_v1.sql"; }
version_of() { sqlite3 "$1" "PRAGMA user_version"; }
TABLES="meta datasets dataset_versions items experiments selections results attempts scores"

rows() {
  local table
  for table in $TABLES; do
    [ "$table" = meta ] && continue
    sqlite3 "$1" "SELECT $(sqlite3 v1_columns.db "SELECT group_concat(name) FROM pragma_table_info('$table')") FROM $table"
  done
}

@test "a store of schema 1 is read, and becomes schema 2 with every row as it was" {
  v1_store
  cp v1.db v1_columns.db
  rows v1.db >before
  evalua list --store v1.db --format json
  expect 0
  equal "$(json '[(run["number"], run["done_count"], run["passed_count"]) for run in d]')" "[[2, 3, 2], [1, 3, 1]]"
  equal "$(version_of v1.db)" 2
  equal "$(sqlite3 v1.db "SELECT value FROM meta WHERE name = 'schema_version'")" 2
  rows v1.db >after
  [ -s before ]
  cmp before after
  equal "$(sqlite3 v1.db "PRAGMA integrity_check")" ok
}

@test "a migrated store has the schema of a new one" {
  v1_store
  evalua list --store v1.db
  expect 0
  small_suite
  evalua run --store new.db
  expect 0
  for file in v1.db new.db; do
    sqlite3 "$file" "SELECT type, name, tbl_name FROM sqlite_master ORDER BY 1, 2" >"$file.names"
    for table in $(sqlite3 "$file" "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"); do
      sqlite3 "$file" "SELECT '$table', name, type, \"notnull\", pk FROM pragma_table_info('$table')"
    done >"$file.columns"
  done
  cmp v1.db.names new.db.names
  cmp v1.db.columns new.db.columns
}

@test "old runs are shown, compared, scored again and reviewed; new ones are numbered on" {
  v1_store
  evalua compare 1 2 --store v1.db --format json
  expect 0
  equal "$(json 'd["scorers"]["exact"]["same"], d["items"]["changed"]')" '[1, ["b"]]'
  printf 'a\nq\n' >answers
  run --separate-stderr "$EVALUA" review 1 --as ann --store v1.db <answers
  expect 0
  suite upper.eval.lua <<'LUA'
eval.dataset { name = "small", items = { { id = "a", input = "one", ground_truth = "ONE" } } }
eval.experiment { name = "upper", dataset = "small", target = string.upper,
  scorers = { eval.scorers.exact { ignore_case = true } } }
LUA
  evalua score 1 upper.eval.lua --store v1.db
  expect 0
  prints "1.00 over 2 of 3"
  evalua run --store v1.db --format json
  expect 0
  equal "$(json 'd["experiments"][0]["number"]')" 3
}

@test "a store of schema 1 that can only be read says what to do, and is left as it is" {
  [ "$(id -u)" = 0 ] || skip "needs to become another user"
  place=$(mktemp -d /tmp/eva_read_only.XXXXXX) # the other user must reach it
  v1_store "$place/v1.db"
  chmod 755 "$place"
  chmod 444 "$place/v1.db"
  sha256sum "$place/v1.db" >before
  run --separate-stderr setpriv --reuid=65534 --clear-groups "$EVALUA" list --store "$place/v1.db"
  sha256sum --check --quiet before
  rm -r "$place"
  expect 4
  says "v1.db" "older schema 1" "read only" "copy it"
}

@test "a newer schema is refused, and left as it is" {
  v1_store new.db
  sqlite3 new.db "PRAGMA user_version = 99"
  sha256sum new.db >before
  for command in "list" "show 1" "review 1 --as ann" "sql 'select 1'"; do
    eval "evalua $command --store new.db"
    expect 4
    says "schema 99" "newer evalua"
  done
  sha256sum --check --quiet before
}

@test "a migration that fails leaves the store at its old schema" {
  v1_store
  sqlite3 v1.db "CREATE TABLE reviews (mine TEXT)"
  sqlite3 v1.db .dump >before
  evalua list --store v1.db
  expect 4
  says "reviews already exists"
  equal "$(version_of v1.db)" 1
  sqlite3 v1.db .dump >after
  cmp before after
  sqlite3 v1.db "DROP TABLE reviews"
  evalua list --store v1.db
  expect 0
  equal "$(version_of v1.db)" 2
}

@test "several processes that meet an old store at once all go on" {
  v1_store
  local pids=() # a bare `wait` would wait for the clock of BATS_TEST_TIMEOUT too
  for number in 1 2 3 4 5 6 7 8; do
    { "$EVALUA" list --store v1.db --format json >"out$number" 2>"err$number" 3>&-; echo $? >"code$number"; } &
    pids+=($!)
  done
  wait "${pids[@]}"
  for number in 1 2 3 4 5 6 7 8; do
    cat "err$number"
    equal "$(cat "code$number")" 0
    cmp out1 "out$number"
  done
  equal "$(version_of v1.db)" 2
}
