#!/usr/bin/env bash
# Installs what building needs (and with --tools what testing needs too): Debian packages by apt and
# the pinned npm packages of vendor/. A second call finds everything there and takes a moment.
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages=(
  g++ cmake ninja-build ccache mold pkg-config make git nodejs npm
  libabsl-dev libboost1.81-dev libssl-dev libxgboost-dev libsqlite3-dev libsimdjson-dev
  nlohmann-json3-dev libyaml-cpp-dev libfmt-dev libsodium-dev
  libeigen3-dev libcurl4-openssl-dev libzstd-dev zlib1g-dev libgtest-dev libgmock-dev libbenchmark-dev)
tool_packages=(
  python3 python3-venv clang-19 libclang-rt-19-dev clang-tidy-19 clang-format-19 lcov curl)

wanted=("${build_packages[@]}")
[ "${1:-}" = --tools ] && wanted+=("${tool_packages[@]}")

# A command that is there by other means (a Node of one's own, say) need not come from apt.
declare -A command_of=([nodejs]=node [npm]=npm [cmake]=cmake [git]=git [make]=make [g++]=g++ [curl]=curl)
missing=()
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null | awk '$2=="installed"{print $1}')
for package in "${wanted[@]}"; do
  grep -qxF "$package" <<<"$installed" && continue
  tool=${command_of[$package]:-}
  [ -n "$tool" ] && command -v "$tool" >/dev/null && continue
  [ "$package" = python3-venv ] && python3 -c 'import ensurepip, venv' 2>/dev/null && continue
  missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo)
    else
      echo "These Debian packages are missing, and there is no right to install them here:" >&2
      echo "  ${missing[*]}" >&2
      echo "Have them installed (apt-get install ${missing[*]}) and run the same command again." >&2
      exit 1
    fi
  fi
  echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
  log=$(mktemp)
  "${as_root[@]}" apt-get update -qq >"$log" 2>&1 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 ||
    { tail -20 "$log" >&2; echo "apt could not install: ${missing[*]}" >&2; exit 1; }
  rm -f "$log"
fi

# The lock file decides; it is installed again only when it changed.
stamp=vendor/node_modules/.cromford-lock
if ! cmp -s vendor/package-lock.json "$stamp"; then
  echo "installing the pinned npm packages (DuckDB, example data)"
  (cd vendor && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  cp vendor/package-lock.json "$stamp"
fi
