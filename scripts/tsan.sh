#!/usr/bin/env bash
# The tests of the modules in which threads meet, under the thread sanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."
modules=(base store table feedback serve govern flow http app)
scripts/build.sh tsan $(printf '%s_test ' "${modules[@]}")
# Libraries that were not built with the sanitizer (DuckDB, OpenMP) would report races of their own.
export TSAN_OPTIONS="suppressions=$PWD/scripts/tsan.supp halt_on_error=1"
# The log's clients and its server are forks there, which the sanitizer takes for misuse of a mutex.
export GTEST_FILTER=-CrashTest.NothingAcknowledgedIsLostAndNothingIsThereTwice
ctest --test-dir build/tsan --output-on-failure -R "^($(IFS='|'; echo "${modules[*]}"))\$"
