//! A database per test.
//!
//! The server is the one named in `STEWARD_TEST_DATABASE_URL` (a superuser's URL to any database of it); without that,
//! a private server that all test processes share: it lies in the temporary folder (the server's user cannot enter
//! everybody's home), does not wait for the disk, and leaves a few seconds after its last user.
//!
//! The migrations run once into a template; each test gets a copy of it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, postgres::PgPoolOptions};
use steward::db::embedded::{EmbeddedOptions, Lease, acquire};
use steward::db::migrator::MIGRATOR;
use uuid::Uuid;

/// Any number; it keeps test processes of one server apart while they make the template.
const TEMPLATE_LOCK: i64 = 7_364_872_316;

/// A fresh, migrated database that is dropped at the end of the test.
pub struct TestDatabase {
    pub url: String,
    pub pool: PgPool,
    admin: String,
    name: String,
    _server: Option<Lease>,
}

impl TestDatabase {
    pub async fn new() -> Self {
        let (admin, server) = server().await;
        let template = template(&admin).await;
        let name = format!("t_{}", Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&admin).await.unwrap();
        connection
            .execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}")))
            .await
            .expect("copy the template");
        connection.close().await.unwrap();
        let url = with_database(&admin, &name);
        let pool = PgPoolOptions::new().max_connections(8).connect(&url).await.unwrap();
        Self { url, pool, admin, name, _server: server }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        let work = async move {
            if let Ok(mut connection) = PgConnection::connect(&admin).await {
                let _ = connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await;
            }
        };
        // The test's own runtime cannot be waited for here.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _ = std::thread::spawn(move || runtime.block_on(work)).join();
    }
}

/// The URL of a server's superuser, and the hold on the server when it is the private one.
pub async fn server() -> (String, Option<Lease>) {
    if let Ok(url) = std::env::var("STEWARD_TEST_DATABASE_URL") {
        return (url, None);
    }
    let lease = acquire(&EmbeddedOptions {
        data_dir: server_folder(),
        bin_dir: None,
        database: "steward".to_owned(),
        supervisor: Some(PathBuf::from(env!("CARGO_BIN_EXE_steward"))),
        fsync: false,
        linger: Duration::from_secs(10),
    })
    .await
    .unwrap_or_else(|error| panic!("{error}"));
    (lease.url.clone(), Some(lease))
}

fn server_folder() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_MANIFEST_DIR").hash(&mut hasher);
    std::env::temp_dir().join(format!("steward-test-{}-{:016x}", nix::unistd::geteuid(), hasher.finish()))
}

fn with_database(url: &str, name: &str) -> String {
    let mut url = url::Url::parse(url).unwrap();
    url.set_path(name);
    url.to_string()
}

/// The name of a database in which the migrations of this program have been applied.
async fn template(admin: &str) -> String {
    let mut hasher = DefaultHasher::new();
    for migration in MIGRATOR.iter() {
        (migration.version, &migration.checksum).hash(&mut hasher);
    }
    let name = format!("steward_template_{:016x}", hasher.finish());
    let mut connection = PgConnection::connect(admin).await.unwrap();
    let exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    if sqlx::query_scalar(exists).bind(&name).fetch_one(&mut connection).await.unwrap() {
        return name;
    }
    sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut connection).await.unwrap();
    if !sqlx::query_scalar::<_, bool>(exists).bind(&name).fetch_one(&mut connection).await.unwrap() {
        drop_leftovers(&mut connection).await;
        let building = format!("{name}_building");
        for statement in
            [format!("DROP DATABASE IF EXISTS {building} WITH (FORCE)"), format!("CREATE DATABASE {building}")]
        {
            connection.execute(AssertSqlSafe(statement)).await.unwrap();
        }
        let mut inside = PgConnection::connect(&with_database(admin, &building)).await.unwrap();
        MIGRATOR.run_direct(None, &mut inside, false).await.unwrap();
        inside.close().await.unwrap();
        // The name appears when the content is complete.
        let rename = format!("ALTER DATABASE {building} RENAME TO {name}");
        connection.execute(AssertSqlSafe(rename)).await.unwrap();
    }
    connection.close().await.unwrap();
    name
}

/// Databases of test processes that were killed, and templates of other migrations.
async fn drop_leftovers(connection: &mut PgConnection) {
    let unused = "SELECT datname FROM pg_database d WHERE (datname LIKE 't\\_%' OR datname LIKE 'steward\\_template\\_%') \
                  AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid) \
                  AND (pg_stat_file('base/' || d.oid || '/PG_VERSION')).modification < now() - interval '1 hour'";
    let names: Vec<String> = sqlx::query_scalar(unused).fetch_all(&mut *connection).await.unwrap_or_default();
    for name in names {
        let _ = connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS \"{name}\""))).await;
    }
}
