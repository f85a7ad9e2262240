//! Boundaries against published tables, and what must hold of every one. Cases of [`super::boundary`].

use proptest::prelude::*;

use super::*;

fn equal(looks: u32) -> Vec<f64> {
    (1..=looks).map(|k| f64::from(k) / f64::from(looks)).collect()
}

fn z(fractions: &[f64], alpha: f64, spending: Spending) -> Vec<f64> {
    boundaries(fractions, alpha, spending).iter().map(|look| look.z).collect()
}

fn same(got: &[f64], published: &[f64]) {
    assert_eq!(got.len(), published.len());
    for (got, published) in got.iter().zip(published) {
        assert!((got - published).abs() < 1e-4, "{got} is not {published}");
    }
}

#[test]
fn lan_demets_boundaries_are_those_of_the_tables() {
    // Reboussin, DeMets, Kim and Lan (2000), Computations for group sequential boundaries using the Lan-DeMets spending function
    // method, doi:10.1016/S0197-2456(00)00057-X: two-sided 0.05, equally spaced looks.
    let of = |looks| z(&equal(looks), 0.05, Spending::OBrienFleming);
    same(&of(2), &[2.9626, 1.9686]);
    same(&of(3), &[3.7103, 2.5114, 1.9930]);
    same(&of(4), &[4.3326, 2.9631, 2.3590, 2.0141]);
    // The paper's program printed 3.3569 for the second look; the integral in 25 digits (mpmath) is 3.357011921574643.
    same(&of(5), &[4.8769, 3.3570, 2.6803, 2.2898, 2.0310]);
    assert!((of(5)[1] - 3.357_011_921_574_643).abs() < 1e-11);
    // Ten looks: numpy's Gauss-Legendre with 400 points a look, since the tables stop earlier.
    same(&of(10), &[6.9914, 4.8769, 3.9297, 3.3671, 2.9893, 2.7148, 2.5041, 2.3358, 2.1975, 2.0812]);
    same(&z(&equal(5), 0.05, Spending::Pocock), &[2.4380, 2.4268, 2.4101, 2.3966, 2.3859]);
}

#[test]
fn classic_constants_are_those_of_the_tables() {
    // Jennison and Turnbull (1999), tables 2.1 and 2.3, which have three decimals.
    for (looks, pocock, obrien_fleming) in
        [(2, 2.178, 1.977), (3, 2.289, 2.004), (4, 2.361, 2.024), (5, 2.413, 2.040), (10, 2.555, 2.087)]
    {
        assert!((pocock_constant(looks, 0.05) - pocock).abs() < 5.1e-4, "{looks}");
        assert!((obrien_fleming_constant(looks, 0.05) - obrien_fleming).abs() < 5.1e-4, "{looks}");
    }
    assert!((pocock_constant(1, 0.05) - 1.959_964).abs() < 1e-6);
}

#[test]
fn plain_tests_repeated_reject_as_often_as_the_table_says() {
    // Armitage, McPherson and Rowe (1969), table 2.
    for (looks, chance) in
        [(1, 0.050), (2, 0.083), (3, 0.107), (4, 0.126), (5, 0.142), (10, 0.193), (20, 0.248), (50, 0.320)]
    {
        let got = crossing_chance(&equal(looks), &vec![1.959_964; looks as usize]);
        assert!((got - chance).abs() < 6e-4, "{looks}: {got}");
    }
}

#[test]
fn looks_that_bring_nothing_cannot_reject() {
    let plan = boundaries(&[0.5, 0.5, 0.4, 1.0], 0.05, Spending::OBrienFleming);
    assert_eq!((plan[1].z, plan[1].level, plan[2].z), (f64::INFINITY, 0.0, f64::INFINITY));
    same(&[plan[0].z, plan[3].z], &[2.9626, 1.9686]);
    assert_eq!(boundaries(&[0.0], 0.05, Spending::OBrienFleming)[0].level, 0.0);
    assert!(boundaries(&[], 0.05, Spending::Pocock).is_empty());
    // The very first looks of a long plan: far out, but still found.
    let long = boundaries(&equal(28), 0.05, Spending::OBrienFleming);
    assert!(long[0].z > 11.0 && long[0].level > 0.0 && long[1].z > 8.0, "{:?}", &long[..2]);
}

#[test]
fn only_ratios_of_the_information_count() {
    let (shares, rows) = ([0.3, 0.5, 1.0], [20.0, 90.0, 100.0]);
    let of = |unit: f64| {
        boundaries_by(&shares, &rows.map(|rows| rows * unit), 0.05, Spending::OBrienFleming)
            .iter()
            .map(|look| look.z)
            .collect::<Vec<_>>()
    };
    same(&of(1e-3), &of(1e7));
    assert!((crossing_chance(&rows, &of(1.0)) - 0.05).abs() < 1e-8);
    // Rows that hardly rise repeat the look before; rows that do not rise give no boundary.
    let hardly = boundaries_by(&[0.5, 1.0], &[1.0, 1.0 + 1e-12], 0.05, Spending::OBrienFleming)[1].level;
    assert!((hardly - 0.05).abs() < 1e-9, "what the first look rejects, the second does too: {hardly}");
    // Between two looks that are that close, hardly a path moves: 2 density(1.96) times the mean of half a step of 0.01.
    let twice = crossing_chance(&[1.0, 1.0001], &[1.959_964; 2]);
    assert!(twice > 0.0502 && twice < 0.0505, "{twice}");
    // Steps that are not equal, held against the boundaries of equal ones: two million simulated walks.
    let equal = z(&equal(5), 0.05, Spending::OBrienFleming);
    for (growth, simulated) in [(1.0001f64, 0.0422), (1.2, 0.0484), (4.0, 0.0660), (10.0, 0.0689)] {
        let rows: Vec<f64> = (0..5).map(|look| growth.powi(look)).collect();
        let chance = crossing_chance(&rows, &equal);
        assert!((chance - simulated).abs() < 4e-4, "{growth}: {chance}");
    }
    let falls = boundaries_by(&[0.5, 0.7, 1.0], &[1.0, f64::NAN, 0.9], 0.05, Spending::OBrienFleming);
    assert_eq!((falls[1].level, falls[2].level), (0.0, 0.0));
}

#[test]
fn what_is_spent_rises_to_the_level() {
    let shapes = [
        Spending::OBrienFleming,
        Spending::Pocock,
        Spending::Power(2.0),
        Spending::HwangShihDeCani(-4.0),
        Spending::HwangShihDeCani(0.0),
    ];
    for spending in shapes {
        let spent: Vec<f64> = (0..=20).map(|i| spending.spent(f64::from(i) / 20.0, 0.05)).collect();
        assert!(spent.windows(2).all(|pair| pair[0] <= pair[1]), "{spending:?}: {spent:?}");
        assert_eq!((spent[0], spent[20]), (0.0, 0.05));
    }
    assert!((Spending::HwangShihDeCani(0.0).spent(0.3, 0.05) - 0.015).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn all_looks_together_reject_as_often_as_the_level_says(
        steps in prop::collection::vec(0.05f64..1.0, 1..9), alpha in 0.001f64..0.2, pocock in any::<bool>(),
    ) {
        let total: f64 = steps.iter().sum();
        let mut sum = 0.0;
        let mut fractions: Vec<f64> = steps.iter().map(|step| { sum += step / total; sum.min(1.0) }).collect();
        *fractions.last_mut().unwrap() = 1.0;
        let spending = if pocock { Spending::Pocock } else { Spending::OBrienFleming };
        let plan = boundaries(&fractions, alpha, spending);
        let borders: Vec<f64> = plan.iter().map(|look| look.z).collect();
        let chance = crossing_chance(&fractions, &borders);
        prop_assert!((chance / alpha - 1.0).abs() < 1e-7, "{chance} and {alpha}");
        prop_assert!(plan.iter().all(|look| look.level <= alpha * (1.0 + 1e-12) && look.z > 0.0));
    }
}
