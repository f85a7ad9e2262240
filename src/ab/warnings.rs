//! What people should know besides the decision.

use super::judgement::Noticed;
use super::looks::Rule;
use super::{Arms, Circumstances, Evaluation, Hypothesis, Looks, Plan};

impl Evaluation {
    /// Writes down what was noticed.
    pub(super) fn warn(
        &mut self,
        plan: &Plan,
        arms: &Arms,
        looks: Looks,
        circumstances: &Circumstances<'_>,
        noticed: &Noticed,
    ) {
        let warnings = &mut self.warnings;
        let assigned =
            circumstances.assigned.unwrap_or([arms.a().n() + arms.a().dropped(), arms.b().n() + arms.b().dropped()]);
        if noticed.ratio.is_some_and(|ratio| ratio.mismatch) {
            warnings.push(format!(
                "arms have {} and {} assigned rows, the split promises {:.1} % for B",
                assigned[0],
                assigned[1],
                100.0 * plan.traffic_split
            ));
        }
        match looks.planned {
            // A confidence sequence has paid for the looks before; a plain level has not.
            None if looks.look > 1 && looks.is_final && noticed.held.is_plain() => warnings.push(format!(
                "look {} of a test without planned looks: repeated looks find differences that are not there",
                looks.look
            )),
            Some(planned) if planned > 0 && looks.look > planned => {
                let were = if planned == 1 { "look was" } else { "looks were" };
                warnings.push(format!("{planned} {were} planned, and this one is beyond them"));
            }
            _ => {}
        }
        if let Some([a, b]) = noticed.held.stale.filter(|_| looks.is_final) {
            warnings.push(format!(
                "the last look has no more rows than the one before ({a} of A and {b} of B then): it can find little that is new"
            ));
        }
        for (name, arm) in [("A", arms.a()), ("B", arms.b())] {
            if arm.n() > 1 && arm.is_constant() {
                warnings.push(format!("all rows of {name} have the same value"));
            }
            if arm.dropped() > 0 {
                warnings.push(format!("{} rows of {name} have no usable value and were left out", arm.dropped()));
            }
        }
        match noticed.improvement {
            Some("baseline_zero") => warnings.push("A is 0, so there is no relative improvement".to_owned()),
            Some("baseline_indistinguishable_from_zero") => {
                warnings
                    .push("A cannot be told from 0, so the relative improvement has no bounded interval".to_owned());
            }
            _ => {}
        }
        if let Some(found) = noticed.found {
            if found.values[0] < 0.0 {
                warnings.push("A is below 0, so the improvement is relative to its size".to_owned());
            }
            warnings.extend(found.caution.map(str::to_owned));
            if let Some(draws) = found.resamples {
                warnings.push(format!("p and interval come from {draws} draws with seed {}", plan.seed));
            }
            let test = plan.test.name();
            if noticed.held.lacks_standard_error && matches!(noticed.held.rule, Rule::Silent(_)) {
                warnings.push(format!(
                    "{test} has no standard error for a confidence sequence, so only a last look decides"
                ));
            }
            if plan.hypothesis != Hypothesis::Superiority && !found.has_relative_interval() {
                warnings.push(format!(
                    "{test} gives the improvement no interval, so it cannot show that B stays within a margin"
                ));
            }
        }
        for guardrail in self.guardrails.iter().filter(|guardrail| !guardrail.passes) {
            warnings.push(format!("guardrail {} failed: it {}", guardrail.name, guardrail.failure()));
        }
    }
}
