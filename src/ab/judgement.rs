//! One look at a test: from the values to the numbers, and from the numbers to the decision.

use super::confidence_sequence::SEQUENCE_FROM;
use super::decision::Evidence;
use super::effect::effect_size;
use super::improvement::{Improvement, common_exponent, meets_threshold};
use super::looks::{Held, Rule};
use super::margin::beyond_margin_of;
use super::sample_ratio::{SampleRatio, sample_ratio};
use super::secondary::secondary_metrics;
use super::{
    Arms, Circumstances, Comparison, Evaluation, Hypothesis, Looks, MISMATCH_BELOW, Plan, Question, Ratio,
    ThresholdMode, improvement,
};
use crate::stats::{Tail, homogeneity, normal_quantile, scale};

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
    let held = Held::of(plan, looks, [a.n(), b.n()], circumstances);
    // A look that can decide nothing still reports its numbers at the plan's level.
    let alpha = match held.rule {
        Rule::Level(level) => level,
        _ => plan.significance_level,
    };
    let question = Question { alpha: if alpha > 0.0 { alpha } else { plan.significance_level }, seed: plan.seed };
    let compared = plan.test.compare(arms, &question);
    let found = compared.as_ref().ok().map(|found| with_common_noise(under_rule(*found, held.rule, arms), arms));
    let needs_error = found.is_some_and(|found| found.standard_error.is_none());
    let held = if needs_error { held.without_standard_error(plan.significance_level, looks.is_final) } else { held };
    let improvement = relative(plan, arms, found.as_ref());
    let ratio = match (arms.is_paired(), circumstances.assigned) {
        // Both models saw every row: there is nothing that could be out of balance.
        (true, None) => None,
        (_, assigned) => {
            let assigned = assigned.unwrap_or([a.n() + a.dropped(), b.n() + b.dropped()]);
            sample_ratio(&assigned, &[1.0 - plan.traffic_split, plan.traffic_split])
        }
    };
    let too_early = matches!(held.rule, Rule::Sequence(_)) && a.n().min(b.n()) < SEQUENCE_FROM;
    let judge = |(guardrail, arms): &(super::Guardrail, Arms)| guardrail.judge(arms, plan, held.rule);
    let guardrails: Vec<_> = circumstances.guardrails.iter().map(judge).collect();
    let meets = |percent| match plan.hypothesis {
        Hypothesis::Superiority => meets_threshold(percent, plan.success_threshold),
        Hypothesis::NonInferiority(_) | Hypothesis::Equivalence(_) => None,
    };
    let [low, high] = [0, 1].map(|end: usize| improvement.interval.map(|ends| ends[end]));
    let reached = match plan.threshold_mode {
        ThresholdMode::Point => meets(improvement.percent),
        ThresholdMode::Superiority => meets(low),
    };
    let evidence = Evidence {
        unusable: unusable(arms),
        below_min_samples: a.n().min(b.n()) < plan.min_samples.max(2) || too_early,
        below_min_duration: circumstances.below_min_duration,
        mismatch: ratio.is_some_and(|ratio| ratio.mismatch),
        undefined: compared.as_ref().err().copied(),
        is_below_level: found.is_some_and(|found| found.p_value.p() < alpha),
        is_better: found.is_some_and(|found| found.is_b_larger() != plan.lower_is_better),
        directions_differ: found.zip(improvement.percent).is_some_and(|(found, percent)| {
            percent != 0.0 && (percent > 0.0) != (found.is_b_larger() != plan.lower_is_better)
        }),
        baseline_zero: found.map_or(a.mean() == Some(0.0), |found| found.values[0] == 0.0),
        meets_threshold: reached,
        lower_end_is_unbounded: plan.threshold_mode == ThresholdMode::Superiority
            && improvement.reason == Some("baseline_indistinguishable_from_zero"),
        lower_end_is_short: reached != Some(true) && meets(improvement.percent) == Some(true),
        cannot_meet_threshold: alpha > 0.0 && meets(high) == Some(false),
        // At a level of 0 nothing is shown, and the interval is one of the plan's level.
        interval: improvement.interval.filter(|_| alpha > 0.0),
        silent: held.silent(),
        is_last: held.is_last,
        is_repeated: held.is_repeated,
        is_final: looks.is_final,
        guardrail_failed: guardrails.iter().any(|guardrail| !guardrail.passes),
    };
    let (decision, winner, reason) = evidence.decide(plan);
    let values = found.map(|found| found.values.map(Some));
    let [mean_a, mean_b] = values.unwrap_or(if arms.is_scores() { [None; 2] } else { [a.mean(), b.mean()] });
    let level = evidence.is_judged(plan).then_some(alpha);
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
        margin_p_value: found.and_then(|found| margin_p(plan, arms, &found, held.rule)),
        level,
        share: held.share.filter(|share| level.is_some() && share.is_finite()),
        posterior: found.and_then(|found| found.posterior).map(|found| found.of_direction(plan.lower_is_better)),
        sample_ratio_p_value: ratio.map(|ratio| ratio.p_value.p()),
        sample_ratio_mismatch: evidence.mismatch,
        is_significant: evidence.is_significant(plan),
        meets_threshold: reached,
        decision,
        winner,
        reason,
        guardrails,
        secondary_metrics: secondary_metrics(circumstances.secondary, plan.significance_level),
        warnings: Vec::new(),
        threshold_mode: plan.threshold_mode,
        hypothesis: plan.hypothesis,
        rows_before: held.stale,
    };
    evaluation.warn(plan, arms, looks, circumstances, &Noticed { improvement: improvement.reason, ratio, found, held });
    evaluation
}

/// What the warnings are about.
pub(super) struct Noticed {
    pub(super) improvement: Option<&'static str>,
    pub(super) ratio: Option<SampleRatio>,
    pub(super) found: Option<Comparison>,
    pub(super) held: Held,
}

/// Under a confidence sequence, p and the intervals are the sequence's: they hold at every look.
fn under_rule(found: Comparison, rule: Rule, arms: &Arms) -> Comparison {
    let (Rule::Sequence(sequence), Some(error)) = (rule, found.standard_error) else {
        return found;
    };
    // By the quotient of the ratio where there is one: it knows the scale.
    let z = found.ratio.map_or(found.difference / error, |ratio| ratio.difference / ratio.difference_variance.sqrt());
    if !z.is_finite() {
        // Out of the range of numbers there is no standard error to speak of.
        return Comparison { standard_error: None, ..found };
    }
    let look = sequence.look(z, arms.independent_rows() as f64);
    let half = look.critical * error;
    let one_sided = |is_it: bool| if is_it { look.p_value } else { Tail::ONE };
    Comparison {
        low: Some(found.difference - half),
        high: Some(found.difference + half),
        critical: Some(look.critical),
        p_value: look.p_value,
        p_greater: one_sided(z > 0.0),
        p_less: one_sided(z < 0.0),
        relative: None,
        ..found
    }
}

/// What an adjustment by a covariate leaves in both means alike cancels in the difference, and is noise of the baseline.
fn with_common_noise(found: Comparison, arms: &Arms) -> Comparison {
    let unit = common_exponent(arms.a(), arms.b()).unwrap_or(0);
    let noise = scale(arms.common_noise(), -2 * unit);
    let ratio = found.ratio.map(|ratio| Ratio { baseline_variance: ratio.baseline_variance + noise, ..ratio });
    Comparison { ratio, ..found }
}

/// The p-value of the claim with a margin, where the test gives the improvement an interval: the larger of both sides' for equivalence.
fn margin_p(plan: &Plan, arms: &Arms, found: &Comparison, rule: Rule) -> Option<f64> {
    let of = |margin: f64| beyond_margin_of(arms, found, margin, plan.lower_is_better).ok();
    let tail = match plan.hypothesis {
        _ if !found.has_relative_interval() => return None,
        Hypothesis::Superiority => return None,
        Hypothesis::NonInferiority(margin) => of(-margin)?.p_under(rule, arms),
        Hypothesis::Equivalence(margin) => {
            let (above, below) = (of(-margin)?.p_under(rule, arms), of(margin)?.mirrored().p_under(rule, arms));
            if above.ln() > below.ln() { above } else { below }
        }
    };
    Some(tail.p())
}

fn relative(plan: &Plan, arms: &Arms, found: Option<&Comparison>) -> Improvement {
    let (a, b) = (arms.a(), arms.b());
    if a.n() == 0 || b.n() == 0 {
        return Improvement::undefined("no_usable_rows");
    }
    match found.and_then(|found| found.improvement(plan.lower_is_better)) {
        Some(improvement) => improvement,
        None if arms.is_scores() => Improvement::undefined("undefined"),
        None => improvement(a, b, plan.lower_is_better, None),
    }
}

/// Why the rows themselves cannot be used: an empty arm, or values that are missing in one arm more than in the other.
pub(super) fn unusable(arms: &Arms) -> Option<&'static str> {
    let (a, b) = (arms.a(), arms.b());
    if a.n() == 0 || b.n() == 0 {
        return Some("no_usable_rows");
    }
    missing_differ([a.n(), b.n()], [a.dropped(), b.dropped()]).then_some("missing_values_differ")
}

/// Whether values are missing in one arm more than in the other, beyond chance.
pub(super) fn missing_differ(there: [u64; 2], missing: [u64; 2]) -> bool {
    let test = homogeneity([(there[0], there[1]), (missing[0], missing[1])].into_iter());
    test.is_some_and(|test| test.degrees_of_freedom > 0 && test.p_value.p() < MISMATCH_BELOW)
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
