//! Precision, recall, F1, F2 and Jaccard: of the positive class, of each class, or averaged over classes.

use super::averages::{Average, Averaged, Measure};
use super::confusion::{Confusion, Margins, NO_ROWS};
use super::entry::{Metric, Needs, Outcome};
use super::rows::ZeroDivision;
use super::{Rows, Task};
use crate::stats::Interval;

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
        self.measure.reference()
    }
    fn formula(&self) -> &'static str {
        self.measure.formula()
    }
    fn when_to_use(&self) -> &'static str {
        self.average.when_to_use(self.measure)
    }
    fn limits(&self) -> &'static str {
        self.average.limits(self.measure)
    }
    fn interval(&self) -> &'static str {
        match (self.average, self.measure) {
            (Average::Default, Measure::Precision | Measure::Recall) => {
                "Wilson's score interval of the positive or named class; delta method for the average over more than two"
            }
            (Average::Default, Measure::F1 | Measure::Jaccard) => {
                "Wilson's score interval of the Jaccard share (the rows that are labelled or predicted so), carried over to F1; delta method for the average over more than two"
            }
            (Average::Micro, Measure::Precision | Measure::Recall | Measure::F1) => {
                "Wilson's score interval; delta method when only some classes are averaged over"
            }
            _ => "delta method over the cells of the confusion matrix; none when no single row could move the value",
        }
    }
    fn range(&self) -> (f64, f64) {
        (0.0, 1.0)
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
        if let Some(positive) = classes.positive.as_ref().filter(|_| self.average == Average::Default) {
            return self.of_one(&matrix, positive.code.map(|code| code as usize), &positive.name, rows);
        }
        let (count, convention) = (classes.averaged, rows.settings().zero_division);
        let averaged = |margins: &Margins| self.averaged(margins, count, convention);
        let Some(value) = averaged(&matrix.margins) else {
            return Outcome::undefined(format!("undefined for each of {count} classes: nothing to average"), matrix.n);
        };
        // Over all classes each is the share of rows that are right.
        let is_a_share = self.average == Average::Micro && self.measure.is_accuracy_over_all();
        let interval = if is_a_share && count == classes.names.len() {
            matrix.wilson(Margins::all_correct, |margins| margins.total)
        } else {
            matrix.delta(|margins| averaged(margins).unwrap_or(0.0))
        };
        let outcome = Outcome::of(value, matrix.n).within(interval);
        let zeros = (0..count).filter(|class| self.fraction(&matrix.margins, *class).1 == 0.0).count();
        match (zeros, self.average, convention) {
            (_, Average::Micro, _) => outcome,
            (0, Average::Default, _) => outcome.because(format!("macro average over {count} classes")),
            (0, ..) => outcome,
            (zeros, _, ZeroDivision::Zero) => {
                outcome.because(format!("undefined for {zeros} of {count} classes: 0 by convention"))
            }
            (zeros, _, ZeroDivision::Undefined) => {
                outcome.because(format!("undefined for {zeros} of {count} classes, which are left out"))
            }
        }
    }

    fn of_class(&self, rows: &Rows, class: usize) -> Option<Outcome> {
        if self.average != Average::Default {
            return None;
        }
        let name = rows.classes().get(class)?;
        let (_, matrix) = Confusion::of(rows)?;
        Some(self.of_one(&matrix, Some(class), name, rows))
    }
}

impl Averaged {
    fn of_one(&self, matrix: &Confusion<'_>, class: Option<usize>, name: &str, rows: &Rows) -> Outcome {
        let (numerator, denominator) = class.map_or((0.0, 0.0), |class| self.fraction(&matrix.margins, class));
        if let Some(class) = class.filter(|_| denominator > 0.0) {
            return Outcome::of(numerator / denominator, matrix.n).within(self.interval_of(matrix, class));
        }
        let lacking = match self.measure {
            Measure::Precision => "predicted as",
            Measure::Recall => "labelled",
            Measure::F1 | Measure::F2 | Measure::Jaccard => "labelled or predicted as",
        };
        match rows.settings().zero_division {
            ZeroDivision::Zero => {
                Outcome::of(0.0, matrix.n).because(format!("no row is {lacking} `{name}`: 0 by convention"))
            }
            ZeroDivision::Undefined => Outcome::undefined(format!("no row is {lacking} `{name}`"), matrix.n),
        }
    }

    /// Numerator and denominator of one class.
    fn fraction(&self, margins: &Margins, class: usize) -> (f64, f64) {
        self.measure.fraction(margins.truth[class], margins.predicted[class], margins.correct[class])
    }

    fn averaged(&self, margins: &Margins, classes: usize, convention: ZeroDivision) -> Option<f64> {
        let sum = |counts: &[f64]| counts[..classes].iter().sum::<f64>();
        if self.average == Average::Micro {
            let sums = (sum(&margins.truth), sum(&margins.predicted), sum(&margins.correct));
            return match (self.measure.fraction(sums.0, sums.1, sums.2), convention) {
                ((_, 0.0), ZeroDivision::Undefined) => None,
                ((_, 0.0), ZeroDivision::Zero) => Some(0.0),
                ((numerator, denominator), _) => Some(numerator / denominator),
            };
        }
        let (mut total, mut weights) = (0.0, 0.0);
        for class in 0..classes {
            let weight = if self.average == Average::Weighted { margins.truth[class] } else { 1.0 };
            match (self.fraction(margins, class), convention) {
                ((_, 0.0), ZeroDivision::Undefined) => {}
                ((_, 0.0), ZeroDivision::Zero) => weights += weight,
                ((numerator, denominator), _) => {
                    total += weight * (numerator / denominator);
                    weights += weight;
                }
            }
        }
        match convention {
            _ if weights > 0.0 => Some(total / weights),
            ZeroDivision::Zero => Some(0.0),
            ZeroDivision::Undefined => None,
        }
    }

    fn interval_of(&self, matrix: &Confusion<'_>, class: usize) -> Option<Interval> {
        let correct = move |margins: &Margins| margins.correct[class];
        let either = move |margins: &Margins| margins.truth[class] + margins.predicted[class] - margins.correct[class];
        match self.measure {
            Measure::Precision => matrix.wilson(correct, move |margins| margins.predicted[class]),
            Measure::Recall => matrix.wilson(correct, move |margins| margins.truth[class]),
            // Of the rows that are labelled or predicted so, Jaccard is the share that are both.
            Measure::Jaccard => matrix.wilson(correct, either),
            // F1 = 2 J / (1 + J), which grows with J.
            Measure::F1 => {
                let f1 = |jaccard: f64| 2.0 * jaccard / (1.0 + jaccard);
                matrix.wilson(correct, either).map(|of| Interval { low: f1(of.low), high: f1(of.high) })
            }
            Measure::F2 => matrix.delta(move |margins| {
                let (numerator, denominator) = self.fraction(margins, class);
                if denominator > 0.0 { numerator / denominator } else { 0.0 }
            }),
        }
    }
}
