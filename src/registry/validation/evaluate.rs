//! Metrics computed here from labels and predictions, and logged: the specification's `evaluate_classification` and
//! `evaluate_regression`.
//!
//! [`Classification::compute`] and [`Regression::compute`] are pure, so that a caller may run them off its event loop. Classes may
//! be texts, numbers or booleans; a label that is `null` has not arrived yet and is left out. An undefined metric is `null` with
//! its reason, in the answer and in the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::super::Setup;
use super::{Error, Metric, NewMetric, log};
use crate::db::audit::Actor;
use crate::metrics::{self, Column, Given, Rows, RowsError, Task};

/// What the numbers are about; every field but the model's is optional.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // the columns of the table, of the same names
pub struct Target {
    pub model_name: String,
    pub model_version: String,
    pub dataset_split: Option<String>,
    pub segment: Option<String>,
    pub dataset_uri: Option<String>,
    pub dataset_digest: Option<String>,
    /// An object.
    pub metadata: Option<Value>,
}

/// How precision, recall and F1 are taken together over classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Averaging {
    /// Those of the positive class.
    Binary,
    /// The mean over classes: the default when there are more than two.
    Macro,
    /// Over all decisions together.
    Micro,
    /// The mean over classes, weighted by their labels.
    Weighted,
}

impl Averaging {
    fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Macro => "macro",
            Self::Micro => "micro",
            Self::Weighted => "weighted",
        }
    }
}

/// Labels and what a classifier said.
#[derive(Debug, Clone, Default)]
pub struct Classification {
    /// The true classes.
    pub y_true: Vec<Value>,
    /// The predicted ones.
    pub y_pred: Vec<Value>,
    /// Scores or probabilities of the positive class; adds what is computed from them.
    pub y_score: Option<Vec<Option<f64>>>,
    /// Scores or probabilities of each class, by class, where there are more than two.
    pub class_scores: BTreeMap<String, Vec<Option<f64>>>,
    /// How much each row counts.
    pub sample_weight: Option<Vec<Option<f64>>>,
    /// These metrics instead of the usual ones, by name.
    pub metrics: Option<Vec<String>>,
    /// Whether precision, recall and F1 of each class are answered and logged too.
    pub per_class: bool,
    /// The positive class; by default `1` or `true`, and else, of two classes, the later in order.
    pub positive: Option<Value>,
    /// None: of the positive class when there are two classes, macro when there are more.
    pub averaging: Option<Averaging>,
}

/// Labels and what a regressor said.
#[derive(Debug, Clone, Default)]
pub struct Regression {
    /// The true values.
    pub y_true: Vec<Value>,
    /// The predicted ones.
    pub y_pred: Vec<Value>,
    /// How much each row counts.
    pub sample_weight: Option<Vec<Option<f64>>>,
    /// These metrics instead of the usual ones, by name.
    pub metrics: Option<Vec<String>>,
}

/// What came out.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Evaluation {
    /// `accuracy`, `precision`, `recall`, `f1` and more, or `mae`, `mse`, `rmse`, `r2` and more; null when undefined.
    pub metrics: serde_json::Map<String, Value>,
    /// The same with reasons, intervals and counts, and then those of classes.
    pub details: Vec<metrics::Value>,
    /// Classification: weights of rows by true class and predicted class, in the order of `classes`.
    pub confusion_matrix: Option<Vec<Vec<f64>>>,
    /// Rows whose weight is missing or negative.
    pub unweighted: u64,
    /// Rows that count.
    pub sample_count: u64,
    /// Rows whose label is missing.
    pub pending: u64,
    /// Rows with a label and without a prediction.
    pub unpredicted: u64,
    /// Classification: how precision, recall and F1 were taken together.
    pub averaging: Option<Averaging>,
    /// Classification: the class that binary precision and recall are about.
    pub positive_class: Option<String>,
    /// Classification: the classes seen.
    pub classes: Vec<String>,
    /// The rows in the log; empty before they are logged.
    pub logged: Vec<Metric>,
}

impl Classification {
    /// Computes the metrics.
    ///
    /// # Errors
    /// [`Error::Invalid`]: no rows, different lengths, values that are no classes, scores without a positive class.
    pub fn compute(&self) -> Result<Evaluation, Error> {
        same_length(&self.y_true, &self.y_pred)?;
        // 1 and true are the same class where both occur, as in Python.
        let mixed = [&self.y_true, &self.y_pred].into_iter().flatten().any(Value::is_number);
        let labels = classes("/y_true", &self.y_true, mixed)?;
        let predictions = classes("/y_pred", &self.y_pred, mixed)?;
        let positive = match &self.positive {
            None | Some(Value::Null) => None,
            Some(value) => class(value, mixed)
                .ok_or_else(|| Error::field("/positive", "the positive class must be a text, a number or a boolean"))?,
        };
        let scores = self.class_scores.iter().map(|(class, scores)| (class.as_str(), scores.as_slice()));
        let rows = Rows::classify(&Given {
            prediction: Some(Column::Text(&predictions)),
            score: self.y_score.as_deref(),
            class_scores: scores.collect(),
            weight: self.sample_weight.as_deref(),
            positive: positive.as_deref(),
            ..Given::new(Column::Text(&labels))
        })
        .map_err(refused)?;
        if positive.is_some()
            && !rows.classes().is_empty()
            && !rows.classes().iter().any(|c| Some(c) == positive.as_ref())
        {
            let seen = rows.classes().iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            return Err(Error::field("/positive", format!("no row is of the positive class; the classes are {seen}")));
        }
        let averaging = match (self.averaging, rows.positive_class()) {
            (Some(Averaging::Binary), None) if !rows.classes().is_empty() => {
                return Err(Error::field(
                    "/averaging",
                    format!(
                        "{} classes have no positive one; name it in `positive`, or choose macro, micro or weighted",
                        rows.classes().len()
                    ),
                ));
            }
            (Some(asked), _) => asked,
            (None, Some(_)) => Averaging::Binary,
            (None, None) => Averaging::Macro,
        };
        let mut names: Vec<String> = vec!["accuracy".to_owned()];
        for name in ["precision", "recall", "f1"] {
            names.push(match averaging {
                Averaging::Binary => name.to_owned(),
                Averaging::Macro if self.averaging.is_none() => name.to_owned(),
                other => format!("{name}_{}", other.as_str()),
            });
        }
        let usual = if self.class_scores.len() > 2 && self.y_score.is_none() {
            metrics::default_names_of_class_scores()
        } else {
            metrics::default_names(Task::Classification, rows.has_scores())
        };
        let averaged = ["accuracy", "precision", "recall", "f1"];
        names.extend(usual.iter().filter(|name| !averaged.contains(name)).map(|name| (*name).to_owned()));
        let names = self.metrics.clone().unwrap_or(names);
        let mut evaluation = computed(Task::Classification, &rows, &names)?;
        evaluation.averaging = Some(averaging);
        evaluation.positive_class = rows.positive_class().map(str::to_owned);
        evaluation.classes = rows.classes().to_vec();
        evaluation.confusion_matrix = metrics::confusion_matrix(&rows);
        if self.per_class {
            evaluation.details.extend(metrics::by_class(&rows, None));
        }
        Ok(evaluation)
    }
}

impl Regression {
    /// Computes the metrics.
    ///
    /// # Errors
    /// [`Error::Invalid`]: no rows, different lengths, values that are no numbers.
    pub fn compute(&self) -> Result<Evaluation, Error> {
        same_length(&self.y_true, &self.y_pred)?;
        let labels = numbers("/y_true", &self.y_true)?;
        let predictions = numbers("/y_pred", &self.y_pred)?;
        let rows = Rows::regress(&Given {
            prediction: Some(Column::Numbers(&predictions)),
            weight: self.sample_weight.as_deref(),
            ..Given::new(Column::Numbers(&labels))
        })
        .map_err(refused)?;
        let usual = || metrics::default_names(Task::Regression, false).iter().map(|&n| n.to_owned()).collect();
        computed(Task::Regression, &rows, &self.metrics.clone().unwrap_or_else(usual))
    }
}

/// Computes and logs the metrics of a classifier.
///
/// # Errors
/// As [`Classification::compute`] and [`log`].
pub async fn evaluate_classification(
    conn: &mut PgConnection,
    target: &Target,
    input: &Classification,
    actor: &Actor,
    auto: Option<Setup<'_>>,
) -> Result<Evaluation, Error> {
    let evaluation = input.compute()?;
    log_evaluation(conn, target, Task::Classification, evaluation, actor, auto).await
}

/// Computes and logs the metrics of a regressor.
///
/// # Errors
/// As [`Regression::compute`] and [`log`].
pub async fn evaluate_regression(
    conn: &mut PgConnection,
    target: &Target,
    input: &Regression,
    actor: &Actor,
    auto: Option<Setup<'_>>,
) -> Result<Evaluation, Error> {
    let evaluation = input.compute()?;
    log_evaluation(conn, target, Task::Regression, evaluation, actor, auto).await
}

/// Logs what was computed.
///
/// # Errors
/// As [`log`].
pub async fn log_evaluation(
    conn: &mut PgConnection,
    target: &Target,
    task: Task,
    mut evaluation: Evaluation,
    actor: &Actor,
    auto: Option<Setup<'_>>,
) -> Result<Evaluation, Error> {
    let rows: Vec<NewMetric> = evaluation.details.iter().map(|value| row(target, task, value, &evaluation)).collect();
    evaluation.logged = log(conn, &rows, actor, auto).await?;
    Ok(evaluation)
}

fn row(target: &Target, task: Task, value: &metrics::Value, evaluation: &Evaluation) -> NewMetric {
    let mut metadata = target.metadata.clone().unwrap_or_else(|| json!({}));
    if let Some(fields) = metadata.as_object_mut() {
        let known = [
            ("reason", json!(value.reason)),
            ("pending", json!(evaluation.pending)),
            ("unpredicted", json!(evaluation.unpredicted)),
            ("averaging", json!(evaluation.averaging)),
            ("positive_class", json!(evaluation.positive_class)),
            ("class", json!(value.class)),
            ("unweighted", json!(Some(evaluation.unweighted).filter(|rows| *rows > 0))),
        ];
        fields.extend(known.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_owned(), v)));
    }
    NewMetric {
        model_name: target.model_name.clone(),
        model_version: target.model_version.clone(),
        metric_name: value.name.clone(),
        metric_value: value.value,
        metric_type: task.as_str().to_owned(),
        dataset_split: target.dataset_split.clone(),
        sample_count: Some(i64::try_from(value.n).unwrap_or(i64::MAX)),
        ci_low: value.ci_low,
        ci_high: value.ci_high,
        segment: match (&target.segment, &value.class) {
            (Some(segment), Some(class)) => Some(format!("{segment}, class: {class}")),
            (None, Some(class)) => Some(format!("class: {class}")),
            (segment, None) => segment.clone(),
        },
        dataset_uri: target.dataset_uri.clone(),
        dataset_digest: target.dataset_digest.clone(),
        metadata,
        ..NewMetric::default()
    }
}

fn computed(task: Task, rows: &Rows, names: &[String]) -> Result<Evaluation, Error> {
    let details =
        metrics::evaluate(task, rows, Some(names)).map_err(|error| Error::field("/metrics", error.to_string()))?;
    // The answer has the specification's names, whatever the averaging.
    let plain = |name: &str| {
        let cut = ["_macro", "_micro", "_weighted"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let of_specification = cut.filter(|cut| ["precision", "recall", "f1"].contains(cut));
        of_specification.filter(|cut| !names.iter().any(|name| name == cut)).unwrap_or(name).to_owned()
    };
    Ok(Evaluation {
        metrics: details.iter().map(|value| (plain(&value.name), json!(value.value))).collect(),
        details,
        sample_count: rows.n(),
        pending: rows.pending(),
        unpredicted: rows.unpredicted(),
        unweighted: rows.unweighted(),
        ..Evaluation::default()
    })
}

fn same_length(y_true: &[Value], y_pred: &[Value]) -> Result<(), Error> {
    if y_true.is_empty() {
        return Err(Error::field("/y_true", "holds no label"));
    }
    if y_true.len() == y_pred.len() {
        return Ok(());
    }
    Err(Error::field("/y_pred", format!("has {} values, but y_true has {}", y_pred.len(), y_true.len())))
}

fn classes(pointer: &str, values: &[Value], mixed: bool) -> Result<Vec<Option<String>>, Error> {
    let one = |(at, value)| {
        class(value, mixed)
            .ok_or_else(|| Error::field(&format!("{pointer}/{at}"), "a class must be a text, a number or a boolean"))
    };
    values.iter().enumerate().map(one).collect()
}

/// The text of a class; `Some(None)` when it is missing, `None` when it is no class.
#[allow(clippy::option_option)] // missing and impossible are two things
fn class(value: &Value, mixed: bool) -> Option<Option<String>> {
    Some(Some(match value {
        Value::Null => return Some(None),
        Value::String(text) => text.clone(),
        Value::Bool(value) if mixed => u8::from(*value).to_string(),
        Value::Bool(value) => value.to_string(),
        // Whole numbers keep all their digits; 1.0 is the class 1, and -0.0 the class 0.
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => whole.to_string(),
            (_, Some(whole), _) => whole.to_string(),
            (.., float) => (float? + 0.0).to_string(),
        },
        Value::Array(_) | Value::Object(_) => return None,
    }))
}

fn numbers(pointer: &str, values: &[Value]) -> Result<Vec<Option<f64>>, Error> {
    let one = |(at, value): (usize, &Value)| match value {
        Value::Null => Ok(None),
        Value::Number(number) if number.as_f64().is_some_and(f64::is_finite) => Ok(number.as_f64()),
        _ => Err(Error::field(&format!("{pointer}/{at}"), "must be a number, or null when it is missing")),
    };
    values.iter().enumerate().map(one).collect()
}

fn refused(error: RowsError) -> Error {
    match error {
        RowsError::Length { column, rows, labels } => {
            let pointer = match column {
                "weight" => "/sample_weight",
                "class score" => "/class_scores",
                _ => "/y_score",
            };
            Error::field(pointer, format!("has {rows} values, but y_true has {labels}"))
        }
        RowsError::UnknownPositive { .. } => Error::field("/positive", error.to_string()),
        RowsError::NotBinary { .. } => Error::field("/y_score", error.to_string()),
        RowsError::NothingPredicted | RowsError::NotNumbers { .. } => Error::field("/y_pred", error.to_string()),
    }
}
