#!/usr/bin/env bash
# What a request costs beside a raw epoll echo, in the same run.
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake --build build/release --target http_echo_bench >/dev/null
build/release/bench/http_echo_bench
