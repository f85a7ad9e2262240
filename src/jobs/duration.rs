//! Lengths of time in job documents: `90s`, `15m`, `6h`, `7d`, `2w`, and sums such as `1h30m`.
//!
//! Units of fixed length only: months belong to windows, which know the calendar (see `schedule`).

const UNITS: &[(char, i64)] = &[('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];

/// The length in seconds.
///
/// # Errors
/// What is wrong with the text, as a fragment that fits after the quoted text.
pub fn parse(text: &str) -> Result<i64, String> {
    let mut seconds: i64 = 0;
    let mut digits = String::new();
    let mut any = false;
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if digits.is_empty() {
            return Err("has no number before its unit".to_owned());
        }
        let Some((_, factor)) = UNITS.iter().find(|(unit, _)| *unit == c) else {
            return Err(format!("has the unknown unit `{c}`"));
        };
        let part = digits.parse::<i64>().ok().and_then(|n| n.checked_mul(*factor));
        seconds = part.and_then(|n| seconds.checked_add(n)).ok_or("is too long")?;
        digits.clear();
        any = true;
    }
    if !digits.is_empty() {
        return Err("has no unit".to_owned());
    }
    if any { Ok(seconds) } else { Err("is empty".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations_are_read_or_refused_with_a_reason() {
        assert_eq!(parse("90s"), Ok(90));
        assert_eq!(parse("1h30m"), Ok(5_400));
        assert_eq!(parse("1h 30m"), Ok(5_400));
        assert_eq!(parse("2w"), Ok(1_209_600));
        assert_eq!(parse("0s"), Ok(0));
        assert_eq!(parse("6"), Err("has no unit".into()));
        assert_eq!(parse("h"), Err("has no number before its unit".into()));
        assert_eq!(parse("6y"), Err("has the unknown unit `y`".into()));
        assert_eq!(parse("-6h"), Err("has no number before its unit".into()));
        assert_eq!(parse(""), Err("is empty".into()));
        assert_eq!(parse("99999999999999999w"), Err("is too long".into()));
    }
}
