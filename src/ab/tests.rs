//! The decision table, line by line, and what must hold of every look. Reference values are compared in the known answers.

use proptest::prelude::*;

use super::*;

/// `ones` ones among `rows` rows.
fn share(ones: usize, rows: usize) -> Moments {
    Moments::of(&(0..rows).map(|i| f64::from(u8::from(i < ones))).collect::<Vec<_>>())
}

fn once(a: &Moments, b: &Moments) -> Evaluation {
    evaluate(&Plan::default(), a, b, Looks::ONCE)
}

fn look(look: u32, planned: Option<u32>, is_final: bool) -> Looks {
    Looks { look, planned, is_final }
}

fn verdict(evaluation: &Evaluation) -> (&'static str, &'static str) {
    (evaluation.decision.as_str(), evaluation.reason)
}

#[test]
fn line_1_unusable_data() {
    let empty = once(&Moments::new(), &share(10, 200));
    assert_eq!(verdict(&empty), ("INVALID_DATA", "no_usable_rows"));
    assert_eq!((empty.p_value, empty.relative_improvement, empty.is_significant), (None, None, false));
    let mut gaps = vec![None; 100];
    gaps.extend((0..400).map(|i| Some(f64::from(i % 2))));
    let gaps = Moments::of_options(&gaps);
    assert_eq!(verdict(&once(&share(250, 500), &gaps)), ("INVALID_DATA", "missing_values_differ"));
}

#[test]
fn line_2_too_few_rows() {
    let few = once(&share(1, 99), &share(90, 100));
    assert_eq!(verdict(&few), ("CONTINUE", "below_min_samples"));
    assert!(!few.is_significant && few.p_value.unwrap() < 1e-10, "reported, and not significant");
    let plan = Plan { min_samples: 0, ..Plan::default() };
    assert_eq!(verdict(&evaluate(&plan, &share(1, 1), &share(1, 3), Looks::ONCE)), ("CONTINUE", "below_min_samples"));
}

#[test]
fn line_3_sample_ratio_mismatch() {
    let blocked = once(&share(500, 1000), &share(690, 1200));
    assert_eq!(verdict(&blocked), ("INVALID_SRM", "sample_ratio_mismatch"));
    assert!(!blocked.is_significant && blocked.sample_ratio_mismatch);
    let plan = Plan { sample_ratio_policy: SampleRatioPolicy::Warn, ..Plan::default() };
    let warned = evaluate(&plan, &share(500, 1000), &share(690, 1200), Looks::ONCE);
    assert_eq!((warned.decision, warned.warnings.len()), (Decision::ShipB, 1));
}

#[test]
fn line_4_zero_variance_never_ships() {
    let constant = |value| Moments::of(&[value; 200]);
    let result = once(&constant(1.0), &constant(2.0));
    assert_eq!(verdict(&result), ("INCONCLUSIVE", "zero_variance"));
    assert_eq!(
        (result.p_value, result.relative_improvement, result.absolute_difference),
        (None, Some(100.0), Some(1.0))
    );
}

#[test]
fn line_5_significantly_worse_in_either_direction() {
    let (good, bad) = (share(570, 1000), share(500, 1000));
    let worse = once(&good, &bad);
    assert_eq!((verdict(&worse), worse.winner), (("KEEP_A", "treatment_significantly_worse"), Some(Winner::A)));
    let plan = Plan { lower_is_better: true, ..Plan::default() };
    let higher_latency = evaluate(&plan, &bad, &good, Looks::ONCE);
    assert_eq!(verdict(&higher_latency), ("KEEP_A", "treatment_significantly_worse"));
    assert!(higher_latency.relative_improvement.unwrap() < 0.0);
}

#[test]
fn line_6_a_baseline_of_zero_is_not_shipped() {
    let result = once(&share(0, 500), &share(40, 500));
    assert_eq!(verdict(&result), ("INCONCLUSIVE", "baseline_zero"));
    assert_eq!((result.is_significant, result.meets_threshold, result.relative_improvement), (true, None, None));
}

#[test]
fn line_7_significant_better_and_at_the_bar() {
    let result = once(&share(500, 1000), &share(575, 1000));
    assert_eq!((verdict(&result), result.winner), (("SHIP_B", "significant_and_meets_threshold"), Some(Winner::B)));
    let superior = Plan { threshold_mode: ThresholdMode::Superiority, ..Plan::default() };
    assert_eq!(evaluate(&superior, &share(500, 1000), &share(575, 1000), Looks::ONCE).meets_threshold, Some(true));
    let bar = Plan { success_threshold: 0.1, ..superior };
    let below = evaluate(&bar, &share(500, 1000), &share(575, 1000), Looks::ONCE);
    assert_eq!(verdict(&below), ("KEEP_A", "below_success_threshold"));
}

#[test]
fn line_9_better_but_below_the_bar() {
    let arm = |shift: f64| Moments::of(&(0..2000).map(|i| f64::from(i % 7) + 100.0 + shift).collect::<Vec<_>>());
    assert_eq!(verdict(&once(&arm(0.0), &arm(1.0))), ("KEEP_A", "below_success_threshold"));
    let early = evaluate(&Plan::default(), &arm(0.0), &arm(1.0), look(1, Some(2), false));
    assert_eq!(verdict(&early), ("CONTINUE", "below_success_threshold"));
}

#[test]
fn lines_11_and_12_not_significant() {
    let (a, b) = (share(500, 1000), share(515, 1000));
    assert_eq!(verdict(&once(&a, &b)), ("INCONCLUSIVE", "not_significant"));
    assert_eq!(verdict(&evaluate(&Plan::default(), &a, &b, look(1, Some(4), false))), ("CONTINUE", "not_significant"));
}

#[test]
fn repeated_looks_pay_for_each_other() {
    // p is 0.0017: significant once, also as one of 28 looks at 0.05/28 = 0.00179, not as one of 40.
    let (a, b) = (share(500, 1000), share(570, 1000));
    let at = |looks| evaluate(&Plan::default(), &a, &b, looks);
    assert!(at(look(3, Some(28), false)).is_significant);
    assert!(!at(look(3, Some(40), false)).is_significant);
    assert_eq!(at(look(3, Some(40), false)).level, Some(0.05 / 40.0));
    let unplanned = at(look(2, None, false));
    assert_eq!((verdict(&unplanned), unplanned.is_significant), (("CONTINUE", "unplanned_look"), false));
    assert!(unplanned.warnings[0].starts_with("look 2 of a test without planned looks"));
    assert_eq!(at(look(2, None, true)).decision, Decision::ShipB, "an explicit verdict, with a warning");
    assert!(!at(look(41, Some(40), false)).is_significant);
    let beyond = at(look(41, Some(40), true));
    assert_eq!((verdict(&beyond), beyond.is_significant), (("INCONCLUSIVE", "unplanned_look"), false));
    assert_eq!(beyond.level, None, "there is no level left to hold it against");
    let glance = at(Looks::GLANCE);
    assert_eq!((verdict(&glance), glance.is_significant, glance.level), (("CONTINUE", "unplanned_look"), false, None));
}

#[test]
fn wider_intervals_go_with_stricter_levels() {
    let (a, b) = (share(500, 1000), share(570, 1000));
    let planned = evaluate(&Plan::default(), &a, &b, look(1, Some(40), true));
    assert!(
        !planned.is_significant
            && planned.difference_low.unwrap() < 0.0
            && planned.relative_improvement_ci.unwrap()[0] < 0.0
    );
}

#[test]
fn results_are_json_without_nan() {
    let json = serde_json::to_value(once(&share(0, 500), &share(0, 500))).unwrap();
    assert_eq!((json["decision"].as_str(), json["winner"].is_null()), (Some("INCONCLUSIVE"), true));
    let json = serde_json::to_value(once(&share(500, 1000), &share(575, 1000))).unwrap();
    assert_eq!((json["decision"].as_str(), json["winner"].as_str()), (Some("SHIP_B"), Some("b")));
}

#[test]
fn every_test_is_documented_and_found_by_name() {
    for entry in ALL {
        assert!(std::ptr::addr_eq(test(entry.name()).unwrap(), *entry));
        assert!(entry.reference().contains("doi:") && !entry.title().is_empty() && !entry.summary().contains("  "));
    }
    assert!(test("z_test").is_none());
}

proptest! {
    #[test]
    fn swapping_the_arms_mirrors_the_result(
        a in prop::collection::vec(-50.0f64..50.0, 2..60), b in prop::collection::vec(-50.0f64..50.0, 2..60),
    ) {
        let (a, b) = (Moments::of(&a), Moments::of(&b));
        let (forward, backward) = (welch(&a, &b, 0.05).unwrap(), welch(&b, &a, 0.05).unwrap());
        prop_assert!((forward.statistic + backward.statistic).abs() <= 1e-12 * forward.statistic.abs().max(1e-6));
        prop_assert!((forward.p_value.ln() - backward.p_value.ln()).abs() < 1e-9);
        prop_assert!((forward.low + backward.high).abs() < 1e-9);
        prop_assert!((forward.p_greater.p() + forward.p_less.p() - 1.0).abs() < 1e-12);
        prop_assert_eq!(forward.low > 0.0 || forward.high < 0.0, forward.p_value.p() < 0.05);
    }

    #[test]
    fn fieller_and_the_p_value_agree(
        a in prop::collection::vec(5.0f64..50.0, 10..60), b in prop::collection::vec(5.0f64..50.0, 10..60), lower in any::<bool>(),
    ) {
        let plan = Plan { min_samples: 2, lower_is_better: lower, ..Plan::default() };
        let result = evaluate(&plan, &Moments::of(&a), &Moments::of(&b), Looks::ONCE);
        let [low, high] = result.relative_improvement_ci.unwrap();
        prop_assert!(low <= result.relative_improvement.unwrap() && result.relative_improvement.unwrap() <= high);
        prop_assert_eq!(low > 0.0 || high < 0.0, result.p_value.unwrap() < 0.05);
    }

    #[test]
    fn nothing_significant_is_decided_against_the_evidence(
        a in 0usize..400, b in 0usize..400, at in 1u32..6, planned in prop::option::of(1u32..6), is_final in any::<bool>(),
    ) {
        let result = evaluate(&Plan::default(), &share(a, 400), &share(b, 400), look(at, planned, is_final));
        match result.decision {
            Decision::ShipB => prop_assert!(result.is_significant && b > a && result.meets_threshold == Some(true)),
            Decision::KeepA => prop_assert!(result.is_significant),
            Decision::Continue => prop_assert!(!is_final),
            _ => {}
        }
        prop_assert!(!result.is_significant || result.p_value.unwrap() < result.level.unwrap());
    }
}
