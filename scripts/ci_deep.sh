#!/usr/bin/env bash
# The end-to-end tests under the address and undefined-behaviour sanitizers, the concurrent parts
# under the thread sanitizer, every fuzzer for half a minute, headers alone, and clang-tidy.
set -euo pipefail
cd "$(dirname "$0")/.."
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-10G}
fuzz_seconds=${CROMFORD_FUZZ_SECONDS:-30}
step() { printf '\n== %s (%d min since the start)\n' "$1" "$((SECONDS / 60))"; }

step "packages"
scripts/setup.sh --tools
step "address and undefined-behaviour sanitizers"
scripts/build.sh asan-ubsan
ctest --test-dir build/asan-ubsan --output-on-failure -j "$(nproc)" -L e2e
step "thread sanitizer: the concurrent parts"
scripts/tsan.sh
step "fuzzers, $fuzz_seconds s each"
scripts/fuzz.sh "$fuzz_seconds"
step "headers alone"
scripts/build.sh release all_verify_interface_header_sets
step "clang-tidy"
scripts/tidy.sh
step "done"
