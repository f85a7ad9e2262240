//! Metrics of the order of scores: only which row scores higher matters.

use super::confusion::NO_ROWS;
use super::entry::{CONFIDENCE, Entry, Needs, Outcome, Texts};
use super::ranking::{Group, groups_of, totals, weighted_auc};
use super::weights::sum;
use super::{Rows, Task};
use crate::stats::{Interval, normal_quantile};

pub(super) const NO_SCORES: &str = "no score column";
const ONE_CLASS: &str = "all labels are of one class";

const fn entry(name: &'static str, range: (f64, f64), texts: Texts, compute: fn(&Rows) -> Outcome) -> Entry {
    let (task, needs, higher_is_better) = (Task::Classification, Needs::Scores, Some(true));
    Entry { name, texts, range, task, needs, higher_is_better, compute }
}

pub(super) static ROC_AUC: Entry = entry(
    "roc_auc",
    (0.0, 1.0),
    Texts {
        title: "Area under the ROC curve",
        summary: "probability that a positive row scores higher than a negative one, ties counting half, 0 to 1 (0.5 is chance); \
                  undefined with one class; with DeLong's interval",
        formula: "P(score of a positive > score of a negative) + P(equal) / 2",
        when_to_use: "Scores rank rows and the threshold is chosen elsewhere.",
        limits: "Does not see whether scores are probabilities; with rare positives it looks good while most alarms are false.",
        interval: "DeLong's; none with weights, with fewer than two rows of a class, or when the order is perfect",
        reference: "scikit-learn roc_auc_score; interval: DeLong et al. (1988), doi:10.2307/2531595",
    },
    |rows| match of_classes(rows, |value| value) {
        Ok(outcome) | Err(outcome) => outcome,
    },
);

pub(super) static GINI: Entry = entry(
    "gini",
    (-1.0, 1.0),
    Texts {
        title: "Gini coefficient",
        summary: "twice the area under the ROC curve less one, -1 to 1 (0 is chance); undefined with one class; with DeLong's interval",
        formula: "2 AUC - 1",
        when_to_use: "Credit scoring and other fields report it; it says the same as the AUC.",
        limits: "Those of the AUC.",
        interval: "DeLong's interval of the AUC, carried over",
        reference: "Hand and Till (2001), doi:10.1023/A:1010920819831; interval: DeLong et al. (1988), doi:10.2307/2531595",
    },
    |rows| match of_classes(rows, |auc| 2.0 * auc - 1.0) {
        Ok(outcome) | Err(outcome) => outcome,
    },
);

pub(super) static KS_STATISTIC: Entry = entry(
    "ks_statistic",
    (0.0, 1.0),
    Texts {
        title: "Kolmogorov-Smirnov statistic",
        summary: "largest distance of true and false positive rate over all thresholds, 0 to 1; undefined with one class",
        formula: "max over thresholds of (TPR - FPR)",
        when_to_use: "One threshold will be used and it is to separate the classes as well as it can.",
        limits: "Is chosen on the same rows, so it is too high on few of them.",
        interval: "none: the maximum over thresholds has no simple one",
        reference: "Kolmogorov (1933); Hand (2009), doi:10.1007/s10994-009-5119-5",
    },
    |rows| {
        over_groups(rows, |groups| {
            let (positives, negatives) = totals(groups);
            if positives <= 0.0 || negatives <= 0.0 {
                return Outcome::undefined(ONE_CLASS, rows.n());
            }
            let (mut hits, mut alarms, mut best) = (0.0, 0.0, 0.0f64);
            for group in groups {
                hits += group.positives;
                alarms += group.negatives;
                best = best.max(hits / positives - alarms / negatives);
            }
            Outcome::of(best, rows.n())
        })
    },
);

pub(super) static AVERAGE_PRECISION: Entry = entry(
    "average_precision",
    (0.0, 1.0),
    Texts {
        title: "Average precision",
        summary: "precision averaged over recall as the score threshold falls, without interpolation, 0 to 1 (chance is the share of \
                  positive rows); 0 without positive rows",
        formula: "sum over thresholds of (R_k - R_{k-1}) P_k, R recall and P precision",
        when_to_use: "Positives are rare and those with the highest scores are acted on.",
        limits: "Moves with the share of positives, so values of differently composed data do not compare.",
        interval: "logit interval on the number of positive rows; none with weights or at 0 and 1",
        reference: "scikit-learn average_precision_score; Davis and Goadrich (2006), doi:10.1145/1143844.1143874; interval: Boyd, Eng \
                    and Page (2013), doi:10.1007/978-3-642-40994-3_29",
    },
    |rows| {
        over_groups(rows, |groups| {
            let (positives, _) = totals(groups);
            if positives <= 0.0 {
                return Outcome::of(0.0, rows.n()).because("no row is labelled positive: 0 by convention");
            }
            let (mut found, mut flagged) = (0.0, 0.0);
            let area = groups.iter().map(|group| {
                found += group.positives;
                flagged += group.positives + group.negatives;
                group.positives * (found / flagged)
            });
            let value = sum(area) / positives;
            Outcome::of(value, rows.n()).within(logit(rows, value, positives))
        })
    },
);

pub(super) static PR_AUC: Entry = entry(
    "pr_auc",
    (0.0, 1.0),
    Texts {
        title: "Area under the precision-recall curve (trapezoids)",
        summary: "area under straight lines between the points of the precision-recall curve, 0 to 1; 0.5 by convention without \
                  positive rows",
        formula: "sum over thresholds of (R_k - R_{k-1}) (P_k + P_{k-1}) / 2, from P = 1 at R = 0",
        when_to_use: "Only to compare with others who report it; prefer `average_precision`.",
        limits: "Straight lines between points are too optimistic, most of all with few distinct scores.",
        interval: "logit interval on the number of positive rows; none with weights or at 0 and 1",
        reference: "scikit-learn precision_recall_curve and auc; Davis and Goadrich (2006), doi:10.1145/1143844.1143874; interval: \
                    Boyd, Eng and Page (2013), doi:10.1007/978-3-642-40994-3_29",
    },
    |rows| {
        over_groups(rows, |groups| {
            let (positives, _) = totals(groups);
            if positives <= 0.0 {
                return Outcome::of(0.5, rows.n()).because("no row is labelled positive: 0.5 by convention");
            }
            let (mut found, mut flagged, mut before) = (0.0, 0.0, 1.0);
            let area = groups.iter().map(|group| {
                found += group.positives;
                flagged += group.positives + group.negatives;
                let precision = found / flagged;
                let part = group.positives * (precision + before) / 2.0;
                before = precision;
                part
            });
            let value = sum(area) / positives;
            Outcome::of(value, rows.n()).within(logit(rows, value, positives))
        })
    },
);

/// The AUC, carried over to `scale`; `Err` when it is undefined.
fn of_classes(rows: &Rows, scale: fn(f64) -> f64) -> Result<Outcome, Outcome> {
    let scored = rows.as_classes().and_then(|classes| classes.scored());
    let scored = scored.ok_or_else(|| Outcome::undefined(lacking(rows), rows.n()))?;
    if rows.n() == 0 {
        return Err(Outcome::undefined(NO_ROWS, 0));
    }
    let auc = weighted_auc(scored, rows.weights()).ok_or_else(|| Outcome::undefined(ONE_CLASS, rows.n()))?;
    let interval = auc.interval(CONFIDENCE).map(|of| Interval { low: scale(of.low), high: scale(of.high) });
    Ok(Outcome::of(scale(auc.value), rows.n()).within(interval))
}

fn over_groups(rows: &Rows, measure: impl Fn(&[Group]) -> Outcome) -> Outcome {
    match groups_of(rows) {
        None => Outcome::undefined(lacking(rows), rows.n()),
        Some(groups) if groups.is_empty() => Outcome::undefined(NO_ROWS, 0),
        Some(groups) => measure(&groups),
    }
}

/// Why there is no score of one positive class.
pub(super) fn lacking(rows: &Rows) -> String {
    match rows.as_classes() {
        Some(classes) if !classes.class_scores.is_empty() && classes.names.len() > 2 => {
            format!("there are {} classes and no positive one", classes.names.len())
        }
        _ => NO_SCORES.to_owned(),
    }
}

/// An interval on the scale of the logit, on `positives` positive rows.
fn logit(rows: &Rows, value: f64, positives: f64) -> Option<Interval> {
    if rows.weights().0.is_some() || value <= 0.0 || value >= 1.0 {
        return None;
    }
    let centre = (value / (1.0 - value)).ln();
    let half = normal_quantile(0.5 + 0.5 * CONFIDENCE)? / (positives * value * (1.0 - value)).sqrt();
    let back = |x: f64| 1.0 / (1.0 + (-x).exp());
    Some(Interval { low: back(centre - half), high: back(centre + half) })
}
