//! A database per test.
//!
//! The server is the one named in `STEWARD_TEST_DATABASE_URL` (a superuser's URL to any database of it).

use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

/// A fresh, migrated database that is dropped at the end of the test.
pub struct TestDatabase {
    pub url: String,
    pub pool: PgPool,
}

impl TestDatabase {
    pub async fn new() -> Self {
        let server = std::env::var("STEWARD_TEST_DATABASE_URL").expect("STEWARD_TEST_DATABASE_URL");
        let name = format!("t_{}", Uuid::new_v4().simple());
        let mut admin = PgConnection::connect(&server).await.unwrap();
        admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let mut url = url::Url::parse(&server).unwrap();
        url.set_path(&name);
        let pool = PgPoolOptions::new().max_connections(8).connect(url.as_str()).await.unwrap();
        sqlx::migrate!("./migrations").run(&pool).await.unwrap();
        Self { url: url.to_string(), pool }
    }
}
