//! From columns to rows.

use super::encode::{Encoder, positive_class};
use super::{Classes, Column, Data, Error, Given, Rows, Settings};
use crate::metrics::weights::exponent;
use crate::stats::scale;

/// Which rows count, gathered while columns are walked.
#[derive(Default)]
struct Kept {
    pending: u64,
    unpredicted: u64,
    unweighted: u64,
    positions: Vec<usize>,
    weights: Vec<f64>,
}

impl Kept {
    /// Whether a row counts; what is missing first is what it is counted under.
    fn keeps(&mut self, row: usize, has_label: bool, is_predicted: bool, given: &Given<'_>) -> bool {
        if !has_label {
            self.pending += 1;
        } else if !is_predicted {
            self.unpredicted += 1;
        } else if let Some(weight) = given.weight_of(row) {
            self.positions.push(row);
            self.weights.push(weight);
            return true;
        } else {
            self.unweighted += 1;
        }
        false
    }

    fn into_rows(self, data: Data, given: &Given<'_>) -> Rows {
        // Only ratios of weights matter: sums of extreme ones must not overflow.
        let unit = exponent(self.weights.iter().copied());
        let unit = if unit.abs() > 400 { unit } else { 0 };
        let weights = self.weights.into_iter().map(|weight| scale(weight, -unit)).collect();
        let settings = Settings {
            top_k: given.settings.top_k.max(1),
            calibration_bins: given.settings.calibration_bins.max(1),
            ..given.settings
        };
        Rows {
            data,
            weights: given.weight.is_some().then_some(weights),
            settings,
            pending: self.pending,
            unpredicted: self.unpredicted,
            unweighted: self.unweighted,
            given: given.label.len(),
            positions: self.positions,
        }
    }
}

impl Rows {
    /// [`Rows::classification`] with all that may be given.
    ///
    /// With scores of every class the prediction, where there is none, is the class with the highest score (of two: by the decision
    /// threshold), and of two classes the positive one's is the score.
    ///
    /// # Errors
    /// As [`Rows::classification`].
    pub fn classify(given: &Given<'_>) -> Result<Self, Error> {
        if given.prediction.is_none() && given.score.is_none() && given.class_scores.is_empty() {
            return Err(Error::NothingPredicted);
        }
        given.check_lengths()?;
        let mut encoder = Encoder::default();
        let (label, prediction) = alike(given.label, given.prediction);
        let labels = encoder.encode(&label.as_ref().map_or(given.label, |numbers| Column::Numbers(numbers)));
        let predictions = given
            .prediction
            .map(|column| encoder.encode(&prediction.as_ref().map_or(column, |numbers| Column::Numbers(numbers))));
        let mut listed: Vec<u32> = Vec::new();
        for name in &given.classes {
            let code = encoder.add(name);
            if !listed.contains(&code) {
                listed.push(code);
            }
        }
        let columns: Vec<(u32, &[Option<f64>])> =
            given.class_scores.iter().map(|(name, scores)| (encoder.add(name), *scores)).collect();
        let present = |scores: &[Option<f64>], row: usize| scores[row].is_some_and(|score| !score.is_nan());
        let mut kept = Kept::default();
        let (mut truth, mut predicted, mut scores) = (Vec::new(), Vec::new(), Vec::new());
        let mut class_scores = vec![Vec::new(); columns.len()];
        for (row, label) in labels.iter().enumerate() {
            let guess = predictions.as_ref().map(|codes| codes[row]);
            let is_predicted = guess != Some(None)
                && given.score.is_none_or(|scores| present(scores, row))
                && columns.iter().all(|(_, scores)| present(scores, row));
            if !kept.keeps(row, label.is_some(), is_predicted, given) {
                continue;
            }
            truth.extend(*label);
            predicted.extend(guess.flatten());
            scores.extend(given.score.and_then(|scores| scores[row]));
            for (column, (_, scores)) in class_scores.iter_mut().zip(&columns) {
                column.extend(scores[row]);
            }
        }
        let used = truth.iter().chain(&predicted).copied().chain(columns.iter().map(|(code, _)| *code));
        let (names, order) = encoder.finish(used, &listed);
        let recode = |codes: Vec<u32>| codes.into_iter().map(|code| order[code as usize]).collect::<Vec<u32>>();
        let averaged = if listed.is_empty() { names.len() } else { listed.len() };
        let positive = positive_class(&names, given.positive);
        if let Some(missing) = positive.as_ref().filter(|positive| positive.code.is_none())
            && names.len() == 2
        {
            let classes = names.into_iter().take(5).collect();
            return Err(Error::UnknownPositive { positive: missing.name.clone(), classes });
        }
        let mut classes = Classes {
            truth: recode(truth),
            predicted: predictions.is_some().then(|| recode(predicted)),
            scores: given.score.is_some().then_some(scores),
            class_scores: Vec::new(),
            averaged,
            positive,
            names,
        };
        if !columns.is_empty() {
            classes.class_scores = vec![Vec::new(); classes.names.len()];
            for ((code, _), scores) in columns.iter().zip(class_scores) {
                classes.class_scores[order[*code as usize] as usize] = scores;
            }
        }
        classes.settle(given.settings.decision_threshold, listed.is_empty())?;
        Ok(kept.into_rows(Data::Classes(classes), given))
    }

    /// [`Rows::regression`] with all that may be given; a score stands for a prediction that is not there.
    ///
    /// # Errors
    /// As [`Rows::regression`].
    pub fn regress(given: &Given<'_>) -> Result<Self, Error> {
        given.check_lengths()?;
        let Column::Numbers(labels) = given.label else {
            return Err(Error::NotNumbers { column: "label" });
        };
        let predictions = match (given.prediction, given.score) {
            (Some(Column::Numbers(predictions)), _) | (None, Some(predictions)) => predictions,
            (Some(Column::Text(_)), _) => return Err(Error::NotNumbers { column: "prediction" }),
            (None, None) => return Err(Error::NothingPredicted),
        };
        let mut kept = Kept::default();
        let (mut truth, mut predicted) = (Vec::new(), Vec::new());
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        for (row, (label, prediction)) in labels.iter().zip(predictions).enumerate() {
            let (label, prediction) = (finite(*label), finite(*prediction));
            if kept.keeps(row, label.is_some(), prediction.is_some(), given) {
                truth.extend(label);
                predicted.extend(prediction);
            }
        }
        Ok(kept.into_rows(Data::Numbers { truth, predicted }, given))
    }
}

/// Booleans on one side and 0 and 1 on the other mean the same classes: those numbers, for whichever side needs them.
#[allow(clippy::type_complexity)]
fn alike(label: Column<'_>, prediction: Option<Column<'_>>) -> (Option<Vec<Option<f64>>>, Option<Vec<Option<f64>>>) {
    match (label, prediction) {
        (Column::Text(texts), Some(Column::Numbers(numbers))) if are_0_or_1(numbers) => (from_booleans(texts), None),
        (Column::Numbers(numbers), Some(Column::Text(texts))) if are_0_or_1(numbers) => (None, from_booleans(texts)),
        _ => (None, None),
    }
}

fn are_0_or_1(numbers: &[Option<f64>]) -> bool {
    numbers.iter().flatten().all(|number| number.is_nan() || *number == 0.0 || *number == 1.0)
}

/// `true` as 1 and `false` as 0; none when there is any other text.
fn from_booleans(texts: &[Option<String>]) -> Option<Vec<Option<f64>>> {
    let number = |text: &Option<String>| match text.as_deref() {
        None => Some(None),
        Some("true" | "True" | "TRUE") => Some(Some(1.0)),
        Some("false" | "False" | "FALSE") => Some(Some(0.0)),
        Some(_) => None,
    };
    texts.iter().map(number).collect()
}

impl Classes {
    /// Fills in what follows from scores: the positive class's own, and predictions.
    fn settle(&mut self, threshold: f64, averages_are_free: bool) -> Result<(), Error> {
        if self.scores.is_some() && !self.truth.is_empty() && self.positive.is_none() {
            let found = self.names.len();
            self.names.truncate(5);
            return Err(Error::NotBinary { found, classes: std::mem::take(&mut self.names) });
        }
        let code = self.positive.as_ref().and_then(|positive| positive.code);
        if self.scores.is_none()
            && let Some(scores) = code.and_then(|code| self.class_scores.get(code as usize))
            && (!scores.is_empty() || self.truth.is_empty())
        {
            self.scores = Some(scores.clone());
        }
        if self.predicted.is_none() {
            self.predicted =
                Some(if self.scores.is_some() && (self.names.len() <= 2 || self.class_scores.is_empty()) {
                    self.predict_from_scores(threshold)
                } else {
                    self.predict_the_highest()
                });
            if averages_are_free {
                self.averaged = self.names.len();
            }
        }
        Ok(())
    }

    /// The class with the highest score; of equal ones the first.
    fn predict_the_highest(&self) -> Vec<u32> {
        let best = |row: usize| {
            let scored = (0u32..).zip(&self.class_scores).filter_map(|(code, scores)| Some((code, *scores.get(row)?)));
            scored.reduce(|best, other| if other.1 > best.1 { other } else { best }).map_or(0, |(code, _)| code)
        };
        (0..self.truth.len()).map(best).collect()
    }

    /// The class each score predicts: positive from the threshold on, else the other one. Adds a class that no label has when it must.
    fn predict_from_scores(&mut self, threshold: f64) -> Vec<u32> {
        let (Some(scores), Some(positive)) = (&self.scores, &mut self.positive) else {
            return Vec::new();
        };
        let mut code_of = |name: &str| match self.names.iter().position(|known| known == name) {
            Some(code) => code as u32,
            None => {
                self.names.push(name.to_owned());
                self.names.len() as u32 - 1
            }
        };
        let yes = code_of(&positive.name);
        positive.code = Some(yes);
        let no = match self.names.iter().position(|name| *name != positive.name) {
            Some(code) => code as u32,
            None => {
                self.names.push(opposite(&positive.name).to_owned());
                self.names.len() as u32 - 1
            }
        };
        scores.iter().map(|&score| if score >= threshold { yes } else { no }).collect()
    }
}

fn opposite(positive: &str) -> &'static str {
    match positive {
        "1" => "0",
        "true" => "false",
        _ => "__other__",
    }
}
