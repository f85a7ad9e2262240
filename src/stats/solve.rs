//! Root finding for quantiles.

/// The root of a continuous, strictly decreasing `function` on `[low, high]`, by regula falsi with bisection as safety
/// net (Illinois variant). The bracket must hold; the result is within a few ulps of the root.
pub(super) fn decreasing_root(mut low: f64, mut high: f64, function: impl Fn(f64) -> f64) -> f64 {
    let (mut at_low, mut at_high) = (function(low), function(high));
    let mut side = 0i8;
    for step in 0..300 {
        if at_low <= 0.0 {
            return low;
        }
        if at_high >= 0.0 {
            return high;
        }
        let secant = (low * at_high - high * at_low) / (at_high - at_low);
        let middle = if step % 3 == 2 || !(secant > low && secant < high) { low + (high - low) / 2.0 } else { secant };
        if middle <= low || middle >= high {
            return middle;
        }
        let value = function(middle);
        if value > 0.0 {
            if side == 1 {
                at_high /= 2.0;
            }
            (low, at_low, side) = (middle, value, 1);
        } else if value < 0.0 {
            if side == -1 {
                at_low /= 2.0;
            }
            (high, at_high, side) = (middle, value, -1);
        } else {
            return middle;
        }
        if high - low <= f64::EPSILON * high.abs().max(low.abs()) {
            break;
        }
    }
    low + (high - low) / 2.0
}
