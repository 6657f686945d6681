#!/bin/sh
# Installs the Debian packages that a task needs and that are missing, saying what and why.
# usage: install-packages.sh [--check] GROUP...     groups: build, demo, check, lint, bench
# With --check nothing is installed: missing packages are named and the exit code is 1.
# Each line below is: group, how to see that it is there, Debian package, what it is for. What is found needs no
# package, so a system without apt works when the tools are there by other means.
set -eu

needs() {
  cat <<'END'
build  command:gcc                 gcc              compiles the C runtime
build  header:stdlib.h             libc6-dev        the C library's headers
build  command:make                make             runs the Makefile
build  command:pkg-config          pkg-config       finds the libraries below
build  command:lua5.4              lua5.4           embeds the Lua files while building
build  module:lua5.4               liblua5.4-dev    the language of suites
build  module:lua5.4-cjson         lua-cjson-dev    require "cjson" in suites
build  module:sqlite3              libsqlite3-dev   the store
build  module:libuv                libuv1-dev       the event loop
build  module:libpcre2-8           libpcre2-dev     regular expressions
build  header:csv.h                libcsv-dev       reads CSV files
build  module:libcrypto            libssl-dev       SHA-256
build  module:libcurl              libcurl4-openssl-dev HTTP requests
build  module:libmicrohttpd        libmicrohttpd-dev the server of `evalua mock`
demo   command:hunspell            hunspell         the first program that the demo evaluates
demo   file:/usr/share/hunspell/en_US.dic hunspell-en-us its dictionary
demo   command:aspell              aspell           the second program
demo   file:/usr/lib/aspell/en_US.multi aspell-en   its dictionary
demo   codespell                   codespell        37,000 known misspellings, the dataset
check  module:cmocka               libcmocka-dev    unit tests in C
check  command:bats                bats             tests of the command line
check  command:sqlite3             sqlite3          tests look into the store
check  command:pgrep               procps           tests look for processes left behind
check  command:python3             python3          stands in for programs under test
check  command:xmllint             libxml2-utils    checks the JUnit reports
lint   command:clang               clang            a second compiler's warnings
lint   command:clang-tidy          clang-tidy       finds mistakes in C
lint   command:luacheck            lua-check        finds mistakes in Lua
bench  command:sqlite3             sqlite3          the bare join that compare is measured against
END
}

codespell_dictionary() {
  for file in /usr/lib/python3*/dist-packages/codespell_lib/data/dictionary.txt; do
    [ -f "$file" ] && return 0
  done
  return 1
}

present() {
  case $1 in
    command:*) command -v "${1#command:}" >/dev/null 2>&1 ;;
    module:*) pkg-config --exists "${1#module:}" 2>/dev/null ;;
    header:*) echo "#include <${1#header:}>" | gcc -E -o /dev/null - 2>/dev/null ;;
    file:*) [ -e "${1#file:}" ] ;;
    codespell) codespell_dictionary ;;
  esac
}

check_only=
[ "${1:-}" = --check ] && { check_only=1; shift; }
[ $# -gt 0 ] || { echo "usage: install-packages.sh [--check] build|demo|check|lint|bench..." >&2; exit 2; }
wanted=" $* "
for group in "$@"; do
  needs | grep -q "^$group " || { echo "install-packages.sh: no group '$group'; there are: build demo check lint bench" >&2; exit 2; }
done

list=$(mktemp)
trap 'rm -f "$list"' EXIT
needs | while read -r group probe package purpose; do
  case $wanted in *" $group "*) ;; *) continue ;; esac
  present "$probe" || printf '%s\t%s\n' "$package" "$purpose"
done | awk -F'\t' '!seen[$1]++' >"$list"
[ -s "$list" ] || exit 0

packages=$(cut -f1 "$list" | tr '\n' ' ')
echo "missing for $*:" >&2
awk -F'\t' '{ printf "  %-18s %s\n", $1, $2 }' "$list" >&2
if [ -n "$check_only" ]; then
  echo "install them with: scripts/dev/install-packages.sh $*" >&2
  exit 1
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "This system has no apt-get. Please install what Debian calls: $packages" >&2
  exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "Not root and no sudo here. As root, please run: apt-get install $packages" >&2
    exit 1
  fi
  sudo=sudo
fi
echo "installing them with apt-get${sudo:+ through sudo}" >&2
log=$(mktemp)
trap 'rm -f "$list" "$log"' EXIT
# The words are package names from the table above.
# shellcheck disable=SC2086
if ! { $sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages; } \
  >"$log" 2>&1 </dev/null; then
  tail -n 20 "$log" >&2
  echo "apt-get could not install: $packages" >&2
  exit 1
fi
