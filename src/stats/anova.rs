//! One-way analysis of variance.

use super::moments::Moments;
use super::tail::{Tail, f_sf};

/// What the analysis found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Anova {
    /// Mean square between the groups over mean square within them.
    pub f: f64,
    /// Groups less one.
    pub between: u64,
    /// Rows less groups.
    pub within: u64,
    /// Its p-value.
    pub p_value: Tail,
}

/// Whether the means of `groups` differ (Fisher 1925, ISBN 0-05-002170-2), assuming independent normal rows of one variance.
///
/// `None` with fewer than two groups, an empty one, no more rows than groups, or no variation within the groups. Group means are
/// compared as two doubles each, so an offset that leaves the rows any digits leaves the statistic the same number.
pub fn one_way_anova(groups: &[Moments]) -> Option<Anova> {
    let rows: u64 = groups.iter().map(Moments::n).sum();
    let count = groups.len() as u64;
    if count < 2 || groups.iter().any(|group| group.n() == 0) || rows <= count {
        return None;
    }
    let within: f64 = super::sum_of(groups.iter().map(Moments::m2).collect::<Option<Vec<_>>>()?);
    // Weighted squares of the group means about their mean, each mean taken from the first group's: no offset is left.
    let distances: Vec<f64> = groups.iter().map(|group| groups[0].difference_to(group, 0)).collect();
    let total = rows as f64;
    let centre = super::sum_of(groups.iter().zip(&distances).map(|(group, d)| group.n() as f64 * d)) / total;
    let between =
        super::sum_of(groups.iter().zip(&distances).map(|(group, d)| group.n() as f64 * (d - centre) * (d - centre)));
    let (between_df, within_df) = (count - 1, rows - count);
    let f = (between / between_df as f64) / (within / within_df as f64);
    f.is_finite().then(|| Anova {
        f,
        between: between_df,
        within: within_df,
        p_value: f_sf(f, between_df as f64, within_df as f64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_tested_has_no_answer() {
        let of = |groups: &[&[f64]]| one_way_anova(&groups.iter().map(|rows| Moments::of(rows)).collect::<Vec<_>>());
        assert_eq!(of(&[&[1.0, 2.0]]), None);
        assert_eq!(of(&[&[1.0, 2.0], &[]]), None);
        assert_eq!(of(&[&[1.0], &[2.0]]), None);
        assert_eq!(of(&[&[1.0, 1.0], &[2.0, 2.0]]), None, "no variation within the groups");
        let plain = of(&[&[1.0, 2.0, 3.0], &[2.0, 3.0, 4.0]]).unwrap();
        let offset = of(&[&[1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0], &[1e9 + 2.0, 1e9 + 3.0, 1e9 + 4.0]]).unwrap();
        assert_eq!((plain.f, offset.f, plain.between, plain.within), (1.5, 1.5, 1, 4));
    }
}
