//! Lengths of time in job documents: `90s`, `15m`, `6h`, `7d`, `2w`, also in words (`90 minutes`), and sums (`1h30m`).
//!
//! Units of fixed length only: months belong to windows, which know the calendar (see `schedule`).

const UNITS: &[(&[&str], i64)] = &[
    (&["s", "sec", "second", "seconds"], 1),
    (&["m", "min", "minute", "minutes"], 60),
    (&["h", "hour", "hours"], 3_600),
    (&["d", "day", "days"], 86_400),
    (&["w", "week", "weeks"], 604_800),
];

/// The length in seconds.
///
/// # Errors
/// What is wrong with the text, as a fragment that fits after the quoted text.
pub fn parse(text: &str) -> Result<i64, String> {
    let mut seconds: i64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("is empty".to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            return Err("has no number before its unit".to_owned());
        }
        let after = after.trim_start();
        let letters = after.find(|c: char| c.is_ascii_digit() || c.is_whitespace()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err("has no unit".to_owned());
        }
        let Some((_, factor)) = UNITS.iter().find(|(names, _)| names.contains(&unit)) else {
            return Err(format!("has the unknown unit `{unit}`"));
        };
        let part = number.parse::<i64>().ok().and_then(|n| n.checked_mul(*factor));
        seconds = part.and_then(|n| seconds.checked_add(n)).ok_or("is too long")?;
        rest = after.trim_start();
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations_are_read_or_refused_with_a_reason() {
        assert_eq!(parse("90s"), Ok(90));
        assert_eq!(parse("1h30m"), Ok(5_400));
        assert_eq!(parse("1h 30 min"), Ok(5_400));
        assert_eq!(parse("2 weeks"), Ok(1_209_600));
        assert_eq!(parse("0s"), Ok(0));
        assert_eq!(parse("6"), Err("has no unit".into()));
        assert_eq!(parse("6 6"), Err("has no unit".into()));
        assert_eq!(parse("h"), Err("has no number before its unit".into()));
        assert_eq!(parse("1 month"), Err("has the unknown unit `month`".into()));
        assert_eq!(parse("-6h"), Err("has no number before its unit".into()));
        assert_eq!(parse("6é"), Err("has the unknown unit `é`".into()));
        assert_eq!(parse(" "), Err("is empty".into()));
        assert_eq!(parse("99999999999999999w"), Err("is too long".into()));
    }
}
