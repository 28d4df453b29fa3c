#!/usr/bin/env bash
# Every test of one preset: scripts/test.sh PRESET. With `release` also format, tidy and structure.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
[ -d ../shared/data ] || echo "left out: the tests over ../shared/data, which is not there"
scripts/venv.sh
export CROMFORD_PYTHON=$PWD/.venv/bin/python
cmake -DCROMFORD_SHARED="$PWD/../shared" "build/$preset" >/dev/null
scripts/build.sh "$preset"
ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)"
