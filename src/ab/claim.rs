//! Claims with a margin in words: that B is no worse than A by more than some, or as good as A within some.
//!
//! The margin was agreed beforehand and the interval of the relative improvement decides, so the sentences speak of these two. Deliberately
//! absent: the decision, see [`super::decision`].

use super::sentence::{p_in_words, percent_in_words};
use super::{Decision, Evaluation, Hypothesis};

impl Evaluation {
    /// The margin of the claim in percent, for people; none where B is asked to be better.
    fn margin_in_words(&self) -> Option<String> {
        match self.hypothesis {
            Hypothesis::Superiority => None,
            Hypothesis::NonInferiority(margin) | Hypothesis::Equivalence(margin) => Some(percent_in_words(margin)),
        }
    }

    /// What was decided of a claim with a margin and why; `None` for reasons that all tests share.
    pub(super) fn claim_sentence(&self) -> Option<String> {
        let margin = self.margin_in_words()?;
        let p = self.margin_p_value.map_or_else(String::new, |p| format!(" (p {})", p_in_words(Some(p))));
        let [low, high] = match self.relative_improvement_ci {
            Some(ends) => ends.map(|end| format!("{end:+.2} %")),
            None => ["nowhere".to_owned(), "nowhere".to_owned()],
        };
        let shown = match self.hypothesis {
            Hypothesis::Equivalence(_) => {
                format!("B differs from A by less than {margin} %: its interval goes from {low} to {high}{p}")
            }
            _ => format!("B is worse by less than {margin} %, if at all: its interval begins at {low}{p}"),
        };
        let rows = format!("{} rows of A and {} of B", self.n_a, self.n_b);
        let yet = if self.decision == Decision::Continue { " yet" } else { "" };
        let seen = match self.relative_improvement_ci {
            Some(_) => format!("its interval goes from {low} to {high} with {rows}"),
            None => format!("its improvement has no bounded interval with {rows}"),
        };
        Some(match self.reason {
            "not_inferior" | "equivalent" => format!("{shown}."),
            "guardrail_failed" => format!("{shown}. But {}: people have to decide.", self.failed_guardrails()),
            "inferior" => format!("B is worse by more than {margin} %: its interval ends at {high}."),
            "better_than_equivalent" => {
                format!(
                    "B is better by more than {margin} %: its interval begins at {low}. That is not equivalence, so people have to decide."
                )
            }
            "non_inferiority_not_shown" => {
                format!("It is not shown{yet} that B is worse by less than {margin} %: {seen}.")
            }
            "equivalence_not_shown" => {
                format!("It is not shown{yet} that B differs from A by less than {margin} %: {seen}.")
            }
            "baseline_zero" => "A is 0, so there is no relative improvement to judge.".to_owned(),
            _ => return None,
        })
    }

    /// What would change a decision about a claim with a margin; `None` for reasons that all tests share.
    pub(super) fn claim_advice(&self) -> Option<String> {
        let margin = self.margin_in_words()?;
        let [low, high] = self.relative_improvement_ci.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
        Some(match self.reason {
            "not_inferior" if low >= 0.0 => {
                format!("No margin: even the lower end of the interval, {low:.1} %, is no loss.")
            }
            "not_inferior" => format!("A margin of less than {:.1} %; B may be worse by as much.", -low),
            "equivalent" => {
                format!("A margin of less than {:.1} %; B may differ from A by as much.", low.abs().max(high.abs()))
            }
            "inferior" => "More rows will hardly change this: B would have to become better.".to_owned(),
            "better_than_equivalent" => {
                "Nothing in the rows: B is not as good as A but better. A test that asks whether B is better would ship it.".to_owned()
            }
            "non_inferiority_not_shown" | "equivalence_not_shown" => format!(
                "More rows, which make the interval narrower. A margin wider than {margin} % would have had to be agreed before the test."
            ),
            _ => return None,
        })
    }
}
