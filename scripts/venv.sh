#!/usr/bin/env bash
# The Python packages that tests use (official clients, schemathesis), pinned, in .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
stamp=.venv/.cromford-requirements
if ! cmp -s tests/requirements.txt "$stamp"; then
  echo "installing the Python packages of tests/requirements.txt"
  rm -rf .venv
  python3 -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
  cp tests/requirements.txt "$stamp"
fi
