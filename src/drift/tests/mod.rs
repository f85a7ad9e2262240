//! The edge cases of the drift rules, each a test with its name, and failures of other tools that must not be ours.

mod deciding;
mod edge_cases;
mod peers;
mod properties;
mod reports;
mod simulation;

use super::*;

/// Methods that judge numbers, and methods that judge categories.
fn names(is_categorical: bool) -> impl Iterator<Item = &'static str> {
    ALL.iter().filter(move |method| method.applies_to().includes(is_categorical)).map(|method| method.name())
}

/// Methods whose score depends on the order of the values alone.
const BY_RANK: [&str; 3] = ["ks_test", "anderson_darling", "cramer_von_mises"];
/// Methods that measure lengths, in units of the reference.
const BY_LENGTH: [&str; 2] = ["wasserstein", "energy"];
/// Methods that count rows in bins.
const BY_BIN: [&str; 5] = ["psi", "chi_square", "jensen_shannon", "hellinger", "total_variation"];

fn numbers(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    sort_values(&mut values);
    values
}

fn side(sorted: &[f64]) -> Sample<'_> {
    Sample::Numeric(NumericSample { sorted, missing: 0 })
}

fn with_missing(sorted: &[f64], missing: u64) -> Sample<'_> {
    Sample::Numeric(NumericSample { sorted, missing })
}

fn counts(categories: &[(&str, u64)], missing: u64) -> CategoryCounts {
    CategoryCounts { counts: categories.iter().map(|&(name, rows)| (name.to_owned(), rows)).collect(), missing }
}

fn check(method_name: &str, reference: &Sample, current: &Sample) -> Check {
    judge("x", method(method_name).unwrap(), reference, current, &Options::default())
}

fn score(method_name: &str, reference: &[f64], current: &[f64]) -> f64 {
    check(method_name, &side(reference), &side(current)).score.unwrap()
}

/// Evenly spaced quantiles of the standard normal distribution: a perfect sample without randomness.
fn normal(rows: usize, mean: f64, deviation: f64) -> Vec<f64> {
    let quantile = |i: usize| crate::stats::normal_quantile((i as f64 + 0.5) / rows as f64).unwrap();
    numbers((0..rows).map(|i| mean + deviation * quantile(i)))
}

/// Numbers that behave like independent draws, from a seed (SplitMix64).
struct Draws(u64);

impl Draws {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1)
    }

    /// Uniform on 0..1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box and Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// An ascending column.
    fn column(&mut self, rows: usize, mut draw: impl FnMut(&mut Self) -> f64) -> Vec<f64> {
        numbers((0..rows).map(|_| draw(self)))
    }
}

#[test]
fn every_method_is_of_one_family() {
    let families = BY_RANK.iter().chain(&BY_LENGTH).chain(&BY_BIN);
    let mut known: Vec<&str> = families.copied().collect();
    let mut all: Vec<&str> = ALL.iter().map(|method| method.name()).collect();
    known.sort_unstable();
    all.sort_unstable();
    assert_eq!(known, all);
    assert!(names(true).eq(ALL.iter().map(|method| method.name()).filter(|name| BY_BIN.contains(name))));
}

#[test]
fn every_method_is_documented_and_found_by_name() {
    for entry in ALL {
        assert!(std::ptr::addr_eq(method(entry.name()).unwrap(), *entry));
        assert!(entry.reference().contains("doi:"), "{}", entry.name());
        let texts = [
            entry.title(),
            entry.summary(),
            entry.when_to_use(),
            entry.formula(),
            entry.range(),
            entry.notes(),
            entry.reference(),
        ];
        for text in texts {
            assert!(!text.is_empty() && !text.contains("  "), "{}: {text:?}", entry.name());
        }
    }
    assert!(method("ks").is_none());
    assert_eq!(default_method(true, "ks_test").name(), "chi_square");
    assert_eq!(default_method(false, "psi").name(), "psi");
    assert_eq!(default_method(false, "no_such_method").name(), "ks_test");
}
