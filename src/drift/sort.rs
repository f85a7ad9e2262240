//! Sorting columns: the most expensive step of judging a numeric column, so it has a kernel of its own.

/// Below this many values the standard sort is faster than building histograms.
const RADIX_FROM: usize = 1 << 10;

/// Bits per digit. Eight digits of 8 bits keep every bucket's write position in the first-level cache; measured against 11 bits.
const DIGIT_BITS: u32 = 8;
const BUCKETS: usize = 1 << DIGIT_BITS;
const DIGITS: usize = (u64::BITS / DIGIT_BITS) as usize;

/// Sorts `values` ascending in place, in time linear in their number.
///
/// Infinities sort to the ends. `-0.0` becomes `0.0`: the two are equal, so a sorted column must not tell them apart. Values must
/// not be NaN (callers count those as missing); if one is there it sorts to an end and nothing panics.
///
/// Least-significant-digit radix sort on the bits in their total order; digits that are the same in all values (the sign and
/// exponent of most real columns, the low bits of integers) are skipped.
pub fn sort_values(values: &mut [f64]) {
    if values.len() < RADIX_FROM {
        for value in values.iter_mut() {
            *value += 0.0;
        }
        values.sort_unstable_by(f64::total_cmp);
        return;
    }
    let mut keys: Vec<u64> = values.iter().map(|&value| to_key(value)).collect();
    if keys.is_sorted() {
        write_back(&keys, values);
        return;
    }
    let histograms = histograms(&keys);
    let mut scratch = vec![0u64; keys.len()];
    for (digit, histogram) in histograms.iter().enumerate() {
        if histogram.iter().any(|&count| count == values.len()) {
            continue;
        }
        scatter(&keys, &mut scratch, digit, histogram);
        std::mem::swap(&mut keys, &mut scratch);
    }
    write_back(&keys, values);
}

/// The number of values in each bucket, for all digits in one pass.
fn histograms(keys: &[u64]) -> [[usize; BUCKETS]; DIGITS] {
    let mut histograms = [[0usize; BUCKETS]; DIGITS];
    for &key in keys {
        for (digit, histogram) in histograms.iter_mut().enumerate() {
            histogram[bucket(key, digit)] += 1;
        }
    }
    histograms
}

/// Moves `from` into `to`, ordered by one digit and otherwise in the order found.
fn scatter(from: &[u64], to: &mut [u64], digit: usize, histogram: &[usize; BUCKETS]) {
    let mut next = [0usize; BUCKETS];
    let mut start = 0;
    for (next, &count) in next.iter_mut().zip(histogram) {
        *next = start;
        start += count;
    }
    for &key in from {
        let position = &mut next[bucket(key, digit)];
        to[*position] = key;
        *position += 1;
    }
}

#[inline]
fn bucket(key: u64, digit: usize) -> usize {
    (key >> (digit as u32 * DIGIT_BITS)) as usize & (BUCKETS - 1)
}

/// Bits whose unsigned order is the order of the values.
#[inline]
fn to_key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    // Negative: flip everything; positive: flip the sign.
    bits ^ (((bits as i64 >> 63) as u64) | (1 << 63))
}

#[inline]
fn from_key(key: u64) -> f64 {
    f64::from_bits(key ^ ((((key ^ (1 << 63)) as i64 >> 63) as u64) | (1 << 63)))
}

fn write_back(keys: &[u64], values: &mut [f64]) {
    for (value, &key) in values.iter_mut().zip(keys) {
        *value = from_key(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted_by_the_book(values: &[f64]) -> Vec<u64> {
        let mut expected: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
        expected.sort_by(f64::total_cmp);
        expected.iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn extremes_sort_in_numeric_order() {
        let extremes =
            [f64::INFINITY, -0.0, f64::MIN_POSITIVE, -5e-324, 5e-324, f64::MAX, 0.0, f64::MIN, -1.0, f64::NEG_INFINITY];
        for copies in [1, 200] {
            let mut values = extremes.repeat(copies);
            let expected = sorted_by_the_book(&values);
            sort_values(&mut values);
            assert_eq!(values.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), expected);
            assert!(values.iter().all(|value| value.to_bits() != (-0.0f64).to_bits()));
        }
    }

    #[test]
    fn already_sorted_and_constant_columns_stay() {
        let mut ascending: Vec<f64> = (0..5000).map(f64::from).collect();
        let expected = ascending.clone();
        sort_values(&mut ascending);
        assert_eq!(ascending, expected);
        let mut constant = vec![3.5; 5000];
        sort_values(&mut constant);
        assert!(constant.iter().all(|&value| value == 3.5));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn radix_agrees_with_comparison(
            bits in prop::collection::vec(any::<u64>(), 1..3000), coarse in any::<bool>(),
        ) {
            let mut values: Vec<f64> = bits
                .into_iter()
                .map(|bits| if coarse { (bits % 100) as f64 - 50.0 } else { f64::from_bits(bits) })
                .filter(|value| !value.is_nan())
                .collect();
            let expected = sorted_by_the_book(&values);
            sort_values(&mut values);
            prop_assert_eq!(values.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), expected);
        }
    }
}
