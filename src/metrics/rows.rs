//! The rows metrics are computed from: columns encoded once, whatever their type was.
//!
//! A row counts when its label and its prediction (or score) are there. Rows without a label are pending; rows with a label and
//! without a prediction are counted apart. What holds: [`Rows::positions`] says which of the rows given were kept, so
//! per-row losses line up with the caller's columns.

use std::collections::BTreeMap;

use super::Task;

/// One column as the caller has it, row-aligned; `None` is missing, and so is a number that is NaN.
#[derive(Debug, Clone, Copy)]
pub enum Column<'a> {
    /// Numbers, also whole numbers and booleans as 0 and 1.
    Numbers(&'a [Option<f64>]),
    /// Text.
    Text(&'a [Option<String>]),
}

impl Column<'_> {
    fn len(&self) -> usize {
        match self {
            Column::Numbers(values) => values.len(),
            Column::Text(values) => values.len(),
        }
    }
}

/// Why columns do not make rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Columns of one table have the same length.
    #[error("label has {labels} rows but {column} has {rows}")]
    Length {
        /// `prediction` or `score`.
        column: &'static str,
        /// Rows of the label column.
        labels: usize,
        /// Rows of that column.
        rows: usize,
    },
    /// Neither predictions nor scores were given.
    #[error("neither a prediction nor a score column is given; name at least one")]
    NothingPredicted,
    /// Regression needs numbers.
    #[error("{column} holds text; regression needs numbers")]
    NotNumbers {
        /// `label` or `prediction`.
        column: &'static str,
    },
    /// Scores belong to a positive class, and it is not clear which that is.
    #[error("scores need two classes, found {found}: {}; name the positive class", classes.join(", "))]
    NotBinary {
        /// How many classes there are.
        found: usize,
        /// The first of them.
        classes: Vec<String>,
    },
}

/// Labelled rows, ready for every metric of their task.
#[derive(Debug, Clone)]
pub struct Rows {
    data: Data,
    pending: u64,
    unpredicted: u64,
    given: usize,
    positions: Vec<usize>,
}

#[derive(Debug, Clone)]
enum Data {
    Classes(Classes),
    Numbers { truth: Vec<f64>, predicted: Vec<f64> },
}

/// Classes as small numbers, in the order of `names`.
#[derive(Debug, Clone)]
pub(super) struct Classes {
    pub(super) names: Vec<String>,
    pub(super) truth: Vec<u32>,
    pub(super) predicted: Option<Vec<u32>>,
    pub(super) scores: Option<Vec<f64>>,
    /// The class that scores, and binary precision and recall, are about. It may be absent from these rows.
    pub(super) positive: Option<Positive>,
}

#[derive(Debug, Clone)]
pub(super) struct Positive {
    pub(super) name: String,
    pub(super) code: Option<u32>,
}

impl Rows {
    /// Rows of a classifier.
    ///
    /// `label` and `prediction` are classes (numbers and text are compared by their text, `1` equals `1.0`); `score` is the score
    /// or probability of the positive class. Without predictions a score of at least 0.5 predicts the positive class. `positive`
    /// names the positive class; by default it is `1` or `true` where the classes are 0/1, -1/1 or false/true, and else, of two
    /// classes, the later in order (numeric, then alphabetical).
    ///
    /// # Errors
    /// Columns of different lengths, neither prediction nor score, scores without a clear positive class.
    pub fn classification(
        label: Column<'_>,
        prediction: Option<Column<'_>>,
        score: Option<&[Option<f64>]>,
        positive: Option<&str>,
    ) -> Result<Self, Error> {
        Self::classification_at(label, prediction, score, positive, 0.5)
    }

    /// [`Rows::classification`] where a score of at least `decision_threshold` predicts the positive class.
    ///
    /// # Errors
    /// As [`Rows::classification`].
    pub fn classification_at(
        label: Column<'_>,
        prediction: Option<Column<'_>>,
        score: Option<&[Option<f64>]>,
        positive: Option<&str>,
        decision_threshold: f64,
    ) -> Result<Self, Error> {
        if prediction.is_none() && score.is_none() {
            return Err(Error::NothingPredicted);
        }
        check_length("prediction", &label, prediction.map(|column| column.len()))?;
        check_length("score", &label, score.map(<[_]>::len))?;
        let given = label.len();
        let mut encoder = Encoder::default();
        let labels = encoder.encode(&label);
        let predictions = prediction.map(|column| encoder.encode(&column));
        let (mut truth, mut predicted, mut scores, mut positions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut pending, mut unpredicted) = (0, 0);
        for row in 0..given {
            let Some(label) = labels[row] else {
                pending += 1;
                continue;
            };
            let guess = predictions.as_ref().map(|codes| codes[row]);
            let score = score.map(|scores| scores[row].filter(|score| !score.is_nan()));
            if guess == Some(None) || score == Some(None) {
                unpredicted += 1;
                continue;
            }
            truth.push(label);
            predicted.extend(guess.flatten());
            scores.extend(score.flatten());
            positions.push(row);
        }
        let has_predictions = predictions.is_some();
        let (names, order) = encoder.finish(&truth, &predicted);
        let recode = |codes: Vec<u32>| codes.into_iter().map(|code| order[code as usize]).collect::<Vec<u32>>();
        let (truth, mut predicted) = (recode(truth), has_predictions.then(|| recode(predicted)));
        let positive = positive_class(&names, positive);
        let mut classes =
            Classes { names, truth, predicted: None, scores: score.is_some().then_some(scores), positive };
        if classes.scores.is_some() && !classes.truth.is_empty() && classes.positive.is_none() {
            let found = classes.names.len();
            classes.names.truncate(5);
            return Err(Error::NotBinary { found, classes: classes.names });
        }
        if predicted.is_none() {
            predicted = Some(classes.predict_from_scores(decision_threshold));
        }
        classes.predicted = predicted;
        Ok(Self { data: Data::Classes(classes), pending, unpredicted, given, positions })
    }

    /// Rows of a regressor: label and prediction in the same unit. Infinite values count as missing.
    ///
    /// # Errors
    /// Columns of different lengths, or text.
    pub fn regression(label: Column<'_>, prediction: Column<'_>) -> Result<Self, Error> {
        check_length("prediction", &label, Some(prediction.len()))?;
        let Column::Numbers(labels) = label else {
            return Err(Error::NotNumbers { column: "label" });
        };
        let Column::Numbers(predictions) = prediction else {
            return Err(Error::NotNumbers { column: "prediction" });
        };
        let (mut truth, mut predicted, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut pending, mut unpredicted) = (0, 0);
        for (row, (label, prediction)) in labels.iter().zip(predictions).enumerate() {
            match (label.filter(|value| value.is_finite()), prediction.filter(|value| value.is_finite())) {
                (None, _) => pending += 1,
                (Some(_), None) => unpredicted += 1,
                (Some(label), Some(prediction)) => {
                    truth.push(label);
                    predicted.push(prediction);
                    positions.push(row);
                }
            }
        }
        Ok(Self { data: Data::Numbers { truth, predicted }, pending, unpredicted, given: labels.len(), positions })
    }

    /// The task these rows are for.
    pub fn task(&self) -> Task {
        match self.data {
            Data::Classes(_) => Task::Classification,
            Data::Numbers { .. } => Task::Regression,
        }
    }

    /// Rows that count.
    pub fn n(&self) -> u64 {
        self.positions.len() as u64
    }

    /// Rows whose label is missing.
    pub fn pending(&self) -> u64 {
        self.pending
    }

    /// Rows that have a label but no prediction or score.
    pub fn unpredicted(&self) -> u64 {
        self.unpredicted
    }

    /// Rows given, kept or not.
    pub fn given(&self) -> usize {
        self.given
    }

    /// Which of the rows given count, ascending.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// Whether there is a score column.
    pub fn has_scores(&self) -> bool {
        matches!(&self.data, Data::Classes(Classes { scores: Some(_), .. }))
    }

    /// The classes seen, in order; empty for regression.
    pub fn classes(&self) -> &[String] {
        match &self.data {
            Data::Classes(classes) => &classes.names,
            Data::Numbers { .. } => &[],
        }
    }

    /// The positive class, where there is one.
    pub fn positive_class(&self) -> Option<&str> {
        match &self.data {
            Data::Classes(classes) => classes.positive.as_ref().map(|positive| positive.name.as_str()),
            Data::Numbers { .. } => None,
        }
    }

    pub(super) fn as_classes(&self) -> Option<&Classes> {
        match &self.data {
            Data::Classes(classes) => Some(classes),
            Data::Numbers { .. } => None,
        }
    }

    pub(super) fn as_numbers(&self) -> Option<(&[f64], &[f64])> {
        match &self.data {
            Data::Classes(_) => None,
            Data::Numbers { truth, predicted } => Some((truth, predicted)),
        }
    }
}

impl Classes {
    /// Whether each row's truth is the positive class, with its score; `None` without scores.
    pub(super) fn scored(&self) -> Option<impl Iterator<Item = (bool, f64)> + Clone> {
        let positive = self.positive.as_ref().and_then(|positive| positive.code);
        let scores = self.scores.as_ref()?;
        Some(self.truth.iter().zip(scores).map(move |(&truth, &score)| (Some(truth) == positive, score)))
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
        let other = opposite(&positive.name);
        let no = match self.names.iter().position(|name| *name != positive.name) {
            Some(code) => code as u32,
            None => {
                self.names.push(other.to_owned());
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

fn check_length(column: &'static str, label: &Column<'_>, rows: Option<usize>) -> Result<(), Error> {
    match rows {
        Some(rows) if rows != label.len() => Err(Error::Length { column, labels: label.len(), rows }),
        _ => Ok(()),
    }
}

/// The positive class: the one named, or the conventional one of two.
fn positive_class(names: &[String], named: Option<&str>) -> Option<Positive> {
    let with = |name: &str| Positive {
        name: name.to_owned(),
        code: names.iter().position(|known| known == name).map(|code| code as u32),
    };
    if let Some(name) = named {
        return Some(with(name));
    }
    if names.is_empty() || names.len() > 2 {
        return None;
    }
    if names.iter().all(|name| matches!(name.as_str(), "0" | "1" | "-1")) {
        return Some(with("1"));
    }
    if names.iter().all(|name| matches!(name.as_str(), "false" | "true")) {
        return Some(with("true"));
    }
    names.get(1).map(|name| with(name))
}

/// Gives each class a number, first come first served, and its place in order at the end.
#[derive(Default)]
struct Encoder {
    text: BTreeMap<String, u32>,
    numbers: BTreeMap<u64, u32>,
}

impl Encoder {
    fn encode(&mut self, column: &Column<'_>) -> Vec<Option<u32>> {
        match column {
            Column::Numbers(values) => values
                .iter()
                .map(|value| value.filter(|value| !value.is_nan()).map(|value| self.number(value + 0.0)))
                .collect(),
            Column::Text(values) => values.iter().map(|value| value.as_deref().map(|name| self.name(name))).collect(),
        }
    }

    fn number(&mut self, value: f64) -> u32 {
        if let Some(&code) = self.numbers.get(&value.to_bits()) {
            return code;
        }
        // Shortest text: 1 for 1.0, 0.5 for 0.5; so that a numeric label meets its prediction in text.
        let code = self.name(&value.to_string());
        self.numbers.insert(value.to_bits(), code);
        code
    }

    fn name(&mut self, name: &str) -> u32 {
        if let Some(&code) = self.text.get(name) {
            return code;
        }
        let code = self.text.len() as u32;
        self.text.insert(name.to_owned(), code);
        code
    }

    /// The classes in order and, per number handed out, its place. Classes that no kept row has are left out.
    fn finish(self, truth: &[u32], predicted: &[u32]) -> (Vec<String>, Vec<u32>) {
        let mut used = vec![false; self.text.len()];
        for &code in truth.iter().chain(predicted) {
            used[code as usize] = true;
        }
        let mut order = vec![0; used.len()];
        let mut names: Vec<(String, u32)> = self.text.into_iter().filter(|(_, code)| used[*code as usize]).collect();
        let numeric = |name: &str| name.parse::<f64>().ok().filter(|value| !value.is_nan());
        names.sort_by(|(a, _), (b, _)| match (numeric(a), numeric(b)) {
            (Some(x), Some(y)) => x.total_cmp(&y).then_with(|| a.cmp(b)),
            (x, y) => y.is_some().cmp(&x.is_some()).then_with(|| a.cmp(b)),
        });
        for (place, (_, code)) in names.iter().enumerate() {
            order[*code as usize] = place as u32;
        }
        (names.into_iter().map(|(name, _)| name).collect(), order)
    }
}
