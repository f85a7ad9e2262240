//! One run, whole: what it judged, what it found, on which bytes, and every attempt.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::output::{self, Format};
use crate::app::App;
use crate::db::run_results::{self, Check};
use crate::queue::{self, Run};

/// Writes a run with its checks, inputs and attempts.
pub(super) async fn show(app: &App, run: &Run, format: Format) -> anyhow::Result<()> {
    let mut conn = app.database.pool.acquire().await?;
    // The two usual ones are named also when nothing was read yet.
    let usual = ["current", "reference"].map(|role| (role.to_owned(), Vec::new()));
    let mut inputs: BTreeMap<String, Vec<queue::InputPin>> = usual.into();
    for (role, pin) in queue::all_inputs(&mut conn, run.id).await? {
        inputs.entry(role).or_default().push(pin);
    }
    drop(conn);
    let checks = run_results::checks(&app.database.pool, run.id).await?;
    let attempts = queue::attempts(&app.database.pool, run.id).await?;
    if format == Format::Json {
        let mut all = document(run);
        all["checks"] = serde_json::to_value(&checks)?;
        all["attempts"] = serde_json::to_value(&attempts)?;
        all["inputs"] = inputs
            .iter()
            .map(|(role, pins)| Ok((role.clone(), serde_json::to_value(pins)?)))
            .collect::<anyhow::Result<_>>()?;
        return output::json(&all);
    }
    let model = run.document["model"]["name"].as_str().map(|name| {
        let version =
            run.document["model"]["version"].as_str().or(run.document["model"]["stage"].as_str()).unwrap_or("");
        format!("{name} {version}")
    });
    let mut lines = vec![
        format!("run       {}", run.id),
        format!("job       {} ({})", run.job_name, run.kind),
        format!("model     {}", model.unwrap_or_else(|| "-".to_owned())),
        format!("trigger   {}", run.trigger),
        format!(
            "tick      {}",
            run.tick_at.map_or_else(|| "-".to_owned(), |at| format!("{} UTC", output::time(Some(at))))
        ),
        match (run.window_start, run.window_end) {
            (Some(start), Some(end)) if start < end => {
                format!("window    {} .. {} UTC", output::time(Some(start)), output::time(Some(end)))
            }
            _ => "window    -".to_owned(),
        },
        format!("state     {}{}", run.state, run.outcome.as_ref().map(|o| format!(", {o}")).unwrap_or_default()),
        format!("took      {}", took(run)),
    ];
    if let Some(error) = &run.error {
        lines.push(format!("error     {error}"));
    }
    if let Some(reason) = run.summary.as_ref().and_then(|s| s["reason"].as_str()) {
        lines.push(format!("reason    {reason}"));
    }
    let breached = run.summary.as_ref().and_then(|s| s["breached"].as_array());
    let breached: Vec<&str> = breached.into_iter().flatten().filter_map(Value::as_str).collect();
    if !breached.is_empty() {
        lines.push(format!("breached  {}", breached.join(", ")));
    }
    output::data(&lines.join("\n"));
    if !checks.is_empty() {
        output::data("");
        output::data(&check_table(&run.kind, &checks));
    }
    let input_rows: Vec<Vec<String>> = inputs
        .iter()
        .flat_map(|(role, pins)| {
            pins.iter().map(move |p| {
                vec![
                    role.clone(),
                    p.object.clone(),
                    p.size_bytes.to_string(),
                    p.row_count.map_or_else(|| "-".to_owned(), |n| n.to_string()),
                ]
            })
        })
        .collect();
    if !input_rows.is_empty() {
        output::data("");
        output::data(&output::table(&["input", "object", "bytes", "rows"], &[2, 3], input_rows));
    }
    if attempts.len() > 1 || run.error.is_some() {
        let rows = attempts
            .iter()
            .map(|a| {
                vec![
                    a.fence.to_string(),
                    output::time(Some(a.started_at)),
                    a.worker_name.clone(),
                    a.outcome.clone().unwrap_or_else(|| "running".to_owned()),
                    a.error.clone().unwrap_or_default(),
                ]
            })
            .collect();
        output::data("");
        output::data(&output::table(&["attempt", "started (UTC)", "worker", "outcome", "error"], &[0], rows));
    }
    Ok(())
}

fn check_table(kind: &str, checks: &[Check]) -> String {
    let header = match kind {
        "drift" => ["column", "method", "score", "threshold", "p", "verdict", "rows", "note"],
        "metrics" => ["metric", "split", "value", "95 % interval", "", "", "rows", "note"],
        _ => ["test", "method", "B better by %", "difference", "p", "decision", "rows", "why"],
    };
    let rows = checks
        .iter()
        .map(|c| {
            vec![
                c.name.clone(),
                c.method.clone(),
                output::number(c.value),
                match (c.low, c.high) {
                    (Some(low), Some(high)) => {
                        format!("{} .. {}", output::number(Some(low)), output::number(Some(high)))
                    }
                    (low, _) => output::number(low),
                },
                if kind == "metrics" { String::new() } else { output::p_value(c.p_value) },
                c.verdict.clone(),
                c.n.to_string(),
                c.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    output::table(&header, &[2, 3, 4, 6], rows)
}

/// How long a run took, or has been running.
pub(super) fn took(run: &Run) -> String {
    // A replay stands still in simulated time.
    match run.started_at.zip(run.finished_at).filter(|_| run.trigger != "replay") {
        Some((start, end)) => format!("{:.2} s", (end - start).num_milliseconds() as f64 / 1000.0),
        None => "-".to_owned(),
    }
}

/// A run as JSON.
pub(super) fn document(run: &Run) -> Value {
    json!({
        "id": run.id,
        "job": run.job_name,
        "kind": run.kind,
        "state": run.state,
        "outcome": run.outcome,
        "trigger": run.trigger,
        "queue": run.queue,
        "tick_at": run.tick_at,
        "window_start": run.window_start,
        "window_end": run.window_end,
        "attempt": run.attempt,
        "max_attempts": run.max_attempts,
        "crash_count": run.crash_count,
        "parent_id": run.parent_id,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "summary": run.summary,
        "error": run.error,
        "error_kind": run.error_kind,
    })
}
