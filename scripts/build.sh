#!/usr/bin/env bash
# Configures (once) and builds one preset: scripts/build.sh PRESET [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
shift || true
if [ ! -f "build/$preset/build.ninja" ]; then
  mkdir -p build
  cmake --preset "$preset" >"build/$preset.configure.log" || { cat "build/$preset.configure.log"; exit 1; }
fi
NINJA_STATUS="[$preset %f/%t %es] " cmake --build "build/$preset" ${1:+--target "$@"}
