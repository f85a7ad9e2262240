//! Many checks together: what drifted, how much, and in which order people should look.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::judge::Check;
use crate::stats::benjamini_hochberg;

/// The verdict over all columns of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Whether the run counts as drifted: one drifted column, or at least the asked share of them.
    pub drifted: bool,
    /// The largest score; `None` when no column could be judged.
    pub drift_score: Option<f64>,
    /// Drifted columns over judged columns, 0..=1; 0 when none could be judged.
    pub drifted_share: f64,
    /// The drifted columns (with their segment where it is one's), in the order of `columns`.
    pub drifted_columns: Vec<String>,
    /// All checks: by falling score (times importance where given), those without a result last, ties by name.
    pub columns: Vec<Check>,
}

/// Orders the checks, fills their q-values (over the checks that have a p-value) and sums them up.
///
/// One drifted column is an alert, unless `min_drifted_share` (0..=1) asks for more. `importance` says by column how much its score
/// weighs in the order (1 where absent, negative or not a number); it changes no verdict and no score.
pub fn report(mut checks: Vec<Check>, min_drifted_share: Option<f64>, importance: &BTreeMap<String, f64>) -> Report {
    let weighed = |check: &Check| {
        let weight = importance.get(&check.column).copied().filter(|weight| *weight >= 0.0).unwrap_or(1.0);
        check.score.map(|score| score * weight)
    };
    checks.sort_by(|a, b| {
        let by_score = match (weighed(a), weighed(b)) {
            (Some(a), Some(b)) => b.total_cmp(&a),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        by_score
            .then_with(|| a.column.cmp(&b.column))
            .then_with(|| a.segment.cmp(&b.segment))
            .then_with(|| a.method.cmp(&b.method))
    });
    let tested: Vec<usize> = (0..checks.len()).filter(|&index| checks[index].p_value.is_some()).collect();
    let p_values: Vec<f64> = tested.iter().filter_map(|&index| checks[index].p_value).collect();
    for (index, q_value) in tested.into_iter().zip(benjamini_hochberg(&p_values)) {
        checks[index].q_value = Some(q_value);
    }
    let judged: BTreeSet<String> = checks.iter().filter(|check| check.status.is_result()).map(Check::subject).collect();
    let mut drifted_columns: Vec<String> = Vec::new();
    for check in checks.iter().filter(|check| check.drifted) {
        if !drifted_columns.contains(&check.subject()) {
            drifted_columns.push(check.subject());
        }
    }
    let drifted_share = if judged.is_empty() { 0.0 } else { drifted_columns.len() as f64 / judged.len() as f64 };
    Report {
        drifted: !drifted_columns.is_empty() && min_drifted_share.is_none_or(|least| drifted_share >= least),
        drift_score: checks.iter().filter_map(|check| check.score).reduce(f64::max),
        drifted_share,
        drifted_columns,
        columns: checks,
    }
}
