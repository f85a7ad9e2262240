"""Runs `steward drift check` and its peer side by side, compares their statistics, prints medians and the ratio.

usage: drift_measure.py STEWARD REFERENCE CURRENT RUNS

Each run is a process of its own, timed from its start to its end, with the peak memory the kernel saw (wait4). The two
take turns, so that a busy machine is busy for both. Fails when a D statistic differs by more than 1e-12.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOLERANCE = 1e-12


def run(command):
    """Output, seconds and peak memory in MiB of one process; 1 means that drift was found, which is fine."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in (0, 1):
            sys.exit(f"{' '.join(map(str, command))} ended with {child.returncode}")
        out.seek(0)
        return json.load(out), seconds, usage.ru_maxrss / 1024


def checks(report):
    """The list of checks, wherever the report keeps it."""
    for found in (report, report.get("report", {}), report.get("result", {})):
        if isinstance(found, dict) and isinstance(found.get("columns"), list):
            return found["columns"]
    sys.exit(f"no list of columns in the report; its keys are {sorted(report)}")


def compare(report, peer):
    """How many D statistics agree; exits when one does not."""
    ours = {check["column"]: check for check in checks(report) if check.get("method") == "ks_test"}
    theirs = {name: found for name, found in peer["columns"].items() if found["method"] == "ks_test"}
    if set(ours) != set(theirs):
        sys.exit(f"other columns judged by ks_test: {sorted(set(ours) ^ set(theirs))}")
    worst = 0.0
    for name, found in sorted(theirs.items()):
        difference = abs(ours[name]["score"] - found["statistic"])
        worst = max(worst, difference)
        if not difference <= TOLERANCE:
            sys.exit(f"D of {name}: {ours[name]['score']!r} here, {found['statistic']!r} there")
    return len(theirs), worst


def main():
    steward, reference, current, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    peer = [sys.executable, str(Path(__file__).with_name("drift_peer.py")), reference, current]
    own = [steward, "drift", "check", "--reference", reference, "--current", current, "--output", "json"]
    figures = {"steward": [], "peer": []}
    agreed = None
    for _ in range(runs):
        report, *figure = run(own)
        figures["steward"].append(figure)
        answer, *figure = run(peer)
        figures["peer"].append(figure)
        agreed = compare(report, answer)
    for name, found in figures.items():
        times = sorted(seconds for seconds, _ in found)
        peak = max(memory for _, memory in found)
        print(f"{name:8} median {statistics.median(times):8.3f} s  ({times[0]:.3f} - {times[-1]:.3f})  peak {peak:8.0f} MiB")
    medians = [statistics.median(seconds for seconds, _ in found) for found in figures.values()]
    print(f"ratio    {medians[1] / medians[0]:.1f}x over {runs} runs")
    print(f"D        {agreed[0]} statistics agree, largest difference {agreed[1]:.1e}")


if __name__ == "__main__":
    main()
