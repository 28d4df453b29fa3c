#!/usr/bin/env bash
# What decides whether a change may land: everything built for release and every test, the same
# tests under the address and undefined-behaviour sanitizers, the concurrent parts under the thread
# sanitizer, every fuzzer for half a minute, and the demo. Headers alone and clang-tidy are `make
# tidy`.
set -euo pipefail
cd "$(dirname "$0")/.."
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-10G}
fuzz_seconds=${CROMFORD_FUZZ_SECONDS:-30}
step() { printf '\n== %s (%d min since the start)\n' "$1" "$((SECONDS / 60))"; }

step "packages"
scripts/setup.sh --tools
scripts/venv.sh
step "release: build"
scripts/build.sh release
step "release: unit, end-to-end, structure and format tests"
scripts/test.sh release
step "the demo"
make -s demo DEMO_FLAGS="--time 30s"
step "address and undefined-behaviour sanitizers: build"
scripts/build.sh asan-ubsan
step "address and undefined-behaviour sanitizers: unit and end-to-end tests"
ctest --test-dir build/asan-ubsan --output-on-failure -j "$(nproc)" -L 'unit|e2e'
step "fuzzers, $fuzz_seconds s each"
scripts/fuzz.sh "$fuzz_seconds"
step "thread sanitizer: the concurrent parts"
scripts/tsan.sh
step "done"
