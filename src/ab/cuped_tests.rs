//! What a covariate may and may not do. Cases of [`super::adjusted_arms`].

use super::tests::verdict;
use super::*;
use crate::stats::Random;

type Row = (Option<f64>, Option<f64>);

/// Rows whose outcome is their covariate (mean 10, deviation 5) and a little noise, `factor` times as large.
fn rows(n: usize, factor: f64, random: &mut Random) -> Vec<Row> {
    (0..n)
        .map(|_| {
            let x = 10.0 + 5.0 * random.normal();
            (Some(factor * 10.0 + (x - 10.0) + 0.5 * random.normal()), Some(x))
        })
        .collect()
}

#[test]
fn the_interval_of_the_improvement_knows_of_the_noise_that_both_means_keep() {
    // The difference is known to a hair, the baseline is not: how many of 400 intervals hold the truth?
    let (mut random, mut held, mut shipped) = (Random::new(11), 0, 0);
    let plan = Plan { threshold_mode: ThresholdMode::Superiority, success_threshold: 0.5, ..Plan::default() };
    for _ in 0..400 {
        let (arms, adjustment) = adjusted_arms(&rows(100, 1.0, &mut random), &rows(100, 1.5, &mut random));
        assert!(adjustment.unwrap().variance_reduction > 0.95);
        let found = evaluate(&plan, &arms, Looks::ONCE);
        let [low, high] = found.relative_improvement_ci.unwrap();
        held += u32::from(low <= 50.0 && 50.0 <= high);
        shipped += u32::from(found.decision == Decision::ShipB);
    }
    // 2.6 standard errors around 380, and around 10.
    assert!((368..=392).contains(&held), "{held} of 400");
    assert!(shipped <= 19, "{shipped} of 400 at a true improvement of exactly the threshold");
    let sure = Plan { hypothesis: Hypothesis::NonInferiority(0.5), ..Plan::default() };
    let (arms, _) = adjusted_arms(&rows(100, 1.0, &mut random), &rows(100, 1.0, &mut random));
    let found = evaluate(&sure, &arms, Looks::ONCE);
    assert_eq!(verdict(&found).1, "not_inferior");
    assert!(found.margin_p_value.unwrap() > 1e-250, "the margin is a share of a baseline that is not known to a hair");
}

#[test]
fn a_covariate_that_is_not_the_same_for_both_arms_adjusts_nothing() {
    let mut random = Random::new(5);
    let (a, b) = (rows(100, 1.0, &mut random), rows(100, 1.0, &mut random));
    let without = |rows: &[Row], from: usize| {
        rows.iter().enumerate().map(|(i, row)| (row.0, row.1.filter(|_| i >= from))).collect::<Vec<_>>()
    };
    for from in [40, 100] {
        let (arms, adjustment) = adjusted_arms(&a, &without(&b, from));
        assert_eq!(adjustment, Err(NotAdjusted::MissingDiffers));
        assert_eq!(arms.a().mean(), Arms::of_rows(&a.iter().map(|row| row.0).collect::<Vec<_>>(), &[]).a().mean());
    }
    assert!(adjusted_arms(&without(&a, 30), &without(&b, 33)).1.is_ok());
    // The treatment moved it: adjusting by it would take the effect away.
    let moved: Vec<Row> = b.iter().map(|row| (row.0.map(|y| y + 5.0), row.1.map(|x| x + 5.0))).collect();
    assert_eq!(adjusted_arms(&a, &moved).1, Err(NotAdjusted::ArmsDiffer));
}

#[test]
fn a_covariate_that_explains_everything_leaves_nothing_to_weigh() {
    let arm = |shift: f64| {
        (0..50).map(|i| f64::from(i * 37 % 50) / 3.0).map(|x| (Some(x + shift), Some(x))).collect::<Vec<_>>()
    };
    let (arms, adjustment) = adjusted_arms(&arm(0.0), &arm(0.5));
    assert!((adjustment.unwrap().variance_reduction - 1.0).abs() < 1e-12);
    let found = evaluate(&Plan { min_samples: 10, ..Plan::default() }, &arms, Looks::ONCE);
    assert_eq!(verdict(&found), ("INCONCLUSIVE", "zero_variance"));
}
