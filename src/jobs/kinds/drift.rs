//! `kind = "drift"`: whether data or predictions moved away from a reference.

use async_trait::async_trait;

use super::super::diagnostic::Code;
use super::super::document::{ColumnType, DriftSpec, DriftTarget, JobDocument};
use super::super::evaluation::{Context, Evaluated};
use super::super::field::{Choice, Field, Keys, Limits, Presence, Section, Shape, Vocabulary};
use super::super::known::AppliesTo;
use super::super::review::Review;
use super::Kind;
use crate::queue::JobError;

mod evaluate;

/// The kind.
pub struct Drift;

static SECTION: Section = Section {
    name: "drift",
    doc: "What is compared, how, and from when on it is drift: a score strictly above the threshold.",
    fields: &[
        Field {
            key: "target",
            shape: Shape::Choice(&[
                Choice { word: "data", doc: "the features" },
                Choice { word: "prediction", doc: "the model's scores or predicted labels" },
                Choice { word: "concept", doc: "needs labels; not available yet" },
            ]),
            doc: "What is compared: features, or the model's predictions.",
            presence: Presence::Default("\"data\""),
        },
        Field {
            key: "method",
            shape: Shape::Word(Vocabulary::DriftMethod),
            doc: "Method of every column that names none of its own. `steward methods` lists them.",
            presence: Presence::Otherwise("`drift_detection_method` for numbers, `chi_square` for categories"),
        },
        Field {
            key: "threshold",
            shape: Shape::Number(Limits::POSITIVE),
            doc: "A score above it is drift.",
            presence: Presence::Otherwise("`drift_threshold` of the configuration"),
        },
        Field {
            key: "select",
            shape: Shape::List(&Shape::Text),
            doc: "The columns that are judged.",
            presence: Presence::Otherwise("all columns"),
        },
        Field {
            key: "exclude",
            shape: Shape::List(&Shape::Text),
            doc: "Columns that are left out.",
            presence: Presence::Default("[]"),
        },
        Field {
            key: "prediction",
            shape: Shape::Text,
            doc: "Column with the scores or predicted labels; needed when `target = \"prediction\"`.",
            presence: Presence::Optional,
        },
        Field {
            key: "bins",
            shape: Shape::Integer(Limits::between(2.0, 100.0)),
            doc: "Number of bins of the methods that bin numbers. A column of at most 20 distinct values has one bin for each of them instead, and so has every value that fills a bin alone.",
            presence: Presence::Otherwise("10"),
        },
        Field {
            key: "min_samples",
            shape: Shape::Integer(Limits::from(1.0)),
            doc: "Rows that each side needs; with fewer the check says `insufficient_data`.",
            presence: Presence::Otherwise("judged whatever their number"),
        },
        Field {
            key: "min_drifted_share",
            shape: Shape::Number(Limits::SHARE),
            doc: "Share of the columns that must drift before the job alerts.",
            presence: Presence::Otherwise("one column is enough"),
        },
        Field {
            key: "missing_threshold",
            shape: Shape::Number(Limits::SHARE),
            doc: "A difference in the share of missing values above it is drift.",
            presence: Presence::Otherwise("0.2"),
        },
        Field {
            key: "columns",
            shape: Shape::Map(Keys::Free("column"), &Shape::Section(&COLUMN)),
            doc: "What single columns say for themselves.",
            presence: Presence::Optional,
        },
    ],
};

static COLUMN: Section = Section {
    name: "drift.columns.<column>",
    doc: "One column that is judged in its own way.",
    fields: &[
        Field {
            key: "method",
            shape: Shape::Word(Vocabulary::DriftMethod),
            doc: "Method of this column.",
            presence: Presence::Otherwise("as `[drift]` says"),
        },
        Field {
            key: "threshold",
            shape: Shape::Number(Limits::POSITIVE),
            doc: "Threshold of this column.",
            presence: Presence::Otherwise("as `[drift]` says"),
        },
        Field {
            key: "bins",
            shape: Shape::Integer(Limits::between(2.0, 100.0)),
            doc: "Number of bins of this column. Excludes `edges`.",
            presence: Presence::Otherwise("as `[drift]` says"),
        },
        Field {
            key: "edges",
            shape: Shape::Sequence(&Shape::Number(Limits::ANY)),
            doc: "Inner edges of the bins, ascending; the outer bins are open. Excludes `bins`.",
            presence: Presence::Otherwise("quantiles of the reference"),
        },
        Field {
            key: "type",
            shape: Shape::Choice(&[
                Choice { word: "numeric", doc: "as numbers" },
                Choice { word: "categorical", doc: "as categories" },
            ]),
            doc: "How the column is read.",
            presence: Presence::Otherwise("by its stored type"),
        },
    ],
};

#[async_trait]
impl Kind for Drift {
    async fn evaluate(&self, document: &JobDocument, context: &Context) -> Result<Evaluated, JobError> {
        evaluate::evaluate(document, context).await
    }

    fn name(&self) -> &'static str {
        "drift"
    }

    fn title(&self) -> &'static str {
        "Drift"
    }

    fn summary(&self) -> &'static str {
        "Compares current data with a reference, column by column, and alerts when a score is above its threshold."
    }

    fn section(&self) -> &'static Section {
        &SECTION
    }

    fn inputs(&self) -> &'static [&'static str] {
        &["reference", "current"]
    }

    fn check(&self, document: &JobDocument, review: &mut Review<'_>) {
        let Some(spec) = &document.drift else { return };
        check_target(spec, review);
        check_selection(spec, review);
        for name in spec.columns.keys() {
            check_column(name, spec, review);
        }
    }
}

fn check_target(spec: &DriftSpec, review: &mut Review<'_>) {
    match spec.target {
        DriftTarget::Data => {
            if spec.prediction.is_some() {
                review.at_key(
                    &["drift", "prediction"],
                    Code::Conflict,
                    "`prediction` is used only with `target = \"prediction\"`",
                    |d| d.hint("remove it, or set `target = \"prediction\"`"),
                );
            }
        }
        DriftTarget::Prediction => {
            if spec.prediction.is_none() {
                review.at(
                    &["drift", "target"],
                    Code::MissingKey,
                    "`target = \"prediction\"` needs `prediction`",
                    |d| d.hint("add the column with the scores or predicted labels, such as `prediction = \"score\"`"),
                );
            }
            for (key, used) in [("select", !spec.select.is_empty()), ("exclude", !spec.exclude.is_empty())] {
                if used {
                    let message = format!("`{key}` is not used with `target = \"prediction\"`");
                    review.at_key(&["drift", key], Code::Conflict, message, |d| {
                        d.hint("only the column that `prediction` names is judged")
                    });
                }
            }
        }
        DriftTarget::Concept => {
            review.at(
                &["drift", "target"],
                Code::NotAvailable,
                "concept drift comes with labels; not available yet",
                |d| d.hint("use `kind = \"metrics\"`, which judges predictions against labels"),
            );
        }
    }
}

fn check_selection(spec: &DriftSpec, review: &mut Review<'_>) {
    for name in spec.select.iter().filter(|name| spec.exclude.contains(name)) {
        let message = format!("column `{name}` is both selected and excluded");
        review.at_item(&["drift", "exclude"], name, Code::Conflict, message, |d| {
            d.hint("remove it from one of the two lists")
        });
    }
    for name in spec.columns.keys() {
        let path = ["drift", "columns", name.as_str()];
        if spec.target == DriftTarget::Prediction {
            if spec.prediction.as_ref().is_some_and(|prediction| prediction != name) {
                let message = format!("column `{name}` is not judged: the target is `prediction`");
                review.at_key(&path, Code::Conflict, message, |d| {
                    d.hint("only the column that `prediction` names is judged")
                });
            }
        } else if spec.exclude.contains(name) {
            let message = format!("column `{name}` is excluded and has settings of its own");
            review.at_key(&path, Code::Conflict, message, |d| d.hint("remove one of the two"));
        } else if !spec.select.is_empty() && !spec.select.contains(name) {
            let message = format!("column `{name}` has settings of its own but is not selected");
            let near = super::super::suggest::closest(name, spec.select.iter().map(String::as_str));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`? Otherwise add `{name}` to `select`"),
                None => format!("add `{name}` to `select`"),
            };
            review.at_key(&path, Code::Conflict, message, |d| d.hint(hint));
        }
    }
}

fn check_column(name: &str, spec: &DriftSpec, review: &mut Review<'_>) {
    let Some(column) = spec.columns.get(name) else { return };
    if column.bins.is_some() && column.edges.is_some() {
        review.at_key(
            &["drift", "columns", name, "edges"],
            Code::Conflict,
            "`bins` and `edges` exclude each other",
            |d| d.hint("explicit edges already say how many bins there are"),
        );
    }
    if let Some(edges) = &column.edges {
        if edges.is_empty() || edges.len() > 99 {
            review.at(&["drift", "columns", name, "edges"], Code::OutOfRange, "`edges` needs 1 to 99 numbers", |d| d);
        } else if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
            review.at(
                &["drift", "columns", name, "edges"],
                Code::InvalidValue,
                "`edges` must ascend, each above the one before",
                |d| d,
            );
        }
    }
    // The method that will judge this column, when somebody says so: the column itself, else the whole section.
    let own = column.method.is_some();
    let Some(method) = column.method.as_ref().or(spec.method.as_ref()) else { return };
    let known = review.known();
    let Some(info) = known.drift_methods.iter().find(|m| m.name == *method) else { return };
    let (unfit, is) = match (info.applies_to, column.column_type) {
        (AppliesTo::Numeric, Some(ColumnType::Categorical)) => (true, "categorical"),
        (AppliesTo::Categorical, Some(ColumnType::Numeric)) => (true, "numeric"),
        _ => (false, ""),
    };
    if unfit {
        let categorical = is == "categorical";
        let fitting: Vec<String> = known
            .drift_methods
            .iter()
            .filter(|m| m.applies_to == AppliesTo::Any || (m.applies_to == AppliesTo::Categorical) == categorical)
            .map(|m| format!("`{}`", m.name))
            .collect();
        let last = if own { "method" } else { "type" };
        let message = format!("`{method}` does not judge a {is} column, and `{name}` is declared {is}");
        review.at(&["drift", "columns", name, last], Code::UnfitMethod, message, |d| {
            d.hint(format!("methods for {is} columns: {}", fitting.join(", ")))
        });
    }
}
