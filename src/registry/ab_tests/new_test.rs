//! Creating an A/B test: the specification's fields with its defaults, checked all at once.

use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::super::Setup;
use super::super::validation::{FieldProblem, known_version};
use super::side_metric::{SideMetric, lower_is_better_by_name};
use super::{Error, Rules, TestRow, changed, rules};
use crate::ab;
use crate::db::ab_tests::register;
use crate::db::audit::Actor;
use crate::db::models;

mod checks;

/// A test to create; the fields and defaults are the specification's, and what a statistician asks besides.
#[derive(Debug, Clone, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TestRequest, example = json!({
    "test_name": "biodiversity_v2_vs_v1",
    "model_a_name": "biodiversity_ensemble", "model_a_version": "0.1.0",
    "model_b_name": "biodiversity_ensemble", "model_b_version": "0.2.0",
    "success_metric": "accuracy", "traffic_split": 0.5, "min_samples": 100, "success_threshold": 0.02,
    "statistical_test": "t_test", "significance_level": 0.05, "created_by": "ml_engineer"
}))]
pub struct NewTest {
    /// Its name; used once and never again.
    pub test_name: String,
    /// The control.
    pub model_a_name: String,
    /// Its version.
    pub model_a_version: String,
    /// The treatment.
    pub model_b_name: String,
    /// Its version.
    pub model_b_version: String,
    /// What is compared; the results that are posted are values of it.
    pub success_metric: String,
    /// Whether less of it is better; by default what the metric's name says (`mae`: yes, `accuracy`: no). For a metric that this program does
    /// not know more is taken to be better, and the plan says that it was assumed.
    #[serde(default)]
    pub lower_is_better: Option<bool>,
    /// Share of the traffic that goes to model B.
    #[serde(default = "half")]
    #[schema(default = 0.5, exclusive_minimum = 0.0, exclusive_maximum = 1.0)]
    pub traffic_split: f64,
    /// Samples of each model before anything is decided.
    #[serde(default = "hundred")]
    #[schema(default = 100, minimum = 2)]
    pub min_samples: i64,
    /// Improvement that is required, as a share: 0.02 is 2 %.
    #[serde(default = "two_percent")]
    #[schema(default = 0.02, minimum = 0.0)]
    pub success_threshold: f64,
    /// The statistical test. Those that compare two models on the same rows (`paired_t_test`, `wilcoxon_signed_rank`, `mcnemar`,
    /// `delong`) take posted results only, in the same order for both.
    #[serde(default = "t_test")]
    #[schema(default = "t_test")]
    pub statistical_test: String,
    /// The chance of a false alarm that is accepted, over all planned looks.
    #[serde(default = "five_percent")]
    #[schema(default = 0.05, exclusive_minimum = 0.0, exclusive_maximum = 1.0)]
    pub significance_level: f64,
    /// How many evaluations may decide; they share the significance level.
    #[serde(default = "one")]
    #[schema(default = 1, minimum = 1)]
    pub planned_looks: u32,
    /// What makes repeated looks honest: `auto` (planned looks share the level), `group_sequential`, `always_valid` (a confidence
    /// sequence: any number of looks, none planned) or `horizon` (only the last planned look decides).
    #[serde(default = "auto")]
    #[schema(default = "auto")]
    pub monitoring: String,
    /// What must reach the threshold: `point` (the improvement) or `superiority` (the lower end of its interval).
    #[serde(default = "point")]
    #[schema(default = "point")]
    pub threshold_mode: String,
    /// What the test is to show: `superiority` (B is better), `non_inferiority` (B is worse by less than `margin`) or `equivalence` (B
    /// differs by less than `margin` either way).
    #[serde(default = "superiority")]
    #[schema(default = "superiority")]
    pub hypothesis: String,
    /// The margin of `non_inferiority` and `equivalence`, as a share of A: 0.01 is 1 %.
    #[serde(default)]
    #[schema(exclusive_minimum = 0.0, exclusive_maximum = 1.0)]
    pub margin: Option<f64>,
    /// How long the test runs at least before anything is decided, in seconds.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub min_duration_seconds: Option<i64>,
    /// What a split of rows does that is not the promised one: `block` the test, or `warn`.
    #[serde(default = "block")]
    #[schema(default = "block")]
    pub sample_ratio_policy: String,
    /// Metrics that B must not hurt, judged at every look: where one fails, people decide (`REVIEW`).
    #[serde(default)]
    pub guardrails: Vec<SideMetric>,
    /// Metrics that are reported beside, adjusted for each other (Holm). They decide nothing.
    #[serde(default)]
    pub secondary_metrics: Vec<SideMetric>,
    /// What is known of every row from before the test, such as `spend_before`: rows are posted with it, and it takes noise out of the
    /// outcome (CUPED).
    #[serde(default)]
    pub covariate: Option<String>,
    /// Channels that hear of its decision and its end, beside those that hear of everything in the registry.
    #[serde(default)]
    pub notify: Vec<String>,
    /// Who creates it; the caller when it is left out, and nobody else unless the API is open.
    #[serde(default)]
    pub created_by: Option<String>,
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
fn auto() -> String {
    "auto".to_owned()
}
fn point() -> String {
    "point".to_owned()
}
fn superiority() -> String {
    "superiority".to_owned()
}
fn block() -> String {
    "block".to_owned()
}

/// Creates a draft.
///
/// # Errors
/// [`Error::Invalid`] with every wrong field, [`Error::Exists`], unknown versions, the database's.
pub async fn create(
    conn: &mut PgConnection,
    new: &NewTest,
    setup: Setup<'_>,
    auto: bool,
    actor: &Actor,
) -> Result<TestRow, Error> {
    let auto = auto.then_some(setup);
    let mut problems = checks::problems(new);
    for (at, name) in new.notify.iter().enumerate() {
        if setup.channels.get(name).is_none() {
            let detail = setup.channels.unknown(name).to_string();
            problems.push(FieldProblem { item: 0, pointer: format!("/notify/{at}"), detail });
        }
    }
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
        return Err(Error::Invalid(vec![checks::same_version(&version_a)]));
    }
    let mut seed = [0_u8; 16];
    OsRng
        .try_fill_bytes(&mut seed)
        .map_err(|error| Error::Database(sqlx::Error::Io(std::io::Error::other(error.to_string()))))?;
    let direction = new.lower_is_better.or_else(|| lower_is_better_by_name(&new.success_metric));
    let rules = Rules {
        metric: new.success_metric.clone(),
        lower_is_better: direction.unwrap_or(false),
        direction_is_assumed: direction.is_none(),
        hypothesis: new.hypothesis.clone(),
        margin: new.margin,
        statistical_test: new.statistical_test.clone(),
        significance_level: new.significance_level,
        min_samples: new.min_samples,
        success_threshold: new.success_threshold,
        traffic_split: new.traffic_split,
        sample_ratio_policy: new.sample_ratio_policy.clone(),
        min_duration_seconds: new.min_duration_seconds,
        guardrails: new.guardrails.iter().map(SideMetric::resolved).collect(),
        secondary_metrics: new.secondary_metrics.iter().map(SideMetric::resolved).collect(),
        covariate: new.covariate.clone(),
        same_rows: ab::test(&new.statistical_test).is_some_and(|test| !test.needs().is_met_by_separate_rows()),
        // Where looks are valid at any time there is nothing to plan.
        planned_looks: (!rules::is_always_valid(&new.monitoring, &new.statistical_test)).then_some(new.planned_looks),
        monitoring: new.monitoring.clone(),
        threshold_mode: new.threshold_mode.clone(),
        seed: hex::encode(seed),
        notify: new.notify.clone(),
        ..Rules::default()
    };
    let plan = rules.plan(&new.test_name, (&new.model_a_name, &version_a), (&new.model_b_name, &version_b));
    let id = register::insert(conn, &plan, &actor.name).await?.ok_or_else(|| Error::Exists(new.test_name.clone()))?;
    let models = json!({
        "model_a": format!("{}/{}", plan.model_a.0, plan.model_a.1),
        "model_b": format!("{}/{}", plan.model_b.0, plan.model_b.1),
        "success_metric": plan.success_metric,
    });
    changed(conn, id, "ab_test.created", models, actor).await
}

/// The salt of a test that a job makes: from its name alone, so that the job says the same again in a replay.
#[must_use]
pub fn seed_of(test_name: &str) -> String {
    hex::encode(&Sha256::digest(format!("ab-test:{test_name}"))[..16])
}
