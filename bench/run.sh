#!/usr/bin/env bash
# Every benchmark with its peers in the same run: bench/run.sh [PART...]. Parts: program, import,
# memory, serving. Ends with a table for docs/benchmarks.md and build/bench/results.json; the exit
# code is 1 where a limit is missed. Takes about ten minutes; anything else that runs shows.
set -uo pipefail
cd "$(dirname "$0")/.."
export CROMFORD_BUILD=$PWD/build/release
parts=("$@")
[ $# -gt 0 ] || parts=(program import memory serving)

scripts/build.sh release cromford bench_tools >build/bench.log 2>&1 || { tail -30 build/bench.log; exit 1; }
mkdir -p build/bench
venv=build/bench-venv
if [[ " ${parts[*]} " == *" serving "* ]] && ! cmp -s bench/requirements.txt "$venv/installed.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check -r bench/requirements.txt &&
    cp bench/requirements.txt "$venv/installed.txt" || { echo "bench: the peer of serving cannot be installed"; exit 1; }
fi

declare -A script=([program]=program.py [import]=import_ratio.py [memory]=import_memory.py [serving]=serving.py)
for part in "${parts[@]}"; do
  echo "== $part"
  rm -f "build/bench/$part.json"
  python3 "bench/${script[$part]}" || echo "bench: $part failed"
done
python3 bench/report.py "${parts[@]}"
