//! What a caller is told whose request is wrong, and that no request breaks anything.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::http::{Answer, Client, Service};

mod documents;
mod tricks;

const REGISTER: &str = "/governance/models/register";

fn shown(problem: &Value) -> Value {
    let mut problem = problem.clone();
    problem["request_id"] = json!("ID");
    problem
}

async fn sent(api: &Client, path: &str, body: &str) -> Answer {
    api.send("POST", path, Some(body.to_owned()), &[]).await
}

#[tokio::test]
async fn each_mistake_in_a_body_has_its_place_and_a_way_out() {
    let service = Service::open().await;
    let api = service.client();
    let (metrics, tests) = ("/governance/models/m/1.0.0/metrics", "/governance/ab-tests");
    let cases = [
        ("malformed", REGISTER, r#"{"model_name": "m", "version": }"#, 400, "malformed_request"),
        ("cut off", REGISTER, r#"{"model_name": "m", "#, 400, "malformed_request"),
        ("two values", REGISTER, r#"{"model_name": "m", "version": "1.0.0"} {}"#, 400, "malformed_request"),
        ("unknown field", REGISTER, r#"{"modle_name": "m", "version": "1.0.0"}"#, 422, "invalid_request"),
        ("wrong type", REGISTER, r#"{"model_name": "m", "version": 1.0}"#, 422, "invalid_request"),
        ("wrong type inside", metrics, r#"{"metric_name": "a", "metric_value": "0.9"}"#, 422, "invalid_request"),
        ("missing field", REGISTER, r#"{"model_name": "m"}"#, 422, "invalid_request"),
        ("no body", REGISTER, "", 422, "invalid_request"),
        ("a list", REGISTER, r#"["m", "1.0.0"]"#, 422, "invalid_request"),
        ("a text", REGISTER, r#""m""#, 422, "invalid_request"),
        ("null", REGISTER, " null ", 422, "invalid_request"),
        ("true", REGISTER, "true", 422, "invalid_request"),
        ("given twice", REGISTER, r#"{"model_name": "m", "model_name": "n"}"#, 422, "invalid_request"),
        ("NaN", metrics, r#"{"metric_name": "a", "metric_value": NaN}"#, 400, "malformed_request"),
        ("infinity", metrics, r#"{"metric_name": "a", "metric_value": -Infinity}"#, 400, "malformed_request"),
        ("infinite", metrics, r#"{"metric_name": "a", "metric_value": 1e999}"#, 400, "malformed_request"),
        (
            "NUL",
            REGISTER,
            "{\"model_name\": \"m\", \"version\": \"1.0.0\", \"description\": \"a\\u0000b\"}",
            422,
            "invalid_request",
        ),
        (
            "NUL inside",
            REGISTER,
            "{\"model_name\": \"m\", \"version\": \"1.0.0\", \"hyperparameters\": {\"a\": [\"\\u0000\"]}}",
            422,
            "invalid_request",
        ),
        ("bad version", REGISTER, r#"{"model_name": "m", "version": "1.0"}"#, 422, "invalid_request"),
        ("bad name", REGISTER, r#"{"model_name": "../m", "version": "1.0.0"}"#, 422, "invalid_request"),
        ("bad stage", REGISTER, r#"{"model_name": "m", "version": "1.0.0", "stage": "live"}"#, 422, "invalid_request"),
        ("lone surrogate", REGISTER, "{\"model_name\": \"m\", \"version\": \"\\ud800\"}", 400, "malformed_request"),
        (
            "ab test",
            tests,
            r#"{"test_name": "t", "model_a_name": "m", "model_a_version": "1.0.0", "model_b_name": "m", "model_b_version": "1.0.0", "success_metric": "accuracy", "traffic_split": 1.5, "min_samples": 0, "significance_level": 2, "statistical_test": "magic"}"#,
            422,
            "invalid_request",
        ),
    ];
    let mut problems = String::new();
    for (what, path, body, status, code) in cases {
        let answer = sent(&api, path, body).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{what}: {}", answer.text);
        let problem = answer.problem(status, code);
        writeln!(problems, "{what}\n  {}", problem["detail"].as_str().unwrap()).unwrap();
        for error in problem["errors"].as_array().unwrap() {
            writeln!(problems, "  at {:?}: {}", error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap())
                .unwrap();
        }
    }
    insta::assert_snapshot!("mistakes", problems);
    insta::assert_json_snapshot!("unknown_field", shown(&sent(&api, REGISTER, r#"{"modle_name": "m"}"#).await.body));
    let deep = format!("{{\"model_name\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let problem = sent(&api, REGISTER, &deep).await.problem(400, "malformed_request");
    assert!(problem["detail"].as_str().unwrap().contains("nests deeper than 64"), "{problem}");
    let deep = format!(
        "{{\"model_name\": \"m\", \"version\": \"1.0.0\", \"hyperparameters\": {{\"a\": {}1{}}}}}",
        "[".repeat(60),
        "]".repeat(60)
    );
    sent(&api, REGISTER, &deep).await.expect(201);
}

#[tokio::test]
async fn each_mistake_in_a_query_is_named() {
    let service = Service::open().await;
    let api = service.client();
    let mut problems = String::new();
    for (path, pointer) in [
        ("/governance/models?modelname=m", "?modelname"),
        ("/governance/models?limit=0", "?limit"),
        ("/governance/models?limit=many", "?limit"),
        ("/governance/models?limit=-1", "?limit"),
        ("/governance/models?limit=5&limit=6", "?limit"),
        ("/governance/models?stage=live", "?stage"),
        ("/governance/models?cursor=xyz", "?cursor"),
        ("/governance/models?tag=novalue", "?tag"),
        ("/governance/models?include_deleted=perhaps", "?include_deleted"),
        ("/governance/drift/alerts?is_alert=1&drift_type=colour", "?is_alert"),
        ("/governance/drift/alerts?drift_type=colour", "?drift_type"),
        ("/governance/drift/alerts?since=yesterday", "?since"),
        ("/governance/runs?state=lost", "?state"),
        ("/governance/audit?outcome=maybe", "?outcome"),
        ("/governance/models/m/latest?wait=1h", "?wait"),
        ("/governance/models/m/latest?wait=3600s", "?wait"),
    ] {
        let problem = api.get(path).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{path}: {problem}");
        writeln!(problems, "{path}\n  {}", problem["detail"].as_str().unwrap()).unwrap();
    }
    insta::assert_snapshot!("queries", problems);
    for path in ["/governance/runs/7", "/governance/ab-tests/not-a-uuid"] {
        api.get(path).await.problem(404, "not_found");
    }
    // A request that no client would make.
    for line in ["GET /governance/models?\u{1f600} HTTP/1.1", "GET /governance/mod els HTTP/1.1", "HELLO"] {
        let answer =
            raw(service.authority(), &format!("{line}\r\nhost: localhost\r\nconnection: close\r\n\r\n"), &[], 0);
        assert!(answer.starts_with("HTTP/1.1 4"), "{line}: {answer}");
    }
    let headers: String = (0..2000).map(|i| format!("x-{i}: {}\r\n", "y".repeat(100))).collect();
    let answer = raw(service.authority(), &format!("GET /livez HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"), &[], 0);
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    api.get("/livez").await.expect(200);
}

#[tokio::test]
async fn other_kinds_of_bodies_are_refused() {
    let service = Service::open().await;
    let http = reqwest::Client::new();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let request = http.post(format!("{}{REGISTER}", service.base)).header("content-type", kind);
        let answer = request.body("{\"model_name\": \"m\", \"version\": \"1.0.0\"}").send().await.unwrap();
        assert_eq!(answer.status(), 415, "{kind}");
        let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(
            (&problem["code"], &problem["detail"]),
            (&json!("not_json"), &json!("send the body as application/json"))
        );
    }
    let request =
        http.post(format!("{}{REGISTER}", service.base)).header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(request.body("{\"model_name\": \"m\", \"version\": \"1.0.0\"}").send().await.unwrap().status(), 201);
    // Bytes that are no UTF-8.
    let request = http.post(format!("{}{REGISTER}", service.base)).header("content-type", "application/json");
    let answer = request.body(b"{\"model_name\": \"\xff\xfe\", \"version\": \"1.0.0\"}".to_vec()).send().await.unwrap();
    assert_eq!(answer.status(), 400);
}

/// Sends a head and then pieces of a body for as long as they are taken; what came back.
fn raw(authority: &str, head: &str, piece: &[u8], times: usize) -> String {
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let reading = std::thread::spawn(move || {
        let (mut answer, mut buffer) = (Vec::new(), [0_u8; 4096]);
        while let Ok(n) = reader.read(&mut buffer) {
            answer.extend_from_slice(&buffer[..n]);
            if n == 0 {
                break;
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    });
    let mut sent = stream.write_all(head.as_bytes());
    for _ in 0..times {
        if sent.is_err() {
            break;
        }
        sent = stream.write_all(piece);
    }
    stream.shutdown(std::net::Shutdown::Write).ok();
    reading.join().unwrap()
}

/// The most memory that a process has ever had, in KiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_at_once_and_never_held() {
    let service = Service::open().await;
    let api = service.client();
    api.get("/governance/models").await.expect(200);
    sent(&api, REGISTER, "{").await.problem(400, "malformed_request");
    let before = peak(service.role.id());
    let started = Instant::now();
    let megabyte = vec![b' '; 1 << 20];
    let head = format!("POST {REGISTER} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
    let announced = format!("{head}content-length: {}\r\n\r\n", 100 << 20);
    let mut chunk = format!("{:x}\r\n", megabyte.len()).into_bytes();
    chunk.extend_from_slice(&megabyte);
    chunk.extend_from_slice(b"\r\n");
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    for (head, piece) in [(announced, &megabyte), (chunked, &chunk)] {
        let authority = service.authority().to_owned();
        let piece = piece.clone();
        let answer = tokio::task::spawn_blocking(move || raw(&authority, &head, &piece, 100)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer:?}");
        assert!(answer.contains("body_too_large") && answer.contains("8388608 bytes"), "{answer}");
    }
    // An ordinary client reads the answer, or learns while it is still sending that nobody wants the rest.
    let request = reqwest::Client::new().post(format!("{}{REGISTER}", service.base));
    match request.header("content-type", "application/json").body(vec![b' '; 100 << 20]).send().await {
        Ok(answer) => assert_eq!(answer.status(), 413),
        Err(error) => assert!(error.is_request(), "{error:?}"),
    }
    // An honest length over which nothing comes.
    let lying = format!("{head}content-length: 5\r\n\r\n{{");
    let authority = service.authority().to_owned();
    tokio::task::spawn_blocking(move || raw(&authority, &lying, &[], 0)).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    let grown = peak(service.role.id()) - before;
    assert!(grown < 40 * 1024, "{grown} KiB more");
    api.get("/governance/models").await.expect(200);
}
