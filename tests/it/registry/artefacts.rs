//! The bytes behind versions: hashed, compared, told of; by hand and by a job.

use std::path::Path;

use sha2::{Digest, Sha256};
use steward::config::storage::StorageSettings;
use steward::registry::artefact;
use steward::storage::Storage;

use crate::support::steward::Site;

use super::*;

fn storage(allowed: Option<&Path>) -> Storage {
    #[derive(serde::Deserialize)]
    struct Shipped {
        storage: StorageSettings,
    }
    let mut shipped: Shipped = toml::from_str(include_str!("../../../config/default.toml")).unwrap();
    shipped.storage.allowed = allowed.map(|path| format!("file://{}/", path.display())).into_iter().collect();
    Storage::new(&shipped.storage)
}

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

async fn with_path(desk: &Desk, version: &str, path: &Path) -> ModelVersion {
    let new = NewVersion { model_path: Some(path.display().to_string()), ..new(version) };
    desk.try_register(&new, &person("ann")).await.unwrap().version
}

async fn verify(desk: &Desk, storage: &Storage, version: &str) -> Result<ModelVersion, Error> {
    artefact::verify(desk.pool(), storage, desk.setup(), MODEL, version, &person("ann")).await
}

async fn live(desk: &Desk) -> Vec<String> {
    sqlx::query_scalar("SELECT title FROM incidents WHERE kind = 'artefact' AND state <> 'resolved' ORDER BY title")
        .fetch_all(desk.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn the_first_look_registers_the_digest_and_later_ones_compare() {
    let (desk, folder) = (Desk::new().await, tempfile::tempdir().unwrap());
    let path = folder.path().join("model.bin");
    // Larger than one read.
    let bytes = vec![7_u8; 9 * 1024 * 1024];
    std::fs::write(&path, &bytes).unwrap();
    with_path(&desk, "1.0.0", &path).await;
    let storage = storage(None);
    let found = verify(&desk, &storage, "1.0.0").await.unwrap();
    let digest = format!("sha256:{}", sha256(&bytes));
    assert_eq!((found.artefact_status.as_str(), found.artefact_digest.as_ref()), ("verified", Some(&digest)));
    assert_eq!(found.artefact_size_bytes, Some(9 * 1024 * 1024));
    assert!(found.artefact_checked_at.is_some());
    let events = desk.trail().await.len();
    verify(&desk, &storage, "1.0.0").await.unwrap();
    assert_eq!(desk.trail().await.len(), events, "the same again is no event");
    assert!(live(&desk).await.is_empty());

    std::fs::write(&path, b"other bytes").unwrap();
    let found = verify(&desk, &storage, "1.0.0").await.unwrap();
    assert_eq!((found.artefact_status.as_str(), found.artefact_digest.as_ref()), ("mismatch", Some(&digest)));
    assert!(found.artefact_detail.unwrap().contains(&sha256("other bytes")));
    verify(&desk, &storage, "1.0.0").await.unwrap();
    assert_eq!(live(&desk).await.len(), 1, "one incident, however often it is seen");
    let told = "SELECT count(*) FROM deliveries WHERE channel = 'team'";
    assert_eq!(count(&mut *desk.conn().await, told).await, 1);

    std::fs::remove_file(&path).unwrap();
    let found = verify(&desk, &storage, "1.0.0").await.unwrap();
    assert_eq!((found.artefact_status.as_str(), found.artefact_digest.as_ref()), ("missing", Some(&digest)));
    std::fs::write(&path, &bytes).unwrap();
    let found = verify(&desk, &storage, "1.0.0").await.unwrap();
    assert_eq!((found.artefact_status.as_str(), found.artefact_detail), ("verified", None));
    assert!(live(&desk).await.is_empty(), "right again, the incident ends");
}

#[tokio::test]
async fn a_folder_has_the_digest_of_its_manifest_with_hidden_files_in_it() {
    let (desk, folder) = (Desk::new().await, tempfile::tempdir().unwrap());
    let root = folder.path().join("model");
    std::fs::create_dir_all(root.join("weights")).unwrap();
    for (name, text) in [("config.json", "{}"), ("weights/b.bin", "bb"), ("weights/_a.bin", "a"), (".marker", "")] {
        std::fs::write(root.join(name), text).unwrap();
    }
    with_path(&desk, "1.0.0", &root).await;
    let found = verify(&desk, &storage(None), "1.0.0").await.unwrap();
    let manifest: String = [(".marker", ""), ("config.json", "{}"), ("weights/_a.bin", "a"), ("weights/b.bin", "bb")]
        .into_iter()
        .map(|(name, text)| format!("{name}\t{}\t{}\n", text.len(), sha256(text)))
        .collect();
    assert_eq!(found.artefact_digest, Some(format!("sha256:{}", sha256(manifest))));
    assert_eq!(found.artefact_size_bytes, Some(5));
    std::fs::write(root.join("weights/_a.bin"), "b").unwrap();
    assert_eq!(verify(&desk, &storage(None), "1.0.0").await.unwrap().artefact_status, "mismatch");
}

#[tokio::test]
async fn what_storage_does_not_allow_is_not_read() {
    let (desk, folder, elsewhere) = (Desk::new().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = elsewhere.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    std::os::unix::fs::symlink(&secret, folder.path().join("link")).unwrap();
    let up = folder.path().join("..").join(elsewhere.path().file_name().unwrap()).join("secret");
    let storage = storage(Some(folder.path()));
    for (n, path) in [secret.clone(), folder.path().join("link"), up].iter().enumerate() {
        let version = format!("1.{n}.0");
        with_path(&desk, &version, path).await;
        let found = verify(&desk, &storage, &version).await.unwrap();
        assert_eq!((found.artefact_status.as_str(), found.artefact_digest), ("missing", None), "{path:?}");
        assert!(found.artefact_detail.unwrap().contains("may not access"), "{path:?}");
    }
    desk.register("2.0.0").await;
    assert_eq!(pointers(&verify(&desk, &storage, "2.0.0").await.unwrap_err()), ["/model_path"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_queues_a_run_and_a_job_looks_again() {
    let desk = Desk::new().await;
    let site = Site::new(&desk.database.url, "");
    std::fs::write(site.path().join("model.bin"), "good").unwrap();
    site.ok(&["models", "register", MODEL, "1.0.0", "--path", "model.bin", "--by", "ann"]);
    assert_eq!(desk.get("1.0.0").await.artefact_status, "pending");
    let runs: Vec<(String, String)> =
        sqlx::query_as("SELECT kind, state FROM runs").fetch_all(desk.pool()).await.unwrap();
    assert_eq!(runs, [("artefact".to_owned(), "available".to_owned())]);

    let worker = site.start("worker", &["worker"]);
    let status = |wanted: &'static str| {
        let pool = desk.pool().clone();
        crate::support::steward::eventually(
            "the artefact is looked at",
            std::time::Duration::from_secs(30),
            move || {
                let pool = pool.clone();
                async move {
                    let now: String = sqlx::query_scalar("SELECT artefact_status FROM model_registry")
                        .fetch_one(&pool)
                        .await
                        .unwrap();
                    (now == wanted).then_some(())
                }
            },
        )
    };
    status("verified").await;
    std::fs::write(site.path().join("model.bin"), "evil").unwrap();
    let job = "name = \"artefacts\"\nkind = \"artefact\"\nnotify = []\n";
    let file = site.job("artefacts", job);
    site.ok(&["jobs", "check"]);
    site.ok(&["runs", "submit", &file.display().to_string(), "--notify"]);
    status("mismatch").await;
    assert_eq!(live(&desk).await.len(), 1);
    let (name, version): (String, String) =
        sqlx::query_as("SELECT model_name, model_version FROM incidents").fetch_one(desk.pool()).await.unwrap();
    assert_eq!((name.as_str(), version.as_str()), (MODEL, "1.0.0"));
    let run: String = sqlx::query_scalar("SELECT id::text FROM runs WHERE outcome = 'breached'")
        .fetch_one(desk.pool())
        .await
        .unwrap();
    let shown = site.ok(&["runs", "show", &run]);
    let (evil, good) = (sha256("evil"), sha256("good"));
    let detail = format!("sha256:{evil} is there, sha256:{good} is registered");
    assert!(shown.contains(&format!("1 of 1 artefact failed: {MODEL} 1.0.0: mismatch, {detail}")), "{shown}");
    let shown: Value = serde_json::from_str(&site.ok(&["runs", "show", &run, "--output", "json"])).unwrap();
    let named = json!([{ "model_name": MODEL, "version": "1.0.0", "status": "mismatch", "detail": detail }]);
    assert_eq!((&shown["summary"]["versions"], &shown["summary"]["looked_at"]), (&named, &json!(1)));
    drop(worker);
}
