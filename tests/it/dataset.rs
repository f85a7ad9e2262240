//! Datasets and storage against a real S3 server and a real HTTP server.

use std::path::Path;

use polars::prelude::{DataFrame, NamedFrom, ParquetWriter, Series};
use steward::config::secret::Secret;
use steward::dataset::{Dataset, Error, Source};
use steward::storage::{self, Storage};
use wiremock::matchers::{header_exists, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::s3::S3Server;

fn parquet(path: &Path, rows: i32, columns: usize) {
    let mut all: Vec<_> = (0..columns)
        .map(|c| {
            let values: Vec<f64> = (0..rows).map(|row| f64::from(row * 7 + c as i32).sin()).collect();
            Series::new(format!("c{c}").into(), values).into()
        })
        .collect();
    let kinds: Vec<String> = (0..rows).map(|row| format!("kind-{}", row % 3)).collect();
    all.push(Series::new("kind".into(), kinds).into());
    let mut frame = DataFrame::new_infer_height(all).unwrap();
    ParquetWriter::new(std::fs::File::create(path).unwrap()).finish(&mut frame).unwrap();
}

async fn open(server: &S3Server, uri: &str) -> Result<Dataset, Error> {
    let source = Source { uri: uri.into(), ..Source::default() };
    Dataset::open(&Storage::new(&server.settings()), source, &[]).await
}

#[tokio::test]
async fn a_pattern_on_s3_is_one_dataset() {
    let server = S3Server::start();
    let bucket = server.bucket("flights");
    std::fs::create_dir(bucket.join("year=2013")).unwrap();
    for month in 1..=4 {
        parquet(&bucket.join(format!("year=2013/month=2013-0{month}.parquet")), 100 * month, 2);
    }
    std::fs::write(bucket.join("year=2013/_SUCCESS"), "").unwrap();
    let data = open(&server, "s3://flights/year=2013/month=2013-0[1-3].parquet").await.unwrap();
    assert_eq!(data.row_count().await.unwrap(), 600);
    assert_eq!(data.numeric("c1").await.unwrap().values.len(), 600);
    let kinds = data.categories("kind").await.unwrap();
    assert_eq!(kinds.counts.counts.len(), 3);
    let objects: Vec<String> = data.pins().into_iter().map(|pin| pin.object).collect();
    assert_eq!(objects[0], "s3://flights/year=2013/month=2013-01.parquet");
    assert!(data.pins().iter().all(|pin| pin.etag.is_some()), "listings without etags are completed");
    // Any file of the folder, its marker left out.
    assert_eq!(open(&server, "s3://flights/**").await.unwrap().pins().len(), 4);
}

#[tokio::test]
async fn of_a_wide_object_only_footer_and_column_travel() {
    let server = S3Server::start();
    let file = server.bucket("wide").join("x.parquet");
    parquet(&file, 20_000, 30);
    let size = std::fs::metadata(&file).unwrap().len();
    let data = open(&server, "s3://wide/x.parquet").await.unwrap();
    assert!(data.bytes_read() < 100_000, "{}", data.bytes_read());
    let column = data.numeric("c17").await.unwrap();
    assert_eq!(column.values.len(), 20_000);
    assert_eq!(column.values[3], f64::from(3 * 7 + 17).sin());
    assert!(data.bytes_read() < size / 10, "{} of {size}", data.bytes_read());
    let gets: Vec<String> = server.requests().into_iter().filter(|request| request.starts_with("GetObject")).collect();
    assert!(!gets.is_empty() && gets.iter().all(|get| get.starts_with("GetObject bytes=")), "{gets:?}");
}

#[tokio::test]
async fn an_object_replaced_on_s3_is_not_mixed_with_the_old_one() {
    let server = S3Server::start();
    let file = server.bucket("data").join("x.parquet");
    parquet(&file, 100, 1);
    let storage = Storage::new(&server.settings());
    let source = Source { uri: "s3://data/x.parquet".into(), ..Source::default() };
    let data = Dataset::open(&storage, source.clone(), &[]).await.unwrap();
    let pins = data.pins();
    assert!(Dataset::open(&storage, source.clone(), &pins).await.is_ok());
    // Same size, other content.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let error = data.numeric("c0").await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error:?}");
    let error = Dataset::open(&storage, source.clone(), &pins).await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error:?}");
    assert!(error.to_string().contains("s3://data/x.parquet"), "{error}");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(Dataset::open(&storage, source, &pins).await.unwrap_err().code(), "no_data");
}

#[tokio::test]
async fn missing_things_on_s3_are_told_apart() {
    let server = S3Server::start();
    parquet(&server.bucket("data").join("x.parquet"), 10, 2);
    for uri in ["s3://data/y.parquet", "s3://data/*.csv", "s3://data/none/*.parquet"] {
        let error = open(&server, uri).await.unwrap_err();
        assert_eq!(error.code(), "no_data", "{uri}: {error}");
        assert!(error.to_string().contains(uri), "{error}");
    }
    for uri in ["s3://nobucket/x.parquet", "s3://nobucket/*.parquet"] {
        let error = open(&server, uri).await.unwrap_err();
        assert!(
            matches!(&error, Error::Storage(storage::Error::NoBucket { bucket, .. }) if bucket == "nobucket"),
            "{error:?}"
        );
        assert!(!error.is_transient());
    }
    let error = open(&server, "s3://data/x.parquet").await.unwrap().numeric("c11").await.unwrap_err();
    assert!(matches!(&error, Error::MissingColumn { suggestion: Some(_), .. }), "{error:?}");
    let error = open(&server, "s3://data/x.parquet").await.unwrap().numeric("kind").await.unwrap_err();
    assert!(matches!(&error, Error::WrongType { column, .. } if column == "kind"), "{error:?}");
}

#[tokio::test]
async fn wrong_credentials_are_named_and_not_shown() {
    let server = S3Server::start();
    parquet(&server.bucket("data").join("x.parquet"), 10, 1);
    let mut wrong_secret = server.settings();
    wrong_secret.s3.secret_access_key = Secret::new("hunter2");
    let mut wrong_key = server.settings();
    wrong_key.s3.access_key_id = "nobody".into();
    for settings in [wrong_secret, wrong_key] {
        for uri in ["s3://data/x.parquet", "s3://data/*.parquet"] {
            let error = Storage::new(&settings).list(uri).await.unwrap_err();
            assert!(matches!(error, storage::Error::Denied { .. }), "{error:?}");
            let text = error.to_string();
            assert!(text.contains("storage.s3") && !text.contains("hunter2"), "{text}");
        }
    }
}

#[tokio::test]
async fn damaged_objects_on_s3_are_named() {
    let server = S3Server::start();
    let bucket = server.bucket("data");
    parquet(&bucket.join("whole.parquet"), 1_000, 2);
    let whole = std::fs::read(bucket.join("whole.parquet")).unwrap();
    std::fs::write(bucket.join("cut.parquet"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(bucket.join("text.parquet"), "a,b\n1,2\n").unwrap();
    std::fs::write(bucket.join("empty.parquet"), "").unwrap();
    let error = open(&server, "s3://data/cut.parquet").await.unwrap_err();
    assert!(matches!(&error, Error::Truncated { object, .. } if object == "s3://data/cut.parquet"), "{error:?}");
    let error = open(&server, "s3://data/text.parquet").await.unwrap_err();
    assert!(matches!(&error, Error::WrongFormat { found, .. } if found.contains("text")), "{error:?}");
    let error = open(&server, "s3://data/empty.parquet").await.unwrap_err();
    assert!(matches!(&error, Error::Empty { .. }), "{error:?}");
    // One bad object of several is not skipped.
    let error = open(&server, "s3://data/{cut,whole}.parquet").await.unwrap_err();
    assert_eq!(error.code(), "corrupt_input");
}

#[tokio::test]
async fn short_failures_of_the_store_are_ridden_out_and_long_ones_reported() {
    let server = S3Server::start();
    parquet(&server.bucket("data").join("x.parquet"), 10, 1);
    server.fail_next(2);
    assert_eq!(open(&server, "s3://data/x.parquet").await.unwrap().row_count().await.unwrap(), 10);
    server.fail_next(1_000);
    let error = open(&server, "s3://data/x.parquet").await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(error.code(), "unreachable");
}

#[tokio::test]
async fn a_web_server_without_ranges_is_read_whole() {
    let server = MockServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    parquet(&folder.path().join("x.parquet"), 500, 2);
    let bytes = std::fs::read(folder.path().join("x.parquet")).unwrap();
    let length = bytes.len().to_string();
    Mock::given(method("HEAD"))
        .and(path("/data/x.parquet"))
        .respond_with(ResponseTemplate::new(200).insert_header("content-length", length.as_str()))
        .mount(&server)
        .await;
    let body = ResponseTemplate::new(200).set_body_bytes(bytes);
    Mock::given(method("GET")).and(path("/data/x.parquet")).respond_with(body).mount(&server).await;
    let storage = Storage::new(&S3Server::start().settings());
    let source = Source { uri: format!("{}/data/x.parquet", server.uri()), ..Source::default() };
    let data = Dataset::open(&storage, source, &[]).await.unwrap();
    assert_eq!(data.numeric("c1").await.unwrap().values.len(), 500);
    let missing = Source { uri: format!("{}/data/y.parquet", server.uri()), ..Source::default() };
    assert_eq!(Dataset::open(&storage, missing, &[]).await.unwrap_err().code(), "no_data");
}

#[tokio::test]
async fn a_signed_url_keeps_its_query_and_hides_it() {
    let server = MockServer::start().await;
    let csv = "x\n1\n2\n";
    Mock::given(wiremock::matchers::query_param("sig", "hunter2"))
        .and(path("/x.csv"))
        .and(method("HEAD"))
        .respond_with(ResponseTemplate::new(200).insert_header("content-length", "6").insert_header("etag", "\"1\""))
        .mount(&server)
        .await;
    Mock::given(wiremock::matchers::query_param("sig", "hunter2"))
        .and(path("/x.csv"))
        .and(header_exists("range"))
        .respond_with(
            ResponseTemplate::new(206)
                .set_body_string(csv)
                .insert_header("content-range", "bytes 0-5/6")
                .insert_header("etag", "\"1\""),
        )
        .mount(&server)
        .await;
    let storage = Storage::new(&S3Server::start().settings());
    let source = Source { uri: format!("{}/x.csv?sig=hunter2", server.uri()), ..Source::default() };
    let data = Dataset::open(&storage, source, &[]).await.unwrap();
    assert_eq!(data.numeric("x").await.unwrap().values, [1.0, 2.0]);
    assert!(data.pins().iter().all(|pin| !pin.object.contains("hunter2")));
    let denied = Source { uri: format!("{}/x.csv?sig=other", server.uri()), ..Source::default() };
    let error = Dataset::open(&storage, denied, &[]).await.unwrap_err();
    assert!(!error.to_string().contains("other"), "{error}");
}
