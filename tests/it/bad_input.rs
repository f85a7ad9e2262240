//! What a person is told when the input is wrong, and that nothing else stops.

use std::path::Path;
use std::time::Duration;

use crate::support::database::TestDatabase;
use crate::support::smtp::{Protection, SmtpServer};
use crate::support::steward::{Site, bare, eventually};

fn flights(month: u32) -> String {
    format!("{}/data/flights/month=2013-{month:02}.parquet", env!("CARGO_MANIFEST_DIR"))
}

/// Runs `steward drift check` in `dir` and gives exit code and stderr, without the folder's name.
fn check(dir: &Path, reference: &str, current: &str, more: &[&str]) -> String {
    let mut args = vec!["drift", "check", "--reference", reference, "--current", current];
    args.extend(more);
    let output = bare(&args).current_dir(dir).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let text = text
        .replace(&dir.canonicalize().unwrap().display().to_string(), "DIR")
        .replace(&dir.display().to_string(), "DIR");
    format!("exit {}\n{}", output.status.code().unwrap_or(-1), text.replace(env!("CARGO_MANIFEST_DIR"), "PROJECT"))
}

#[test]
fn one_off_commands_name_the_file_the_column_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (jan, jul) = (flights(1), flights(7));
    std::fs::write(dir.path().join("text.parquet"), "this is a text\n".repeat(50)).unwrap();
    let whole = std::fs::read(&jan).unwrap();
    std::fs::write(dir.path().join("truncated.parquet"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(dir.path().join("empty.parquet"), "").unwrap();
    std::fs::write(dir.path().join("header.csv"), "a,b\n").unwrap();
    std::fs::write(dir.path().join("numbers.csv"), "temp,carrier\n1.5,AA\n2.5,UA\n").unwrap();
    std::fs::write(dir.path().join("words.csv"), "temp,carrier\nwarm,AA\ncold,UA\n").unwrap();
    let dir = dir.path();
    insta::assert_snapshot!("missing_file", check(dir, &jan, "nowhere.parquet", &[]));
    insta::assert_snapshot!("not_parquet", check(dir, &jan, "text.parquet", &[]));
    insta::assert_snapshot!("truncated_parquet", check(dir, &jan, "truncated.parquet", &[]));
    insta::assert_snapshot!("empty_file", check(dir, &jan, "empty.parquet", &[]));
    insta::assert_snapshot!("no_rows", check(dir, "numbers.csv", "header.csv", &[]));
    insta::assert_snapshot!("missing_column", check(dir, &jan, &jul, &["--columns", "temperature"]));
    insta::assert_snapshot!("unknown_method", check(dir, &jan, &jul, &["--method", "ks"]));
    insta::assert_snapshot!("bad_threshold", check(dir, &jan, &jul, &["--threshold", "-1"]));
    insta::assert_snapshot!("unknown_scheme", check(dir, &jan, "ftp://host/file.parquet", &[]));
}

#[test]
fn a_column_of_another_type_is_reported_and_the_others_are_judged() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("numbers.csv"), "temp,carrier\n1.5,AA\n2.5,UA\n").unwrap();
    std::fs::write(dir.path().join("words.csv"), "temp,carrier\nwarm,AA\ncold,UA\n").unwrap();
    let output = bare(&["drift", "check", "--reference", "numbers.csv", "--current", "words.csv", "--output", "json"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "a column that cannot be compared is a finding");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let column =
        |name: &str| report["columns"].as_array().unwrap().iter().find(|c| c["column"] == name).unwrap().clone();
    assert_eq!(column("temp")["status"], "schema_error");
    assert!(column("temp")["reason"].as_str().unwrap().contains("type changed"));
    assert_eq!(column("carrier")["status"], "ok");
}

#[test]
fn nothing_judged_is_not_no_drift() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ids.csv"), "id\na1\nb2\nc3\nd4\ne5\nf6\n").unwrap();
    let text: String = (0..3000).map(|i| format!("id{i}\n")).collect();
    std::fs::write(dir.path().join("many.csv"), format!("id\n{text}")).unwrap();
    let output = bare(&["drift", "check", "--reference", "many.csv", "--current", "many.csv"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("Nothing could be judged"));
}

#[test]
fn a_method_for_all_columns_judges_those_that_it_fits() {
    let output = bare(&["drift", "check", "--method", "psi", "--columns", "carrier,temp", "--output", "json"])
        .args(["--reference", &flights(1), "--current", &flights(2)])
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let methods: Vec<_> = report["columns"].as_array().unwrap().iter().map(|c| c["method"].clone()).collect();
    assert_eq!(methods, ["psi", "psi"]);
}

#[test]
fn pruning_with_an_empty_folder_is_refused() {
    let site = Site::new("postgres://nobody@127.0.0.1:1/none", "");
    let output = site.run(&["jobs", "apply", "--prune"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("would remove every job"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_that_cannot_be_checked_is_told() {
    let database = TestDatabase::new().await;
    let site = Site::new(&database.url, "");
    std::fs::write(site.path().join("one.csv"), "y,s\n0,0.1\n0,0.2\n0,0.7\n").unwrap();
    let job = r#"name = "one-class"
kind = "metrics"
notify = ["ml-oncall"]
[data]
current = "one.csv"
[metrics]
task = "classification"
label = "y"
score = "s"
positive = "1"
[metrics.bounds.roc_auc]
min = 0.5
"#;
    let file = site.job("one-class", job);
    let output = site.run(&["runs", "submit", file.to_str().unwrap(), "--here", "--notify"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let (kind, subject): (String, String) =
        sqlx::query_as("SELECT kind, subject FROM incidents").fetch_one(&database.pool).await.unwrap();
    assert_eq!((kind.as_str(), subject.as_str()), ("insufficient_data", "roc_auc"));
}

#[test]
fn job_files_are_diagnosed_all_at_once() {
    let site = Site::new("postgres://nobody@127.0.0.1:1/none", "");
    site.job(
        "bad",
        r#"name = "bad"
kind = "drift"
schedule = "61 6 * * *"
timezone = "America/New_Yrok"
notfy = ["ml-oncall"]

[data]
reference = { uri = "a.parquet" }
current = { uri = "b-{window.begin:%Y}.parquet" }

[drift]
target = "data"
threshold = -0.5
[drift.columns.carrier]
type = "categorical"
method = "ks_test"
"#,
    );
    let output = site.run(&["jobs", "check"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    insta::assert_snapshot!("job_file", text.replace(&site.path().display().to_string(), "DIR"));
}

#[test]
fn an_unreachable_database_is_named_without_its_password() {
    let site = Site::new("postgres://steward:hunter2@127.0.0.1:9/steward", "");
    let output = site.run(&["runs", "list"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("127.0.0.1") && text.contains('9'), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

/// Wrong password and refused webhook: both are kept and said, and a third channel is not held up.
#[tokio::test(flavor = "multi_thread")]
async fn messages_that_cannot_be_delivered_are_kept_and_hold_up_nobody() {
    let database = TestDatabase::new().await;
    let ca_folder = tempfile::tempdir().unwrap();
    let smtp = SmtpServer::start(Protection::Starttls, ca_folder.path()).await;
    smtp.require("steward", "right");
    let config = format!(
        r#"
[smtp]
transport = "smtp"
host = "localhost"
port = {}
tls = "starttls"
ca_file = "{}"
username = "steward"
password = "wrong"
[notify]
allow_private_targets = ["127.0.0.1"]
[notify.channels.mail]
kind = "email"
to = ["oncall@example.com"]
[notify.channels.refused]
kind = "webhook"
url = "http://127.0.0.1:9/hook"
secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
[notify.channels.folder]
kind = "webhook"
url = "https://example.com/hook"
transport = "file"
secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
"#,
        smtp.address.port(),
        smtp.ca_file.display()
    );
    let site = Site::new(&database.url, &config);
    let job = format!(
        r#"name = "july"
kind = "drift"
notify = ["mail", "refused", "folder"]
[data]
reference = {{ uri = "{}" }}
current = {{ uri = "{}" }}
[drift]
target = "data"
select = ["temp"]
"#,
        flights(1),
        flights(7)
    );
    let file = site.job("july", &job);
    let output = site.run(&["runs", "submit", file.to_str().unwrap(), "--here", "--notify"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let _serve = site.start("worker", &["worker"]);
    let rows = eventually("three tries", Duration::from_secs(30), || async {
        let rows: Vec<(String, String, Option<String>)> =
            sqlx::query_as("SELECT channel, state, last_error FROM deliveries ORDER BY channel")
                .fetch_all(&database.pool)
                .await
                .unwrap();
        (rows.len() == 3 && rows.iter().all(|r| r.1 != "pending" && r.1 != "leased")).then_some(rows)
    })
    .await;
    let of = |channel: &str| rows.iter().find(|r| r.0 == channel).unwrap().clone();
    assert_eq!(of("folder").1, "sent");
    assert_eq!(of("mail").1, "retry");
    assert!(of("mail").2.unwrap().to_lowercase().contains("password"), "{rows:?}");
    assert_eq!(of("refused").1, "retry");
    assert!(of("refused").2.unwrap().contains("127.0.0.1"), "{rows:?}");
}
