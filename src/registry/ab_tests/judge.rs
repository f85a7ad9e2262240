//! One look: from a plan and what was observed to a decision. The only place where tests meet the mathematics of `ab`.

use serde_json::{Value, json};

use super::super::validation::FieldProblem;
use super::Error;
use super::observed::{Adjusted, Observed};
use super::records::{Account, Collected};
use super::rules::Rules;
use super::side_metric::SideMetric;
use crate::ab::{
    self, Circumstances, Decision, Evaluation, Hypothesis, Looks, Monitoring, NotAdjusted, PastLook, SampleRatioPolicy,
    ThresholdMode,
};
use crate::db::ab_tests::LookRow;
use crate::db::ab_tests::register::Spent;

/// What a look is about.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// What was agreed.
    pub rules: &'a Rules,
    /// Both arms.
    pub observed: Observed,
    /// Both arms of each side metric, in the order of [`Rules::side_names`].
    pub beside: Vec<Observed>,
    /// What became of the rows, where there were rows.
    pub account: Option<Account>,
    /// Units that were assigned to A and to B, where the rows do not say it.
    pub assigned: Option<[u64; 2]>,
    /// Looks that have used something of the plan up, oldest first.
    pub past: Vec<PastLook>,
    /// Share of the planned time at this look; none where no horizon is known.
    pub share: Option<f64>,
    /// Whether the test has not yet run as long as agreed.
    pub below_min_duration: bool,
    /// Whether this is the last look.
    pub is_final: bool,
    /// Whether somebody asks for it beside the plan: it decides nothing and uses nothing up.
    pub is_glance: bool,
}

/// A look that was judged.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The numbers and the decision.
    pub evaluation: Evaluation,
    /// Which look of how many.
    pub looks: Looks,
    /// Everything, for `details`.
    pub details: Value,
}

impl<'a> Question<'a> {
    /// About collected rows.
    #[must_use]
    pub fn of_rows(rules: &'a Rules, collected: Collected) -> Self {
        let (observed, beside, account) = Observed::of_rows(rules, collected);
        Self { account: Some(account), ..Self::of(rules, observed, beside) }
    }

    /// About results without rows.
    #[must_use]
    pub fn of(rules: &'a Rules, observed: Observed, beside: Vec<Observed>) -> Self {
        Self {
            rules,
            observed,
            beside,
            account: None,
            assigned: None,
            past: Vec::new(),
            share: None,
            below_min_duration: false,
            is_final: false,
            is_glance: false,
        }
    }

    /// The numbers and what follows from them, for a test that may go on after its last look.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a statistical test that this program does not know, and for rows that do not fit it.
    pub fn evaluate(&self) -> Result<(Evaluation, Looks, Option<Adjusted>), Error> {
        let rules = self.rules;
        let plan = plan(rules)?;
        let looks = match self.is_glance {
            true => Looks::GLANCE,
            false => {
                let spent = u32::try_from(self.past.len()).unwrap_or(u32::MAX);
                Looks { look: spent.saturating_add(1), planned: rules.planned_looks, is_final: self.is_final }
            }
        };
        let (arms, adjusted) = self.observed.arms()?;
        let mut beside = Vec::with_capacity(self.beside.len());
        for observed in &self.beside {
            beside.push(observed.arms()?.0);
        }
        let mut beside = beside.into_iter();
        let guardrails: Vec<_> = rules.guardrails.iter().map(SideMetric::guardrail).zip(beside.by_ref()).collect();
        let secondary: Vec<_> = rules.secondary_metrics.iter().map(SideMetric::secondary).zip(beside).collect();
        let circumstances = Circumstances {
            past: if self.is_glance { &[] } else { &self.past },
            // Spending by the time that has passed keeps the level however looks are spaced, and the last one gets all that is left.
            share: self.share.filter(|_| !self.is_glance),
            assigned: self.assigned.filter(|assigned| is_out_of_balance(*assigned, rules)),
            below_min_duration: self.below_min_duration,
            guardrails: &guardrails,
            secondary: &secondary,
            level: None,
        };
        let evaluation = ab::evaluate_under(&plan, &arms, looks, &circumstances);
        let unknown = self.account.as_ref().map_or(0, |account| account.unknown_variants);
        let mut evaluation = evaluation.with_unknown_variants(unknown);
        evaluation.warnings.extend(self.account.iter().flat_map(Account::warnings));
        evaluation.warnings.extend(covariate_warning(rules, adjusted.as_ref()));
        Ok((evaluation, looks, adjusted))
    }

    /// Judges.
    ///
    /// # Errors
    /// See [`Self::evaluate`].
    pub fn judge(self) -> Result<Judged, Error> {
        let (mut evaluation, looks, adjusted) = self.evaluate()?;
        if looks.is_final {
            evaluation = evaluation.at_the_end();
        }
        let mut details = details(&evaluation, looks, self.account.as_ref(), self.assigned, self.is_glance);
        match adjusted {
            Some(Ok(adjustment)) => details["covariate"] = json!(adjustment),
            Some(Err(reason)) => details["covariate"] = json!({ "not_adjusted": reason }),
            None => {}
        }
        Ok(Judged { evaluation, looks, details })
    }
}

/// What a look that is kept used of the plan; looks from before shares were kept by that name have the time that had passed.
#[must_use]
pub fn past(spent: &Spent) -> PastLook {
    let rows = [spent.n_a, spent.n_b].map(|n| u64::try_from(n).unwrap_or(0));
    PastLook { share: spent.details["share"].as_f64().or(spent.details["information"].as_f64()), rows }
}

/// Whether the units that were assigned are out of balance themselves. Where they are not, the rows are held against the split: half of
/// them may have been lost on the way.
fn is_out_of_balance(assigned: [u64; 2], rules: &Rules) -> bool {
    ab::sample_ratio(&assigned, &[1.0 - rules.traffic_split, rules.traffic_split]).is_some_and(|ratio| ratio.mismatch)
}

fn covariate_warning(rules: &Rules, adjusted: Option<&Adjusted>) -> Option<String> {
    let name = rules.covariate.as_deref()?;
    let why = match adjusted? {
        Ok(adjustment) => {
            let [a, b] = adjustment.without_covariate;
            return (a + b > 0).then(|| format!("{a} rows of A and {b} of B have no `{name}` and count as they are"));
        }
        Err(NotAdjusted::ExplainsNothing) => "explains nothing: it does not vary, or hardly any row has it",
        Err(NotAdjusted::MissingDiffers) => {
            "is missing in one arm more than in the other, so it would adjust one of them"
        }
        Err(NotAdjusted::ArmsDiffer) => {
            "differs between the arms beyond chance: either it is not from before the test, or the assignment is broken"
        }
    };
    Some(format!("`{name}` {why}; outcomes are not adjusted by it"))
}

/// The plan as the mathematics takes it.
///
/// # Errors
/// [`Error::Invalid`] for a statistical test that this program does not know.
pub fn plan(rules: &Rules) -> Result<ab::Plan, Error> {
    let name = &rules.statistical_test;
    let test = ab::test(name).ok_or_else(|| {
        let detail = format!("this program has no statistical test `{name}`");
        Error::Invalid(vec![FieldProblem { item: 0, pointer: "/statistical_test".to_owned(), detail }])
    })?;
    Ok(ab::Plan {
        test,
        significance_level: rules.significance_level,
        success_threshold: rules.success_threshold,
        lower_is_better: rules.lower_is_better,
        min_samples: u64::try_from(rules.min_samples).unwrap_or(0),
        traffic_split: rules.traffic_split,
        threshold_mode: match rules.threshold_mode.as_str() {
            "superiority" => ThresholdMode::Superiority,
            _ => ThresholdMode::Point,
        },
        sample_ratio_policy: match rules.sample_ratio_policy.as_str() {
            "warn" => SampleRatioPolicy::Warn,
            _ => SampleRatioPolicy::Block,
        },
        hypothesis: match (rules.hypothesis.as_str(), rules.margin) {
            ("non_inferiority", Some(margin)) => Hypothesis::NonInferiority(margin),
            ("equivalence", Some(margin)) => Hypothesis::Equivalence(margin),
            _ => Hypothesis::Superiority,
        },
        monitoring: match rules.monitoring.as_str() {
            "group_sequential" => Monitoring::GroupSequential,
            "always_valid" => Monitoring::AlwaysValid,
            "horizon" => Monitoring::Horizon,
            _ => Monitoring::Auto,
        },
        seed: resampling_seed(&rules.seed),
    })
}

/// What tests that resample start from: the first digits of the test's own seed, so a look can be repeated.
fn resampling_seed(seed: &str) -> u64 {
    seed.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

fn details(
    evaluation: &Evaluation,
    looks: Looks,
    account: Option<&Account>,
    assigned: Option<[u64; 2]>,
    is_glance: bool,
) -> Value {
    let mut details = serde_json::to_value(evaluation).unwrap_or_default();
    if let Some(fields) = details.as_object_mut() {
        // Data that cannot be judged was held against nothing, so it uses nothing up.
        if matches!(evaluation.decision, Decision::InvalidData | Decision::InvalidSrm) {
            fields.insert("level".to_owned(), Value::Null);
        }
        fields.insert("planned_looks".to_owned(), json!(looks.planned.filter(|_| !is_glance)));
        fields.insert("is_final".to_owned(), json!(looks.is_final));
        fields.insert("by_hand".to_owned(), json!(is_glance));
        if let Some(account) = account {
            fields.insert("data".to_owned(), json!(account));
        }
        if let Some(assigned) = assigned {
            fields.insert("assigned_units".to_owned(), json!(assigned));
        }
    }
    details
}

impl Judged {
    /// Whether it decided: one arm is to be kept or shipped, or people have to choose.
    #[must_use]
    pub fn is_decision(&self) -> bool {
        matches!(self.evaluation.decision, Decision::KeepA | Decision::ShipB | Decision::Review)
    }

    /// Whether the data could not be judged.
    #[must_use]
    pub fn is_invalid(&self) -> bool {
        matches!(self.evaluation.decision, Decision::InvalidData | Decision::InvalidSrm)
    }

    /// The row that is kept of it; its number is given when it is stored.
    #[must_use]
    pub fn row(&self, reason: String) -> LookRow {
        let evaluation = &self.evaluation;
        let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        LookRow {
            look: 0,
            n_a: count(evaluation.n_a),
            n_b: count(evaluation.n_b),
            mean_a: evaluation.mean_a,
            mean_b: evaluation.mean_b,
            absolute_difference: evaluation.absolute_difference,
            difference_low: evaluation.difference_low,
            difference_high: evaluation.difference_high,
            relative_improvement: evaluation.relative_improvement,
            statistic: evaluation.statistic,
            degrees_of_freedom: evaluation.df,
            p_value: evaluation.p_value,
            log10_p_value: evaluation.log10_p_value,
            is_significant: evaluation.is_significant,
            meets_threshold: evaluation.meets_threshold.unwrap_or(false),
            decision: evaluation.decision.as_str().to_owned(),
            winner: evaluation.winner.map(|winner| winner.as_str().to_owned()),
            reason,
            details: self.details.clone(),
            window: None,
            run_id: None,
        }
    }
}
