//! Claims with a margin: non-inferiority and equivalence.

use super::tests::{at, look, share, verdict};
use super::*;
use crate::stats::{Moments, Random};

fn claiming(hypothesis: Hypothesis) -> Plan {
    Plan { hypothesis, ..Plan::default() }
}

/// 1,000 rows with a standard deviation of 10; the interval of the improvement on 100 is about 0.88 % to either side.
fn arm(mean: f64) -> Moments {
    Moments::from_summary(1000, mean, 100.0).unwrap()
}

fn of(hypothesis: Hypothesis, mean: f64, looks: Looks) -> Evaluation {
    at(&claiming(hypothesis), &arm(100.0), &arm(mean), looks)
}

#[test]
fn a_claim_of_non_inferiority() {
    let claim = Hypothesis::NonInferiority(0.02);
    let shown = of(claim, 99.5, Looks::ONCE);
    assert_eq!((verdict(&shown), shown.winner), (("SHIP_B", "not_inferior"), Some(Winner::B)));
    assert!(shown.is_significant && shown.meets_threshold.is_none() && shown.p_value.unwrap() > 0.05);
    let p = beyond_margin(&arm(100.0), &arm(99.5), -0.02, false).unwrap().p_value.p();
    assert_eq!(shown.margin_p_value, Some(p));
    let sentence = shown.sentence();
    assert!(
        sentence.starts_with("B is worse by less than 2 %, if at all: its interval begins at -1.37 % (p"),
        "{sentence}"
    );
    assert_eq!(shown.what_would_change_it(&claiming(claim)), "A margin of less than 1.4 %; B may be worse by as much.");

    let inferior = of(claim, 96.0, Looks::ONCE);
    assert_eq!((verdict(&inferior), inferior.winner), (("KEEP_A", "inferior"), Some(Winner::A)));
    assert!(!inferior.is_significant && inferior.sentence().contains("its interval ends at -3.1"));

    let open = of(claim, 98.0, Looks::ONCE);
    assert_eq!((verdict(&open), open.winner), (("INCONCLUSIVE", "non_inferiority_not_shown"), None));
    assert!(
        open.sentence().starts_with("It is not shown that B is worse by less than 2 %: its interval goes from -2.")
    );
    let early = of(claim, 98.0, look(2, Some(4), false));
    assert_eq!((verdict(&early), early.is_significant), (("CONTINUE", "non_inferiority_not_shown"), false));
    assert!(early.sentence().starts_with("It is not shown yet"), "{}", early.sentence());
    assert_eq!(verdict(&of(claim, 98.0, look(4, Some(4), false))).0, "INCONCLUSIVE");
    // The level of the look counts: what one look shows, an early one of several does not.
    let narrow = of(claim, 99.0, Looks::ONCE);
    assert!(narrow.is_significant && !of(claim, 99.0, look(1, Some(4), false)).is_significant);
    assert!(!of(claim, 99.0, look(1, None, false)).is_significant, "nor a sequence");
    assert_eq!(verdict(&of(claim, 99.0, Looks::GLANCE)), ("CONTINUE", "unplanned_look"));
    let lower = Plan { lower_is_better: true, ..claiming(claim) };
    assert_eq!(verdict(&at(&lower, &arm(100.0), &arm(100.5), Looks::ONCE)).1, "not_inferior");
    assert_eq!(verdict(&at(&lower, &arm(100.0), &arm(104.0), Looks::ONCE)).1, "inferior");
}

#[test]
fn a_claim_of_equivalence() {
    let claim = Hypothesis::Equivalence(0.02);
    let shown = of(claim, 100.5, Looks::ONCE);
    assert_eq!((verdict(&shown), shown.winner), (("SHIP_B", "equivalent"), Some(Winner::B)));
    let above = beyond_margin(&arm(100.0), &arm(100.5), 0.02, false).unwrap().p_value.p();
    assert!((shown.margin_p_value.unwrap() - (1.0 - above)).abs() < 1e-12, "the nearer side is the larger p-value");
    assert!(
        shown.sentence().starts_with("B differs from A by less than 2 %: its interval goes from -0.38 % to +1.38 % (p"),
        "{}",
        shown.sentence()
    );
    assert_eq!(verdict(&of(claim, 96.0, Looks::ONCE)), ("KEEP_A", "inferior"));
    let better = of(claim, 105.0, Looks::ONCE);
    assert_eq!((verdict(&better), better.winner), (("REVIEW", "better_than_equivalent"), None));
    assert!(!better.is_significant && better.sentence().contains("people have to decide"));
    assert_eq!(verdict(&of(claim, 102.0, Looks::ONCE)), ("INCONCLUSIVE", "equivalence_not_shown"));
    assert_eq!(verdict(&of(claim, 102.0, look(2, Some(4), false))), ("CONTINUE", "equivalence_not_shown"));
}

#[test]
fn the_conditions_of_every_test_come_first() {
    let plan = claiming(Hypothesis::NonInferiority(0.5));
    let same = |rows: u64| Moments::from_summary(rows, 100.0, 100.0).unwrap();
    assert_eq!(verdict(&at(&plan, &same(50), &same(50), Looks::ONCE)), ("CONTINUE", "below_min_samples"));
    assert_eq!(verdict(&at(&plan, &same(1000), &same(1300), Looks::ONCE)), ("INVALID_SRM", "sample_ratio_mismatch"));
    let constant = Moments::of(&[1.0; 200]);
    assert_eq!(verdict(&at(&plan, &constant, &constant, Looks::ONCE)), ("INCONCLUSIVE", "zero_variance"));
    let zero = at(&plan, &share(0, 500), &share(3, 500), Looks::ONCE);
    assert_eq!((verdict(&zero), zero.is_significant), (("INCONCLUSIVE", "baseline_zero"), false));
    assert_eq!(zero.sentence(), "A is 0, so there is no relative improvement to judge.");
    // A baseline that may be 0 bounds nothing.
    let faint = Moments::from_summary(200, 0.1, 100.0).unwrap();
    assert_eq!(verdict(&at(&plan, &faint, &faint, Looks::ONCE)), ("INCONCLUSIVE", "non_inferiority_not_shown"));
    // Ranks give the improvement no interval, so they show nothing about it.
    let rows: Vec<f64> = (0..200).map(|i| 100.0 + f64::from(i % 7)).collect();
    let ranks = evaluate(&Plan { test: &MannWhitneyTest, ..plan }, &Arms::of_values(&rows, &rows), Looks::ONCE);
    assert_eq!((verdict(&ranks).1, ranks.margin_p_value), ("non_inferiority_not_shown", None));
    assert!(ranks.warnings[0].starts_with("mann_whitney gives the improvement no interval"), "{:?}", ranks.warnings);
    // A guardrail has the last word here too.
    let guardrail = Guardrail { name: "cost".to_owned(), rule: GuardrailRule::NoHarm, lower_is_better: true };
    let guardrails = [(guardrail, Arms::of_moments(arm(100.0), arm(105.0)))];
    let circumstances = Circumstances { guardrails: &guardrails, ..Circumstances::default() };
    let found = evaluate_under(&plan, &Arms::of_moments(arm(100.0), arm(100.0)), Looks::ONCE, &circumstances);
    assert_eq!(verdict(&found), ("REVIEW", "guardrail_failed"));
    assert!(found.sentence().contains("But cost is worse by 5.0 %"), "{}", found.sentence());
}

#[test]
fn a_model_that_is_worse_by_the_margin_ships_as_seldom_as_the_level_says() {
    let mut random = Random::new(5);
    let (times, mut ships) = (4000u32, [0u32; 2]);
    for _ in 0..times {
        // Means of 400 rows with a standard deviation of 20; A is 100 and B exactly 5 % worse.
        let mut arm = |mean: f64| Moments::from_summary(400, mean + random.normal(), 400.0).unwrap();
        let (a, b) = (arm(100.0), arm(95.0));
        for (claim, ships) in [Hypothesis::NonInferiority(0.05), Hypothesis::Equivalence(0.05)].iter().zip(&mut ships) {
            let found = at(&claiming(*claim), &a, &b, Looks::ONCE);
            *ships += u32::from(found.decision == Decision::ShipB);
            // Interval and p-value tell the same: half the level on either side.
            assert_eq!(found.is_significant, found.margin_p_value.unwrap() < 0.025, "{found:?}");
        }
    }
    for ships in ships {
        let (share, error) = (f64::from(ships) / f64::from(times), (0.025 * 0.975 / f64::from(times)).sqrt());
        assert!((share - 0.025).abs() < 2.6 * error, "{share}");
    }
}
