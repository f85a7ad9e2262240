"""Makes estimates.json: rows with late labels, and the performance that nannyml estimates for them.

Run with nannyml 0.13.1 (and statsmodels, which it needs and does not ask for) installed: python make_estimates.py
It writes to a file because LightGBM writes to standard output.
All numbers are rounded before nannyml sees them, so that both see the same. Labels of the current rows were never given to it.
"""

import json
import pathlib
import warnings

import nannyml
import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
rng = np.random.default_rng(7)


def cbpe(name, reference_x, current_x, score_of, digits):
    def rows(x):
        p = 1 / (1 + np.exp(-x))
        return np.round(score_of(p), digits), (rng.random(len(x)) < p).astype(int)

    (ref_score, ref_label), (cur_score, cur_label) = rows(reference_x), rows(current_x)
    frame = lambda score: pd.DataFrame({"score": score, "predicted": (score >= 0.5).astype(int)})
    reference, current = frame(ref_score).assign(label=ref_label), frame(cur_score)
    measures = ["accuracy", "precision", "recall", "f1", "roc_auc"]
    estimator = nannyml.CBPE(
        y_pred_proba="score",
        y_pred="predicted",
        y_true="label",
        problem_type="classification_binary",
        metrics=measures,
        chunk_size=len(current),
    )
    estimator.fit(reference)
    result = estimator.estimate(current).filter(period="analysis").to_df()
    answers = {
        measure: {
            "estimate": float(result[(measure, "value")].iloc[0]),
            "sampling_error": float(result[(measure, "sampling_error")].iloc[0]),
        }
        for measure in measures
    }
    return {
        "name": name,
        "method": "cbpe",
        "reference": {"scores": ref_score.tolist(), "labels": "".join(map(str, ref_label))},
        "current": {"scores": cur_score.tolist(), "labels": "".join(map(str, cur_label))},
        "calibrated": bool(estimator.needs_calibration),
        "answers": answers,
    }


def dle(name, shift, spread):
    def rows(n, shift):
        x = np.round(rng.normal(shift, 1, n), 3)
        z = np.round(rng.uniform(0, 1, n), 3)
        predicted = np.round(3 * x + z, 3)
        label = np.round(predicted + rng.normal(0, 1, n) * spread(x, z), 3)
        return pd.DataFrame({"x": x, "z": z, "predicted": predicted, "label": label})

    reference, current = rows(2500, 0), rows(1500, shift)
    estimator = nannyml.DLE(
        feature_column_names=["x", "z"],
        y_pred="predicted",
        y_true="label",
        metrics=["mae", "rmse"],
        chunk_size=len(current),
    )
    estimator.fit(reference)
    result = estimator.estimate(current.drop(columns="label")).filter(period="analysis").to_df()
    error = current.label - current.predicted
    answers = {
        measure: {
            "estimate": float(result[(measure, "value")].iloc[0]),
            "sampling_error": float(result[(measure, "sampling_error")].iloc[0]),
            "realized": realized,
        }
        for measure, realized in [
            ("mae", float(np.mean(np.abs(error)))),
            ("rmse", float(np.sqrt(np.mean(error**2)))),
        ]
    }
    columns = lambda frame, names: {column: frame[column].tolist() for column in names}
    return {
        "name": name,
        "method": "dle",
        "reference": columns(reference, ["x", "z", "predicted", "label"]),
        "current": columns(current, ["x", "z", "predicted"]),
        "answers": answers,
    }


normal = lambda n, mean, sd: rng.normal(mean, sd, n)
cases = [
    cbpe("calibrated", normal(2000, -0.5, 1.5), normal(1500, 0.0, 1.0), lambda p: p, 4),
    cbpe("overconfident", normal(2000, 0.0, 1.2), normal(1500, 0.7, 0.9), lambda p: p**3 / (p**3 + (1 - p) ** 3), 4),
    cbpe("too_high", normal(2000, -1.0, 1.2), normal(1500, -0.4, 1.2), lambda p: np.sqrt(p), 4),
    cbpe("ties", normal(2000, 0.0, 1.5), normal(1500, -0.5, 1.5), lambda p: p**2, 1),
    dle("spread_grows_with_x", 0.8, lambda x, z: 0.3 + np.exp(x / 2)),
    dle("spread_by_both", -0.5, lambda x, z: np.where((x > 0) & (z > 0.5), 2.0, 0.4)),
    dle("nothing_changes", 0.0, lambda x, z: 1.0 + 0 * x),
]
meta = {"made_by": "make_estimates.py", "nannyml": nannyml.__version__, "numpy": np.__version__}
text = json.dumps({"meta": meta, "cases": cases}, separators=(",", ":"))
pathlib.Path(__file__).with_name("estimates.json").write_text(text + "\n")
