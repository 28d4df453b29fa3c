#!/usr/bin/env bash
# What decides whether a change may land. From nothing on two cores: about forty minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-10G}
fuzz_seconds=${CROMFORD_FUZZ_SECONDS:-30}
step() { printf '\n== %s (%d min since the start)\n' "$1" "$((SECONDS / 60))"; }

step "packages"
scripts/setup.sh --tools
step "release: build"
scripts/build.sh release
step "release: tests, structure, format, tidy"
scripts/test.sh release
step "address and undefined-behaviour sanitizers: the same tests"
scripts/build.sh asan-ubsan
ctest --test-dir build/asan-ubsan --output-on-failure -j "$(nproc)" -LE static
step "thread sanitizer: the concurrent parts"
scripts/tsan.sh
step "fuzzers, $fuzz_seconds s each"
scripts/fuzz.sh "$fuzz_seconds"
step "the demo"
make -s demo
step "done"
