//! What the tests by Student's t share.
//!
//! They work in units in which the larger variance is an ordinary number, on means that carry their own rounding error, so that neither an
//! offset of 1e9 nor a scale of 2^1000 changes the answer.

use crate::ab::improvement::common_exponent;
use crate::ab::{Comparison, Ratio, Undefined};
use crate::stats::{Moments, scale, student_t_sf, student_t_two_sided, student_t_upper_quantile};

/// The smallest level an interval is formed at.
const SMALLEST_LEVEL: f64 = 1e-290;

/// Both means.
pub(super) fn means(a: &Moments, b: &Moments) -> [f64; 2] {
    [a.mean().unwrap_or(0.0), b.mean().unwrap_or(0.0)]
}

/// The unit to compute in, and both squared standard errors in it.
pub(super) fn errors(a: &Moments, b: &Moments) -> Result<(i32, [f64; 2]), Undefined> {
    if a.n() < 2 || b.n() < 2 {
        return Err(Undefined::InsufficientData);
    }
    let unit = common_exponent(a, b).ok_or(Undefined::ZeroVariance)?;
    let errors = [a.squared_error(unit), b.squared_error(unit)];
    if errors[0] + errors[1] > 0.0 { Ok((unit, errors)) } else { Err(Undefined::ZeroVariance) }
}

/// A difference with its squared standard error, in units of `2^unit`.
pub(super) struct Found {
    pub(super) difference: f64,
    pub(super) error: f64,
    pub(super) degrees_of_freedom: f64,
    pub(super) unit: i32,
}

impl Found {
    /// The comparison by Student's distribution, with the interval at `1 - alpha`.
    pub(super) fn comparison(
        self,
        values: [f64; 2],
        ratio: Option<Ratio>,
        alpha: f64,
    ) -> Result<Comparison, Undefined> {
        let Self { difference, error, degrees_of_freedom, unit } = self;
        let standard_error = error.sqrt();
        let statistic = difference / standard_error;
        let critical = student_t_upper_quantile(alpha.clamp(SMALLEST_LEVEL, 0.999) / 2.0, degrees_of_freedom);
        let critical = critical.ok_or(Undefined::NotFinite)?;
        Comparison {
            standard_error: Some(scale(standard_error, unit)),
            low: Some(scale(difference - critical * standard_error, unit)),
            high: Some(scale(difference + critical * standard_error, unit)),
            degrees_of_freedom: Some(degrees_of_freedom),
            critical: Some(critical),
            p_value: student_t_two_sided(statistic, degrees_of_freedom),
            p_greater: student_t_sf(statistic, degrees_of_freedom),
            p_less: student_t_sf(-statistic, degrees_of_freedom),
            ratio,
            ..Comparison::normal(values, scale(difference, unit), statistic)
        }
        .finite()
    }
}
