//! `anderson_darling`: the squared difference of two distribution functions, weighed up in the tails.

use serde_json::json;

use super::super::{AppliesTo, Method, NotJudged, Options, Sample, Score};
use super::{Step, heights, numbers};
use crate::stats::{DoubleSum, Tail, anderson_darling};

/// The largest value of the integral, `8 ln 2 - 4`: no value in common.
const LARGEST: f64 = 8.0 * std::f64::consts::LN_2 - 4.0;
/// The 99 % point of the limit distribution.
const NULL_99: f64 = 3.878_1;

/// The size-balanced Anderson-Darling distance.
#[derive(Debug, Clone, Copy)]
pub struct AndersonDarling;

impl Method for AndersonDarling {
    fn name(&self) -> &'static str {
        "anderson_darling"
    }
    fn title(&self) -> &'static str {
        "Anderson-Darling distance"
    }
    fn summary(&self) -> &'static str {
        "the difference between the shares of rows at or below a value, weighed by how precisely that share is known, as a share of the \
         largest possible one"
    }
    fn when_to_use(&self) -> &'static str {
        "For numeric columns whose tails matter (amounts, durations, risks): a change of spread or of extreme values weighs more than in \
         cramer_von_mises and ks_test. Any monotone transformation of the column leaves the score as it is, and one outlier hardly \
         moves it."
    }
    fn formula(&self) -> &'static str {
        "A = sqrt(integral of (F_reference - F_current)^2 / (H (1 - H)) dH / (8 ln 2 - 4)), H = (F_reference + F_current) / 2"
    }
    fn range(&self) -> &'static str {
        "0 to 1"
    }
    fn notes(&self) -> &'static str {
        "Both sides have the same weight in H, so the score does not depend on how many rows each has. Rows of one value are taken as spread \
         evenly over the step there. The k-sample statistic of Scholz and Stephens (ranks averaged over ties, less its mean, over its \
         deviation) and the p-value of its limit distribution stand beside it, not capped as in tables. Infinities keep their rank. \
         Missing rows are checked by their share."
    }
    fn reference(&self) -> &'static str {
        "Scholz and Stephens (1987), K-sample Anderson-Darling tests, doi:10.1080/01621459.1987.10478517"
    }
    fn applies_to(&self) -> AppliesTo {
        AppliesTo::Numeric
    }
    fn minimum_sample(&self) -> u64 {
        126
    }
    fn scores_missing(&self) -> bool {
        false
    }

    fn judge(&self, reference: &Sample, current: &Sample, _options: &Options) -> Result<Score, NotJudged> {
        let (reference, current) = numbers(self, reference, current)?;
        let mut sum = DoubleSum::new();
        heights(reference, current, |step| sum.add(weighed(&step)));
        let test = anderson_darling(&[reference, current]);
        let (n, m) = (reference.len() as f64, current.len() as f64);
        Ok(Score {
            value: (sum.value().max(0.0) / LARGEST).sqrt().min(1.0),
            // Without a statistic (one value, or fewer than four rows) nothing speaks against "no difference".
            p_value: Some(test.and_then(|test| test.limit()).unwrap_or(Tail::ONE)),
            null_quantile: (NULL_99 / LARGEST * (1.0 / n + 1.0 / m)).sqrt(),
            details: json!({
                "statistic": test.map(|test| test.midrank),
                "p_value_method": "limit",
                "infinite_reference": super::infinities(reference),
                "infinite_current": super::infinities(current),
            }),
        })
    }
}

/// The integral of `d^2 / (t (1 - t))` over one step of `t`, with `d` the line from `before` to `after`.
fn weighed(step: &Step) -> f64 {
    let width = step.to - step.from;
    if width < 0.02 * step.from.min(1.0 - step.to) {
        // Gauss's rule with three nodes: the rest is below 1e-12 of the step, and two logarithms are saved.
        const NODE: f64 = 0.387_298_334_620_741_7;
        let at = |share: f64| {
            let (t, d) = (step.from + share * width, step.before + share * (step.after - step.before));
            d * d / (t * (1.0 - t))
        };
        return width * (5.0 * (at(0.5 - NODE) + at(0.5 + NODE)) + 8.0 * at(0.5)) / 18.0;
    }
    // d = a + b t; 1/(t (1 - t)) = 1/t + 1/(1 - t), and d = (a + b) - b (1 - t).
    let b = (step.after - step.before) / width;
    let (a, end) = (step.before - b * step.from, step.after + b * (1.0 - step.to));
    let low = part(a, b, step.from, step.to);
    // From the right end of the axis the same line runs the other way.
    let high = part(end, -b, 1.0 - step.to, 1.0 - step.from);
    low + high
}

/// The integral of `(a + b t)^2 / t` from `from` to `to`; at 0 the line is 0 too, so the first term vanishes there.
fn part(a: f64, b: f64, from: f64, to: f64) -> f64 {
    let logarithm = if from <= 0.0 { 0.0 } else { a * a * ((to - from) / from).ln_1p() };
    let a = if from <= 0.0 { 0.0 } else { a };
    logarithm + 2.0 * a * b * (to - from) + 0.5 * b * b * (to - from) * (to + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closed_form_and_the_quadrature_agree() {
        for (from, to, before, after) in
            [(0.5, 0.509, 0.1, 0.112), (0.3, 0.3055, -0.2, -0.19), (0.9, 0.9015, 0.03, 0.028)]
        {
            let quadrature = weighed(&Step { from, to, before, after });
            let exact = {
                let b: f64 = (after - before) / (to - from);
                part(before - b * from, b, from, to) + part(after + b * (1.0 - to), -b, 1.0 - to, 1.0 - from)
            };
            assert!((quadrature / exact - 1.0).abs() < 1e-9, "{quadrature} {exact}");
        }
    }

    #[test]
    fn separated_samples_reach_the_largest_value() {
        let halves = [
            Step { from: 0.0, to: 0.5, before: 0.0, after: 1.0 },
            Step { from: 0.5, to: 1.0, before: 1.0, after: 0.0 },
        ];
        assert!((halves.iter().map(weighed).sum::<f64>() / LARGEST - 1.0).abs() < 1e-14);
    }
}
