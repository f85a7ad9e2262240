//! One look at a test: the numbers, and the decision that follows from them.

use serde::Serialize;

use super::decision::Evidence;
use super::effect::effect_size;
use super::guardrail::{GuardrailResult, any_failed};
use super::improvement::{Improvement, meets_threshold};
use super::looks::Rule;
use super::sample_ratio::{SampleRatio, sample_ratio};
use super::{
    Arms, Comparison, Decision, Looks, MISMATCH_BELOW, Plan, Posterior, Question, ThresholdMode, Winner, improvement,
};
use crate::stats::{Tail, homogeneity, normal_quantile};

/// Rows that each arm needs before its standard error is good enough for a confidence sequence.
const SEQUENCE_FROM: u64 = 30;

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
    /// Mean of A (or its area under the curve, where that is compared).
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
    /// Two-sided p-value, valid at every look where a confidence sequence monitors; 0 below the smallest double.
    pub p_value: Option<f64>,
    /// Its logarithm to base 10, right even where the p-value is 0.
    pub log10_p_value: Option<f64>,
    /// The level this look was held against; none for a look that can decide nothing.
    pub level: Option<f64>,
    /// What a Bayesian test believes now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub posterior: Option<Posterior>,
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

/// What is known beside the values of the metric.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances<'a> {
    /// Shares of the planned information at the spent looks, this one last, rising; without them planned looks are equally far apart.
    pub fractions: Option<&'a [f64]>,
    /// Units assigned to A and to B, where the rows of the metric are not the units that were assigned.
    pub assigned: Option<[u64; 2]>,
    /// Whether the test has not yet run as long as agreed.
    pub below_min_duration: bool,
    /// The guardrails, judged.
    pub guardrails: &'a [GuardrailResult],
    /// The level of this look, where the caller has worked the boundaries out already.
    pub level: Option<f64>,
}

/// Evaluates one look. Never panics; what cannot be computed is `None` and the decision says so.
///
/// ```
/// use steward::ab::{Arms, Decision, Looks, Plan, evaluate};
/// let arm = |successes: usize| (0..1000).map(|i| f64::from(u8::from(i < successes))).collect::<Vec<_>>();
/// let evaluation = evaluate(&Plan::default(), &Arms::of_values(&arm(500), &arm(575)), Looks::ONCE);
/// assert_eq!(evaluation.decision, Decision::ShipB);
/// assert_eq!(evaluation.relative_improvement, Some(15.0));
/// ```
pub fn evaluate(plan: &Plan, arms: &Arms, looks: Looks) -> Evaluation {
    evaluate_under(plan, arms, looks, &Circumstances::default())
}

/// Evaluates one look with what is known besides.
pub fn evaluate_under(plan: &Plan, arms: &Arms, looks: Looks, circumstances: &Circumstances<'_>) -> Evaluation {
    let (a, b) = (arms.a(), arms.b());
    let rule = match circumstances.level {
        Some(level) if looks.may_decide() => Rule::Level(level),
        _ => Rule::of(plan, looks, circumstances.fractions),
    };
    // A look that can decide nothing still reports its numbers at the plan's level.
    let alpha = match rule {
        Rule::Level(level) => level,
        _ => plan.significance_level,
    };
    let question = Question { alpha: if alpha > 0.0 { alpha } else { plan.significance_level }, seed: plan.seed };
    let compared = plan.test.compare(arms, &question);
    let found = compared.as_ref().ok().map(|found| under_rule(*found, rule, arms));
    let improvement = relative(plan, arms, found.as_ref());
    let ratio = match (arms.is_paired(), circumstances.assigned) {
        // Both models saw every row: there is nothing that could be out of balance.
        (true, None) => None,
        (_, assigned) => {
            let assigned = assigned.unwrap_or([a.n() + a.dropped(), b.n() + b.dropped()]);
            sample_ratio(&assigned, &[1.0 - plan.traffic_split, plan.traffic_split])
        }
    };
    let too_early = matches!(rule, Rule::Sequence(_)) && a.n().min(b.n()) < SEQUENCE_FROM;
    let below_min_samples = a.n().min(b.n()) < plan.min_samples.max(2) || too_early;
    let reached = match plan.threshold_mode {
        ThresholdMode::Point => improvement.percent,
        ThresholdMode::Superiority => improvement.interval.map(|[low, _]| low),
    };
    let meets = meets_threshold(reached, plan.success_threshold);
    let may_decide = match rule {
        Rule::Level(_) => looks.may_decide(),
        Rule::Sequence(_) => found.as_ref().is_none_or(|found| found.standard_error.is_some()),
        Rule::Silent => false,
    };
    let upper = improvement.interval.map(|[_, high]| high);
    let evidence = Evidence {
        unusable: unusable(arms),
        below_min_samples,
        below_min_duration: circumstances.below_min_duration,
        mismatch: ratio.is_some_and(|ratio| ratio.mismatch),
        undefined: compared.as_ref().err().copied(),
        is_below_level: found.is_some_and(|found| found.p_value.p() < alpha),
        is_better: found.is_some_and(|found| found.is_b_larger() != plan.lower_is_better),
        directions_differ: found.zip(improvement.percent).is_some_and(|(found, percent)| {
            percent != 0.0 && (percent > 0.0) != (found.is_b_larger() != plan.lower_is_better)
        }),
        baseline_zero: found.map_or(a.mean() == Some(0.0), |found| found.values[0] == 0.0),
        meets_threshold: meets,
        cannot_meet_threshold: alpha > 0.0 && meets_threshold(upper, plan.success_threshold) == Some(false),
        may_decide,
        guardrail_failed: any_failed(circumstances.guardrails),
    };
    let (decision, winner, reason) = evidence.decide(plan, looks);
    let values = found.map(|found| found.values.map(Some));
    let [mean_a, mean_b] = values.unwrap_or(if arms.is_scores() { [None; 2] } else { [a.mean(), b.mean()] });
    let mut evaluation = Evaluation {
        n_a: a.n(),
        n_b: b.n(),
        dropped_a: a.dropped(),
        dropped_b: b.dropped(),
        mean_a,
        mean_b,
        absolute_difference: difference(arms, found.as_ref()),
        difference_low: found.and_then(|found| found.low),
        difference_high: found.and_then(|found| found.high),
        relative_improvement: improvement.percent,
        relative_improvement_ci: improvement.interval,
        effect_size: if arms.is_scores() { None } else { effect_size(a, b).map(|size| size.cohens_d) },
        minimum_detectable_difference: found
            .and_then(|found| found.standard_error)
            .and_then(|error| detectable(error, question.alpha)),
        statistic: found.map(|found| found.statistic),
        df: found.and_then(|found| found.degrees_of_freedom),
        p_value: found.map(|found| found.p_value.p()),
        log10_p_value: found.map(|found| found.p_value.log10()),
        level: (may_decide && !below_min_samples).then_some(alpha),
        posterior: found.and_then(|found| found.posterior),
        sample_ratio_p_value: ratio.map(|ratio| ratio.p_value.p()),
        sample_ratio_mismatch: evidence.mismatch,
        is_significant: evidence.is_significant(plan),
        meets_threshold: meets,
        decision,
        winner,
        reason,
        warnings: Vec::new(),
    };
    evaluation.warn(plan, arms, looks, circumstances, &Noticed { improvement: improvement.reason, ratio, found, rule });
    evaluation
}

/// What the warnings are about.
pub(super) struct Noticed {
    pub(super) improvement: Option<&'static str>,
    pub(super) ratio: Option<SampleRatio>,
    pub(super) found: Option<Comparison>,
    pub(super) rule: Rule,
}

/// Under a confidence sequence, p and the interval are the sequence's: both hold at every look.
fn under_rule(found: Comparison, rule: Rule, arms: &Arms) -> Comparison {
    let (Rule::Sequence(sequence), Some(error)) = (rule, found.standard_error) else {
        return found;
    };
    let rows = if arms.is_paired() { arms.a().n() } else { arms.a().n() + arms.b().n() };
    // By the quotient of the ratio where there is one: it knows the scale.
    let z = found.ratio.map_or(found.difference / error, |ratio| ratio.difference / ratio.difference_variance.sqrt());
    if !z.is_finite() {
        return found;
    }
    let look = sequence.look(z, rows as f64);
    let half = look.critical * error;
    let one_sided = |is_it: bool| if is_it { look.p_value } else { Tail::ONE };
    Comparison {
        low: Some(found.difference - half),
        high: Some(found.difference + half),
        critical: Some(look.critical),
        p_value: look.p_value,
        p_greater: one_sided(z > 0.0),
        p_less: one_sided(z < 0.0),
        ..found
    }
}

fn relative(plan: &Plan, arms: &Arms, found: Option<&Comparison>) -> Improvement {
    let (a, b) = (arms.a(), arms.b());
    if a.n() == 0 || b.n() == 0 {
        return Improvement::undefined("no_usable_rows");
    }
    match found.and_then(|found| found.ratio.map(|ratio| (ratio, found.critical))) {
        Some((ratio, critical)) => ratio.improvement(plan.lower_is_better, critical),
        None if arms.is_scores() => Improvement::undefined("undefined"),
        None => improvement(a, b, plan.lower_is_better, None),
    }
}

/// Why the rows themselves cannot be used: an empty arm, or values that are missing in one arm more than in the other.
fn unusable(arms: &Arms) -> Option<&'static str> {
    let (a, b) = (arms.a(), arms.b());
    if a.n() == 0 || b.n() == 0 {
        return Some("no_usable_rows");
    }
    let test = homogeneity([(a.n(), b.n()), (a.dropped(), b.dropped())].into_iter())?;
    (test.degrees_of_freedom > 0 && test.p_value.p() < MISMATCH_BELOW).then_some("missing_values_differ")
}

/// B - A also where no test is defined.
fn difference(arms: &Arms, found: Option<&Comparison>) -> Option<f64> {
    let (a, b) = (arms.a(), arms.b());
    let plain = || (a.n() > 0 && b.n() > 0 && !arms.is_scores()).then(|| a.difference_to(b, 0));
    found.map(|found| found.difference).or_else(plain).filter(|difference| difference.is_finite())
}

/// The difference found with a power of 80 %.
fn detectable(standard_error: f64, level: f64) -> Option<f64> {
    let critical = -normal_quantile(level / 2.0)? + normal_quantile(0.8)?;
    Some(critical * standard_error).filter(|difference| difference.is_finite())
}
