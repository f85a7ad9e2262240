//! What the fields of a new test must be. Every problem is found, not only the first.

use super::super::rules;
use super::super::side_metric;
use super::NewTest;
use crate::ab;
use crate::registry::validation::{FieldProblem, checks_of_metric_name};

/// Everything that is wrong with a new test.
pub(super) fn problems(new: &NewTest) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    let mut wrong = |pointer: &str, detail: String| {
        problems.push(FieldProblem { item: 0, pointer: pointer.to_owned(), detail });
    };
    let name = &new.test_name;
    if name.trim().is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
        wrong("/test_name", "a test's name has 1 to 200 bytes and no control characters".to_owned());
    }
    if let Some(problem) = checks_of_metric_name(&new.success_metric) {
        wrong("/success_metric", problem);
    }
    let between = |value: f64| value > 0.0 && value < 1.0;
    if !between(new.traffic_split) {
        wrong(
            "/traffic_split",
            format!("must lie between 0 and 1, not {}: it is the share that B sees", new.traffic_split),
        );
    }
    if !between(new.significance_level) {
        wrong("/significance_level", format!("must lie between 0 and 1, not {}", new.significance_level));
    }
    if new.min_samples < 2 {
        wrong("/min_samples", format!("must be 2 or more, not {}", new.min_samples));
    }
    if !(new.success_threshold >= 0.0 && new.success_threshold.is_finite()) {
        wrong("/success_threshold", format!("must be 0 or more, not {}", new.success_threshold));
    }
    for (pointer, given, known) in [
        ("/monitoring", &new.monitoring, &rules::MONITORING[..]),
        ("/threshold_mode", &new.threshold_mode, &rules::THRESHOLD_MODES[..]),
        ("/hypothesis", &new.hypothesis, &rules::HYPOTHESES[..]),
        ("/sample_ratio_policy", &new.sample_ratio_policy, &rules::SAMPLE_RATIO_POLICIES[..]),
    ] {
        if !known.contains(&given.as_str()) {
            wrong(pointer, format!("there is no {given:?}; choose one of {}", known.join(", ")));
        }
    }
    if !(1..=1000).contains(&new.planned_looks) {
        wrong("/planned_looks", format!("must be 1 to 1000, not {}", new.planned_looks));
    }
    if new.min_duration_seconds.is_some_and(|seconds| seconds < 1) {
        wrong("/min_duration_seconds", "must be 1 or more".to_owned());
    }
    if let Some(problem) = statistical_test(new) {
        wrong("/statistical_test", problem);
    }
    if let Some(problem) = rules::monitoring_problem(&new.monitoring, &new.statistical_test) {
        wrong("/monitoring", problem);
    }
    if new.planned_looks > 1 && rules::is_always_valid(&new.monitoring, &new.statistical_test) {
        let detail = "a confidence sequence holds at every look, so none is planned: leave it out";
        wrong("/planned_looks", detail.to_owned());
    }
    if let Some(problem) = rules::interval_problem(&new.hypothesis, &new.threshold_mode, &new.statistical_test) {
        wrong("/statistical_test", problem);
    }
    if let Some(problem) = rules::margin_problem(&new.hypothesis, new.margin) {
        wrong("/margin", problem);
    }
    if let Some(problem) =
        new.covariate.as_deref().and_then(|name| rules::covariate_problem(name, &new.statistical_test))
    {
        wrong("/covariate", problem);
    }
    problems.extend(side_metric::problems(&new.success_metric, &new.guardrails, &new.secondary_metrics));
    let same = match (semver::Version::parse(&new.model_a_version), semver::Version::parse(&new.model_b_version)) {
        (Ok(a), Ok(b)) => a.cmp_precedence(&b).is_eq(),
        _ => new.model_a_version == new.model_b_version,
    };
    if same && new.model_a_name == new.model_b_name {
        problems.push(same_version(&new.model_a_version));
    }
    problems
}

pub(super) fn same_version(version: &str) -> FieldProblem {
    let detail = format!("both arms are version {version} of the same model");
    FieldProblem { item: 0, pointer: "/model_b_version".to_owned(), detail }
}

fn statistical_test(new: &NewTest) -> Option<String> {
    let Some(test) = ab::test(&new.statistical_test) else {
        let known: Vec<&str> = ab::ALL.iter().map(|test| test.name()).collect();
        let likely = ab::likely_test(&new.statistical_test).map(|known| format!("; did you mean `{known}`?"));
        let choice = likely.unwrap_or_else(|| format!("; choose one of {}", known.join(", ")));
        return Some(format!("there is no statistical test `{}`{choice}", new.statistical_test));
    };
    let beside = !new.guardrails.is_empty() || !new.secondary_metrics.is_empty();
    (test.needs() == ab::Needs::Scores && beside).then(|| {
        format!(
            "`{}` compares scores of the same rows, which have no guardrails or secondary metrics beside",
            test.name()
        )
    })
}
