//! Precision, recall and F1, of the positive class or averaged over classes.

use super::confusion::{Confusion, NO_ROWS};
use super::entry::{CONFIDENCE, Metric, Needs, Outcome};
use super::{Rows, Task};
use crate::stats::{Interval, wilson};

const REFERENCE: &str =
    "scikit-learn precision_recall_fscore_support (zero_division = 0); van Rijsbergen (1979), Information Retrieval";

#[derive(Clone, Copy, PartialEq)]
enum Measure {
    Precision,
    Recall,
    F1,
}

#[derive(Clone, Copy, PartialEq)]
enum Average {
    /// The positive class of two; the macro average of more.
    Default,
    Macro,
    Micro,
    Weighted,
}

/// One measure with one way to average it.
pub(super) struct Averaged {
    name: &'static str,
    title: &'static str,
    summary: &'static str,
    measure: Measure,
    average: Average,
}

macro_rules! averaged {
    ($constant:ident, $name:literal, $title:literal, $measure:ident, $average:ident, $summary:literal) => {
        pub(super) static $constant: Averaged = Averaged {
            name: $name,
            title: $title,
            summary: $summary,
            measure: Measure::$measure,
            average: Average::$average,
        };
    };
}

averaged!(
    PRECISION,
    "precision",
    "Precision",
    Precision,
    Default,
    "share of rows predicted positive that are, 0 to 1; the macro average when there are more than two classes"
);
averaged!(
    RECALL,
    "recall",
    "Recall",
    Recall,
    Default,
    "share of positive rows predicted so, 0 to 1; the macro average when there are more than two classes"
);
averaged!(
    F1,
    "f1",
    "F1",
    F1,
    Default,
    "harmonic mean of precision and recall, 0 to 1; the macro average when there are more than two classes"
);
averaged!(
    PRECISION_MACRO,
    "precision_macro",
    "Precision (macro)",
    Precision,
    Macro,
    "mean precision over all classes, 0 to 1"
);
averaged!(RECALL_MACRO, "recall_macro", "Recall (macro)", Recall, Macro, "mean recall over all classes, 0 to 1");
averaged!(F1_MACRO, "f1_macro", "F1 (macro)", F1, Macro, "mean F1 over all classes, 0 to 1");
averaged!(
    PRECISION_MICRO,
    "precision_micro",
    "Precision (micro)",
    Precision,
    Micro,
    "precision over all decisions together, 0 to 1; equals accuracy when every row has one class"
);
averaged!(
    RECALL_MICRO,
    "recall_micro",
    "Recall (micro)",
    Recall,
    Micro,
    "recall over all decisions together, 0 to 1; equals accuracy when every row has one class"
);
averaged!(
    F1_MICRO,
    "f1_micro",
    "F1 (micro)",
    F1,
    Micro,
    "F1 over all decisions together, 0 to 1; equals accuracy when every row has one class"
);
averaged!(
    PRECISION_WEIGHTED,
    "precision_weighted",
    "Precision (weighted)",
    Precision,
    Weighted,
    "mean precision over classes, weighted by their labels, 0 to 1"
);
averaged!(
    RECALL_WEIGHTED,
    "recall_weighted",
    "Recall (weighted)",
    Recall,
    Weighted,
    "mean recall over classes, weighted by their labels, 0 to 1"
);
averaged!(
    F1_WEIGHTED,
    "f1_weighted",
    "F1 (weighted)",
    F1,
    Weighted,
    "mean F1 over classes, weighted by their labels, 0 to 1"
);

impl Metric for Averaged {
    fn name(&self) -> &'static str {
        self.name
    }
    fn title(&self) -> &'static str {
        self.title
    }
    fn summary(&self) -> &'static str {
        self.summary
    }
    fn reference(&self) -> &'static str {
        REFERENCE
    }
    fn task(&self) -> Task {
        Task::Classification
    }
    fn needs(&self) -> Needs {
        Needs::Predictions
    }
    fn higher_is_better(&self) -> Option<bool> {
        Some(true)
    }

    fn compute(&self, rows: &Rows) -> Outcome {
        let Some((classes, matrix)) = Confusion::of(rows) else {
            return Outcome::undefined(NO_ROWS, 0);
        };
        let counts: Vec<Counts> = (0..classes.names.len()).map(|class| Counts::of(&matrix, class)).collect();
        let positive = classes.positive.as_ref().filter(|_| self.average == Average::Default);
        if let Some(positive) = positive {
            let counts = positive.code.map_or(Counts::default(), |code| counts[code as usize]);
            return self.of_one(&counts, &positive.name, matrix.n);
        }
        let class_count = counts.len() as f64;
        let value = match self.average {
            Average::Default | Average::Macro => {
                counts.iter().map(|counts| counts.measure(self.measure)).sum::<f64>() / class_count
            }
            Average::Weighted => {
                let weighted = |counts: &Counts| counts.measure(self.measure) * counts.truth as f64;
                counts.iter().map(weighted).sum::<f64>() / matrix.n as f64
            }
            Average::Micro => matrix.all_correct() as f64 / matrix.n as f64,
        };
        let outcome = Outcome::of(value, matrix.n);
        match (counts.iter().filter(|counts| counts.is_undefined(self.measure)).count(), self.average) {
            (_, Average::Micro) => outcome.within(wilson(matrix.all_correct(), matrix.n, CONFIDENCE)),
            (0, Average::Default) => outcome.because(format!("macro average over {} classes", counts.len())),
            (0, _) => outcome,
            (zeros, _) => {
                outcome.because(format!("undefined for {zeros} of {} classes: 0 by convention", counts.len()))
            }
        }
    }
}

impl Averaged {
    fn of_one(&self, counts: &Counts, class: &str, n: u64) -> Outcome {
        let outcome = Outcome::of(counts.measure(self.measure), n).within(counts.interval(self.measure));
        if !counts.is_undefined(self.measure) {
            return outcome;
        }
        let lacking = match self.measure {
            Measure::Precision => "predicted as",
            Measure::Recall => "labelled",
            Measure::F1 => "labelled or predicted as",
        };
        outcome.because(format!("no row is {lacking} `{class}`: 0 by convention"))
    }
}

/// The counts of one class.
#[derive(Clone, Copy, Default)]
struct Counts {
    truth: u64,
    predicted: u64,
    correct: u64,
}

impl Counts {
    fn of(matrix: &Confusion, class: usize) -> Self {
        Self { truth: matrix.truth[class], predicted: matrix.predicted[class], correct: matrix.correct[class] }
    }

    /// Numerator and denominator.
    fn fraction(&self, measure: Measure) -> (u64, u64) {
        match measure {
            Measure::Precision => (self.correct, self.predicted),
            Measure::Recall => (self.correct, self.truth),
            Measure::F1 => (2 * self.correct, self.truth + self.predicted),
        }
    }

    fn is_undefined(&self, measure: Measure) -> bool {
        self.fraction(measure).1 == 0
    }

    fn measure(&self, measure: Measure) -> f64 {
        match self.fraction(measure) {
            (_, 0) => 0.0,
            (numerator, denominator) => numerator as f64 / denominator as f64,
        }
    }

    /// Precision and recall are shares of rows; F1 is not, so it has no simple interval.
    fn interval(&self, measure: Measure) -> Option<Interval> {
        let (numerator, denominator) = self.fraction(measure);
        (measure != Measure::F1).then(|| wilson(numerator, denominator, CONFIDENCE)).flatten()
    }
}
