//! The two arms of an A/B test from one dataset: the values of every row, by the variant that served it, or of both models where they
//! answered the same rows.

use crate::dataset::{self, AlignedColumn, Dataset, Table};
use crate::metrics;
use crate::registry::ab_tests::records::{Account, Collected, Columns, Records, key};

mod values;

use values::{labels, numbers, text, values};

/// One arm.
#[derive(Debug, Clone, Default)]
pub struct Arm {
    /// Value of the variant column, as text.
    pub variant: String,
    /// Column of the score of the positive class, for losses of scores.
    pub score: Option<String>,
    /// Column of the predicted class or number, for losses of predictions.
    pub prediction: Option<String>,
}

/// What is read of every row.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Column that says which arm served a row.
    pub variant_column: String,
    /// The control.
    pub control: Arm,
    /// The treatment.
    pub treatment: Arm,
    /// The values of a row: of the metric that decides, then of every side metric.
    pub measures: Vec<Measure>,
    /// Column with what was known before the test.
    pub covariate: Option<String>,
    /// Whether both models answered every row: each measure has two values then.
    pub same_rows: bool,
}

/// A value of a row.
#[derive(Debug, Clone)]
pub enum Measure {
    /// The number in a column: for rows of the control, and of the treatment.
    Outcome([String; 2]),
    /// A loss of the arm's prediction against the label.
    Loss {
        /// `brier`, `log_loss`, `accuracy`, `absolute_error` or `squared_error`.
        metric: String,
        /// Column of the truth.
        label: String,
    },
    /// The scores of both models beside the label, in the same rows.
    Score {
        /// Column of the truth: 0 or 1.
        label: String,
    },
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading.
    #[error(transparent)]
    Data(#[from] dataset::Error),
    /// The columns cannot be used.
    #[error(transparent)]
    Rows(#[from] metrics::RowsError),
    /// A column cannot be used as the plan wants.
    #[error("column `{column}` holds text, and an outcome or score must be a number")]
    NotANumber {
        /// The column.
        column: String,
    },
    /// A label that is neither 0 nor 1.
    #[error("column `{column}` holds {value}, and labels that scores are compared by are 0 or 1")]
    NotALabel {
        /// The column.
        column: String,
        /// The value.
        value: f64,
    },
    /// The metric needs a column that the arm does not name.
    #[error("metric `{metric}` of variant `{variant}` needs its {needed} column")]
    MissingColumn {
        /// The metric.
        metric: String,
        /// The arm.
        variant: String,
        /// `score` or `prediction`.
        needed: &'static str,
    },
    /// The metric is no mean over rows.
    #[error(
        "metric `{0}` has no value for each row; choose brier, log_loss, accuracy, absolute_error or squared_error"
    )]
    NoRowValue(String),
}

/// Columns that say whose a row is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// Column with the unit.
    pub unit: Option<String>,
    /// Column with what tells a row from its repetition.
    pub request: Option<String>,
    /// All rows are of this arm (`true`: the treatment), and no column says it.
    pub arm: Option<bool>,
}

/// Reads both arms at once; rows without a request stay as they come, which no keys need sorting for.
///
/// # Errors
/// See [`Error`].
pub async fn read(data: &Dataset, plan: &Plan, keys: &Keys) -> Result<Collected, Error> {
    if keys.unit.is_some() || keys.request.is_some() {
        return Ok(read_records(data, plan, keys).await?.collect());
    }
    let (table, wanted) = columns(data, plan, keys).await?;
    let (plan, keys) = (plan.clone(), keys.clone());
    super::busy(move || {
        let column = |name: &str| &table.columns[wanted.iter().position(|w| w == name).unwrap_or(0)];
        let (of, unknown) = split(&plan, &keys, table.rows, &column);
        let [a, b] = both(&plan, &of, &column)?;
        let missing =
            |arm: &Columns| arm.first().map_or(0, |values| values.iter().filter(|v| v.is_none()).count() as u64);
        let account = Account {
            rows: [&of[0], &of[1]].map(|rows| rows.len() as u64),
            missing: [&a, &b].map(missing),
            unknown_variants: unknown,
            ..Account::default()
        };
        Ok(Collected { a, b, account })
    })
    .await
}

/// Reads the rows of both arms (or of the one that `keys` names), each with its unit and its request.
///
/// # Errors
/// See [`Error`].
pub async fn read_records(data: &Dataset, plan: &Plan, keys: &Keys) -> Result<Records, Error> {
    let (table, wanted) = columns(data, plan, keys).await?;
    let (plan, keys) = (plan.clone(), keys.clone());
    super::busy(move || {
        let column = |name: &str| &table.columns[wanted.iter().position(|w| w == name).unwrap_or(0)];
        records(&plan, &keys, table.rows, &column)
    })
    .await
}

/// The columns that are needed, and their names.
async fn columns(data: &Dataset, plan: &Plan, keys: &Keys) -> Result<(Table, Vec<String>), Error> {
    let mut wanted: Vec<String> = Vec::new();
    if keys.arm.is_none() && !plan.same_rows {
        wanted.push(plan.variant_column.clone());
    }
    wanted.extend(keys.unit.iter().chain(&keys.request).chain(&plan.covariate).cloned());
    let of_arm = |is_b: bool| keys.arm.is_none_or(|arm| arm == is_b);
    let arms: Vec<_> =
        [(false, &plan.control), (true, &plan.treatment)].into_iter().filter(|(b, _)| of_arm(*b)).collect();
    for measure in &plan.measures {
        match measure {
            Measure::Outcome(columns) => wanted.extend(arms.iter().map(|(b, _)| columns[usize::from(*b)].clone())),
            Measure::Loss { label, .. } | Measure::Score { label } => {
                wanted.push(label.clone());
                wanted.extend(arms.iter().flat_map(|(_, arm)| arm.score.iter().chain(&arm.prediction)).cloned());
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    wanted.retain(|name| seen.insert(name.clone()));
    let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let table = data.aligned(&names).await?;
    Ok((table, wanted))
}

/// The rows of each arm, and how many are of neither.
fn split<'a>(
    plan: &Plan,
    keys: &Keys,
    rows: usize,
    column: &dyn Fn(&str) -> &'a AlignedColumn,
) -> ([Vec<usize>; 2], u64) {
    let (mut of, mut unknown) = ([Vec::new(), Vec::new()], 0);
    match keys.arm {
        _ if plan.same_rows => of[0].extend(0..rows),
        Some(is_b) => of[usize::from(is_b)].extend(0..rows),
        None => {
            let variants = column(&plan.variant_column);
            for row in 0..rows {
                match text(variants, row) {
                    Some(v) if v == plan.control.variant => of[0].push(row),
                    Some(v) if v == plan.treatment.variant => of[1].push(row),
                    _ => unknown += 1,
                }
            }
        }
    }
    (of, unknown)
}

fn records<'a>(
    plan: &Plan,
    keys: &Keys,
    rows: usize,
    column: &dyn Fn(&str) -> &'a AlignedColumn,
) -> Result<Records, Error> {
    let mut found = Records::default();
    let (of, unknown) = split(plan, keys, rows, column);
    found.unknown = unknown;
    let id = |name: &Option<String>, row: usize| {
        name.as_deref().and_then(|name| text(column(name), row)).map(|text| key(&text))
    };
    let mut values = Vec::new();
    for (rows, (is_b, columns)) in of.iter().zip([false, true].into_iter().zip(both(plan, &of, column)?)) {
        for (at, row) in rows.iter().enumerate() {
            let unit = id(&keys.unit, *row);
            if keys.unit.is_some() && unit.is_none() {
                found.without_unit += 1;
                continue;
            }
            values.clear();
            values.extend(columns.iter().map(|column| column[at]));
            found.push(is_b, id(&keys.request, *row), unit, &values);
        }
    }
    Ok(found)
}

/// The values of both arms, in the order in which [`Observed`](crate::registry::ab_tests::Observed) takes them.
fn both<'a>(
    plan: &Plan,
    of: &[Vec<usize>; 2],
    column: &dyn Fn(&str) -> &'a AlignedColumn,
) -> Result<[Columns; 2], Error> {
    let arms = [&plan.control, &plan.treatment];
    let mut found = [Columns::new(), Columns::new()];
    for (at, measure) in plan.measures.iter().enumerate() {
        if plan.same_rows {
            if let Measure::Score { label } = measure {
                found[0].push(labels(label, column(label), &of[0])?);
            }
            for (side, arm) in arms.iter().enumerate() {
                found[0].push(values(measure, arm, side, &of[0], column)?);
            }
        } else {
            for side in [0, 1] {
                // An arm without rows may lack its columns, too: another input holds them.
                let of_side = match of[side].is_empty() {
                    true => Vec::new(),
                    false => values(measure, arms[side], side, &of[side], column)?,
                };
                found[side].push(of_side);
            }
        }
        if let (0, Some(name)) = (at, &plan.covariate) {
            for side in [0, 1] {
                let of_side = if of[side].is_empty() { Vec::new() } else { numbers(name, column(name), &of[side])? };
                found[side].push(of_side);
            }
        }
    }
    Ok(found)
}
