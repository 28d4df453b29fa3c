#!/usr/bin/env bash
# What decides whether a change may land: everything built for release, every test, and the demo.
# The sanitizers, the fuzzers and clang-tidy are in scripts/ci_deep.sh.
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
step "the demo"
make -s demo
step "done"
