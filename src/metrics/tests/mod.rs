//! What callers of the metrics rely on. Reference values are compared in the known answers.

use proptest::prelude::*;

use super::*;

mod properties;

fn numbers(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

fn classes(truth: &[f64], predicted: &[f64]) -> Rows {
    Rows::classification(Column::Numbers(&numbers(truth)), Some(Column::Numbers(&numbers(predicted))), None, None)
        .unwrap()
}

fn scored(truth: &[f64], scores: &[f64]) -> Rows {
    Rows::classification(Column::Numbers(&numbers(truth)), None, Some(&numbers(scores)), None).unwrap()
}

fn regression(truth: &[f64], predicted: &[f64]) -> Rows {
    Rows::regression(Column::Numbers(&numbers(truth)), Column::Numbers(&numbers(predicted))).unwrap()
}

fn value(rows: &Rows, name: &str) -> Value {
    evaluate(rows.task(), rows, Some(&[name.to_owned()])).unwrap().remove(0)
}

#[test]
fn the_defaults_are_the_specification_and_more_with_scores() {
    let names = |rows: &Rows| -> Vec<String> {
        evaluate(rows.task(), rows, None).unwrap().into_iter().map(|value| value.name).collect()
    };
    let of_classes = ["accuracy", "precision", "recall", "f1", "balanced_accuracy", "mcc"];
    assert_eq!(names(&classes(&[0.0, 1.0], &[0.0, 1.0])), of_classes);
    let with_scores = names(&scored(&[0.0, 1.0], &[0.2, 0.9]));
    assert_eq!(with_scores[..6], of_classes);
    assert_eq!(with_scores[6..], ["roc_auc", "average_precision", "log_loss", "brier", "ece"]);
    let of_numbers = ["mae", "mse", "rmse", "r2", "median_absolute_error", "mean_error"];
    assert_eq!(names(&regression(&[0.0, 1.0], &[0.0, 1.0])), of_numbers);
}

#[test]
fn pending_labels_are_not_wrong_and_losses_stay_aligned() {
    let label = [Some(1.0), None, Some(0.0), Some(f64::NAN), Some(1.0)];
    let guess = [Some(1.0), Some(0.0), Some(1.0), Some(1.0), None];
    let rows = Rows::classification(Column::Numbers(&label), Some(Column::Numbers(&guess)), None, None).unwrap();
    assert_eq!((rows.n(), rows.pending(), rows.unpredicted()), (2, 2, 1));
    assert_eq!(per_row_loss("accuracy", &rows), Some(vec![Some(1.0), None, Some(0.0), None, None]));
    assert_eq!(value(&rows, "accuracy").n, 2);
}

#[test]
fn labels_and_predictions_of_different_types_meet() {
    let label = numbers(&[1.0, 0.0, 1.0]);
    let guess: Vec<Option<String>> = ["1", "0", "0"].map(|text| Some(text.to_owned())).into();
    let rows = Rows::classification(Column::Numbers(&label), Some(Column::Text(&guess)), None, None).unwrap();
    assert_eq!(rows.classes(), ["0", "1"]);
    assert_eq!(value(&rows, "recall").value, Some(0.5));
}

#[test]
fn the_positive_class_can_be_named() {
    let text = |values: [&str; 4]| values.map(|value| Some(value.to_owned()));
    let (label, guess) = (text(["spam", "ham", "spam", "ham"]), text(["spam", "spam", "spam", "spam"]));
    let rows =
        |positive| Rows::classification(Column::Text(&label), Some(Column::Text(&guess)), None, positive).unwrap();
    assert_eq!(rows(None).positive_class(), Some("spam"));
    assert_eq!(value(&rows(None), "precision").value, Some(0.5));
    let ham = value(&rows(Some("ham")), "precision");
    assert_eq!((ham.value, ham.reason.as_deref()), (Some(0.0), Some("no row is predicted as `ham`: 0 by convention")));
}

#[test]
fn ten_classes_sort_as_numbers() {
    let truth: Vec<f64> = (0..12).map(f64::from).collect();
    assert_eq!(classes(&truth, &truth).classes()[10], "10");
    let averaged = value(&classes(&truth, &truth), "precision");
    assert_eq!((averaged.value, averaged.reason.as_deref()), (Some(1.0), Some("macro average over 12 classes")));
}

#[test]
fn scores_predict_from_one_half() {
    let rows = scored(&[0.0, 1.0, 1.0], &[0.2, 0.5, 0.4]);
    assert_eq!(value(&rows, "recall").value, Some(0.5));
    let one_class = scored(&[0.0, 0.0], &[0.2, 0.7]);
    assert_eq!(value(&one_class, "accuracy").value, Some(0.5));
}

#[test]
fn undefined_is_a_reason_and_never_nan() {
    let one_class = scored(&[0.0, 0.0], &[0.1, 0.2]);
    let auc = value(&one_class, "roc_auc");
    assert_eq!((auc.value, auc.reason.as_deref()), (None, Some("all labels are of one class")));
    let margins = scored(&[0.0, 1.0], &[-3.0, 4.0]);
    assert!(value(&margins, "brier").reason.unwrap().contains("no probabilities"));
    assert_eq!(value(&margins, "roc_auc").value, Some(1.0));
    assert_eq!(value(&regression(&[1.0], &[2.0]), "r2").value, None);
    assert_eq!(value(&classes(&[0.0, 1.0], &[0.0, 1.0]), "roc_auc").reason.as_deref(), Some("no score column"));
    for metric in ALL {
        let empty = match metric.task() {
            Task::Classification => scored(&[], &[]),
            Task::Regression => regression(&[], &[]),
        };
        let value = value(&empty, metric.name());
        assert!(value.value.is_none() && value.reason.is_some() && value.n == 0, "{value:?}");
    }
}

#[test]
fn errors_name_the_metric_and_what_to_do() {
    let rows = regression(&[1.0, 2.0], &[1.0, 2.0]);
    let error = |name: &str| evaluate(Task::Regression, &rows, Some(&[name.to_owned()])).unwrap_err().to_string();
    assert_eq!(error("rmsee"), "unknown metric `rmsee`; did you mean `rmse`?");
    assert_eq!(error("zzz"), "unknown metric `zzz`");
    assert_eq!(error("accuracy"), "metric `accuracy` is for classification, these rows are regression");
    assert!(evaluate(Task::Classification, &rows, None).is_err());
    let text = [Some("a".to_owned()), None];
    assert_eq!(
        Rows::regression(Column::Text(&text), Column::Numbers(&numbers(&[1.0, 2.0]))).unwrap_err().to_string(),
        "label holds text; regression needs numbers"
    );
    let three =
        Rows::classification(Column::Numbers(&numbers(&[0.0, 1.0, 2.0])), None, Some(&numbers(&[0.1; 3])), None);
    assert_eq!(three.unwrap_err().to_string(), "scores need two classes, found 3: 0, 1, 2; name the positive class");
    let short = Rows::classification(Column::Numbers(&numbers(&[0.0])), Some(Column::Numbers(&[])), None, None);
    assert_eq!(short.unwrap_err().to_string(), "label has 1 rows but prediction has 0");
}

#[test]
fn every_metric_is_documented_and_found_by_name() {
    for (index, entry) in ALL.iter().enumerate() {
        assert_eq!(ALL.iter().position(|other| other.name() == entry.name()), Some(index), "{}", entry.name());
        assert!(std::ptr::addr_eq(metric(entry.name()).unwrap(), *entry));
        for text in [
            entry.title(),
            entry.summary(),
            entry.reference(),
            entry.formula(),
            entry.when_to_use(),
            entry.limits(),
            entry.interval(),
        ] {
            assert!(!text.is_empty() && !text.contains("  "), "{}: {text:?}", entry.name());
        }
    }
    for task in [Task::Classification, Task::Regression] {
        for has_scores in [false, true] {
            assert!(default_names(task, has_scores).iter().all(|name| metric(name).is_some_and(|m| m.task() == task)));
        }
    }
}

#[test]
fn an_offset_does_not_hurt_r2() {
    let truth: Vec<f64> = (0..4).map(|i| 1e9 + f64::from(i)).collect();
    let predicted = [1e9 + 0.5, 1e9 + 1.0, 1e9 + 2.5, 1e9 + 3.0];
    assert!((value(&regression(&truth, &predicted), "r2").value.unwrap() - 0.9).abs() < 1e-12);
}

proptest! {
    #[test]
    fn auc_is_the_share_of_ordered_pairs_and_mirrors(rows in prop::collection::vec((any::<bool>(), 0i8..8), 2..60)) {
        let rows: Vec<(bool, f64)> = rows.into_iter().map(|(positive, score)| (positive, f64::from(score))).collect();
        let (mut pairs, mut won) = (0.0, 0.0);
        for a in rows.iter().filter(|row| row.0) {
            for b in rows.iter().filter(|row| !row.0) {
                pairs += 1.0;
                won += if a.1 > b.1 { 1.0 } else if a.1 == b.1 { 0.5 } else { 0.0 };
            }
        }
        match auc(rows.iter().copied()) {
            None => prop_assert_eq!(pairs, 0.0),
            Some(found) => {
                prop_assert!((found.value - won / pairs).abs() < 1e-14);
                let mirrored = auc(rows.iter().map(|&(positive, score)| (positive, -score))).unwrap();
                prop_assert!((found.value + mirrored.value - 1.0).abs() < 1e-14);
                if let (Some(a), Some(b)) = (found.variance, mirrored.variance) {
                    prop_assert!((a - b).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn classification_metrics_keep_bounds_and_ignore_order(rows in prop::collection::vec((0u8..4, 0u8..4), 1..80)) {
        let truth: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let predicted: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
        let forward = classes(&truth, &predicted);
        let reversed = classes(
            &truth.iter().rev().copied().collect::<Vec<_>>(), &predicted.iter().rev().copied().collect::<Vec<_>>(),
        );
        for metric in ALL.iter().filter(|m| m.task() == Task::Classification && m.needs() == Needs::Predictions) {
            let (a, b) = (value(&forward, metric.name()), value(&reversed, metric.name()));
            prop_assert_eq!(&a, &b);
            if let Some(found) = a.value {
                prop_assert!((-1.0 - 1e-12..=1.0 + 1e-12).contains(&found), "{} {}", metric.name(), found);
                if let (Some(low), Some(high)) = (a.ci_low, a.ci_high) {
                    prop_assert!(low <= found && found <= high);
                }
            }
        }
        let accuracy = value(&forward, "accuracy").value.unwrap();
        prop_assert!((value(&forward, "recall_weighted").value.unwrap() - accuracy).abs() < 1e-14);
        prop_assert_eq!(value(&forward, "f1_micro").value, Some(accuracy));
    }

    #[test]
    fn means_of_row_losses_are_the_metrics(rows in prop::collection::vec((any::<bool>(), 0.0f64..=1.0, -9.0f64..9.0), 2..60)) {
        let truth: Vec<f64> = rows.iter().map(|row| f64::from(u8::from(row.0))).collect();
        let scores: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let numbers: Vec<f64> = rows.iter().map(|row| row.2).collect();
        let (classified, regressed) = (scored(&truth, &scores), regression(&numbers, &scores));
        for (rows, names) in [(&classified, ["accuracy", "brier", "log_loss"]), (&regressed, ["mae", "mse", "mae"])] {
            for name in names {
                let losses: Vec<f64> = per_row_loss(name, rows).unwrap().into_iter().flatten().collect();
                let mean = losses.iter().sum::<f64>() / losses.len() as f64;
                prop_assert!((value(rows, name).value.unwrap() - mean).abs() < 1e-12 * mean.abs().max(1.0));
            }
        }
    }
}

#[test]
fn booleans_and_0_and_1_are_the_same_classes() {
    let truth: Vec<Option<String>> = ["true", "false", "true", "false"].map(|t| Some(t.to_owned())).to_vec();
    let predicted = numbers(&[1.0, 0.0, 1.0, 1.0]);
    for positive in [None, Some("1"), Some("true")] {
        let rows =
            Rows::classification(Column::Text(&truth), Some(Column::Numbers(&predicted)), None, positive).unwrap();
        assert_eq!(value(&rows, "accuracy").value, Some(0.75), "{positive:?}");
        assert_eq!(value(&rows, "recall").value, Some(1.0), "{positive:?}");
    }
}

#[test]
fn a_positive_class_that_no_row_has_is_refused() {
    let (truth, scores) = (numbers(&[0.0, 1.0, 1.0]), numbers(&[0.1, 0.8, 0.7]));
    let refused = Rows::classification(Column::Numbers(&truth), None, Some(&scores), Some("zz")).unwrap_err();
    assert_eq!(refused.to_string(), "no row has the positive class `zz`; the classes are 0, 1");
    // A window that happens to hold one class only says nothing against the other.
    let one = numbers(&[0.0, 0.0]);
    assert!(Rows::classification(Column::Numbers(&one), None, Some(&scores[..2]), Some("1")).is_ok());
}
