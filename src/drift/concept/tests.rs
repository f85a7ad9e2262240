//! Detectors and estimates against what river and nannyml say, rules and properties, and how often verdicts are wrong.

mod nannyml;
mod river;
mod rules;
mod simulations;

use super::*;

/// A small generator (SplitMix64): the same numbers on every machine.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Shape 2, mean 1.
    fn gamma(&mut self) -> f64 {
        -((1.0 - self.uniform()) * (1.0 - self.uniform())).ln() / 2.0
    }
}

/// Rows that all have their label.
fn errors(values: Vec<f64>) -> Side {
    Side { rows: values.len() as u64, errors: values.into_iter().map(Some).collect(), ..Side::default() }
}
