# The layer check: the tree passes, and each kind of wrong include is found with its file and line.

setup() {
  copy=$BATS_TEST_TMPDIR/runtime
  cp -r "$EVALUA_TEST_ROOT/runtime" "$copy"
}

check() { run lua5.4 "$EVALUA_TEST_ROOT/scripts/dev/check-layers.lua" "${1:-$copy}"; }

@test "the tree keeps its layers" {
  check "$EVALUA_TEST_ROOT/runtime"
  [ "$output" = "" ]
  [ "$status" -eq 0 ]
}

@test "an include of a higher layer is found" {
  printf '/* x */\n#include "store/db.h"\n' >"$copy/base/wrong.c"
  check
  [ "$status" -eq 1 ]
  [ "$output" = "$copy/base/wrong.c:2: base must not include store/db.h: layers go base <- data <- store, stats <- io, engine <- lua" ]
}

@test "neighbours on one floor stay apart" {
  echo '#include "stats/stats.h"' >"$copy/store/wrong.c"
  check
  [ "$status" -eq 1 ]
  [[ $output == "$copy/store/wrong.c:1: store must not include stats/stats.h: "* ]]
}

@test "lua.h outside runtime/lua and engine/worker is found" {
  echo '#include <lua.h>' >"$copy/store/wrong.c"
  echo '  #  include <lua.h>' >"$copy/engine/worker_more.c"
  check
  [ "$status" -eq 1 ]
  [ "$output" = "$copy/store/wrong.c:1: lua.h is not for this file; it belongs to lua/, engine/worker" ]
}

@test "sqlite3.h outside its driver and curl.h outside the HTTP client are found" {
  echo '#include <sqlite3.h>' >"$copy/lua/wrong.c"
  echo '#include <curl/curl.h>' >"$copy/engine/wrong.c"
  check
  [ "$status" -eq 1 ]
  [ "${#lines[@]}" -eq 2 ]
  [[ ${lines[0]} == "$copy/engine/wrong.c:1: curl/curl.h is not for this file"* ]]
  [[ ${lines[1]} == "$copy/lua/wrong.c:1: sqlite3.h is not for this file"* ]]
}

@test "a relative include and an unknown layer are found" {
  printf '#include "../base/buf.h"\n#include "utilities/x.h"\n' >"$copy/data/wrong.h"
  check
  [ "$status" -eq 1 ]
  [[ ${lines[0]} == *"data/wrong.h:1: write \"layer/file.h\""* ]]
  [[ ${lines[1]} == *"data/wrong.h:2: no layer 'utilities'"* ]]
}
