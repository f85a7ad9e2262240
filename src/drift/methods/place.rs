//! Where values lie for the methods that measure lengths: infinities get a place, extreme scales are brought near 1.

use crate::stats::{Moments, scale};

/// Largest finite values outside of `2^-EXTREME..2^EXTREME` are scaled before lengths are squared and added.
const EXTREME: i32 = 300;

/// A monotone map of values to places on a line.
///
/// Finite values keep their distances up to a power of two (1 for ordinary data), so scores are the same bits at every scale. An infinity
/// lies one standard deviation of the finite reference beyond the outermost finite value of both sides (one unit if there is none):
/// it counts as the end of the range, and a column that turns infinite has moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    factor: f64,
    low: f64,
    high: f64,
}

impl Place {
    /// For two ascending samples.
    pub(super) fn of(reference: &[f64], current: &[f64]) -> Self {
        let (a, b) = (finite(reference), finite(current));
        let ends = [a.first(), a.last(), b.first(), b.last()];
        let ends = || ends.iter().flatten().map(|value| **value);
        let (low, high) = (ends().fold(f64::INFINITY, f64::min), ends().fold(f64::NEG_INFINITY, f64::max));
        if low > high {
            return Self { factor: 1.0, low: -1.0, high: 1.0 };
        }
        let largest = low.abs().max(high.abs());
        let exponent = if largest > 0.0 { exponent_of(largest) } else { 0 };
        let factor = if exponent.abs() > EXTREME { scale(1.0, -exponent.clamp(-1000, 1000)) } else { 1.0 };
        let (low, high) = (low * factor, high * factor);
        if a.len() == reference.len() && b.len() == current.len() {
            return Self { factor, low, high };
        }
        let moments = Moments::of_finite_values(a.iter().map(|value| value * factor));
        let beyond = [moments.population_standard_deviation().unwrap_or(0.0), high - low, 1.0];
        let beyond = beyond.into_iter().find(|step| *step > 0.0).unwrap_or(1.0);
        // At a great offset one step may be too small to leave the value.
        Self { factor, low: (low - beyond).min(low.next_down()), high: (high + beyond).max(high.next_up()) }
    }

    /// The place of a value.
    #[inline]
    pub(super) fn at(&self, value: f64) -> f64 {
        (value * self.factor).clamp(self.low, self.high)
    }

    /// A length between places in the column's unit; `None` when it exceeds the largest double.
    pub(super) fn in_unit(&self, length: f64) -> Option<f64> {
        Some(length / self.factor).filter(|length| length.is_finite())
    }
}

/// The finite part of an ascending sample.
fn finite(sorted: &[f64]) -> &[f64] {
    let from = sorted.partition_point(|&value| value == f64::NEG_INFINITY);
    let to = sorted.partition_point(|&value| value < f64::INFINITY);
    sorted.get(from..to).unwrap_or(&[])
}

/// The binary exponent of a positive finite number, right for subnormals.
fn exponent_of(value: f64) -> i32 {
    let bits = |value: f64| ((value.to_bits() >> 52) & 0x7ff) as i32;
    if bits(value) == 0 { bits(value * scale(1.0, 64)) - 1023 - 64 } else { bits(value) - 1023 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinities_lie_beyond_and_finite_values_keep_their_place() {
        let place = Place::of(&[f64::NEG_INFINITY, 0.0, 2.0], &[1.0, 5.0, f64::INFINITY]);
        assert_eq!([f64::NEG_INFINITY, 0.0, 5.0, f64::INFINITY].map(|value| place.at(value)), [-1.0, 0.0, 5.0, 6.0]);
        let place = Place::of(&[1e300], &[f64::INFINITY]);
        assert!(place.at(f64::INFINITY) > place.at(1e300));
        let place = Place::of(&[f64::NEG_INFINITY], &[f64::INFINITY]);
        assert_eq!((place.at(f64::NEG_INFINITY), place.at(f64::INFINITY)), (-1.0, 1.0));
    }

    #[test]
    fn extreme_scales_come_near_one() {
        for value in [f64::MAX, 5e-324, 1e-310] {
            let place = Place::of(&[0.0, value], &[value]);
            assert!((1e-25..1e8).contains(&place.at(value)), "{value}: {}", place.at(value));
            assert_eq!(place.in_unit(place.at(value)), Some(value));
        }
    }
}
