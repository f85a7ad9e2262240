//! `fisher_exact`: two shares by counting tables.

use super::shares::{counted, with_newcombe};
use crate::ab::{Arms, Comparison, Needs, Question, Test, Undefined};
use crate::stats::fisher_exact;

/// Fisher's exact test of the same table.
#[derive(Debug, Clone, Copy)]
pub struct FisherExact;

impl Test for FisherExact {
    fn name(&self) -> &'static str {
        "fisher_exact"
    }
    fn title(&self) -> &'static str {
        "Fisher's exact test"
    }
    fn summary(&self) -> &'static str {
        "compares two shares exactly, whatever the counts, two-sided by the chance of tables no likelier than this one; conservative in small \
         samples; interval by Newcombe"
    }
    fn reference(&self) -> &'static str {
        "Fisher (1935), The logic of inductive inference, doi:10.2307/2342435"
    }
    fn needs(&self) -> Needs {
        Needs::Shares
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        let [a, b] = counted(arms)?;
        let table = [[b.successes, b.rows - b.successes], [a.successes, a.rows - a.successes]];
        let found = fisher_exact(table).ok_or(Undefined::InsufficientData)?;
        // An odds ratio of infinity is no number that could be stored.
        let odds = found.odds_ratio.filter(|odds| odds.is_finite());
        Ok(Comparison {
            p_value: found.two_sided,
            p_greater: found.greater,
            p_less: found.less,
            caution: odds.is_none().then_some("one cell of the table is empty, so there is no odds ratio"),
            ..with_newcombe([a, b], odds.unwrap_or(0.0), question.alpha)
        })
    }
}
