//! Submitted documents: every mistake at once, and nothing is read that may not be.

use super::*;

const METRICS: &str = "[metrics]\ntask = \"classification\"\nlabel = \"y\"\nprediction = \"p\"\n";

fn document(uri: &str) -> String {
    format!("name = \"probe\"\nkind = \"metrics\"\n[data]\ncurrent = {{ uri = '{uri}', format = \"csv\" }}\n{METRICS}")
}

async fn submitted(api: &Client, document: impl Into<Value>) -> Answer {
    api.post("/governance/runs", json!({ "document": document.into() })).await
}

#[tokio::test]
async fn a_broken_document_is_told_every_mistake_at_once() {
    let service = Service::open().await;
    let api = service.client();
    let text = "name = \"Drift check\"\nkind = \"drift\"\nthresholdd = 0.2\n[data]\nreference = \"a.csv\"\n[drift]\nmethod = \"ks\"\nthreshold = -1\n";
    let problem = submitted(&api, text).await.problem(422, "invalid_document");
    assert!(problem["errors"].as_array().unwrap().len() >= 4, "{problem}");
    insta::assert_json_snapshot!("broken_document", shown(&problem));
    for (document, words) in [
        (json!("name = "), "line 1"),
        (json!({ "name": null }), "leave out what is null"),
        (json!(7), "must be the TOML text of a job"),
        (json!({}), "name"),
        (json!("# ".to_owned() + &"x".repeat(300_000)), "longer than 262144 bytes"),
    ] {
        let answer = submitted(&api, document).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(answer.text.contains(words), "{words}: {}", answer.text);
    }
    assert_eq!(api.get("/governance/runs").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_document_reads_only_below_the_allowed_roots() {
    let outside = tempfile::tempdir().unwrap();
    let root = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.csv"), "y,p\n1,1\n").unwrap();
    std::fs::write(root.path().join("fine.csv"), "y,p\n1,1\n").unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.csv"), root.path().join("link.csv")).unwrap();
    std::os::unix::fs::symlink(outside.path(), root.path().join("folder")).unwrap();
    let config =
        format!("[server]\nauthentication = \"tokens\"\n[storage]\nallowed = [\"file://{}\"]\n", root.path().display());
    let service = Service::start_as("api", &config).await;
    let api = service.client_of("pipeline", &["jobs:submit", "read", "audit:read", "models:register", "metrics:write"]);
    let (inside, out) = (root.path().display(), outside.path().display());
    let fine = submitted(&api, document(&format!("{inside}/fine.csv"))).await.expect(202);
    assert_eq!(fine["submitted_by"], "pipeline");
    let refused = [
        "/etc/passwd".to_owned(),
        "file:///etc/passwd".to_owned(),
        format!("{out}/secret.csv"),
        format!("{inside}/../{}/secret.csv", outside.path().file_name().unwrap().to_str().unwrap()),
        format!("{inside}/link.csv"),
        format!("file://{inside}/folder/secret.csv"),
        format!("{inside}/folder/*.csv"),
        format!("{inside}-other/fine.csv"),
        "../../../../../../etc/passwd".to_owned(),
        "http://169.254.169.254/latest/meta-data/iam".to_owned(),
        "http://[fd00:ec2::254]/latest".to_owned(),
        "http://metadata.google.internal/computeMetadata/v1/token".to_owned(),
        "http://2852039166/latest/meta-data".to_owned(),
        "http://127.0.0.1:1/x.csv".to_owned(),
        "s3://somebodys-bucket/x.csv".to_owned(),
    ];
    for uri in &refused {
        let problem = submitted(&api, document(uri)).await.problem(403, "data_not_allowed");
        assert_eq!(problem["errors"][0]["pointer"], "/document/data/current/uri", "{uri}");
        assert!(!problem.to_string().contains("y,p"), "{problem}");
    }
    for path in [
        refused[0].clone(),
        format!("{inside}/../x.pkl"),
        format!("{inside}/link.csv"),
        "http://169.254.169.254/x".to_owned(),
    ] {
        let body = json!({ "model_name": "m", "version": "1.0.0", "model_path": path });
        let problem = api.post(REGISTER, body).await.problem(403, "data_not_allowed");
        assert_eq!(problem["errors"][0]["pointer"], "/model_path", "{path}");
    }
    let body = json!({ "model_name": "m", "version": "1.0.0", "model_path": format!("{inside}/fine.csv") });
    api.post(REGISTER, body).await.expect(201);
    let events = api.get("/governance/audit?outcome=denied&limit=1000").await.expect(200);
    assert_eq!(events["items"].as_array().unwrap().len(), refused.len() + 4);
}

#[tokio::test]
async fn without_allowed_roots_a_token_reads_nothing_and_nobody_reads_metadata() {
    let service = Service::with_tokens().await;
    let api = service.client_of("pipeline", &["jobs:submit"]);
    for uri in [
        "/etc/passwd",
        "file:///etc/passwd",
        "https://example.org/x.csv",
        "s3://bucket/x.csv",
        "http://169.254.169.254/x",
    ] {
        submitted(&api, document(uri)).await.problem(403, "data_not_allowed");
    }
    let problem = submitted(&api, document("file:///srv/x.csv")).await.problem(403, "data_not_allowed");
    assert!(problem["detail"].as_str().unwrap().contains("`storage.allowed`"), "{problem}");
    // Whoever has the open mode has the machine, and still no document reads a cloud's credentials. (That webhooks do not
    // reach them either is tested with the notifications.)
    let open = Service::open().await;
    for uri in
        ["http://169.254.169.254/latest/meta-data", "http://metadata.google.internal/x", "http://[fd00:ec2::254]/x"]
    {
        submitted(&open.client(), document(uri)).await.problem(403, "data_not_allowed");
    }
}
