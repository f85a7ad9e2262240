//! The keys of `[ab_test]`.

use super::super::super::field::{Choice, Field, Keys, Limits, Presence, Section, Shape, Vocabulary};

/// What has a value for each row.
static METRICS: &[Choice] = &[
    Choice { word: "brier", doc: "squared error of a probability; needs `label` and each arm's `score`" },
    Choice { word: "log_loss", doc: "logarithmic loss of a probability; needs `label` and each arm's `score`" },
    Choice {
        word: "accuracy",
        doc: "share of right predictions; needs `label` and each arm's `prediction` or `score`",
    },
    Choice { word: "absolute_error", doc: "needs `label` and each arm's `prediction`" },
    Choice { word: "squared_error", doc: "needs `label` and each arm's `prediction`" },
    Choice { word: "mean", doc: "mean of the column `outcome`" },
    Choice {
        word: "roc_auc",
        doc: "area under the ROC curve; needs `label`, each arm's `score` in the same rows, and `statistical_test = \"delong\"`",
    },
];

pub(super) static SECTION: Section = Section {
    name: "ab_test",
    doc: "Two versions, the metric that decides between them, and the rules, which the first run freezes. Every evaluation is over all rows from `starts` to the tick, of which only new objects are read. Nothing is looked at before both arms have `min_samples` rows, nor when no row came. Only ticks of the schedule decide and conclude; a run that somebody asks for is kept as a look and decides nothing.",
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
            presence: Presence::Otherwise(
                "`data.reference` holds the control's rows and `data.current` the treatment's; without `data.reference` both models answered every row of `data.current`",
            ),
        },
        Field {
            key: "unit_column",
            shape: Shape::Text,
            doc: "Column with the unit that was assigned (a user, a session): its rows count as one, their mean. A unit that was seen in both arms counts in neither.",
            presence: Presence::Otherwise("every row counts"),
        },
        Field {
            key: "request_column",
            shape: Shape::Text,
            doc: "Column with what tells a row from its repetition: rows with the same value count once.",
            presence: Presence::Otherwise("rows are never repetitions"),
        },
        Field {
            key: "label_delay",
            shape: Shape::Duration(1),
            doc: "How long an outcome may take to come, such as \"7d\": rows younger than that count in neither arm.",
            presence: Presence::Otherwise("outcomes are there at once"),
        },
        Field {
            key: "metric",
            shape: Shape::Choice(METRICS),
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
            key: "hypothesis",
            shape: Shape::Choice(&[
                Choice { word: "superiority", doc: "B is better, by `success_threshold`" },
                Choice { word: "non_inferiority", doc: "B is worse by less than `margin`" },
                Choice { word: "equivalence", doc: "B differs by less than `margin` either way" },
            ]),
            doc: "What the test is to show.",
            presence: Presence::Otherwise("`superiority`"),
        },
        Field {
            key: "margin",
            shape: Shape::Number(Limits::OPEN_SHARE),
            doc: "By how much of A B may be worse (`non_inferiority`) or differ (`equivalence`): 0.01 is 1 %.",
            presence: Presence::Optional,
        },
        Field {
            key: "threshold_mode",
            shape: Shape::Choice(&[
                Choice { word: "point", doc: "the improvement itself" },
                Choice { word: "superiority", doc: "the lower end of its interval" },
            ]),
            doc: "What must reach `success_threshold`.",
            presence: Presence::Otherwise("`point`"),
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
            key: "monitoring",
            shape: Shape::Choice(&[
                Choice {
                    word: "auto",
                    doc: "`group_sequential` where `ends` says when the last look is, else `always_valid`",
                },
                Choice {
                    word: "group_sequential",
                    doc: "planned looks share the level, little at first and most at the end",
                },
                Choice { word: "always_valid", doc: "a confidence sequence: every look counts, whenever it is" },
                Choice { word: "horizon", doc: "looks report, and only the last one decides" },
            ]),
            doc: "What makes repeated looks honest.",
            presence: Presence::Otherwise("`auto`"),
        },
        Field {
            key: "sample_ratio_policy",
            shape: Shape::Choice(&[
                Choice { word: "block", doc: "nothing is decided (`INVALID_SRM`)" },
                Choice { word: "warn", doc: "it is only said" },
            ]),
            doc: "What follows when the arms did not get the share of rows that `traffic_split` promises.",
            presence: Presence::Otherwise("`block`"),
        },
        Field {
            key: "min_duration",
            shape: Shape::Duration(1),
            doc: "How long the test runs at least before anything is decided, such as \"7d\": weekdays differ.",
            presence: Presence::Optional,
        },
        Field {
            key: "covariate",
            shape: Shape::Text,
            doc: "Column with what was known of each row before the test, such as last month's spend: it takes noise out of the outcome (CUPED).",
            presence: Presence::Optional,
        },
        Field {
            key: "guardrails",
            shape: Shape::Map(Keys::Free("guardrail"), &Shape::Section(&GUARDRAIL)),
            doc: "Metrics that B must not hurt: where one fails, people decide (`REVIEW`).",
            presence: Presence::Optional,
        },
        Field {
            key: "secondary_metrics",
            shape: Shape::Map(Keys::Free("metric"), &Shape::Section(&SECONDARY)),
            doc: "Metrics that are reported beside, adjusted for each other (Holm). They decide nothing.",
            presence: Presence::Optional,
        },
        Field {
            key: "starts",
            shape: Shape::Instant,
            doc: "First instant that counts.",
            presence: Presence::Otherwise(
                "all rows up to the tick; needed with `ends` and `schedule`, which share the level between the looks",
            ),
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
                    presence: Presence::Otherwise("needed where there is a `variant_column`"),
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
                Field {
                    key: "outcome",
                    shape: Shape::Text,
                    doc: "Column with this arm's outcome, where `metric = \"mean\"` and both models' outcomes stand in the same rows.",
                    presence: Presence::Optional,
                },
            ],
        }
    };
}

static CONTROL: Section = arm!("ab_test.control", "Arm A.");
static TREATMENT: Section = arm!("ab_test.treatment", "Arm B.");

/// A metric of a guardrail or a secondary one.
const SIDE_METRIC: Field = Field {
    key: "metric",
    shape: Shape::Choice(METRICS),
    doc: "What is compared, as that of the test.",
    presence: Presence::Otherwise("`mean`"),
};

const SIDE_OUTCOME: Field = Field {
    key: "outcome",
    shape: Shape::Text,
    doc: "Column whose mean is compared; needed when the metric is `mean`.",
    presence: Presence::Optional,
};

const SIDE_DIRECTION: Field = Field {
    key: "lower_is_better",
    shape: Shape::Boolean,
    doc: "Whether a smaller value is better.",
    presence: Presence::Otherwise("by the metric: true for errors and losses, false for `accuracy` and `mean`"),
};

static GUARDRAIL: Section = Section {
    name: "ab_test.guardrails.<guardrail>",
    doc: "A metric that B must not hurt. Without a `margin` it fails when B is significantly worse; with one, unless B is shown to be worse by less than that.",
    fields: &[
        SIDE_METRIC,
        SIDE_OUTCOME,
        SIDE_DIRECTION,
        Field {
            key: "margin",
            shape: Shape::Number(Limits::OPEN_SHARE),
            doc: "By how much of A B may be worse: 0.01 is 1 %. B must be shown to be.",
            presence: Presence::Otherwise("B must not be significantly worse"),
        },
    ],
};

static SECONDARY: Section = Section {
    name: "ab_test.secondary_metrics.<metric>",
    doc: "A metric that is only reported.",
    fields: &[SIDE_METRIC, SIDE_OUTCOME, SIDE_DIRECTION],
};
