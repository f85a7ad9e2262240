//! What must hold of every test, whatever the rows: mirrored arms, other units, other orders, intervals that agree with p.

use proptest::prelude::*;

use super::*;
use crate::stats::Moments;

/// Arms that this test can be asked about, from any rows.
fn fitting(test: &dyn Test, a: &[f64], b: &[f64]) -> Arms {
    let n = a.len().min(b.len());
    let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
    let ones = |values: &[f64]| values.iter().map(|value| f64::from(u8::from(*value > 0.0))).collect::<Vec<_>>();
    match test.needs() {
        Needs::Moments | Needs::Rows => Arms::of_values(a, b),
        Needs::Shares => Arms::of_values(&ones(a), &ones(b)),
        Needs::Pairs => Arms::of_pairs(&some(&a[..n]), &some(&b[..n])).unwrap(),
        Needs::PairsOfShares => Arms::of_pairs(&some(&ones(&a[..n])), &some(&ones(&b[..n]))).unwrap(),
        Needs::Scores => Arms::of_scores(&(0..n).map(|i| i % 3 == 0).collect::<Vec<_>>(), &a[..n], &b[..n]).unwrap(),
    }
}

const QUESTION: Question = Question { alpha: 0.05, seed: 7 };

/// Draws do not mirror, so tests that resample are left out where that is asked.
fn is_drawn(test: &dyn Test) -> bool {
    matches!(test.name(), "bootstrap" | "permutation")
}

fn close(x: f64, y: f64, tolerance: f64) -> bool {
    x == y || (x - y).abs() <= tolerance * (1.0 + x.abs().max(y.abs()))
}

fn rows() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((-300i32..300).prop_map(|v| f64::from(v) / 8.0), 4..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn swapping_the_arms_mirrors_every_test(a in rows(), b in rows()) {
        for test in ALL.iter().filter(|test| !is_drawn(**test)) {
            let forward = test.compare(&fitting(*test, &a, &b), &QUESTION);
            let backward = test.compare(&fitting(*test, &b, &a), &QUESTION);
            let (Ok(x), Ok(y)) = (forward, backward) else {
                prop_assert_eq!(forward.err(), backward.err(), "{}", test.name());
                continue;
            };
            let name = test.name();
            prop_assert!(close(x.difference, -y.difference, 1e-12), "{name}");
            prop_assert!(close(x.p_value.p(), y.p_value.p(), 1e-9), "{name}: {:?} {:?}", x.p_value, y.p_value);
            prop_assert!(close(x.p_greater.p(), y.p_less.p(), 1e-9), "{name}");
            if let (Some(low), Some(high)) = (x.low, y.high) {
                prop_assert!(close(low, -high, 1e-9), "{name}: {low} {high}");
            }
        }
    }

    #[test]
    fn the_unit_does_not_matter(a in rows(), b in rows(), exponent in prop::sample::select(vec![-300, -7, 9, 300])) {
        let unit = 2.0f64.powi(exponent);
        let scaled = |rows: &[f64]| rows.iter().map(|value| value * unit).collect::<Vec<_>>();
        for test in ALL {
            let plain = test.compare(&fitting(*test, &a, &b), &QUESTION);
            let other = test.compare(&fitting(*test, &scaled(&a), &scaled(&b)), &QUESTION);
            let (Ok(x), Ok(y)) = (plain, other) else {
                prop_assert_eq!(plain.err(), other.err(), "{}", test.name());
                continue;
            };
            prop_assert!(close(x.p_value.p(), y.p_value.p(), 1e-9), "{}: {:?} {:?}", test.name(), x.p_value, y.p_value);
            let lift = |found: &Comparison| found.ratio.map(|ratio| ratio.improvement(false, found.critical));
            if let (Some(x), Some(y)) = (lift(&x), lift(&y)) {
                prop_assert_eq!(x.interval.is_some(), y.interval.is_some());
                prop_assert!(close(x.percent.unwrap_or(0.0), y.percent.unwrap_or(0.0), 1e-9), "{}", test.name());
            }
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(mut a in rows(), mut b in rows(), turn in 0usize..5) {
        let before = (a.clone(), b.clone());
        a.rotate_left(turn % 4);
        b.reverse();
        for test in ALL.iter().filter(|test| test.needs().is_met_by_separate_rows()) {
            let plain = test.compare(&fitting(*test, &before.0, &before.1), &QUESTION);
            let other = test.compare(&fitting(*test, &a, &b), &QUESTION);
            let (Ok(x), Ok(y)) = (plain, other) else {
                prop_assert_eq!(plain.err(), other.err());
                continue;
            };
            prop_assert!(close(x.p_value.p(), y.p_value.p(), 1e-9), "{}", test.name());
        }
    }

    #[test]
    fn intervals_agree_with_p(a in rows(), b in rows()) {
        // Score intervals and the pooled z-test answer slightly different questions, and ranks have no interval.
        for name in ["t_test", "student_t_test", "paired_t_test", "delong", "group_sequential", "bayesian", "bootstrap"] {
            let test = test(name).unwrap();
            let Ok(found) = test.compare(&fitting(test, &a, &b), &QUESTION) else { continue };
            let (Some(low), Some(high)) = (found.low, found.high) else { continue };
            prop_assert!(low <= high, "{name}");
            // The bootstrap's end lies between two draws, where p jumps.
            let slack = if name == "bootstrap" { 0.01 } else { 1e-9 };
            if (found.p_value.p() - 0.05).abs() > slack {
                prop_assert_eq!(low > 0.0 || high < 0.0, found.p_value.p() < 0.05, "{}: {:?}", name, found);
            }
        }
    }

    #[test]
    fn a_confidence_sequence_is_wider_and_agrees_with_its_p(a in rows(), b in rows(), rows in 1.0f64..1e6, n_star in 10.0f64..1e6) {
        let Ok(found) = welch(&Moments::of(&a), &Moments::of(&b), 0.05) else { return Ok(()) };
        let look = ConfidenceSequence::tuned(0.05, n_star).unwrap().look(found.statistic, rows);
        prop_assert!(look.critical > 1.96);
        prop_assert_eq!(found.statistic.abs() > look.critical, look.p_value.p() < 0.05);
    }

    #[test]
    fn cuped_never_adds_noise_and_keeps_the_difference_honest(
        rows in prop::collection::vec((-50.0f64..50.0, -50.0f64..50.0, any::<bool>()), 8..40), factor in -3.0f64..3.0,
    ) {
        let made: Vec<_> =
            rows.iter().map(|(noise, x, known)| (Some(noise + factor * x), known.then_some(*x))).collect();
        let (a, b) = made.split_at(made.len() / 2);
        let (arms, Ok(adjustment)) = adjusted_arms(a, b) else { return Ok(()) };
        let outcome = |arm: &[(Option<f64>, Option<f64>)]| arm.iter().map(|row| row.0).collect::<Vec<_>>();
        let plain = Arms::of_rows(&outcome(a), &outcome(b));
        let within = |arms: &Arms| arms.a().m2().unwrap() + arms.b().m2().unwrap();
        prop_assert!(within(&arms) <= within(&plain) * (1.0 + 1e-9));
        prop_assert!(close(1.0 - within(&arms) / within(&plain), adjustment.variance_reduction, 1e-9));
        let missing = made.iter().filter(|row| row.1.is_none()).count() as u64;
        prop_assert_eq!(adjustment.without_covariate.iter().sum::<u64>(), missing);
    }

    #[test]
    fn zero_is_in_both_intervals_of_the_bootstrap_or_in_neither(a in rows(), b in rows(), shift in 45.0f64..80.0, paired in any::<bool>()) {
        let n = a.len().min(b.len());
        let some = |values: &[f64]| values.iter().map(|value| Some(value + shift)).collect::<Vec<_>>();
        let arms = if paired {
            Arms::of_pairs(&some(&a[..n]), &some(&b[..n])).unwrap()
        } else {
            Arms::of_rows(&some(&a), &some(&b))
        };
        let Ok(found) = BootstrapTest.compare(&arms, &QUESTION) else { return Ok(()) };
        for lower_is_better in [false, true] {
            let improvement = found.improvement(lower_is_better).unwrap();
            let (low, high) = (found.low.unwrap(), found.high.unwrap());
            match improvement.interval {
                Some([from, to]) => {
                    prop_assert!(from <= to);
                    prop_assert_eq!(from <= 0.0 && to >= 0.0, low <= 0.0 && high >= 0.0, "{:?}", found);
                }
                None => prop_assert_eq!(improvement.reason, Some("baseline_indistinguishable_from_zero")),
            }
        }
    }
}

#[test]
fn a_bootstrap_says_nothing_that_its_draws_cannot_know() {
    let arms = |from: f64| {
        let side = |shift: f64| (0..60).map(|i| from + shift + f64::from(i * 37 % 60)).collect::<Vec<_>>();
        Arms::of_values(&side(0.0), &side(1.0))
    };
    let of = |from: f64, alpha: f64| BootstrapTest.compare(&arms(from), &Question { alpha, seed: 1 }).unwrap();
    let plain = of(100.0, 0.05);
    let [low, high] = plain.improvement(false).unwrap().interval.unwrap();
    assert!(low < 0.77 && high > 0.77 && low > -6.0 && high < 7.0, "{low} {high}");
    assert_eq!(of(-30.0, 0.05).improvement(false).unwrap().reason, Some("baseline_indistinguishable_from_zero"));
    // 9,999 draws have no interval for one in a million.
    let strict = of(100.0, 1e-6);
    assert_eq!((strict.low, strict.improvement(false).unwrap().interval), (None, None));
    assert!(strict.caution.is_some());
}

#[test]
fn rows_without_a_covariate_are_left_as_they_are() {
    let row = |y: f64, x: Option<f64>| (Some(y), x);
    let a = [row(1.0, Some(1.0)), row(2.0, Some(2.0)), row(9.0, None), (None, Some(50.0))];
    let b = [row(3.0, Some(3.0)), row(5.0, Some(4.0)), row(4.0, Some(f64::NAN)), (Some(f64::INFINITY), None)];
    let (arms, adjustment) = adjusted_arms(&a, &b);
    // Within the arms: (0.5 + 1) / (0.5 + 0.5); the mean covariate is 2.5.
    let adjustment = adjustment.unwrap();
    assert_eq!((adjustment.theta, adjustment.without_covariate), (1.5, [1, 1]));
    assert_eq!((arms.a().n(), arms.a().dropped(), arms.b().n(), arms.b().dropped()), (3, 1, 3, 1));
    assert_eq!(arms.rows().unwrap(), (&[3.25, 2.75, 9.0][..], &[2.25, 2.75, 4.0][..]));
    // Nothing to adjust by: the arms are the plain ones.
    let (plain, none) =
        adjusted_arms(&[row(1.0, Some(2.0)), row(2.0, None)], &[row(1.0, Some(2.0)), row(3.0, Some(2.0))]);
    assert_eq!((none, plain.rows().unwrap().0), (Err(NotAdjusted::ExplainsNothing), &[1.0, 2.0][..]));
    assert_eq!(adjusted_arms(&[], &[]).1, Err(NotAdjusted::ExplainsNothing));
}

#[test]
fn every_need_that_is_not_met_has_a_name() {
    let moments = Arms::of_moments(Moments::of(&[1.0, 2.5]), Moments::of(&[2.0, 3.0]));
    for entry in ALL {
        let expected = match entry.needs() {
            Needs::Moments => None,
            Needs::Shares => Some(Undefined::NeedsShares),
            Needs::Rows => Some(Undefined::NeedsRows),
            Needs::Pairs | Needs::PairsOfShares => Some(Undefined::NeedsPairs),
            Needs::Scores => Some(Undefined::NeedsScores),
        };
        assert_eq!(entry.compare(&moments, &QUESTION).err(), expected, "{}", entry.name());
        if let Some(undefined) = expected {
            let plan = Plan { test: *entry, min_samples: 2, ..Plan::default() };
            let found = evaluate(&plan, &moments, Looks::ONCE);
            assert_eq!((found.decision, found.reason), (Decision::InvalidData, undefined.as_str()));
            assert!(!found.sentence().starts_with("No difference"), "{}", found.sentence());
        }
    }
    assert_eq!(Arms::of_pairs(&[Some(1.0)], &[]).err(), Some(Undefined::NeedsPairs));
    assert_eq!(Arms::of_scores(&[true], &[1.0], &[]).err(), Some(Undefined::NeedsScores));
    assert_eq!(DeLong::of(&[true, true], &[1.0, 2.0], &[1.0, 2.0]).err(), Some(Undefined::OneClass));
}

#[test]
fn tests_on_the_same_rows_have_no_sample_ratio() {
    let side = |shift: f64| (0..200).map(|i| Some(f64::from(i % 7) + shift * f64::from(i % 2))).collect::<Vec<_>>();
    let plan = Plan { test: &PairedTTest, traffic_split: 0.1, ..Plan::default() };
    let found = evaluate(&plan, &Arms::of_pairs(&side(0.0), &side(1.0)).unwrap(), Looks::ONCE);
    assert_eq!((found.decision, found.sample_ratio_p_value), (Decision::ShipB, None));
    // Differences that are all the same say nothing about their spread, also when they are the same but for rounding.
    let (a, b) = ([0.1, 0.2, 0.3, 1e3].map(Some), [0.8, 0.9, 1.0, 1e3 + 0.7].map(Some));
    let same = PairedTTest.compare(&Arms::of_pairs(&a, &b).unwrap(), &QUESTION);
    assert_eq!(same.err(), Some(Undefined::ZeroVariance));
}

#[test]
fn units_are_counted_once() {
    let rows = [("u2", Some(1.0)), ("u1", Some(0.0)), ("u2", Some(0.0)), ("u1", None), ("u3", None)];
    assert_eq!(unit_means(rows), [Some(0.0), Some(0.5), None]);
    assert_eq!(unit_sums(rows), [(0.0, 1), (1.0, 2), (0.0, 0)]);
    let (both, share) = in_both_arms(&["a", "b", "b"], &["b", "c", "d"]);
    assert_eq!((both, share), (vec!["b"], 0.25));
    // Forty rows on four units: counted as rows their mean looks three times as certain as it is.
    let units = linearised(&[(10.0, 10), (0.0, 10), (9.0, 10), (1.0, 10)]);
    let clustered = Moments::of(&units).variance().unwrap() / 4.0;
    let naive = 0.25 / 39.0;
    assert!(clustered > 9.0 * naive, "{clustered} {naive}");
}

#[test]
fn hedges_factor_has_no_seam() {
    let (below, above) = (hedges_correction(9_999.999_99), hedges_correction(10_000.000_01));
    assert!((below - above).abs() < 1e-12, "{below} {above}");
    assert!((hedges_correction(10.0) - 0.922_745_595_364_267).abs() < 1e-6);
}

#[test]
fn sizes_and_power_undo_each_other() {
    for (effect, power, sides) in [(0.2, 0.8, Sides::Two), (1.0, 0.9, Sides::One), (0.01, 0.95, Sides::Two)] {
        let rows = t_test_rows(effect, 1.5, 0.05, power, sides).unwrap();
        assert!((t_test_power(effect, rows, 1.5, 0.05, sides).unwrap() - power).abs() < 1e-6);
    }
    assert_eq!(t_test_rows(0.0, 1.0, 0.05, 0.8, Sides::Two), None);
    assert_eq!(t_test_power(0.5, 1.0, 1.0, 0.05, Sides::Two), None);
    assert_eq!(share_rows(0.5, 0.5, 1.0, 0.05, 0.8, Sides::Two), None);
    let outlook = Outlook { baseline: 10.0, deviation: 5.0, split: 0.5, alpha: 0.05, power: 0.8 };
    let rows = outlook.rows_for(0.1, false).unwrap();
    assert!((outlook.detectable(rows.total() as f64).unwrap() - 1.0).abs() < 0.005, "{rows:?}");
    assert_eq!((rows.days(100.0), rows.days(0.0)), (Some(rows.total().div_ceil(100)), None));
}
