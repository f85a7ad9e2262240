//! `group_sequential` and `always_valid`: Welch's test under a rule for repeated looks that the plan cannot forget.

use super::t_test::welch;
use super::{Arms, Comparison, Monitoring, Needs, Question, Test, Undefined};

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
