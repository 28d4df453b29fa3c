#!/usr/bin/env bash
# Builds every libFuzzer target and runs each for a while: scripts/fuzz.sh [SECONDS] [NAME...]
# They are part of the preset asan-ubsan. Corpora grow in build/fuzz/corpus; a crash leaves its input
# in build/fuzz/crashes.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-30}
shift || true
mapfile -t fuzzers < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else git ls-files -co --exclude-standard 'src/*_fuzz.cc' | xargs -n1 basename | sed 's/\.cc$//'; fi)
scripts/build.sh asan-ubsan "${fuzzers[@]}"
mkdir -p build/fuzz/crashes
run_one() {
  local name=$1 binary seeds=()
  binary=$(find build/asan-ubsan/src -name "$name" -type f | head -1)
  mkdir -p "build/fuzz/corpus/$name"
  local folder; folder=$(dirname "$(git ls-files -co --exclude-standard "src/*/$name.cc")")
  [ -d "$folder/testdata/$name" ] && seeds=("$folder/testdata/$name")
  if "$binary" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -max_len=16384 -artifact_prefix=build/fuzz/crashes/ \
      "build/fuzz/corpus/$name" "${seeds[@]}" >"build/fuzz/$name.log" 2>&1; then
    echo "fuzz: $name: $(grep -oE 'Done [0-9]+ runs' "build/fuzz/$name.log" || tail -1 "build/fuzz/$name.log")"
  else
    tail -40 "build/fuzz/$name.log"
    echo "fuzz: $name failed"
    return 1
  fi
}
export -f run_one
printf '%s\n' "${fuzzers[@]}" | xargs -P "$(nproc)" -I{} bash -c "run_one {} $seconds"
