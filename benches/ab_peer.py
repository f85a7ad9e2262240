"""The A/B benchmark and its peer: scipy and statsmodels on the same rows, as people write it.

usage: ab_peer.py measure BINARY FOLDER ROWS RUNS     makes the rows, runs both sides, compares results, prints times
       ab_peer.py peer FILE TEST                      one evaluation by the peer, as one JSON object
"""

import json
import os
import statistics
import subprocess
import sys
import time

# Steward's test, the outcome column it is for, and how closely the p-values have to agree (relative).
TESTS = [
    ("t_test", "revenue", 1e-9),
    ("student_t_test", "revenue", 1e-9),
    ("mann_whitney", "revenue", 1e-9),
    ("proportions_z_test", "converted", 1e-9),
    ("chi_square", "converted", 1e-9),
    # scipy sums logarithms of factorials, whose digits end here.
    ("fisher_exact", "converted", 1e-5),
]
# Steward's plan, and the peer's number of rows in A for it.
PLANS = [("0.1", None, "0.02"), ("0.5", None, "0.05"), ("181", "40", "0.05"), ("10", "3", "0.01")]


def make(path, rows):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(7)
    arms = []
    for variant, shift in (("a", 0.0), ("b", 0.004)):
        revenue = random.gamma(2.0, 10.0, rows) * (1.0 + shift)
        converted = (random.random(rows) < 0.1 * (1.0 + shift)).astype(np.int8)
        arms.append(pa.table({"variant": [variant] * rows, "revenue": revenue, "converted": converted}))
    table = pa.concat_tables(arms)
    pq.write_table(table.take(random.permutation(len(table))), path)


def peer(path, test):
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from scipy import stats
    from statsmodels.stats.proportion import proportions_ztest

    column = dict((name, outcome) for name, outcome, _ in TESTS)[test]
    table = pq.read_table(path, columns=["variant", column])
    a, b = (table.filter(pc.equal(table["variant"], v))[column].to_numpy() for v in "ab")
    ones, zeros = [int(b.sum()), int(a.sum())], [int((1 - b).sum()), int((1 - a).sum())]
    p = {
        "t_test": lambda: stats.ttest_ind(b, a, equal_var=False).pvalue,
        "student_t_test": lambda: stats.ttest_ind(b, a).pvalue,
        "mann_whitney": lambda: stats.mannwhitneyu(b, a).pvalue,
        "proportions_z_test": lambda: proportions_ztest(ones, [len(b), len(a)])[1],
        "chi_square": lambda: stats.chi2_contingency(np.array([ones, zeros]), correction=False).pvalue,
        "fisher_exact": lambda: stats.fisher_exact(np.array([ones, zeros])).pvalue,
    }[test]()
    json.dump({"n_a": len(a), "n_b": len(b), "absolute_difference": float(b.mean() - a.mean()), "p_value": float(p)}, sys.stdout)


def timed(command, runs):
    times, output = [], None
    for _ in range(runs):
        start = time.perf_counter()
        result = subprocess.run(command, check=True, capture_output=True, text=True)
        times.append(time.perf_counter() - start)
        output = json.loads(result.stdout)
    return statistics.median(times), output


def peer_rows(baseline, sd, lift):
    from scipy.stats import norm
    from statsmodels.stats.power import TTestIndPower

    baseline, lift = float(baseline), float(lift)
    if sd is None:
        improved = baseline * (1 + lift)
        pooled = (baseline + improved) / 2
        spread = norm.isf(0.025) * (2 * pooled * (1 - pooled)) ** 0.5
        spread += norm.isf(0.2) * (baseline * (1 - baseline) + improved * (1 - improved)) ** 0.5
        return (spread / (improved - baseline)) ** 2
    return TTestIndPower().solve_power(effect_size=lift * baseline / float(sd), alpha=0.05, power=0.8)


def measure(binary, folder, rows, runs):
    path = os.path.join(folder, f"ab-{rows}.parquet")
    if not os.path.exists(path):
        make(path, rows)
    # Both sides read from the page cache: the disk is not what is compared.
    with open(path, "rb") as file:
        while file.read(1 << 24):
            pass
    print(f"{rows} + {rows} rows, {os.cpu_count()} processors, median of {runs} runs, start of the process included")
    print(f"{'test':20} {'steward s':>10} {'peer s':>10} {'times':>6}  {'p of steward':>24} {'p of the peer':>24}")
    wrong = []
    for test, column, tolerance in TESTS:
        ours = [binary, "ab", "evaluate", "--data", path, "--variant", "variant", "--outcome", column, "--test", test, "--output", "json"]
        our_time, our = timed(ours, runs)
        their_time, their = timed([sys.executable, __file__, "peer", path, test], runs)
        print(
            f"{test:20} {our_time:10.3f} {their_time:10.3f} {their_time / our_time:6.1f}"
            f"  {our['p_value']:24.17g} {their['p_value']:24.17g}"
        )
        for field, within in (("n_a", 0), ("n_b", 0), ("absolute_difference", 1e-9), ("p_value", tolerance)):
            if abs(our[field] - their[field]) > within * abs(their[field]):
                wrong.append(f"{test}: {field} {our[field]} and {their[field]}")
    for baseline, sd, lift in PLANS:
        command = [binary, "ab", "plan", "--baseline", baseline, "--lift", lift, "--output", "json"]
        _, our = timed(command + (["--sd", sd] if sd else []), 1)
        their = peer_rows(baseline, sd, lift)
        print(f"plan {baseline} {sd or '-'} {lift}: {our['n_a']} rows in A, the peer {their:.3f}")
        if not -1e-3 <= our["n_a"] - their <= 1.001:
            wrong.append(f"plan {baseline} {sd} {lift}: {our['n_a']} and {their}")
    for line in wrong:
        print("DIFFERS", line)
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1] == "peer":
        peer(sys.argv[2], sys.argv[3])
    else:
        sys.exit(measure(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
