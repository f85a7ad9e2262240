//! `GET /governance/methods`: what `steward methods` shows, over HTTP.

use serde_json::Value;

use crate::support::http::Service;

#[tokio::test]
async fn methods_are_listed_from_their_entries() {
    let service = Service::open().await;
    let api = service.client();
    let all = api.get("/governance/methods").await.expect(200);
    let names = |list: &Value, family: &str| -> Vec<String> {
        let of_family = list["items"].as_array().unwrap().iter().filter(|item| item["family"] == family);
        of_family.map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    let drift: Vec<&str> = steward::drift::ALL.iter().map(|method| method.name()).collect();
    assert_eq!(names(&all, "drift"), drift);
    assert_eq!(names(&all, "metric").len(), steward::metrics::ALL.len());
    let some = api.get("/governance/methods?family=drift").await.expect(200);
    assert_eq!(some["items"].as_array().unwrap().len(), drift.len());
    let wasserstein = some["items"].as_array().unwrap().iter().find(|item| item["name"] == "wasserstein").unwrap();
    assert_eq!((&wasserstein["default_threshold"], &wasserstein["has_p_value"]), (&0.2.into(), &false.into()));
    assert!(wasserstein["when_to_use"].as_str().is_some_and(|text| text.starts_with("When ")));
    let problem = api.get("/governance/methods?family=drifts").await.expect(422);
    assert!(problem.to_string().contains("must be one of `drift`"), "{problem}");
}
