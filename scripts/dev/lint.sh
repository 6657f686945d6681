#!/bin/sh
# What `make lint` does: layers, Lua, sizes, clang-tidy, and builds by gcc and clang with warnings as errors.
# Every part runs even if an earlier one failed; the exit code is 1 if any did.
set -u
cd "$(dirname "$0")/../.."
make=${MAKE:-make}
failed=
part() {
  name=$1
  shift
  if "$@"; then echo "lint: $name: ok"; else echo "lint: $name: FAILED"; failed="$failed $name"; fi
}

lua_files() { find stdlib scripts tests examples -name '*.lua' | LC_ALL=C sort; }
c_files() { find runtime tests -name '*.c' | LC_ALL=C sort; }

check_lua() { lua_files | xargs luacheck -q --no-color; }

# A notice, not a failure: what has grown too large to be read at once should be split by job.
note_sizes() {
  { c_files; find runtime -name '*.h'; lua_files; } | xargs wc -l |
    awk '$2 != "total" && $1 > 600 { printf "notice: %s has %d lines; above 600 split it by job\n", $2, $1 }'
  c_files | xargs awk '
    FNR == 1 { depth = 0 }
    /^[a-zA-Z].*\)[ \t]*\{$/ { start = FNR; name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
    /^\}/ && start { if (FNR - start > 60) printf "notice: %s:%d: %s has %d lines; above 60 split it\n",
                       FILENAME, start, name, FNR - start; start = 0 }'
}

# Files in which clang-tidy found nothing are not read again until they, a header or the checks change.
tidy() {
  flags="-std=c11 -D_GNU_SOURCE -Iruntime $(pkg-config --cflags lua5.4 sqlite3 libuv libpcre2-8 libcrypto)"
  stamps=build/tidy
  mkdir -p "$stamps"
  headers=$(cat .clang-tidy runtime/*/*.h | sha256sum | cut -c1-16)
  for file in $(find runtime -name '*.c' | LC_ALL=C sort); do
    stamp=$stamps/$(echo "$headers $flags" | cat - "$file" | sha256sum | cut -c1-24)
    [ -e "$stamp" ] || echo "$file $stamp"
  done | xargs -P "$(nproc)" -L 1 sh -c '
    file=$0 stamp=$1
    if clang-tidy --quiet "$file" -- '"$flags"' >"$stamp.log" 2>&1; then mv "$stamp.log" "$stamp"
    else grep -v "warnings generated" "$stamp.log"; rm -f "$stamp.log"; exit 1; fi'
}

part layers lua5.4 scripts/dev/check-layers.lua
part luacheck check_lua
note_sizes
part "gcc build" $make VARIANT="${VARIANT:-release}" CC=gcc tests
part "clang build" $make VARIANT=clang CC=clang tests
part clang-tidy tidy
[ -z "$failed" ] || { echo "lint failed:$failed"; exit 1; }
echo "lint: all clean"
