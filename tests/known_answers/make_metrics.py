"""Makes metrics.json: validation metrics by scikit-learn, and by mpmath where the library cancels.

Run with Python 3.11 or later, numpy, scikit-learn and mpmath:  python make_metrics.py
"""

import json
import sys
import warnings
from pathlib import Path

import mpmath
import numpy
import sklearn
from sklearn import metrics as m

warnings.simplefilter("ignore")
random = numpy.random.default_rng(20261124)
cases = []


def plain(value):
    """JSON has no NaN: the string stands for it."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, numpy.ndarray):
        return plain(value.tolist())
    value = float(value)
    return str(value).replace("nan", "NaN").replace("inf", "Infinity") if value - value != 0 else value


def case(id, function, inputs, expected, rtol=1e-10, atol=1e-14, source="scikit-learn"):
    cases.append({
        "id": id, "group": "metrics", "function": function, "inputs": inputs,
        "expected": {name: {"value": plain(value)} for name, value in expected.items()},
        "source": source, "rtol": rtol, "atol": atol,
    })


def classification(id, y_true, y_pred, labels=None, pos_label=None, sample_weight=None):
    expected = {
        "accuracy": m.accuracy_score(y_true, y_pred, sample_weight=sample_weight),
        "balanced_accuracy": m.balanced_accuracy_score(y_true, y_pred, sample_weight=sample_weight),
        "mcc": m.matthews_corrcoef(y_true, y_pred, sample_weight=sample_weight),
        "cohen_kappa": m.cohen_kappa_score(y_true, y_pred, sample_weight=sample_weight),
        "confusion_matrix_rows_true_cols_pred": m.confusion_matrix(y_true, y_pred, labels=labels, sample_weight=sample_weight),
    }
    measures = {
        "precision": m.precision_score, "recall": m.recall_score, "f1": m.f1_score,
        "f2": lambda *a, **k: m.fbeta_score(*a, beta=2, **k), "jaccard": m.jaccard_score,
    }
    for name, measure in measures.items():
        for average in ["macro", "micro", "weighted", None]:
            for ending, zero in [("", 0), ("_zd_nan", numpy.nan)]:
                if name == "jaccard" and ending:
                    continue
                expected[f"{name}_{average}{ending}"] = measure(
                    y_true, y_pred, labels=labels, average=average, sample_weight=sample_weight, zero_division=zero)
        if pos_label is not None:
            expected[f"{name}_binary"] = measure(
                y_true, y_pred, pos_label=pos_label, average="binary", sample_weight=sample_weight, zero_division=0)
    inputs = {"y_true": y_true, "y_pred": y_pred, "labels": labels, "pos_label": pos_label, "sample_weight": sample_weight}
    case(id, "classification_metrics", inputs, expected)


def ece(y_true, y_score, bins, sample_weight):
    """By definition (Guo et al. 2017), bins (low, high] with edges k / bins; the first bin holds 0 too."""
    y, s = numpy.array(y_true, float), numpy.array(y_score, float)
    w = numpy.ones(len(y)) if sample_weight is None else numpy.array(sample_weight, float)
    edges = numpy.arange(1, bins + 1) / bins
    place = numpy.searchsorted(edges, s, side="left")
    gaps, shares = [], []
    for b in sorted(set(place)):
        here = place == b
        gaps.append(abs(numpy.average(y[here], weights=w[here]) - numpy.average(s[here], weights=w[here])))
        shares.append(w[here].sum() / w.sum())
    return float(numpy.dot(gaps, shares)), max(gaps)


def probabilistic(id, y_true, y_score, sample_weight=None):
    auc = m.roc_auc_score(y_true, y_score, sample_weight=sample_weight)
    fpr, tpr, _ = m.roc_curve(y_true, y_score, sample_weight=sample_weight, drop_intermediate=False)
    precision, recall, _ = m.precision_recall_curve(y_true, y_score, sample_weight=sample_weight)
    expected = {
        "roc_auc": auc, "gini_2auc-1": 2 * auc - 1,
        "average_precision": m.average_precision_score(y_true, y_score, sample_weight=sample_weight),
        "pr_auc_trapezoid": m.auc(recall, precision),
        "ks_statistic_max_tpr_minus_fpr": (tpr - fpr).max(),
        "log_loss": m.log_loss(y_true, y_score, sample_weight=sample_weight),
        "brier": m.brier_score_loss(y_true, y_score, sample_weight=sample_weight),
        "d2_log_loss": m.d2_log_loss_score(y_true, y_score, sample_weight=sample_weight),
    }
    for bins in [5, 10, 15, 20]:
        expected[f"ece_equal_width_{bins}_(lo,hi]"], expected[f"mce_equal_width_{bins}"] = ece(
            y_true, y_score, bins, sample_weight)
    inputs = {"y_true": y_true, "y_score": y_score, "sample_weight": sample_weight}
    case(id, "binary_probabilistic_metrics", inputs, expected, rtol=1e-9)


def multiclass(id, y_true, proba, labels=None, sample_weight=None):
    names = sorted(set(y_true)) if labels is None else labels
    proba = numpy.array(proba)
    truth = numpy.array([[float(name == label) for name in names] for label in y_true])
    rows = ((proba - truth) ** 2).sum(axis=1)
    expected = {
        "log_loss": m.log_loss(y_true, proba, labels=names, sample_weight=sample_weight),
        "brier_multiclass_raw": numpy.average(rows, weights=sample_weight),
    }
    if set(names) == set(y_true):
        ovr = {"multi_class": "ovr", "sample_weight": sample_weight, "labels": names}
        expected["auc_ovr_macro"] = m.roc_auc_score(y_true, proba, average="macro", **ovr)
        expected["auc_ovr_weighted"] = m.roc_auc_score(y_true, proba, average="weighted", **ovr)
        expected["auc_ovr_None"] = m.roc_auc_score(y_true, proba, average=None, **ovr)
        if sample_weight is None:
            for average in ["macro", "weighted"]:
                expected[f"auc_ovo_{average}"] = m.roc_auc_score(y_true, proba, multi_class="ovo", average=average, labels=names)
    for k in range(1, len(names)):
        expected[f"top{k}_accuracy"] = m.top_k_accuracy_score(y_true, proba, k=k, labels=names, sample_weight=sample_weight)
    inputs = {"y_true": y_true, "proba": proba.tolist(), "labels": labels, "sample_weight": sample_weight}
    case(id, "multiclass_probabilistic_metrics", inputs, expected)


def regression(id, y_true, y_pred, sample_weight=None, positive=False):
    y, p = numpy.array(y_true, float), numpy.array(y_pred, float)
    kept = {"sample_weight": sample_weight}
    both = numpy.abs(y) + numpy.abs(p)
    smape = numpy.where(both == 0, 0, 2 * numpy.abs(p - y) / numpy.where(both == 0, 1, both))
    expected = {
        "mae": m.mean_absolute_error(y, p, **kept), "mse": m.mean_squared_error(y, p, **kept),
        "rmse": m.root_mean_squared_error(y, p, **kept), "r2": m.r2_score(y, p, **kept),
        "explained_variance": m.explained_variance_score(y, p, **kept),
        "medae": m.median_absolute_error(y, p, **kept), "max_error": m.max_error(y, p),
        "mape_fraction_eps": m.mean_absolute_percentage_error(y, p, **kept),
        "smape_weighted": numpy.average(smape, weights=sample_weight),
        "wape_weighted": numpy.average(abs(p - y), weights=sample_weight) / numpy.average(abs(y), weights=sample_weight),
        "mean_error_weighted": numpy.average(p - y, weights=sample_weight),
    }
    if not numpy.any(y):
        del expected["wape_weighted"]  # a division by zero: no value here
    for quantile in [0.05, 0.1, 0.5, 0.9, 0.95]:
        expected[f"pinball_{quantile}"] = m.mean_pinball_loss(y, p, alpha=quantile, **kept)
    if positive:
        expected["msle"] = m.mean_squared_log_error(y, p, **kept)
        expected["poisson_deviance_weighted"] = m.mean_poisson_deviance(y, p, **kept)
        if (y > 0).all():
            expected["gamma_deviance_weighted"] = m.mean_gamma_deviance(y, p, **kept)
    inputs = {"y_true": y_true, "y_pred": y_pred, "sample_weight": sample_weight}
    case(id, "regression_metrics", inputs, expected, rtol=1e-9)


def rounded(values, digits=3):
    return [round(float(value), digits) for value in values]


# Classes: text, weights, a list of labels that is a part, an order of its own, or holds a class that no row has.
colours = ["blue", "green", "red"]
y_true = [colours[i] for i in random.integers(0, 3, 60)]
y_pred = [label if random.random() < 0.6 else colours[random.integers(0, 3)] for label in y_true]
weight = rounded(random.uniform(0.1, 3, 60))
classification("classes.text", y_true, y_pred)
classification("classes.text.weights", y_true, y_pred, sample_weight=weight)
classification("classes.some_labels", y_true, y_pred, labels=["red", "blue"])
classification("classes.some_labels.weights", y_true, y_pred, labels=["red", "green"], sample_weight=weight)
classification("classes.absent_label", y_true, y_pred, labels=["violet", "red", "green", "blue"])
classification("classes.never_predicted", ["a", "b", "c", "c", "a"], ["a", "b", "b", "a", "a"])
classification("classes.never_labelled", ["a", "b", "b", "a", "a"], ["a", "b", "c", "c", "a"])
binary = [int(v) for v in random.integers(0, 2, 50)]
guess = [v if random.random() < 0.7 else 1 - v for v in binary]
classification("classes.binary.weights", binary, guess, pos_label=1, sample_weight=rounded(random.uniform(0, 2, 50)))
classification("classes.binary.positive_is_0", binary, guess, pos_label=0)
classification("classes.binary.text", ["ham", "spam", "spam", "ham", "ham"], ["ham", "spam", "ham", "ham", "spam"], pos_label="ham")
classification("classes.weight_zero", [0, 1, 1, 0, 1], [0, 1, 0, 1, 1], pos_label=1, sample_weight=[1, 0, 2, 0, 1])

# Scores: ties, weights, edges of bins.
score = rounded(numpy.clip(random.normal(0.35 + 0.3 * numpy.array(binary), 0.2), 0, 1), 2)
probabilistic("scores.ties", binary, score)
probabilistic("scores.ties.weights", binary, score, sample_weight=rounded(random.uniform(0.1, 4, 50)))
probabilistic("scores.few_values", binary, rounded(score, 1))
probabilistic("scores.few_values.whole_weights", binary, rounded(score, 1), sample_weight=[int(v) for v in random.integers(1, 4, 50)])

# A score for every class.
for classes in [3, 4]:
    truth = [int(v) for v in random.integers(0, classes, 80)]
    raw = random.uniform(0.05, 1, (80, classes)) + 1.2 * (numpy.array(truth)[:, None] == numpy.arange(classes))
    proba = raw / raw.sum(axis=1, keepdims=True)
    multiclass(f"class_scores.{classes}", truth, proba)
    multiclass(f"class_scores.{classes}.weights", truth, proba, sample_weight=rounded(random.uniform(0.1, 3, 80)))
truth = ["b", "a", "c", "a", "b", "c"]
ties = [[0.25, 0.25, 0.5], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5], [0.25, 0.5, 0.25], [0.25, 0.5, 0.25], [0.5, 0.25, 0.25]]
multiclass("class_scores.text.ties", truth, ties)
multiclass("class_scores.class_without_rows", ["a", "b", "a"], [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]], labels=["a", "b", "c"])

# Numbers.
y = rounded(random.gamma(2, 3, 40), 2)
p = rounded(numpy.array(y) * random.uniform(0.6, 1.5, 40) + 0.05, 2)
regression("regression.positive", y, p, positive=True)
regression("regression.positive.weights", y, p, sample_weight=rounded(random.uniform(0.1, 3, 40)), positive=True)
regression("regression.counts", [0, 0, 1, 3, 2, 0, 7], [0.2, 0.5, 0.9, 2.5, 2.2, 0.1, 6.1], positive=True)
regression("regression.whole_weights", [1.0, 2.5, -3.0, 4.0, 0.5], [1.5, 2.0, -2.0, 3.0, 0.5], sample_weight=[1, 2, 1, 3, 1])
regression("regression.even_median.weights", [0, 0, 0, 0], [1, 2, 3, 4], sample_weight=[1, 1, 1, 1])
regression("regression.constant_truth", [2.0, 2.0, 2.0], [1.0, 2.0, 3.0])


def exact(id, y_true, y_pred, unit=0):
    """With 60 digits: what the library loses to cancellation and to squares that vanish."""
    with mpmath.workdps(60):
        y, p = [mpmath.mpf(v) for v in y_true], [mpmath.mpf(v) for v in y_pred]
        pairs, n = list(zip(y, p)), len(y)
        mean = sum(y) / n
        errors = [b - a for a, b in pairs]
        bias = sum(errors) / n
        variation = sum((a - mean) ** 2 for a in y)
        expected = {
            "mae": sum(abs(e) for e in errors) / n, "mean_error_weighted": bias,
            "rmse": mpmath.sqrt(sum(e * e for e in errors) / n),
            "r2": 1 - sum(e * e for e in errors) / variation,
            "explained_variance": 1 - sum((e - bias) ** 2 for e in errors) / variation,
            "wape_weighted": sum(abs(e) for e in errors) / sum(abs(a) for a in y),
        }
        if unit == 0:
            expected["msle"] = sum((mpmath.log1p(b) - mpmath.log1p(a)) ** 2 for a, b in pairs) / n
            expected["poisson_deviance"] = sum(2 * (a * mpmath.log(a / b) - a + b) for a, b in pairs) / n
            expected["gamma_deviance"] = sum(2 * (mpmath.log(b / a) + a / b - 1) for a, b in pairs) / n
        case(id, "regression_metrics", {"y_true": y_true, "y_pred": y_pred, "sample_weight": None}, expected, atol=0.0,
             source="mpmath, 60 digits")


exact("regression.offset_1e9.exact", [1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3], [1e9 + 0.5, 1e9 + 1, 1e9 + 2.5, 1e9 + 3])
for power in [-300, 300]:
    base = [3.0, -0.5, 2.0, 7.0], [2.5, 0.25, 2.0, 8.0]
    exact(f"regression.scale_2^{power}.exact", *[[v * 2.0**power for v in side] for side in base], unit=power)

document = {
    "meta": {
        "title": "Known answers for validation metrics: weights, classes, calibration, class scores, deviances",
        "generated_with": {"python": sys.version.split()[0], "numpy": numpy.__version__, "scikit-learn": sklearn.__version__,
                           "mpmath": mpmath.__version__, "script": "make_metrics.py"},
        "conventions": ["as in statistics.json", "`*_weighted` uses sample_weight; the fields of statistics.json without it do not: there reg.weights has poisson_deviance 0.0978, which is "
                        "mean_poisson_deviance without the weights of the case (0.0701 with them)"],
        "n_cases": len(cases),
    },
    "cases": cases,
}
lines = ",\n".join(json.dumps(case, allow_nan=False) for case in cases)
head = json.dumps(document["meta"], indent=1)
Path(__file__).with_name("metrics.json").write_text('{"meta": ' + head + ',\n"cases": [\n' + lines + "\n]}\n")
print(len(cases), "cases")
