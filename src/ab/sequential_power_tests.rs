//! Power and expected size against published tables and against tests that are played. Cases of [`super::sequential_power`].

use super::*;
use crate::stats::{Moments, Random, normal_quantile};

fn equal(looks: u32) -> Vec<f64> {
    (1..=looks).map(|k| f64::from(k) / f64::from(looks)).collect()
}

/// Two-sided borders of one shape.
fn shaped(looks: u32, z: impl Fn(f64) -> f64) -> Vec<Stop> {
    equal(looks).into_iter().map(|fraction| Stop { fraction, lower: -z(fraction), upper: z(fraction) }).collect()
}

fn spending(looks: u32, alpha: f64) -> Vec<Stop> {
    let plan = boundaries(&equal(looks), alpha, Spending::OBrienFleming);
    plan.iter().map(|look| Stop { fraction: look.fraction, lower: -look.z, upper: look.z }).collect()
}

/// The drift under which a test has this power, by bisection.
fn drift(stops: &[Stop], power: f64) -> f64 {
    let (mut low, mut high) = (0.0, 10.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if course(stops, middle).upper < power { low = middle } else { high = middle }
    }
    low
}

#[test]
fn the_classic_shapes_cost_what_the_tables_say() {
    // Jennison and Turnbull (2000), tables 2.2 and 2.4, which have three decimals: two-sided 0.05; the ratio of the largest sample to that
    // of a single look.
    for (looks, power, pocock, obrien_fleming) in [
        (2, 0.8, 1.110, 1.008),
        (3, 0.8, 1.166, 1.017),
        (4, 0.8, 1.202, 1.024),
        (5, 0.8, 1.229, 1.028),
        (10, 0.8, 1.301, 1.040),
        (2, 0.9, 1.100, 1.007),
        (3, 0.9, 1.151, 1.016),
        (4, 0.9, 1.183, 1.022),
        (5, 0.9, 1.207, 1.026),
    ] {
        let once = sequential_drift(1, 0.05, power).unwrap();
        let of = |stops: &[Stop]| (drift(stops, power) / once).powi(2);
        let (c, d) = (pocock_constant(looks, 0.05), obrien_fleming_constant(looks, 0.05));
        assert!((of(&shaped(looks, |_| c)) - pocock).abs() < 6e-4, "{looks} {power}");
        assert!((of(&shaped(looks, |t| d / t.sqrt())) - obrien_fleming).abs() < 6e-4, "{looks} {power}");
    }
}

#[test]
fn spending_with_futility_goes_as_another_program_says() {
    // Three equally spaced looks, one-sided 0.025, spending of O'Brien and Fleming's shape, futility at 0, power 80 %: rpact's summary
    // (Wassmer and Pahlke, doi:10.32614/CRAN.package.rpact) has boundaries 3.710, 2.511, 1.993, a cumulative power of 0.0204, 0.4371
    // and 0.8, exits under the alternative of 0.0684 and 0.4202, and 170.9 rows of 209.8 on average.
    let plan = spending(3, 0.05);
    let borders = plan.iter().zip([0.0, 0.0, f64::NEG_INFINITY]);
    let stops: Vec<Stop> = borders.map(|(stop, lower)| Stop { lower, ..*stop }).collect();
    let drift = drift(&stops, 0.8);
    let until = |looks: usize| course(&stops[..looks], drift);
    for (looks, power, exits) in [(1, 0.0204, 0.0684), (2, 0.4371, 0.0684 + 0.4202)] {
        let course = until(looks);
        assert!((course.upper - power).abs() < 6e-5, "{looks}: {course:?}");
        assert!((course.upper + course.lower - exits).abs() < 1.1e-4, "{looks}: {course:?}");
    }
    assert!((until(3).information - 170.9 / 209.8).abs() < 5e-4, "{:?}", until(3));
}

#[test]
fn spending_costs_a_little_less_and_the_two_ways_agree() {
    // Between nothing and the classic shape of the table, since the last boundary is lower (2.031 for five looks, not 2.040).
    for (looks, power, classic) in [(2, 0.8, 1.008), (5, 0.8, 1.028), (5, 0.9, 1.026), (10, 0.8, 1.040)] {
        let factor = inflation(looks, 0.05, power).unwrap();
        assert!(factor > 1.0 && factor < classic, "{looks}: {factor}");
        // By the ratio of likelihoods and by paths that were followed under that drift itself.
        let found = sequential_drift(looks, 0.05, power).unwrap();
        let course = course(&spending(looks, 0.05), found);
        assert!((course.upper - power).abs() < 1e-10, "{looks}: {course:?}");
    }
    assert_eq!(inflation(1, 0.05, 0.8), Some(1.0));
    let long = inflation(60, 0.05, 0.8).unwrap();
    assert!(long > inflation(28, 0.05, 0.8).unwrap() && long < 1.06, "{long}");
}

#[test]
fn without_a_drift_it_is_the_crossing_chance() {
    for (looks, alpha) in [(1, 0.05), (4, 0.05), (7, 0.001), (28, 0.1)] {
        let stops = spending(looks, alpha);
        let null = course(&stops, 0.0);
        assert!((null.upper + null.lower - alpha).abs() < 1e-11, "{looks}: {null:?}");
        assert!((null.upper - null.lower).abs() < 1e-13, "{looks}: {null:?}");
        let borders: Vec<f64> = stops.iter().map(|stop| stop.upper).collect();
        assert!((crossing_chance(&equal(looks), &borders) - null.upper - null.lower).abs() < 1e-11);
        // The mirror image of a drift.
        let (up, down) = (course(&stops, 2.5), course(&stops, -2.5));
        assert!((up.upper - down.lower).abs() < 1e-12 && (up.information - down.information).abs() < 1e-12);
    }
    assert_eq!(course(&[], 1.0), Course { upper: 0.0, lower: 0.0, information: 0.0 });
    assert!(sequential_drift(5, 0.05, 0.05).is_none() && sequential_drift(5, 0.0, 0.8).is_none());
    assert!(sequential_drift(5, 0.05, f64::NAN).is_none());
}

#[test]
fn played_tests_end_as_the_integral_says() {
    let (looks, drift, plays) = (5_u32, 2.4, 40_000);
    // Borders that are not symmetric, as those with a bar.
    let stops: Vec<Stop> = equal(looks)
        .into_iter()
        .zip([(-4.9, 5.1), (-3.4, 3.4), (-2.0, 2.7), (-0.5, 2.3), (0.4, 2.1)])
        .map(|(fraction, (lower, upper))| Stop { fraction, lower, upper })
        .collect();
    let expected = course(&stops, drift);
    let mut random = Random::new(20);
    let (mut upper, mut lower, mut information) = (0.0, 0.0, 0.0);
    for _ in 0..plays {
        let (mut sum, mut before) = (0.0, 0.0_f64);
        for (index, stop) in stops.iter().enumerate() {
            let step = stop.fraction - before;
            sum += drift * step + step.sqrt() * random.normal();
            before = stop.fraction;
            let z = sum / stop.fraction.sqrt();
            let (up, down) = (z >= stop.upper, z <= stop.lower);
            upper += f64::from(u8::from(up));
            lower += f64::from(u8::from(down));
            if up || down || index + 1 == stops.len() {
                information += stop.fraction;
                break;
            }
        }
    }
    // Three standard errors.
    let share = |n: f64| n / f64::from(plays);
    assert!((share(upper) - expected.upper).abs() < 0.0075, "{upper} {expected:?}");
    assert!((share(lower) - expected.lower).abs() < 0.0075, "{lower} {expected:?}");
    assert!((share(information) - expected.information).abs() < 0.004, "{information} {expected:?}");
}

/// What is known of a share of 10 %.
fn conversion() -> Outlook {
    Outlook { baseline: 0.1, deviation: 0.3, split: 0.5, alpha: 0.05, power: 0.8 }
}

#[test]
fn one_look_has_a_closed_form() {
    let (outlook, rows) = (conversion(), PlannedRows { n_a: 400_000, n_b: 400_000 });
    let phi = |z: f64| normal_sf_of(-z);
    let error = |q: f64, stretch: f64| ((stretch * stretch * 0.09 + q * (1.0 - q)) / 400_000.0).sqrt() / 0.1;
    let at = |lift: f64, mode, threshold| {
        outlook.prospect(rows, lift, true, Bar { threshold, mode }, 1).unwrap().ship_chance
    };
    // Without a bar it is the power, with the variances as they are.
    let z = normal_quantile(0.975).unwrap();
    let power = phi(0.02 / error(0.102, 1.0) - z);
    assert!((at(0.02, ThresholdMode::Point, 0.0) - power).abs() < 1e-12, "{power}");
    // Exactly at the bar: half of them, where all that reach the bar are significant.
    assert!((at(0.02, ThresholdMode::Point, 0.02) - 0.5).abs() < 1e-12);
    assert!((at(0.02, ThresholdMode::Superiority, 0.02) - 0.025).abs() < 1e-9);
    let above = phi(0.01 / error(0.103, 1.02));
    assert!((at(0.03, ThresholdMode::Point, 0.02) - above).abs() < 1e-12, "{above}");
    // Where lower is better, the bar shrinks A.
    let below = phi(0.01 / error(0.097, 0.98));
    assert!((at(-0.03, ThresholdMode::Point, 0.02) - below).abs() < 1e-12, "{below}");
    let nothing = Outlook { baseline: 0.0, ..outlook };
    assert!(nothing.prospect(rows, 0.02, false, Bar { threshold: 0.02, mode: ThresholdMode::Point }, 3).is_none());
    assert!(outlook.prospect(rows, 9.1, true, Bar { threshold: 0.02, mode: ThresholdMode::Point }, 1).is_none());
}

fn normal_sf_of(z: f64) -> f64 {
    crate::stats::normal_sf(z).p()
}

/// How often tests of the whole decision table ship B, and at which share of the rows they decide.
fn played(outlook: Outlook, rows: u64, lift: f64, bar: Bar, looks: u32, plays: u32) -> (f64, f64) {
    let plan = Plan { success_threshold: bar.threshold, threshold_mode: bar.mode, ..Plan::default() };
    let mut random = Random::new(7);
    let (mut shipped, mut shares) = (0.0, 0.0);
    let each = rows / u64::from(looks);
    let levels: Vec<f64> = boundaries(&equal(looks), plan.significance_level, Spending::OBrienFleming)
        .iter()
        .map(|boundary| boundary.level)
        .collect();
    for _ in 0..plays {
        let (mut a, mut b) = (Moments::default(), Moments::default());
        for look in 1..=looks {
            let mut batch = |mean: f64| {
                // Batches of normal rows, by their mean and variance.
                let n = each as f64;
                let mean = mean + outlook.deviation * random.normal() / n.sqrt();
                Moments::from_summary(each, mean, outlook.deviation * outlook.deviation).unwrap()
            };
            a.merge(&batch(outlook.baseline));
            b.merge(&batch(outlook.baseline * (1.0 + lift)));
            let at = Looks { look, planned: Some(looks), is_final: look == looks };
            let level = levels.get(look as usize - 1).copied();
            let circumstances = Circumstances { level, ..Circumstances::default() };
            let decision = evaluate_under(&plan, &Arms::of_moments(a, b), at, &circumstances).decision;
            if decision != Decision::Continue {
                shipped += f64::from(u8::from(decision == Decision::ShipB));
                shares += f64::from(look) / f64::from(looks);
                break;
            }
        }
    }
    (shipped / f64::from(plays), shares / f64::from(plays))
}

#[test]
fn the_decision_table_ships_as_often_as_was_said() {
    let outlook = Outlook { baseline: 10.0, deviation: 4.0, split: 0.5, alpha: 0.05, power: 0.8 };
    for (mode, lift, looks) in [
        (ThresholdMode::Point, 0.05, 4),
        (ThresholdMode::Point, 0.07, 4),
        (ThresholdMode::Superiority, 0.12, 4),
        (ThresholdMode::Point, 0.05, 1),
        (ThresholdMode::Superiority, 0.12, 1),
    ] {
        let bar = Bar { threshold: 0.05, mode };
        let rows = PlannedRows { n_a: 1200, n_b: 1200 };
        let said = outlook.prospect(rows, lift, false, bar, looks).unwrap();
        let (shipped, share) = played(outlook, 1200, lift, bar, looks, 4000);
        // Three standard errors.
        assert!((shipped - said.ship_chance).abs() < 0.024, "{mode:?} {lift} {looks}: {shipped} {said:?}");
        assert!((share - said.share_with_lift).abs() < 0.012, "{mode:?} {lift} {looks}: {share} {said:?}");
        let (_, share) = played(outlook, 1200, 0.0, bar, looks, 2000);
        assert!((share - said.share_without).abs() < 0.017, "{mode:?} {looks}: {share} {said:?}");
    }
}
