#!/usr/bin/env bash
# Drift benchmark: `steward drift check` against pyarrow + scipy on the same files, side by side.
#
# usage: benches/drift.sh [ROWS] [RUNS]     (1000000 and 5 by default; ROWS in each of the two files)
#
# Needs target/release/steward (cargo build --release) and python3 with venv. Python packages go to target/bench-venv,
# files to target/bench-data; both are made once. STEWARD_BENCH_BINARY names another binary.
set -euo pipefail
cd "$(dirname "$0")/.."

rows=${1:-1000000}
runs=${2:-5}
binary=${STEWARD_BENCH_BINARY:-target/release/steward}
venv=target/bench-venv
data=target/bench-data

[ -x "$binary" ] || { echo "no $binary: run cargo build --release first" >&2; exit 2; }
if ! "$venv/bin/python" -c 'import pandas, pyarrow, scipy' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet numpy pandas pyarrow scipy
fi
reference=$data/reference-$rows.parquet
current=$data/current-$rows.parquet
if [ ! -s "$reference" ] || [ ! -s "$current" ]; then
    "$venv/bin/python" benches/drift_files.py "$rows" "$data"
fi
# Both sides read from the page cache: the disk is not what is compared.
cat "$reference" "$current" > /dev/null
echo "$rows + $rows rows, 20 numeric and 5 categorical columns, $(nproc) processors"
"$venv/bin/python" benches/drift_measure.py "$binary" "$reference" "$current" "$runs"
