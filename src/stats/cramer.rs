//! The two-sample Cramer-von Mises test.

use super::limit::cramer_von_mises_limit;
use super::pooled::for_each_value;
use super::tail::Tail;

/// The two-sample Cramer-von Mises statistic and the row counts it belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CramerVonMises {
    n: u64,
    m: u64,
    /// `12 n m (n + m) T`, a whole number also with ties (midranks).
    scaled: i128,
    /// Whether a value occurs more than once.
    has_ties: bool,
}

/// Up to this product of row counts [`CramerVonMises::exact`] counts; its work grows with the cube of the rows.
const EXACT_UP_TO: u64 = 1000;

impl CramerVonMises {
    /// Of two ascending samples without NaN; `None` when one is empty or both have more than 2^31 rows together.
    ///
    /// `T = U / (n m (n + m)) - (4 n m - 1) / (6 (n + m))` with ranks averaged over ties (Anderson 1962, DOI
    /// 10.1214/aoms/1177704477), formed in whole numbers: the two terms agree in most of their digits. O(n + m).
    pub fn of(first: &[f64], second: &[f64]) -> Option<Self> {
        let (n, m) = (first.len() as u64, second.len() as u64);
        if n == 0 || m == 0 || n + m > 1 << 31 {
            return None;
        }
        // Four times U: 2 r is whole. Rows k = 1..p of a group add sum (2 (r - i) - 2 k)^2 = p e^2 + p (p^2 - 1) / 3.
        let (mut of_first, mut of_second) = (0i128, 0i128);
        let (mut i0, mut j0, mut has_ties) = (0i128, 0i128, false);
        for_each_value(first, second, |_, i, j| {
            let (i, j) = (i as i128, j as i128);
            let (p, q) = (i - i0, j - j0);
            let twice_rank = 2 * (i0 + j0) + p + q + 1;
            let squares = |rows: i128, before: i128| {
                let middle = twice_rank - 2 * before - (rows + 1);
                rows * middle * middle + rows * (rows * rows - 1) / 3
            };
            of_first += squares(p, i0);
            of_second += squares(q, j0);
            has_ties |= p + q > 1;
            (i0, j0) = (i, j);
        });
        let (wide_n, wide_m) = (i128::from(n), i128::from(m));
        let four_u = wide_n * of_first + wide_m * of_second;
        let scaled = 3 * four_u - 2 * wide_n * wide_m * (4 * wide_n * wide_m - 1);
        Some(Self { n, m, scaled, has_ties })
    }

    /// The statistic `T`; 1/6 is its mean when nothing differs.
    pub fn statistic(&self) -> f64 {
        let (n, m) = (self.n as f64, self.m as f64);
        self.scaled as f64 / (12.0 * n * m * (n + m))
    }

    /// Whether a value occurs more than once in the two samples together.
    pub fn has_ties(&self) -> bool {
        self.has_ties
    }

    /// The p-value by the limit distribution, after `T` is brought to its mean and variance; ties are not corrected for.
    pub fn asymptotic(&self) -> Tail {
        let (n, m) = (self.n as f64, self.m as f64);
        let total = n + m;
        let mean = (1.0 + 1.0 / total) / 6.0;
        let variance = (total + 1.0) * (4.0 * n * m * total - 3.0 * (n * n + m * m) - 2.0 * n * m)
            / (45.0 * total * total * 4.0 * n * m);
        if variance <= 0.0 {
            return Tail::ONE;
        }
        cramer_von_mises_limit(1.0 / 6.0 + (self.statistic() - mean) / (45.0 * variance).sqrt())
    }

    /// The p-value counted over all orders of the rows (Xiao, Gordon and Yakovlev 2006, DOI 10.18637/jss.v017.i08), for samples without
    /// ties; `None` when `n m` exceeds 1,000. Sums that reached the observed one are not followed further, so the work is small
    /// unless the samples differ a lot, and the count is a sum of positive terms.
    pub fn exact(&self) -> Option<Tail> {
        let (n, m) = (self.n, self.m);
        if n * m > EXACT_UP_TO {
            return None;
        }
        // In units of 1 / lcm, the height at (i, j) is i lcm/n - j lcm/m; T = n m / (N lcm)^2 times the sum of its squares.
        let lcm = n / gcd(n, m) * m;
        let (up, down) = ((lcm / n) as i64, (lcm / m) as i64);
        let wide = |value: u64| i128::from(value);
        let observed = self.scaled * wide(lcm) * wide(lcm) * wide(n + m) / (12 * wide(n) * wide(m) * wide(n) * wide(m));
        let observed = u64::try_from(observed.max(0)).ok()?;
        let mut row: Vec<State> = vec![State::default(); m as usize + 1];
        for i in 0..=n {
            for j in 0..=m {
                let at = j as usize;
                if i + j == 0 {
                    row[at] = State { reached: if observed == 0 { 1.0 } else { 0.0 }, sums: vec![(0, 1.0)] };
                    continue;
                }
                let height = i as i64 * up - j as i64 * down;
                let total = (i + j) as f64;
                let (left, right) = row.split_at_mut(at);
                let above = (i > 0).then(|| (std::mem::take(&mut right[0]), i as f64 / total));
                let beside = left.last().filter(|_| j > 0).map(|state| (state, j as f64 / total));
                right[0] = State::merged(
                    above.as_ref().map(|(state, share)| (state, *share)),
                    beside,
                    (height * height) as u64,
                    observed,
                );
            }
        }
        Some(Tail::from_p(row[m as usize].reached))
    }
}

/// The distribution of the sum so far over random paths to one lattice point.
#[derive(Debug, Clone, Default)]
struct State {
    /// Probability that the sum has reached the observed one.
    reached: f64,
    /// Smaller sums with their probabilities, ascending.
    sums: Vec<(u64, f64)>,
}

impl State {
    fn merged(above: Option<(&State, f64)>, beside: Option<(&State, f64)>, add: u64, observed: u64) -> Self {
        let empty = State::default();
        let ((a, of_a), (b, of_b)) = (above.unwrap_or((&empty, 0.0)), beside.unwrap_or((&empty, 0.0)));
        let mut state = State { reached: a.reached * of_a + b.reached * of_b, sums: Vec::new() };
        let (mut i, mut j) = (0, 0);
        loop {
            let (sum, p) = match (a.sums.get(i), b.sums.get(j)) {
                (Some(&(x, p)), Some(&(y, q))) if x == y => {
                    i += 1;
                    j += 1;
                    (x, p * of_a + q * of_b)
                }
                (Some(&(x, p)), other) if other.is_none_or(|&(y, _)| x < y) => {
                    i += 1;
                    (x, p * of_a)
                }
                (_, Some(&(y, q))) => {
                    j += 1;
                    (y, q * of_b)
                }
                _ => break,
            };
            if sum + add >= observed {
                state.reached += p;
            } else {
                state.sums.push((sum + add, p));
            }
        }
        state
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_against_itself_has_no_statistic_to_speak_of() {
        let constant = [3.0; 50];
        let test = CramerVonMises::of(&constant, &constant).unwrap();
        assert_eq!((test.statistic(), test.has_ties(), test.asymptotic()), (0.0, true, Tail::ONE));
        assert_eq!(CramerVonMises::of(&[], &[1.0]), None);
    }

    #[test]
    fn the_exact_p_value_counts_orders() {
        // Separated samples of 3 and 3: 2 of the 20 orders are as extreme.
        let test = CramerVonMises::of(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap();
        assert!((test.exact().unwrap().p() - 0.1).abs() < 1e-15);
        let rows: Vec<f64> = (0..40).map(f64::from).collect();
        assert_eq!(CramerVonMises::of(&rows, &rows).unwrap().exact(), None);
    }
}
