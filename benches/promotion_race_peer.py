"""The promotion race against MLflow's SQLAlchemy model registry: see promotion_race.sh.

usage: promotion_race_peer.py DATABASE_URL ROUNDS

Every racer is a process with a store of its own, as every MLflow server worker has; all start a round together.
"""

import collections
import logging
import multiprocessing
import sys
import time
import warnings

RACERS = 8
MODEL = "flight_delay"


def store(url):
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore(url)


def racer(url, version, rounds, start, done, answers):
    mine = store(url)
    for _ in range(rounds):
        start.wait()
        try:
            mine.transition_model_version_stage(MODEL, version, "Production", archive_existing_versions=True)
            answers.put(None)
        except Exception as error:  # noqa: BLE001: whatever it is, it is counted
            answers.put(type(error).__name__)
        done.wait()


def main():
    url, rounds = sys.argv[1], int(sys.argv[2])
    import mlflow

    main_store = store(url)
    main_store.create_registered_model(MODEL)
    for _ in range(RACERS):
        main_store.create_model_version(MODEL, source="file:///models/m", run_id=None)
    # Not forked: a connection must not be shared by two processes.
    fresh = multiprocessing.get_context("spawn")
    start, done = fresh.Barrier(RACERS + 1), fresh.Barrier(RACERS + 1)
    answers = fresh.Queue()
    racers = [
        fresh.Process(target=racer, args=(url, n + 1, rounds, start, done, answers), daemon=True)
        for n in range(RACERS)
    ]
    for process in racers:
        process.start()
    counts, errors, promoted, elapsed = collections.Counter(), collections.Counter(), 0, 0.0
    for _ in range(rounds):
        start.wait()
        began = time.monotonic()
        for _ in range(RACERS):
            error = answers.get()
            promoted += error is None
            errors[error] += error is not None
        elapsed += time.monotonic() - began
        versions = [main_store.get_model_version(MODEL, str(n + 1)) for n in range(RACERS)]
        counts[sum(version.current_stage == "Production" for version in versions)] += 1
        done.wait()
    for process in racers:
        process.join()
    spread = ", ".join(f"{n} in production: {times}" for n, times in sorted(counts.items()))
    failed = ", ".join(f"{name}: {n}" for name, n in errors.items() if n) or "none"
    print(
        f"mlflow {mlflow.__version__}: {RACERS} racers, {rounds} rounds, exactly one in production after {counts[1]} "
        f"({spread}), {promoted} promotions, errors {failed}, {elapsed:.1f} s"
    )


if __name__ == "__main__":
    main()
