#!/usr/bin/env bash
# Every test of one preset: scripts/test.sh PRESET.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
[ -d ../shared/data ] || echo "left out: the tests over ../shared/data, which is not there"
scripts/build.sh "$preset"
ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)"
