//! Profiles registered with a model version, by command and over HTTP, and the jobs that compare with them.

use serde_json::{Value, json};

use super::{DAILY, Watch, csv};
use crate::support::http::Service;

const PROFILED: &str =
    "[drift]\ntarget = \"data\"\nreference = \"profile\"\n[drift.quality]\nschema = \"registered\"\n";

async fn watch() -> Watch {
    let watch = Watch::new(&format!("model = {{ name = \"m\", version = \"1.0.0\" }}\n{DAILY}{PROFILED}")).await;
    watch.site.ok(&["models", "register", "m", "1.0.0"]);
    watch
}

fn create(watch: &Watch, uri: &str, more: &[&str]) -> Value {
    let mut args = vec!["models", "profile", "create", "m", "1.0.0", "--data", uri, "--by", "ana", "--output", "json"];
    args.extend(more);
    serde_json::from_str(&watch.site.ok(&args)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_judges_as_its_rows_do_and_the_rows_may_be_gone() {
    let watch = watch().await;
    let uri = watch.file("training.csv", &csv(600, 20.0));
    let edition = create(&watch, &uri, &[]);
    assert_eq!(
        (&edition["edition"], &edition["row_count"], &edition["created_by"]),
        (&json!(1), &json!(600), &json!("ana"))
    );
    std::fs::remove_file(watch.folder().join("training.csv")).unwrap();
    watch.day(1, &csv(500, 20.0));
    watch.day(2, &csv(500, 23.5));
    assert_eq!(watch.judge(1).await.outcome, "ok");
    let drifted = watch.judge(2).await;
    let from_profile = drifted.check("value", "ks_test").clone();
    assert_eq!(drifted.outcome, "drifted");
    let reference = &drifted.summary["reference"];
    assert_eq!(
        (&reference["policy"], &reference["edition"], &reference["digest"]),
        (&json!("profile"), &json!(1), &edition["digest"])
    );
    assert_eq!((&reference["model"], &drifted.summary["schema"]["edition"]), (&json!("m/1.0.0"), &json!(1)));

    watch.file("training.csv", &csv(600, 20.0));
    watch.job(&format!("{DAILY}reference = \"{{data}}/training.csv\"\n[drift]\ntarget = \"data\"\n"));
    let from_rows = watch.judge(2).await;
    assert_eq!(&from_profile, from_rows.check("value", "ks_test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registered_schema_tells_what_is_missing_changed_and_new() {
    let watch = watch().await;
    let uri = watch.file("training.csv", "value,city,age\n1,rome,3\n2,oslo,4\n3,rome,5\n");
    create(&watch, &uri, &[]);
    watch.day(1, "value,city,extra\nlow,rome,1\nhigh,oslo,2\n");
    let ran = watch.judge(1).await;
    assert_eq!(ran.check("age", "schema").status, "schema_error");
    assert!(ran.check("value", "schema").reason.as_deref().unwrap().starts_with("type changed"), "{ran:#?}");
    assert_eq!(ran.check("extra", "schema").status, "ok");
    assert_eq!(ran.check("city", "chi_square").status, "warning", "one bad column hides no other");
    let mut subjects: Vec<String> = watch.incidents().await.into_iter().map(|incident| incident.1).collect();
    subjects.dedup();
    assert_eq!(subjects, ["age", "extra", "value"], "each is told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn editions_stay_and_the_newest_one_is_compared_with() {
    let watch = watch().await;
    watch.day(1, &csv(500, 20.0));
    let said = watch.site.run(&["jobs", "run", "watch", "--at", "2013-01-02", "--here"]);
    assert_ne!(said.status.code(), Some(0));
    let error: String = sqlx::query_scalar("SELECT error FROM runs").fetch_one(&watch.database.pool).await.unwrap();
    assert_eq!(error, "m/1.0.0 has no profile; `steward models profile create` makes one");

    let first = create(&watch, &watch.file("a.csv", &csv(600, 30.0)), &[]);
    let again = create(&watch, &watch.file("b.csv", &csv(600, 30.0)), &[]);
    assert_eq!(first, again, "the same distribution is the same edition, wherever it was read");
    create(&watch, &watch.file("c.csv", &csv(600, 20.0)), &["--columns", "value"]);
    let editions: Value =
        serde_json::from_str(&watch.site.ok(&["models", "profile", "list", "m", "1.0.0", "--output", "json"])).unwrap();
    assert_eq!(
        editions.as_array().unwrap().iter().map(|e| e["edition"].clone()).collect::<Vec<_>>(),
        [json!(2), json!(1)]
    );
    let ran = watch.judge(1).await;
    assert_eq!(
        (ran.check("value", "ks_test").status.as_str(), &ran.summary["reference"]["edition"]),
        ("ok", &json!(2))
    );
    let shown: Value = serde_json::from_str(&watch.site.ok(&[
        "models",
        "profile",
        "show",
        "m",
        "1.0.0",
        "--edition",
        "1",
        "--output",
        "json",
    ]))
    .unwrap();
    assert_eq!(
        shown["profile"]["columns"][1]["values"]["categories"]["counts"],
        json!({ "lima": 200, "oslo": 200, "rome": 200 })
    );
    let events: Vec<Value> = sqlx::query_scalar(
        "SELECT detail::jsonb FROM governance_events WHERE action = 'model.profile_added' ORDER BY sequence",
    )
    .fetch_all(&watch.database.pool)
    .await
    .unwrap();
    assert_eq!(events.iter().map(|e| e["edition"].clone()).collect::<Vec<_>>(), [json!(1), json!(2)]);
    assert_eq!(events[0]["digest"], first["digest"]);
    let unknown = watch.site.run(&[
        "models",
        "profile",
        "create",
        "m",
        "1.0.0",
        "--data",
        &watch.file("d.csv", "a\n1\n"),
        "--columns",
        "b",
    ]);
    assert_eq!(unknown.status.code(), Some(2), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_a_profile_is_made_of_allowed_data_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("train.csv");
    std::fs::write(&data, csv(600, 20.0)).unwrap();
    let config = format!(
        "[server]\nauthentication = \"tokens\"\n[storage]\nallowed = [\"file://{}\"]\n",
        folder.path().display()
    );
    let service = Service::start_as("api", &config).await;
    let ana = service.client_of("ana", &["read", "models:register"]);
    ana.post("/governance/models/register", json!({ "model_name": "m", "version": "1.0.0" })).await.expect(201);
    let place = "/governance/models/m/1.0.0/profile";
    ana.get(place).await.problem(404, "profile_not_found");
    let made = ana.post(place, json!({ "data": data })).await;
    assert_eq!(made.header("location"), Some("/governance/models/m/1.0.0/profile?edition=1"));
    let made = made.expect(201);
    assert_eq!((&made["edition"], &made["row_count"], &made["created_by"]), (&json!(1), &json!(600), &json!("ana")));
    assert_eq!(ana.post(place, json!({ "data": data })).await.expect(200), made, "the same again changes nothing");
    let shown = ana.get(place).await.expect(200);
    assert_eq!((&shown["digest"], &shown["profile"]["rows"]), (&made["digest"], &json!(600)));
    assert_eq!(ana.get(&format!("{place}/editions")).await.expect(200)["items"], json!([made]));

    ana.post(place, json!({ "data": "/etc/passwd" })).await.problem(403, "data_not_allowed");
    let denied: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM governance_events WHERE action = 'model.profile_added' AND outcome = 'denied'",
    )
    .fetch_one(&service.database.pool)
    .await
    .unwrap();
    assert_eq!(denied, 1, "and the attempt is in the trail");
    ana.post(place, json!({ "data": data, "columns": ["nope"] })).await.problem(422, "invalid_request");
    ana.post(place, json!({ "data": folder.path().join("gone.csv") })).await.problem(422, "invalid_request");
    ana.post("/governance/models/m/9.0.0/profile", json!({ "data": data })).await.problem(404, "version_not_found");
    let reader = service.client_of("rex", &["read"]);
    reader.get(place).await.expect(200);
    reader.post(place, json!({ "data": data })).await.problem(403, "scope_missing");
}
