//! Two samples walked together, value by value: the loop under every distance between distribution functions.

/// Calls `visit(value, i, j)` for each distinct value of two ascending samples, ascending, with the rows of each that are at or
/// below it. Stops at a NaN, which callers keep out. O(n + m), nothing is copied.
#[inline]
pub(crate) fn for_each_value(first: &[f64], second: &[f64], mut visit: impl FnMut(f64, usize, usize)) {
    let (mut i, mut j) = (0, 0);
    loop {
        let value = match (first.get(i), second.get(j)) {
            (Some(&a), Some(&b)) => {
                if b < a {
                    b
                } else {
                    a
                }
            }
            (Some(&a), None) => a,
            (None, Some(&b)) => b,
            (None, None) => return,
        };
        let before = i + j;
        while i < first.len() && first[i] <= value {
            i += 1;
        }
        while j < second.len() && second[j] <= value {
            j += 1;
        }
        if i + j == before {
            return;
        }
        visit(value, i, j);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_one_value() {
        let mut seen = Vec::new();
        for_each_value(&[1.0, 2.0, 2.0], &[2.0, 3.0], |value, i, j| seen.push((value, i, j)));
        assert_eq!(seen, [(1.0, 1, 0), (2.0, 3, 1), (3.0, 3, 2)]);
        for_each_value(&[f64::NAN], &[1.0], |_, _, _| panic!("a NaN is no value"));
    }
}
