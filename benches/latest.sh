#!/usr/bin/env bash
# Latency of `GET /governance/models/{name}/latest` with 10,000 versions of the model, at 1,000 requests a second.
#
# usage: benches/latest.sh [SECONDS] [RUNS]     (10 and 3 by default)
#
# The load is oha at a fixed rate with its correction for coordinated omission: a request's time counts from when it was due, so that a
# server that stalls cannot hide it. Sets itself up: oha into target/bench-tools when it is not installed, a private
# server with a folder of its own, filled over HTTP. Needs target/release/steward (STEWARD_BENCH_BINARY names another) and python3.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
runs=${2:-3}
rate=1000
binary=$(realpath "${STEWARD_BENCH_BINARY:-target/release/steward}")
[ -x "$binary" ] || { echo "no $binary: run cargo build --release first" >&2; exit 2; }
oha=$(command -v oha || echo target/bench-tools/bin/oha)
if [ ! -x "$oha" ]; then
    echo 'building oha, the load generator (once; a few minutes)' >&2
    cargo install --quiet oha --version 1.14.0 --locked --no-default-features --features rustls --root target/bench-tools
fi
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
python3 benches/latest_fill.py "$url"

# load SECONDS FILE: the report of one run as JSON
load() {
    "$oha" --no-tui --output-format json -q "$rate" -c 16 -z "${1}s" --latency-correction "$url/governance/models/bench/latest" >"$2"
}
load 2 "$work/warm.json"
for run in $(seq "$runs"); do
    load "$seconds" "$work/run-$run.json"
done
python3 - "$rate" "$work"/run-*.json <<'PYTHON'
import json, statistics, sys

p99 = []
for run, path in enumerate(sys.argv[2:], 1):
    report = json.load(open(path))
    # Requests that the end of the run cuts off are no answers.
    failed = {k: n for k, n in report["statusCodeDistribution"].items() if k != "200"}
    lost = {k: n for k, n in report["errorDistribution"].items() if k != "aborted due to deadline"}
    if failed or lost:
        sys.exit(f"unexpected answers: {failed} {lost}")
    at = {k: v * 1e3 for k, v in report["latencyPercentiles"].items()}
    p99.append(at["p99"])
    count, second = sum(report["statusCodeDistribution"].values()), report["summary"]["requestsPerSec"]
    print(f"run {run}: {count} requests at {second:.0f}/s: p50 {at['p50']:.2f} ms, p99 {at['p99']:.2f} ms, p99.9 {at['p99.9']:.2f} ms")
print(f"p99, median of {len(p99)} runs at {sys.argv[1]}/s: {statistics.median(p99):.2f} ms (goal: under 5 ms)")
PYTHON
