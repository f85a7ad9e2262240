//! One evaluation: from a plan and two arms to a decision and a sentence.

use serde::Serialize;

use super::relative::{meets_threshold, minimal_detectable_effect, relative_improvement, relative_interval};
use super::{DataProblem, Decision, Looks, Plan, SampleRatio, TestResult, Undefined, missingness};
use crate::stats::{Moments, Tail};

/// All that one look at a test says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Rows of A with an outcome.
    pub n_a: u64,
    /// Rows of B with an outcome.
    pub n_b: u64,
    /// Mean outcome of A.
    pub mean_a: Option<f64>,
    /// Mean outcome of B.
    pub mean_b: Option<f64>,
    /// Mean of B minus mean of A, in the unit of the outcome.
    pub absolute_difference: Option<f64>,
    /// Lower end of its interval, at 1 - significance level (divided by the planned looks).
    pub difference_low: Option<f64>,
    /// Upper end of its interval.
    pub difference_high: Option<f64>,
    /// How much better B is, in percent of A; positive is better.
    pub relative_improvement: Option<f64>,
    /// Fieller's interval of it, in percent.
    pub relative_improvement_ci: Option<[f64; 2]>,
    /// The test's statistic.
    pub statistic: Option<f64>,
    /// Its degrees of freedom.
    pub df: Option<f64>,
    /// The two-sided p-value, not corrected for looks; 0 when below the smallest double, then `log10_p_value` holds.
    pub p_value: Option<f64>,
    /// Its logarithm to base 10.
    pub log10_p_value: Option<f64>,
    /// Whether the difference counts: p below the level, enough rows, right sample ratio, usable data, a look that may decide.
    pub is_significant: bool,
    /// Whether the relative improvement reaches the success threshold; `None` when there is none.
    pub meets_threshold: Option<bool>,
    /// What to do.
    pub decision: Decision,
    /// `a` when B is significantly worse, `b` when B ships.
    pub winner: Option<&'static str>,
    /// The decision in one sentence.
    pub reason: String,
    /// The sample-ratio check.
    pub srm: SampleRatio,
    /// The smallest relative improvement that this data could have found with a power of 0.8, in percent.
    pub mde: Option<f64>,
    /// What else to know.
    pub warnings: Vec<String>,
}

/// Judges a test: the first rule that matches decides.
///
/// 1 no rows, unknown variants, or arms that lose outcomes differently (p < 0.001): `INVALID_DATA`; 2 fewer than `min_samples` in
/// an arm: `CONTINUE`; 3 sample-ratio mismatch: `INVALID_SRM`; 4 the test has no answer (zero variance): `INCONCLUSIVE`;
/// 5 significantly worse: `KEEP_A`; 6 significantly better than 0: `INCONCLUSIVE`; 7 significantly better and at the bar:
/// `SHIP_B`; 9 below the bar at the end: `KEEP_A`; 10 with several planned looks, the whole interval below the bar: `KEEP_A`;
/// 11 not significant at the end: `INCONCLUSIVE`; 12 `CONTINUE`. (8, a failed guardrail, comes with guardrails.)
pub fn evaluate(plan: &Plan, a: &Moments, b: &Moments, looks: Looks, data: &DataProblem) -> Evaluation {
    let missing = [data.missing_a.max(a.dropped()), data.missing_b.max(b.dropped())];
    let srm = SampleRatio::of(a.n() + missing[0], b.n() + missing[1], plan.traffic_split);
    let alpha = plan.significance_level / f64::from(looks.divisor());
    let result = plan.test.test(a, b, alpha);
    let relative = relative_improvement(a, b, plan.lower_is_better);
    let interval = result.ok().map(|result| relative_interval(a, b, &result, plan.lower_is_better));
    let difference = Some(a.difference_to(b, 0)).filter(|found| a.n() > 0 && b.n() > 0 && found.is_finite());
    let mut case = Case { plan, a, b, looks, data, missing, srm, alpha, result, difference, significant: false };
    case.significant = case.is_significant();
    let relative_ci = interval.and_then(Result::ok);
    let (decision, winner, reason) = case.decide(relative.ok(), relative_ci);
    let of = |number: fn(&TestResult) -> f64| result.as_ref().ok().map(number);
    let mut warnings = case.warnings();
    match (relative, interval) {
        (Err(reason), _) if a.n() > 0 && b.n() > 0 => warnings.push(reason.to_string()),
        (Ok(_), Some(Err(reason))) => warnings.push(reason.to_string()),
        _ => {}
    }
    Evaluation {
        n_a: a.n(),
        n_b: b.n(),
        mean_a: a.mean(),
        mean_b: b.mean(),
        absolute_difference: difference,
        difference_low: of(|result| result.difference_low),
        difference_high: of(|result| result.difference_high),
        relative_improvement: relative.ok(),
        relative_improvement_ci: relative_ci,
        statistic: of(|result| result.statistic),
        df: of(|result| result.df),
        p_value: of(|result| result.p.p()),
        log10_p_value: of(|result| result.p.log10()).filter(|log| log.is_finite()),
        is_significant: case.significant,
        meets_threshold: relative.ok().map(|percent| meets_threshold(percent, plan.success_threshold)),
        decision,
        winner,
        reason,
        srm,
        mde: result.ok().and_then(|result| minimal_detectable_effect(a, &result, alpha)),
        warnings,
    }
}

/// Everything the rules look at.
struct Case<'a> {
    plan: &'a Plan,
    a: &'a Moments,
    b: &'a Moments,
    looks: Looks,
    data: &'a DataProblem,
    missing: [u64; 2],
    srm: SampleRatio,
    alpha: f64,
    result: Result<TestResult, Undefined>,
    difference: Option<f64>,
    significant: bool,
}

impl Case<'_> {
    fn needed(&self) -> u64 {
        self.plan.min_samples.max(2)
    }

    fn has_too_few(&self) -> bool {
        self.a.n().min(self.b.n()) < self.needed()
    }

    fn is_significant(&self) -> bool {
        let passes = self.result.is_ok_and(|result| result.p.p() < self.alpha);
        passes && !self.has_too_few() && !self.srm.mismatch && self.bad_data().is_none() && self.looks.may_decide()
    }

    /// Rule 1.
    fn bad_data(&self) -> Option<String> {
        let (a, b, [missing_a, missing_b]) = (self.a.n(), self.b.n(), self.missing);
        if self.data.unknown_variants > 0 {
            return Some(format!("{} rows belong to neither A nor B", self.data.unknown_variants));
        }
        if a == 0 || b == 0 {
            return Some(format!("no usable rows: A has {a} and B has {b} with an outcome"));
        }
        let p = missingness(a, missing_a, b, missing_b).filter(|p| p.p() < super::ratio::MISMATCH)?;
        let share = |missing: u64, present: u64| short(100.0 * missing as f64 / (missing + present) as f64);
        Some(format!(
            "outcomes are missing in {} % of the rows of A but {} % of those of B ({})",
            share(missing_a, a),
            share(missing_b, b),
            p_text(p)
        ))
    }

    fn decide(&self, relative: Option<f64>, interval: Option<[f64; 2]>) -> (Decision, Option<&'static str>, String) {
        let (a, b) = (self.a.n(), self.b.n());
        if let Some(problem) = self.bad_data() {
            return (Decision::InvalidData, None, problem);
        }
        if self.has_too_few() {
            let needed = self.needed();
            return (Decision::Continue, None, format!("each arm needs {needed} rows; A has {a} and B has {b}"));
        }
        if self.srm.mismatch {
            let observed = short(100.0 * self.srm.observed_share_b.unwrap_or_default());
            let (expected, p) = (short(100.0 * self.srm.expected_share_b), self.srm.p_value.unwrap_or_default());
            let reason = format!("B has {observed} % of the rows, not {expected} % ({})", p_text(Tail::from_p(p)));
            return (Decision::InvalidSrm, None, reason);
        }
        let result = match self.result {
            Ok(result) => result,
            Err(undefined) => return (Decision::Inconclusive, None, undefined.to_string()),
        };
        let worse = (result.difference > 0.0) == self.plan.lower_is_better && result.difference != 0.0;
        let bar = format!("the bar of {} %", short(100.0 * self.plan.success_threshold));
        let measured = self.measured(&result, relative, interval);
        if self.significant {
            if worse {
                return (Decision::KeepA, Some("a"), format!("B is significantly worse: {measured}"));
            }
            let Some(relative) = relative else {
                let reason = format!(
                    "B is significantly better: {measured}; without a relative improvement {bar} has no meaning"
                );
                return (Decision::Inconclusive, None, reason);
            };
            if meets_threshold(relative, self.plan.success_threshold) {
                let reason = format!("B is significantly better and reaches {bar}: {measured}");
                return (Decision::ShipB, Some("b"), reason);
            }
            if self.looks.is_final {
                let reason = format!("B is significantly better but stays below {bar}: {measured}");
                return (Decision::KeepA, None, reason);
            }
        }
        let below = |ends: [f64; 2]| !meets_threshold(ends[1], self.plan.success_threshold);
        if self.looks.is_sequential() && interval.is_some_and(below) {
            return (Decision::KeepA, None, format!("B cannot be expected to reach {bar}: {measured}"));
        }
        let verdict = if self.significant {
            "significantly better but below the bar so far"
        } else {
            "no significant difference"
        };
        if self.looks.is_final {
            (Decision::Inconclusive, None, format!("the test ended with {verdict}: {measured}"))
        } else if self.looks.may_decide() {
            (Decision::Continue, None, format!("{verdict}: {measured}"))
        } else {
            (Decision::Continue, None, format!("not judged before the end because looks were not planned: {measured}"))
        }
    }

    /// The numbers behind a decision, in words.
    fn measured(&self, result: &TestResult, relative: Option<f64>, interval: Option<[f64; 2]>) -> String {
        let level = short(100.0 * (1.0 - self.alpha));
        let size = match (relative, interval) {
            (Some(relative), Some([low, high])) => {
                format!("{} % ({level} % interval {} to {})", signed(relative), signed(low), signed(high))
            }
            (Some(relative), None) => format!("{} %", signed(relative)),
            (None, _) => format!(
                "difference {} ({level} % interval {} to {})",
                signed(result.difference),
                signed(result.difference_low),
                signed(result.difference_high)
            ),
        };
        format!("{size}, {}, {} and {} rows", p_text(result.p), self.a.n(), self.b.n())
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let [missing_a, missing_b] = self.missing;
        if missing_a + missing_b > 0 {
            warnings.push(format!("{missing_a} rows of A and {missing_b} of B have no outcome and are left out"));
        }
        let Looks { look, planned, is_final } = self.looks;
        match planned {
            Some(planned) if look > planned => {
                let level = short(self.alpha);
                warnings.push(format!("look {look} of {planned} planned ones: judged at {level}, which does not make up for the extra looks"));
            }
            Some(planned) if planned > 1 => {
                warnings.push(format!(
                    "look {look} of {planned}: judged, with its intervals, at {} (Bonferroni)",
                    short(self.alpha)
                ));
            }
            None if look > 1 && is_final => {
                warnings.push(format!(
                    "look {look}, and looks were not planned: false positives are up to twice as likely as stated"
                ));
            }
            _ => {}
        }
        let one_constant = self.a.is_constant() != self.b.is_constant();
        if one_constant && self.difference.is_some() {
            let arm = if self.a.is_constant() { "A" } else { "B" };
            warnings.push(format!("all outcomes of {arm} are equal"));
        }
        warnings
    }
}

/// A p-value as people write it.
fn p_text(p: Tail) -> String {
    let text = p.to_string();
    if text.starts_with('<') { format!("p {text}") } else { format!("p = {text}") }
}

/// Three significant digits, at least; whole numbers stay whole.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e9).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let decimals = (2.0 - magnitude.log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn signed(value: f64) -> String {
    let text = short(value);
    if value > 0.0 { format!("+{text}") } else { text }
}
