#!/usr/bin/env bash
# The demo on a home of its own, so that it shows the same on every run: scripts/demo.sh CROMFORD FLIGHTS [FLAG...]
# Table, plot and timeline are left in build/demo-report.
set -euo pipefail
cd "$(dirname "$0")/.."
home=${CROMFORD_DEMO_HOME:-build/demo-home}
rm -rf "$home"
exec "$1" --home "$home" demo flights --data "$2" --report build/demo-report "${@:3}"
