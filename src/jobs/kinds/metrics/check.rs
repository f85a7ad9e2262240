//! What the tables of `[metrics]` cannot say: keys that need or exclude each other, metrics that the columns do not allow.

use super::super::super::diagnostic::Code;
use super::super::super::document::Task::{Classification, Regression};
use super::super::super::document::{Bounds, CompareWith, JobDocument, MetricsSpec};
use super::super::super::review::Review;
use super::super::super::suggest::closest;
use crate::metrics::{self, Needs};

pub(super) fn check(spec: &MetricsSpec, document: &JobDocument, review: &mut Review<'_>) {
    check_columns(spec, review);
    check_labels(spec, document, review);
    check_comparison(spec, document, review);
    let with = spec.compares_with(document.data.reference.is_some());
    for name in &spec.metrics {
        check_metric(name, spec, review, false);
    }
    for (name, bounds) in &spec.bounds {
        check_metric(name, spec, review, true);
        check_bounds(name, bounds, with.is_some(), review);
        if !spec.metrics.is_empty() && !spec.metrics.contains(name) {
            let message = format!("`{name}` has bounds but is not computed");
            review.at_key(&["metrics", "bounds", name], Code::Conflict, message, |d| {
                d.hint(format!("add `{name}` to `metrics`"))
            });
        }
    }
}

fn check_columns(spec: &MetricsSpec, review: &mut Review<'_>) {
    match (spec.task, &spec.prediction, &spec.score) {
        (Classification, None, None) if spec.class_scores.is_empty() => {
            review.at_key(&["metrics"], Code::MissingKey, "`[metrics]` needs `prediction` or `score`", |d| {
                d.hint("name the column with the predicted class (`prediction`) or with its probability (`score`)")
            });
        }
        (Regression, None, None) => {
            review.at_key(&["metrics"], Code::MissingKey, "`[metrics]` needs `prediction`", |d| {
                d.hint("name the column with the predicted number")
            });
        }
        (Regression, _, Some(_)) => {
            review.at_key(
                &["metrics", "score"],
                Code::Conflict,
                "`score` is used only with `task = \"classification\"`",
                |d| d.hint("a regression names its predicted numbers with `prediction`"),
            );
        }
        _ => {}
    }
    if spec.task == Regression {
        let of_classes = [
            ("class_scores", !spec.class_scores.is_empty()),
            ("positive", spec.positive.is_some()),
            ("classes", !spec.classes.is_empty()),
            ("per_class", spec.per_class == Some(true)),
            ("top_k", spec.top_k.is_some()),
            ("calibration_bins", spec.calibration_bins.is_some()),
        ];
        for (key, _) in of_classes.iter().filter(|(_, is_given)| *is_given) {
            let message = format!("`{key}` is used only with `task = \"classification\"`");
            review.at_key(&["metrics", key], Code::Conflict, message, |d| d.hint("remove it"));
        }
    } else if spec.quantile.is_some() {
        let message = "`quantile` is used only with `task = \"regression\"`";
        review.at_key(&["metrics", "quantile"], Code::Conflict, message, |d| d.hint("remove it"));
    }
    if spec.class_scores.len() == 1 {
        let message = "`class_scores` names one class; it needs every class";
        review.at_key(&["metrics", "class_scores"], Code::MissingKey, message, |d| {
            d.hint("for the probability of the positive class alone use `score`")
        });
    }
}

fn check_labels(spec: &MetricsSpec, document: &JobDocument, review: &mut Review<'_>) {
    match (document.data.labels.is_some(), spec.id.is_empty()) {
        (true, true) => {
            let message = "`data.labels` needs `metrics.id`: the columns that name a row in both datasets";
            review.at_key(&["data", "labels"], Code::MissingKey, message, |d| {
                d.hint("add `id = [\"request_id\"]` to `[metrics]`")
            });
        }
        (false, false) => {
            let message = "`id` is used only with `data.labels`";
            review.at_key(&["metrics", "id"], Code::Conflict, message, |d| {
                d.hint("labels that stand in `data.current` need no join")
            });
        }
        _ => {}
    }
}

fn check_comparison(spec: &MetricsSpec, document: &JobDocument, review: &mut Review<'_>) {
    use CompareWith::{PreviousWindow, Registered, Rolling, SameWeekday};
    let with = spec.compares_with(document.data.reference.is_some());
    if spec.windows.is_some() && !matches!(with, Some(Rolling | SameWeekday)) {
        let message = "`windows` is used only with `compare_with = \"rolling\"` or `\"same_weekday\"`";
        review.at_key(&["metrics", "windows"], Code::Conflict, message, |d| d.hint("remove it"));
    }
    if spec.registered_split.is_some() && with != Some(Registered) {
        let message = "`registered_split` is used only with `compare_with = \"registered\"`";
        review.at_key(&["metrics", "registered_split"], Code::Conflict, message, |d| d.hint("remove it"));
    }
    if with == Some(Registered) && document.model.is_none() {
        let message = "`compare_with = \"registered\"` needs `model`: values are logged for a model version";
        review.at(&["metrics", "compare_with"], Code::MissingKey, message, |d| {
            d.hint("add `model = \"name\"` at the top")
        });
    }
    if with == Some(Registered) && spec.registered_split.as_deref().unwrap_or("test") == spec.split {
        let message = format!("the values to compare with are those that this job stores, of split `{}`", spec.split);
        review.at(&["metrics", "compare_with"], Code::Conflict, message, |d| {
            d.hint("name another split in `registered_split`, or compare with `previous_window`")
        });
    }
    if matches!(with, Some(PreviousWindow | Rolling | SameWeekday)) && document.schedule.is_none() {
        let has_window = document.data.current.as_ref().is_some_and(|current| current.window.is_some());
        if !has_window {
            let message = "earlier windows need a `schedule`, or a `window` of `data.current`";
            review.at(&["metrics", "compare_with"], Code::MissingKey, message, |d| d);
        }
    }
}

fn check_bounds(name: &str, bounds: &Bounds, is_compared: bool, review: &mut Review<'_>) {
    let path = ["metrics", "bounds", name];
    let limits = [bounds.min, bounds.max].iter().any(Option::is_some) || bounds.limits_change();
    if !limits && bounds.classes.is_empty() {
        let message = format!("the bounds of `{name}` say nothing");
        review.at_key(&path, Code::MissingKey, message, |d| {
            d.hint("add `min`, `max`, or `max_drop`, `max_rise` and their `max_relative_...` for a change")
        });
    }
    if let (Some(min), Some(max)) = (bounds.min, bounds.max)
        && min > max
    {
        let message = format!("the bounds of `{name}` are the wrong way round: {min} is above {max}");
        let keys = ["min", "max"].map(|key| [path[0], path[1], path[2], key]);
        review.pair(&keys[0], &keys[1], Code::Conflict, message, "the upper bound");
    }
    if bounds.require_significance.is_some() && !bounds.limits_change() {
        let message = "`require_significance` is about changes, and no bound of a change is given";
        review.at_key(&[path[0], path[1], path[2], "require_significance"], Code::Conflict, message, |d| {
            d.hint("add `max_drop` or `max_rise`, or remove it")
        });
    }
    let metric = metrics::metric(name);
    if !bounds.classes.is_empty() && !metric.is_some_and(|metric| CLASS_METRICS.contains(&metric.name())) {
        let message = format!("`{name}` has no value for a single class");
        review.at_key(&[path[0], path[1], path[2], "classes"], Code::Conflict, message, |d| {
            d.hint(format!("metrics that have: {}", CLASS_METRICS.map(|of| format!("`{of}`")).join(", ")))
        });
    }
    for (class, of_class) in &bounds.classes {
        let path = [path[0], path[1], path[2], "classes", class.as_str()];
        match (of_class.min, of_class.max) {
            (None, None) => {
                let message = format!("the bounds of `{name}` for class `{class}` say neither `min` nor `max`");
                review.at_key(&path, Code::MissingKey, message, |d| d);
            }
            (Some(min), Some(max)) if min > max => {
                let message =
                    format!("the bounds of `{name}` for class `{class}` are the wrong way round: {min} is above {max}");
                review.at_key(&path, Code::Conflict, message, |d| d);
            }
            _ => {}
        }
    }
    if bounds.limits_change() && !is_compared {
        let message = format!("the bounds of `{name}` limit a change, and nothing says what it is measured against");
        review.at_key(&path, Code::MissingKey, message, |d| {
            d.hint(
                "add `compare_with = \"previous_window\"` (or another) to `[metrics]`, or a dataset `data.reference`",
            )
        });
    }
}

/// Metrics that have a value for a single class.
pub(super) const CLASS_METRICS: [&str; 6] = ["precision", "recall", "f1", "f2", "jaccard", "roc_auc_ovr"];

/// Whether a metric that exists is of this task and can be computed from the named columns.
fn check_metric(name: &str, spec: &MetricsSpec, review: &mut Review<'_>, bounded: bool) {
    let known = review.known();
    let Some(info) = known.metrics.iter().find(|m| m.name == name) else { return };
    let needs_class_scores = metrics::metric(name).is_some_and(|metric| metric.needs() == Needs::ClassScores);
    let problem = if info.task != spec.task {
        let of_task = known.metrics.iter().filter(|m| m.task == spec.task).map(|m| m.name.as_str());
        let hint = match closest(name, of_task.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "metrics of {}: {}",
                spec.task.as_str(),
                of_task.map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
            ),
        };
        Some((
            Code::UnknownMetric,
            format!("`{name}` is a metric of {}, not of {}", info.task.as_str(), spec.task.as_str()),
            hint,
        ))
    } else if needs_class_scores && spec.class_scores.is_empty() {
        let hint = "name the column with the probability of each class, such as `class_scores = { early = \"p_early\", late = \"p_late\" }`";
        Some((Code::MissingKey, format!("`{name}` needs `class_scores`"), hint.to_owned()))
    } else if info.needs_score && spec.score.is_none() && spec.class_scores.is_empty() && spec.prediction.is_some() {
        let hint = "name the column with the probability of the positive class, such as `score = \"score\"`".to_owned();
        Some((Code::MissingKey, format!("`{name}` needs `score`"), hint))
    } else {
        None
    };
    let Some((code, message, hint)) = problem else { return };
    if bounded {
        review.at_key(&["metrics", "bounds", name], code, message, |d| d.hint(hint));
    } else {
        review.at_item(&["metrics", "metrics"], name, code, message, |d| d.hint(hint));
    }
}
