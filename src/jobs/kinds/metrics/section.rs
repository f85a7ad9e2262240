//! The keys of `[metrics]`.

use super::super::super::field::{Choice, Field, Keys, Limits, Presence, Section, Shape, Vocabulary};

pub(super) static METRICS: Section = Section {
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
            doc: "Column with the truth, in `data.labels` where that is given. Rows without it are pending, not wrong.",
            presence: Presence::Required,
        },
        Field {
            key: "id",
            shape: Shape::List(&Shape::Text),
            doc: "Columns whose values together name a row, in `data.current` and in `data.labels`. Goes with `data.labels`.",
            presence: Presence::Optional,
        },
        Field {
            key: "prediction",
            shape: Shape::Text,
            doc: "Column with the predicted class or number. At least one of `prediction`, `score` and `class_scores` is needed.",
            presence: Presence::Optional,
        },
        Field {
            key: "score",
            shape: Shape::Text,
            doc: "Column with the probability of the positive class (classification only).",
            presence: Presence::Optional,
        },
        Field {
            key: "class_scores",
            shape: Shape::Map(Keys::Free("class"), &Shape::Text),
            doc: "Column with the probability of each class, by class (classification only): `class_scores = { early = \"p_early\", late = \"p_late\" }`.",
            presence: Presence::Optional,
        },
        Field {
            key: "weight",
            shape: Shape::Text,
            doc: "Column that says how much a row counts. Rows whose weight is missing or negative are left out and counted.",
            presence: Presence::Otherwise("every row counts once"),
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
            key: "classes",
            shape: Shape::List(&Shape::Scalar),
            doc: "The classes that are averaged over, whether or not a window has rows of them (classification only).",
            presence: Presence::Otherwise("those that occur"),
        },
        Field {
            key: "metrics",
            shape: Shape::List(&Shape::Word(Vocabulary::Metric)),
            doc: "Which metrics are computed.",
            presence: Presence::Otherwise("the usual ones that the columns allow"),
        },
        Field {
            key: "per_class",
            shape: Shape::Boolean,
            doc: "Whether precision, recall and F1 (and others of `metrics` that have such a form) are computed for each class too; \
                  the results are filed under `class: <class>`.",
            presence: Presence::Otherwise("`false`"),
        },
        Field {
            key: "group_by",
            shape: Shape::Text,
            doc: "Column whose values are judged each on their own, beside all rows together: the 50 with the most rows. Bounds hold \
                  for each of them that has `min_samples` rows.",
            presence: Presence::Otherwise("all rows together"),
        },
        Field {
            key: "zero_division",
            shape: Shape::Choice(&[
                Choice { word: "zero", doc: "0, with a reason, and so in averages" },
                Choice { word: "undefined", doc: "no value, with a reason; averages leave the class out" },
            ]),
            doc: "What a metric answers when it divides by zero, such as the precision of a class that is never predicted.",
            presence: Presence::Otherwise("`\"zero\"`"),
        },
        Field {
            key: "quantile",
            shape: Shape::Number(Limits::OPEN_SHARE),
            doc: "The quantile that predictions stand for, for `pinball`.",
            presence: Presence::Otherwise("0.5"),
        },
        Field {
            key: "top_k",
            shape: Shape::Integer(Limits::between(1.0, 1000.0)),
            doc: "How many of the highest-scored classes `top_k_accuracy` looks at.",
            presence: Presence::Otherwise("2"),
        },
        Field {
            key: "calibration_bins",
            shape: Shape::Integer(Limits::between(2.0, 100.0)),
            doc: "Bins of equal width of `ece` and `mce`.",
            presence: Presence::Otherwise("10"),
        },
        Field {
            key: "min_samples",
            shape: Shape::Integer(Limits::from(1.0)),
            doc: "Labelled rows that bounds need; with fewer the run is `insufficient_data`, and segments are not judged.",
            presence: Presence::Otherwise("1 row is enough"),
        },
        Field {
            key: "min_coverage",
            shape: Shape::Number(Limits::SHARE),
            doc: "Share of the rows that must have their label before bounds are judged; below it the run is `insufficient_data`.",
            presence: Presence::Otherwise("any share is enough"),
        },
        Field {
            key: "compare_with",
            shape: Shape::Choice(&[
                Choice { word: "reference", doc: "the dataset `data.reference`" },
                Choice { word: "previous_window", doc: "the window before the run's" },
                Choice { word: "rolling", doc: "so many windows before the run's, together" },
                Choice { word: "same_weekday", doc: "the same days of so many weeks before, together" },
                Choice {
                    word: "registered",
                    doc: "the latest value logged for the model version, of `registered_split`",
                },
            ]),
            doc: "What changes (`max_drop` and the like) are measured against.",
            presence: Presence::Otherwise("`data.reference`, where it is given"),
        },
        Field {
            key: "windows",
            shape: Shape::Integer(Limits::between(1.0, 366.0)),
            doc: "How many windows (`rolling`) or weeks (`same_weekday`) are compared with.",
            presence: Presence::Otherwise("4"),
        },
        Field {
            key: "registered_split",
            shape: Shape::Name,
            doc: "The split that registered values are taken of, with `compare_with = \"registered\"`.",
            presence: Presence::Otherwise("`\"test\"`"),
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

const CHANGE: Limits = Limits::from(0.0);

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
        Field {
            key: "max_drop",
            shape: Shape::Number(CHANGE),
            doc: "A value that lies further below what it is compared with is a breach.",
            presence: Presence::Otherwise("no bound"),
        },
        Field {
            key: "max_rise",
            shape: Shape::Number(CHANGE),
            doc: "A value that lies further above what it is compared with is a breach.",
            presence: Presence::Otherwise("no bound"),
        },
        Field {
            key: "max_relative_drop",
            shape: Shape::Number(CHANGE),
            doc: "As `max_drop`, as a fraction of what it is compared with: 0.1 is 10 %.",
            presence: Presence::Otherwise("no bound"),
        },
        Field {
            key: "max_relative_rise",
            shape: Shape::Number(CHANGE),
            doc: "As `max_rise`, as a fraction of what it is compared with.",
            presence: Presence::Otherwise("no bound"),
        },
        Field {
            key: "require_significance",
            shape: Shape::Boolean,
            doc: "Whether a change is a breach only when its 95 % interval leaves out 0.",
            presence: Presence::Otherwise("`false`"),
        },
        Field {
            key: "classes",
            shape: Shape::Map(Keys::Free("class"), &Shape::Section(&CLASS_BOUNDS)),
            doc: "Bounds of single classes, for precision, recall, F1, F2, Jaccard and `roc_auc_ovr`.",
            presence: Presence::Otherwise("no class has bounds of its own"),
        },
    ],
};

static CLASS_BOUNDS: Section = Section {
    name: "metrics.bounds.<metric>.classes.<class>",
    doc: "Within which bounds a metric of one class is fine.",
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
