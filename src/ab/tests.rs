//! The decision table, line by line, and what must hold of every look. Reference values are compared in the known answers; what looks are
//! held against is tested in `looks_tests`, guardrails in `guardrail_tests`, margins in `claim_tests`.

use proptest::prelude::*;

use super::*;
use crate::stats::Moments;

/// `ones` ones among `rows` rows.
pub(super) fn share(ones: usize, rows: usize) -> Moments {
    Moments::of(&(0..rows).map(|i| f64::from(u8::from(i < ones))).collect::<Vec<_>>())
}

/// A look at arms of which only the moments are known.
pub(super) fn at(plan: &Plan, a: &Moments, b: &Moments, looks: Looks) -> Evaluation {
    evaluate(plan, &Arms::of_moments(*a, *b), looks)
}

fn once(a: &Moments, b: &Moments) -> Evaluation {
    at(&Plan::default(), a, b, Looks::ONCE)
}

pub(super) fn look(look: u32, planned: Option<u32>, is_final: bool) -> Looks {
    Looks { look, planned, is_final }
}

pub(super) fn verdict(evaluation: &Evaluation) -> (&'static str, &'static str) {
    (evaluation.decision.as_str(), evaluation.reason)
}

#[test]
fn ranks_and_means_that_contradict_each_other_decide_nothing() {
    // Nearly every row of B is larger, and one row of A is so large that its mean is larger all the same.
    let mut a: Vec<Option<f64>> = (0..200).map(|i| Some(f64::from(i % 10))).collect();
    a[0] = Some(1e6);
    let b: Vec<Option<f64>> = (0..200).map(|i| Some(f64::from(i % 10) + 5.0)).collect();
    let plan = Plan { test: test("mann_whitney").unwrap(), ..Plan::default() };
    for arms in [Arms::of_rows(&a, &b), Arms::of_rows(&b, &a)] {
        let evaluation = evaluate(&plan, &arms, Looks::ONCE);
        assert_eq!((verdict(&evaluation), evaluation.winner), (("INCONCLUSIVE", "directions_differ"), None));
        assert!(evaluation.sentence().contains("the means differ in the other direction"), "{}", evaluation.sentence());
    }
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
    assert_eq!(verdict(&at(&plan, &share(1, 1), &share(1, 3), Looks::ONCE)), ("CONTINUE", "below_min_samples"));
}

#[test]
fn line_3_sample_ratio_mismatch() {
    let blocked = once(&share(500, 1000), &share(690, 1200));
    assert_eq!(verdict(&blocked), ("INVALID_SRM", "sample_ratio_mismatch"));
    assert!(!blocked.is_significant && blocked.sample_ratio_mismatch);
    let plan = Plan { sample_ratio_policy: SampleRatioPolicy::Warn, ..Plan::default() };
    let warned = at(&plan, &share(500, 1000), &share(690, 1200), Looks::ONCE);
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
    let higher_latency = at(&plan, &bad, &good, Looks::ONCE);
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
    assert_eq!(at(&superior, &share(500, 1000), &share(575, 1000), Looks::ONCE).meets_threshold, Some(true));
    let bar = Plan { success_threshold: 0.1, ..superior };
    let below = at(&bar, &share(500, 1000), &share(575, 1000), Looks::ONCE);
    // The estimate reaches the bar, and what was asked of is the lower end.
    assert_eq!(verdict(&below), ("KEEP_A", "lower_end_below_threshold"));
    let Some([low, _]) = below.relative_improvement_ci else { panic!("{below:?}") };
    let sentence = format!("but its interval begins at {low:.1} %, which is below the threshold.");
    assert!(below.sentence().ends_with(&sentence), "{}", below.sentence());
    assert!(below.what_would_change_it(&bar).starts_with("More rows, if the lower end"));
    let shipped = at(&superior, &share(500, 1000), &share(575, 1000), Looks::ONCE);
    assert!(shipped.sentence().contains("even the lower end of its interval"), "{}", shipped.sentence());
    let higher = Plan { success_threshold: 0.2, ..superior };
    assert_eq!(
        verdict(&at(&higher, &share(500, 1000), &share(575, 1000), Looks::ONCE)),
        ("KEEP_A", "below_success_threshold")
    );
}

#[test]
fn line_9_better_but_below_the_bar() {
    let arm = |shift: f64| Moments::of(&(0..2000).map(|i| f64::from(i % 7) + 100.0 + shift).collect::<Vec<_>>());
    assert_eq!(verdict(&once(&arm(0.0), &arm(1.0))), ("KEEP_A", "below_success_threshold"));
    // Significant early, and it may still reach the bar.
    let wide = |shift: f64| Moments::of(&(0..2000).map(|i| f64::from(i % 41) + 80.0 + shift).collect::<Vec<_>>());
    let early = at(&Plan::default(), &wide(0.0), &wide(1.5), look(3, Some(4), false));
    assert_eq!((verdict(&early), early.is_significant), (("CONTINUE", "below_success_threshold"), true));
    // No look comes after the last planned one, whether it is called final or not.
    let last = at(&Plan::default(), &wide(0.0), &wide(1.5), look(4, Some(4), false));
    assert_eq!(verdict(&last), ("KEEP_A", "below_success_threshold"));
    let open = at(&Plan::default(), &wide(0.0), &wide(1.5), look(4, None, false));
    assert_eq!(verdict(&open), ("CONTINUE", "below_success_threshold"));
}

#[test]
fn lines_11_and_12_not_significant() {
    let (a, b) = (share(500, 1000), share(515, 1000));
    assert_eq!(verdict(&once(&a, &b)), ("INCONCLUSIVE", "not_significant"));
    let early = at(&Plan::default(), &a, &b, look(1, Some(4), false));
    assert_eq!(verdict(&early), ("CONTINUE", "not_significant"));
    assert!(early.sentence().starts_with("No difference is established yet"), "{}", early.sentence());
    let last = at(&Plan::default(), &a, &b, look(4, Some(4), false));
    assert_eq!(verdict(&last), ("INCONCLUSIVE", "not_significant"));
    assert!(last.sentence().starts_with("No difference is established (p"), "{}", last.sentence());
}

#[test]
fn repeated_looks_pay_for_each_other() {
    // p is 0.0036: significant once, also at the third of four looks (0.0184), not at the third of 28 (1e-9).
    let (a, b) = (share(500, 1000), share(565, 1000));
    let of = |looks| at(&Plan::default(), &a, &b, looks);
    assert!(of(look(3, Some(4), false)).is_significant);
    let early = of(look(3, Some(28), false));
    assert!(!early.is_significant && early.level.unwrap() < 1e-9, "{early:?}");
    assert_eq!(early.level, Some(planned_level(3, 28, 0.05)));
    // Without a plan the looks are held against a confidence sequence, whatever their number.
    let unplanned = of(look(2, None, false));
    assert!((verdict(&unplanned), unplanned.is_significant) == (("CONTINUE", "not_significant"), false));
    let plain = of(Looks::ONCE);
    assert!(unplanned.p_value.unwrap() > plain.p_value.unwrap() && unplanned.level == Some(0.05));
    assert!(!of(look(41, Some(40), false)).is_significant);
    let beyond = of(look(41, Some(40), true));
    assert_eq!((verdict(&beyond), beyond.is_significant), (("INCONCLUSIVE", "unplanned_look"), false));
    assert_eq!(beyond.level, None, "there is no level left to hold it against");
    let glance = of(Looks::GLANCE);
    assert_eq!((verdict(&glance), glance.is_significant, glance.level), (("CONTINUE", "unplanned_look"), false, None));
}

#[test]
fn line_2_too_short() {
    let circumstances = Circumstances { below_min_duration: true, ..Circumstances::default() };
    let arms = Arms::of_moments(share(500, 1000), share(575, 1000));
    let early = evaluate_under(&Plan::default(), &arms, Looks::ONCE, &circumstances);
    assert_eq!((verdict(&early), early.is_significant), (("CONTINUE", "below_min_duration"), false));
    assert_eq!((early.level, early.share), (None, None), "nothing was judged, so nothing is used up");
    // The same without a p-value.
    let constant = Arms::of_moments(Moments::of(&[1.0; 200]), Moments::of(&[2.0; 200]));
    let undefined = evaluate(&Plan::default(), &constant, look(2, Some(4), false));
    assert_eq!(
        (verdict(&undefined), undefined.level, undefined.share),
        (("INCONCLUSIVE", "zero_variance"), None, None)
    );
}

#[test]
fn line_3_counts_the_units_that_were_assigned() {
    let circumstances = Circumstances { assigned: Some([10_000, 11_000]), ..Circumstances::default() };
    let arms = Arms::of_moments(share(500, 1000), share(575, 1000));
    let found = evaluate_under(&Plan::default(), &arms, Looks::ONCE, &circumstances);
    assert_eq!(verdict(&found), ("INVALID_SRM", "sample_ratio_mismatch"));
    assert!(found.warnings[0].starts_with("arms have 10000 and 11000 assigned rows"), "{:?}", found.warnings);
}

#[test]
fn line_10_not_worth_waiting_for() {
    // The upper end of the interval at look 20 of 28 is 1 %, the bar is 2 %.
    let arm = |shift: f64| Moments::of(&(0..20_000).map(|i| f64::from(i % 7) + 100.0 + shift).collect::<Vec<_>>());
    let (a, b) = (arm(0.0), arm(0.01));
    let found = at(&Plan::default(), &a, &b, look(20, Some(28), false));
    assert_eq!(
        (verdict(&found), found.winner, found.is_significant),
        (("KEEP_A", "cannot_reach_threshold"), None, false)
    );
    assert_eq!(verdict(&at(&Plan::default(), &a, &b, look(20, None, false))).0, "KEEP_A", "by the confidence sequence");
    assert_eq!(verdict(&once(&a, &b)), ("INCONCLUSIVE", "not_significant"), "a single look has no sequential bound");
    assert_eq!(verdict(&at(&Plan::default(), &a, &b, Looks::GLANCE)), ("CONTINUE", "unplanned_look"));
}

#[test]
fn wider_intervals_go_with_stricter_levels() {
    let (a, b) = (share(500, 1000), share(570, 1000));
    let planned = at(&Plan::default(), &a, &b, look(15, Some(40), false));
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
        prop_assert!((forward.low.unwrap() + backward.high.unwrap()).abs() < 1e-9);
        prop_assert!((forward.p_greater.p() + forward.p_less.p() - 1.0).abs() < 1e-12);
        prop_assert_eq!(forward.low.unwrap() > 0.0 || forward.high.unwrap() < 0.0, forward.p_value.p() < 0.05);
    }

    #[test]
    fn fieller_and_the_p_value_agree(
        a in prop::collection::vec(5.0f64..50.0, 10..60), b in prop::collection::vec(5.0f64..50.0, 10..60), lower in any::<bool>(),
    ) {
        let plan = Plan { min_samples: 2, lower_is_better: lower, ..Plan::default() };
        let result = at(&plan, &Moments::of(&a), &Moments::of(&b), Looks::ONCE);
        let [low, high] = result.relative_improvement_ci.unwrap();
        prop_assert!(low <= result.relative_improvement.unwrap() && result.relative_improvement.unwrap() <= high);
        prop_assert_eq!(low > 0.0 || high < 0.0, result.p_value.unwrap() < 0.05);
    }

    #[test]
    fn nothing_significant_is_decided_against_the_evidence(
        a in 0usize..400, b in 0usize..400, number in 1u32..6, planned in prop::option::of(1u32..6), is_final in any::<bool>(),
    ) {
        let result = at(&Plan::default(), &share(a, 400), &share(b, 400), look(number, planned, is_final));
        match result.decision {
            Decision::ShipB => prop_assert!(result.is_significant && b > a && result.meets_threshold == Some(true)),
            Decision::KeepA => prop_assert!(result.is_significant || result.reason == "cannot_reach_threshold"),
            Decision::Continue => prop_assert!(!is_final),
            _ => {}
        }
        prop_assert!(!result.is_significant || result.p_value.unwrap() < result.level.unwrap());
    }
}

#[test]
fn a_test_says_whether_it_has_an_interval() {
    let rows = |share: usize| (0..200).map(|i| f64::from(u8::from(i * 7 % 10 < share))).collect::<Vec<_>>();
    let (a, b) = (rows(4), rows(6));
    let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
    let labels: Vec<bool> = (0..200).map(|i| i * 7 % 10 < 5).collect();
    let noisy = |weight: f64| {
        labels
            .iter()
            .zip(0..)
            .map(|(l, i)| weight * f64::from(u8::from(*l)) + f64::from(i * 31 % 17))
            .collect::<Vec<_>>()
    };
    for test in ALL {
        let arms = match test.needs() {
            Needs::Scores => Arms::of_scores(&labels, &noisy(1.0), &noisy(3.0)).unwrap(),
            needs if needs.is_met_by_separate_rows() => Arms::of_values(&a, &b),
            _ => Arms::of_pairs(&some(&a), &some(&b)).unwrap(),
        };
        let evaluation = evaluate(&Plan { test: *test, min_samples: 10, ..Plan::default() }, &arms, Looks::ONCE);
        assert_eq!(evaluation.relative_improvement_ci.is_some(), test.has_interval(), "{}", test.name());
    }
}

#[test]
fn what_is_lost_goes_by_which_way_is_better() {
    let (a, b) = (share(70, 1000), share(193, 1000));
    let of = |lower_is_better| {
        let found = at(&Plan { test: &Bayesian, lower_is_better, ..Plan::default() }, &a, &b, Looks::ONCE);
        (found.decision, found.posterior.unwrap())
    };
    let ((ship, more), (keep, less)) = (of(false), of(true));
    assert_eq!((ship, keep), (Decision::ShipB, Decision::KeepA));
    assert!(more.loss_of_choosing_b < 1e-6 && less.loss_of_choosing_b > 0.12, "{more:?} {less:?}");
    assert_eq!(more.probability_b_larger, less.probability_b_larger);
}

#[test]
fn the_improvement_of_a_share_agrees_with_the_p_value() {
    for (k, n, l, m) in [(17, 100, 13, 150), (17, 100, 41, 150), (5, 100, 13, 100), (50, 1000, 70, 1000)] {
        for test in [&ProportionsZTest as &'static dyn Test, &ChiSquare] {
            let found = at(&Plan { test, ..Plan::default() }, &share(k, n), &share(l, m), Looks::ONCE);
            let [low, high] = found.relative_improvement_ci.unwrap();
            assert_eq!(low <= 0.0 && high >= 0.0, found.p_value.unwrap() >= 0.05, "{k}/{n} {l}/{m}: {low} {high}");
        }
    }
}

#[test]
fn a_baseline_that_may_be_zero_has_no_share_to_be_sure_of() {
    let rows = |mean: f64| (0..200).map(|i| mean + f64::from(i % 2 * 2) - 1.0).collect::<Vec<_>>();
    let arms = Arms::of_values(&rows(0.01), &rows(1.0));
    let of = |threshold_mode| evaluate(&Plan { threshold_mode, ..Plan::default() }, &arms, Looks::ONCE);
    assert_eq!(of(ThresholdMode::Point).decision, Decision::ShipB);
    let sure = of(ThresholdMode::Superiority);
    assert_eq!(verdict(&sure), ("INCONCLUSIVE", "baseline_indistinguishable_from_zero"));
    assert!(sure.sentence().contains("A cannot be told from 0"), "{}", sure.sentence());
}
