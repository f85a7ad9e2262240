//! What the keys of `[ab_test]` ask of each other, and of the data.

use super::super::super::diagnostic::Code;
use super::super::super::document::{AbSpec, ArmSpec, JobDocument};
use super::super::super::review::Review;
use super::declared::side_metrics;
use crate::ab::{self, Needs};
use crate::registry::ab_tests::rules::{covariate_problem, interval_problem, margin_problem, monitoring_problem};
use crate::registry::ab_tests::side_metric;

/// Checks a document.
pub(super) fn all(document: &JobDocument, spec: &AbSpec, review: &mut Review<'_>) {
    times(document, spec, review);
    arms(document, spec, review);
    primary(document, spec, review);
    rows(document, spec, review);
    question(spec, review);
    beside(document, spec, review);
}

/// What `starts`, `ends` and `label_delay` need of the data.
fn times(document: &JobDocument, spec: &AbSpec, review: &mut Review<'_>) {
    if let (Some(starts), Some(ends)) = (spec.starts, spec.ends)
        && starts >= ends
    {
        review.pair(
            &["ab_test", "ends"],
            &["ab_test", "starts"],
            Code::Conflict,
            "`ends` is not after `starts`",
            "it starts here",
        );
    }
    if document.schedule.is_some() && spec.ends.is_some() && spec.starts.is_none() {
        review.at(&["ab_test", "ends"], Code::MissingKey, "`ends` needs `starts`", |d| {
            d.hint("the looks between them share the significance level by the time that has passed: say when the first row counts")
        });
    }
    for (name, source) in [("current", &document.data.current), ("reference", &document.data.reference)] {
        let Some(source) = source else { continue };
        for (key, is_set) in [("starts", spec.starts.is_some()), ("label_delay", spec.label_delay_seconds.is_some())] {
            if is_set && source.time_column.is_none() {
                let message = format!("`{key}` needs the time of every row");
                review.at(&["ab_test", key], Code::MissingKey, message, |d| {
                    d.hint(format!("add `time_column` to `[data.{name}]`"))
                });
            }
        }
        if source.window.is_some() {
            review.at_key(
                &["data", name, "window"],
                Code::Conflict,
                "an A/B test is evaluated over all rows from `starts` to the tick",
                |d| d.hint("remove `window`"),
            );
        }
    }
}

fn arms(document: &JobDocument, spec: &AbSpec, review: &mut Review<'_>) {
    let job_model = document.model.as_ref().map(|model| model.name.as_str());
    let model = |arm: &'_ ArmSpec| arm.model.clone().or_else(|| job_model.map(str::to_owned));
    for (key, arm) in [("control", &spec.control), ("treatment", &spec.treatment)] {
        if model(arm).is_none() {
            review.at_key(&["ab_test", key], Code::MissingKey, format!("the {key} names no model"), |d| {
                d.hint("say `model = { name = \"...\" }` at the top of the file, or `model = \"...\"` in each arm")
            });
        }
    }
    if spec.variant_column.is_some() {
        for (key, arm) in [("control", &spec.control), ("treatment", &spec.treatment)] {
            if arm.variant.is_empty() {
                review.at_key(&["ab_test", key], Code::MissingKey, format!("the {key} names no `variant`"), |d| {
                    d.hint("say which value of `variant_column` its rows have")
                });
            }
        }
    }
    if spec.control.variant == spec.treatment.variant && !spec.control.variant.is_empty() {
        let message = format!("both arms have the variant `{}`", spec.control.variant);
        review.pair(
            &["ab_test", "treatment", "variant"],
            &["ab_test", "control", "variant"],
            Code::SameArm,
            message,
            "the control's variant",
        );
    }
    let same_version =
        match (semver::Version::parse(&spec.control.version), semver::Version::parse(&spec.treatment.version)) {
            (Ok(a), Ok(b)) => a.cmp_precedence(&b).is_eq(),
            _ => spec.control.version == spec.treatment.version,
        };
    if same_version && model(&spec.control) == model(&spec.treatment) {
        let message = format!("both arms are version {} of the same model", spec.control.version);
        review.pair(
            &["ab_test", "treatment", "version"],
            &["ab_test", "control", "version"],
            Code::SameArm,
            message,
            "the control's version",
        );
    }
}

/// What the metric that decides needs.
fn primary(document: &JobDocument, spec: &AbSpec, review: &mut Review<'_>) {
    let by_arm = document.has_arms_in_the_same_rows();
    if spec.metric != "mean" && spec.outcome.is_some() {
        let message = "`outcome` is used only with `metric = \"mean\"`";
        review.at_key(&["ab_test", "outcome"], Code::Conflict, message, |d| d);
    }
    if spec.metric == "mean" && by_arm {
        for (key, arm) in [("control", &spec.control), ("treatment", &spec.treatment)] {
            if arm.outcome.is_none() {
                let message = format!("the {key} names no `outcome`");
                review.at_key(&["ab_test", key], Code::MissingKey, message, |d| {
                    d.hint("both models' outcomes stand in the same rows: name the column of each; or say `variant_column`")
                });
            }
        }
    } else if spec.metric == "mean" && spec.outcome.is_none() {
        review.at(&["ab_test", "metric"], Code::MissingKey, "`metric = \"mean\"` needs `outcome`", |d| {
            d.hint("name the column whose mean is compared")
        });
    }
    loss(spec, &spec.metric, &["ab_test", "metric"], review);
}

/// What a metric of predictions needs.
fn loss(spec: &AbSpec, metric: &str, at: &[&str], review: &mut Review<'_>) {
    if metric == "mean" {
        return;
    }
    if spec.label.is_none() {
        review.at(at, Code::MissingKey, format!("`metric = \"{metric}\"` needs `label`"), |d| {
            d.hint("name the column with the truth")
        });
    }
    for (key, arm) in [("control", &spec.control), ("treatment", &spec.treatment)] {
        let missing = match metric {
            "brier" | "log_loss" | "roc_auc" => arm.score.is_none().then_some("`score`"),
            "accuracy" => (arm.score.is_none() && arm.prediction.is_none()).then_some("`prediction` or `score`"),
            _ => arm.prediction.is_none().then_some("`prediction`"),
        };
        if let Some(missing) = missing {
            let message = format!("`metric = \"{metric}\"` needs {missing} in the {key}");
            review.at_key(&["ab_test", key], Code::MissingKey, message, |d| d);
        }
    }
}

/// Whether the test fits the rows: of one arm each, or of both models.
fn rows(document: &JobDocument, spec: &AbSpec, review: &mut Review<'_>) {
    let at = ["ab_test", "statistical_test"];
    let Some(test) = ab::test(&spec.statistical_test) else { return };
    let name = test.name();
    match (document.has_arms_in_the_same_rows(), test.needs().is_met_by_separate_rows()) {
        // The bootstrap draws pairs where there are pairs.
        (true, true) if name != "bootstrap" => {
            review.at(&at, Code::Conflict, format!("`{name}` compares rows of one arm with rows of the other"), |d| {
                d.hint("without `variant_column` and `[data.reference]` both models answered every row: choose paired_t_test, wilcoxon_signed_rank, mcnemar, delong or bootstrap")
            });
        }
        (false, false) => {
            review.at(&at, Code::Conflict, format!("`{name}` compares two models on the same rows"), |d| {
                d.hint("`variant_column` and `[data.reference]` give every row one model: remove them where both models answered every row of `data.current`")
            });
        }
        _ => {}
    }
    let is_scores = test.needs() == Needs::Scores;
    if is_scores != (spec.metric == "roc_auc") {
        let message = match is_scores {
            true => format!("`{name}` compares areas under the ROC curve"),
            false => "`metric = \"roc_auc\"` has no value for each row".to_owned(),
        };
        review.at(&["ab_test", "metric"], Code::Conflict, message, |d| {
            d.hint("`metric = \"roc_auc\"` and `statistical_test = \"delong\"` go together")
        });
    }
    if is_scores && spec.unit_column.is_some() {
        let message = "scores are compared row by row: a unit has none";
        review.at_key(&["ab_test", "unit_column"], Code::Conflict, message, |d| d.hint("remove `unit_column`"));
    }
}

/// Whether hypothesis, margin, covariate and test go together.
fn question(spec: &AbSpec, review: &mut Review<'_>) {
    let hypothesis = spec.hypothesis.as_deref().unwrap_or("superiority");
    if let Some(problem) = margin_problem(hypothesis, spec.margin) {
        match spec.margin {
            Some(_) => review.at(&["ab_test", "margin"], Code::Conflict, format!("`margin` {problem}"), |d| d),
            None => review.at(&["ab_test", "hypothesis"], Code::MissingKey, problem, |d| d),
        }
    }
    let monitoring = spec.monitoring.as_deref().unwrap_or("auto");
    if let Some(problem) = monitoring_problem(monitoring, &spec.statistical_test) {
        review.at(&["ab_test", "monitoring"], Code::Conflict, problem, |d| d);
    }
    let shares_the_level = monitoring == "group_sequential" || spec.statistical_test == "group_sequential";
    if shares_the_level && spec.ends.is_none() {
        let key = if monitoring == "group_sequential" { "monitoring" } else { "statistical_test" };
        let message = "`group_sequential` needs `starts` and `ends`";
        review.at(&["ab_test", key], Code::MissingKey, message, |d| {
            d.hint("looks share the level by the time that is left; without an end leave it out: a confidence sequence then holds at every look")
        });
    }
    let mode = spec.threshold_mode.as_deref().unwrap_or("point");
    if let Some(problem) = interval_problem(hypothesis, mode, &spec.statistical_test) {
        review.at(&["ab_test", "statistical_test"], Code::Conflict, problem, |d| d);
    }
    if let Some(problem) = spec.covariate.as_deref().and_then(|name| covariate_problem(name, &spec.statistical_test)) {
        review.at(&["ab_test", "covariate"], Code::Conflict, problem, |d| d);
    }
}

fn beside(document: &JobDocument, spec: &AbSpec, review: &mut Review<'_>) {
    let (guardrails, secondary) = (side_metrics(&spec.guardrails), side_metrics(&spec.secondary_metrics));
    for problem in side_metric::problems("", &guardrails, &secondary) {
        // `/guardrails/0/name` of a request is `[ab_test.guardrails.<name>]` here.
        let mut parts = problem.pointer.trim_start_matches('/').split('/');
        let list = parts.next().unwrap_or("guardrails");
        let at = parts.next().and_then(|at| at.parse::<usize>().ok());
        let named = if list == "guardrails" { &guardrails } else { &secondary };
        match at.and_then(|at| named.get(at)) {
            Some(metric) => review.at_key(&["ab_test", list, &metric.name], Code::InvalidValue, problem.detail, |d| d),
            None => review.at_key(&["ab_test", list], Code::InvalidValue, problem.detail, |d| d),
        }
    }
    let same_rows = document.has_arms_in_the_same_rows();
    for (list, metrics) in [("guardrails", &spec.guardrails), ("secondary_metrics", &spec.secondary_metrics)] {
        for (name, side) in metrics {
            let at = ["ab_test", list, name.as_str()];
            match (side.metric(), &side.outcome) {
                ("roc_auc", _) => {
                    review.at_key(
                        &at,
                        Code::Conflict,
                        "`roc_auc` has no value for each row, so it stands beside nothing",
                        |d| d,
                    );
                }
                ("mean", _) if same_rows => {
                    let message = "one column cannot hold the outcomes of both models in the same rows";
                    review.at_key(&at, Code::Conflict, message, |d| {
                        d.hint("choose a metric of predictions, such as brier")
                    });
                }
                ("mean", None) => {
                    review.at_key(&at, Code::MissingKey, format!("`{name}` needs `outcome`"), |d| {
                        d.hint("name the column whose mean is compared, or a `metric` of predictions")
                    });
                }
                ("mean", Some(_)) => {}
                (metric, Some(_)) => {
                    let message = format!("`outcome` is used only with `metric = \"mean\"`, not `{metric}`");
                    review.at_key(&at, Code::Conflict, message, |d| d);
                }
                (metric, None) => loss(spec, metric, &at, review),
            }
        }
    }
    if spec.metric == "roc_auc" && !(spec.guardrails.is_empty() && spec.secondary_metrics.is_empty()) {
        let message = "areas under the ROC curve are compared without guardrails or secondary metrics";
        review.at(&["ab_test", "metric"], Code::Conflict, message, |d| d);
    }
}
