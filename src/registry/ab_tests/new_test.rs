//! Creating an A/B test: the specification's fields with its defaults, checked all at once.

use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;

use super::super::Setup;
use super::super::validation::{FieldProblem, checks_of_metric_name, known_version};
use super::{Error, TestRow, changed};
use crate::ab;
use crate::db::ab_tests::TestPlan;
use crate::db::ab_tests::register;
use crate::db::audit::Actor;
use crate::db::models;
use crate::metrics;

/// A test to create; the fields and defaults are the specification's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTest {
    /// Unique for ever.
    pub test_name: String,
    /// The control.
    pub model_a_name: String,
    /// Its version.
    pub model_a_version: String,
    /// The treatment.
    pub model_b_name: String,
    /// Its version.
    pub model_b_version: String,
    /// The metric that decides; the results that are posted are values of it.
    pub success_metric: String,
    /// Whether a smaller value is better; by default what the metric's name says (`mae` is, `accuracy` is not).
    #[serde(default)]
    pub lower_is_better: Option<bool>,
    /// Share of the traffic that B should see.
    #[serde(default = "half")]
    pub traffic_split: f64,
    /// Rows that each arm needs before anything is decided.
    #[serde(default = "hundred")]
    pub min_samples: i64,
    /// Relative improvement that B must show, as a fraction.
    #[serde(default = "two_percent")]
    pub success_threshold: f64,
    /// The statistical test.
    #[serde(default = "t_test")]
    pub statistical_test: String,
    /// Chance of a false positive over all planned looks.
    #[serde(default = "five_percent")]
    pub significance_level: f64,
    /// Evaluations that may decide; they share the significance level.
    #[serde(default = "one")]
    pub planned_looks: u32,
}

fn half() -> f64 {
    0.5
}
fn hundred() -> i64 {
    100
}
fn two_percent() -> f64 {
    0.02
}
fn t_test() -> String {
    "t_test".to_owned()
}
fn five_percent() -> f64 {
    0.05
}
fn one() -> u32 {
    1
}

/// Creates a draft.
///
/// # Errors
/// [`Error::Invalid`] with every wrong field, [`Error::Exists`], unknown versions, the database's.
pub async fn create(
    conn: &mut PgConnection,
    new: &NewTest,
    auto: Option<Setup<'_>>,
    actor: &Actor,
) -> Result<TestRow, Error> {
    let problems = problems(new);
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    let mut versions = [
        ("/model_a", new.model_a_name.as_str(), new.model_a_version.clone()),
        ("/model_b", new.model_b_name.as_str(), new.model_b_version.clone()),
    ];
    if auto.is_some() {
        // Both models' locks in one order, and before the first event: the audit trail's head is locked last everywhere.
        for name in [new.model_a_name.as_str().min(&new.model_b_name), new.model_a_name.as_str().max(&new.model_b_name)]
        {
            if !name.contains('\0') {
                models::lock(conn, name).await?;
            }
        }
    }
    for (pointer, name, version) in &mut versions {
        *version = known_version(conn, name, version, auto.map(|setup| (setup, actor))).await.map_err(|error| {
            let mut error = Error::from(error);
            if let Error::Invalid(problems) = &mut error {
                for problem in problems {
                    // `/model_version` of the version's check is `/model_a_version` here.
                    problem.pointer = problem.pointer.replacen("/model", pointer, 1);
                }
            }
            error
        })?;
    }
    let [(_, _, version_a), (_, _, version_b)] = versions;
    if new.model_a_name == new.model_b_name && version_a == version_b {
        return Err(Error::Invalid(vec![same_version(&version_a)]));
    }
    let mut seed = [0_u8; 16];
    OsRng
        .try_fill_bytes(&mut seed)
        .map_err(|error| Error::Database(sqlx::Error::Io(std::io::Error::other(error.to_string()))))?;
    let lower_is_better = lower_is_better(new);
    let plan = TestPlan {
        test_name: new.test_name.clone(),
        model_a: (new.model_a_name.clone(), version_a),
        model_b: (new.model_b_name.clone(), version_b),
        success_metric: new.success_metric.clone(),
        lower_is_better,
        traffic_split: new.traffic_split,
        min_samples: new.min_samples,
        success_threshold: new.success_threshold,
        statistical_test: new.statistical_test.clone(),
        significance_level: new.significance_level,
        plan: json!({
            "metric": new.success_metric,
            "lower_is_better": lower_is_better,
            "statistical_test": new.statistical_test,
            "significance_level": new.significance_level,
            "min_samples": new.min_samples,
            "success_threshold": new.success_threshold,
            "planned_looks": new.planned_looks,
            "stopping_rule": "planned looks share the significance level (Lan-DeMets, O'Brien-Fleming); other looks are never significant",
            "seed": hex::encode(seed),
        }),
    };
    let id = register::insert(conn, &plan, &actor.name).await?.ok_or_else(|| Error::Exists(new.test_name.clone()))?;
    let models = json!({
        "model_a": format!("{}/{}", plan.model_a.0, plan.model_a.1),
        "model_b": format!("{}/{}", plan.model_b.0, plan.model_b.1),
        "success_metric": plan.success_metric,
    });
    changed(conn, id, "ab_test.created", models, actor).await
}

fn lower_is_better(new: &NewTest) -> bool {
    let by_name = || metrics::metric(&new.success_metric).and_then(|metric| metric.higher_is_better()) == Some(false);
    new.lower_is_better.unwrap_or_else(by_name)
}

fn problems(new: &NewTest) -> Vec<FieldProblem> {
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
    if !(1..=1000).contains(&new.planned_looks) {
        wrong("/planned_looks", format!("must be 1 to 1000, not {}", new.planned_looks));
    }
    match ab::test(&new.statistical_test) {
        None => {
            let known: Vec<&str> = ab::ALL.iter().map(|test| test.name()).collect();
            let likely = ab::likely_test(&new.statistical_test).map(|known| format!("; did you mean `{known}`?"));
            let choice = likely.unwrap_or_else(|| format!("; choose one of {}", known.join(", ")));
            wrong("/statistical_test", format!("there is no statistical test `{}`{choice}", new.statistical_test));
        }
        Some(test) if !test.needs().is_met_by_separate_rows() => wrong(
            "/statistical_test",
            format!(
                "`{}` compares two models on the same rows, and the arms of a test have rows of their own",
                test.name()
            ),
        ),
        Some(_) => {}
    }
    let same = match (semver::Version::parse(&new.model_a_version), semver::Version::parse(&new.model_b_version)) {
        (Ok(a), Ok(b)) => a.cmp_precedence(&b).is_eq(),
        _ => new.model_a_version == new.model_b_version,
    };
    if same && new.model_a_name == new.model_b_name {
        problems.push(same_version(&new.model_a_version));
    }
    problems
}

fn same_version(version: &str) -> FieldProblem {
    let detail = format!("both arms are version {version} of the same model");
    FieldProblem { item: 0, pointer: "/model_b_version".to_owned(), detail }
}
