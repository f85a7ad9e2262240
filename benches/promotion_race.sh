#!/usr/bin/env bash
# The promotion race: 8 that promote 8 versions of one model into production at the same time, round after round; Steward's
# registry and the model registry of MLflow's SQLAlchemy store, on the same private PostgreSQL server.
#
# usage: benches/promotion_race.sh [ROUNDS] [MLFLOW_ROUNDS]     (1000 and 50 by default; MLflow's rounds are slow)
#
# Printed for both: after how many rounds exactly one version was in production, errors, seconds. Needs cargo, the
# programs of PostgreSQL and python3 with venv; the Python packages go to target/race-venv, made once.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-1000}
mlflow_rounds=${2:-50}
venv=${STEWARD_RACE_VENV:-target/race-venv}

bin=''
IFS=: read -ra path <<<"$PATH"
for folder in "${path[@]}" $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin 2>/dev/null | sort -rV); do
    if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ]; then
        bin=$folder
        break
    fi
done
[ -n "$bin" ] || { echo 'error: no PostgreSQL programs (initdb, pg_ctl); run `make postgres`' >&2; exit 1; }
if ! "$venv/bin/python" -c 'import mlflow, psycopg2' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet mlflow psycopg2-binary
fi

work=$(mktemp -d /tmp/steward-race-XXXXXX)
chmod 755 "$work"
user=()
if [ "$(id -u)" -eq 0 ]; then # PostgreSQL never runs as root.
    account=$(id -un postgres 2>/dev/null || echo nobody)
    chown "$account" "$work"
    user=(setpriv --reuid "$account" --regid "$(id -g "$account")" --clear-groups)
fi
stop() {
    (cd / && "${user[@]}" "$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1) || true
    rm -rf "$work"
}
trap stop EXIT
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
(
    cd /
    "${user[@]}" "$bin/initdb" -D "$work/data" -U steward -A trust -E UTF8 --locale C --no-sync >/dev/null
    "${user[@]}" "$bin/pg_ctl" -D "$work/data" -l "$work/log" -w \
        -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$work" start >/dev/null
)
server="steward@127.0.0.1:$port"

echo "8 racers, $(nproc) processors, PostgreSQL $("$bin/postgres" --version | awk '{print $3}'), its usual settings"
STEWARD_RACE_ROUNDS=$rounds STEWARD_TEST_DATABASE_URL="postgres://$server/postgres" \
    cargo test --quiet --test it -- --ignored --exact --nocapture registry::race::registry_race_1000 2>&1 |
    sed -n 's/.*RACE //p; /panicked/,$p'
[ "${PIPESTATUS[0]}" -eq 0 ] || { echo 'error: the race of Steward failed' >&2; exit 1; }
"$venv/bin/python" benches/promotion_race_peer.py "postgresql+psycopg2://$server/postgres" "$mlflow_rounds"
