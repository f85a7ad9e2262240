//! `group_sequential`: Welch's test under planned looks, which the plan cannot forget.

use crate::ab::{Arms, Comparison, Monitoring, Needs, Question, Test, Undefined, welch};

/// Welch's test at planned looks.
#[derive(Debug, Clone, Copy)]
pub struct GroupSequential;

impl Test for GroupSequential {
    fn name(&self) -> &'static str {
        "group_sequential"
    }
    fn title(&self) -> &'static str {
        "Group-sequential test"
    }
    fn summary(&self) -> &'static str {
        "Welch's t-test at planned looks, each held against the Lan-DeMets boundary of O'Brien and Fleming, so that all looks together find \
         nothing that is not there more often than the significance level says; needs the number of looks or an end"
    }
    fn reference(&self) -> &'static str {
        "Lan and DeMets (1983), Discrete sequential boundaries for clinical trials, doi:10.1093/biomet/70.3.659"
    }
    fn needs(&self) -> Needs {
        Needs::Moments
    }
    fn monitoring(&self) -> Option<Monitoring> {
        Some(Monitoring::GroupSequential)
    }
    fn compare(&self, arms: &Arms, question: &Question) -> Result<Comparison, Undefined> {
        welch(arms.a(), arms.b(), question.alpha)
    }
}
