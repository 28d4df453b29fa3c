#!/usr/bin/env bash
# Line coverage of the unit tests as HTML in build/coverage/html.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh coverage
ctest --test-dir build/coverage -L unit -j "$(nproc)"
lcov --quiet --capture --directory build/coverage --include "$PWD/src/*" --output-file build/coverage/all.info
genhtml --quiet build/coverage/all.info --output-directory build/coverage/html
lcov --summary build/coverage/all.info
