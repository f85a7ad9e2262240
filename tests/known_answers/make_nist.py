"""Writes nist.json: NIST's certified one-way analyses of variance (StRD), from the files that scipy carries for its own tests.

    python make_nist.py

Needs scipy and mpmath. The certified F is parsed from each file, and checked against exact fractions of the decimals; its p-value is
mpmath's.
"""

import json
import re
from fractions import Fraction
from pathlib import Path

import mpmath as mp
import scipy

mp.mp.dps = 50
folder = Path(scipy.__file__).parent / "stats/tests/data/nist_anova"
cases = []
for path in sorted(folder.glob("*.dat")):
    lines = path.read_text().splitlines()
    certified = next(line for line in lines if line.startswith("Between"))
    f = float(certified.split()[-1].replace("E", "e"))
    groups = {}
    for line in lines[60:]:
        parts = line.split()
        if len(parts) == 2 and re.fullmatch(r"\d+", parts[0]):
            groups.setdefault(int(parts[0]), []).append(parts[1])
    groups = [groups[key] for key in sorted(groups)]
    exact = [[Fraction(v) for v in g] for g in groups]
    n, k = sum(map(len, exact)), len(exact)
    grand = sum(map(sum, exact)) / n
    between = sum(len(g) * (sum(g) / len(g) - grand) ** 2 for g in exact)
    within = sum(sum((v - sum(g) / len(g)) ** 2 for v in g) for g in exact)
    exact_f = (between / (k - 1)) / (within / (n - k))
    assert abs(float(exact_f) / f - 1) < 1e-13, (path.name, float(exact_f), f)
    x = mp.mpf(n - k) / (mp.mpf(n - k) + (k - 1) * mp.mpf(exact_f.numerator) / exact_f.denominator)
    p = mp.betainc(mp.mpf(n - k) / 2, mp.mpf(k - 1) / 2, 0, x, regularized=True)
    tiny = p < mp.mpf("2.3e-308")
    p = {"underflows_f64": True, "log10": float(mp.log10(p)), "ln": float(mp.log(p))} if tiny else float(p)
    small = n < 200
    inputs = {"groups": [[float(v) for v in g] for g in groups]} if small else {"dataset": f"NIST StRD {path.stem}", "groups_": k, "n": n}
    cases.append({
        "id": f"nist.anova.all.{path.stem}", "group": "nist", "function": "oneway_anova", "inputs": inputs,
        "expected": {"F": f, "df1": k - 1, "df2": n - k, "p": p},
        "source": "NIST StRD one-way ANOVA, certified F (equal to exact fractions of the decimals); p by mpmath",
        "rtol": 1e-10, "atol": 0.0,
    })
document = {
    "meta": {"title": "NIST StRD one-way analyses of variance", "generated_with": {"scipy": scipy.__version__, "mpmath": mp.__version__},
             "script": "make_nist.py", "n_cases": len(cases)},
    "cases": cases,
}
Path(__file__).with_name("nist.json").write_text(json.dumps(document, indent=1) + "\n")
