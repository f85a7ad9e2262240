//! Metrics of a score for every class, of two or more.
//!
//! One-vs-rest and one-vs-one sort each class's scores: O(k n log n) for k classes, whatever the pairs.

use super::confusion::NO_ROWS;
use super::entry::{Entry, Metric, Needs, Outcome, Texts};
use super::losses::CLIP;
use super::order;
use super::ranking::weighted_auc;
use super::rows::Classes;
use super::weights::{Weights, sum};
use super::{Rows, Task};

const NO_CLASS_SCORES: &str = "no score for every class";
/// How far from 1 the probabilities of a row may sum up; more is not rounding.
const SUM_TOLERANCE: f64 = 0.01;

/// Scores of every class, or why there are none.
fn scores_of(rows: &Rows) -> Result<(&Classes, &[Vec<f64>]), String> {
    let classes = rows.as_classes().ok_or(NO_CLASS_SCORES)?;
    if !classes.class_scores.is_empty()
        && let Some(place) = classes.class_scores.iter().position(Vec::is_empty)
        && !classes.truth.is_empty()
    {
        return Err(format!("class `{}` has no score column", classes.names[place]));
    }
    let scores = classes.scores_of_all().ok_or(NO_CLASS_SCORES)?;
    Ok((classes, scores))
}

/// Scores of every class that are probabilities.
fn probabilities_of(rows: &Rows) -> Result<(&Classes, &[Vec<f64>]), String> {
    let (classes, scores) = scores_of(rows)?;
    let is_share = |score: &f64| (0.0..=1.0).contains(score);
    if !scores.iter().flatten().all(is_share) {
        return Err(super::probability::NO_PROBABILITIES.to_owned());
    }
    let sums = (0..classes.truth.len()).map(|row| scores.iter().map(|of| of[row]).sum::<f64>());
    match sums.enumerate().find(|(_, sum)| (sum - 1.0).abs() > SUM_TOLERANCE) {
        Some((_, sum)) => Err(format!("the probabilities of a row sum up to {sum:.4}, not to 1")),
        None => Ok((classes, scores)),
    }
}

/// The log loss of each row.
pub(super) fn log_losses_of_classes(rows: &Rows) -> Result<Vec<f64>, String> {
    let (classes, scores) = probabilities_of(rows)?;
    let of = |(row, class): (usize, &u32)| -scores[*class as usize][row].clamp(CLIP, 1.0 - CLIP).ln();
    Ok(classes.truth.iter().enumerate().map(of).collect())
}

/// The Brier score of each row, summed over classes.
pub(super) fn brier_of_classes(rows: &Rows) -> Result<Vec<f64>, String> {
    let (classes, scores) = probabilities_of(rows)?;
    let of = |(row, truth): (usize, &u32)| {
        let distances = (0u32..).zip(scores).map(|(class, of)| of[row] - f64::from(u8::from(class == *truth)));
        distances.map(|distance| distance * distance).sum()
    };
    Ok(classes.truth.iter().enumerate().map(of).collect())
}

const fn entry(name: &'static str, range: (f64, f64), texts: Texts, compute: fn(&Rows) -> Outcome) -> Entry {
    let (task, needs, higher_is_better) = (Task::Classification, Needs::ClassScores, Some(true));
    Entry { name, texts, range, task, needs, higher_is_better, compute }
}

const NO_INTERVAL: &str =
    "none: the areas of the classes depend on each other, and there is no simple one for their mean";
const HAND_AND_TILL: &str = "scikit-learn roc_auc_score; Hand and Till (2001), doi:10.1023/A:1010920819831";
const ONE_VS_REST: &str = "scikit-learn roc_auc_score; Fawcett (2006), doi:10.1016/j.patrec.2005.10.010";

pub(super) static TOP_K_ACCURACY: Entry = entry(
    "top_k_accuracy",
    (0.0, 1.0),
    Texts {
        title: "Top-k accuracy",
        summary: "share of rows whose true class is among the k with the highest scores (2 unless said otherwise), 0 to 1; of equal \
                  scores the later class ranks first",
        formula: "rows whose true class has one of the k highest scores / all rows",
        when_to_use: "People choose from a short list that the model proposes.",
        limits: "Is 1 when k reaches the number of classes.",
        interval: "Wilson's score interval; with weights on the effective number of rows",
        reference: "scikit-learn top_k_accuracy_score; interval: Wilson (1927), doi:10.1080/01621459.1927.10502953",
    },
    |rows| {
        let (classes, scores) = match scores_of(rows) {
            Ok(found) => found,
            Err(reason) => return Outcome::undefined(reason, rows.n()),
        };
        let top = rows.settings().top_k;
        let hit = |(row, truth): (usize, &u32)| {
            let own = scores[*truth as usize][row];
            let ahead = |(class, of): (u32, &Vec<f64>)| of[row] > own || (of[row] == own && class > *truth);
            (0u32..).zip(scores).filter(|pair| ahead(*pair)).count() < top
        };
        let hits: Vec<bool> = classes.truth.iter().enumerate().map(hit).collect();
        match rows.weights().share(&hits) {
            None => Outcome::undefined(NO_ROWS, 0),
            Some((share, interval)) if top < scores.len() => Outcome::of(share, rows.n()).within(interval),
            Some((share, _)) => Outcome::of(share, rows.n())
                .because(format!("every class is among the {top} highest: there are {}", scores.len())),
        }
    },
);

/// The AUC of each class against all others.
pub(super) struct OneVsRest {
    entry: Entry,
}

pub(super) static ROC_AUC_OVR: OneVsRest = OneVsRest {
    entry: entry(
        "roc_auc_ovr",
        (0.0, 1.0),
        Texts {
            title: "Area under the ROC curve, one against the rest",
            summary: "mean over classes of the AUC of that class against all others, 0 to 1 (0.5 is chance); undefined when a class has \
                      no labelled row",
            formula: "mean over classes k of AUC(label = k against label != k, by the score of k)",
            when_to_use: "There are more than two classes, each as important as the others.",
            limits: "The rest is dominated by large classes, so it moves with the class shares.",
            interval: "DeLong's for each class; none for their mean, as the areas depend on each other",
            reference: ONE_VS_REST,
        },
        |rows| ovr(rows, false),
    ),
};

impl Metric for OneVsRest {
    fn name(&self) -> &'static str {
        self.entry.name
    }
    fn title(&self) -> &'static str {
        self.entry.title()
    }
    fn summary(&self) -> &'static str {
        self.entry.summary()
    }
    fn reference(&self) -> &'static str {
        self.entry.reference()
    }
    fn formula(&self) -> &'static str {
        self.entry.formula()
    }
    fn when_to_use(&self) -> &'static str {
        self.entry.when_to_use()
    }
    fn limits(&self) -> &'static str {
        self.entry.limits()
    }
    fn interval(&self) -> &'static str {
        self.entry.interval()
    }
    fn range(&self) -> (f64, f64) {
        self.entry.range
    }
    fn task(&self) -> Task {
        self.entry.task
    }
    fn needs(&self) -> Needs {
        self.entry.needs
    }
    fn higher_is_better(&self) -> Option<bool> {
        self.entry.higher_is_better
    }
    fn compute(&self, rows: &Rows) -> Outcome {
        self.entry.compute(rows)
    }
    fn of_class(&self, rows: &Rows, class: usize) -> Option<Outcome> {
        let (classes, scores) = scores_of(rows).ok()?;
        let scores = scores.get(class)?;
        let scored = classes.truth.iter().zip(scores).map(|(truth, score)| (*truth as usize == class, *score));
        Some(match weighted_auc(scored, rows.weights()) {
            None => Outcome::undefined("all labels are of one side", rows.n()),
            Some(auc) => Outcome::of(auc.value, rows.n()).within(auc.interval(super::entry::CONFIDENCE)),
        })
    }
}

pub(super) static ROC_AUC_OVR_WEIGHTED: Entry = entry(
    "roc_auc_ovr_weighted",
    (0.0, 1.0),
    Texts {
        title: "Area under the ROC curve, one against the rest (weighted)",
        summary: "mean over classes, weighted by their labels, of the AUC of that class against all others, 0 to 1 (0.5 is chance)",
        formula: "sum over classes k of share of k * AUC(label = k against label != k, by the score of k)",
        when_to_use: "There are more than two classes that matter by how often they occur.",
        limits: "Large classes hide small ones.",
        interval: NO_INTERVAL,
        reference: ONE_VS_REST,
    },
    |rows| ovr(rows, true),
);

pub(super) static ROC_AUC_OVO: Entry = entry(
    "roc_auc_ovo",
    (0.0, 1.0),
    Texts {
        title: "Area under the ROC curve, one against one",
        summary: "mean over pairs of classes of how well their scores tell the two apart, 0 to 1 (0.5 is chance); does not move with the \
                  class shares",
        formula: "mean over pairs j < k of (AUC(j against k, by the score of j) + AUC(k against j, by the score of k)) / 2",
        when_to_use: "There are more than two classes and their shares change.",
        limits: "With many classes most pairs are easy, and the one that is confused hardly shows.",
        interval: NO_INTERVAL,
        reference: HAND_AND_TILL,
    },
    |rows| ovo(rows, false),
);

pub(super) static ROC_AUC_OVO_WEIGHTED: Entry = entry(
    "roc_auc_ovo_weighted",
    (0.0, 1.0),
    Texts {
        title: "Area under the ROC curve, one against one (weighted)",
        summary: "mean over pairs of classes, weighted by the rows of the pair, of how well their scores tell the two apart, 0 to 1",
        formula: "as `roc_auc_ovo`, each pair weighted by the share of its rows",
        when_to_use: "There are more than two classes and frequent confusions matter most.",
        limits: "Moves with the class shares.",
        interval: NO_INTERVAL,
        reference: HAND_AND_TILL,
    },
    |rows| ovo(rows, true),
);

/// The weight of the rows of each class; `Err` with the outcome when a class has none.
fn class_weights(rows: &Rows, classes: &Classes) -> Result<Vec<f64>, Outcome> {
    if rows.n() == 0 {
        return Err(Outcome::undefined(NO_ROWS, 0));
    }
    let mut of_class = vec![0.0; classes.names.len()];
    classes.truth.iter().enumerate().for_each(|(row, class)| of_class[*class as usize] += rows.weights().of_row(row));
    match of_class.iter().position(|weight| *weight <= 0.0) {
        Some(class) => Err(Outcome::undefined(format!("no row is labelled `{}`", classes.names[class]), rows.n())),
        None => Ok(of_class),
    }
}

fn ovr(rows: &Rows, weighted: bool) -> Outcome {
    let (classes, scores) = match scores_of(rows) {
        Ok(found) => found,
        Err(reason) => return Outcome::undefined(reason, rows.n()),
    };
    let of_class = match class_weights(rows, classes) {
        Ok(weights) => weights,
        Err(outcome) => return outcome,
    };
    let mut areas = Vec::new();
    for (class, scores) in (0u32..).zip(scores) {
        let scored = classes.truth.iter().zip(scores).map(|(truth, score)| (*truth == class, *score));
        match weighted_auc(scored, rows.weights()) {
            Some(auc) => areas.push((auc.value, if weighted { of_class[class as usize] } else { 1.0 })),
            None => return Outcome::undefined(order::lacking(rows), rows.n()),
        }
    }
    Outcome::of(weighted_mean(&areas), rows.n())
}

fn ovo(rows: &Rows, weighted: bool) -> Outcome {
    let (classes, scores) = match scores_of(rows) {
        Ok(found) => found,
        Err(reason) => return Outcome::undefined(reason, rows.n()),
    };
    let of_class = match class_weights(rows, classes) {
        Ok(weights) => weights,
        Err(outcome) => return outcome,
    };
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); of_class.len()];
    classes.truth.iter().enumerate().for_each(|(row, class)| members[*class as usize].push(row));
    let area = |one: usize, other: usize| {
        let of = |class: usize| members[class].iter().map(move |row| (class == one, *row));
        let pair: Vec<(bool, usize)> = of(one).chain(of(other)).collect();
        let weights: Option<Vec<f64>> =
            rows.weights().0.map(|weights| pair.iter().map(|(_, row)| weights[*row]).collect());
        let scored = pair.iter().map(|(is_one, row)| (*is_one, scores[one][*row]));
        weighted_auc(scored, Weights(weights.as_deref())).map_or(0.5, |auc| auc.value)
    };
    let mut areas = Vec::new();
    for one in 0..of_class.len() {
        for other in one + 1..of_class.len() {
            let weight = if weighted { of_class[one] + of_class[other] } else { 1.0 };
            areas.push(((area(one, other) + area(other, one)) / 2.0, weight));
        }
    }
    Outcome::of(weighted_mean(&areas), rows.n())
}

fn weighted_mean(areas: &[(f64, f64)]) -> f64 {
    sum(areas.iter().map(|(area, weight)| area * weight)) / sum(areas.iter().map(|(_, weight)| *weight))
}
