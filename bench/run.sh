#!/usr/bin/env bash
# Every benchmark with its peers in the same run; docs/benchmarks.md keeps the results.
set -euo pipefail
cd "$(dirname "$0")/.."
program=build/release/src/main/cromford
echo "== the program: start, memory, commands"
python3 bench/program.py "$program"
for bench in bench/*/run.sh; do
  echo "== $(dirname "${bench#bench/}")"
  "$bench" "$program"
done
