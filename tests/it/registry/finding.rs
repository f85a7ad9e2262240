//! Latest, lists and pages; and that they stay on indexes with ten thousand versions.

use std::collections::BTreeMap;

use registry::{ListFilter, Order};
use steward::db::model_search::{self, After, Filter, Latest};

use super::*;

async fn latest(desk: &Desk, stage: Option<Stage>, pre: bool, order: Order) -> Result<String, &'static str> {
    let found = registry::latest(&mut *desk.conn().await, MODEL, stage, pre, order).await;
    found.map(|version| version.version).map_err(|error| error.code())
}

#[tokio::test]
async fn latest_is_the_highest_release_that_is_not_archived() {
    let desk = Desk::new().await;
    let (by_version, by_time) = (Order::Precedence, Order::CreatedAt);
    assert_eq!(latest(&desk, None, false, by_version).await, Err("model_not_found"));
    desk.register("2.0.0-rc.1").await;
    assert_eq!(latest(&desk, None, false, by_version).await.as_deref(), Ok("2.0.0-rc.1"), "no release yet");
    for version in ["1.10.0", "1.9.0", "2.0.0-rc.10", "1.2.0"] {
        desk.register(version).await;
    }
    assert_eq!(latest(&desk, None, false, by_version).await.as_deref(), Ok("1.10.0"));
    assert_eq!(latest(&desk, None, true, by_version).await.as_deref(), Ok("2.0.0-rc.10"));
    assert_eq!(latest(&desk, None, false, by_time).await.as_deref(), Ok("1.2.0"));
    desk.promote("1.10.0", Stage::Archived).await;
    assert_eq!(latest(&desk, None, false, by_version).await.as_deref(), Ok("1.9.0"));
    assert_eq!(latest(&desk, Some(Stage::Archived), false, by_version).await.as_deref(), Ok("1.10.0"));
    assert_eq!(latest(&desk, Some(Stage::Production), false, by_version).await, Err("nothing_in_stage"));
    desk.promote("1.2.0", Stage::Production).await;
    assert_eq!(latest(&desk, Some(Stage::Production), false, by_version).await.as_deref(), Ok("1.2.0"));
}

#[tokio::test]
async fn lists_are_narrowed_by_every_filter_and_walked_page_by_page() {
    let desk = Desk::new().await;
    for n in 0..7 {
        let mut version = new(&format!("1.{n}.0"));
        version.owner = (n % 2 == 0).then(|| "team-a".to_owned());
        version.tags = BTreeMap::from([("parity".to_owned(), (n % 2).to_string()), ("n".to_owned(), n.to_string())]);
        desk.try_register(&version, &person(if n < 3 { "ann" } else { "cleo" })).await.unwrap();
    }
    let other = NewVersion { model_name: "flight_arrival".into(), ..new("1.0.0") };
    desk.try_register(&other, &person("ann")).await.unwrap();
    desk.promote("1.3.0", Stage::Staging).await;
    let mut conn = desk.conn().await;
    registry::delete(&mut conn, desk.setup(), MODEL, "1.6.0", "a mistake", None, &person("root")).await.unwrap();
    let tag = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let text = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (ListFilter::default(), 7),
        (ListFilter { include_deleted: true, ..ListFilter::default() }, 8),
        (ListFilter { name: text(MODEL), ..ListFilter::default() }, 6),
        (ListFilter { name: text("flight"), ..ListFilter::default() }, 0),
        (ListFilter { name_prefix: text("flight_"), ..ListFilter::default() }, 7),
        (ListFilter { name_prefix: text("flight_a"), ..ListFilter::default() }, 1),
        (ListFilter { name_prefix: text("%"), ..ListFilter::default() }, 0),
        (ListFilter { stage: Some(Stage::Staging), ..ListFilter::default() }, 1),
        (ListFilter { owner: text("team-a"), ..ListFilter::default() }, 3),
        (ListFilter { created_by: text("ann"), ..ListFilter::default() }, 4),
        (ListFilter { created_by: text("' OR true --"), ..ListFilter::default() }, 0),
        (ListFilter { tags: tag("parity", "1"), ..ListFilter::default() }, 3),
        (ListFilter { tags: tag("parity", "1"), created_by: text("ann"), ..ListFilter::default() }, 1),
    ] {
        let (rows, next) = registry::list(&mut conn, &filter, None, 100).await.unwrap();
        assert_eq!((rows.len(), next), (expected, None), "{filter:?}");
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (rows, next) = registry::list(&mut conn, &ListFilter::default(), after, 3).await.unwrap();
        seen.extend(rows.into_iter().map(|row| (row.created_at, row.id)));
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "newest first, none twice");
    let by_version = ListFilter { name: text(MODEL), by_version: true, ..ListFilter::default() };
    let (rows, next) = registry::list(&mut conn, &by_version, None, 2).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.version.as_str()).collect::<Vec<_>>(), ["1.5.0", "1.4.0"]);
    let (rows, _) = registry::list(&mut conn, &by_version, next.clone(), 1).await.unwrap();
    assert_eq!(rows[0].version, "1.3.0");
    let error = registry::list(&mut conn, &ListFilter::default(), next, 2).await.unwrap_err();
    assert_eq!(pointers(&error), ["/cursor"]);
    let error = registry::list(&mut conn, &ListFilter { name: None, ..by_version }, None, 2).await.unwrap_err();
    assert_eq!(pointers(&error), ["/order"]);
    for limit in [0, 1001] {
        let error = registry::list(&mut conn, &ListFilter::default(), None, limit).await.unwrap_err();
        assert_eq!(pointers(&error), ["/limit"]);
    }
}

/// The names of the nodes of a plan that read the registry.
fn scans(plan: &Value, found: &mut Vec<String>) {
    match plan {
        Value::Object(node) => {
            if node.get("Relation Name") == Some(&json!("model_registry")) {
                found.push(node["Node Type"].as_str().unwrap().to_owned());
            }
            node.values().for_each(|value| scans(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| scans(item, found)),
        _ => {}
    }
}

/// The plan of a statement with these literals, both for the values and for any value.
async fn stays_on_indexes(conn: &mut PgConnection, sql: &str, literals: &[&str]) {
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let execute = if literals.is_empty() { String::new() } else { format!("({})", literals.join(", ")) };
        let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE shown{execute}");
        for statement in [format!("SET plan_cache_mode = {mode}"), format!("PREPARE shown AS {sql}")] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *conn).await.unwrap();
        }
        let row = sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_one(&mut *conn).await.unwrap();
        let plan: Value = sqlx::Row::get::<sqlx::types::Json<Value>, _>(&row, 0).0;
        sqlx::raw_sql("DEALLOCATE shown").execute(&mut *conn).await.unwrap();
        let mut found = Vec::new();
        scans(&plan, &mut found);
        assert!(!found.is_empty(), "{sql}: {plan}");
        assert!(found.iter().all(|node| node != "Seq Scan"), "{mode}: {sql}\n{plan:#}");
    }
}

#[tokio::test]
async fn with_ten_thousand_versions_every_look_stays_on_indexes() {
    let desk = Desk::new().await;
    let mut conn = desk.conn().await;
    // A hundred models of a hundred versions; one in twenty is archived, one in fifty a pre-release.
    sqlx::raw_sql(
        "INSERT INTO model_registry (model_name, version, stage, owner, created_by, tags, created_at)
         SELECT 'model_' || lpad((n / 100)::text, 3, '0'), (n % 100) || '.0.0' || CASE WHEN n % 50 = 7 THEN '-rc.1' ELSE '' END,
                CASE WHEN n % 100 = 50 THEN 'production' WHEN n % 10 = 3 THEN 'staging' WHEN n % 20 = 1 THEN 'archived'
                     ELSE 'development' END,
                'team-' || n % 40, 'person-' || n % 60, jsonb_build_object('dataset', 'd' || n % 200),
                '2026-01-01T00:00:00Z'::timestamptz + make_interval(mins => n)
           FROM generate_series(0, 9999) n;
         ANALYZE model_registry;",
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    let mut shapes = 0;
    for stage in [None, Some("development"), Some("staging"), Some("production"), Some("archived")] {
        for (include_prerelease, by_time) in [(false, false), (true, false), (false, true)] {
            let query = model_search::latest_statement("m", Latest { stage, include_prerelease, by_time });
            let literals: &[&str] = if by_time { &["'model_042'"] } else { &["'model_042'", "'model_042'"] };
            stays_on_indexes(&mut conn, query.sql().as_str(), literals).await;
            shapes += 1;
        }
    }
    let text = |text: &str| Some(text.to_owned());
    let base = || Filter { limit: 51, ..Filter::default() };
    let cursor = Some(After::Row(chrono::DateTime::UNIX_EPOCH, uuid::Uuid::nil()));
    let lists: Vec<(Filter, Vec<&str>)> = vec![
        (base(), vec![]),
        (Filter { include_deleted: true, ..base() }, vec![]),
        (Filter { name: text("m"), ..base() }, vec!["'model_042'"]),
        (Filter { name_prefix: text("m"), ..base() }, vec!["'model_04'", "'model_04~'"]),
        (Filter { stage: text("s"), ..base() }, vec!["'production'"]),
        (Filter { owner: text("o"), ..base() }, vec!["'team-7'"]),
        (Filter { created_by: text("p"), ..base() }, vec!["'person-7'"]),
        (Filter { tags: Some(json!({})), ..base() }, vec![r#"'{"dataset": "d7"}'"#]),
        (Filter { name: text("m"), stage: text("s"), ..base() }, vec!["'model_042'", "'staging'"]),
        (Filter { owner: text("o"), stage: text("s"), ..base() }, vec!["'staging'", "'team-7'"]),
    ];
    for (filter, literals) in lists {
        for after in [None, cursor.clone()] {
            let filter = Filter { after, ..filter.clone() };
            let mut literals = literals.clone();
            if filter.after.is_some() {
                literals.extend(["'2026-01-04T00:00:00Z'", "'00000000-0000-0000-0000-000000000000'"]);
            }
            literals.push("51");
            stays_on_indexes(&mut conn, model_search::list_statement(&filter).sql().as_str(), &literals).await;
            shapes += 1;
        }
    }
    let by_version = Filter { name: text("m"), by_version: true, ..base() };
    let staged = Filter { stage: text("s"), ..by_version.clone() };
    for (filter, literals) in [(by_version, vec!["'model_042'"]), (staged, vec!["'model_042'", "'staging'"])] {
        for after in [None, Some(After::Version("50.0.0".into()))] {
            let filter = Filter { after, ..filter.clone() };
            let mut literals = literals.clone();
            literals.extend(filter.after.is_some().then_some("'50.0.0'"));
            literals.push("51");
            stays_on_indexes(&mut conn, model_search::list_statement(&filter).sql().as_str(), &literals).await;
            shapes += 1;
        }
    }
    assert_eq!(shapes, 39);
}
