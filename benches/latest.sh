#!/usr/bin/env bash
# Latency of `GET /governance/models/{name}/latest` with 10,000 versions of the model, at 1,000 requests a second.
#
# usage: benches/latest.sh [SECONDS] [RUNS]     (10 and 3 by default)
#
# The load is open: a request is due every millisecond, and its time counts from when it was due, so that a server that stalls
# cannot hide it. Sets itself up: a private server with a folder of its own, filled over HTTP. Needs target/release/steward
# (STEWARD_BENCH_BINARY names another) and python3.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
runs=${2:-3}
binary=$(realpath "${STEWARD_BENCH_BINARY:-target/release/steward}")
[ -x "$binary" ] || { echo "no $binary: run cargo build --release first" >&2; exit 2; }
work=$(mktemp -d /tmp/steward-latest-XXXXXX)
chmod 755 "$work"
(cd "$work" && exec env -u DATABASE_URL "$binary" api --data-dir "$work/data" --set server.listen=127.0.0.1:0 2>"$work/log") &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
url=''
for _ in $(seq 300); do
    url=$(sed -n 's|.*url="\(http://[^"]*\)/reference".*|\1|p' "$work/log" | head -n 1)
    [ -n "$url" ] && break
    kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
done
python3 benches/latest_load.py "$url" "$seconds" "$runs"
