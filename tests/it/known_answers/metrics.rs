//! Validation metrics.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use steward::metrics::{self, Column, Rows};

use super::Listed;
use super::inputs::optional;

pub(super) const LISTED: Listed = Listed {
    functions: &["multiclass_probabilistic_metrics"],
    cases: &[("reg.weights", "sample weights")],
    fields: &[
        ("classification_metrics", "confusion_matrix_rows_true_cols_pred", "not yet"),
        ("classification_metrics", "precision_None", "not yet"),
        ("classification_metrics", "recall_None", "not yet"),
        ("classification_metrics", "f1_None", "not yet"),
        ("classification_metrics", "jaccard_*", "not yet"),
        ("classification_metrics", "f2_*", "not yet"),
        ("classification_metrics", "f1_binary_zd_nan", "not yet"),
        ("classification_metrics", "f1_macro_zd_nan", "not yet"),
        ("classification_metrics", "f1_weighted_zd_nan", "not yet"),
        ("classification_metrics", "precision_binary_zd_nan", "not yet"),
        ("classification_metrics", "precision_macro_zd_nan", "not yet"),
        ("classification_metrics", "precision_weighted_zd_nan", "not yet"),
        ("classification_metrics", "recall_binary_zd_nan", "not yet"),
        ("classification_metrics", "recall_macro_zd_nan", "not yet"),
        ("classification_metrics", "recall_weighted_zd_nan", "not yet"),
        ("classification_metrics", "mse", "not yet"),
        ("classification_metrics", "recommended", "not yet"),
        ("classification_metrics", "sklearn", "not yet"),
        ("binary_probabilistic_metrics", "pr_auc_trapezoid", "not yet"),
        ("binary_probabilistic_metrics", "roc_curve", "not yet"),
        ("binary_probabilistic_metrics", "ks_statistic_max_tpr_minus_fpr", "not yet"),
        ("binary_probabilistic_metrics", "gini_2auc-1", "not yet"),
        ("binary_probabilistic_metrics", "d2_log_loss", "not yet"),
        ("binary_probabilistic_metrics", "ece_*", "not yet"),
        ("binary_probabilistic_metrics", "mce_*", "not yet"),
        ("binary_probabilistic_metrics", "calibration_curve_uniform5", "not yet"),
        ("regression_metrics", "r2_force_finite_false", "not yet"),
        ("regression_metrics", "pinball_*", "not yet"),
        ("regression_metrics", "smape_0_100pct", "not yet"),
        ("regression_metrics", "wape", "not yet"),
        ("regression_metrics", "msle", "not yet"),
        ("regression_metrics", "poisson_deviance", "not yet"),
        ("regression_metrics", "gamma_deviance", "not yet"),
    ],
};

/// What the crate answers, in the shape of `expected`; `None` for a function that is not of this file.
pub(super) fn answer(function: &str, inputs: &Value) -> Option<Value> {
    Some(match function {
        "classification_metrics" => classification(inputs),
        "binary_probabilistic_metrics" => probabilistic(inputs),
        "regression_metrics" => regression(inputs),
        _ => return None,
    })
}

/// All metrics of the rows, under the names `expected` uses.
fn metric_values(rows: &Rows, names: &[(&str, &str)]) -> Value {
    let values: BTreeMap<String, Option<f64>> = names
        .iter()
        .map(|(theirs, ours)| {
            let value = metrics::evaluate(rows.task(), rows, Some(&[(*ours).to_owned()])).unwrap().remove(0);
            assert!(value.value.is_some() || value.reason.is_some());
            ((*theirs).to_owned(), value.value)
        })
        .collect();
    json!(values)
}

fn classification(inputs: &Value) -> Value {
    let (truth, predicted) = (optional(&inputs["y_true"]), optional(&inputs["y_pred"]));
    let rows = Rows::classification(Column::Numbers(&truth), Some(Column::Numbers(&predicted)), None, None).unwrap();
    let mut answer = metric_values(
        &rows,
        &[
            ("accuracy", "accuracy"),
            ("balanced_accuracy", "balanced_accuracy"),
            ("mcc", "mcc"),
            ("cohen_kappa", "cohen_kappa"),
            ("precision_binary", "precision"),
            ("recall_binary", "recall"),
            ("f1_binary", "f1"),
            ("precision_macro", "precision_macro"),
            ("recall_macro", "recall_macro"),
            ("f1_macro", "f1_macro"),
            ("precision_micro", "precision_micro"),
            ("recall_micro", "recall_micro"),
            ("f1_micro", "f1_micro"),
            ("precision_weighted", "precision_weighted"),
            ("recall_weighted", "recall_weighted"),
            ("f1_weighted", "f1_weighted"),
            ("f1", "f1"),
        ],
    );
    let labels: Vec<f64> = rows.classes().iter().map(|class| class.parse().unwrap()).collect();
    answer["labels_sorted_union"] = json!(labels);
    answer
}

fn probabilistic(inputs: &Value) -> Value {
    let (truth, scores) = (optional(&inputs["y_true"]), optional(&inputs["y_score"]));
    let rows = Rows::classification(Column::Numbers(&truth), None, Some(&scores), None).unwrap();
    metric_values(
        &rows,
        &[
            ("roc_auc", "roc_auc"),
            ("average_precision", "average_precision"),
            ("log_loss", "log_loss"),
            ("brier", "brier"),
        ],
    )
}

fn regression(inputs: &Value) -> Value {
    let (truth, predicted) = (optional(&inputs["y_true"]), optional(&inputs["y_pred"]));
    let rows = Rows::regression(Column::Numbers(&truth), Column::Numbers(&predicted)).unwrap();
    let mut answer = metric_values(
        &rows,
        &[
            ("mae", "mae"),
            ("mse", "mse"),
            ("rmse", "rmse"),
            ("r2", "r2"),
            ("explained_variance", "explained_variance"),
            ("medae", "median_absolute_error"),
            ("max_error", "max_error"),
            ("mape_fraction_eps", "mape"),
            ("smape_0_200pct", "smape"),
            ("mean_bias_error_pred_minus_true", "mean_error"),
        ],
    );
    answer["smape_0_200pct"] = json!(answer["smape_0_200pct"].as_f64().map(|fraction| 100.0 * fraction));
    answer
}
