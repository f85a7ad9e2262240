//! Stand-ins until the parts that own these answers are joined: names of methods, metrics and tests, and the checks
//! of schedules, windows and templates. To be replaced by what `drift`, `metrics`, `ab` and `schedule` say themselves.

use chrono_tz::Tz;

use super::document::Task;
use super::known::{AppliesTo, Fault, Known, MethodInfo, MetricInfo, ScheduleChecks};

/// The names as STATISTICS lists them.
#[must_use]
pub fn known(channels: Option<Vec<String>>) -> Known {
    let method = |name: &str, applies_to| MethodInfo { name: name.to_owned(), applies_to };
    let metric = |task, needs_score| move |name: &&str| MetricInfo { name: (*name).to_owned(), task, needs_score };
    let classes = ["accuracy", "precision", "recall", "f1", "balanced_accuracy", "mcc", "cohen_kappa"];
    let scores = ["roc_auc", "average_precision", "log_loss", "brier", "expected_calibration_error"];
    let numbers = [
        "mae",
        "mse",
        "rmse",
        "r2",
        "median_absolute_error",
        "max_error",
        "mape",
        "smape",
        "explained_variance",
        "mean_error",
    ];
    Known {
        drift_methods: vec![
            method("ks_test", AppliesTo::Numeric),
            method("psi", AppliesTo::Any),
            method("chi_square", AppliesTo::Any),
            method("wasserstein", AppliesTo::Numeric),
            method("jensen_shannon", AppliesTo::Any),
            method("hellinger", AppliesTo::Any),
            method("total_variation", AppliesTo::Any),
        ],
        metrics: classes
            .iter()
            .map(metric(Task::Classification, false))
            .chain(scores.iter().map(metric(Task::Classification, true)))
            .chain(numbers.iter().map(metric(Task::Regression, false)))
            .collect(),
        ab_tests: ["t_test", "student_t_test"].map(str::to_owned).to_vec(),
        channels,
    }
}

/// Checks that see the usual mistakes.
pub struct Simple;

const FIELDS: [(&str, u32, u32); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7)];

impl ScheduleChecks for Simple {
    fn cron(&self, expression: &str, _timezone: Tz) -> Result<(), Fault> {
        if expression.starts_with('@') {
            let known = ["@yearly", "@monthly", "@weekly", "@daily", "@hourly"];
            return if known.contains(&expression) {
                Ok(())
            } else {
                Err(fault(
                    format!("there is no schedule `{expression}`"),
                    Some(format!("one of {}", known.join(", "))),
                    None,
                ))
            };
        }
        let fields: Vec<&str> = expression.split_whitespace().collect();
        if fields.len() != 5 {
            let message = format!("a cron expression has five fields, this one has {}", fields.len());
            return Err(fault(message, Some("minute, hour, day of month, month, day of week".into()), None));
        }
        let mut from = 0;
        for (field, (name, low, high)) in fields.iter().zip(FIELDS) {
            let start = from + expression[from..].find(field).unwrap_or(0);
            from = start + field.len();
            for number in field.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty()) {
                if !number.parse::<u32>().is_ok_and(|n| (low..=high).contains(&n)) {
                    let message = format!("the {name} `{number}` does not exist");
                    return Err(fault(message, Some(format!("the {name} is {low} to {high}")), Some(start..from)));
                }
            }
        }
        Ok(())
    }

    fn window(&self, window: &str) -> Result<(), Fault> {
        let digits = window.chars().take_while(char::is_ascii_digit).count();
        let unit = window[digits..].trim().trim_end_matches('s');
        let units = ["minute", "hour", "day", "week", "month", "m", "h", "d", "w"];
        if digits > 0 && units.contains(&unit) {
            return Ok(());
        }
        let message = format!("`{window}` is not a window");
        Err(fault(message, Some("a number and a unit, such as `6 hours`, `7d`, `2 weeks` or `1 month`".into()), None))
    }

    fn template(&self, uri: &str) -> Result<(), Fault> {
        let mut rest = 0;
        while let Some(open) = uri[rest..].find('{').map(|i| rest + i) {
            let Some(close) = uri[open..].find('}').map(|i| open + i) else {
                return Err(fault("the template is not closed".into(), Some("add `}`".into()), Some(open..uri.len())));
            };
            let inner = &uri[open + 1..close];
            let name = inner.split_once(':').map_or(inner, |(name, _)| name);
            if !["window.start", "window.end"].contains(&name) {
                let near = super::suggest::closest(name, ["window.start", "window.end"]);
                let hint = near.map_or("`{window.start:%Y-%m-%d}` or `{window.end:...}`".into(), |near| {
                    format!("did you mean `{near}`?")
                });
                return Err(fault(
                    format!("there is no template `{name}`"),
                    Some(hint),
                    Some(open + 1..open + 1 + name.len()),
                ));
            }
            rest = close + 1;
        }
        Ok(())
    }
}

fn fault(message: String, hint: Option<String>, part: Option<std::ops::Range<usize>>) -> Fault {
    Fault { message, hint, part }
}
