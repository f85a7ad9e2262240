//! One look: from a plan and what was observed to a decision. The only place where tests meet the mathematics of `ab`.

use serde_json::{Value, json};

use super::super::validation::FieldProblem;
use super::Error;
use super::records::{Account, Collected};
use super::rules::Rules;
use crate::ab::{self, Arms, Circumstances, Decision, Evaluation, Looks, Monitoring, ThresholdMode};
use crate::db::ab_tests::LookRow;
use crate::stats::Moments;

/// What was observed of both arms.
#[derive(Debug, Clone, PartialEq)]
pub enum Observed {
    /// Values, none where an outcome is missing.
    Values {
        /// Of A.
        a: Vec<Option<f64>>,
        /// Of B.
        b: Vec<Option<f64>>,
    },
    /// Sufficient statistics of A and of B.
    Moments(Moments, Moments),
}

/// What a look is about.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// What was agreed.
    pub rules: &'a Rules,
    /// Both arms.
    pub observed: Observed,
    /// What became of the rows, where there were rows.
    pub account: Option<Account>,
    /// Units that were assigned to A and to B, where the rows do not say it.
    pub assigned: Option<[u64; 2]>,
    /// Looks that have used something of the plan up.
    pub spent: u32,
    /// Shares of the planned time at the looks that used something up, and at this one; none where no horizon is known.
    pub fractions: Option<Vec<f64>>,
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
        let Collected { a, b, account } = collected;
        let observed = Observed::Values { a, b };
        Self {
            rules,
            observed,
            account: Some(account),
            assigned: None,
            spent: 0,
            fractions: None,
            is_final: false,
            is_glance: false,
        }
    }

    /// Judges.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a statistical test that this program does not know.
    pub fn judge(self) -> Result<Judged, Error> {
        let rules = self.rules;
        let plan = plan(rules)?;
        let looks = match self.is_glance {
            true => Looks::GLANCE,
            false => {
                Looks { look: self.spent.saturating_add(1), planned: rules.planned_looks, is_final: self.is_final }
            }
        };
        let arms = match self.observed {
            Observed::Values { a, b } => Arms::of_rows(&a, &b),
            Observed::Moments(a, b) => Arms::of_moments(a, b),
        };
        let unknown = self.account.as_ref().map_or(0, |account| account.unknown_variants);
        // Spending by the time that has passed keeps the level however looks are spaced, and the last one gets all that is left.
        let fractions = self.fractions.as_deref().filter(|_| !self.is_glance && looks.may_decide());
        let circumstances = Circumstances { assigned: self.assigned, fractions, ..Circumstances::default() };
        let evaluation = ab::evaluate_under(&plan, &arms, looks, &circumstances);
        let mut evaluation = evaluation.with_unknown_variants(unknown);
        if looks.is_final {
            evaluation = evaluation.at_the_end();
        }
        if let Some(account) = &self.account {
            evaluation.warnings.extend(account.warnings());
        }
        let mut details = details(&evaluation, looks, self.account.as_ref(), self.assigned, self.is_glance);
        if let Some(now) = fractions.and_then(<[f64]>::last) {
            details["information"] = json!(now);
        }
        Ok(Judged { evaluation, looks, details })
    }
}

fn plan(rules: &Rules) -> Result<ab::Plan, Error> {
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
        monitoring: match rules.monitoring.as_str() {
            "group_sequential" => Monitoring::GroupSequential,
            "always_valid" => Monitoring::AlwaysValid,
            "horizon" => Monitoring::Horizon,
            _ => Monitoring::Auto,
        },
        seed: resampling_seed(&rules.seed),
        ..ab::Plan::default()
    })
}

/// What tests that resample start from: the first digits of the test's own seed, so a look can be repeated.
fn resampling_seed(seed: &str) -> u64 {
    seed.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

impl Account {
    /// What people should know of the rows.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.duplicates > 0 {
            warnings.push(format!("{} rows repeat a request and were counted once", self.duplicates));
        }
        if self.conflicting > 0 {
            warnings.push(format!("{} of them say something else than the row that counts", self.conflicting));
        }
        if self.without_unit > 0 {
            warnings.push(format!("{} rows have no unit and were left out", self.without_unit));
        }
        if self.in_both > 0 {
            warnings.push(format!(
                "{} units ({:.2} %) were seen in both arms and count in neither",
                self.in_both,
                100.0 * self.share_in_both
            ));
        }
        warnings
    }
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
