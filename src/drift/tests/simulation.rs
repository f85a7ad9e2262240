//! How often unchanged data are flagged, with fixed seeds.

use super::*;

type Draw = fn(&mut Draws) -> f64;

/// How many of `repeats` pairs of columns drawn alike `holds` of, per method of numbers.
fn tally(
    repeats: usize,
    seed: u64,
    sizes: (usize, usize),
    draw: Draw,
    holds: impl Fn(&'static dyn Method, &Sample, &Sample) -> bool,
) -> Vec<(&'static str, usize)> {
    let mut draws = Draws::new(seed);
    let mut tally: Vec<(&'static str, usize)> = names(false).map(|name| (name, 0)).collect();
    for _ in 0..repeats {
        let (reference, current) = (draws.column(sizes.0, draw), draws.column(sizes.1, draw));
        for (name, count) in &mut tally {
            *count += usize::from(holds(method(name).unwrap(), &side(&reference), &side(&current)));
        }
    }
    tally
}

fn lognormal(draws: &mut Draws) -> f64 {
    draws.normal().exp()
}

/// Five values, one of them half of the rows.
fn few_values(draws: &mut Draws) -> f64 {
    (draws.uniform() * 8.0 - 4.0).floor().max(0.0)
}

fn judged(method: &'static dyn Method, reference: &Sample, current: &Sample) -> Check {
    judge("x", method, reference, current, &Options::default())
}

#[test]
fn no_drift_n_ref_5000_n_cur_100() {
    // Evidently 0.7 flags 71 % of such features. A method that flags any says that it has too few rows to go by.
    let flagged = tally(250, 1, (5000, 100), Draws::normal, |method, a, b| judged(method, a, b).drifted);
    let sure = tally(250, 1, (5000, 100), Draws::normal, |method, a, b| {
        let check = judged(method, a, b);
        check.drifted && check.reliability == Some(Reliability::Normal)
    });
    for ((name, flagged), (_, sure)) in flagged.into_iter().zip(sure) {
        assert_eq!(sure, 0, "{name}");
        let most = match name {
            // Ten bins with ten rows each: the scores themselves are near 0.15.
            "psi" | "chi_square" | "wasserstein" => 25,
            "jensen_shannon" => 8,
            "total_variation" => 2,
            _ => 0,
        };
        assert!(flagged <= most, "{name}: {flagged} of 250");
    }
}

#[test]
fn unchanged_data_stay_below_the_null_quantile_99_times_in_100() {
    let rows: [((usize, usize), Draw); 6] = [
        ((300, 300), Draws::normal),
        ((1000, 100), Draws::normal),
        ((40, 60), Draws::normal),
        ((300, 300), lognormal),
        ((1000, 100), few_values),
        ((40, 60), few_values),
    ];
    for (sizes, draw) in rows {
        let above = tally(500, 3, sizes, draw, |method, a, b| {
            let score = method.judge(a, b, &Options::default()).unwrap();
            score.value > score.null_quantile
        });
        for (name, count) in above {
            // 1 % of 500, with three standard errors and a bin of ten rows that is not quite chi-square.
            assert!(count <= 14, "{name} {sizes:?}: {count} of 500");
        }
    }
}

#[test]
fn the_null_quantile_is_no_wild_guess() {
    // Scores of unchanged data come near it: 0.55 of it is exceeded by one pair in ten at least.
    let near = tally(300, 9, (200, 200), Draws::normal, |method, a, b| {
        let score = method.judge(a, b, &Options::default()).unwrap();
        score.value > 0.55 * score.null_quantile
    });
    for (name, count) in near {
        let least = if ["wasserstein", "energy"].contains(&name) { 5 } else { 30 };
        assert!(count >= least, "{name}: {count} of 300");
    }
}

#[test]
fn p_values_are_uniform_where_nothing_differs() {
    for (sizes, repeats) in [((20, 18), 1500), ((200, 150), 600)] {
        for level in [0.05, 0.2] {
            let rejected = tally(repeats, 5, sizes, Draws::normal, |method, a, b| {
                judged(method, a, b).p_value.is_some_and(|p| p <= level)
            });
            for (name, count) in rejected {
                let expected = level * repeats as f64;
                let error = 3.3 * (expected * (1.0 - level)).sqrt();
                let count = count as f64;
                assert!(count <= expected + error, "{name} {sizes:?} at {level}: {count} of {repeats}");
                // Counts in bins of two rows are no chi-square, and the one of energy is a bound.
                let is_exact = BY_RANK.contains(&name) || (BY_BIN.contains(&name) && sizes.0 > 100);
                // An exact p-value of few rows takes few values: the largest one at the level may be well below it.
                let slack = if sizes.0 == 20 { 0.15 * expected } else { 0.1 * expected };
                assert!(
                    !is_exact || count >= expected - error - slack,
                    "{name} {sizes:?} at {level}: {count} of {repeats}"
                );
            }
        }
    }
}

#[test]
fn categories_are_rejected_as_often_as_the_level_says() {
    let mut draws = Draws::new(11);
    let mut sample = |rows: usize| {
        let mut counts = CategoryCounts::default();
        for _ in 0..rows {
            let category = ["a", "b", "c", "d"][(draws.uniform() * draws.uniform() * 4.0) as usize];
            *counts.counts.entry(category.to_owned()).or_default() += 1;
        }
        counts
    };
    let mut rejected = 0;
    for _ in 0..1000 {
        let (a, b) = (sample(150), sample(100));
        let p = |name: &str| check(name, &Sample::Categorical(&a), &Sample::Categorical(&b)).p_value.unwrap();
        let first = p("chi_square");
        assert!(BY_BIN.iter().all(|name| p(name) == first), "one test for all methods by bin");
        rejected += usize::from(first <= 0.05);
    }
    assert!((28..=72).contains(&rejected), "{rejected} of 1000");
}
