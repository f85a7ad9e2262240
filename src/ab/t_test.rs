//! Student's t test and Welch's, from moments.
//!
//! Measures: the difference of two means in units of its standard error. `t = (B - A) / sqrt(v_a + v_b)`, `v = s^2 / n` for Welch;
//! Student pools both variances. Range: any number, with the sign of the difference; p in 0..=1 two-sided, and its
//! logarithm where it underflows. Assumes independent rows and, in small samples, normal outcomes; at least two rows an arm.
//! One constant arm is fine; both constant is undefined. NaN never gets here ([`super::moments_of`] refuses it); ties mean
//! nothing to a mean.
//!
//! Degrees of freedom by Welch (1947, doi:10.1093/biomet/34.1-2.28) and Satterthwaite (1946, doi:10.2307/3002019). All squares are
//! taken in a common binary unit and the difference from double-double means, so neither an offset of 1e9 nor scales
//! of `2^+-1000` change the answer.

use super::statistical::{StatisticalTest, TestResult, Undefined};
use crate::stats::{Moments, student_t_two_sided, student_t_upper_quantile};

/// Unequal variances.
pub(super) static WELCH: TTest = TTest {
    name: "t_test",
    title: "Welch's t test",
    summary: "two-sided test of equal means that allows unequal variances; rows are independent, and in small samples about normal",
    reference: "Welch (1947), doi:10.1093/biomet/34.1-2.28",
    pooled: false,
};

/// Equal variances.
pub(super) static STUDENT: TTest = TTest {
    name: "student_t_test",
    title: "Student's t test",
    summary: "two-sided test of equal means that assumes equal variances; wrong when the arms differ in size and in variance, then take t_test",
    reference: "Student (1908), doi:10.1093/biomet/6.1.1",
    pooled: true,
};

pub(super) struct TTest {
    name: &'static str,
    title: &'static str,
    summary: &'static str,
    reference: &'static str,
    pooled: bool,
}

impl StatisticalTest for TTest {
    fn name(&self) -> &'static str {
        self.name
    }
    fn title(&self) -> &'static str {
        self.title
    }
    fn summary(&self) -> &'static str {
        self.summary
    }
    fn reference(&self) -> &'static str {
        self.reference
    }

    fn test(&self, a: &Moments, b: &Moments, alpha: f64) -> Result<TestResult, Undefined> {
        if a.n() < 2 || b.n() < 2 {
            return Err(Undefined::TooFew { n_a: a.n(), n_b: b.n() });
        }
        // Constant arms have no scale of their own.
        let varying = [a, b].into_iter().filter(|arm| !arm.is_constant());
        let exponent = varying.map(Moments::exponent).max().ok_or(Undefined::ZeroVariance)?;
        let (squared_errors, df) = self.errors(a, b, exponent);
        let error = (squared_errors[0] + squared_errors[1]).sqrt();
        let scaled = a.difference_to(b, exponent);
        let (statistic, difference) = (scaled / error, a.difference_to(b, 0));
        if ![statistic, difference, df].iter().all(|number| number.is_finite()) {
            return Err(Undefined::Overflow);
        }
        let critical = student_t_upper_quantile(0.5 * alpha, df).filter(|_| alpha < 1.0).ok_or(Undefined::Level)?;
        let half = critical * error;
        let (low, high) = (scale(scaled - half, exponent), scale(scaled + half, exponent));
        if !low.is_finite() || !high.is_finite() {
            return Err(Undefined::Overflow);
        }
        Ok(TestResult {
            statistic,
            df,
            p: student_t_two_sided(statistic, df),
            difference,
            difference_low: low,
            difference_high: high,
            critical,
            squared_errors,
            exponent,
        })
    }
}

impl TTest {
    /// The squared standard errors of both means in units of `4^exponent`, and the degrees of freedom.
    fn errors(&self, a: &Moments, b: &Moments, exponent: i32) -> ([f64; 2], f64) {
        let (n_a, n_b) = (a.n() as f64, b.n() as f64);
        let (v_a, v_b) = (a.squared_error(exponent), b.squared_error(exponent));
        if self.pooled {
            let df = n_a + n_b - 2.0;
            let pooled = (v_a * n_a * (n_a - 1.0) + v_b * n_b * (n_b - 1.0)) / df;
            return ([pooled / n_a, pooled / n_b], df);
        }
        // Shares of the variance rather than its squares, which could overflow.
        let share = v_a / (v_a + v_b);
        let df = 1.0 / (share * share / (n_a - 1.0) + (1.0 - share) * (1.0 - share) / (n_b - 1.0));
        ([v_a, v_b], df)
    }
}

/// `value * 2^exponent`; in two steps because the power alone may not be a double.
fn scale(value: f64, exponent: i32) -> f64 {
    let half = exponent / 2;
    value * 2.0f64.powi(half) * 2.0f64.powi(exponent - half)
}
