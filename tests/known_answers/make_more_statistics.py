"""Writes more_statistics.json: tails, quantiles, intervals and adjustments at places the first file does not look at.

    python make_more_statistics.py

Needs numpy, scipy, statsmodels and mpmath.
"""

import json
import warnings
from pathlib import Path

import mpmath as mp
import numpy as np
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests

warnings.simplefilter("ignore")
mp.mp.dps = 60
draws = np.random.default_rng(4)
cases = []


def case(identity, function, inputs, expected, source, rtol=1e-10, atol=0.0):
    cases.append({"id": identity, "group": "more", "function": function, "inputs": inputs, "expected": expected, "source": source,
                  "rtol": rtol, "atol": atol})


def probability(p):
    if p < mp.mpf("2.3e-308"):
        return {"underflows_f64": True, "log10": float(mp.log10(p)), "ln": float(mp.log(p))}
    return float(p)


for z in (-8.0, -0.5, 1e-8, 0.3, 3.0, 12.0, 37.0, 38.6, 100.0):
    upper = mp.erfc(mp.mpf(z) / mp.sqrt(2)) / 2
    case(f"more.normal.{z}", "normal_sf", {"z": z}, {"sf": probability(upper), "two_sided": probability(mp.erfc(abs(mp.mpf(z)) / mp.sqrt(2)))}, "mpmath")
for x, df in ((0.001, 1), (3.84, 1), (700.0, 3), (1500.0, 1), (40.0, 49), (1100.0, 1000), (5000.0, 1000), (1e5, 10)):
    case(f"more.chi2.{x}.{df}", "chi2_sf", {"x": x, "df": df}, {"p": probability(mp.gammainc(mp.mpf(df) / 2, mp.mpf(x) / 2, regularized=True))}, "mpmath")
for t, df in ((0.01, 1), (2.0, 2.5), (30.0, 3), (12.0, 200), (40.0, 5000), (1e6, 4)):
    x = mp.mpf(df) / (df + mp.mpf(t) ** 2)
    case(f"more.t.{t}.{df}", "student_t_two_sided_p", {"t": t, "df": df}, {"p": probability(mp.betainc(mp.mpf(df) / 2, 0.5, 0, x, regularized=True))}, "mpmath")
for f, a, b in ((0.1, 3, 40), (4.0, 1, 10), (50.0, 7, 300), (9.0, 200, 2000)):
    x = mp.mpf(b) / (b + a * mp.mpf(f))
    case(f"more.f.{f}.{a}.{b}", "f_sf", {"f": f, "df1": a, "df2": b}, {"p": probability(mp.betainc(mp.mpf(b) / 2, mp.mpf(a) / 2, 0, x, regularized=True))}, "mpmath")
for name, values in (
    ("normal", np.round(draws.normal(0, 1, 37), 3)), ("ties", draws.integers(0, 4, 30)), ("two", [1.0, 2.0]), ("one", [5.0]),
    ("offset", 1e9 + np.round(draws.random(11), 3)), ("huge", [-1e308, 1e308]),
):
    values = [float(v) for v in values]
    shares = [0.0, 0.01, 0.1, 0.25, 1 / 3, 0.5, 0.9, 0.99, 1.0]
    expected = [0.0 if name == "huge" and q == 0.5 else float(np.quantile(values, q)) for q in shares] if name != "huge" else [float((1 - mp.mpf(q)) * mp.mpf(-1e308) + mp.mpf(q) * mp.mpf(1e308)) for q in shares]
    case(f"more.quantiles.{name}", "quantiles_type_7", {"x": values, "q": shares}, {"quantiles": expected}, "numpy quantile (linear); exact where it overflows", 1e-14, 1e-14)
for k, n, p0 in ((3, 40, 0.2), (17, 40, 0.2), (40, 40, 0.97), (0, 3, 0.01), (700, 1000, 0.5), (1, 1, 0.5), (5_200, 10_000, 0.5), (12, 25, 0.48)):
    test = stats.binomtest(k, n, p0)
    exact, wilson = test.proportion_ci(0.95, "exact"), test.proportion_ci(0.95, "wilson")
    p = float(test.pvalue)
    if p < 2.3e-308:
        p = 2 * mp.betainc(k, n - k + 1, 0, p0, regularized=True)
        p = probability(p)
    case(f"more.binom.{k}.{n}.{p0}", "binom_test", {"k": k, "n": n, "p0": p0},
         {"p_two_sided": p, "ci95_clopper_pearson": [float(exact.low), float(exact.high)], "ci95_wilson": [float(wilson.low), float(wilson.high)]},
         "scipy binomtest; mpmath where that underflows", 1e-8, 1e-12)
for r, n in ((0.0, 10), (-0.95, 12), (0.3, 4), (0.999, 1000)):
    low, high = (mp.tanh(mp.atanh(mp.mpf(r)) + s * mp.mpf("1.959963984540054235524594430520551527555550260") / mp.sqrt(n - 3)) for s in (-1, 1))
    case(f"more.fisher_z.{r}.{n}", "fisher_z_interval", {"r": r, "n": n}, {"ci": [float(low), float(high)]}, "mpmath", 1e-10, 1e-14)
for name, p in (("random", draws.random(17)), ("small", draws.random(9) ** 4), ("ties", np.round(draws.random(12), 1)), ("extremes", [0.0, 1.0, 1e-300, 0.5]), ("one", [0.2])):
    p = [float(v) for v in p]
    expected = {}
    for method in ("bonferroni", "holm", "sidak", "holm-sidak", "simes-hochberg", "hommel", "fdr_bh", "fdr_by"):
        if name == "extremes" and "sidak" in method:
            # 1 - (1 - p)^m is 0 for p = 1e-300 in doubles; the product is m p there.
            continue
        expected[method] = [float(v) for v in multipletests(p, method=method)[1]]
    case(f"more.p_adjust.{name}", "p_adjust", {"p": p}, expected, "statsmodels multipletests", 1e-10, 1e-15)
for name, x in (("ar", np.cumsum(draws.normal(0, 1, 60))), ("offset", 1e8 + np.round(draws.normal(0, 1, 40), 2))):
    x = [float(v) for v in x]
    exact = [mp.mpf(v) for v in x]
    mean = mp.fsum(exact) / len(x)
    d = [v - mean for v in exact]
    squares = mp.fsum(v * v for v in d)
    case(f"more.mean_sd.{name}", "mean_sd", {"x": x},
         {"mean": float(mean), "sd_ddof1": float(mp.sqrt(squares / (len(x) - 1))), "lag1_autocorr": float(mp.fsum(a * b for a, b in zip(d, d[1:])) / squares)},
         "mpmath on the doubles", 1e-13)

document = {
    "meta": {"title": "More known answers for statistics",
             "generated_with": {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__, "mpmath": mp.__version__},
             "script": "make_more_statistics.py", "n_cases": len(cases)},
    "cases": cases,
}
assert len({c["id"] for c in cases}) == len(cases)
Path(__file__).with_name("more_statistics.json").write_text(json.dumps(document, indent=1) + "\n")
