#!/usr/bin/env bash
# clang-tidy 19 over every source of the program (with --all over its tests, too). A unit whose preprocessed inputs were clean before is
# not looked at again: the stamps in build/tidy/stamps are keyed by the hash of all that it includes.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f build/tidy/compile_commands.json ] || cmake --preset tidy >/dev/null
export root=$PWD stamps=$PWD/build/tidy/stamps
mkdir -p "$stamps"
check_one() {
  local file=$1 key
  # Everything of ours that the unit reads, by content; system headers by their package versions.
  key=$( { cat "$root/.clang-tidy"; clang-tidy-19 --version; python3 "$root/scripts/include_closure.py" "$file" | xargs sha256sum; } | sha256sum | cut -c1-32)
  [ -f "$stamps/$key" ] && return 0
  # The analyzer takes Asio's coroutine frames for uninitialised memory, in Asio's own headers.
  local checks=()
  case $file in src/http/connection*.cc | src/http/loop.cc) checks=(--checks=-clang-analyzer-core.*) ;; esac
  if clang-tidy-19 -p build/tidy --quiet "${checks[@]}" "$file" 2>/tmp/tidy.$$.err; then
    touch "$stamps/$key"
  else
    grep -E 'error:' "/tmp/tidy.$$.err" || true
    echo "tidy: $file is not clean"
    return 1
  fi
}
export -f check_one
left_out='_(fuzz|bench|test)\.cc$'
[ "${1:-}" = --all ] && { left_out='_(fuzz|bench)\.cc$'; shift; }
mapfile -t files < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else git ls-files -co --exclude-standard 'src/*.cc' | grep -vE "$left_out"; fi)
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -I{} bash -c 'check_one {}' || { echo "tidy: failed"; exit 1; }
echo "tidy: ${#files[@]} files are clean"
