//! What looks are held against, and what they use up. Cases of [`super::looks`].

use super::tests::{at, look, share, verdict};
use super::*;
use crate::stats::normal_quantile;

fn past(share: Option<f64>, rows: u64) -> PastLook {
    PastLook { share, rows: [rows, rows] }
}

/// Look `past.len() + 1` at shares of 50 % and a bit more, with `rows` in each arm.
fn after(past: &[PastLook], rows: usize, planned: Option<u32>, is_final: bool, share_now: Option<f64>) -> Evaluation {
    let circumstances = Circumstances { past, share: share_now, ..Circumstances::default() };
    let arms = Arms::of_moments(share(rows / 2, rows), share(rows / 2 + rows / 50, rows));
    evaluate_under(&Plan::default(), &arms, look(past.len() as u32 + 1, planned, is_final), &circumstances)
}

#[test]
fn rows_that_are_not_equally_spaced_keep_the_level() {
    // Five looks, four times the rows at each: what is found by the boundaries of equal rows, and by those of the rows there are.
    let rows: Vec<u64> = (0..5).map(|k| 100 * 4u64.pow(k)).collect();
    let (mut looks, mut levels) = (Vec::new(), Vec::new());
    for (number, rows) in rows.iter().enumerate() {
        let found = after(&looks, *rows as usize, Some(5), number == 4, None);
        assert_eq!(found.share, Some((number as f64 + 1.0) / 5.0));
        levels.push(found.level.unwrap());
        looks.push(past(found.share, *rows));
    }
    let information: Vec<f64> = rows.iter().map(|rows| *rows as f64).collect();
    let chance = |levels: &[f64]| {
        let z: Vec<f64> = levels.iter().map(|level| -normal_quantile(level / 2.0).unwrap()).collect();
        crossing_chance(&information, &z)
    };
    let equal: Vec<f64> = (1..=5).map(|k| planned_level(k, 5, 0.05)).collect();
    assert!((chance(&equal) - 0.0659).abs() < 1e-4, "{}", chance(&equal));
    assert!((chance(&levels) - 0.05).abs() < 1e-6, "{}", chance(&levels));
    // The clock is the caller's: by the time that has passed, and the rows of the look before in other arms.
    let before = [PastLook { share: Some(0.1), rows: [500, 1500] }];
    let found = after(&before, 1000, Some(4), false, Some(0.9));
    let level = boundaries_by(&[0.1, 0.9], &[375.0, 500.0], 0.05, Spending::OBrienFleming)[1].level;
    assert_eq!((found.level, found.share), (Some(level), Some(0.9)));
}

#[test]
fn the_last_look_spends_what_is_left() {
    // A horizon that time has reached gets the rest of the level, whatever the number of its look.
    let ended = after(&[past(None, 500)], 1000, Some(4), true, Some(1.0));
    let level = boundaries_by(&[0.25, 1.0], &[250.0, 500.0], 0.05, Spending::OBrienFleming)[1].level;
    assert_eq!((ended.level, ended.share), (Some(level), Some(1.0)));
    // Once it is spent, nothing is left for another.
    let after_it = after(&[past(None, 500), past(Some(1.0), 1000)], 2000, Some(4), false, Some(0.9));
    assert_eq!((verdict(&after_it), after_it.level, after_it.share), (("INCONCLUSIVE", "unplanned_look"), None, None));
    let glance = at(&Plan::default(), &share(500, 1000), &share(600, 1000), Looks::GLANCE);
    assert_eq!(
        verdict(&glance),
        ("CONTINUE", "unplanned_look"),
        "a glance beside the plan says nothing of what is left"
    );
    // The last planned look is the last that can decide, so it takes the rest, whatever the time says.
    let last = after(&[past(Some(0.4), 500)], 1000, Some(2), false, Some(0.8));
    assert_eq!((verdict(&last), last.share), (("INCONCLUSIVE", "not_significant"), Some(1.0)));
    // A single planned look has nothing to share.
    let single = after(&[], 1000, Some(1), false, Some(0.3));
    assert_eq!((single.level, single.share), (Some(0.05), None));
}

#[test]
fn ending_a_test_early_brings_nothing_forward() {
    // Whoever ends it because of what was seen would find too much, if the rest of the level came with it.
    for share_now in [None, Some(0.5)] {
        let ended = after(&[past(None, 500)], 1000, Some(4), true, share_now);
        let level = boundaries_by(&[0.25, 0.5], &[250.0, 500.0], 0.05, Spending::OBrienFleming)[1].level;
        assert_eq!(
            (verdict(&ended), ended.level, ended.share),
            (("INCONCLUSIVE", "not_significant"), Some(level), Some(0.5))
        );
    }
    let first = after(&[], 10_000, Some(28), true, None);
    assert!(first.level.unwrap() < 1e-20, "{first:?}");
    // Where only the last planned look decides, ending the test before it decides nothing.
    let plan = Plan { monitoring: Monitoring::Horizon, ..Plan::default() };
    let (a, b) = (share(500, 1000), share(600, 1000));
    let early = at(&plan, &a, &b, look(2, Some(3), true));
    assert_eq!((verdict(&early), early.level), (("INCONCLUSIVE", "waits_for_horizon"), None));
    assert_eq!(at(&plan, &a, &b, look(3, Some(3), false)).decision, Decision::ShipB);
    // By time, not by number, where time is what was planned.
    let by_time = |share_now| {
        let circumstances = Circumstances { share: share_now, ..Circumstances::default() };
        evaluate_under(&plan, &Arms::of_moments(a, b), look(3, Some(3), false), &circumstances).decision
    };
    assert_eq!((by_time(Some(0.9)), by_time(Some(1.0))), (Decision::Continue, Decision::ShipB));
}

#[test]
fn a_look_without_new_rows_uses_nothing_up() {
    let stale = after(&[past(None, 1000)], 1000, Some(4), false, None);
    assert_eq!((verdict(&stale), stale.level, stale.share), (("CONTINUE", "no_new_rows"), None, None));
    assert!(stale.sentence().contains("(1000 of A and 1000 of B then, 1000 and 1000 now)"), "{}", stale.sentence());
    assert_eq!(verdict(&after(&[past(None, 1000)], 900, Some(4), false, None)).1, "no_new_rows");
    // The final look is judged all the same. It repeats what the first one saw, so at the horizon it has the level nearly to itself.
    let ended = after(&[past(None, 1000)], 1000, Some(4), true, Some(1.0));
    assert_eq!((verdict(&ended), ended.share), (("INCONCLUSIVE", "not_significant"), Some(1.0)));
    assert!((ended.level.unwrap() - 0.05).abs() < 1e-6, "{ended:?}");
    assert!(ended.warnings[0].starts_with("the last look has no more rows"), "{:?}", ended.warnings);
    // One more row is a look, however little it brings.
    let hair = after(&[past(None, 100_000)], 100_001, Some(4), false, None);
    assert!(hair.level.is_some_and(|level| level > 0.0 && level < 0.05), "{hair:?}");
}

#[test]
fn looks_whose_rows_nobody_knows_are_taken_to_be_equally_far_apart() {
    for before in [&[][..], &[past(None, 0)][..]] {
        let circumstances = Circumstances { past: before, share: Some(0.9), ..Circumstances::default() };
        let arms = Arms::of_moments(share(500, 1000), share(515, 1000));
        let found = evaluate_under(&Plan::default(), &arms, look(2, Some(4), false), &circumstances);
        assert_eq!((found.level, found.share), (Some(planned_level(2, 4, 0.05)), Some(0.5)));
    }
    // Also where the test ends here.
    let arms = Arms::of_moments(share(500, 1000), share(515, 1000));
    let ended = evaluate(&Plan::default(), &arms, look(2, Some(4), true));
    assert_eq!((ended.level, ended.share), (Some(planned_level(2, 4, 0.05)), Some(0.5)));
}

#[test]
fn a_test_without_an_end_is_decided_by_its_sequence_also_at_the_end() {
    // p is 0.0036: enough for one plain look, and not for a sequence.
    let (a, b) = (share(500, 1000), share(565, 1000));
    let of = |looks| at(&Plan::default(), &a, &b, looks);
    let asked_once = of(look(1, None, true));
    assert_eq!((verdict(&asked_once).0, asked_once.p_value), ("SHIP_B", of(Looks::ONCE).p_value));
    let ended = of(look(2, None, true));
    assert_eq!((verdict(&ended), ended.level), (("INCONCLUSIVE", "not_significant"), Some(0.05)));
    assert_eq!(ended.p_value, of(look(2, None, false)).p_value, "the sequence's, at the end as before");
    assert!(ended.warnings.is_empty(), "{:?}", ended.warnings);
    let certain = at(&Plan::default(), &a, &share(700, 1000), look(28, None, true));
    assert_eq!((certain.decision, certain.warnings.len()), (Decision::ShipB, 0));
    // Where only the last look decides, a second last one is a plain verdict too many.
    let plan = Plan { monitoring: Monitoring::Horizon, ..Plan::default() };
    let again = at(&plan, &a, &b, look(2, None, true));
    assert_eq!(again.decision, Decision::ShipB);
    assert!(again.warnings[0].starts_with("look 2 of a test without planned looks"), "{:?}", again.warnings);
}

#[test]
fn a_test_without_a_standard_error_is_decided_at_its_last_look() {
    let rows = |ones: usize| (0..1000).map(|i| f64::from(u8::from(i < ones))).collect::<Vec<_>>();
    let arms = Arms::of_values(&rows(500), &rows(565));
    for monitoring in [Monitoring::Auto, Monitoring::AlwaysValid] {
        let plan = Plan { test: &MannWhitneyTest, monitoring, ..Plan::default() };
        let early = evaluate(&plan, &arms, look(1, None, false));
        assert_eq!((verdict(&early), early.level), (("CONTINUE", "waits_for_horizon"), None));
        assert!(early.warnings[0].starts_with("mann_whitney has no standard error"), "{:?}", early.warnings);
        assert!(early.sentence().starts_with("Only the last look of this test decides"), "{}", early.sentence());
        // Nothing was used up, so it is still the first look that counts.
        let last = evaluate(&plan, &arms, look(1, None, true));
        assert_eq!((last.decision, last.level), (Decision::ShipB, Some(0.05)));
        assert!(last.warnings.is_empty(), "{:?}", last.warnings);
    }
}

#[test]
fn the_rule_follows_the_test_and_the_plan() {
    let (a, b) = (share(500, 1000), share(565, 1000));
    let of = |test: &str, monitoring, looks| {
        at(&Plan { test: super::test(test).unwrap(), monitoring, ..Plan::default() }, &a, &b, looks)
    };
    let silent = of("group_sequential", Monitoring::Auto, look(1, None, false));
    assert_eq!(verdict(&silent), ("CONTINUE", "unplanned_look"), "there is no plan to spend by");
    let sequence = of("always_valid", Monitoring::Auto, look(3, Some(4), false));
    assert!(
        !sequence.is_significant && sequence.level == Some(0.05) && sequence.share.is_none(),
        "valid at every look, so planned ones too: {sequence:?}"
    );
    let reporting = of("t_test", Monitoring::Horizon, look(1, Some(3), false));
    assert_eq!((verdict(&reporting), reporting.level), (("CONTINUE", "waits_for_horizon"), None));
    assert_eq!(reporting.what_would_change_it(&Plan::default()), "Time: the test is decided at its last look.");
    assert_eq!(of("t_test", Monitoring::Horizon, look(4, Some(4), true)).decision, Decision::ShipB);
}
