//! The same rows give the same arms, however they were cut up; repetitions and wanderers are counted.

use proptest::prelude::*;

use super::*;

/// Whether it is B's, its request, its unit, its outcome.
type Row = (bool, Option<u8>, Option<u8>, Option<f64>);

fn records(rows: &[Row]) -> Records {
    let id = |id: Option<u8>| id.map(|id| key(&id.to_string()));
    let mut records = Records::default();
    for (is_b, request, unit, value) in rows {
        records.push(*is_b, id(*request), id(*unit), &[*value]);
    }
    records
}

#[test]
fn a_request_counts_once() {
    let rows = [
        (false, Some(1), None, Some(3.0)),
        (false, Some(1), None, Some(3.0)),
        (false, Some(2), None, Some(2.0)),
        (true, Some(2), None, Some(9.0)),
        (true, Some(3), None, None),
    ];
    let collected = records(&rows).collect();
    assert_eq!((collected.a, collected.b), (vec![vec![Some(2.0), Some(3.0)]], vec![vec![None]]));
    let account = collected.account;
    assert_eq!((account.duplicates, account.conflicting, account.rows, account.missing), (2, 1, [2, 1], [0, 1]));
}

#[test]
fn a_unit_counts_once_and_in_no_arm_when_it_saw_both() {
    let rows = [
        (false, None, Some(1), Some(1.0)),
        (false, None, Some(1), Some(2.0)),
        (false, None, Some(1), None),
        (false, None, Some(2), Some(7.0)),
        (true, None, Some(2), Some(8.0)),
        (true, None, Some(3), Some(4.0)),
        (true, None, Some(4), None),
    ];
    let collected = records(&rows).collect();
    assert_eq!((collected.a, collected.b), (vec![vec![Some(1.5)]], vec![vec![Some(4.0), None]]));
    let account = collected.account;
    assert_eq!((account.units, account.in_both, account.share_in_both), (Some([1, 2]), 1, 0.25));
    assert_eq!(account.rows, [4, 3]);
}

#[test]
fn the_values_of_a_row_stay_together() {
    let mut records = Records::default();
    let unit = |unit: u8| Some(key(&unit.to_string()));
    for (who, outcome, covariate, latency) in [
        (1, Some(3.0), Some(10.0), Some(7.0)),
        (1, Some(1.0), None, Some(9.0)),
        (2, None, Some(20.0), None),
        (3, Some(2.0), Some(5.0), Some(1.0)),
    ] {
        records.push(false, None, unit(who), &[outcome, covariate, latency]);
    }
    let again = Records::decode(&records.encode()).unwrap();
    assert_eq!((again.digest(), &again), (records.digest(), &records));
    let collected = again.collect();
    let expected = vec![
        vec![Some(2.0), Some(2.0), None],
        vec![Some(5.0), Some(10.0), Some(20.0)],
        vec![Some(1.0), Some(8.0), None],
    ];
    assert_eq!(collected.a, expected, "each value's mean is over the rows that have it");
    assert_eq!((collected.b, collected.account.missing), (vec![Vec::new(); 3], [1, 0]));
}

#[test]
fn values_survive_their_order() {
    let values = [f64::NEG_INFINITY, -1e308, -1.5, -5e-324, 0.0, 5e-324, 1.0, f64::MAX, f64::INFINITY];
    for pair in values.windows(2) {
        assert!(ordered(Some(pair[0])) < ordered(Some(pair[1])), "{pair:?}");
    }
    for value in values {
        assert_eq!(value_of(ordered(Some(value))), Some(value));
    }
    assert_eq!((ordered(Some(-0.0)), ordered(Some(f64::NAN))), (ordered(Some(0.0)), MISSING));
    assert_eq!(value_of(MISSING), None);
}

#[test]
fn other_bytes_are_nothing() {
    let bytes = records(&[(true, Some(1), Some(2), Some(3.0)), (false, None, None, None)]).encode();
    for end in 1..bytes.len() {
        // Cut between two rows it is shorter, and elsewhere nothing.
        assert!(Records::decode(&bytes[..end]).is_none_or(|cut| cut.encode() == bytes[..end]));
    }
    assert_eq!(Records::decode(&[]), None);
    assert_eq!(Records::decode(&[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let value = prop::option::of(prop_oneof![Just(0.0), Just(1.0), -5.0..5.0f64]);
    prop::collection::vec((any::<bool>(), prop::option::of(0u8..40), prop::option::of(0u8..40), value), 0..120)
}

proptest! {
    #[test]
    fn cutting_and_reading_again_changes_nothing(rows in rows(), at in 0usize..120) {
        let whole = records(&rows);
        let (first, then) = rows.split_at(at.min(rows.len()));
        let mut merged = Records::decode(&records(then).encode()).unwrap();
        merged.merge(&Records::decode(&records(first).encode()).unwrap());
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(merged.digest(), whole.digest());
        prop_assert_eq!(merged.collect(), whole.collect());
        let backwards: Vec<_> = rows.iter().rev().copied().collect();
        prop_assert_eq!(records(&backwards).collect(), whole.collect());
    }

    #[test]
    fn every_row_is_somewhere(rows in rows()) {
        let collected = records(&rows).collect();
        let account = &collected.account;
        prop_assert_eq!(account.rows[0] + account.rows[1] + account.duplicates, rows.len() as u64);
        prop_assert!(account.conflicting <= account.duplicates);
        if let Some(units) = account.units {
            prop_assert_eq!(units, [collected.a[0].len() as u64, collected.b[0].len() as u64]);
        }
    }
}
