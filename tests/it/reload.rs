//! Job files that change while a service runs: what is fine is applied, what is wrong is told and changes nothing.

use std::time::Duration;

use serde_json::Value;

use crate::support::http::{Client, Service};
use crate::support::steward::eventually;

const JOB: &str = r#"
name = "late"
kind = "metrics"
schedule = "0 6 * * *"
data.current = { uri = "data.csv", window = "1 day" }
metrics = { task = "regression", label = "y", prediction = "p" }
"#;

async fn component(api: &Client, name: &str) -> Option<Value> {
    let answer = api.get("/readyz").await.expect(200);
    answer["components"].as_array()?.iter().find(|c| c["name"] == name).cloned()
}

async fn jobs(api: &Client) -> Vec<String> {
    let answer = api.get("/governance/jobs").await.expect(200);
    answer["items"].as_array().unwrap().iter().map(|j| j["schedule"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_mistake_keeps_the_old_jobs_opens_an_incident_and_degrades_readiness() {
    let config = "[jobs]\nnotify = [\"ml-oncall\"]\n[notify.channels.ml-oncall]\nkind = \"email\"\nto = [\"oncall@example.com\"]\n";
    let service = Service::start_as("serve", config).await;
    let api = service.client();
    let patience = Duration::from_secs(20);
    service.site.job("late", JOB);
    eventually("the job is applied", patience, || async { (jobs(&api).await == ["0 6 * * *"]).then_some(()) }).await;
    assert_eq!(component(&api, "job files").await.unwrap()["state"], "ok");

    service.site.job("late", &JOB.replace("schedule = \"0 6 * * *\"", "schedule = \"0 61 * * *\""));
    let degraded = eventually("readiness says so", patience, || async {
        component(&api, "job files").await.filter(|c| c["state"] == "degraded")
    })
    .await;
    let detail = degraded["detail"].as_str().unwrap();
    assert!(detail.contains("late.toml, line 4") && detail.contains("stay as they were"), "{detail}");
    assert_eq!(jobs(&api).await, ["0 6 * * *"], "the old job stays");
    let open = api.get("/governance/incidents?state=open").await.expect(200);
    assert_eq!(
        (&open["items"][0]["kind"], &open["items"][0]["job_name"]),
        (&"config_error".into(), &"job-files".into())
    );
    let mails = api.get("/governance/deliveries?channel=ml-oncall").await.expect(200);
    assert_eq!(mails["items"].as_array().unwrap().len(), 1, "told once: {mails}");

    service.site.job("late", &JOB.replace("0 6 * * *", "0 7 * * *"));
    eventually("the mended job is applied", patience, || async { (jobs(&api).await == ["0 7 * * *"]).then_some(()) })
        .await;
    eventually("the incident ends", patience, || async {
        component(&api, "job files").await.filter(|c| c["state"] == "ok")
    })
    .await;
    let live = api.get("/governance/incidents?state=live").await.expect(200);
    assert_eq!(live["items"], Value::Array(Vec::new()));
}
