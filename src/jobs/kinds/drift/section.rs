//! The keys of `[drift]`.

use super::super::super::field::{Choice, Field, Keys, Limits, Presence, Section, Shape, Vocabulary};

pub(super) static DRIFT: Section = Section {
    name: "drift",
    doc: "What is compared, how, and from when on it is drift: a score strictly above the threshold.",
    fields: &[
        Field {
            key: "target",
            shape: Shape::Choice(&[
                Choice { word: "data", doc: "the features" },
                Choice { word: "prediction", doc: "the model's scores or predicted labels" },
                Choice { word: "concept", doc: "the model's errors, known or estimated; see `[drift.concept]`" },
            ]),
            doc: "What is compared: features, the model's predictions, or its errors.",
            presence: Presence::Default("\"data\""),
        },
        Field {
            key: "reference",
            shape: Shape::Choice(&[
                Choice { word: "fixed", doc: "the dataset `data.reference`" },
                Choice { word: "previous_window", doc: "the window before the run's" },
                Choice { word: "rolling", doc: "the last windows before the run's, together" },
                Choice { word: "same_weekday", doc: "the same days of the weeks before, together" },
                Choice { word: "profile", doc: "the profile registered with the model version" },
            ]),
            doc: "What the current data is compared with. Earlier windows are read from `data.current`; windows without data are passed over.",
            presence: Presence::Otherwise("`\"fixed\"`"),
        },
        Field {
            key: "windows",
            shape: Shape::Integer(Limits::between(1.0, 366.0)),
            doc: "How many windows (`rolling`) or weeks (`same_weekday`) the reference is made of.",
            presence: Presence::Otherwise("4"),
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
            presence: Presence::Otherwise(
                "`drift_threshold` of the configuration; with `target = \"concept\"` 0.05 (five points) for classification and 0.2 (a fifth) for regression",
            ),
        },
        Field {
            key: "decide_on",
            shape: Shape::Choice(&[
                Choice { word: "score", doc: "the score, above its threshold" },
                Choice {
                    word: "p_value",
                    doc: "the p-value, below `alpha`; with many rows it rejects whatever is the case",
                },
            ]),
            doc: "What decides. The other one is reported beside it.",
            presence: Presence::Otherwise("`\"score\"`"),
        },
        Field {
            key: "alpha",
            shape: Shape::Number(Limits::OPEN_SHARE),
            doc: "The level of `decide_on = \"p_value\"`.",
            presence: Presence::Otherwise("0.05"),
        },
        Field {
            key: "require_significance",
            shape: Shape::Number(Limits::OPEN_SHARE),
            doc: "A score above its threshold is drift only when its p-value is below this level too; such as 0.01, for small samples.",
            presence: Presence::Otherwise("the score alone decides"),
        },
        Field {
            key: "group_by",
            shape: Shape::Text,
            doc: "A column of categories: each of its values (the 50 largest) is judged on its own, beside all rows together.",
            presence: Presence::Otherwise("all rows together"),
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
            key: "quality",
            shape: Shape::Section(&QUALITY),
            doc: "What the current data must be like, whatever it is compared with.",
            presence: Presence::Optional,
        },
        Field {
            key: "concept",
            shape: Shape::Section(&CONCEPT),
            doc: "How errors are judged; needed when `target = \"concept\"`.",
            presence: Presence::Optional,
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
            key: "importance",
            shape: Shape::Number(Limits::POSITIVE),
            doc: "How much the column matters: drifted columns are shown in the order of score times importance.",
            presence: Presence::Otherwise("1"),
        },
        Field {
            key: "min",
            shape: Shape::Number(Limits::ANY),
            doc: "Lowest value that is right. Values outside are a matter of data quality, whether the column drifted or not.",
            presence: Presence::Otherwise("no lower end"),
        },
        Field {
            key: "max",
            shape: Shape::Number(Limits::ANY),
            doc: "Highest value that is right.",
            presence: Presence::Otherwise("no upper end"),
        },
        Field {
            key: "allowed",
            shape: Shape::List(&Shape::Scalar),
            doc: "The only values that are right. Excludes `min` and `max`.",
            presence: Presence::Otherwise("any value"),
        },
        Field {
            key: "max_outside_share",
            shape: Shape::Number(Limits::SHARE),
            doc: "Share of the present values that may be outside of `min`, `max` or `allowed`.",
            presence: Presence::Otherwise("none"),
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

static QUALITY: Section = Section {
    name: "drift.quality",
    doc: "What the current data must be like, whatever it is compared with. A breach opens an incident of its own kind, `quality`.",
    fields: &[
        Field {
            key: "key",
            shape: Shape::List(&Shape::Text),
            doc: "Columns whose values together name a row: a row that repeats a key is a duplicate.",
            presence: Presence::Otherwise("duplicates are not looked for"),
        },
        Field {
            key: "max_duplicate_share",
            shape: Shape::Number(Limits::SHARE),
            doc: "Share of the rows that may be duplicates.",
            presence: Presence::Otherwise("none"),
        },
        Field {
            key: "freshness",
            shape: Shape::Duration(1),
            doc: "How old the newest row may be when the run's window ends, by `data.current.time_column`.",
            presence: Presence::Otherwise("not looked at"),
        },
        Field {
            key: "max_new_share",
            shape: Shape::Number(Limits::SHARE),
            doc: "Share of the rows of a column of categories that may hold values that the reference does not have.",
            presence: Presence::Otherwise("not looked at"),
        },
        Field {
            key: "schema",
            shape: Shape::Choice(&[
                Choice { word: "reference", doc: "the columns and types of the reference" },
                Choice { word: "registered", doc: "those of the profile registered with the model version" },
            ]),
            doc: "All columns must be there with these types, also those that are not judged; a new one is reported, and alerts only where it is among the judged columns.",
            presence: Presence::Otherwise("only columns that are judged must be there"),
        },
    ],
};

static CONCEPT: Section = Section {
    name: "drift.concept",
    doc: "How the model's errors are judged: against labels, or estimated while labels are not there yet.",
    fields: &[
        Field {
            key: "task",
            shape: Shape::Choice(&[
                Choice { word: "classification", doc: "the model predicts classes; the error of a row is 0 or 1" },
                Choice { word: "regression", doc: "the model predicts numbers; the error of a row is absolute" },
            ]),
            doc: "What the model predicts.",
            presence: Presence::Required,
        },
        Field {
            key: "label",
            shape: Shape::Text,
            doc: "Column with the truth. Methods that estimate need it in the reference only.",
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
            key: "methods",
            shape: Shape::List(&Shape::Word(Vocabulary::ConceptMethod)),
            doc: "How the errors are judged. `steward methods` lists them; those that follow the order of time need `data.current.time_column`.",
            presence: Presence::Otherwise("`[\"metric_change\"]`"),
        },
        Field {
            key: "features",
            shape: Shape::List(&Shape::Text),
            doc: "Numeric columns that `dle` estimates errors from, beside the prediction.",
            presence: Presence::Otherwise("the prediction alone"),
        },
    ],
};
