//! What changes of a version besides its stage, and its end.

use std::collections::BTreeMap;

use registry::Patch;

use super::*;

async fn change(desk: &Desk, patch: &Patch, revision: Option<i64>) -> Result<ModelVersion, Error> {
    let mut tx = desk.pool().begin().await.unwrap();
    let done = registry::change(&mut tx, MODEL, "1.0.0", patch, revision, &person("ann")).await?;
    tx.commit().await.unwrap();
    Ok(done)
}

#[tokio::test]
async fn description_owner_and_tags_change_by_revision() {
    let desk = Desk::new().await;
    let before = desk.register("1.0.0").await;
    let patch = Patch {
        description: Some(Some("better words".into())),
        owner: Some(Some("team-a".into())),
        tags: BTreeMap::from([("a".into(), Some("1".into())), ("b".into(), Some("2".into()))]),
    };
    let after = change(&desk, &patch, Some(before.revision)).await.unwrap();
    assert_eq!((after.description.as_deref(), after.owner.as_deref()), (Some("better words"), Some("team-a")));
    assert_eq!((after.tags, after.revision), (json!({ "a": "1", "b": "2" }), before.revision + 1));
    let (event, detail) = desk.last_event().await;
    assert_eq!(event.action, "model.changed");
    assert_eq!((&detail["before"]["owner"], &detail["after"]["owner"]), (&json!(null), &json!("team-a")));

    let error = change(&desk, &patch, Some(before.revision)).await.unwrap_err();
    assert_eq!(error.code(), "revision_mismatch");
    let again = change(&desk, &patch, None).await.unwrap();
    assert_eq!(again.revision, before.revision + 1, "what changes nothing writes nothing");
    assert_eq!(desk.trail().await.len(), 2);

    let less = Patch { owner: Some(None), tags: BTreeMap::from([("a".into(), None)]), ..Patch::default() };
    let after = change(&desk, &less, None).await.unwrap();
    assert_eq!((after.owner, after.tags), (None, json!({ "b": "2" })));
    assert_eq!(after.description.as_deref(), Some("better words"));
    let nul = Patch { description: Some(Some("\0".into())), ..Patch::default() };
    assert_eq!(pointers(&change(&desk, &nul, None).await.unwrap_err()), ["/description"]);
}

#[tokio::test]
async fn an_alias_names_one_version_and_moves() {
    let desk = Desk::new().await;
    for version in ["1.0.0", "2.0.0"] {
        desk.register(version).await;
    }
    let mut conn = desk.conn().await;
    let ann = person("ann");
    registry::set_alias(&mut conn, MODEL, "champion", "1.0.0", &ann).await.unwrap();
    registry::set_alias(&mut conn, MODEL, "canary", "1.0.0", &ann).await.unwrap();
    assert_eq!(desk.get("1.0.0").await.aliases, ["canary", "champion"]);
    let moved = registry::set_alias(&mut conn, MODEL, "champion", "2.0.0", &ann).await.unwrap();
    assert_eq!((moved.version.as_str(), moved.updated_by.as_str()), ("2.0.0", "ann"));
    assert_eq!(desk.last_event().await.1["before"], "1.0.0");
    let events = desk.trail().await.len();
    registry::set_alias(&mut conn, MODEL, "champion", "2.0.0", &ann).await.unwrap();
    assert_eq!(desk.trail().await.len(), events, "what changes nothing writes nothing");
    let found = registry::resolve_alias(&mut conn, MODEL, "champion").await.unwrap();
    assert_eq!((found.version.as_str(), found.aliases), ("2.0.0", vec!["champion".to_owned()]));
    assert_eq!(registry::alias_list(&mut conn, MODEL).await.unwrap().len(), 2);
    for alias in ["1.0.0", "latest", "", "a b", "a/../b", "\0"] {
        let error = registry::set_alias(&mut conn, MODEL, alias, "1.0.0", &ann).await.unwrap_err();
        assert_eq!(pointers(&error), ["/alias"], "{alias:?}");
    }
    registry::remove_alias(&mut conn, MODEL, "champion", &ann).await.unwrap();
    assert_eq!(registry::resolve_alias(&mut conn, MODEL, "champion").await.unwrap_err().code(), "alias_not_found");
    assert_eq!(registry::remove_alias(&mut conn, MODEL, "champion", &ann).await.unwrap_err().code(), "alias_not_found");
    assert_eq!(desk.last_event().await.0.action, "model.alias_removed");
}

#[tokio::test]
async fn every_edition_of_a_card_is_kept() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    let mut conn = desk.conn().await;
    assert_eq!(registry::card(&mut conn, MODEL, "1.0.0", None).await.unwrap_err().code(), "card_not_found");
    for (body, edition) in [("# One", 1), ("# One", 1), ("# Two", 2)] {
        assert_eq!(registry::add_card(&mut conn, MODEL, "1.0.0", body, &person("ann")).await.unwrap().edition, edition);
    }
    assert_eq!(registry::card(&mut conn, MODEL, "1.0.0", None).await.unwrap().body, "# Two");
    assert_eq!(registry::card(&mut conn, MODEL, "1.0.0", Some(1)).await.unwrap().body, "# One");
    assert_eq!(registry::card_editions(&mut conn, MODEL, "1.0.0").await.unwrap().len(), 2);
    assert_eq!(desk.trail().await.len(), 3);
    for body in [" \n", "a\0"] {
        let error = registry::add_card(&mut conn, MODEL, "1.0.0", body, &person("ann")).await.unwrap_err();
        assert_eq!(pointers(&error), ["/body"]);
    }
}

#[tokio::test]
async fn a_deleted_version_is_gone_and_its_number_is_never_used_again() {
    let desk = Desk::new().await;
    desk.register("1.0.0").await;
    desk.register("1.1.0").await;
    desk.promote("1.0.0", Stage::Staging).await;
    let mut conn = desk.conn().await;
    registry::set_alias(&mut conn, MODEL, "canary", "1.0.0", &person("ann")).await.unwrap();
    let root = person("root");
    let error =
        registry::delete(&mut conn, desk.setup(), MODEL, "1.0.0", "leaks names", None, &root).await.unwrap_err();
    assert_eq!(error.code(), "version_in_use");
    assert!(error.to_string().contains("archive it before"), "{error}");
    desk.promote("1.0.0", Stage::Archived).await;
    assert_eq!(
        pointers(&registry::delete(&mut conn, desk.setup(), MODEL, "1.0.0", " ", None, &root).await.unwrap_err()),
        ["/reason"]
    );
    registry::delete(&mut conn, desk.setup(), MODEL, "1.0.0", "leaks names", None, &root).await.unwrap();

    let error = registry::get(&mut conn, MODEL, "1.0.0").await.unwrap_err();
    assert_eq!(error.code(), "version_deleted");
    assert!(error.to_string().contains("was deleted by root (leaks names)"), "{error}");
    for version in ["1.0.0", "1.0.0+again"] {
        let error = desk.try_register(&new(version), &person("ann")).await.unwrap_err();
        assert_eq!(error.code(), "version_deleted");
    }
    let error = desk.try_promote("1.0.0", Stage::Production, &approving(), &person("bob")).await.unwrap_err();
    assert_eq!(error.code(), "version_deleted");
    let worker = Actor::system("worker");
    let error = registry::auto_register(&mut conn, desk.setup(), MODEL, "1.0.0", None, &worker).await.unwrap_err();
    assert_eq!(error.code(), "version_deleted");
    assert_eq!(registry::resolve_alias(&mut conn, MODEL, "canary").await.unwrap_err().code(), "alias_not_found");
    let history = registry::history(&mut conn, MODEL, Some("1.0.0"), None, 10).await.unwrap();
    assert_eq!(history.len(), 3, "the history stays");
    assert!(history[0].valid_to.is_some(), "its last period has ended");
    let (event, detail) = desk.last_event().await;
    assert_eq!((event.action.as_str(), &detail["reason"]), ("model.deleted", &json!("leaks names")));
    assert_eq!(detail["aliases"], json!(["canary"]));
}

#[tokio::test]
async fn a_deleted_version_does_not_come_back_by_a_rollback() {
    let desk = Desk::new().await;
    for version in ["1.0.0", "2.0.0"] {
        desk.register(version).await;
        desk.promote(version, Stage::Production).await;
    }
    let mut conn = desk.conn().await;
    registry::delete(&mut conn, desk.setup(), MODEL, "1.0.0", "leaks names", None, &person("root")).await.unwrap();
    let error = registry::rollback(&mut conn, desk.setup(), MODEL, &approving(), &person("bob")).await.unwrap_err();
    assert_eq!(error.code(), "nothing_to_roll_back_to");
}
