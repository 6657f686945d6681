# The schema and every SQL statement on a PostgreSQL 15 of our own, where one is installed: the store is portable.

setup_file() {
  bin=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1)")
  [ -x "$bin/initdb" ] || bin=$(dirname "$(command -v initdb || echo /none/initdb)")
  export bin
  [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && [ -x "$bin/psql" ] || return 0
  base=$(mktemp -d /tmp/eva_pg.XXXXXX)
  export base
  if [ "$(id -u)" = 0 ]; then chown nobody "$base"; fi
  as_user "$bin/initdb" -D "$base/data" --locale=C --encoding=UTF8 -U eva --auth=trust >"$base.log" 2>&1 &&
    as_user "$bin/pg_ctl" -D "$base/data" -l "$base/server.log" -w \
      -o "-c listen_addresses='' -c unix_socket_directories='$base' -c fsync=off" start >>"$base.log" 2>&1 &&
    export has_server=yes
  return 0
}

teardown_file() {
  [ -n "${base:-}" ] || return 0
  [ -z "${has_server:-}" ] || as_user "$bin/pg_ctl" -D "$base/data" -m immediate -w stop >/dev/null 2>&1
  rm -rf "$base" "$base.log"
}

# The server refuses to run as root.
as_user() {
  if [ "$(id -u)" = 0 ]; then (cd / && setpriv --reuid=65534 --regid=65534 --clear-groups "$@"); else "$@"; fi
}

setup() {
  [ -n "${has_server:-}" ] || skip "no PostgreSQL server (postgresql-15) can be started here: $(tail -n 1 "${base:-/none}.log" 2>/dev/null)"
  psql="$bin/psql -h $base -U eva -d postgres -X -q -v ON_ERROR_STOP=1"
}

# schema FILE NAME: defines the schema of a file in a schema of PostgreSQL, all versions in one transaction.
define() {
  { echo "BEGIN; DROP SCHEMA IF EXISTS $2 CASCADE; CREATE SCHEMA $2; SET search_path = $2;"
    cat "$EVALUA_TEST_ROOT/runtime/store/$1"; echo "COMMIT;"; } | $psql
}

@test "the schema and its migrations are accepted" {
  define schema.sql store
  define cache.sql cache
  [ "$($psql -At -c "select count(*) from information_schema.views where table_schema = 'store'")" -ge 4 ]
}

@test "every statement can be prepared" {
  define schema.sql store
  define cache.sql cache
  cd "$EVALUA_TEST_ROOT"
  for source in runtime/store/*.c; do
    case $source in */db_sqlite.c) continue ;; esac
    cc -std=c11 -D_GNU_SOURCE -Iruntime -E -P "$source" -o "$BATS_TEST_TMPDIR/$(basename "$source")"
  done
  "$EVALUA" exec tests/conformance/sql_statements.lua "$BATS_TEST_TMPDIR"/*.c \
    >"$BATS_TEST_TMPDIR/statements.sql" 2>"$BATS_TEST_TMPDIR/count"
  [ "$(cat "$BATS_TEST_TMPDIR/count")" -ge 90 ]
  { echo "SET search_path = store, cache;"; cat "$BATS_TEST_TMPDIR/statements.sql"; } >"$BATS_TEST_TMPDIR/all.sql"
  run $psql -v ON_ERROR_STOP=0 -f "$BATS_TEST_TMPDIR/all.sql"
  echo "$output"
  [ "$output" = "" ]
}
