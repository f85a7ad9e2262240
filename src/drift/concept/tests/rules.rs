//! Verdicts, non-results and what holds for any errors.

use proptest::prelude::*;

use super::super::*;
use super::{Random, errors};
use crate::drift::{Check, Reliability, Status};

fn sides(task: Task, reference: Vec<f64>, current: Vec<f64>) -> Sides {
    Sides { task, reference: errors(reference), current: errors(current) }
}

fn first(name: &str, sides: &Sides) -> Check {
    judge(method(name).unwrap(), sides, &Options::default()).remove(0)
}

fn share(rows: usize, wrong: usize) -> Vec<f64> {
    (0..rows).map(|i| f64::from(u8::from(i * wrong / rows != (i + 1) * wrong / rows))).collect()
}

#[test]
fn a_change_needs_both_size_and_evidence() {
    // 182 of 1000 wrong, then 249 of 1000: 6.7 points, the interval 3.1 to 10.3.
    let check = first("metric_change", &sides(Task::Classification, share(1000, 182), share(1000, 249)));
    assert!(check.drifted && check.status == Status::Drifted, "{check:?}");
    assert_eq!((check.column.as_str(), check.threshold), ("error_rate", 0.05));
    assert!((check.score.unwrap() - 0.067).abs() < 1e-12 && check.p_value.unwrap() < 1e-3);
    // The same change of a tenth of the rows may be chance.
    let check = first("metric_change", &sides(Task::Classification, share(100, 18), share(100, 25)));
    assert_eq!((check.drifted, check.status), (false, Status::Warning), "{check:?}");
    assert_eq!(check.reliability, Some(Reliability::Low));
    assert!(check.reason.as_deref().unwrap().contains("may be chance"));
    // A million rows: two points are certain, and too few.
    let check = first("metric_change", &sides(Task::Classification, share(100_000, 18_000), share(100_000, 20_000)));
    assert_eq!((check.drifted, check.status), (false, Status::Ok));
    assert!(check.p_value.unwrap() < 1e-20);
    // A better model.
    let check = first("metric_change", &sides(Task::Classification, share(1000, 249), share(1000, 100)));
    assert_eq!((check.drifted, check.status), (false, Status::Ok));
    assert!(check.score.unwrap() < -0.1);
}

#[test]
fn the_threshold_itself_is_no_drift() {
    let sides = sides(Task::Classification, share(10_000, 1000), share(10_000, 2000));
    let options = Options { threshold: Some(0.2 - 0.1), min_samples: None };
    assert!(!judge(method("metric_change").unwrap(), &sides, &options)[0].drifted);
}

#[test]
fn errors_of_a_regression_have_no_unit() {
    let mut random = Random(9);
    let values = |random: &mut Random, mean: f64| (0..2000).map(|_| mean * random.gamma()).collect::<Vec<f64>>();
    let (reference, mut current) = (values(&mut random, 1.0), values(&mut random, 1.0));
    current.extend(values(&mut random, 1.8));
    // Powers of two divide without rounding, so that not even the last digit differs.
    let scaled = |values: &[f64], by: f64| values.iter().map(|value| value * by).collect::<Vec<f64>>();
    for name in ["metric_change", "adwin", "page_hinkley", "kswin"] {
        let small = first(name, &sides(Task::Regression, reference.clone(), current.clone()));
        let large = first(name, &sides(Task::Regression, scaled(&reference, 1024.0), scaled(&current, 1024.0)));
        assert!(small.drifted, "{name}: {small:?}");
        assert_eq!((small.score, small.status), (large.score, large.status), "{name}");
    }
}

#[test]
fn what_cannot_be_judged_says_why() {
    let some = share(500, 50);
    let status = |name: &str, sides: &Sides| {
        let check = first(name, sides);
        assert!(check.score.is_none() && !check.drifted, "{check:?}");
        (check.status, check.reason.unwrap())
    };
    for name in ["metric_change", "adwin", "ddm", "page_hinkley", "kswin"] {
        let none = sides(Task::Classification, some.clone(), Vec::new());
        assert_eq!(status(name, &none), (Status::NoData, "no rows in the current data".to_owned()));
        let mut waiting = sides(Task::Classification, some.clone(), some.clone());
        waiting.current.errors = vec![None; 500];
        let reason = "no row of the current data has its label yet: 500 rows wait for it";
        assert_eq!(status(name, &waiting), (Status::InsufficientData, reason.to_owned()));
    }
    let both = sides(Task::Classification, some.clone(), some.clone());
    assert_eq!(status("cbpe", &both).0, Status::NotApplicable, "no positive class");
    assert_eq!(status("dle", &both).1, "dle does not judge classification");
    let numbers = sides(Task::Regression, vec![0.0; 900], vec![1.0; 900]);
    assert_eq!(status("ddm", &numbers).0, Status::NotApplicable);
    for name in ["metric_change", "adwin", "page_hinkley", "kswin"] {
        assert_eq!(status(name, &numbers).0, Status::NotApplicable, "{name}: a relative change of 0");
    }
    assert_eq!(status("dle", &sides(Task::Regression, vec![1.0; 9], vec![1.0; 9])).0, Status::InsufficientData);
    assert_eq!(status("ddm", &sides(Task::Classification, vec![0.0; 9], vec![1.0; 9])).0, Status::InsufficientData);
    let few = Options { threshold: None, min_samples: Some(501) };
    let check = &judge(method("adwin").unwrap(), &both, &few)[0];
    assert_eq!(check.status, Status::InsufficientData);
    assert_eq!(check.reason.as_deref(), Some("500 labelled rows in the reference, at least 501 needed on each side"));
}

#[test]
fn a_constant_model_is_judged() {
    for name in ["metric_change", "adwin", "ddm", "page_hinkley", "kswin"] {
        let check = first(name, &sides(Task::Classification, vec![0.0; 800], vec![0.0; 800]));
        assert_eq!((check.score, check.status), (Some(0.0), Status::Ok), "{name}");
        let check = first(name, &sides(Task::Classification, vec![0.0; 800], vec![1.0; 800]));
        assert!(check.drifted && check.score.unwrap() > 0.9, "{name}: {check:?}");
    }
}

#[test]
fn ddm_warns_before_it_alarms() {
    let mut current = share(300, 30);
    current.extend(share(20, 18));
    let check = first("ddm", &sides(Task::Classification, share(1000, 100), current));
    assert_eq!((check.status, check.drifted), (Status::Warning, false), "{check:?}");
    assert!(check.details["warns_since_row"].as_u64().unwrap() > 300);
}

#[test]
fn names_are_unique_and_texts_are_there() {
    for method in ALL {
        assert_eq!(ALL.iter().filter(|other| other.name() == method.name()).count(), 1);
        for text in [method.title(), method.summary(), method.when_to_use(), method.formula(), method.notes()] {
            assert!(text.len() > 10 && !text.contains("  "), "{}: {text}", method.name());
        }
        assert!(method.reference().contains("doi:"), "{}", method.name());
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_nothing_is_nan(
        reference in prop::collection::vec(prop::option::weighted(0.9, 0.0..1e9f64), 0..60),
        current in prop::collection::vec(prop::option::weighted(0.9, 0.0..1e9f64), 0..60),
    ) {
        for task in [Task::Classification, Task::Regression] {
            let side = |values: &[Option<f64>]| Side {
                rows: values.len() as u64,
                errors: match task {
                    Task::Regression => values.to_vec(),
                    Task::Classification => values.iter().map(|v| v.map(|v| f64::from(u8::from(v > 4e8)))).collect(),
                },
                ..Side::default()
            };
            let sides = Sides { task, reference: side(&reference), current: side(&current) };
            for method in ALL {
                for check in judge(*method, &sides, &Options::default()) {
                    prop_assert!(check.score.is_none_or(f64::is_finite));
                    prop_assert!(!check.drifted || check.score.unwrap() > check.threshold);
                    prop_assert_eq!(check.score.is_some(), check.status.is_result());
                    prop_assert!(check.score.is_some() || check.reason.is_some());
                }
            }
        }
    }

    #[test]
    fn a_change_does_not_depend_on_the_order_of_rows(mut current in prop::collection::vec(0.1..10.0f64, 5..80)) {
        let reference: Vec<f64> = (1..100).map(f64::from).collect();
        let before = first("metric_change", &sides(Task::Regression, reference.clone(), current.clone())).score.unwrap();
        current.reverse();
        let after = first("metric_change", &sides(Task::Regression, reference, current)).score.unwrap();
        prop_assert!((before - after).abs() < 1e-12);
    }

    #[test]
    fn isotonic_values_rise_and_keep_the_mean(rows in prop::collection::vec((0..20u8, any::<bool>()), 1..80)) {
        let rows: Vec<(f64, f64)> = rows.iter().map(|(s, l)| (f64::from(*s), f64::from(u8::from(*l)))).collect();
        let fitted = Isotonic::fit(&rows).unwrap();
        let values: Vec<f64> = (-1..22).map(|s| fitted.at(f64::from(s))).collect();
        prop_assert!(values.windows(2).all(|pair| pair[0] <= pair[1]));
        let sum: f64 = rows.iter().map(|row| fitted.at(row.0) - row.1).sum();
        prop_assert!(sum.abs() < 1e-9);
    }

    #[test]
    fn what_is_expected_of_certain_scores_is_what_happens(truth in prop::collection::vec(any::<(bool, bool)>(), 2..60)) {
        let p: Vec<f64> = truth.iter().map(|(truth, _)| f64::from(u8::from(*truth))).collect();
        let predicted: Vec<bool> = truth.iter().map(|(_, predicted)| *predicted).collect();
        let errors = truth.iter().map(|(t, p)| Some(f64::from(u8::from(t != p)))).collect();
        let binary = Binary { truth: truth.iter().map(|(t, _)| Some(*t)).collect(), predicted: predicted.clone(), scores: p.clone() };
        let side = Side { rows: p.len() as u64, left_out: 0, errors, data: Data::Binary(binary) };
        let expected = expected(&p, &p, &predicted);
        for measure in ["accuracy", "precision", "recall", "f1", "roc_auc"].map(|name| Measure::named(name).unwrap()) {
            match (measure.of(&side), expected.of(measure)) {
                (Ok(known), Some(value)) => prop_assert!((known.value - value).abs() < 1e-12, "{:?}", measure),
                (known, value) => prop_assert!(known.is_err() && value.is_none(), "{:?}: {:?} {:?}", measure, known, value),
            }
        }
    }
}
