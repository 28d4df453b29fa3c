#!/usr/bin/env bash
# Makes build/venv, the Python environment of the end-to-end tests, from the pinned packages of
# tests/requirements.txt. Made anew only when that file or Python changed; otherwise a moment.
# Exit code 3: the packages cannot be fetched (no network); anything else but 0 is a fault.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=build/venv
stamp=$venv/.cromford-stamp
wanted="$(python3 -VV | tr '\n' ' ')$(sha256sum <tests/requirements.txt)"
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0

echo "installing the pinned Python packages of tests/requirements.txt"
mkdir -p build
rm -rf "$venv"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
python3 -m venv "$venv" >"$log" 2>&1 ||
  { tail -5 "$log" >&2; echo "no Python environment could be made; scripts/setup.sh --tools installs python3-venv" >&2; exit 1; }
if ! "$venv/bin/pip" install -q --disable-pip-version-check --no-deps -r tests/requirements.txt >"$log" 2>&1; then
  tail -5 "$log" >&2
  # pip has no exit code for an index that cannot be reached: it says so, or that it knows no version.
  grep -qE 'NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError|Max retries exceeded|from versions: none' "$log" && exit 3
  exit 1
fi
"$venv/bin/pip" check -q >&2 || { echo "tests/requirements.txt does not fit together" >&2; exit 1; }
echo "$wanted" >"$stamp"
