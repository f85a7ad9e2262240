"""Writes distances.json: distances between samples and their tests, for what the first files do not cover.

    python make_distances.py

Needs numpy, scipy and mpmath. scipy gives what it defines; exact counts are made here with whole numbers, limit distributions with
mpmath from other formulas than the crate uses, and the scores that are the crate's own from their definitions (by adding up over
pairs, and by quadrature).
"""

import json
from fractions import Fraction
from math import comb, gcd
from pathlib import Path

import mpmath as mp
import numpy as np
import scipy
from scipy import integrate, stats
from scipy.spatial.distance import jensenshannon

mp.mp.dps = 60
draws = np.random.default_rng(20261127)
cases = []


def case(identity, function, inputs, expected, source, rtol=1e-9, atol=1e-12, notes=None):
    entry = {"id": identity, "group": "distances", "function": function, "inputs": inputs, "expected": expected,
             "source": source, "rtol": rtol, "atol": atol}
    if notes:
        entry["notes"] = notes
    cases.append(entry)


def probability(value):
    """A probability as the files write it: below the smallest double as its logarithm."""
    value = mp.mpf(value) if not isinstance(value, Fraction) else mp.mpf(value.numerator) / value.denominator
    if value < mp.mpf("2.3e-308"):
        return {"underflows_f64": True, "log10": float(mp.log10(value)), "ln": float(mp.log(value))}
    return float(value)


def rounded(values, decimals=3):
    return [float(v) for v in np.round(values, decimals)]


# Kolmogorov-Smirnov -------------------------------------------------------------------------------------------------------


def ks_exact(x, y):
    """P(D >= d) over all orders, conditional on the ties: paths counted with whole numbers."""
    n, m = len(x), len(y)
    pooled = sorted(set(x) | set(y))
    ends, seen = set(), 0
    for value in pooled:
        seen += x.count(value) + y.count(value)
        ends.add(seen)
    distance = max(abs(sum(v <= t for v in x) * m - sum(v <= t for v in y) * n) for t in pooled)
    row = [0] * (m + 1)
    for i in range(n + 1):
        for j in range(m + 1):
            if i + j == 0:
                row[j] = 1
                continue
            paths = (row[j] if i > 0 else 0) + (row[j - 1] if j > 0 else 0)
            outside = (i + j) in ends and abs(i * m - j * n) >= distance
            row[j] = 0 if outside else paths
    return Fraction(comb(n + m, n) - row[m], comb(n + m, n)) if distance else Fraction(1)


def kolmogorov(x):
    return mp.nsum(lambda k: 2 * (-1) ** (int(k) - 1) * mp.exp(-2 * k * k * mp.mpf(x) ** 2), [1, 60], method="direct")


def ks_case(identity, x, y):
    x, y = [float(v) for v in x], [float(v) for v in y]
    n, m = len(x), len(y)
    d = stats.ks_2samp(x, y, method="asymp").statistic
    expected = {"D": float(d), "p_kolmogorov_limit": probability(kolmogorov(mp.mpf(float(d)) * mp.sqrt(mp.mpf(n * m) / (n + m)))) if d else 1.0}
    if n * m <= 1_000_000:
        expected["p_exact_conditional_on_ties"] = probability(ks_exact(x, y))
    case(identity, "ks_2samp_two_sided", {"x": x, "y": y}, expected,
         "scipy ks_2samp statistic; limit by mpmath; exact by counting paths with whole numbers", 1e-9)
    if len(set(x) | set(y)) == n + m and n * m <= 10_000:
        scipys = stats.ks_2samp(x, y, method="exact").pvalue
        ours = float(ks_exact(x, y))
        assert abs(scipys / ours - 1) < 1e-9, (identity, scipys, ours)


ks_case("ks.more.ties.few_values", draws.integers(0, 4, 30), draws.integers(0, 4, 25) + (draws.random(25) < 0.4))
ks_case("ks.more.ties.zero_inflated", np.maximum(0, rounded(draws.normal(0, 1, 60), 1)), np.maximum(0, rounded(draws.normal(0.6, 1, 45), 1)))
ks_case("ks.more.ties.one_value_each", [3.0] * 12, [2.0] * 9)
ks_case("ks.more.ties.same_constant", [3.0] * 12, [3.0] * 9)
ks_case("ks.more.no_ties.unequal", rounded(draws.normal(0, 1, 80), 6), rounded(draws.normal(0.4, 1.3, 37), 6))
ks_case("ks.more.one_row", [1.5], [0.5, 1.0, 2.0, 3.0])
ks_case("ks.more.apart", range(90), range(100, 200))
ks_case("ks.more.negative_zero", [-0.0, 0.0, 1.0, -1.0], [0.0, 0.0, 0.0, 1.0, 2.0])
ks_case("ks.more.offset", [1e9 + v for v in (0, 1, 1, 0, 1)], [1e9 + v for v in (1, 1, 1, 1, 0, 1)])
for x in (0.02, 0.2, 0.5, 1.0, 1.18, 2.0, 5.0, 18.0, 26.0, 40.0):
    # The series in powers of exp(-x^2) does not converge for small x; the other one does there.
    theta = 1 - mp.sqrt(2 * mp.pi) / x * mp.nsum(lambda k: mp.exp(-(2 * k - 1) ** 2 * mp.pi**2 / (8 * mp.mpf(x) ** 2)), [1, 40], method="direct")
    case(f"ks.limit.{x}", "kolmogorov_limiting_sf", {"x": x}, {"p": probability(theta if x < 1 else kolmogorov(x))}, "mpmath, 60 digits", 1e-10, 0.0)

# Cramer-von Mises and Anderson-Darling ------------------------------------------------------------------------------------


def cvm_limit(x):
    """Anderson and Darling 1952, by Bessel functions: another formula than Smirnov's."""
    x = mp.mpf(x)
    total = mp.mpf(0)
    for k in range(200):
        y = 4 * k + 1
        q = mp.mpf(y) ** 2 / (16 * x)
        term = mp.gamma(k + mp.mpf(1) / 2) / mp.factorial(k) * mp.sqrt(y) * mp.exp(-q) * mp.besselk(mp.mpf(1) / 4, q)
        total += term
        if k > 3 and term < mp.mpf(10) ** -(mp.mp.dps - 2):
            break
    return 1 - total / (mp.pi ** (mp.mpf(3) / 2) * mp.sqrt(x))


def ad_limit(x):
    """Anderson and Darling 1954, equation for the limit as a series of integrals."""
    x = mp.mpf(x)
    total = mp.mpf(0)
    for j in range(60):
        a = (4 * j + 1) ** 2 * mp.pi**2 / (8 * x)
        integral = mp.quad(lambda w: mp.exp(x / (8 * (w * w + 1)) - a * w * w), [0, 0.25, 0.5, 1, 2, 4, 8, 16, mp.inf])
        term = (-1) ** j * mp.gamma(j + mp.mpf(1) / 2) / mp.gamma(mp.mpf(1) / 2) / mp.factorial(j) * (4 * j + 1) * mp.exp(-a) * integral
        total += term
        if abs(term) < mp.mpf(10) ** -(mp.mp.dps - 5):
            break
    return 1 - mp.sqrt(2 * mp.pi) / x * total


for x in (0.01, 0.03, 0.1, 1 / 6, 0.5, 0.74346, 1.5, 3.0, 8.0):
    case(f"cvm.limit.{x:.4g}", "cramer_von_mises_limiting_sf", {"x": x}, {"p": probability(cvm_limit(x))}, "mpmath, 60 digits, by Bessel functions", 1e-10, 0.0)
for x in (0.1, 0.3, 1.0, 2.4924, 3.8781, 6.0, 12.0, 30.0):
    case(f"ad.limit.{x:.4g}", "anderson_darling_limiting_sf", {"x": x}, {"p": probability(ad_limit(x))}, "mpmath, 60 digits, by the series of 1954", 1e-10, 0.0)


def cvm_case(identity, x, y, exact=True):
    x, y = [float(v) for v in x], [float(v) for v in y]
    asymptotic = stats.cramervonmises_2samp(x, y, method="asymptotic")
    expected = {"T": float(asymptotic.statistic), "p_asymptotic": float(asymptotic.pvalue)}
    if exact:
        expected["p_exact"] = float(stats.cramervonmises_2samp(x, y, method="exact").pvalue)
    case(identity, "cramervonmises_2samp", {"x": x, "y": y}, expected, "scipy cramervonmises_2samp", 1e-7, 1e-9)


cvm_case("cvm.more.no_ties.7_5", rounded(draws.normal(0, 1, 7), 5), rounded(draws.normal(1, 1, 5), 5))
cvm_case("cvm.more.no_ties.13_17", rounded(draws.normal(0, 1, 13), 5), rounded(draws.normal(0.5, 2, 17), 5))
cvm_case("cvm.more.no_ties.20_20_apart", range(20), range(30, 50))
cvm_case("cvm.more.ties", draws.integers(0, 6, 18), draws.integers(1, 7, 15), exact=False)
cvm_case("cvm.more.large", rounded(draws.normal(0, 1, 400), 5), rounded(draws.normal(0.1, 1, 300), 5), exact=False)


def ad_case(identity, *samples):
    samples = [[float(v) for v in s] for s in samples]
    midrank = stats.anderson_ksamp(samples, variant="midrank")
    right = stats.anderson_ksamp(samples, variant="right")
    case(identity, "anderson_ksamp", {"samples": samples},
         {"A2kN_midrank_normalised": float(midrank.statistic), "A2_right_normalised": float(right.statistic),
          "p_scipy_interpolated_capped": float(midrank.pvalue)},
         "scipy anderson_ksamp", 1e-8, 1e-9)


ad_case("adk.more.two", rounded(draws.normal(0, 1, 30)), rounded(draws.normal(0.5, 1, 41)))
ad_case("adk.more.two.ties", draws.integers(0, 5, 40), draws.integers(0, 6, 25))
ad_case("adk.more.two.alike", rounded(draws.normal(0, 1, 30)), rounded(draws.normal(0, 1, 30)))
ad_case("adk.more.two.apart", range(30), range(40, 75))
ad_case("adk.more.three", rounded(draws.normal(0, 1, 12)), rounded(draws.normal(0.6, 1, 15)), rounded(draws.normal(0, 2, 9)))
ad_case("adk.more.six.ties", *[draws.integers(0, 4 + k // 2, 10 + k) for k in range(6)])
ad_case("adk.more.tiny", [1.0, 2.0], [1.5, 3.0, 4.0])

# Wasserstein, energy and divergences ---------------------------------------------------------------------------------------


def w_case(identity, x, y, xw=None, yw=None, rtol=1e-10):
    x, y = [float(v) for v in x], [float(v) for v in y]
    case(identity, "wasserstein_1", {"x": x, "y": y, "x_weights": xw, "y_weights": yw},
         {"w1": float(stats.wasserstein_distance(x, y, xw, yw)), "energy_distance": float(stats.energy_distance(x, y, xw, yw))},
         "scipy wasserstein_distance, energy_distance", rtol)


w_case("wasserstein.more.plain", rounded(draws.lognormal(0, 1, 80)), rounded(draws.lognormal(0.4, 1, 55)))
w_case("wasserstein.more.ties", draws.integers(0, 5, 40), draws.integers(1, 7, 30))
w_case("wasserstein.more.weights", rounded(draws.normal(0, 1, 30)), rounded(draws.normal(1, 2, 20)), rounded(draws.random(30) + 0.1), rounded(draws.random(20) * 5 + 0.1))
w_case("wasserstein.more.one_side_weighted", [1, 2, 3, 4], [2, 2, 5], [1, 0, 2, 4], None)
w_case("wasserstein.more.one_row", [3], [-4])
w_case("wasserstein.more.same", [1, 2, 3], [3, 1, 2])


def divergence_case(identity, p, q):
    p, q = np.array(p, float), np.array(q, float)
    a, b = p / p.sum(), q / q.sum()

    def index(floor):
        u, v = np.maximum(a, floor), np.maximum(b, floor)
        keep = u != v
        with np.errstate(divide="ignore"):
            return float(np.sum((v - u)[keep] * np.log(v[keep] / u[keep])))

    # scipy's own sums cancel for near shares: js 4.4e-5 off for div.more.near.
    s, t = [mp.mpf(v) / mp.mpf(p.sum()) for v in p], [mp.mpf(v) / mp.mpf(q.sum()) for v in q]
    entropy = lambda u, v: mp.inf if any(x and not y for x, y in zip(u, v)) else mp.fsum(x * mp.log(x / y) for x, y in zip(u, v) if x)
    middle = [(x + y) / 2 for x, y in zip(s, t)]
    nats = (entropy(s, middle) + entropy(t, middle)) / 2
    assert abs(jensenshannon(p, q) - float(mp.sqrt(nats))) < 1e-8
    finite = lambda value: float(value) if np.isfinite(float(value)) else "Infinity"
    case(identity, "categorical_divergences", {"p_ref": p.tolist(), "q_cur": q.tolist()},
         {"js_distance_base_e": float(mp.sqrt(nats)), "js_distance_base2": float(mp.sqrt(nats / mp.log(2))),
          "js_divergence_base2": float(nats / mp.log(2)), "kl_p_q_nats": finite(entropy(s, t)), "kl_q_p_nats": finite(entropy(t, s)),
          "hellinger": float(mp.sqrt(mp.fsum((mp.sqrt(x) - mp.sqrt(y)) ** 2 for x, y in zip(s, t)) / 2)),
          "total_variation": float(mp.fsum(abs(x - y) for x, y in zip(s, t)) / 2),
          "psi_floor_1e-4": index(1e-4), "psi_raw": finite(index(0.0))},
         "mpmath by the definitions (scipy jensenshannon agrees to 1e-8)", 1e-9)


divergence_case("div.more.zeros", [0, 5, 10, 0], [3, 0, 12, 0])
divergence_case("div.more.apart", [1, 0], [0, 1])
divergence_case("div.more.many", draws.integers(1, 400, 40), draws.integers(1, 300, 40))
divergence_case("div.more.near", [1000003, 999999, 1000001], [1000000, 1000001, 1000002])


def table_case(identity, table):
    pearson = stats.chi2_contingency(table, correction=False)
    yates = stats.chi2_contingency(table, correction=True)
    g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    n, (r, c) = np.sum(table), np.shape(table)
    phi2 = pearson.statistic / n
    rc, cc = r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)
    corrected = np.sqrt(max(0, phi2 - (r - 1) * (c - 1) / (n - 1)) / (min(rc, cc) - 1))
    case(identity, "chi2_contingency", {"table": [[int(v) for v in row] for row in table]},
         {"yates": {"chi2": float(yates.statistic), "df": int(yates.dof), "p": float(yates.pvalue)},
          "pearson": {"chi2": float(pearson.statistic), "df": int(pearson.dof), "p": float(pearson.pvalue)},
          "g_test": {"G": float(g.statistic), "p": float(g.pvalue)}, "expected": pearson.expected_freq.tolist(),
          "cramers_v": float(np.sqrt(phi2 / (min(r, c) - 1))), "cramers_v_bias_corrected": float(corrected)},
         "scipy chi2_contingency; V and its correction by Bergsma's formulas", 1e-9)
    assert abs(np.sqrt(phi2 / (min(r, c) - 1)) - stats.contingency.association(np.array(table), "cramer")) < 1e-12


table_case("chi2.more.3x5", draws.integers(3, 60, (3, 5)))
table_case("chi2.more.4x2", draws.integers(1, 40, (4, 2)))
table_case("chi2.more.2x2_even", [[10, 10], [10, 11]])
table_case("chi2.more.2x2_extreme", [[1000, 2], [3, 1200]])

# The scores of the crate ---------------------------------------------------------------------------------------------------


def steps(x, y):
    values = np.unique(np.concatenate([x, y]))
    f = np.array([0.0] + [np.mean(np.array(x) <= v) for v in values])
    g = np.array([0.0] + [np.mean(np.array(y) <= v) for v in values])
    return (f + g) / 2, f - g


def score_case(identity, x, y):
    x, y = np.array([float(v) for v in x]), np.array([float(v) for v in y])
    h, d = steps(x, y)
    line = lambda t: np.interp(t, h, d)
    pieces = [(a, b) for a, b in zip(h, h[1:]) if b > a]
    total = lambda f: sum(integrate.quad(f, a, b, epsabs=1e-13, epsrel=1e-12, limit=200)[0] for a, b in pieces)
    pairs = lambda a, b: np.abs(a[:, None] - b[None, :]).mean()
    spread, cross = pairs(x, x), pairs(x, y)
    energy = 2 * cross - spread - pairs(y, y)
    case(identity, "numeric_drift_scores", {"reference": x.tolist(), "current": y.tolist()},
         {"cramer_von_mises": float(np.sqrt(3 * total(lambda t: line(t) ** 2))),
          "anderson_darling": float(np.sqrt(total(lambda t: line(t) ** 2 / (t * (1 - t))) / (8 * np.log(2) - 4))),
          "energy": float(np.sqrt(max(energy, 0) / (2 * spread))), "inhomogeneity": float(energy / (2 * cross)),
          "wasserstein": float(stats.wasserstein_distance(x, y) / np.std(x))},
         "the definitions: scipy quad over the steps, numpy over all pairs", 1e-7, 1e-10)


score_case("scores.normal_shift", rounded(draws.normal(0, 1, 120)), rounded(draws.normal(0.5, 1, 90)))
score_case("scores.spread", rounded(draws.normal(0, 1, 100)), rounded(draws.normal(0, 2, 140)))
score_case("scores.few_values", draws.integers(0, 4, 60), draws.integers(0, 5, 45))
score_case("scores.two_values", [0] * 70 + [1] * 30, [0] * 40 + [1] * 60)
score_case("scores.apart", range(15), range(20, 32))

document = {
    "meta": {
        "title": "Known answers for distances between samples",
        "generated_with": {"numpy": np.__version__, "scipy": scipy.__version__, "mpmath": mp.__version__},
        "script": "make_distances.py",
        "n_cases": len(cases),
    },
    "cases": cases,
}
assert len({c["id"] for c in cases}) == len(cases)
Path(__file__).with_name("distances.json").write_text(json.dumps(document, indent=1) + "\n")
