# scripts/dev/install-packages.sh: says what is missing and why, and gives up clearly where it cannot install.

script=$EVALUA_TEST_ROOT/scripts/dev/install-packages.sh

# A PATH with the few tools that the script itself uses, so that everything else is missing.
bare_path() {
  mkdir -p "$BATS_TEST_TMPDIR/bin"
  for tool in sh awk grep tr cut mktemp rm cat id env tail; do
    ln -sf "$(command -v $tool)" "$BATS_TEST_TMPDIR/bin/$tool"
  done
  echo "$BATS_TEST_TMPDIR/bin"
}

@test "nothing is missing after the tests' own installation" {
  run "$script" --check build demo check
  [ "$output" = "" ]
  [ "$status" -eq 0 ]
}

@test "what is missing is named with its purpose" {
  PATH=$(bare_path) run "$script" --check build
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = "missing for build:" ]
  [[ $output == *"gcc                compiles the C runtime"* ]]
  [[ $output == *"install them with: scripts/dev/install-packages.sh build"* ]]
}

@test "without apt-get the packages are named and nothing is tried" {
  PATH=$(bare_path) run "$script" lint
  [ "$status" -eq 1 ]
  [[ $output == *"This system has no apt-get. Please install what Debian calls: clang clang-tidy lua-check"* ]]
}

@test "an unknown group is a usage error" {
  run "$script" everything
  [ "$status" -eq 2 ]
  [[ $output == *"no group 'everything'; there are: build demo check lint bench"* ]]
}
