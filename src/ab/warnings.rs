//! What people should know besides the decision.

use super::evaluation::{Circumstances, Evaluation, Noticed};
use super::looks::Rule;
use super::{Arms, Looks, Plan};

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
            None if looks.look > 1 && looks.is_final => warnings.push(format!(
                "look {} of a test without planned looks: repeated looks find differences that are not there",
                looks.look
            )),
            Some(planned) if planned > 0 && looks.look > planned => {
                warnings.push(format!("look {} of {planned} planned", looks.look));
            }
            _ => {}
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
            if matches!(noticed.rule, Rule::Sequence(_)) && found.standard_error.is_none() {
                let test = plan.test.name();
                warnings.push(format!(
                    "{test} has no standard error for a confidence sequence, so only a last look decides"
                ));
            }
        }
        for guardrail in circumstances.guardrails.iter().filter(|guardrail| !guardrail.passes) {
            warnings.push(format!("guardrail {} failed", guardrail.name));
        }
    }
}
