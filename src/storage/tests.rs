//! Objects behind URIs: lists, patterns, ranges, and what may not be read.

use super::*;

fn settings() -> StorageSettings {
    #[derive(serde::Deserialize)]
    struct Fragment {
        storage: StorageSettings,
    }
    toml::from_str::<Fragment>(include_str!("../../config/default.toml")).unwrap().storage
}

fn storage() -> Storage {
    Storage::new(&settings())
}

fn names(objects: &[ObjectInfo]) -> Vec<&str> {
    objects.iter().map(|object| object.uri.rsplit('/').next().unwrap()).collect()
}

#[tokio::test]
async fn files_are_listed_by_pattern_in_name_order() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().display().to_string();
    for name in ["b.csv", "a.csv", "c.txt", "_SUCCESS.csv", "sub/d.csv"] {
        storage().put(&format!("file://{base}/{name}"), Bytes::from_static(b"x\n1\n")).await.unwrap();
    }
    assert_eq!(names(&storage().list(&format!("file://{base}/*.csv")).await.unwrap()), ["a.csv", "b.csv"]);
    assert_eq!(names(&storage().list(&format!("{base}/**/*.csv")).await.unwrap()), ["a.csv", "b.csv", "d.csv"]);
    assert_eq!(names(&storage().list(&format!("{base}/{{b,c}}.*")).await.unwrap()), ["b.csv", "c.txt"]);
    let one = storage().list(&format!("{base}/a.csv")).await.unwrap();
    assert_eq!((one[0].size_bytes, one[0].uri.as_str()), (4, format!("file://{base}/a.csv").as_str()));
}

#[tokio::test]
async fn missing_files_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().display().to_string();
    storage().put(&format!("{base}/flights.csv"), Bytes::from_static(b"x")).await.unwrap();
    for (path, hint) in [
        ("flight.csv", "`flights.csv` is in the same folder"),
        ("none/x.csv", "folder"),
        ("*.parquet", "matches"),
        ("none/*.csv", "does not exist"),
        ("", "it is a folder"),
    ] {
        let error = storage().list(&format!("file://{base}/{path}")).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
        assert!(error.to_string().contains(hint), "{path}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_changed_since_it_was_listed_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    std::fs::write(&path, "aaaa").unwrap();
    let object = storage().list(path.to_str().unwrap()).await.unwrap().remove(0);
    assert_eq!(storage().read_all(&object).await.unwrap(), "aaaa");
    assert_eq!(storage().read_ranges(&object, &[1..3, 0..0]).await.unwrap(), ["aa", ""]);
    std::fs::write(&path, "aaaaa").unwrap();
    assert!(matches!(storage().read_all(&object).await, Err(Error::Changed { .. })));
    // Same size, other time.
    std::fs::write(&path, "bbbb").unwrap();
    let other = object.last_modified + chrono::Duration::seconds(5);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(other.into()).unwrap();
    assert!(matches!(storage().read_all(&object).await, Err(Error::Changed { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(storage().read_all(&object).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn memory_is_shared_listed_and_guarded() {
    let (one, two) = (storage(), storage());
    one.put("memory://storage-test/b.csv", Bytes::from_static(b"0123456789")).await.unwrap();
    one.put("memory://storage-test/a.csv", Bytes::from_static(b"x")).await.unwrap();
    let objects = two.list("memory://storage-test/*.csv").await.unwrap();
    assert_eq!(names(&objects), ["a.csv", "b.csv"]);
    assert_eq!(two.read_ranges(&objects[1], &[8..10, 2..4]).await.unwrap(), ["89", "23"]);
    assert!(two.local_path(&objects[1]).is_none());
    one.put("memory://storage-test/b.csv", Bytes::from_static(b"9876543210")).await.unwrap();
    assert!(matches!(two.read_all(&objects[1]).await, Err(Error::Changed { .. })));
    let error = two.list("memory://storage-test/none.csv").await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }));
    let error = two.list("memory://storage-test").await.unwrap_err().to_string();
    assert!(error.contains("it is a folder"), "{error}");
}

#[tokio::test]
async fn too_many_matches_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..3 {
        std::fs::write(folder.path().join(format!("{index}.csv")), "x").unwrap();
        let uri = format!("memory://too-many/{index}.csv");
        storage().put(&uri, Bytes::from_static(b"x")).await.unwrap();
    }
    let limited = Storage::new(&StorageSettings { max_objects: 2, ..settings() });
    for uri in [format!("{}/*", folder.path().display()), "memory://too-many/*".to_owned()] {
        assert!(matches!(limited.list(&uri).await, Err(Error::TooMany { limit: 2, .. })));
    }
}

#[tokio::test]
async fn nothing_outside_of_the_allowed_roots_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("in");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(inside.join("x.csv"), "x").unwrap();
    std::fs::write(folder.path().join("secret.csv"), "x").unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret.csv"), inside.join("link.csv")).unwrap();
    let allowed = vec![inside.display().to_string(), "memory://allowed".to_owned()];
    let storage = Storage::new(&StorageSettings { allowed, ..settings() });
    let base = inside.display();
    assert!(storage.list(&format!("{base}/x.csv")).await.is_ok());
    for uri in [
        format!("{base}/../secret.csv"),
        format!("{base}/link.csv"),
        format!("{base}/*.csv"),
        "/etc/passwd".to_owned(),
        "memory://elsewhere/x.csv".to_owned(),
        "s3://bucket/x.csv".to_owned(),
        "http://127.0.0.1:1/x.csv".to_owned(),
    ] {
        let error = storage.list(&uri).await.unwrap_err();
        assert!(matches!(error, Error::Denied { .. }), "{uri}: {error:?}");
        assert!(error.to_string().contains("storage.allowed"), "{error}");
    }
    let put = storage.put(&format!("{base}/../new.csv"), Bytes::new()).await;
    assert!(matches!(put, Err(Error::Denied { .. })));
}

#[tokio::test]
async fn an_unreachable_store_is_a_passing_failure() {
    let mut settings = StorageSettings { retries: 0, ..settings() };
    settings.s3.endpoint = "http://127.0.0.1:1".into();
    settings.s3.allow_http = true;
    settings.s3.access_key_id = "key".into();
    settings.s3.secret_access_key = crate::config::secret::Secret::new("hunter2");
    let error = Storage::new(&settings).list("s3://bucket/x.parquet").await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(error.to_string().contains("s3://bucket/x.parquet"), "{error}");
    assert!(!error.to_string().contains("hunter2"));
    let error = Storage::new(&settings).list("http://127.0.0.1:1/x.csv?sig=hunter2").await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
