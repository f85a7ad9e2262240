//! Metrics computed from truth and predictions that the caller sends.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::Api;
use super::super::body::{Path, as_in_path, one_of};
use super::super::change::{Answer, Write};
use super::super::problem::Problem;
use super::auto;
use crate::access::Scope;
use crate::metrics::Task;
use crate::registry::validation::evaluate::{Averaging, Classification, Evaluation, Regression, Target};
use crate::registry::validation::{self, Metric};

/// Truth and predictions of a classifier.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "y_true": [0, 1, 0, 1, 1, 0], "y_pred": [0, 1, 0, 1, 0, 0], "dataset_split": "test" }))]
pub(super) struct ClassificationRequest {
    /// The model; may be left out, since the path names it.
    model_name: Option<String>,
    /// The version; likewise.
    model_version: Option<String>,
    /// The true classes: texts, numbers or booleans; null where the truth is not known yet.
    y_true: Vec<Value>,
    /// The predicted classes.
    y_pred: Vec<Value>,
    /// Scores of the positive class; they add `roc_auc`, `average_precision`, `log_loss`, `brier` and `ece`.
    y_score: Option<Vec<Option<f64>>>,
    /// Scores of each class, by class; they add `roc_auc_ovr`, `log_loss` and `brier` where there are more than two.
    #[serde(default)]
    class_scores: BTreeMap<String, Vec<Option<f64>>>,
    /// How much each row counts; rows whose weight is null or negative are left out.
    sample_weight: Option<Vec<Option<f64>>>,
    /// These metrics instead of the usual ones, such as `f2` or `cohen_kappa`.
    metrics: Option<Vec<String>>,
    /// Whether precision, recall and F1 of each class are answered and logged too, under the segment `class: <class>`.
    #[serde(default)]
    per_class: bool,
    /// The positive class; `1` or `true` when it is left out.
    positive: Option<Value>,
    /// `binary`, `macro`, `micro` or `weighted`; by default `binary` for two classes and `macro` for more.
    averaging: Option<String>,
    /// The split they are from.
    dataset_split: Option<String>,
    /// The segment they are from.
    segment: Option<String>,
    /// Where the rows lie.
    dataset_uri: Option<String>,
    /// Their digest.
    dataset_digest: Option<String>,
}

/// What was computed and logged.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Evaluated {
    /// `accuracy`, `precision`, `recall`, `f1` and more, or `mae`, `mse`, `rmse`, `r2` and more; null when undefined.
    metrics: Map<String, Value>,
    /// The classes seen, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    classes: Vec<String>,
    /// Weights of rows by true class (first index) and predicted class, in the order of `classes`; counts without weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    confusion_matrix: Option<Vec<Vec<f64>>>,
    /// Rows whose weight is null or negative.
    #[serde(skip_serializing_if = "Option::is_none")]
    unweighted: Option<u64>,
    /// Rows that count.
    sample_count: u64,
    /// Rows whose truth is not known yet.
    pending: u64,
    /// Rows without a prediction.
    unpredicted: u64,
    /// How precision, recall and F1 were taken together over classes.
    averaging: Option<String>,
    /// The class that binary precision and recall are about.
    positive_class: Option<String>,
    /// The metrics as they were logged.
    logged: Vec<Metric>,
}

impl From<Evaluation> for Evaluated {
    fn from(evaluation: Evaluation) -> Self {
        let averaging = evaluation.averaging.and_then(|a| serde_json::to_value(a).ok());
        Self {
            metrics: evaluation.metrics,
            classes: evaluation.classes,
            confusion_matrix: evaluation.confusion_matrix,
            unweighted: Some(evaluation.unweighted).filter(|rows| *rows > 0),
            sample_count: evaluation.sample_count,
            pending: evaluation.pending,
            unpredicted: evaluation.unpredicted,
            averaging: averaging.and_then(|a| a.as_str().map(str::to_owned)),
            positive_class: evaluation.positive_class,
            logged: evaluation.logged,
        }
    }
}

/// Computes the metrics of a classifier from truth and predictions, and logs them.
#[utoipa::path(post, path = "/governance/models/{model_name}/{version}/metrics/evaluate-classification", tag = "metrics",
    request_body = ClassificationRequest,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 201, description = "What was computed.", body = Evaluated)))]
pub(super) async fn classification(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    mut request: Write<ClassificationRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    let body = &mut request.body;
    as_in_path("/model_name", body.model_name.as_deref(), &name)?;
    as_in_path("/model_version", body.model_version.as_deref(), &version)?;
    one_of("/averaging", body.averaging.as_deref(), &["binary", "macro", "micro", "weighted"])?;
    let averaging = match body.averaging.as_deref() {
        None => None,
        Some("binary") => Some(Averaging::Binary),
        Some("macro") => Some(Averaging::Macro),
        Some("micro") => Some(Averaging::Micro),
        Some(_) => Some(Averaging::Weighted),
    };
    let input = Classification {
        y_true: std::mem::take(&mut body.y_true),
        y_pred: std::mem::take(&mut body.y_pred),
        y_score: body.y_score.take(),
        class_scores: std::mem::take(&mut body.class_scores),
        sample_weight: body.sample_weight.take(),
        metrics: body.metrics.take(),
        per_class: body.per_class,
        positive: body.positive.take(),
        averaging,
    };
    let target = Target {
        model_name: name,
        model_version: version,
        dataset_split: body.dataset_split.take(),
        segment: body.segment.take(),
        dataset_uri: body.dataset_uri.take(),
        dataset_digest: body.dataset_digest.take(),
        metadata: None,
    };
    let evaluation = off_thread(move || input.compute()).await?;
    logged(&api, &request, &target, Task::Classification, evaluation).await
}

/// Truth and predictions of a regressor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "y_true": [1.0, 2.0, 3.0, 4.0], "y_pred": [1.1, 2.1, 2.9, 4.2], "dataset_split": "validation" }))]
pub(super) struct RegressionRequest {
    /// The model; may be left out, since the path names it.
    model_name: Option<String>,
    /// The version; likewise.
    model_version: Option<String>,
    /// The true numbers; null where the truth is not known yet.
    y_true: Vec<Value>,
    /// The predicted numbers.
    y_pred: Vec<Value>,
    /// How much each row counts; rows whose weight is null or negative are left out.
    sample_weight: Option<Vec<Option<f64>>>,
    /// These metrics instead of the usual ones, such as `mape` or `wape`.
    metrics: Option<Vec<String>>,
    /// The split they are from.
    dataset_split: Option<String>,
    /// The segment they are from.
    segment: Option<String>,
    /// Where the rows lie.
    dataset_uri: Option<String>,
    /// Their digest.
    dataset_digest: Option<String>,
}

/// Computes the metrics of a regressor from truth and predictions, and logs them.
#[utoipa::path(post, path = "/governance/models/{model_name}/{version}/metrics/evaluate-regression", tag = "metrics",
    request_body = RegressionRequest,
    params(("model_name" = String, Path, description = "The model."), ("version" = String, Path, description = "The version.")),
    responses((status = 201, description = "What was computed.", body = Evaluated)))]
pub(super) async fn regression(
    State(api): State<Api>,
    Path((name, version)): Path<(String, String)>,
    mut request: Write<RegressionRequest>,
) -> Result<Response, Problem> {
    request.caller.need(Scope::MetricsWrite)?;
    let body = &mut request.body;
    as_in_path("/model_name", body.model_name.as_deref(), &name)?;
    as_in_path("/model_version", body.model_version.as_deref(), &version)?;
    let input = Regression {
        y_true: std::mem::take(&mut body.y_true),
        y_pred: std::mem::take(&mut body.y_pred),
        sample_weight: body.sample_weight.take(),
        metrics: body.metrics.take(),
    };
    let target = Target {
        model_name: name,
        model_version: version,
        dataset_split: body.dataset_split.take(),
        segment: body.segment.take(),
        dataset_uri: body.dataset_uri.take(),
        dataset_digest: body.dataset_digest.take(),
        metadata: None,
    };
    let evaluation = off_thread(move || input.compute()).await?;
    logged(&api, &request, &target, Task::Regression, evaluation).await
}

/// Computing over many rows must not hold up other requests.
async fn off_thread(
    compute: impl FnOnce() -> Result<Evaluation, validation::Error> + Send + 'static,
) -> Result<Evaluation, Problem> {
    match tokio::task::spawn_blocking(compute).await {
        Ok(outcome) => outcome.map_err(Problem::from),
        Err(error) => Err(Problem::internal(&error)),
    }
}

async fn logged<T>(
    api: &Api,
    request: &Write<T>,
    target: &Target,
    task: Task,
    evaluation: Evaluation,
) -> Result<Response, Problem>
where
    T: serde::de::DeserializeOwned,
{
    let mut change = request.begin(api).await?;
    let actor = request.caller.actor();
    let evaluation =
        validation::evaluate::log_evaluation(change.conn(), target, task, evaluation, &actor, auto(api)).await?;
    let location = format!("/governance/models/{}/{}/metrics", target.model_name, target.model_version);
    change.commit(Answer::created(location, &Evaluated::from(evaluation))?).await
}
