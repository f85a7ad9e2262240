//! Metrics of the confusion matrix as a whole.

use super::confusion::{Confusion, Margins, NO_ROWS};
use super::entry::{Entry, Needs, Outcome, Texts};
use super::{Rows, Task};

const DELTA: &str = "delta method over the cells of the confusion matrix; none when no single row could move the value";

const fn entry(name: &'static str, range: (f64, f64), texts: Texts, compute: fn(&Rows) -> Outcome) -> Entry {
    let (task, needs, higher_is_better) = (Task::Classification, Needs::Predictions, Some(true));
    Entry { name, texts, range, task, needs, higher_is_better, compute }
}

pub(super) static ACCURACY: Entry = entry(
    "accuracy",
    (0.0, 1.0),
    Texts {
        title: "Accuracy",
        summary: "share of rows whose predicted class is the true one, 0 to 1; with Wilson's interval",
        formula: "rows with prediction = label / all rows",
        when_to_use: "Classes are about equally frequent and all mistakes cost the same.",
        limits: "With 99 % of one class, always answering that class is 99 % right: look at recall or balanced accuracy too.",
        interval: "Wilson's score interval; with weights on the effective number of rows",
        reference: "scikit-learn accuracy_score; interval: Wilson (1927), doi:10.1080/01621459.1927.10502953",
    },
    |rows| match Confusion::of(rows) {
        None => Outcome::undefined(NO_ROWS, 0),
        Some((_, matrix)) => Outcome::of(matrix.margins.all_correct() / matrix.margins.total, matrix.n)
            .within(matrix.wilson(Margins::all_correct, |margins| margins.total)),
    },
);

pub(super) static BALANCED_ACCURACY: Entry = entry(
    "balanced_accuracy",
    (0.0, 1.0),
    Texts {
        title: "Balanced accuracy",
        summary: "mean recall over the classes that occur among the labels, 0 to 1",
        formula: "mean over classes of (rows of the class predicted so / rows of the class)",
        when_to_use: "Classes are of unequal size and each matters as much as the others.",
        limits: "A class with a handful of rows moves it as much as a large one; precision is not seen at all.",
        interval: DELTA,
        reference: "scikit-learn balanced_accuracy_score; Brodersen et al. (2010), doi:10.1109/ICPR.2010.764",
    },
    |rows| {
        of_matrix(rows, |margins| {
            let present = margins.truth.iter().zip(&margins.correct).filter(|(truth, _)| **truth > 0.0);
            let (sum, count) = present.fold((0.0, 0.0), |(sum, n), (truth, correct)| (sum + correct / truth, n + 1.0));
            sum / count
        })
    },
);

pub(super) static MCC: Entry = entry(
    "mcc",
    (-1.0, 1.0),
    Texts {
        title: "Matthews correlation coefficient",
        summary: "correlation of true and predicted classes, -1 to 1, also for more than two; 0 when all rows have one class on either side",
        formula: "(c n - sum t_k p_k) / sqrt((n^2 - sum p_k^2)(n^2 - sum t_k^2)), c rows predicted right, t_k labelled and p_k predicted as class k",
        when_to_use: "One number is wanted that is high only when every cell of the confusion matrix is good, whatever the class sizes.",
        limits: "Its size depends on the class shares, so values of differently composed data do not compare.",
        interval: DELTA,
        reference: "scikit-learn matthews_corrcoef; Gorodkin (2004), doi:10.1016/j.compbiolchem.2004.09.006",
    },
    |rows| {
        let one_class = Confusion::of(rows).filter(|(_, matrix)| spreads(&matrix.margins).contains(&0.0));
        if let Some((_, matrix)) = one_class {
            return Outcome::of(0.0, matrix.n).because("all rows have one class on one side: 0 by convention");
        }
        of_matrix(rows, |margins| {
            let [truth, predicted] = spreads(margins);
            let covariance = margins.all_correct() * margins.total - agreement(margins);
            covariance / (truth.sqrt() * predicted.sqrt())
        })
    },
);

pub(super) static COHEN_KAPPA: Entry = entry(
    "cohen_kappa",
    (-1.0, 1.0),
    Texts {
        title: "Cohen's kappa",
        summary: "agreement beyond chance, at most 1; undefined when chance alone would agree on every row",
        formula: "(p_o - p_e) / (1 - p_e), p_o the share of agreement, p_e what the class shares alone would give",
        when_to_use: "Model and truth are two raters, such as when labels are people's opinions.",
        limits: "Falls when one class is rare although agreement is the same (the kappa paradox).",
        interval: DELTA,
        reference: "scikit-learn cohen_kappa_score; Cohen (1960), doi:10.1177/001316446002000104",
    },
    |rows| {
        let chance_is_all = |margins: &Margins| agreement(margins) >= margins.total * margins.total;
        if let Some((_, matrix)) = Confusion::of(rows).filter(|(_, matrix)| chance_is_all(&matrix.margins)) {
            return Outcome::undefined("all rows have the same class on both sides", matrix.n);
        }
        of_matrix(rows, |margins| {
            let (chance, all) = (agreement(margins), margins.total * margins.total);
            (margins.all_correct() * margins.total - chance) / (all - chance)
        })
    },
);

/// A statistic of the matrix with the interval that the delta method gives.
fn of_matrix(rows: &Rows, statistic: impl Fn(&Margins) -> f64) -> Outcome {
    match Confusion::of(rows) {
        None => Outcome::undefined(NO_ROWS, 0),
        Some((_, matrix)) => Outcome::of(statistic(&matrix.margins), matrix.n).within(matrix.delta(&statistic)),
    }
}

/// Rows that would agree by chance, times the number of rows.
fn agreement(margins: &Margins) -> f64 {
    margins.truth.iter().zip(&margins.predicted).map(|(truth, predicted)| truth * predicted).sum()
}

/// How much truth and prediction vary, times the squared number of rows.
fn spreads(margins: &Margins) -> [f64; 2] {
    [&margins.truth, &margins.predicted]
        .map(|counts| margins.total * margins.total - counts.iter().map(|count| count * count).sum::<f64>())
}
