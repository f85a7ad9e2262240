//! `always_valid`: Welch's standard error under a confidence sequence, which the plan cannot forget.

use crate::ab::{Arms, Comparison, Monitoring, Needs, Question, Test, Undefined, welch};

/// Welch's standard error under a confidence sequence.
#[derive(Debug, Clone, Copy)]
pub struct AlwaysValid;

impl Test for AlwaysValid {
    fn name(&self) -> &'static str {
        "always_valid"
    }
    fn title(&self) -> &'static str {
        "Always-valid test"
    }
    fn summary(&self) -> &'static str {
        "difference of means with an asymptotic confidence sequence, which holds at every look however many there are; costs more rows than \
         planned looks; at least 30 rows in each arm"
    }
    fn reference(&self) -> &'static str {
        "Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), Time-uniform central limit theory and asymptotic confidence sequences, \
         doi:10.1214/24-AOS2408"
    }
    fn needs(&self) -> Needs {
        Needs::Moments
    }
    fn monitoring(&self) -> Option<Monitoring> {
        Some(Monitoring::AlwaysValid)
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        welch(arms.a(), arms.b(), question.alpha)
    }
}
