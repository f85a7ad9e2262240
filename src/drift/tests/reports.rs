//! Many checks together.

use std::collections::BTreeMap;

use super::*;

#[test]
fn a_share_of_columns_can_be_asked_for() {
    let drifted = |column: &str, drifted: bool| Check {
        column: column.into(),
        score: Some(0.5),
        drifted,
        status: if drifted { Status::Drifted } else { Status::Ok },
        ..not_judged("", "psi", Status::Ok, "", 0.2)
    };
    let checks = || vec![drifted("a", true), drifted("b", false), drifted("c", false), drifted("d", false)];
    assert!(report(checks(), None, &Default::default()).drifted);
    assert!(report(checks(), Some(0.25), &Default::default()).drifted);
    assert!(!report(checks(), Some(0.3), &Default::default()).drifted);
    assert!(!report(vec![], Some(0.0), &Default::default()).drifted);
}

#[test]
fn importance_changes_the_order_and_nothing_else() {
    let column = |name: &str, score: f64| Check {
        column: name.into(),
        score: Some(score),
        drifted: true,
        status: Status::Drifted,
        ..not_judged("", "psi", Status::Ok, "", 0.2)
    };
    let checks = || vec![column("a", 0.3), column("b", 0.5), column("c", 0.4)];
    let weights: BTreeMap<String, f64> = [("a".to_owned(), 2.0), ("c".to_owned(), f64::NAN)].into();
    let (plain, weighed) = (report(checks(), None, &BTreeMap::new()), report(checks(), None, &weights));
    assert_eq!(plain.drifted_columns, ["b", "c", "a"]);
    assert_eq!(weighed.drifted_columns, ["a", "b", "c"]);
    assert_eq!((plain.drift_score, weighed.drift_score), (Some(0.5), Some(0.5)));
}

#[test]
fn q_values_are_over_the_checks_with_a_p_value_and_do_not_decide() {
    let reference = normal(2000, 0.0, 1.0);
    let mut checks = Vec::new();
    for (index, shift) in [0.0, 0.05, 0.15, 0.7].into_iter().enumerate() {
        let current = normal(2000, shift, 1.0);
        for name in ["ks_test", "wasserstein"] {
            let check = check(name, &side(&reference), &side(&current));
            checks.push(Check { column: format!("c{index}"), ..check });
        }
    }
    let report = report(checks, None, &Default::default());
    let tested: Vec<&Check> = report.columns.iter().filter(|check| check.method == "ks_test").collect();
    let p: Vec<f64> = tested.iter().map(|check| check.p_value.unwrap()).collect();
    let q: Vec<f64> = tested.iter().map(|check| check.q_value.unwrap()).collect();
    assert_eq!(q, crate::stats::benjamini_hochberg(&p));
    assert!(report.columns.iter().filter(|check| check.method == "wasserstein").all(|check| check.q_value.is_none()));
    let significant = tested.iter().filter(|check| check.q_value.unwrap() < 0.05).count();
    let drifted = tested.iter().filter(|check| check.drifted).count();
    assert_eq!((significant, drifted), (2, 1), "a small shift of many rows is significant and no drift");
}

#[test]
fn results_are_valid_json_without_nulls_where_numbers_belong() {
    let values = numbers([1.0, 2.0, f64::INFINITY]);
    let check = check("ks_test", &side(&values), &side(&[f64::INFINITY]));
    let json = serde_json::to_value(&check).unwrap();
    assert_eq!((json["status"].as_str(), json["drifted"].as_bool()), (Some("drifted"), Some(true)));
    assert_eq!(json["details"]["at"], 2.0);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let mut draws = Draws::new(7);
    let (reference, current) = (draws.column(3000, Draws::normal), draws.column(2000, Draws::normal));
    for name in names(false) {
        let bytes = || serde_json::to_string(&check(name, &side(&reference), &side(&current))).unwrap();
        let first = bytes();
        let threads: Vec<String> = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..4).map(|_| scope.spawn(bytes)).collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).collect()
        });
        assert!(threads.iter().all(|bytes| *bytes == first), "{name}");
    }
}
