//! Estimates against those of nannyml on exported rows; see `tests/concept_answers/`.

use serde_json::Value;

use super::super::*;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// Rows of a classifier; predicted positive from a score of 0.5 on.
fn classified(side: &Value, with_labels: bool) -> Side {
    let scores = numbers(&side["scores"]);
    let predicted: Vec<bool> = scores.iter().map(|score| *score >= 0.5).collect();
    let labels = side["labels"].as_str().unwrap().chars();
    let truth: Vec<Option<bool>> = labels.map(|label| with_labels.then_some(label == '1')).collect();
    let errors = truth.iter().zip(&predicted).map(|(t, p)| t.map(|t| f64::from(u8::from(t != *p)))).collect();
    let rows = scores.len() as u64;
    Side { rows, left_out: 0, errors, data: Data::Binary(Binary { truth, predicted, scores }) }
}

fn regressed(side: &Value) -> Side {
    let columns: Vec<Vec<f64>> = ["predicted", "x", "z"].iter().map(|name| numbers(&side[*name])).collect();
    let errors = match side["label"].as_array() {
        Some(labels) => labels.iter().zip(&columns[0]).map(|(l, p)| Some((l.as_f64().unwrap() - p).abs())).collect(),
        None => vec![None; columns[0].len()],
    };
    Side { rows: columns[0].len() as u64, left_out: 0, errors, data: Data::Features(columns) }
}

/// Every measure of every case of a method: what it is, our check, the answer of nannyml.
fn answers(name: &str) -> Vec<(String, crate::drift::Check, Value)> {
    let all: Value = serde_json::from_str(include_str!("../../../../tests/concept_answers/estimates.json")).unwrap();
    let mut answers = Vec::new();
    for case in all["cases"].as_array().unwrap().iter().filter(|case| case["method"] == name) {
        let (reference, current) = (&case["reference"], &case["current"]);
        let sides = if name == "cbpe" {
            let (reference, current) = (classified(reference, true), classified(current, false));
            Sides { task: Task::Classification, reference, current }
        } else {
            Sides { task: Task::Regression, reference: regressed(reference), current: regressed(current) }
        };
        for check in judge(method(name).unwrap(), &sides, &Options::default()) {
            let mut answer = case["answers"][&check.column].clone();
            answer["calibrated"] = case["calibrated"].clone();
            answers.push((format!("{} {}", case["name"], check.column), check, answer));
        }
    }
    answers
}

fn assert_close(what: &str, ours: &Value, theirs: f64, relative: f64) {
    let ours = ours.as_f64().unwrap();
    assert!((ours / theirs - 1.0).abs() <= relative, "{what}: {ours}, nannyml {theirs}");
}

/// Both decide to calibrate by cross-validation with folds of their own; where they decide alike, and here they do, the same isotonic
/// function follows and estimates agree to the last digits. nannyml rounds its curve to 5 decimals, hence 1e-7 for the area.
#[test]
fn cbpe_estimates_are_those_of_nannyml() {
    let answers = answers("cbpe");
    assert_eq!(answers.len(), 4 * 5);
    for (what, check, answer) in answers {
        let details = &check.details;
        assert_eq!(details["calibrated"], answer["calibrated"], "{what}");
        let tolerance = if check.column == "roc_auc" { 1e-7 } else { 1e-10 };
        assert_close(&what, &details["current"], answer["estimate"].as_f64().unwrap(), tolerance);
        let error = answer["sampling_error"].as_f64().unwrap();
        match check.column.as_str() {
            // F1 is no mean of rows: with J the Jaccard index F1 = 2J / (1 + J), and the delta method gives 1 / (1 + J) times what
            // nannyml takes. That this is right is shown by simulation (`sampling_errors_are_those_of_repeated_samples`).
            "f1" => {
                let f1 = details["reference"].as_f64().unwrap();
                assert_close(&what, &details["sampling_error"], error / (1.0 + f1 / (2.0 - f1)), 1e-10);
            }
            // nannyml takes the variance of the placements of one class, DeLong of both: never less, and here up to 1.5 times as much.
            "roc_auc" => {
                let ours = details["sampling_error"].as_f64().unwrap();
                assert!(ours > error && ours < 1.6 * error, "{what}: {ours}, nannyml {error}");
            }
            _ => assert_close(&what, &details["sampling_error"], error, 1e-10),
        }
    }
}

/// Trees of 16 leaves against LightGBM's of 31: estimates agree to 1 %, which is less than the sampling error of these samples (1.6 to 4 %).
#[test]
fn dle_estimates_are_close_to_those_of_nannyml() {
    let answers = answers("dle");
    assert_eq!(answers.len(), 3 * 2);
    for (what, check, answer) in answers {
        assert_close(&what, &check.details["current"], answer["estimate"].as_f64().unwrap(), 0.01);
        assert_close(&what, &check.details["sampling_error"], answer["sampling_error"].as_f64().unwrap(), 1e-10);
        // And both are right: within three standard errors of what the labels said later.
        let realized = answer["realized"].as_f64().unwrap();
        let error = check.details["standard_error"].as_f64().unwrap();
        let estimate = check.details["current"].as_f64().unwrap();
        assert!((estimate - realized).abs() < 3.0 * error, "{what}: {estimate} with {error}, realized {realized}");
    }
}
