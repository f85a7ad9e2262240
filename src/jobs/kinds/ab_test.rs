//! `kind = "ab_test"`: which of two model versions is better.

use async_trait::async_trait;

use super::super::diagnostic::Code;
use super::super::document::{AbSpec, ArmSpec, JobDocument};
use super::super::evaluation::{Context, Evaluated};
use super::super::field::{Choice, Field, Limits, Presence, Section, Shape, Vocabulary};
use super::super::review::Review;
use super::Kind;
use crate::queue::JobError;

mod evaluate;

/// The kind.
pub struct AbTest;

static SECTION: Section = Section {
    name: "ab_test",
    doc: "Two versions, the metric that decides between them, and the rules. Every evaluation is over all rows from `starts` to the tick. Only ticks of the schedule decide and conclude; a run that somebody asks for is kept as a look and decides nothing.",
    fields: &[
        Field {
            key: "test",
            shape: Shape::Name,
            doc: "Name of the test. Its plan is frozen by the first run.",
            presence: Presence::Required,
        },
        Field {
            key: "control",
            shape: Shape::Section(&CONTROL),
            doc: "Arm A: what is in use.",
            presence: Presence::Required,
        },
        Field {
            key: "treatment",
            shape: Shape::Section(&TREATMENT),
            doc: "Arm B: what may replace it.",
            presence: Presence::Required,
        },
        Field {
            key: "variant_column",
            shape: Shape::Text,
            doc: "Column that says which arm served a row.",
            presence: Presence::Required,
        },
        Field {
            key: "metric",
            shape: Shape::Choice(&[
                Choice { word: "brier", doc: "squared error of a probability; needs `label` and each arm's `score`" },
                Choice {
                    word: "log_loss",
                    doc: "logarithmic loss of a probability; needs `label` and each arm's `score`",
                },
                Choice {
                    word: "accuracy",
                    doc: "share of right predictions; needs `label` and each arm's `prediction` or `score`",
                },
                Choice { word: "absolute_error", doc: "needs `label` and each arm's `prediction`" },
                Choice { word: "squared_error", doc: "needs `label` and each arm's `prediction`" },
                Choice { word: "mean", doc: "mean of the column `outcome`" },
            ]),
            doc: "What is compared, row by row: its mean decides.",
            presence: Presence::Required,
        },
        Field {
            key: "outcome",
            shape: Shape::Text,
            doc: "Column whose mean is compared; needed when `metric = \"mean\"`.",
            presence: Presence::Optional,
        },
        Field {
            key: "label",
            shape: Shape::Text,
            doc: "Column with the truth; needed by every metric but `mean`.",
            presence: Presence::Optional,
        },
        Field {
            key: "lower_is_better",
            shape: Shape::Boolean,
            doc: "Whether a smaller value is better.",
            presence: Presence::Otherwise("by the metric: true for errors and losses, false for `accuracy` and `mean`"),
        },
        Field {
            key: "traffic_split",
            shape: Shape::Number(Limits::OPEN_SHARE),
            doc: "Share of the traffic that arm B should see; another share in the data stops the test.",
            presence: Presence::Default("0.5"),
        },
        Field {
            key: "min_samples",
            shape: Shape::Integer(Limits::from(2.0)),
            doc: "Rows that each arm needs before anything is decided.",
            presence: Presence::Default("100"),
        },
        Field {
            key: "success_threshold",
            shape: Shape::Number(Limits::from(0.0)),
            doc: "Relative improvement that B must reach: 0.02 is 2 %.",
            presence: Presence::Default("0.02"),
        },
        Field {
            key: "statistical_test",
            shape: Shape::Word(Vocabulary::AbTest),
            doc: "How the difference is tested. `t_test` is Welch's.",
            presence: Presence::Default("\"t_test\""),
        },
        Field {
            key: "significance_level",
            shape: Shape::Number(Limits::OPEN_SHARE),
            doc: "Two-sided level of the test.",
            presence: Presence::Default("0.05"),
        },
        Field {
            key: "starts",
            shape: Shape::Instant,
            doc: "First instant that counts.",
            presence: Presence::Otherwise("all rows up to the tick"),
        },
        Field {
            key: "ends",
            shape: Shape::Instant,
            doc: "The horizon, itself excluded: the first tick whose window reaches it concludes the test. Planned looks share the significance level, little at first and most at the end; without a horizon looks are held against a confidence sequence.",
            presence: Presence::Otherwise("no horizon"),
        },
    ],
};

/// The keys of an arm: the same for both, under two names.
macro_rules! arm {
    ($name:literal, $doc:literal) => {
        Section {
            name: $name,
            doc: $doc,
            fields: &[
                Field {
                    key: "variant",
                    shape: Shape::Scalar,
                    doc: "Value of `variant_column` in this arm's rows.",
                    presence: Presence::Required,
                },
                Field {
                    key: "version",
                    shape: Shape::Version,
                    doc: "Version of the model that serves this arm.",
                    presence: Presence::Required,
                },
                Field {
                    key: "model",
                    shape: Shape::Name,
                    doc: "Name of the model.",
                    presence: Presence::Otherwise("the job's `model`"),
                },
                Field {
                    key: "score",
                    shape: Shape::Text,
                    doc: "Column with this arm's probability of the positive class.",
                    presence: Presence::Optional,
                },
                Field {
                    key: "prediction",
                    shape: Shape::Text,
                    doc: "Column with this arm's predicted class or number.",
                    presence: Presence::Optional,
                },
            ],
        }
    };
}

static CONTROL: Section = arm!("ab_test.control", "Arm A.");
static TREATMENT: Section = arm!("ab_test.treatment", "Arm B.");

#[async_trait]
impl Kind for AbTest {
    async fn evaluate(&self, document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
        evaluate::evaluate(document, context).await
    }

    fn name(&self) -> &'static str {
        "ab_test"
    }

    fn title(&self) -> &'static str {
        "A/B test"
    }

    fn summary(&self) -> &'static str {
        "Compares two versions of a model that share the traffic, and says when one is better."
    }

    fn section(&self) -> &'static Section {
        &SECTION
    }

    fn inputs(&self) -> &'static [&'static str] {
        &["current"]
    }

    fn check(&self, document: &JobDocument, review: &mut Review<'_>) {
        let Some(spec) = &document.ab_test else { return };
        check_arms(document, spec, review);
        check_metric(spec, review);
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
        if spec.starts.is_some() && document.data.current.as_ref().is_some_and(|source| source.time_column.is_none()) {
            review.at(&["ab_test", "starts"], Code::MissingKey, "`starts` needs the time of every row", |d| {
                d.hint("add `time_column` to `[data.current]`")
            });
        }
        if document.data.current.as_ref().is_some_and(|source| source.window.is_some()) {
            review.at_key(
                &["data", "current", "window"],
                Code::Conflict,
                "an A/B test is evaluated over all rows from `starts` to the tick",
                |d| d.hint("remove `window`"),
            );
        }
    }
}

fn check_arms(document: &JobDocument, spec: &AbSpec, review: &mut Review<'_>) {
    let job_model = document.model.as_ref().map(|model| model.name.as_str());
    let model = |arm: &'_ ArmSpec| arm.model.clone().or_else(|| job_model.map(str::to_owned));
    for (key, arm) in [("control", &spec.control), ("treatment", &spec.treatment)] {
        if model(arm).is_none() {
            review.at_key(&["ab_test", key], Code::MissingKey, format!("the {key} names no model"), |d| {
                d.hint("say `model = { name = \"...\" }` at the top of the file, or `model = \"...\"` in each arm")
            });
        }
    }
    if spec.control.variant == spec.treatment.variant {
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

fn check_metric(spec: &AbSpec, review: &mut Review<'_>) {
    let metric = spec.metric.as_str();
    if metric == "mean" {
        if spec.outcome.is_none() {
            review.at(&["ab_test", "metric"], Code::MissingKey, "`metric = \"mean\"` needs `outcome`", |d| {
                d.hint("name the column whose mean is compared")
            });
        }
        return;
    }
    if spec.outcome.is_some() {
        review.at_key(
            &["ab_test", "outcome"],
            Code::Conflict,
            "`outcome` is used only with `metric = \"mean\"`",
            |d| d,
        );
    }
    if spec.label.is_none() {
        review.at(&["ab_test", "metric"], Code::MissingKey, format!("`metric = \"{metric}\"` needs `label`"), |d| {
            d.hint("name the column with the truth")
        });
    }
    for (key, arm) in [("control", &spec.control), ("treatment", &spec.treatment)] {
        let missing = match metric {
            "brier" | "log_loss" => arm.score.is_none().then_some("`score`"),
            "accuracy" => (arm.score.is_none() && arm.prediction.is_none()).then_some("`prediction` or `score`"),
            _ => arm.prediction.is_none().then_some("`prediction`"),
        };
        if let Some(missing) = missing {
            review.at_key(
                &["ab_test", key],
                Code::MissingKey,
                format!("`metric = \"{metric}\"` needs {missing} in the {key}"),
                |d| d,
            );
        }
    }
}
