//! From a score to a verdict: every rule that does not depend on the method.

use serde::Serialize;
use serde_json::{Value, json};

use super::methods::mixed_kinds;
use super::{Method, NotJudged, Sample, Score};

/// How one column is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The column drifts when its score exceeds this; `None` for the method's default.
    pub threshold: Option<f64>,
    /// Bins for numbers (psi, chi_square), taken as 2..=100.
    pub bins: usize,
    /// Explicit inner edges instead of quantiles of the reference.
    pub edges: Option<Vec<f64>>,
    /// Fewer rows than this on either side are `insufficient_data`.
    pub min_samples: Option<u64>,
    /// The column drifts when the shares of missing rows differ by more than this.
    pub missing_threshold: f64,
    /// What decides.
    pub decide_on: DecideOn,
    /// The level of p-values when they decide: below it the column drifts.
    pub alpha: f64,
    /// Both keys: a score above its threshold is drift only when the p-value is below this level too.
    pub require_significance: Option<f64>,
}

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecideOn {
    /// The score, above its threshold.
    Score,
    /// The p-value, below `alpha`; on many rows it rejects whatever is the case.
    PValue,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threshold: None,
            bins: 10,
            edges: None,
            min_samples: None,
            missing_threshold: 0.2,
            decide_on: DecideOn::Score,
            alpha: 0.05,
            require_significance: None,
        }
    }
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Score below half the threshold; where the p-value decides, score up to the threshold.
    Ok,
    /// Score from half the threshold up to the threshold, or above it without the p-value that is asked for.
    Warning,
    /// Score above the threshold (and significant, where that is asked for); or the p-value below its level, where it decides.
    Drifted,
    /// The method says nothing about such a column.
    NotApplicable,
    /// Too few rows to say anything.
    InsufficientData,
    /// The column is missing, new, or of another type.
    SchemaError,
    /// No rows at all.
    NoData,
}

impl Status {
    /// The name in results and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Drifted => "drifted",
            Status::NotApplicable => "not_applicable",
            Status::InsufficientData => "insufficient_data",
            Status::SchemaError => "schema_error",
            Status::NoData => "no_data",
        }
    }

    /// Whether the column was judged at all.
    pub fn is_result(self) -> bool {
        matches!(self, Status::Ok | Status::Warning | Status::Drifted)
    }
}

/// Whether there were enough rows for the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reliability {
    /// Unchanged data exceed the threshold less than once in a hundred checks.
    Normal,
    /// Unchanged data may exceed the threshold by chance.
    Low,
}

impl Reliability {
    /// The name in results and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Reliability::Normal => "normal",
            Reliability::Low => "low",
        }
    }
}

/// The verdict on one column. Where the score alone decides, `drifted == (score > threshold)` holds for every result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The column.
    pub column: String,
    /// The segment whose rows were judged, such as `region = EU`; all rows when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// The method's name.
    pub method: String,
    /// What it came to.
    pub status: Status,
    /// The effect size; when missing rows alone decided, the difference of their shares. `None` without a result.
    pub score: Option<f64>,
    /// What the score was held against; when missing rows alone decided, the missing threshold.
    pub threshold: f64,
    /// p-value of the method's test; 0 below the smallest double.
    pub p_value: Option<f64>,
    /// Its logarithm to base 10, right even where the p-value is 0.
    pub log10_p_value: Option<f64>,
    /// The level below which the p-value decided; `None` where the score did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Whether the column drifted.
    pub drifted: bool,
    /// Whether there were enough rows; `None` without a result.
    pub reliability: Option<Reliability>,
    /// Rows of the reference, missing ones included.
    pub n_reference: u64,
    /// Rows of the current data, missing ones included.
    pub n_current: u64,
    /// Share of the reference's rows without a value, 0..=1.
    pub missing_reference: f64,
    /// Share of the current rows without a value, 0..=1.
    pub missing_current: f64,
    /// `missing` when missing rows are what drifted, or why there is no result.
    pub reason: Option<String>,
    /// What people want to see with it; per method.
    pub details: Value,
    /// Benjamini-Hochberg q-value over the checks of a report; `None` until [`super::report`] fills it.
    pub q_value: Option<f64>,
}

impl Check {
    /// What it is about, for people and incidents: the column, and the segment where it is one's.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.segment {
            Some(segment) => format!("{} [{segment}]", self.column),
            None => self.column.clone(),
        }
    }
}

/// A check without a result, for a column that could not even be read (missing column, wrong type, no object).
pub fn not_judged(
    column: impl Into<String>,
    method: impl Into<String>,
    status: Status,
    reason: impl Into<String>,
    threshold: f64,
) -> Check {
    Check {
        column: column.into(),
        segment: None,
        method: method.into(),
        status,
        score: None,
        threshold,
        p_value: None,
        log10_p_value: None,
        alpha: None,
        drifted: false,
        reliability: None,
        n_reference: 0,
        n_current: 0,
        missing_reference: 0.0,
        missing_current: 0.0,
        reason: Some(reason.into()),
        details: json!({}),
        q_value: None,
    }
}

/// Judges one column: drifted when the score exceeds the threshold, a warning from half the threshold, unless the options let the
/// p-value decide or ask for it too.
///
/// Never panics and never answers NaN. Columns that cannot be judged carry a status and a reason instead of a score.
///
/// ```
/// use steward::drift::{self, NumericSample, Options, Sample};
/// let reference: Vec<f64> = (0..1000).map(f64::from).collect();
/// let current: Vec<f64> = reference.iter().map(|value| value + 300.0).collect();
/// let side = |sorted| Sample::Numeric(NumericSample { sorted, missing: 0 });
/// let method = drift::method("ks_test").unwrap();
/// let check = drift::judge("delay", method, &side(&reference), &side(&current), &Options::default());
/// assert_eq!((check.score, check.drifted), (Some(0.3), true));
/// ```
pub fn judge(column: &str, method: &dyn Method, reference: &Sample, current: &Sample, options: &Options) -> Check {
    let threshold = options.threshold.filter(|threshold| threshold.is_finite()).unwrap_or(method.default_threshold());
    let mut check = Check {
        reason: None,
        n_reference: reference.total(),
        n_current: current.total(),
        missing_reference: reference.missing_share(),
        missing_current: current.missing_share(),
        ..not_judged(column, method.name(), Status::Ok, "", threshold)
    };
    let missing_difference = (check.missing_reference - check.missing_current).abs();
    let missing_drifts = missing_difference > options.missing_threshold;
    match score(method, reference, current, options, missing_drifts) {
        Ok(score) => {
            apply_score(&mut check, score, options);
            if missing_drifts {
                apply_missing(&mut check, missing_difference, options.missing_threshold);
            }
        }
        Err(Refused::OnlyMissing) => {
            check.status = Status::Warning;
            check.details = json!({ "missing_difference": missing_difference });
            apply_missing(&mut check, missing_difference, options.missing_threshold);
        }
        Err(Refused::NotJudged(not)) => {
            check.status = not.status;
            check.reason = Some(not.reason);
        }
    }
    check
}

/// Why there is no score.
enum Refused {
    /// One side has no present value, and the shares of missing rows differ enough to decide.
    OnlyMissing,
    NotJudged(NotJudged),
}

fn score(
    method: &dyn Method,
    reference: &Sample,
    current: &Sample,
    options: &Options,
    missing_drifts: bool,
) -> Result<Score, Refused> {
    let refuse = |status, reason: String| Err(Refused::NotJudged(NotJudged { status, reason }));
    let (n, m) = (reference.total(), current.total());
    match (n, m) {
        (0, 0) => return refuse(Status::NoData, "no rows in the reference and in the current data".into()),
        (0, _) => return refuse(Status::NoData, "no rows in the reference".into()),
        (_, 0) => return refuse(Status::NoData, "no rows in the current data".into()),
        _ => {}
    }
    // Which kind a side without any value has cannot be known, so it is not held against it.
    let (present_n, present_m) = (reference.present(), current.present());
    if present_n == 0 && present_m == 0 {
        return refuse(Status::NotApplicable, "every row is missing on both sides".into());
    }
    if let Some(least) = options.min_samples {
        if n.min(m) < least {
            return refuse(Status::InsufficientData, too_few("rows", n, m, least));
        }
        // A method that looks at present values only needs that many of them; what is missing may still decide.
        if !method.scores_missing() && present_n.min(present_m) < least {
            if missing_drifts {
                return Err(Refused::OnlyMissing);
            }
            return refuse(Status::InsufficientData, too_few("present values", present_n, present_m, least));
        }
    }
    let needs_p_value = options.decide_on == DecideOn::PValue || options.require_significance.is_some();
    if needs_p_value && !method.has_p_value() {
        let why =
            if options.decide_on == DecideOn::PValue { "decide_on = \"p_value\"" } else { "require_significance" };
        return refuse(Status::NotApplicable, format!("{} has no p-value, and {why} needs one", method.name()));
    }
    let mixed = reference.is_categorical() != current.is_categorical();
    if mixed && present_n > 0 && present_m > 0 {
        return Err(Refused::NotJudged(mixed_kinds(reference)));
    }
    let is_categorical = if present_n > 0 { reference.is_categorical() } else { current.is_categorical() };
    if !method.applies_to().includes(is_categorical) {
        let kind = if is_categorical { "categories" } else { "numbers" };
        return refuse(Status::NotApplicable, format!("{} does not judge {kind}", method.name()));
    }
    if present_n == 0 || present_m == 0 {
        if missing_drifts && (mixed || !method.scores_missing()) {
            return Err(Refused::OnlyMissing);
        }
        if mixed || !method.scores_missing() {
            let side = if present_n == 0 { "reference" } else { "current data" };
            return refuse(Status::InsufficientData, format!("every row of the {side} is missing"));
        }
    }
    let score = method.judge(reference, current, options).map_err(Refused::NotJudged)?;
    if score.value.is_finite() {
        Ok(score)
    } else {
        refuse(Status::NotApplicable, format!("{} has no finite score for these values", method.name()))
    }
}

fn too_few(what: &str, n: u64, m: u64, least: u64) -> String {
    format!("{n} {what} in the reference and {m} in the current data, at least {least} needed on each side")
}

fn apply_score(check: &mut Check, score: Score, options: &Options) {
    let threshold = check.threshold;
    let above = score.value > threshold;
    let ln_p = score.p_value.map(|tail| tail.ln());
    // Compared as logarithms: right where the p-value itself is below the smallest double. No p-value is no significance.
    let is_below = |level: f64| level > 0.0 && ln_p.is_some_and(|ln_p| ln_p < level.ln());
    let by_p_value = options.decide_on == DecideOn::PValue;
    check.alpha = by_p_value.then_some(options.alpha);
    check.drifted = match options.require_significance {
        _ if by_p_value => is_below(options.alpha),
        Some(level) => above && is_below(level),
        None => above,
    };
    let warns = if by_p_value { above } else { score.value > 0.0 && score.value >= threshold / 2.0 };
    check.status = match (check.drifted, warns) {
        (true, _) => Status::Drifted,
        (false, true) => Status::Warning,
        (false, false) => Status::Ok,
    };
    if above && !check.drifted {
        let level = if by_p_value { options.alpha } else { options.require_significance.unwrap_or(options.alpha) };
        check.reason = Some(format!("above the threshold, and not significant at {level}"));
    }
    check.score = Some(score.value);
    check.p_value = score.p_value.map(|tail| tail.p());
    check.log10_p_value = score.p_value.map(|tail| tail.log10()).filter(|log| log.is_finite());
    let low = score.null_quantile.is_nan() || score.null_quantile > threshold;
    check.reliability = Some(if low { Reliability::Low } else { Reliability::Normal });
    check.details = score.details;
}

/// The shares of missing rows differ too much: the column drifts, whatever the present values say.
fn apply_missing(check: &mut Check, difference: f64, threshold: f64) {
    check.reason = Some("missing".to_owned());
    if check.drifted {
        return;
    }
    check.score = Some(difference);
    check.threshold = threshold;
    check.alpha = None;
    check.drifted = true;
    check.status = Status::Drifted;
    // Shares of missing rows need few rows to differ by a fifth; say `low` only where the method already did.
    check.reliability = check.reliability.or(Some(missing_reliability(check, threshold)));
}

/// Whether the missing shares of unchanged data could differ by more than `threshold` once in a hundred checks.
fn missing_reliability(check: &Check, threshold: f64) -> Reliability {
    // 2.576 standard errors of a difference of shares, at their largest (one half).
    let spread = 2.576 * 0.5 * (1.0 / check.n_reference as f64 + 1.0 / check.n_current as f64).sqrt();
    if spread > threshold { Reliability::Low } else { Reliability::Normal }
}
