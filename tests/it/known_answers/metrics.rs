//! Validation metrics.

use serde_json::{Map, Value, json};
use steward::metrics::{
    self, Column, Given, Rows, Settings, ZeroDivision, by_class, calibration_curve, confusion_matrix, roc_curve,
};

use super::Listed;
use super::inputs::optional;

pub(super) const LISTED: Listed = Listed {
    functions: &[],
    cases: &[],
    fields: &[
        (
            "classification_metrics",
            "sklearn",
            "what scikit-learn raises; here rows with a missing side are left out and counted",
        ),
        ("cls.nan_labels", "recommended", "a treatment in words; it is what happens"),
        (
            "reg.offset",
            "msle",
            "the library subtracts two rounded logarithms: 1.25000909e-19 for 1.24999999e-19; the exact value is the case \
             `regression.offset_1e9.exact` of metrics.json, by mpmath with 60 digits",
        ),
        (
            "reg.offset",
            "poisson_deviance",
            "0 by cancellation in the library; 1.25e-10 by mpmath: `regression.offset_1e9.exact`",
        ),
        (
            "reg.offset",
            "gamma_deviance",
            "0 by cancellation in the library; 1.25e-19 by mpmath: `regression.offset_1e9.exact`",
        ),
    ],
};

/// What the crate answers, in the shape of `expected`; `None` for a function that is not of this file.
pub(super) fn answer(function: &str, inputs: &Value) -> Option<Value> {
    Some(match function {
        "classification_metrics" => classification(inputs),
        "binary_probabilistic_metrics" => probabilistic(inputs),
        "multiclass_probabilistic_metrics" => multiclass(inputs),
        "regression_metrics" => regression(inputs),
        _ => return None,
    })
}

/// Classes as numbers where all are, else as text; a missing one is `NaN` or null.
enum Labels {
    Numbers(Vec<Option<f64>>),
    Text(Vec<Option<String>>),
}

impl Labels {
    fn of(value: &Value) -> Self {
        let items = value.as_array().unwrap();
        let is_number = |item: &Value| item.is_number() || item.is_null() || item == &json!("NaN");
        if items.iter().all(is_number) {
            let number = |item: &Value| item.as_f64().filter(|number| !number.is_nan());
            return Self::Numbers(items.iter().map(number).collect());
        }
        Self::Text(items.iter().map(|item| Some(name(item)).filter(|_| !item.is_null())).collect())
    }

    fn column(&self) -> Column<'_> {
        match self {
            Self::Numbers(values) => Column::Numbers(values),
            Self::Text(values) => Column::Text(values),
        }
    }
}

/// A class by its name.
fn name(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().unwrap().to_string(),
        other => other.to_string(),
    }
}

/// A class as cases write it.
fn written(class: &str) -> Value {
    class.parse::<f64>().map_or_else(|_| json!(class), |number| json!(number))
}

fn weights(inputs: &Value) -> Option<Vec<Option<f64>>> {
    inputs.get("sample_weight").filter(|weights| weights.is_array()).map(optional)
}

/// The value of one metric; an undefined one has a reason.
fn value(rows: &Rows, ours: &str) -> Option<f64> {
    let value = metrics::evaluate(rows.task(), rows, Some(&[ours.to_owned()])).unwrap().remove(0);
    assert!(value.value.is_some() || value.reason.is_some(), "{ours}");
    let (low, high) = (value.ci_low.unwrap_or(f64::NEG_INFINITY), value.ci_high.unwrap_or(f64::INFINITY));
    assert!(value.value.is_none_or(|value| low <= value && value <= high), "{value:?}");
    value.value
}

fn named(rows: &Rows, names: &[(&str, &str)]) -> Map<String, Value> {
    names.iter().map(|(theirs, ours)| ((*theirs).to_owned(), json!(value(rows, ours)))).collect()
}

fn classification(inputs: &Value) -> Value {
    let (truth, predicted) = (Labels::of(&inputs["y_true"]), Labels::of(&inputs["y_pred"]));
    let weights = weights(inputs);
    let listed: Vec<String> =
        inputs["labels"].as_array().map(|labels| labels.iter().map(name).collect()).unwrap_or_default();
    let positive = inputs.get("pos_label").filter(|label| !label.is_null()).map_or_else(|| "1".to_owned(), name);
    let rows = |positive, zero_division, classes| {
        Rows::classify(&Given {
            prediction: Some(predicted.column()),
            weight: weights.as_deref(),
            positive,
            classes,
            settings: Settings { zero_division, ..Settings::default() },
            ..Given::new(truth.column())
        })
        .unwrap()
    };
    let all = rows(None, ZeroDivision::Zero, Vec::new());
    let mut answer = named(
        &all,
        &[
            ("accuracy", "accuracy"),
            ("balanced_accuracy", "balanced_accuracy"),
            ("mcc", "mcc"),
            ("cohen_kappa", "cohen_kappa"),
            ("f1", "f1"),
        ],
    );
    answer.insert("labels_sorted_union".into(), all.classes().iter().map(|class| written(class)).collect());
    answer.insert(
        "mse".into(),
        json!(value(&Rows::regression(Column::Numbers(&[]), Column::Numbers(&[])).unwrap(), "mse")),
    );
    answer.insert("recommended".into(), json!(value(&all, "f1")));
    for (ending, convention) in [("", ZeroDivision::Zero), ("_zd_nan", ZeroDivision::Undefined)] {
        let averaged = rows(None, convention, listed.iter().map(String::as_str).collect());
        let of_positive = rows(Some(&positive), convention, Vec::new());
        for measure in ["precision", "recall", "f1", "f2", "jaccard"] {
            answer.insert(format!("{measure}_binary{ending}"), json!(value(&of_positive, measure)));
            for average in ["macro", "micro", "weighted"] {
                let ours = format!("{measure}_{average}");
                answer.insert(format!("{ours}{ending}"), json!(value(&averaged, &ours)));
            }
            let each = by_class(&averaged, Some(&[measure.to_owned()]));
            let wanted = if listed.is_empty() { each.len() } else { listed.len() };
            answer.insert(
                format!("{measure}_None{ending}"),
                each.iter().take(wanted).map(|of| json!(of.value)).collect(),
            );
        }
        if ending.is_empty() {
            let matrix = confusion_matrix(&averaged).unwrap_or_default();
            let wanted = if listed.is_empty() { matrix.len() } else { listed.len() };
            let matrix: Vec<&[f64]> = matrix.iter().take(wanted).map(|row| &row[..wanted]).collect();
            answer.insert("confusion_matrix_rows_true_cols_pred".into(), json!(matrix));
        }
    }
    answer.into()
}

fn probabilistic(inputs: &Value) -> Value {
    let (truth, scores) = (Labels::of(&inputs["y_true"]), optional(&inputs["y_score"]));
    let weights = weights(inputs);
    let positive = inputs.get("pos_label").filter(|label| !label.is_null()).map(name);
    let rows = |calibration_bins| {
        Rows::classify(&Given {
            score: Some(&scores),
            weight: weights.as_deref(),
            positive: positive.as_deref(),
            settings: Settings { calibration_bins, ..Settings::default() },
            ..Given::new(truth.column())
        })
        .unwrap()
    };
    let ten = rows(10);
    let mut answer = named(
        &ten,
        &[
            ("roc_auc", "roc_auc"),
            ("average_precision", "average_precision"),
            ("log_loss", "log_loss"),
            ("brier", "brier"),
            ("pr_auc_trapezoid", "pr_auc"),
            ("ks_statistic_max_tpr_minus_fpr", "ks_statistic"),
            ("gini_2auc-1", "gini"),
            ("d2_log_loss", "d2_log_loss"),
        ],
    );
    for bins in [5, 10, 15, 20] {
        let rows = rows(bins);
        answer.insert(format!("ece_equal_width_{bins}_(lo,hi]"), json!(value(&rows, "ece")));
        answer.insert(format!("mce_equal_width_{bins}"), json!(value(&rows, "mce")));
        let curve = calibration_curve(&rows, bins).unwrap_or_default();
        let of = |field: fn(&metrics::CalibrationBin) -> f64| curve.iter().map(field).collect::<Vec<_>>();
        let curve = json!({ "prob_true": of(|bin| bin.positive_share), "prob_pred": of(|bin| bin.mean_score) });
        answer.insert(format!("calibration_curve_uniform{bins}"), curve);
    }
    let curve = roc_curve(&ten).unwrap_or_default();
    let threshold = |at: f64| if at.is_finite() { json!(at) } else { json!("Infinity") };
    let curve = json!({
        "fpr": curve.iter().map(|point| point.false_positive_rate).collect::<Vec<_>>(),
        "tpr": curve.iter().map(|point| point.true_positive_rate).collect::<Vec<_>>(),
        "thresholds": curve.iter().map(|point| threshold(point.threshold)).collect::<Vec<_>>(),
    });
    answer.insert("roc_curve".into(), curve);
    answer.into()
}

fn multiclass(inputs: &Value) -> Value {
    let truth = Labels::of(&inputs["y_true"]);
    let weights = weights(inputs);
    let given: Vec<Vec<Option<f64>>> = inputs["proba"].as_array().unwrap().iter().map(optional).collect();
    let width = given.first().map_or(0, Vec::len);
    let columns: Vec<Vec<Option<f64>>> = (0..width).map(|class| given.iter().map(|row| row[class]).collect()).collect();
    let names: Vec<String> = match inputs.get("labels").and_then(Value::as_array) {
        Some(labels) => labels.iter().map(name).collect(),
        None => {
            let seen = Rows::classification(truth.column(), Some(truth.column()), None, None).unwrap();
            let seen = seen.classes().to_vec();
            if seen.len() == width { seen } else { (0..width).map(|class| class.to_string()).collect() }
        }
    };
    let rows = |top_k| {
        Rows::classify(&Given {
            class_scores: names.iter().map(String::as_str).zip(columns.iter().map(Vec::as_slice)).collect(),
            weight: weights.as_deref(),
            settings: Settings { top_k, ..Settings::default() },
            ..Given::new(truth.column())
        })
        .unwrap()
    };
    let mut answer = named(
        &rows(2),
        &[
            ("log_loss", "log_loss"),
            ("auc_ovr_macro", "roc_auc_ovr"),
            ("auc_ovr_weighted", "roc_auc_ovr_weighted"),
            ("auc_ovo_macro", "roc_auc_ovo"),
            ("auc_ovo_weighted", "roc_auc_ovo_weighted"),
            ("brier_multiclass_scale_by_half_auto", "brier"),
            ("brier_multiclass_raw", "brier"),
            ("d2_log_loss", "d2_log_loss"),
            ("accuracy_of_highest", "accuracy"),
        ],
    );
    // Of two classes the raw score counts both, and "auto" one of them, as here.
    if names.len() == 2 {
        answer["brier_multiclass_raw"] = json!(answer["brier_multiclass_raw"].as_f64().map(|half| 2.0 * half));
    }
    for k in 1..=5 {
        answer.insert(format!("top{k}_accuracy"), json!(value(&rows(k), "top_k_accuracy")));
    }
    let each = by_class(&rows(2), Some(&["roc_auc_ovr".to_owned()]));
    answer.insert("auc_ovr_None".into(), each.iter().map(|of| json!(of.value)).collect());
    answer.into()
}

fn regression(inputs: &Value) -> Value {
    let (truth, predicted) = (optional(&inputs["y_true"]), optional(&inputs["y_pred"]));
    let weights = weights(inputs);
    let rows = |weight, quantile, zero_division| {
        Rows::regress(&Given {
            prediction: Some(Column::Numbers(&predicted)),
            weight,
            settings: Settings { quantile, zero_division, ..Settings::default() },
            ..Given::new(Column::Numbers(&truth))
        })
        .unwrap()
    };
    let weighted = rows(weights.as_deref(), 0.5, ZeroDivision::Zero);
    let mut answer = named(
        &weighted,
        &[
            ("mae", "mae"),
            ("mse", "mse"),
            ("rmse", "rmse"),
            ("r2", "r2"),
            ("explained_variance", "explained_variance"),
            ("medae", "median_absolute_error"),
            ("max_error", "max_error"),
            ("mape_fraction_eps", "mape"),
            ("msle", "msle"),
            ("poisson_deviance_weighted", "poisson_deviance"),
            ("gamma_deviance_weighted", "gamma_deviance"),
            ("smape_weighted", "smape"),
            ("wape_weighted", "wape"),
            ("mean_error_weighted", "mean_error"),
        ],
    );
    let undefined = rows(weights.as_deref(), 0.5, ZeroDivision::Undefined);
    let strict = value(&undefined, "r2");
    // Minus infinity in the library; no number, so no value here.
    let is_infinite = strict.is_none() && weighted.n() > 1 && value(&weighted, "mse").is_some_and(|mse| mse > 0.0);
    answer.insert("r2_force_finite_false".into(), if is_infinite { json!("-Infinity") } else { json!(strict) });
    for quantile in [0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99] {
        let rows = rows(weights.as_deref(), quantile, ZeroDivision::Zero);
        answer.insert(format!("pinball_{quantile}"), json!(value(&rows, "pinball")));
    }
    // These fields are without the weights of their case, also where the library takes them; `*_weighted` in metrics.json is with them.
    let plain = rows(None, 0.5, ZeroDivision::Zero);
    answer.insert("poisson_deviance".into(), json!(value(&plain, "poisson_deviance")));
    answer.insert("gamma_deviance".into(), json!(value(&plain, "gamma_deviance")));
    let smape = value(&plain, "smape");
    answer.insert("smape_0_200pct".into(), json!(smape.map(|fraction| 100.0 * fraction)));
    answer.insert("smape_0_100pct".into(), json!(smape.map(|fraction| 50.0 * fraction)));
    answer.insert("wape".into(), json!(value(&plain, "wape")));
    answer.insert("mean_bias_error_pred_minus_true".into(), json!(value(&plain, "mean_error")));
    answer.into()
}
