//! `kind = "metrics"`: how good predictions are, against labels.

use async_trait::async_trait;

use super::super::diagnostic::Code;
use super::super::document::{JobDocument, MetricsSpec};
use super::super::evaluation::{Context, Evaluated};
use super::super::field::{Choice, Field, Keys, Limits, Presence, Section, Shape, Vocabulary};
use super::super::review::Review;
use super::super::suggest::closest;
use super::Kind;
use crate::queue::JobError;

mod evaluate;

/// The kind.
pub struct Metrics;

static SECTION: Section = Section {
    name: "metrics",
    doc: "Which columns hold truth and prediction, which metrics are computed, and within which bounds they are fine.",
    fields: &[
        Field {
            key: "task",
            shape: Shape::Choice(&[
                Choice { word: "classification", doc: "the model predicts classes" },
                Choice { word: "regression", doc: "the model predicts numbers" },
            ]),
            doc: "What the model predicts.",
            presence: Presence::Required,
        },
        Field {
            key: "label",
            shape: Shape::Text,
            doc: "Column with the truth. Rows without it are pending, not wrong.",
            presence: Presence::Required,
        },
        Field {
            key: "prediction",
            shape: Shape::Text,
            doc: "Column with the predicted class or number. At least one of `prediction` and `score` is needed.",
            presence: Presence::Optional,
        },
        Field {
            key: "score",
            shape: Shape::Text,
            doc: "Column with the probability of the positive class (classification only).",
            presence: Presence::Optional,
        },
        Field {
            key: "decision_threshold",
            shape: Shape::Number(Limits::SHARE),
            doc: "Scores from here on predict the positive class, where there is no `prediction`.",
            presence: Presence::Default("0.5"),
        },
        Field {
            key: "positive",
            shape: Shape::Scalar,
            doc: "The positive class, as it stands in `label`.",
            presence: Presence::Otherwise("`true` or `1`"),
        },
        Field {
            key: "metrics",
            shape: Shape::List(&Shape::Word(Vocabulary::Metric)),
            doc: "Which metrics are computed.",
            presence: Presence::Otherwise("all that the columns allow"),
        },
        Field {
            key: "split",
            shape: Shape::Name,
            doc: "The dataset split that the values are stored under.",
            presence: Presence::Default("\"production\""),
        },
        Field {
            key: "bounds",
            shape: Shape::Map(Keys::Word(Vocabulary::Metric), &Shape::Section(&BOUNDS)),
            doc: "Metrics that the job alerts on.",
            presence: Presence::Otherwise("values are stored, nothing alerts"),
        },
    ],
};

static BOUNDS: Section = Section {
    name: "metrics.bounds.<metric>",
    doc: "Within which bounds a metric is fine; outside of them an incident opens.",
    fields: &[
        Field {
            key: "min",
            shape: Shape::Number(Limits::ANY),
            doc: "A value below it is a breach.",
            presence: Presence::Otherwise("no lower bound"),
        },
        Field {
            key: "max",
            shape: Shape::Number(Limits::ANY),
            doc: "A value above it is a breach.",
            presence: Presence::Otherwise("no upper bound"),
        },
    ],
};

#[async_trait]
impl Kind for Metrics {
    async fn evaluate(&self, document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
        evaluate::evaluate(document, context).await
    }

    fn name(&self) -> &'static str {
        "metrics"
    }

    fn title(&self) -> &'static str {
        "Validation metrics"
    }

    fn summary(&self) -> &'static str {
        "Compares predictions with labels, stores the metrics, and alerts when one leaves its bounds."
    }

    fn section(&self) -> &'static Section {
        &SECTION
    }

    fn inputs(&self) -> &'static [&'static str] {
        &["current"]
    }

    fn check(&self, document: &JobDocument, review: &mut Review<'_>) {
        let Some(spec) = &document.metrics else { return };
        check_columns(spec, review);
        for name in &spec.metrics {
            check_metric(name, spec, review, false);
        }
        for (name, bounds) in &spec.bounds {
            check_metric(name, spec, review, true);
            let path = ["metrics", "bounds", name.as_str()];
            match (bounds.min, bounds.max) {
                (None, None) => {
                    review.at_key(
                        &path,
                        Code::MissingKey,
                        format!("the bounds of `{name}` say neither `min` nor `max`"),
                        |d| d,
                    );
                }
                (Some(min), Some(max)) if min > max => {
                    let message = format!("the bounds of `{name}` are the wrong way round: {min} is above {max}");
                    let keys = ["min", "max"].map(|key| [path[0], path[1], path[2], key]);
                    review.pair(&keys[0], &keys[1], Code::Conflict, message, "the upper bound");
                }
                _ => {}
            }
            if !spec.metrics.is_empty() && !spec.metrics.contains(name) {
                review.at_key(&path, Code::Conflict, format!("`{name}` has bounds but is not computed"), |d| {
                    d.hint(format!("add `{name}` to `metrics`"))
                });
            }
        }
    }
}

fn check_columns(spec: &MetricsSpec, review: &mut Review<'_>) {
    use super::super::document::Task::{Classification, Regression};
    match (spec.task, &spec.prediction, &spec.score) {
        (Classification, None, None) => {
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
}

/// Whether a metric that exists is of this task and can be computed from the named columns.
fn check_metric(name: &str, spec: &MetricsSpec, review: &mut Review<'_>, bounded: bool) {
    let known = review.known();
    let Some(info) = known.metrics.iter().find(|m| m.name == name) else { return };
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
    } else if info.needs_score && spec.score.is_none() && spec.prediction.is_some() {
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
