//! What the reader asks of other parts: names that exist, and checks of schedules, windows and templates.
//!
//! Job documents name drift methods, metrics, statistical tests and channels that other parts own. They come in as
//! data and as one trait, so that documents can be read (and tested) without those parts.

use std::ops::Range;

use chrono_tz::Tz;

use crate::jobs::document::Task;

/// Which columns a drift method judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppliesTo {
    /// Numbers.
    Numeric,
    /// Categories.
    Categorical,
    /// Both.
    Any,
}

/// A drift method, as far as documents need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodInfo {
    /// Its name in documents.
    pub name: String,
    /// What it judges.
    pub applies_to: AppliesTo,
    /// Whether it gives a p-value.
    pub has_p_value: bool,
}

/// A way to judge errors, as far as documents need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConceptMethodInfo {
    /// Its name in documents.
    pub name: String,
    /// The task that it is for; both when absent.
    pub task: Option<Task>,
    /// Whether it needs the probability of the positive class.
    pub needs_score: bool,
    /// Whether it needs the predicted class or number.
    pub needs_prediction: bool,
    /// Whether it follows the rows in the order of time.
    pub needs_time: bool,
}

/// A validation metric, as far as documents need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricInfo {
    /// Its name in documents.
    pub name: String,
    /// Which task it is of.
    pub task: Task,
    /// Whether it needs a score; others are computed from predictions (which a score gives too).
    pub needs_score: bool,
}

/// Every name that documents may use.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Drift methods.
    pub drift_methods: Vec<MethodInfo>,
    /// Ways to judge errors.
    pub concept_methods: Vec<ConceptMethodInfo>,
    /// Validation metrics.
    pub metrics: Vec<MetricInfo>,
    /// Statistical tests of A/B tests.
    pub ab_tests: Vec<String>,
    /// Channels of the configuration; none when there is no configuration to check against.
    pub channels: Option<Vec<String>>,
}

/// Why a text is no cron expression, window or template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, as a fragment.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Which bytes of the text it is about; all of it when absent.
    pub part: Option<Range<usize>>,
}

/// Checks that the schedule's own code answers.
pub trait ScheduleChecks: Sync {
    /// Whether a cron expression can be read and ever fires.
    ///
    /// # Errors
    /// What is wrong with it.
    fn cron(&self, expression: &str, timezone: Tz) -> Result<(), Fault>;

    /// Whether a window can be read.
    ///
    /// # Errors
    /// What is wrong with it.
    fn window(&self, window: &str) -> Result<(), Fault>;

    /// Whether the templates of a URI can be resolved.
    ///
    /// # Errors
    /// What is wrong with it.
    fn template(&self, uri: &str) -> Result<(), Fault>;
}

/// All that reading a document is checked against.
#[derive(Clone, Copy)]
pub struct Checks<'a> {
    /// Names.
    pub known: &'a Known,
    /// Schedules, windows, templates.
    pub schedule: &'a dyn ScheduleChecks,
}
