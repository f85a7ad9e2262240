//! What is wrong with a cron expression: which field, and what to write instead.

/// A cron expression or time zone that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{hint}", field.map(|field| format!("{field} {value:?}: ")).unwrap_or_default())]
pub struct CronError {
    /// `minute`, `hour`, `day of month`, `month`, `day of week` or `time zone`; none when the whole is wrong.
    pub field: Option<&'static str>,
    /// What stands there.
    pub value: String,
    /// What is wrong and what to write.
    pub hint: String,
}

/// The five fields with their ranges.
pub(super) const FIELDS: [Field; 5] = [
    Field { name: "minute", low: 0, high: 59, names: &[] },
    Field { name: "hour", low: 0, high: 23, names: &[] },
    Field { name: "day of month", low: 1, high: 31, names: &[] },
    Field {
        name: "month",
        low: 1,
        high: 12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    Field { name: "day of week", low: 0, high: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] },
];

/// One field of an expression.
pub(super) struct Field {
    pub(super) name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

impl Field {
    /// An error in this field.
    pub(super) fn error(&self, value: &str, hint: impl Into<String>) -> CronError {
        CronError { field: Some(self.name), value: value.to_owned(), hint: hint.into() }
    }

    /// Finds mistakes for which a precise hint can be given; `value` in upper case.
    ///
    /// What passes is not yet known to be valid: croner has the last word.
    pub(super) fn check(&self, value: &str) -> Result<(), CronError> {
        let value = value.strip_prefix('+').filter(|_| self.name == "day of week").unwrap_or(value);
        for item in value.split(',') {
            self.check_item(item).map_err(|hint| self.error(value, hint))?;
        }
        Ok(())
    }

    fn check_item(&self, item: &str) -> Result<(), String> {
        if item.is_empty() {
            return Err("a list has an empty entry: remove the extra comma".to_owned());
        }
        let (base, step) = item.split_once('/').map_or((item, None), |(base, step)| (base, Some(step)));
        if let Some(step) = step {
            if !step.parse::<u32>().is_ok_and(|step| (1..=self.high.max(1)).contains(&step)) {
                return Err(format!("the step {step:?} must be a whole number from 1 to {}", self.high));
            }
            if base != "*" && !base.contains('-') {
                return Err(format!("a step needs a range before it: write {base}-{}/{step} or */{step}", self.high));
            }
        }
        if base == "*" || base == "?" || self.is_special(base) {
            return Ok(());
        }
        let base = base.split_once('#').filter(|_| self.name == "day of week").map_or(base, |(day, _)| day);
        match base.split_once('-') {
            Some((from, to)) => {
                let (low, high) = (self.number(from)?, self.number(to)?);
                // Sunday ends a week as well as it begins one.
                let high = if self.name == "day of week" && high == 0 { 7 } else { high };
                if low > high {
                    return Err(format!(
                        "the range {base} runs backwards: write {from}-{},{}-{to} to wrap around",
                        self.high, self.low
                    ));
                }
                Ok(())
            }
            None => self.number(base).map(|_| ()),
        }
    }

    /// `L`, `LW`, `15W`, `5L`, and the like: left to croner.
    fn is_special(&self, base: &str) -> bool {
        match self.name {
            "day of month" => base == "L" || base.ends_with('W'),
            "day of week" => base == "L" || base.ends_with('L'),
            _ => false,
        }
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        if let Some(at) = self.names.iter().position(|name| *name == text) {
            return Ok(u32::try_from(at).unwrap_or(0) + u32::from(self.name == "month"));
        }
        let range = format!("{}s go from {} to {}", self.name, self.low, self.high);
        let range = range.replace("day of months", "days of the month").replace("day of weeks", "days of the week");
        match text.parse::<u32>() {
            Ok(number) if (self.low..=self.high).contains(&number) => Ok(number),
            Ok(_) => Err(range),
            Err(_) if self.names.is_empty() => Err(format!("{range}; {text:?} is not a number")),
            Err(_) => Err(format!("{range}, or {} to {}", self.names[0], self.names[self.names.len() - 1])),
        }
    }
}
