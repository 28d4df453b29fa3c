#!/usr/bin/env bash
# What decides whether a change may land: everything built for release, every test, the unit tests
# under the address and undefined-behaviour sanitizers, and the demo. The thread sanitizer, the
# fuzzers and clang-tidy are in scripts/ci_deep.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-10G}
step() { printf '\n== %s (%d min since the start)\n' "$1" "$((SECONDS / 60))"; }

step "packages"
scripts/setup.sh --tools
step "release: build"
scripts/build.sh release
step "release: unit, end-to-end, structure and format tests"
scripts/test.sh release
step "address and undefined-behaviour sanitizers: unit tests"
scripts/build.sh asan-ubsan
ctest --test-dir build/asan-ubsan --output-on-failure -j "$(nproc)" -L unit
step "the demo"
make -s demo
step "done"
