//! One look at a test: the numbers, and the decision that follows from them.

use serde::{Serialize, Serializer};

use super::improvement::{improvement, meets_threshold};
use super::sample_ratio::sample_ratio;
use super::{Comparison, MISMATCH_BELOW, Test, Undefined};
use crate::stats::{Moments, homogeneity, normal_quantile};

/// What was agreed before the first row.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The statistical test.
    pub test: &'static dyn Test,
    /// Chance of a false positive over all planned looks, 0..1.
    pub significance_level: f64,
    /// Improvement B must show, as a fraction of A (0.02 is 2 %); inclusive.
    pub success_threshold: f64,
    /// What has to reach the threshold.
    pub threshold_mode: ThresholdMode,
    /// Whether lower values of the metric are better.
    pub lower_is_better: bool,
    /// Usable rows each arm needs before anything is decided.
    pub min_samples: u64,
    /// Share of rows assigned to B, between 0 and 1.
    pub traffic_split: f64,
    /// What a sample-ratio mismatch does.
    pub sample_ratio_policy: SampleRatioPolicy,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            test: &super::TTest,
            significance_level: 0.05,
            success_threshold: 0.02,
            threshold_mode: ThresholdMode::Point,
            lower_is_better: false,
            min_samples: 100,
            traffic_split: 0.5,
            sample_ratio_policy: SampleRatioPolicy::Block,
        }
    }
}

/// What has to reach the success threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdMode {
    /// The relative improvement itself.
    Point,
    /// The lower end of its interval.
    Superiority,
}

/// What a sample-ratio mismatch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleRatioPolicy {
    /// Nothing is significant and the decision is `INVALID_SRM`.
    Block,
    /// A warning only.
    Warn,
}

/// Which look this is.
///
/// Looking at a 5 % test every day for four weeks finds something in 27 % of tests without a difference. Until group-sequential
/// boundaries come, planned looks share the level equally (Bonferroni: `significance_level / planned` each, conservative), a
/// look beyond the plan is never significant, not even the last one: the level is used up. Only where nothing was planned does
/// a final look decide, whatever its number: somebody asks for a verdict now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Number of this look, from 1.
    pub look: u32,
    /// How many looks were planned; `None` for a one-off evaluation.
    pub planned: Option<u32>,
    /// Whether this is the last one: the horizon is reached or someone asks for a verdict now.
    pub is_final: bool,
}

impl Looks {
    /// A single evaluation that decides.
    pub const ONCE: Looks = Looks { look: 1, planned: None, is_final: true };

    /// A glance at the numbers that no plan knows: it decides nothing, ends nothing and uses nothing up.
    pub const GLANCE: Looks = Looks { look: 1, planned: Some(0), is_final: false };

    /// The level of this look.
    fn level(self, significance_level: f64) -> f64 {
        significance_level / f64::from(self.planned.unwrap_or(1).max(1))
    }

    /// Whether this look may be significant at all.
    #[must_use]
    pub fn may_decide(self) -> bool {
        self.look <= self.planned.unwrap_or(if self.is_final { u32::MAX } else { 1 })
    }
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The data cannot be used.
    InvalidData,
    /// The arms did not get the rows they should have.
    InvalidSrm,
    /// Collect more rows.
    Continue,
    /// Keep model A.
    KeepA,
    /// Ship model B.
    ShipB,
    /// The test is over and says neither.
    Inconclusive,
}

impl Decision {
    /// The name in results and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::InvalidData => "INVALID_DATA",
            Decision::InvalidSrm => "INVALID_SRM",
            Decision::Continue => "CONTINUE",
            Decision::KeepA => "KEEP_A",
            Decision::ShipB => "SHIP_B",
            Decision::Inconclusive => "INCONCLUSIVE",
        }
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The arm that is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Winner {
    /// The control.
    A,
    /// The treatment.
    B,
}

impl Winner {
    /// The name in the database: `a` or `b`.
    pub fn as_str(self) -> &'static str {
        match self {
            Winner::A => "a",
            Winner::B => "b",
        }
    }
}

/// The result of one look. A field is `None` where the number does not exist; `reason` says why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Usable rows of A.
    pub n_a: u64,
    /// Usable rows of B.
    pub n_b: u64,
    /// Rows of A without a usable value.
    pub dropped_a: u64,
    /// Rows of B without a usable value.
    pub dropped_b: u64,
    /// Mean of A.
    pub mean_a: Option<f64>,
    /// Mean of B.
    pub mean_b: Option<f64>,
    /// B - A, in the metric's unit.
    pub absolute_difference: Option<f64>,
    /// Lower end of its interval at `1 - level`.
    pub difference_low: Option<f64>,
    /// Upper end of its interval.
    pub difference_high: Option<f64>,
    /// Percent, positive when B is better; `None` when A is 0.
    pub relative_improvement: Option<f64>,
    /// Fieller's interval of it, in percent; `None` when unbounded.
    pub relative_improvement_ci: Option<[f64; 2]>,
    /// The difference in pooled standard deviations (Cohen's d).
    pub effect_size: Option<f64>,
    /// The smallest difference a repetition with these rows would detect at this level in 80 of 100 cases.
    pub minimum_detectable_difference: Option<f64>,
    /// The test statistic.
    pub statistic: Option<f64>,
    /// Its degrees of freedom.
    pub df: Option<f64>,
    /// Two-sided p-value; 0 below the smallest double.
    pub p_value: Option<f64>,
    /// Its logarithm to base 10, right even where the p-value is 0.
    pub log10_p_value: Option<f64>,
    /// The level this look was held against, after sharing it between planned looks; none for a look that can decide nothing.
    pub level: Option<f64>,
    /// p-value of the sample-ratio check; `None` without rows.
    pub sample_ratio_p_value: Option<f64>,
    /// Whether the arms got rows in another ratio than planned.
    pub sample_ratio_mismatch: bool,
    /// Whether the difference is significant, all conditions included.
    pub is_significant: bool,
    /// Whether the improvement reaches the bar; `None` when it cannot be known.
    pub meets_threshold: Option<bool>,
    /// What to do now.
    pub decision: Decision,
    /// The better arm, once decided.
    pub winner: Option<Winner>,
    /// Why, in one word, e.g. `not_significant`.
    pub reason: &'static str,
    /// What people should know besides.
    pub warnings: Vec<String>,
}

/// Evaluates one look. Never panics; what cannot be computed is `None` and the decision says so.
///
/// ```
/// use steward::ab::{Decision, Looks, Plan, evaluate};
/// use steward::stats::Moments;
/// let arm = |successes: usize| Moments::of(&(0..1000).map(|i| f64::from(u8::from(i < successes))).collect::<Vec<_>>());
/// let evaluation = evaluate(&Plan::default(), &arm(500), &arm(575), Looks::ONCE);
/// assert_eq!(evaluation.decision, Decision::ShipB);
/// assert_eq!(evaluation.relative_improvement, Some(15.0));
/// ```
pub fn evaluate(plan: &Plan, a: &Moments, b: &Moments, looks: Looks) -> Evaluation {
    let level = looks.level(plan.significance_level);
    let comparison = plan.test.compare(a, b, level);
    let found = comparison.as_ref().ok();
    let improvement = improvement(a, b, plan.lower_is_better, found.map(|found| found.critical));
    let assigned = [a.n() + a.dropped(), b.n() + b.dropped()];
    let ratio = sample_ratio(&assigned, &[1.0 - plan.traffic_split, plan.traffic_split]);
    let mismatch = ratio.is_some_and(|ratio| ratio.mismatch);
    let blocked = mismatch && plan.sample_ratio_policy == SampleRatioPolicy::Block;
    let below = a.n().min(b.n()) < plan.min_samples.max(2);
    let unusable = unusable(a, b);
    let is_significant = found.is_some_and(|found| found.p_value.p() < level)
        && !below
        && !blocked
        && unusable.is_none()
        && looks.may_decide();
    let reached = match plan.threshold_mode {
        ThresholdMode::Point => improvement.percent,
        ThresholdMode::Superiority => improvement.interval.map(|[low, _]| low),
    };
    let meets_threshold = meets_threshold(reached, plan.success_threshold);
    let is_better = found.is_some_and(|found| (found.difference > 0.0) != plan.lower_is_better);
    let baseline_zero = a.mean() == Some(0.0);

    let (decision, winner, reason) = match (unusable, comparison) {
        (Some(reason), _) => (Decision::InvalidData, None, reason),
        _ if below => (Decision::Continue, None, "below_min_samples"),
        _ if blocked => (Decision::InvalidSrm, None, "sample_ratio_mismatch"),
        (_, Err(Undefined::NotFinite)) => (Decision::InvalidData, None, "not_finite"),
        (_, Err(_)) => (Decision::Inconclusive, None, "zero_variance"),
        _ if is_significant && !is_better => (Decision::KeepA, Some(Winner::A), "treatment_significantly_worse"),
        _ if is_significant && baseline_zero => (Decision::Inconclusive, None, "baseline_zero"),
        _ if is_significant && meets_threshold == Some(true) => {
            (Decision::ShipB, Some(Winner::B), "significant_and_meets_threshold")
        }
        _ if is_significant && looks.is_final => (Decision::KeepA, None, "below_success_threshold"),
        _ if is_significant => (Decision::Continue, None, "below_success_threshold"),
        _ if !looks.may_decide() && looks.is_final => (Decision::Inconclusive, None, "unplanned_look"),
        _ if !looks.may_decide() => (Decision::Continue, None, "unplanned_look"),
        _ if looks.is_final => (Decision::Inconclusive, None, "not_significant"),
        _ => (Decision::Continue, None, "not_significant"),
    };

    Evaluation {
        n_a: a.n(),
        n_b: b.n(),
        dropped_a: a.dropped(),
        dropped_b: b.dropped(),
        mean_a: a.mean(),
        mean_b: b.mean(),
        absolute_difference: difference(a, b, found),
        difference_low: found.map(|found| found.low),
        difference_high: found.map(|found| found.high),
        relative_improvement: improvement.percent,
        relative_improvement_ci: improvement.interval,
        effect_size: found.and_then(|found| effect_size(a, b, found.difference)),
        minimum_detectable_difference: found.and_then(|found| detectable(found.standard_error, level)),
        statistic: found.map(|found| found.statistic),
        df: found.map(|found| found.degrees_of_freedom),
        p_value: found.map(|found| found.p_value.p()),
        log10_p_value: found.map(|found| found.p_value.log10()),
        level: (looks.may_decide() && !below).then_some(level),
        sample_ratio_p_value: ratio.map(|ratio| ratio.p_value.p()),
        sample_ratio_mismatch: mismatch,
        is_significant,
        meets_threshold,
        decision,
        winner,
        reason,
        warnings: warnings(plan, a, b, looks, improvement.reason, mismatch),
    }
}

/// Why the rows themselves cannot be used: an empty arm, or values that are missing in one arm more than in the other.
fn unusable(a: &Moments, b: &Moments) -> Option<&'static str> {
    if a.n() == 0 || b.n() == 0 {
        return Some("no_usable_rows");
    }
    let test = homogeneity([(a.n(), b.n()), (a.dropped(), b.dropped())].into_iter())?;
    (test.degrees_of_freedom > 0 && test.p_value.p() < MISMATCH_BELOW).then_some("missing_values_differ")
}

/// B - A also where no test is defined.
fn difference(a: &Moments, b: &Moments, found: Option<&Comparison>) -> Option<f64> {
    let plain = || (a.n() > 0 && b.n() > 0).then(|| a.difference_to(b, 0));
    found.map(|found| found.difference).or_else(plain).filter(|difference| difference.is_finite())
}

/// The difference in pooled standard deviations.
fn effect_size(a: &Moments, b: &Moments, difference: f64) -> Option<f64> {
    let (deviation_a, deviation_b) = (a.standard_deviation()?, b.standard_deviation()?);
    let (weight_a, weight_b) = ((a.n() - 1) as f64, (b.n() - 1) as f64);
    // By the larger deviation, so that no square leaves the range of doubles.
    let unit = deviation_a.max(deviation_b);
    let square = |deviation: f64| (deviation / unit) * (deviation / unit);
    let pooled = ((weight_a * square(deviation_a) + weight_b * square(deviation_b)) / (weight_a + weight_b)).sqrt();
    Some(difference / unit / pooled).filter(|effect| effect.is_finite())
}

/// The difference found with a power of 80 %.
fn detectable(standard_error: f64, level: f64) -> Option<f64> {
    let critical = normal_quantile(1.0 - level / 2.0)? + normal_quantile(0.8)?;
    Some(critical * standard_error).filter(|difference| difference.is_finite())
}

fn warnings(
    plan: &Plan,
    a: &Moments,
    b: &Moments,
    looks: Looks,
    improvement: Option<&'static str>,
    mismatch: bool,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if mismatch {
        warnings.push(format!(
            "arms have {} and {} assigned rows, the split promises {:.1} % for B",
            a.n() + a.dropped(),
            b.n() + b.dropped(),
            100.0 * plan.traffic_split
        ));
    }
    match looks.planned {
        None if looks.look > 1 => warnings.push(format!(
            "look {} of a test without planned looks: repeated looks find differences that are not there",
            looks.look
        )),
        Some(planned) if planned > 0 && looks.look > planned => {
            warnings.push(format!("look {} of {planned} planned", looks.look))
        }
        _ => {}
    }
    for (name, arm) in [("A", a), ("B", b)] {
        if arm.n() > 1 && arm.is_constant() {
            warnings.push(format!("all rows of {name} have the same value"));
        }
        if arm.dropped() > 0 {
            warnings.push(format!("{} rows of {name} have no usable value and were left out", arm.dropped()));
        }
    }
    match improvement {
        Some("baseline_zero") => warnings.push("A is 0, so there is no relative improvement".to_owned()),
        Some("baseline_indistinguishable_from_zero") => {
            warnings.push("A cannot be told from 0, so the relative improvement has no bounded interval".to_owned())
        }
        _ => {}
    }
    warnings
}
