//! The field tables of what all jobs share.
//!
//! The tables of the kinds stand with the kinds (`kinds/<kind>.rs`); `root_fields` joins the two.

use super::field::{Choice, Field, Keys, Limits, Presence, Section, Shape, Vocabulary};

/// The top of a document, without the sections of the kinds.
pub static ROOT: Section = Section {
    name: "job",
    doc: "What the job is, when it runs, whom it tells.",
    fields: &[
        Field {
            key: "name",
            shape: Shape::Name,
            doc: "Unique name of the job. Letters, digits, `.`, `_` and `-`; results and incidents are filed under it.",
            presence: Presence::Required,
        },
        Field {
            key: "description",
            shape: Shape::Text,
            doc: "What the job is for; shown beside its alerts.",
            presence: Presence::Optional,
        },
        Field {
            key: "owner",
            shape: Shape::Text,
            doc: "Who answers for the job: a person or a team.",
            presence: Presence::Optional,
        },
        Field {
            key: "kind",
            shape: Shape::Choice(super::kinds::CHOICES),
            doc: "What the job judges.",
            presence: Presence::Required,
        },
        Field {
            key: "schedule",
            shape: Shape::Cron,
            doc: "When it runs: five cron fields (minute, hour, day of month, month, day of week), or `@daily` and friends.",
            presence: Presence::Otherwise("runs on demand only"),
        },
        Field {
            key: "timezone",
            shape: Shape::TimeZone,
            doc: "IANA time zone of the schedule, and of dates in this file that have no offset.",
            presence: Presence::Default("\"UTC\""),
        },
        Field {
            key: "model",
            shape: Shape::Short(&MODEL),
            doc: "The model whose data is judged; results are stored under it.",
            presence: Presence::Optional,
        },
        Field {
            key: "notify",
            shape: Shape::List(&Shape::Word(Vocabulary::Channel)),
            doc: "Channels (from `[notify.channels]` of the configuration) that are told when an incident opens or resolves.",
            presence: Presence::Default("[]"),
        },
        Field {
            key: "overlap",
            shape: Shape::Choice(&[
                Choice { word: "skip", doc: "skip the tick" },
                Choice { word: "queue_one", doc: "queue one run behind it" },
                Choice { word: "queue_all", doc: "queue every run behind it" },
                Choice { word: "cancel_running", doc: "cancel the run and start anew" },
                Choice { word: "allow", doc: "run side by side" },
            ]),
            doc: "What happens when a tick comes while a run of this job is unfinished.",
            presence: Presence::Default("\"skip\""),
        },
        Field {
            key: "catch_up",
            shape: Shape::Choice(&[
                Choice { word: "latest", doc: "the latest missed tick" },
                Choice { word: "all", doc: "every missed tick" },
                Choice { word: "none", doc: "no missed tick" },
            ]),
            doc: "Which ticks are made up for when no scheduler was running.",
            presence: Presence::Default("\"latest\""),
        },
        Field {
            key: "catch_up_window",
            shape: Shape::Duration(0),
            doc: "How old a missed tick may be to be made up for.",
            presence: Presence::Default("\"7d\""),
        },
        Field {
            key: "jitter",
            shape: Shape::Duration(0),
            doc: "Runs start up to this much after their tick: always the same for one job, never part of the data window.",
            presence: Presence::Default("\"0s\""),
        },
        Field {
            key: "max_attempts",
            shape: Shape::Integer(Limits::between(1.0, 100.0)),
            doc: "Attempts before a run fails; only errors that may pass are tried again.",
            presence: Presence::Default("5"),
        },
        Field {
            key: "time_limit",
            shape: Shape::Duration(1),
            doc: "How long a run may take.",
            presence: Presence::Default("\"1h\""),
        },
        Field {
            key: "wait_for",
            shape: Shape::Duration(1),
            doc: "How long after its tick a run waits for its objects to appear; after that there is a `no_data` incident.",
            presence: Presence::Otherwise("does not wait"),
        },
        Field {
            key: "data",
            shape: Shape::Section(&DATA),
            doc: "The datasets. A drift job needs both, metrics and A/B jobs `current`, artefact jobs none; metrics may also read `reference` and `labels`.",
            presence: Presence::Optional,
        },
    ],
};

/// `model = { ... }`.
static MODEL: Section = Section {
    name: "model",
    doc: "A model of the registry, by version or by the stage that names one when the job runs.",
    fields: &[
        Field {
            key: "name",
            shape: Shape::Name,
            doc: "Name of the model in the registry.",
            presence: Presence::Required,
        },
        Field {
            key: "version",
            shape: Shape::Version,
            doc: "A fixed version, by Semantic Versioning. Excludes `stage`.",
            presence: Presence::Optional,
        },
        Field {
            key: "stage",
            shape: Shape::Choice(&[
                Choice { word: "development", doc: "in development" },
                Choice { word: "staging", doc: "before production" },
                Choice { word: "production", doc: "in production" },
                Choice { word: "archived", doc: "out of use" },
            ]),
            doc: "The version that is in this stage when the job runs. Excludes `version`.",
            presence: Presence::Optional,
        },
    ],
};

/// `[data]`.
pub static DATA: Section = Section {
    name: "data",
    doc: "The datasets.",
    fields: &[
        Field {
            key: "reference",
            shape: Shape::Short(&SOURCE),
            doc: "What the current data is compared with.",
            presence: Presence::Optional,
        },
        Field { key: "current", shape: Shape::Short(&SOURCE), doc: "What is judged.", presence: Presence::Optional },
        Field {
            key: "labels",
            shape: Shape::Short(&SOURCE),
            doc: "Labels that arrive later than the predictions, joined to `current` by `metrics.id`. Labels of any time count; \
                  `time_column` says when each came.",
            presence: Presence::Optional,
        },
    ],
};

/// `[data.reference]`, `[data.current]` and `[data.labels]`.
static SOURCE: Section = Section {
    name: "data.current",
    doc: "One dataset: `[data.reference]`, `[data.current]` or `[data.labels]`.",
    fields: &[
        Field {
            key: "uri",
            shape: Shape::Uri,
            doc: "Where it lies: `file://`, `s3://`, `gs://`, `az://`, `https://`. May hold globs, and `{window.start:%Y-%m-%d}` or \
                  `{window.end:...}` for the window's ends.",
            presence: Presence::Required,
        },
        Field {
            key: "format",
            shape: Shape::Choice(&[
                Choice { word: "parquet", doc: "Apache Parquet" },
                Choice { word: "csv", doc: "comma-separated values with a header" },
                Choice { word: "ndjson", doc: "one JSON object per line" },
            ]),
            doc: "How the objects are written.",
            presence: Presence::Otherwise("by the ending of their names"),
        },
        Field {
            key: "window",
            shape: Shape::Window,
            doc: "The data window before the tick, such as `\"7 days\"` or `\"1 month\"`: whole days, weeks or months of UTC that end at or before the tick, or of the job's time zone with `local` (`\"1 month local\"`). Hours and minutes end at the tick itself.",
            presence: Presence::Otherwise("from the previous tick to this one"),
        },
        Field {
            key: "time_column",
            shape: Shape::Text,
            doc: "Column with each row's time: rows outside the window are left out.",
            presence: Presence::Otherwise("all rows count"),
        },
        Field {
            key: "filter",
            shape: Shape::Map(Keys::Free("column"), &Shape::Scalar),
            doc: "Only rows whose columns have these values.",
            presence: Presence::Otherwise("all rows count"),
        },
    ],
};
