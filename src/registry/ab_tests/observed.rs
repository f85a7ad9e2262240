//! What was observed of one metric: rows, pairs, scores beside labels, or sufficient statistics; and the arms that follow from it.
//!
//! The columns of a row stand in one order: the metric that decides (both models' values of it where they answered the same rows, the
//! label before them where scores are compared), the covariate where there is one, then every side metric, again twice in same rows.

use super::super::validation::FieldProblem;
use super::Error;
use super::records::{Account, Collected};
use super::rules::Rules;
use crate::ab::{self, Adjustment, Arms, Needs, NotAdjusted};
use crate::stats::Moments;

/// A value; none where it is missing.
type Value = Option<f64>;

/// What a covariate took out of the outcomes, or why it did not.
pub type Adjusted = Result<Adjustment, NotAdjusted>;

/// What was observed of both arms.
#[derive(Debug, Clone, PartialEq)]
pub enum Observed {
    /// Values of A and of B.
    Rows(Vec<Value>, Vec<Value>),
    /// Values of A and of B, each with its covariate.
    Covaried(Vec<(Value, Value)>, Vec<(Value, Value)>),
    /// Values of both models for the same rows, in one order.
    Pairs(Vec<Value>, Vec<Value>),
    /// Labels (0 or 1) and the scores of both models, in one order.
    Scores(Vec<Value>, Vec<Value>, Vec<Value>),
    /// Sufficient statistics of A and of B.
    Moments(Moments, Moments),
}

impl Rules {
    /// Whether scores are compared beside labels, rather than values.
    #[must_use]
    pub fn compares_scores(&self) -> bool {
        ab::test(&self.statistical_test).is_some_and(|test| test.needs() == Needs::Scores)
    }
}

impl Observed {
    /// The metric that decides and the side metrics, from rows.
    pub(super) fn of_rows(rules: &Rules, collected: Collected) -> (Self, Vec<Self>, Account) {
        let Collected { a, b, account } = collected;
        let (mut a, mut b) = (a.into_iter(), b.into_iter());
        let observed = if rules.same_rows && rules.compares_scores() {
            Self::Scores(next(&mut a), next(&mut a), next(&mut a))
        } else if rules.same_rows {
            Self::Pairs(next(&mut a), next(&mut a))
        } else if rules.covariate.is_some() {
            let with = |columns: &mut std::vec::IntoIter<Vec<Value>>| {
                let (outcomes, covariates) = (next(columns), next(columns));
                outcomes.into_iter().zip(covariates).collect()
            };
            Self::Covaried(with(&mut a), with(&mut b))
        } else {
            Self::Rows(next(&mut a), next(&mut b))
        };
        let beside = rules.side_names().map(|_| match rules.same_rows {
            true => Self::Pairs(next(&mut a), next(&mut a)),
            false => Self::Rows(next(&mut a), next(&mut b)),
        });
        let beside = beside.collect();
        (observed, beside, account)
    }

    /// The arms, and what a covariate took out of them, or why it did not.
    pub(super) fn arms(&self) -> Result<(Arms, Option<Adjusted>), Error> {
        let unequal = |_| {
            let detail = "both models' results are of the same rows, so there are equally many".to_owned();
            Error::Invalid(vec![FieldProblem { item: 0, pointer: "/model_b_results".to_owned(), detail }])
        };
        Ok(match self {
            Self::Rows(a, b) => (Arms::of_rows(a, b), None),
            Self::Covaried(a, b) => {
                let (arms, adjusted) = ab::adjusted_arms(a, b);
                (arms, Some(adjusted))
            }
            Self::Pairs(a, b) => (Arms::of_pairs(a, b).map_err(unequal)?, None),
            Self::Scores(labels, a, b) => {
                let (labels, a, b) = labelled(labels, a, b);
                (Arms::of_scores(&labels, &a, &b).map_err(unequal)?, None)
            }
            Self::Moments(a, b) => (Arms::of_moments(*a, *b), None),
        })
    }
}

fn next(columns: &mut std::vec::IntoIter<Vec<Value>>) -> Vec<Value> {
    columns.next().unwrap_or_default()
}

/// Labels and scores as the arms take them: what is missing, or has no label, is no number, and is left out and counted there.
fn labelled(labels: &[Value], a: &[Value], b: &[Value]) -> (Vec<bool>, Vec<f64>, Vec<f64>) {
    let score = |score: Value, label: Value| label.and(score).unwrap_or(f64::NAN);
    let rows = labels.iter().zip(a).zip(b);
    let (scores, labels): (Vec<(f64, f64)>, Vec<bool>) = rows
        .map(|((label, a), b)| ((score(*a, *label), score(*b, *label)), label.is_some_and(|label| label != 0.0)))
        .unzip();
    let (a, b) = scores.into_iter().unzip();
    (labels, a, b)
}

#[cfg(test)]
mod tests {
    use super::super::records::Columns;
    use super::super::side_metric::SideMetric;
    use super::*;

    fn columns(columns: &[&[f64]]) -> Columns {
        columns.iter().map(|values| values.iter().copied().map(Some).collect()).collect()
    }

    #[test]
    fn columns_are_told_apart_by_the_plan() {
        let latency = SideMetric { name: "latency".to_owned(), lower_is_better: Some(true), margin: None };
        let rules = Rules { covariate: Some("before".to_owned()), guardrails: vec![latency], ..Rules::default() };
        let collected = || Collected {
            a: columns(&[&[1.0, 2.0], &[5.0, 6.0], &[9.0, 8.0]]),
            b: columns(&[&[3.0], &[7.0], &[4.0]]),
            account: Account::default(),
        };
        let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        let (observed, beside, _) = Observed::of_rows(&rules, collected());
        let pairs = vec![(Some(1.0), Some(5.0)), (Some(2.0), Some(6.0))];
        assert_eq!(observed, Observed::Covaried(pairs, vec![(Some(3.0), Some(7.0))]));
        assert_eq!(beside, [Observed::Rows(some(&[9.0, 8.0]), some(&[4.0]))]);

        let scores = Rules { same_rows: true, statistical_test: "delong".to_owned(), ..Rules::default() };
        let (observed, beside, _) = Observed::of_rows(&scores, collected());
        assert_eq!(
            (observed, beside.len()),
            (Observed::Scores(some(&[1.0, 2.0]), some(&[5.0, 6.0]), some(&[9.0, 8.0])), 0)
        );

        let nothing = Collected { a: vec![Vec::new()], b: vec![Vec::new()], account: Account::default() };
        let (observed, beside, _) = Observed::of_rows(&rules, nothing);
        assert_eq!((observed, beside), (Observed::Covaried(vec![], vec![]), vec![Observed::Rows(vec![], vec![])]));
    }
}
