//! The plan of a test: what was agreed before the first row and is never changed after the start.
//!
//! The columns of `model_ab_tests` hold what the specification names; `plan` holds everything, so that one look at it answers what was
//! agreed. What an older plan does not say has its default.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::validation::checks_of_metric_name;
use super::side_metric::SideMetric;
use crate::ab;
use crate::db::ab_tests::TestPlan;
use crate::db::ab_tests::register::TestRow;

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// The metric that decides.
    pub metric: String,
    /// Whether a smaller value of it is better.
    pub lower_is_better: bool,
    /// Whether nobody said which way is better, and the metric's name does not say it: more is taken to be.
    #[serde(skip_serializing_if = "is_false")]
    pub direction_is_assumed: bool,
    /// What the test is to show, one of [`HYPOTHESES`].
    pub hypothesis: String,
    /// By how much B may be worse (non-inferiority) or differ (equivalence), as a fraction of A.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// The statistical test.
    pub statistical_test: String,
    /// Chance of a false positive over all looks.
    pub significance_level: f64,
    /// Rows (units, where there are any) that each arm needs.
    pub min_samples: i64,
    /// Relative improvement that B must show, as a fraction.
    pub success_threshold: f64,
    /// Share of the traffic that B should see.
    pub traffic_split: f64,
    /// What arms do whose rows have another ratio than that, one of [`SAMPLE_RATIO_POLICIES`].
    pub sample_ratio_policy: String,
    /// How long the test runs at least before anything is decided, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_duration_seconds: Option<i64>,
    /// Metrics that must not be hurt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<SideMetric>,
    /// Metrics that are reported, adjusted for each other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secondary_metrics: Vec<SideMetric>,
    /// What is known of each row from before the test, and takes noise out of the outcome (CUPED).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covariate: Option<String>,
    /// Whether both models answered the same rows, so that each row stands on both sides.
    #[serde(skip_serializing_if = "is_false")]
    pub same_rows: bool,
    /// What must reach the threshold, one of [`THRESHOLD_MODES`].
    pub threshold_mode: String,
    /// What makes repeated looks honest, one of [`MONITORING`].
    pub monitoring: String,
    /// Looks that may decide; none where nothing was planned.
    pub planned_looks: Option<u32>,
    /// What repeated looks are held against, in words.
    pub stopping_rule: String,
    /// First instant that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<DateTime<Utc>>,
    /// The horizon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<DateTime<Utc>>,
    /// The cron expression of the looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Its time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// How long an outcome may take to come, in seconds: rows younger than that count in neither arm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_delay_seconds: Option<i64>,
    /// Column with the unit that was assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_column: Option<String>,
    /// Salt of the assignment, and seed of what is left to chance.
    pub seed: String,
    /// Channels that hear of its decision and its end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            metric: String::new(),
            lower_is_better: false,
            direction_is_assumed: false,
            hypothesis: "superiority".to_owned(),
            margin: None,
            statistical_test: "t_test".to_owned(),
            significance_level: 0.05,
            min_samples: 100,
            success_threshold: 0.02,
            traffic_split: 0.5,
            sample_ratio_policy: "block".to_owned(),
            min_duration_seconds: None,
            guardrails: Vec::new(),
            secondary_metrics: Vec::new(),
            covariate: None,
            same_rows: false,
            threshold_mode: "point".to_owned(),
            monitoring: "auto".to_owned(),
            planned_looks: None,
            stopping_rule: STOPPING_RULE.to_owned(),
            starts: None,
            ends: None,
            schedule: None,
            timezone: None,
            label_delay_seconds: None,
            unit_column: None,
            seed: String::new(),
            notify: Vec::new(),
        }
    }
}

/// What repeated looks are held against.
const STOPPING_RULE: &str = "planned looks share the significance level (Lan-DeMets, O'Brien-Fleming); without a plan looks are held \
                             against a confidence sequence; other looks are never significant";
/// What makes repeated looks honest.
pub const MONITORING: [&str; 4] = ["auto", "group_sequential", "always_valid", "horizon"];
/// What must reach the threshold.
pub const THRESHOLD_MODES: [&str; 2] = ["point", "superiority"];
/// What a test may be to show: that B is better, that it is not worse by the margin, or that it differs by less than the margin.
pub const HYPOTHESES: [&str; 3] = ["superiority", "non_inferiority", "equivalence"];
/// What arms do whose rows have another ratio than the split: stop the test, or only say so.
pub const SAMPLE_RATIO_POLICIES: [&str; 2] = ["block", "warn"];

fn or_none(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Rules {
    /// The plan of a test.
    #[must_use]
    pub fn of(test: &TestRow) -> Self {
        let read: Self = serde_json::from_value(test.plan.clone()).unwrap_or_default();
        // A test from before seeds were kept is told apart by its id.
        let seed = if read.seed.is_empty() { test.id.to_string() } else { read.seed.clone() };
        Self {
            metric: test.success_metric.clone(),
            lower_is_better: test.lower_is_better,
            statistical_test: test.statistical_test.clone(),
            significance_level: test.significance_level,
            min_samples: test.min_samples,
            success_threshold: test.success_threshold,
            traffic_split: test.traffic_split,
            seed,
            ..read
        }
    }

    /// The rows that a test with this plan is made of.
    #[must_use]
    pub fn plan(&self, test_name: &str, model_a: (&str, &str), model_b: (&str, &str)) -> TestPlan {
        let owned = |(name, version): (&str, &str)| (name.to_owned(), version.to_owned());
        TestPlan {
            test_name: test_name.to_owned(),
            model_a: owned(model_a),
            model_b: owned(model_b),
            success_metric: self.metric.clone(),
            lower_is_better: self.lower_is_better,
            traffic_split: self.traffic_split,
            min_samples: self.min_samples,
            success_threshold: self.success_threshold,
            statistical_test: self.statistical_test.clone(),
            significance_level: self.significance_level,
            plan: serde_json::to_value(self).unwrap_or_default(),
        }
    }

    /// What this plan says otherwise than `other`: the words for it. Who hears of it and the schedule's cron are no part of what
    /// decides.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                found.push(format!("{what} is {ours} and not {theirs}"));
            }
        };
        compare("metric", self.metric.clone(), other.metric.clone());
        compare("lower_is_better", self.lower_is_better.to_string(), other.lower_is_better.to_string());
        compare("statistical_test", self.statistical_test.clone(), other.statistical_test.clone());
        compare("significance_level", self.significance_level.to_string(), other.significance_level.to_string());
        compare("min_samples", self.min_samples.to_string(), other.min_samples.to_string());
        compare("success_threshold", self.success_threshold.to_string(), other.success_threshold.to_string());
        compare("threshold_mode", self.threshold_mode.clone(), other.threshold_mode.clone());
        compare("monitoring", self.monitoring.clone(), other.monitoring.clone());
        compare("traffic_split", self.traffic_split.to_string(), other.traffic_split.to_string());
        compare("sample_ratio_policy", self.sample_ratio_policy.clone(), other.sample_ratio_policy.clone());
        compare("hypothesis", self.hypothesis.clone(), other.hypothesis.clone());
        compare("margin", or_none(self.margin), or_none(other.margin));
        compare("min_duration_seconds", or_none(self.min_duration_seconds), or_none(other.min_duration_seconds));
        compare("covariate", or_none(self.covariate.as_ref()), or_none(other.covariate.as_ref()));
        let list = |metrics: &[SideMetric]| {
            let named: Vec<String> = metrics.iter().map(SideMetric::to_string).collect();
            or_none(Some(named.join(", ")).filter(|names| !names.is_empty()))
        };
        compare("guardrails", list(&self.guardrails), list(&other.guardrails));
        compare("secondary_metrics", list(&self.secondary_metrics), list(&other.secondary_metrics));
        found
    }
}

/// What is wrong with the margin of a hypothesis.
#[must_use]
pub fn margin_problem(hypothesis: &str, margin: Option<f64>) -> Option<String> {
    match (hypothesis, margin) {
        ("superiority", Some(_)) => {
            Some("is of `non_inferiority` and `equivalence`; a test for superiority has `success_threshold`".to_owned())
        }
        ("non_inferiority" | "equivalence", None) => {
            Some(format!("`{hypothesis}` needs a margin, such as 0.01: by how much of A B may differ"))
        }
        (_, Some(margin)) if !(margin > 0.0 && margin < 1.0) => Some(format!("must lie between 0 and 1, not {margin}")),
        _ => None,
    }
}

/// What is wrong with a covariate beside this test.
#[must_use]
pub fn covariate_problem(name: &str, statistical_test: &str) -> Option<String> {
    let needs = ab::test(statistical_test).map(|test| test.needs());
    match needs {
        _ if checks_of_metric_name(name).is_some() => checks_of_metric_name(name),
        Some(ab::Needs::Shares) => Some(format!(
            "`{statistical_test}` compares shares, which cannot be adjusted; `t_test` compares their means"
        )),
        _ if statistical_test == "bootstrap" => Some(
            "`bootstrap` draws rows, and the adjustment would stay what it was for all of them; `t_test` takes it into account".to_owned(),
        ),
        Some(needs) if !needs.is_met_by_separate_rows() => Some(format!(
            "`{statistical_test}` compares the same rows, which takes more noise out than a covariate could"
        )),
        _ => None,
    }
}

/// Why this test cannot answer what only an interval of the improvement can: whether B is within a margin, or above the threshold for
/// sure.
#[must_use]
pub fn interval_problem(hypothesis: &str, threshold_mode: &str, statistical_test: &str) -> Option<String> {
    let asks = match (hypothesis, threshold_mode) {
        ("superiority", "superiority") => "`threshold_mode = \"superiority\"`".to_owned(),
        ("superiority", _) => return None,
        (hypothesis, _) => format!("`hypothesis = \"{hypothesis}\"`"),
    };
    let test = ab::test(statistical_test).filter(|test| !test.has_interval())?;
    Some(format!(
        "{asks} needs an interval of the improvement, which `{}` does not have; choose t_test or bootstrap",
        test.name()
    ))
}

/// Whether every look may decide, as many as there are.
#[must_use]
pub fn is_always_valid(monitoring: &str, statistical_test: &str) -> bool {
    let own = ab::test(statistical_test).and_then(|test| test.monitoring());
    own == Some(ab::Monitoring::AlwaysValid) || (own.is_none() && monitoring == "always_valid")
}

/// Why this rule for repeated looks does not go with this test.
#[must_use]
pub fn monitoring_problem(monitoring: &str, statistical_test: &str) -> Option<String> {
    let own = ab::test(statistical_test)?.monitoring()?;
    let own = match own {
        ab::Monitoring::AlwaysValid => "always_valid",
        _ => "group_sequential",
    };
    (monitoring != "auto" && monitoring != own).then(|| {
        format!("`{statistical_test}` brings its own rule for repeated looks, `{own}`: leave it out, or choose t_test")
    })
}
