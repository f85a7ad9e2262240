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

#[tokio::test]
async fn what_is_submitted_needs_a_list_of_roots() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().display().to_string();
    let open = storage();
    for uri in ["/etc/passwd", "s3://bucket/x.csv", "https://host/x.csv", "memory://x/y.csv"] {
        assert!(open.check(uri).is_ok(), "{uri}: job files on disk are trusted");
        let error = open.check_submitted(uri).unwrap_err();
        assert!(
            matches!(error, Error::Denied { .. }) && error.to_string().contains("storage.allowed"),
            "{uri}: {error}"
        );
    }
    assert!(matches!(open.check_submitted("ftp://x/y"), Err(Error::BadUri { .. })));
    let allowed = vec![base.clone(), "s3://bucket/data".to_owned()];
    let listed = Storage::new(&StorageSettings { allowed, ..settings() });
    for uri in [
        format!("{base}/not-there-yet.csv"),
        format!("{base}/*.csv"),
        format!("file://{base}/day={{window.start:%Y-%m-%d}}/*.parquet"),
        "s3://bucket/data/day={tick:%Y}/*.parquet".to_owned(),
        "s3://bucket/data/[ab].csv".to_owned(),
    ] {
        assert!(listed.check_submitted(&uri).is_ok(), "{uri}: {:?}", listed.check_submitted(&uri));
    }
    for uri in [
        format!("{base}/../x.csv"),
        format!("{base}/{{tick:../../}}etc/passwd"),
        format!("{base}-evil/*.csv"),
        "*.csv".to_owned(),
        "/**/passwd".to_owned(),
        "s3://bucket/data/../x.csv".to_owned(),
        "s3://bucket/*/x.csv".to_owned(),
        "http://127.0.0.1/x.csv".to_owned(),
    ] {
        // What a template makes of itself is checked again when it is resolved; here it must at least not lead out.
        let resolved = uri.replace("{tick:../../}", "../../");
        assert!(matches!(listed.check_submitted(&resolved), Err(Error::Denied { .. })), "{uri}");
        assert!(listed.list(&resolved).await.is_err(), "{uri}");
    }
}

#[tokio::test]
async fn folders_behind_a_link_that_leads_out_are_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("in"), folder.path().join("out"));
    for path in [&inside, &outside] {
        std::fs::create_dir(path).unwrap();
    }
    std::fs::create_dir(inside.join("sub")).unwrap();
    std::fs::write(inside.join("sub/x.csv"), "x").unwrap();
    std::fs::write(outside.join("secret-name.csv"), "x").unwrap();
    std::os::unix::fs::symlink(&outside, inside.join("link")).unwrap();
    std::os::unix::fs::symlink(inside.join("sub"), inside.join("friendly")).unwrap();
    let storage = Storage::new(&StorageSettings { allowed: vec![inside.display().to_string()], ..settings() });
    let found = storage.list(&format!("{}/*/*.csv", inside.display())).await.unwrap();
    assert_eq!(names(&found), ["x.csv", "x.csv"], "links inside of the root are followed");
    let error = storage.list(&format!("{}/link/*.csv", inside.display())).await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }) && !error.to_string().contains("secret-name"), "{error}");
}

#[tokio::test]
async fn a_pipe_is_no_data() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.csv");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = storage().list(pipe.to_str().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("neither a file nor a folder"), "{error}");
    assert!(storage().list(&format!("{}/*.csv", folder.path().display())).await.is_err());
}

#[tokio::test]
async fn redirects_are_followed_to_where_data_may_be_and_nowhere_else() {
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, ResponseTemplate};
    let (server, other) = (MockServer::start().await, MockServer::start().await);
    let to = |target: String| ResponseTemplate::new(302).insert_header("location", target);
    let data = ResponseTemplate::new(200)
        .set_body_string("x\n1\n")
        .insert_header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    Mock::given(path("/data/x.csv")).respond_with(data.clone()).mount(&server).await;
    Mock::given(path("/data/same")).respond_with(to(format!("{}/data/x.csv", server.uri()))).mount(&server).await;
    let renamed = other.uri().replace("127.0.0.1", "localhost");
    Mock::given(path("/data/name")).respond_with(to(format!("{renamed}/admin"))).mount(&server).await;
    Mock::given(path("/data/meta")).respond_with(to("http://169.254.169.254/latest".to_owned())).mount(&server).await;
    Mock::given(path("/data/out")).respond_with(to(format!("{}/admin", server.uri()))).mount(&server).await;
    Mock::given(path("/data/round")).respond_with(to(format!("{}/data/round", server.uri()))).mount(&server).await;
    Mock::given(path("/admin")).respond_with(data).expect(0).mount(&other).await;
    let open = Storage::new(&StorageSettings { retries: 0, ..settings() });
    let allowed = vec![format!("{}/data", server.uri())];
    let listed = Storage::new(&StorageSettings { allowed, retries: 0, ..settings() });
    for storage in [&open, &listed] {
        let object = storage.list(&format!("{}/data/same", server.uri())).await.unwrap().remove(0);
        assert_eq!(storage.read_all(&object).await.unwrap(), "x\n1\n");
        for name in ["name", "meta", "round"] {
            let error = storage.list(&format!("{}/data/{name}", server.uri())).await.unwrap_err();
            assert!(matches!(error, Error::Denied { .. }), "{name}: {error:?}");
            assert!(error.to_string().contains("redirects"), "{name}: {error}");
        }
    }
    let error = listed.list(&format!("{}/data/out", server.uri())).await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
}
