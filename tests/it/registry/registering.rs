//! Registering by hand and by use.

use super::*;

#[tokio::test]
async fn a_registered_version_is_answered_as_it_was_given_and_leaves_history_and_event() {
    let desk = Desk::new().await;
    let done = desk.try_register(&new("0.2.0"), &person("ann")).await.unwrap();
    assert!(done.created && !done.completed);
    let version = desk.get("0.2.0").await;
    assert_eq!(version, done.version);
    assert_eq!((version.stage.as_str(), version.created_by.as_deref()), ("development", Some("ann")));
    assert_eq!(version.hyperparameters, json!({ "learning_rate": 0.01, "n_estimators": 100 }));
    assert_eq!((version.artefact_status.as_str(), version.revision, version.promoted_at), ("none", 1, None));

    let history = registry::history(&mut *desk.conn().await, MODEL, Some("0.2.0"), None, 10).await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].from_stage.as_deref(), history[0].stage.as_str()), (None, "development"));
    assert_eq!((history[0].valid_from, history[0].valid_to), (version.created_at, None));
    let (event, detail) = desk.last_event().await;
    assert_eq!((event.action.as_str(), event.subject.as_str()), ("model.registered", "flight_delay/0.2.0"));
    assert_eq!(history[0].event_sequence, Some(event.sequence));
    assert_eq!(detail["training_data_path"], "data/train.parquet");
}

#[tokio::test]
async fn the_same_content_again_is_the_same_row_and_no_event() {
    let desk = Desk::new().await;
    let first = desk.register("1.0.0").await;
    let again = desk.try_register(&new("1.0.0"), &person("cleo")).await.unwrap();
    assert!(!again.created);
    assert_eq!(again.version, first);
    assert_eq!(desk.trail().await.len(), 1);
}

#[tokio::test]
async fn other_content_is_a_conflict_that_names_the_fields() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    let other =
        NewVersion { model_path: Some("m.pkl".into()), hyperparameters: json!({ "learning_rate": 1 }), ..new("1.0.0") };
    let error = desk.try_register(&other, &person("ann")).await.unwrap_err();
    assert_eq!(error.code(), "version_conflict");
    assert!(error.to_string().contains("model_path, hyperparameters differ; what was registered stays"), "{error}");

    let described = NewVersion { description: Some("other words".into()), ..new("1.0.0") };
    let error = desk.try_register(&described, &person("ann")).await.unwrap_err();
    assert!(error.to_string().contains("description differs; change the registered version"), "{error}");
}

#[tokio::test]
async fn build_metadata_makes_no_second_row() {
    let desk = Desk::new().await;
    desk.register("1.0.0+build.5").await;
    let error = desk.try_register(&new("1.0.0+build.6"), &person("ann")).await.unwrap_err();
    assert_eq!(error.code(), "version_conflict");
    let text = error.to_string();
    assert!(text.contains("1.0.0+build.5 and 1.0.0+build.6 differ in build metadata only"), "{text}");
    assert_eq!(count(&mut *desk.conn().await, "SELECT count(*) FROM model_registry").await, 1);
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_with_its_place() {
    let desk = Desk::new().await;
    let bad = NewVersion {
        model_name: "../flights; DROP TABLE".into(),
        version: "v1.2".into(),
        description: Some("a\0b".into()),
        model_path: Some(" ".into()),
        training_data_path: Some("x\0".into()),
        hyperparameters: json!([1, 2]),
        training_metadata: json!({ "list": [1, { "a/b": "\0" }], "\0": 1 }),
        owner: Some(String::new()),
        tags: [("bad key".to_owned(), "v".to_owned()), ("ok".to_owned(), "\0".to_owned())].into(),
        artefact_digest: Some("md5:1".into()),
        created_by: Some("somebody else".into()),
        stage: Stage::Development,
        artefact_unread: None,
    };
    let error = desk.try_register(&bad, &person("ann")).await.unwrap_err();
    let found = pointers(&error);
    for pointer in [
        "/model_name",
        "/version",
        "/description",
        "/model_path",
        "/training_data_path",
        "/hyperparameters",
        "/training_metadata/list/1/a~1b",
        "/training_metadata",
        "/owner",
        "/tags",
        "/tags/ok",
        "/artefact_digest",
        "/created_by",
    ] {
        assert!(found.contains(&pointer), "{pointer} is not among {found:?}");
    }
    assert!(error.to_string().contains("did you mean `1.2.0`?"), "{error}");
    assert!(desk.trail().await.is_empty());
}

#[tokio::test]
async fn nobody_registers_straight_into_staging_or_production() {
    let desk = Desk::new().await;
    for stage in [Stage::Staging, Stage::Production] {
        let error = desk.try_register(&NewVersion { stage, ..new("1.0.0") }, &person("ann")).await.unwrap_err();
        assert_eq!(error.code(), "stage_needs_promotion");
        assert!(error.to_string().contains("register it in development, then promote it"), "{error}");
    }
    let archived = NewVersion { stage: Stage::Archived, ..new("0.9.0") };
    assert_eq!(desk.try_register(&archived, &person("ann")).await.unwrap().version.stage, "archived");
}

#[tokio::test]
async fn by_their_own_word_somebody_may_name_the_creator_and_by_a_token_not() {
    let desk = Desk::new().await;
    let named = NewVersion { created_by: Some("data_scientist".into()), ..new("1.0.0") };
    let error = desk.try_register(&named, &person("ann")).await.unwrap_err();
    assert_eq!(pointers(&error), ["/created_by"]);
    let done = desk.try_register(&named, &Actor::local("ann")).await.unwrap();
    assert_eq!(done.version.created_by.as_deref(), Some("data_scientist"));
}

#[tokio::test]
async fn a_path_makes_the_artefact_pending_when_artefacts_are_verified() {
    let mut desk = Desk::new().await;
    let with_path = |version: &str| NewVersion { model_path: Some("models/m.pkl".into()), ..new(version) };
    let done = desk.try_register(&with_path("1.0.0"), &person("ann")).await.unwrap();
    assert_eq!(done.version.artefact_status, "pending");
    desk.settings.verify_artefacts = false;
    let done = desk.try_register(&with_path("1.1.0"), &person("ann")).await.unwrap();
    assert_eq!(done.version.artefact_status, "none");
}

async fn auto(desk: &Desk, version: &str, digest: Option<&str>) -> Result<registry::AutoRegistered, Error> {
    let worker = Actor::system("worker");
    registry::auto_register(&mut *desk.conn().await, desk.setup(), MODEL, version, digest, &worker).await
}

#[tokio::test]
async fn a_version_that_is_used_is_registered_marked_and_completed_by_its_registration() {
    let desk = Desk::new().await;
    assert!(auto(&desk, "1.0.0", None).await.unwrap().created);
    assert!(!auto(&desk, "1.0.0", None).await.unwrap().created);
    let version = desk.get("1.0.0").await;
    assert_eq!((version.auto_registered, version.created_by.as_deref()), (true, Some("steward:worker")));
    let history = registry::history(&mut *desk.conn().await, MODEL, None, None, 10).await.unwrap();
    assert_eq!(history.len(), 1);

    let done = desk.try_register(&new("1.0.0"), &person("ann")).await.unwrap();
    assert!(!done.created && done.completed);
    assert_eq!(done.version.id, version.id);
    assert_eq!((done.version.auto_registered, done.version.created_by.as_deref()), (false, Some("ann")));
    assert_eq!(done.version.hyperparameters["n_estimators"], 100);
    // Completed, it is frozen like any other.
    let error = desk.try_register(&NewVersion { model_path: Some("x".into()), ..new("1.0.0") }, &person("ann")).await;
    assert_eq!(error.unwrap_err().code(), "version_conflict");
    let trail = desk.trail().await;
    assert_eq!(trail.iter().filter(|(action, _)| action == "model.registered").count(), 2);
}

#[tokio::test]
async fn what_is_no_version_is_not_registered_by_use() {
    let desk = Desk::new().await;
    for version in ["latest", "1.0", "1.0.0\0"] {
        assert_eq!(pointers(&auto(&desk, version, None).await.unwrap_err()), ["/version"]);
    }
}

#[tokio::test]
async fn another_digest_of_the_same_version_is_an_incident_and_never_an_overwrite() {
    let desk = Desk::new().await;
    let (first, second) = (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
    auto(&desk, "1.0.0", Some(&first)).await.unwrap();
    assert_eq!(auto(&desk, "1.0.0", Some(&first)).await.unwrap(), registry::AutoRegistered::default());
    assert!(auto(&desk, "1.0.0", Some(&second)).await.unwrap().conflict);
    assert_eq!(desk.get("1.0.0").await.artefact_digest.as_deref(), Some(first.as_str()));
    let (kind, subject, title): (String, String, String) =
        sqlx::query_as("SELECT kind, subject, title FROM incidents").fetch_one(desk.pool()).await.unwrap();
    assert_eq!((kind.as_str(), subject.as_str()), ("artefact_conflict", "1.0.0"));
    assert!(title.contains(&second) && title.contains(&first), "{title}");
    assert_eq!(count(&mut *desk.conn().await, "SELECT count(*) FROM deliveries WHERE channel = 'team'").await, 1);
    assert_eq!(desk.last_event().await.0.action, "model.artefact_conflict");

    let error = desk.try_register(&NewVersion { artefact_digest: Some(second), ..new("1.0.0") }, &person("ann")).await;
    assert!(error.unwrap_err().to_string().contains("artefact_digest"));
}

#[tokio::test]
async fn eight_that_register_one_version_at_the_same_time_make_one_row() {
    let desk = Desk::new().await;
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let (pool, settings, channels) = (desk.pool().clone(), desk.settings.clone(), desk.channels.clone());
            tokio::spawn(async move {
                let setup = Setup { settings: &settings, channels: &channels };
                let mut tx = pool.begin().await.unwrap();
                let done = registry::register(&mut tx, setup, &new("1.0.0"), &person(&format!("p{n}"))).await.unwrap();
                tx.commit().await.unwrap();
                done.created
            })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        made += usize::from(task.await.unwrap());
    }
    assert_eq!(made, 1);
    assert_eq!(desk.trail().await.len(), 1);
}

#[tokio::test]
async fn what_was_registered_cannot_be_edited_behind_the_registrys_back() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    for statement in [
        "UPDATE model_registry SET model_path = 'other'",
        "UPDATE model_registry SET hyperparameters = '{}'",
        "UPDATE model_registry SET created_by = 'bob'",
        "UPDATE model_registry SET version = '2.0.0'",
        "DELETE FROM model_registry",
    ] {
        let error = sqlx::query(statement).execute(desk.pool()).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("23001"), "{statement}: {error}");
    }
}
