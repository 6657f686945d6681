#!/bin/sh
# Runs the evaluations in any CI system: installs evalua where it is missing, replays the cassette, compares with the
# committed baseline, and writes the reports. The exit code is that of `evalua run`: 1 where a rule failed.
# usage: ci/evals.sh [REPORT-DIR]
set -eu
cd "$(dirname "$0")/.."
reports=${1:-reports}

if ! command -v evalua >/dev/null; then
  git clone --depth 1 "$EVALUA_REPOSITORY" "${TMPDIR:-/tmp}/evalua"
  make -s -C "${TMPDIR:-/tmp}/evalua" install PREFIX="$HOME/.local"
  PATH=$HOME/.local/bin:$PATH
fi

mkdir -p "$reports"
evalua run evals --cache replay --cache-file evals/triage.cassette.jsonl \
  -o "$reports/evals.md" -o "$reports/evals.html" -o "$reports/junit.xml" -o "$reports/metrics.prom"
