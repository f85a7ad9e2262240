//! Every operation with hostile text in every place where text goes.

use futures::StreamExt as _;

use super::*;
use crate::support::operations::{Operation, encoded, operations, strings};

/// Texts that have broken other programs.
fn tricks() -> Vec<String> {
    let short = [
        "'; DROP TABLE model_registry; --",
        "\" OR 1=1 --",
        "../../../../etc/passwd",
        "%00",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "a\0b",
        "\u{202e}gnp.exe",
        "😀👩‍👩‍👧‍👦",
        "line\r\nset-cookie: a=b",
        "${jndi:ldap://127.0.0.1:1/a}{{7*7}}",
        "-1",
        "+294277-01-01T00:00:00Z",
        " ",
        "",
    ];
    let mut tricks: Vec<String> = short.iter().map(|&text| text.to_owned()).collect();
    tricks.push("x".repeat(10_000));
    tricks
}

/// Escapes that go into a path as they are.
const RAW: [&str; 7] = ["%00", "%2e%2e%2f", "%ff%fe", "..%2f..", "%", "%zz", "a%2fb"];

struct Attempt {
    operation: Operation,
    target: String,
    body: Option<Value>,
    what: String,
}

/// Each place of an operation with each trick.
fn attempts(operation: &Operation, usual: &dyn Fn(&str) -> String) -> Vec<Attempt> {
    let mut found = Vec::new();
    let mut add = |target: String, body: Option<Value>, what: String| {
        found.push(Attempt { operation: operation.clone(), target, body, what });
    };
    let plain = operation.target(usual);
    let body = operation.body.clone();
    for trick in tricks() {
        let shown: String = trick.chars().take(20).collect();
        for name in operation.texts("path") {
            let target = operation.target(|n| if n == name { encoded(&trick) } else { usual(n) });
            add(target, body.clone(), format!("{name} = {shown:?}"));
        }
        for name in operation.texts("query") {
            let and = if plain.contains('?') { '&' } else { '?' };
            let target = if plain.contains(&format!("?{name}=")) {
                operation.target(|n| if n == name { encoded(&trick) } else { usual(n) })
            } else {
                format!("{plain}{and}{name}={}", encoded(&trick))
            };
            add(target, body.clone(), format!("?{name} = {shown:?}"));
        }
        let Some(whole) = &body else { continue };
        for place in strings(whole) {
            let mut changed = whole.clone();
            *changed.pointer_mut(&place).unwrap() = json!(trick);
            add(plain.clone(), Some(changed), format!("{place} = {shown:?}"));
        }
    }
    for escape in RAW {
        for name in operation.texts("path") {
            add(
                operation.target(|n| if n == name { escape.to_owned() } else { usual(n) }),
                body.clone(),
                format!("{name} = {escape}"),
            );
        }
    }
    found
}

async fn id_of(answer: Answer) -> String {
    let status = answer.status;
    assert!((200..300).contains(&status), "{}", answer.text);
    answer.body["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_breaks_nothing_anywhere() {
    let config = "[registry]\nnotify = [\"ml-webhook\"]\n[server]\nmax_wait_seconds = 1\n";
    let service = Service::start_as("api", config).await;
    let api = service.client();
    let pool = &service.database.pool;
    let data = service.site.path().join("data.csv");
    std::fs::write(&data, "y,p\n1,1\n0,0\n").unwrap();
    let job = format!(
        "name = \"watch\"\nkind = \"metrics\"\n[data]\ncurrent = '{}'\n[metrics]\ntask = \"classification\"\nlabel = \"y\"\nprediction = \"p\"\n",
        data.display()
    );
    service.site.job("watch", &job);
    service.site.ok(&["jobs", "apply"]);
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1";
    let before: Vec<String> = sqlx::query_scalar(tables).fetch_all(pool).await.unwrap();

    // Something to aim at.
    for version in ["1.0.0", "1.1.0"] {
        api.post(REGISTER, json!({ "model_name": "m", "version": version })).await.expect(201);
    }
    let broken = json!({ "target_stage": "production", "break_glass": "a test" });
    api.post("/governance/models/m/1.0.0/promote", broken).await.expect(200);
    api.put("/governance/models/m/aliases/champion", json!({ "version": "1.0.0" })).await.expect(200);
    let delivery = api.get("/governance/deliveries").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let incident = api.get("/governance/incidents").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let alert = "INSERT INTO model_drift_detection (drift_type, feature_name, method, is_alert, status) \
                 VALUES ('data', 'x', 'ks_test', true, 'drifted') RETURNING id::text";
    let alert: String = sqlx::query_scalar(alert).fetch_one(pool).await.unwrap();
    let run = id_of(api.post("/governance/jobs/watch/run", json!({})).await).await;
    let test = json!({
        "test_name": "t", "model_a_name": "m", "model_a_version": "1.0.0", "model_b_name": "m", "model_b_version": "1.1.0",
        "success_metric": "accuracy"
    });
    let test = id_of(api.post("/governance/ab-tests", test).await).await;
    let usual = |name: &str| -> String {
        match name {
            "model_name" => "m",
            "version" => "1.0.0",
            "test_id" => &test,
            "run_id" => &run,
            "job_name" => "watch",
            "delivery_id" => &delivery,
            "incident_id" => &incident,
            "alert_id" => &alert,
            "alias" => "champion",
            "reason" => "tidy",
            "token_id" => "00000000-0000-0000-0000-000000000001",
            _ => "accuracy",
        }
        .to_owned()
    };

    let document = api.get("/openapi.json").await.expect(200);
    let all: Vec<Attempt> = operations(&document).iter().flat_map(|operation| attempts(operation, &usual)).collect();
    let count = all.len();
    assert!(count > 2000, "{count}");
    let wrong: Vec<String> = futures::stream::iter(all)
        .map(|attempt| {
            let api = api.clone();
            async move { judge(&api, &attempt).await.err() }
        })
        .buffer_unordered(8)
        .filter_map(|wrong| async { wrong })
        .collect()
        .await;
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong[..wrong.len().min(25)].join("\n"));

    let after: Vec<String> = sqlx::query_scalar(tables).fetch_all(pool).await.unwrap();
    assert_eq!(before, after);
    assert!(service.site.run(&["audit", "verify"]).status.success());
    assert!(api.get("/governance/audit").await.expect(200)["items"].as_array().unwrap().len() > 5);
    // Names that entered, if any, are names.
    let names: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT model_name FROM model_registry").fetch_all(pool).await.unwrap();
    for name in names {
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{name}");
    }
    let log = service.role.log();
    assert!(!log.contains("panicked") && !log.contains("a request failed inside"), "{log}");
}

async fn judge(api: &Client, attempt: &Attempt) -> Result<(), String> {
    let Attempt { operation, target, body, what } = attempt;
    let shown = || format!("{} {} with {what}", operation.method, operation.path);
    let body = body.as_ref().map(Value::to_string);
    let answer =
        api.try_send(&operation.method, target, body, &[]).await.map_err(|error| format!("{}: {error}", shown()))?;
    let kind = answer.header("content-type").unwrap_or_default();
    let problem = kind == "application/problem+json"
        && answer.body["code"].is_string()
        && answer.body["status"] == answer.status
        && !answer.body["detail"].as_str().unwrap_or_default().is_empty();
    let fine = match answer.status {
        // `..` in a path leads a client to another operation, which has statuses of its own.
        200..=399 => operation.statuses.contains(&answer.status) || what.contains("..") || what.contains("2e"),
        400..=499 => problem,
        _ => false,
    };
    let leak = ["sqlx", "postgres", "SELECT ", "src/", "panicked"]
        .iter()
        .find(|word| answer.status >= 400 && answer.text.contains(**word));
    if answer.header("set-cookie").is_some() || leak.is_some() || !fine {
        let text: String = answer.text.chars().take(300).collect();
        return Err(format!("{}: {} {kind} {text}", shown(), answer.status));
    }
    Ok(())
}
