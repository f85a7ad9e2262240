#!/usr/bin/env bash
# A/B benchmark: `steward ab evaluate` and `steward ab plan` against scipy and statsmodels on the same rows, results and time.
#
# usage: benches/ab.sh [ROWS] [RUNS]     (1000000 and 5 by default; ROWS in each arm)
#
# Needs target/release/steward (cargo build --release) and python3 with venv. Python packages go to target/bench-venv, files to
# target/bench-data; both are made once. STEWARD_BENCH_BINARY names another binary. Exit 1 when a result differs.
set -euo pipefail
cd "$(dirname "$0")/.."

rows=${1:-1000000}
runs=${2:-5}
binary=${STEWARD_BENCH_BINARY:-target/release/steward}
venv=target/bench-venv
data=target/bench-data

[ -x "$binary" ] || { echo "no $binary: run cargo build --release first" >&2; exit 2; }
if ! "$venv/bin/python" -c 'import pandas, pyarrow, scipy, statsmodels' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet numpy pandas pyarrow scipy statsmodels
fi
mkdir -p "$data"
"$venv/bin/python" benches/ab_peer.py measure "$binary" "$data" "$rows" "$runs"
