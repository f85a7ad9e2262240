//! The rows of both arms so far, of which only what is new is read.
//!
//! What a test found in an object is kept with the object's etag and size. It is taken from there when the object is the same one, was
//! asked the same question, and had no row behind the cut-off of then; otherwise the object is read (again). The result is
//! that of reading everything: see [`records`](crate::registry::ab_tests::records).

use chrono::{DateTime, TimeZone, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::dataset::{self, Dataset, Pin, Source};
use crate::db::ab_tests::objects::ReadObject;
use crate::jobs::document::{AbSpec, ArmSpec, JobDocument, SourceSpec};
use crate::jobs::evaluation::Context;
use crate::jobs::inputs::{self, Problem};
use crate::jobs::judging::ab_test::{Arm, Error, Keys, Measure, Plan, read_records};
use crate::registry::ab_tests::Rules;
use crate::registry::ab_tests::records::Records;
use crate::storage::ObjectInfo;

/// What was found, and what of it is to be kept.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// All rows.
    pub rows: Records,
    /// Objects that were read now.
    pub read: Vec<ReadObject>,
    /// How many were taken as they had been read before.
    pub kept: usize,
    /// Objects that had been read before and have changed since.
    pub changed: Vec<String>,
    /// Objects that are no longer there: their input and name.
    pub gone: Vec<(String, String)>,
    /// Bytes read.
    pub bytes_read: u64,
}

/// Gathers the rows of all inputs; `known` is what the test has read before.
pub(super) async fn gather(
    document: &JobDocument,
    spec: &AbSpec,
    plan: &Plan,
    context: &Context,
    known: &[ReadObject],
) -> Result<Gathered, Problem> {
    let mut gathered = Gathered::default();
    let inputs = [("reference", &document.data.reference, false), ("current", &document.data.current, true)];
    for (role, source, is_b) in inputs {
        let Some(source) = source else { continue };
        let arm = (spec.variant_column.is_none() && !plan.same_rows).then_some(is_b);
        let input = Input { role, spec: source, keys: keys(spec, arm), plan };
        gathered.add(&input, context, known).await?;
    }
    if gathered.rows.is_empty() {
        let of = document.data.current.as_ref().map_or("", |source| source.uri.as_str());
        return Err(Problem::NoData(format!("current: no rows in {of} before the cut-off")));
    }
    Ok(gathered)
}

struct Input<'a> {
    role: &'static str,
    spec: &'a SourceSpec,
    keys: Keys,
    plan: &'a Plan,
}

impl Gathered {
    async fn add(&mut self, input: &Input<'_>, context: &Context, known: &[ReadObject]) -> Result<(), Problem> {
        let role = input.role;
        let source = inputs::source(context, role, input.spec, context.window, context.window)?;
        let failed = |error: dataset::Error| inputs::wait_or_give_up(context, inputs::problem(role, error));
        let listed = context.storage.list(&source.uri).await.map_err(|error| failed(error.into()))?;
        let before = inputs::pinned(context, role).await?;
        let pins: Vec<Pin> = listed.iter().map(pin).collect();
        let same = |pin: &Pin| before.iter().any(|b| (&b.object, &b.etag) == (&pin.object, &pin.etag));
        let is_as_before = before.len() == pins.len() && pins.iter().all(same);
        let replaced = !before.is_empty() && !is_as_before;
        if replaced {
            tracing::warn!(run_id = %context.run.id, role, "inputs changed since the first attempt; reading them as they are now");
        }
        let reading = reading(input, &source);
        for (object, pin) in listed.iter().zip(&pins) {
            let found = known.iter().find(|known| known.role == role && known.object == object.uri);
            if let Some(rows) = found.filter(|found| is_same(found, object, &reading)).and_then(usable) {
                self.rows.merge(&rows);
                self.kept += 1;
                continue;
            }
            if found.is_some_and(|found| !is_unchanged(found, object)) {
                self.changed.push(object.uri.clone());
            }
            let read = self.read(input, context, &source, object, pin, &reading).await?;
            self.read.push(read);
        }
        let is_gone = |known: &&ReadObject| known.role == role && !listed.iter().any(|o| o.uri == known.object);
        self.gone.extend(known.iter().filter(is_gone).map(|known| (known.role.clone(), known.object.clone())));
        inputs::pin_objects(context, role, pins, replaced).await
    }

    async fn read(
        &mut self,
        input: &Input<'_>,
        context: &Context,
        source: &Source,
        object: &ObjectInfo,
        pin: &Pin,
        reading: &str,
    ) -> Result<ReadObject, Problem> {
        let failed = |error: dataset::Error| inputs::problem(input.role, error);
        let one = Source { uri: object.uri.clone(), ..source.clone() };
        let data = Dataset::open(&context.storage, one.clone(), std::slice::from_ref(pin)).await.map_err(failed)?;
        let rows = match read_records(&data, input.plan, &input.keys).await {
            Ok(rows) => rows,
            Err(Error::Data(error)) => return Err(failed(error)),
            Err(error) => return Err(Problem::Corrupt(format!("{}: {}: {error}", input.role, object.uri))),
        };
        self.bytes_read += data.bytes_read();
        let is_complete = match one.window {
            None => true,
            Some((start, _)) => {
                let until_ever = Source { window: Some((start, ever())), ..one };
                let all =
                    Dataset::open(&context.storage, until_ever, std::slice::from_ref(pin)).await.map_err(failed)?;
                let complete = all.row_count().await.map_err(failed)? == data.row_count().await.map_err(failed)?;
                self.bytes_read += all.bytes_read();
                complete
            }
        };
        self.rows.merge(&rows);
        Ok(ReadObject {
            role: input.role.to_owned(),
            object: object.uri.clone(),
            etag: object.etag.clone(),
            version: object.version.clone(),
            size_bytes: i64::try_from(object.size_bytes).unwrap_or(i64::MAX),
            reading: reading.to_owned(),
            is_complete,
            records: rows.encode(),
        })
    }
}

/// Later than any row.
fn ever() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(9999, 1, 1, 0, 0, 0).single().unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn is_unchanged(known: &ReadObject, object: &ObjectInfo) -> bool {
    let size = u64::try_from(known.size_bytes).unwrap_or(0);
    // Without etag and version nobody can say that it is the same.
    let told_apart = object.etag.is_some() || object.version.is_some();
    told_apart && (&known.etag, &known.version, size) == (&object.etag, &object.version, object.size_bytes)
}

fn is_same(known: &ReadObject, object: &ObjectInfo, reading: &str) -> bool {
    known.is_complete && known.reading == reading && is_unchanged(known, object)
}

fn usable(known: &ReadObject) -> Option<Records> {
    Records::decode(&known.records)
}

fn pin(object: &ObjectInfo) -> Pin {
    Pin {
        object: object.uri.clone(),
        etag: object.etag.clone(),
        version: object.version.clone(),
        size_bytes: object.size_bytes,
        row_count: None,
    }
}

/// What is asked of every row: another question, another answer.
fn reading(input: &Input<'_>, source: &Source) -> String {
    let arm = |arm: &Arm| json!([arm.variant, arm.score, arm.prediction]);
    let measure = |measure: &Measure| match measure {
        Measure::Outcome([a, b]) if a == b => json!(["mean", a]),
        Measure::Outcome(columns) => json!(["mean", columns]),
        Measure::Loss { metric, label } => json!([metric, label]),
        Measure::Score { label } => json!(["score", label]),
    };
    let plan = input.plan;
    let mut asked = vec![
        json!(plan.variant_column),
        arm(&plan.control),
        arm(&plan.treatment),
        json!(plan.measures.first().map(measure)),
        json!([&input.keys.unit, &input.keys.request]),
        json!(input.keys.arm),
        json!(source.format),
        json!(source.time_column),
        json!(source.window.map(|(start, _)| start)),
        json!(source.filter),
    ];
    // Where nothing more is asked the digest is that of before, and nothing is read again.
    if plan.measures.len() > 1 || plan.covariate.is_some() || plan.same_rows {
        asked.push(json!(plan.measures[1..].iter().map(measure).collect::<Vec<_>>()));
        asked.push(json!([json!(plan.covariate), json!(plan.same_rows)]));
    }
    hex::encode(Sha256::digest(json!(asked).to_string()))
}

fn keys(spec: &AbSpec, arm: Option<bool>) -> Keys {
    Keys { unit: spec.unit_column.clone(), request: spec.request_column.clone(), arm }
}

/// What is read of every row: the metric that decides and the side metrics of the frozen plan, in its order.
///
/// # Errors
/// What the job no longer says and the plan needs.
pub(super) fn plan(spec: &AbSpec, rules: &Rules) -> Result<Plan, String> {
    let arm = |arm: &ArmSpec| Arm {
        variant: arm.variant.clone(),
        score: arm.score.clone(),
        prediction: arm.prediction.clone(),
    };
    let label = || spec.label.clone().unwrap_or_default();
    let first = match spec.metric.as_str() {
        "mean" => {
            let of_arm = |arm: &ArmSpec| arm.outcome.clone().or_else(|| spec.outcome.clone()).unwrap_or_default();
            Measure::Outcome([of_arm(&spec.control), of_arm(&spec.treatment)])
        }
        "roc_auc" => Measure::Score { label: label() },
        metric => Measure::Loss { metric: metric.to_owned(), label: label() },
    };
    let side = |name: &str| match spec.side_metric(name) {
        None => Err(name.to_owned()),
        Some(side) if side.metric() == "mean" => {
            let column = side.outcome.clone().unwrap_or_default();
            Ok(Measure::Outcome([column.clone(), column]))
        }
        Some(side) => Ok(Measure::Loss { metric: side.metric().to_owned(), label: label() }),
    };
    let mut measures = vec![first];
    for name in rules.side_names() {
        measures.push(side(name)?);
    }
    Ok(Plan {
        variant_column: spec.variant_column.clone().unwrap_or_default(),
        control: arm(&spec.control),
        treatment: arm(&spec.treatment),
        measures,
        covariate: rules.covariate.clone(),
        same_rows: rules.same_rows,
    })
}
