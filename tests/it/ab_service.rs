//! A/B tests as a service: over HTTP and from the command line, with everybody at once and with processes that are killed.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::http::{Client, Service};

/// A running test that tells both channels.
async fn running(api: &Client, name: &str, more: Value) -> String {
    let path = draft(api, name, more).await;
    api.post(&format!("{path}/start"), json!({})).await.expect(200);
    path
}

async fn draft(api: &Client, name: &str, more: Value) -> String {
    let mut body = json!({
        "test_name": name, "model_a_name": "m", "model_a_version": "1.0.0", "model_b_name": "m",
        "model_b_version": "2.0.0", "success_metric": "conversion", "notify": ["ml-oncall", "ml-webhook"],
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let test = api.post("/governance/ab-tests", body).await.expect(201);
    format!("/governance/ab-tests/{}", test["id"].as_str().unwrap())
}

fn shares(n: u64, a: u64, b: u64) -> Value {
    json!({ "model_a_results": { "n": n, "successes": a }, "model_b_results": { "n": n, "successes": b } })
}

async fn count(pool: &PgPool, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn of_eight_that_start_a_test_one_does() {
    let service = Service::open().await;
    let api = service.client();
    let path = draft(&api, "race", json!({})).await;
    let starts = (0..8).map(|_| {
        let (api, path) = (api.clone(), format!("{path}/start"));
        tokio::spawn(async move { api.post(&path, json!({})).await })
    });
    let mut statuses = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        let answer = start.await.unwrap();
        if answer.status != 200 {
            assert_eq!(answer.body["code"], "ab_test_state");
            assert!(answer.body["detail"].as_str().unwrap().contains("started already"), "{}", answer.body);
        }
        statuses.push(answer.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    let events = "SELECT count(*) FROM governance_events WHERE action = 'ab_test.started'";
    assert_eq!(count(&service.database.pool, events).await, 1);
}

#[tokio::test]
async fn a_conclusion_is_told_once_and_can_be_cited() {
    let service = Service::open().await;
    let (api, pool) = (service.client(), &service.database.pool);
    let path = running(&api, "checkout", json!({})).await;
    let look = api.post(&format!("{path}/results"), shares(10_000, 500, 600)).await.expect(201);
    assert_eq!(look["decision"], "SHIP_B", "{look}");
    let told = "SELECT event_kind, count(*) FROM deliveries GROUP BY 1 ORDER BY 1";
    let told = async || sqlx::query_as::<_, (String, i64)>(told).fetch_all(pool).await.unwrap();
    assert_eq!(told().await, [("opened".to_owned(), 2)], "a decision is told when it is reached");

    let policy = json!({ "approvals": 0, "gates": [{ "gate": "ab_test_won", "test": "checkout" }] });
    api.put("/governance/models/m/policy", policy).await.expect(200);
    let check = async || {
        let asked = "/governance/models/m/2.0.0/promotion-check?target_stage=production";
        let check = api.get(asked).await.expect(200);
        check["gates"][0].clone()
    };
    assert_eq!(check().await["passed"], false, "a decision is no conclusion");

    let conclude = async || {
        let key = [("idempotency-key", "conclude-1")];
        let body = json!({ "reason": "enough was seen" }).to_string();
        api.send("POST", &format!("{path}/conclude"), Some(body), &key).await
    };
    let concluded = conclude().await.expect(200);
    assert_eq!(concluded, conclude().await.expect(200), "the same key, the same answer");
    assert_eq!((&concluded["status"], &concluded["decision"]), (&json!("concluded"), &json!("SHIP_B")));
    assert_eq!(concluded["ended_reason"], "enough was seen");
    api.post(&format!("{path}/conclude"), json!({})).await.problem(409, "ab_test_state");
    assert_eq!(told().await.iter().map(|(_, n)| n).sum::<i64>(), 4, "once to each: {:?}", told().await);
    assert_eq!(check().await["passed"], true);
    let stages = "SELECT count(*) FROM model_registry WHERE stage <> 'development'";
    assert_eq!(count(pool, stages).await, 0, "nothing is promoted by itself");
}

/// What a channel would send of the last event: subject and message.
async fn message(pool: &PgPool, channel: &str) -> (String, Value) {
    let last = "SELECT subject, message FROM deliveries WHERE channel = $1 ORDER BY created_at DESC LIMIT 1";
    sqlx::query_as(last).bind(channel).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn people_are_told_in_words() {
    let service = Service::open().await;
    let (api, pool) = (service.client(), &service.database.pool);
    let path = running(&api, "checkout", json!({})).await;
    api.post(&format!("{path}/results"), shares(10_000, 500, 600)).await.expect(201);
    let mut said = vec![("decided", message(pool, "ml-oncall").await)];
    api.post(&format!("{path}/conclude"), json!({ "reason": "shipped on Monday" })).await.expect(200);
    said.push(("concluded", message(pool, "ml-oncall").await));
    let (_, hook) = message(pool, "ml-webhook").await;
    let body: Value = serde_json::from_str(hook["body"].as_str().unwrap()).unwrap();
    // Nobody had heard of this one: the end is the first that people hear.
    let path = running(&api, "undecided", json!({})).await;
    api.post(&format!("{path}/conclude"), json!({})).await.expect(200);
    said.push(("undecided", message(pool, "ml-oncall").await));
    let filters = [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?( UTC)?", "<time>"),
    ];
    insta::with_settings!({ filters => filters }, {
        for (name, (subject, mail)) in said {
            let text = format!("{subject}\n\n{}", mail["text"].as_str().unwrap());
            insta::assert_snapshot!(name, text);
        }
        insta::assert_snapshot!("concluded_webhook", format!("{body:#}"));
    });
}

#[tokio::test]
async fn rows_are_kept_once_and_looked_at_when_asked() {
    let service = Service::open().await;
    let api = service.client();
    let path = running(&api, "rows", json!({ "min_samples": 50 })).await;
    let row = |i: u32| {
        let is_b = i % 2 == 1;
        let outcome = if i < 4 { Value::Null } else { json!(u32::from(i % 10 < if is_b { 6 } else { 3 })) };
        json!({
            "request_id": format!("r{i}"), "unit_id": format!("u{i}"), "variant": if is_b { "b" } else { "a" },
            "outcome": outcome,
        })
    };
    let post = async |rows: Vec<Value>| api.post(&format!("{path}/observations"), json!({ "rows": rows })).await;
    let kept = post((0..400).map(row).collect()).await.expect(200);
    assert_eq!((&kept["added"], &kept["rows_a"], &kept["rows_b"]), (&json!(400), &json!(200), &json!(200)));
    let mut again: Vec<Value> = (200..300).map(row).collect();
    again[0]["outcome"] = json!(17);
    again.push(json!({ "request_id": "r0", "unit_id": "u0", "variant": "a", "outcome": 1 }));
    let kept = post(again).await.expect(200);
    assert_eq!((&kept["added"], &kept["completed"], &kept["rows_a"]), (&json!(0), &json!(1), &json!(200)), "{kept}");
    assert_eq!((&kept["duplicates"], &kept["conflicting"]), (&json!(100), &json!(1)), "{kept}");
    let results = api.get(&format!("{path}/results")).await.expect(200);
    assert_eq!(results["items"], json!([]), "keeping rows is no look");

    // A unit that wanders to the other arm counts in neither.
    post(vec![json!({ "request_id": "x", "unit_id": "u10", "variant": "b", "outcome": 1 })]).await.expect(200);
    let look = api.post(&format!("{path}/evaluate"), json!({})).await.expect(201);
    let data = &look["details"]["data"];
    assert_eq!((&data["units"], &data["in_both"]), (&json!([199, 200]), &json!(1)), "{look}");
    assert_eq!((&look["n_a"], &look["n_b"]), (&json!(198), &json!(198)), "{look}");
    assert_eq!(look["decision"], "SHIP_B", "{look}");

    for (row, pointer) in [
        (json!({ "variant": "c", "outcome": 1 }), "/rows/0/variant"),
        (json!({ "variant": "a", "request_id": "" }), "/rows/0/request_id"),
        (json!({ "variant": "a", "unit_id": "a\nb" }), "/rows/0/unit_id"),
    ] {
        let problem = post(vec![row]).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    post(vec![]).await.problem(422, "invalid_request");
    // Rows without a unit among rows with one would make one kind or the other worthless.
    let problem = post(vec![json!({ "variant": "a", "outcome": 1 })]).await.problem(422, "invalid_request");
    assert!(problem["detail"].as_str().unwrap().contains("the rows before named their unit"), "{problem}");
}

#[tokio::test]
async fn what_cannot_be_judged_is_refused_or_named() {
    let service = Service::open().await;
    let api = service.client();
    let path = running(&api, "bad", json!({})).await;
    let post = async |a: Value, b: Value| {
        api.post(&format!("{path}/results"), json!({ "model_a_results": a, "model_b_results": b })).await
    };
    let problem = post(json!(0.85), json!(0.9)).await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/model_a_results");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("neither how many rows"), "{problem}");
    post(json!([1.0, "high"]), json!([1.0])).await.problem(422, "invalid_request");
    post(json!([]), json!([1.0])).await.problem(422, "invalid_request");
    post(json!({ "n": 5, "mean": 1 }), json!([1.0])).await.problem(422, "invalid_request");

    let decision = async |a: Value, b: Value| {
        let look = post(a, b).await.expect(201);
        assert_eq!(look["is_significant"], false, "{look}");
        (look["decision"].as_str().unwrap().to_owned(), look["details"]["reason"].as_str().unwrap().to_owned())
    };
    let share = |n: u64, ones: u64| json!({ "n": n, "successes": ones });
    let said = |decision: &str, reason: &str| (decision.to_owned(), reason.to_owned());
    assert_eq!(decision(json!([null]), share(500, 50)).await, said("INVALID_DATA", "no_usable_rows"));
    assert_eq!(decision(share(1, 1), share(1, 0)).await, said("CONTINUE", "below_min_samples"));
    assert_eq!(decision(share(500, 100), share(900, 200)).await, said("INVALID_SRM", "sample_ratio_mismatch"));
    assert_eq!(decision(share(500, 500), share(500, 500)).await, said("INCONCLUSIVE", "zero_variance"));

    let paused = draft(&api, "never-started", json!({})).await;
    let evaluate = api.post(&format!("{paused}/evaluate"), json!({})).await;
    let problem = evaluate.problem(409, "ab_test_state");
    assert!(problem["detail"].as_str().unwrap().contains("is draft"), "{problem}");
    for (more, pointer) in [
        (json!({ "traffic_split": 0 }), "/traffic_split"),
        (json!({ "traffic_split": 1 }), "/traffic_split"),
        (json!({ "statistical_test": "vibes" }), "/statistical_test"),
        (json!({ "success_metric": "not a metric!" }), "/success_metric"),
        (json!({ "model_b_version": "1.0.0" }), "/model_b_version"),
        (json!({ "notify": ["nobody"] }), "/notify/0"),
    ] {
        let mut body = json!({
            "test_name": "x", "model_a_name": "m", "model_a_version": "1.0.0", "model_b_name": "m",
            "model_b_version": "2.0.0", "success_metric": "conversion",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let problem = api.post("/governance/ab-tests", body).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

#[tokio::test]
async fn units_are_assigned_once_and_counted() {
    let service = Service::open().await;
    let api = service.client();
    let path = draft(&api, "serving", json!({ "traffic_split": 0.3 })).await;
    let units: Vec<String> = (0..2_000).map(|i| format!("user-{i}")).collect();
    let assign =
        async |units: &[String]| api.post(&format!("{path}/assign"), json!({ "units": units })).await.expect(200);
    let before = assign(&units[..3]).await;
    assert!(before["reason"].as_str().unwrap().contains("is draft: every unit gets the control"), "{before}");
    assert!(before["assignments"].as_array().unwrap().iter().all(|a| a["arm"] == "a"));
    let counts = async || api.get(&format!("{path}/exposures/counts")).await.expect(200);
    assert_eq!((&counts().await["units_a"], &counts().await["share_b"]), (&json!(0), &Value::Null));

    api.post(&format!("{path}/start"), json!({})).await.expect(200);
    // The same units in several batches at once, each batch with repetitions.
    let batches = (0..4).map(|i| {
        let (api, path) = (api.clone(), format!("{path}/assign"));
        let mut batch: Vec<String> = units.iter().skip(i * 300).take(1_000).cloned().collect();
        batch.reverse();
        batch.extend(units[i * 300..i * 300 + 5].to_vec());
        tokio::spawn(async move { api.post(&path, json!({ "units": batch })).await.expect(200) })
    });
    let mut arms = std::collections::BTreeMap::new();
    for batch in batches.collect::<Vec<_>>() {
        for assigned in batch.await.unwrap()["assignments"].as_array().unwrap() {
            let arm = assigned["arm"].as_str().unwrap().to_owned();
            let version = if arm == "b" { "2.0.0" } else { "1.0.0" };
            assert_eq!(assigned["model_version"], version);
            let unit = assigned["unit_id"].as_str().unwrap().to_owned();
            assert_eq!(arms.entry(unit).or_insert_with(|| arm.clone()), &arm);
        }
    }
    let one = api.get(&format!("{path}/assignment?unit_id=user-7")).await.expect(200);
    assert_eq!(one["arm"].as_str().unwrap(), arms["user-7"]);
    let counts = counts().await;
    let of_b = arms.values().filter(|arm| *arm == "b").count();
    assert_eq!(
        (counts["units_a"].as_u64(), counts["units_b"].as_u64()),
        (Some(1_900 - of_b as u64), Some(of_b as u64))
    );
    assert_eq!(counts["sample_ratio_mismatch"], false, "{counts}");

    // Page by page, in the order of the units.
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}/exposures?limit=777{cursor}")).await.expect(200);
        listed.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed.len(), 1_900);
    assert!(listed.windows(2).all(|pair| pair[0]["unit"].as_str() < pair[1]["unit"].as_str()));
    let user = listed.iter().find(|e| e["unit"] == "user-950").unwrap();
    assert_eq!(user["count"], 4, "a unit counts once a request: {user}");
    api.post(&format!("{path}/assign"), json!({ "units": [""] })).await.problem(422, "invalid_request");
    api.post(&format!("{path}/assign"), json!({ "units": [] })).await.problem(422, "invalid_request");
    let cursor = api.get(&format!("{path}/exposures?cursor=xx")).await;
    cursor.problem(422, "invalid_request");

    api.post(&format!("{path}/pause"), json!({ "reason": "logging is broken" })).await.expect(200);
    let paused = assign(&units[..50]).await;
    assert!(paused["assignments"].as_array().unwrap().iter().all(|a| a["arm"] == "a"), "{paused}");
    assert_eq!(paused["status"], "paused");
}

#[tokio::test]
async fn the_assignment_that_went_wrong_blocks_a_decision() {
    let service = Service::open().await;
    let (api, pool) = (service.client(), &service.database.pool);
    let path = running(&api, "srm", json!({})).await;
    let units: Vec<String> = (0..3_000).map(|i| format!("u{i}")).collect();
    api.post(&format!("{path}/assign"), json!({ "units": units })).await.expect(200);
    let fine = api.post(&format!("{path}/results"), shares(5_000, 250, 252)).await.expect(201);
    assert_eq!(fine["details"]["sample_ratio_mismatch"], false, "{fine}");
    // Somebody loses a part of B.
    sqlx::query("DELETE FROM ab_exposures WHERE variant = 'b' AND unit < 'u2'").execute(pool).await.unwrap();
    let look = api.post(&format!("{path}/results"), shares(5_000, 250, 400)).await.expect(201);
    assert_eq!((&look["decision"], &look["winner"]), (&json!("INVALID_SRM"), &Value::Null), "{look}");
    assert!(look["details"]["level"].is_null(), "it uses nothing of the plan up: {look}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_done_from_the_command_line() {
    let service = Service::open().await;
    let site = &service.site;
    let text = |output: std::process::Output| String::from_utf8(output.stderr).unwrap();
    let ab = ["ab", "create", "cli", "--a", "m@1.0.0", "--b", "m@2.0.0", "--metric", "conversion", "--by", "ada"];
    assert!(site.ok(&ab).contains("status    draft"));
    let again = site.run(&ab);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(again).contains("names are used once"));
    let early = site.run(&["ab", "post", "cli", "--evaluate"]);
    assert!(text(early).contains("it cannot be evaluated; start it first"));
    site.ok(&["ab", "start", "cli", "--by", "ada"]);
    let twice = site.run(&["ab", "start", "cli"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(text(twice).contains("started already"));
    let assigned: Value =
        serde_json::from_str(&site.ok(&["ab", "assign", "cli", "u1", "u2", "--output", "json"])).unwrap();
    assert_eq!(assigned["assignments"].as_array().unwrap().len(), 2);

    let rows: Vec<String> = (0..600)
        .map(|i| {
            let (variant, share) = if i % 2 == 0 { ("a", 3) } else { ("b", 6) };
            json!({ "request_id": format!("r{i}"), "variant": variant, "outcome": u32::from(i / 2 % 10 < share) })
                .to_string()
        })
        .collect();
    std::fs::write(site.path().join("rows.ndjson"), rows.join("\n")).unwrap();
    let kept = site.ok(&["ab", "post", "cli", "--rows", "rows.ndjson"]);
    assert_eq!(
        kept.trim(),
        "600 rows added, 0 completed, 0 repeated (0 of them say something else); 300 of A and 300 of B are kept"
    );
    let scalar = site.run(&["ab", "post", "cli", "--a", "0.85", "--b", "0.9"]);
    assert_eq!(scalar.status.code(), Some(2));
    assert!(text(scalar).contains("neither how many rows"));
    let look = site.ok(&["ab", "post", "cli", "--rows", "rows.ndjson", "--evaluate"]);
    assert!(look.contains("600 repeated") && look.contains("SHIP_B"), "{look}");
    assert!(site.ok(&["ab", "results", "cli"]).contains("cli: running, SHIP_B"));
    site.ok(&["ab", "pause", "cli", "--reason", "holiday"]);
    site.ok(&["ab", "resume", "cli"]);
    let shown = site.ok(&["ab", "conclude", "cli", "--reason", "shipped", "--by", "grace"]);
    assert!(shown.contains("by grace: shipped"), "{shown}");
    let list = site.ok(&["ab", "list", "--status", "concluded"]);
    assert!(list.contains("cli") && list.contains("SHIP_B"), "{list}");
    assert!(text(site.run(&["ab", "show", "nothing"])).contains("no A/B test named `nothing`"));
    site.ok(&["ab", "create", "other", "--a", "m@1.0.0", "--b", "m@2.0.0", "--metric", "mae"]);
    assert!(site.ok(&["ab", "cancel", "other", "--reason", "wrong split"]).contains("status    cancelled"));
    let output = site.run(&["audit", "verify"]);
    assert!(output.status.success(), "{output:?}");
}

/// What holds whenever nobody is writing.
async fn holds(pool: &PgPool) {
    for (wrong, what) in [
        (
            "tests without an event of their state",
            "SELECT count(*) FROM model_ab_tests t WHERE NOT EXISTS (SELECT FROM governance_events e WHERE e.subject = t.id::text \
             AND e.action = CASE t.status WHEN 'draft' THEN 'ab_test.created' WHEN 'running' THEN 'ab_test.started' \
             ELSE 'ab_test.concluded' END)",
        ),
        (
            "looks without event",
            "SELECT count(*) - (SELECT count(*) FROM governance_events WHERE action = 'ab_test.evaluated') \
             FROM model_ab_test_results",
        ),
        (
            "conclusions that nobody or everybody twice was told of",
            "SELECT count(*) FROM model_ab_tests t WHERE t.status = 'concluded' AND (SELECT count(*) FROM deliveries d \
             JOIN delivery_incidents i ON i.delivery_id = d.id JOIN incidents n ON n.id = i.incident_id \
             WHERE n.subject = t.test_name AND d.event_kind IN ('resolved', 'opened_and_resolved')) <> 2",
        ),
        ("keys without answer", "SELECT count(*) FROM idempotency_keys WHERE status IS NULL OR body IS NULL"),
    ] {
        assert_eq!(count(pool, what).await, 0, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_no_half_of_a_conclusion() {
    let mut service = Service::open().await;
    let numbers = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let mut unanswered = 0;
    for round in 0..3_i64 {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let (api, numbers) = (service.client(), numbers.clone());
                tokio::spawn(async move {
                    loop {
                        let n = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let body = json!({
                            "test_name": format!("t{n}"), "model_a_name": "m", "model_a_version": "1.0.0",
                            "model_b_name": "m", "model_b_version": "2.0.0", "success_metric": "c",
                            "notify": ["ml-oncall", "ml-webhook"],
                        });
                        let sent = api.try_send("POST", "/governance/ab-tests", Some(body.to_string()), &[]).await;
                        let Ok(made) = sent else { return };
                        let path = format!("/governance/ab-tests/{}", made.body["id"].as_str().unwrap());
                        for (what, body) in
                            [("start", json!({})), ("results", shares(1_000, 50, 90)), ("conclude", json!({}))]
                        {
                            let path = format!("{path}/{what}");
                            if api.try_send("POST", &path, Some(body.to_string()), &[]).await.is_err() {
                                return;
                            }
                        }
                    }
                })
            })
            .collect();
        // However slow the machine is: some have gone all the way, and others are on it.
        let pool = service.database.pool.clone();
        crate::support::steward::eventually("tests end", std::time::Duration::from_secs(60), || async {
            let ended = "SELECT count(*) FROM model_ab_tests WHERE status = 'concluded'";
            (count(&pool, ended).await > 2 * (round + 1)).then_some(())
        })
        .await;
        tokio::time::sleep(std::time::Duration::from_millis(13 * u64::try_from(round).unwrap())).await;
        service.role.kill();
        for client in clients {
            client.await.unwrap();
            unanswered += 1;
        }
        crate::support::steward::eventually("its connections have ended", std::time::Duration::from_secs(10), || async {
            let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL \
                          AND pid <> pg_backend_pid()";
            (count(&pool, others).await == 0).then_some(())
        })
        .await;
        holds(&pool).await;
        service.restart().await;
    }
    assert_eq!(unanswered, 12);
}
