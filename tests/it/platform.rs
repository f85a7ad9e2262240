//! The private PostgreSQL with real processes that are really killed, and the words said when no database can be had.

use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use sqlx::{Connection, Executor, PgConnection};
use steward::clock::{SharedClock, SimulatedClock, SystemClock};
use steward::config::{self, database::DatabaseSettings, secret::Secret};
use steward::db::{self, embedded::EmbeddedOptions, embedded::acquire};

use crate::support::database::{TestDatabase, server};

const FOLDER: &str = "STEWARD_TEST_HOLD";
const SUPERVISOR: &str = "STEWARD_TEST_SUPERVISOR";

fn steward() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_steward"))
}

fn options(data_dir: &Path, supervisor: Option<PathBuf>) -> EmbeddedOptions {
    EmbeddedOptions {
        data_dir: data_dir.to_path_buf(),
        bin_dir: None,
        database: "steward".to_owned(),
        supervisor,
        fsync: false,
        linger: Duration::ZERO,
    }
}

/// A folder that the server's user may enter.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("steward-it-").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Another process that holds the server: this very program, running the helper "test" below.
struct Holder {
    child: Child,
    // Kept open: libtest prints its summary there at the end.
    _output: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Holder {
    fn start(data_dir: &Path) -> Self {
        Self::of(Command::new(std::env::current_exe().unwrap()), data_dir, &steward())
            .unwrap_or_else(|said| panic!("{said}"))
    }

    /// The error is what it said instead of a URL.
    fn of(mut command: Command, data_dir: &Path, supervisor: &Path) -> Result<Self, String> {
        let mut child = command
            .args(["--exact", "platform::helper_that_holds_the_server", "--ignored", "--nocapture"])
            .env(FOLDER, data_dir)
            .env(SUPERVISOR, supervisor)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // libtest prints the test's name without a line end first.
        let url = lines.by_ref().map_while(Result::ok).find_map(|line| Some(line.split_once("HOLDS ")?.1.to_owned()));
        match url {
            Some(url) => Ok(Self { child, _output: lines, url }),
            None => {
                let output = child.wait_with_output().unwrap();
                Err(String::from_utf8_lossy(&output.stderr).into_owned())
            }
        }
    }

    fn leave(mut self) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
#[ignore = "a helper process of the tests here"]
async fn helper_that_holds_the_server() {
    let Some(data_dir) = std::env::var_os(FOLDER) else { return };
    let supervisor = std::env::var_os(SUPERVISOR).filter(|path| !path.is_empty()).map(PathBuf::from);
    let lease = acquire(&options(Path::new(&data_dir), supervisor)).await.unwrap_or_else(|error| panic!("{error}"));
    println!("HOLDS {}", lease.url);
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

fn server_pid(data_dir: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(data_dir.join("postgres/postmaster.pid")).ok()?;
    text.lines().next()?.parse().ok().map(Pid::from_raw)
}

/// State and parent of a process, from the kernel.
fn status(pid: Pid) -> Option<(String, Pid)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), Pid::from_raw(fields.next()?.parse().ok()?)))
}

fn runs(pid: Pid) -> bool {
    status(pid).is_some_and(|(state, _)| state != "Z")
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

async fn count(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute("CREATE TABLE IF NOT EXISTS kept (n int); INSERT INTO kept VALUES (1)").await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(&mut connection).await.unwrap()
}

/// One cluster through its whole life, because making it takes seconds.
#[tokio::test(flavor = "multi_thread")]
async fn the_private_server_lives_as_long_as_its_holders_and_survives_kills() {
    let home = folder();
    let data_dir = home.path().join("data");

    // Two processes that start at once share one server.
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| Holder::start(&data_dir));
        let second = scope.spawn(|| Holder::start(&data_dir));
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_eq!(first.url, second.url);
    assert_eq!(count(&first.url).await, 1);
    let server = server_pid(&data_dir).unwrap();
    assert_eq!(std::fs::metadata(data_dir.join("postgres.password")).unwrap().permissions().mode() & 0o777, 0o600);

    // One leaves: it stays. It is a real stop when the last one leaves.
    first.leave();
    assert_eq!(count(&second.url).await, 2);
    assert_eq!(server_pid(&data_dir), Some(server));
    second.leave();
    eventually("the server stops with its last holder", || !runs(server) && server_pid(&data_dir).is_none());

    // The last holder is killed: the server stops too, and the next process finds its data.
    let third = Holder::start(&data_dir);
    let server = server_pid(&data_dir).unwrap();
    third.kill();
    eventually("the server stops when its last holder is killed", || !runs(server));

    // The server is killed under its holder: it is started again.
    let lease = acquire(&options(&data_dir, Some(steward()))).await.unwrap();
    assert_eq!(count(&lease.url).await, 3);
    let server = server_pid(&data_dir).unwrap();
    kill(server, Signal::SIGKILL).unwrap();
    eventually("a killed server comes back", || server_pid(&data_dir).is_some_and(|pid| pid != server && runs(pid)));
    let since = Instant::now();
    while PgConnection::connect(&lease.url).await.is_err() {
        assert!(since.elapsed() < Duration::from_secs(60), "a server that came back must accept connections");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(count(&lease.url).await, 4);

    // Its supervisor is killed: the next process adopts the server, and it ends with the last holder again.
    let server = server_pid(&data_dir).unwrap();
    kill(status(server).unwrap().1, Signal::SIGKILL).unwrap();
    let other = Holder::start(&data_dir);
    assert_eq!(server_pid(&data_dir), Some(server));
    drop(lease);
    assert_eq!(count(&other.url).await, 5);
    other.leave();
    eventually("an adopted server stops with its last holder", || !runs(server));

    // Everything is killed, nothing cleaned up: the next start recovers.
    let last = Holder::start(&data_dir);
    assert_eq!(count(&last.url).await, 6);
    let server = server_pid(&data_dir).unwrap();
    kill(status(server).unwrap().1, Signal::SIGKILL).unwrap();
    kill(server, Signal::SIGKILL).unwrap();
    last.kill();
    eventually("the kill has happened", || !runs(server));
    assert!(server_pid(&data_dir).is_some(), "a stale record is what this is about");
    let after = Holder::start(&data_dir);
    assert_eq!(count(&after.url).await, 7);
    after.leave();

    // Somebody else's process has got the number in the stale record.
    eventually("the server has stopped", || server_pid(&data_dir).is_none());
    let record = data_dir.join("postgres/postmaster.pid");
    let mine = std::process::id();
    std::fs::write(&record, format!("{mine}\n{}\n0\n5432\n/nowhere\n\n0 0\nready\n", data_dir.display())).unwrap();
    let after = Holder::start(&data_dir);
    assert_eq!(count(&after.url).await, 8);
    after.leave();
    eventually("the server has stopped", || server_pid(&data_dir).is_none());

    // Without a supervisor the last lease stops the server itself.
    let lease = acquire(&options(&data_dir, None)).await.unwrap();
    let another = acquire(&options(&data_dir, None)).await.unwrap();
    let server = server_pid(&data_dir).unwrap();
    drop(lease);
    assert_eq!(count(&another.url).await, 9);
    drop(another);
    assert!(!runs(server));

    // A lost password is said, not worked around.
    std::fs::remove_file(data_dir.join("postgres.password")).unwrap();
    let error = acquire(&options(&data_dir, None)).await.unwrap_err().to_string();
    assert!(error.contains("postgres.password is missing"), "{error}");
}

/// As the other kind of user than the one that runs the tests: root tests an ordinary user here, and root's own server
/// runs as `postgres` in the test above.
#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_user_has_a_private_server_too() {
    if !geteuid().is_root() {
        println!("skipped: the tests run as an ordinary user, so the test above is this one");
        return;
    }
    let user = User::from_name("nobody").unwrap().expect("a user nobody");
    let home = folder();
    // The build may lie where this user cannot go.
    let program = home.path().join("test");
    let supervisor = home.path().join("steward");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::copy(steward(), &supervisor).unwrap();
    let as_user = || {
        let mut command = Command::new(&program);
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw()).current_dir("/");
        command
    };

    // A data directory that is not theirs.
    let foreign = home.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    let said = Holder::of(as_user(), &foreign, &supervisor).err().expect("must not start");
    assert!(said.contains("run Steward as the user that owns it"), "{said}");

    // So long a path that a socket does not fit.
    let data_dir = home.path().join("theirs").join("x".repeat(60)).join("y".repeat(60));
    std::fs::create_dir(home.path().join("theirs")).unwrap();
    chown(home.path().join("theirs"), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    let holder = Holder::of(as_user(), &data_dir, &supervisor).unwrap_or_else(|said| panic!("{said}"));
    assert_eq!(count(&holder.url).await, 1);
    assert!(holder.url.contains("%2Ftmp%2Fsteward-65534-"), "{}", holder.url);
    let server = server_pid(&data_dir).unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(format!("/proc/{server}")).unwrap());
    assert_eq!(owner, user.uid.as_raw());
    let at = holder.url.find("%2Ftmp%2F").unwrap();
    let socket_folder = PathBuf::from(holder.url[at..].split('&').next().unwrap().replace("%2F", "/"));
    assert!(socket_folder.is_dir());
    holder.leave();
    eventually("the server stops", || !runs(server));
    eventually("nothing is left under /tmp", || !socket_folder.exists());
}

#[tokio::test]
async fn root_is_told_when_the_servers_user_cannot_enter() {
    if !geteuid().is_root() {
        println!("skipped: only root runs the server as another user");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let error = acquire(&options(&home.path().join("data"), None)).await.unwrap_err().to_string();
    assert!(error.contains("never runs as root") && error.contains("--data-dir"), "{error}");
}

fn settings(url: &str) -> DatabaseSettings {
    let mut settings = config::Settings::defaults().database;
    settings.url = Secret::new(url);
    settings.connect_timeout_seconds = 5;
    settings
}

async fn refusal(url: &str) -> db::Error {
    let clock: SharedClock = Arc::new(SystemClock);
    db::connect(&settings(url), Path::new("/nowhere"), &clock).await.unwrap_err()
}

#[tokio::test]
async fn an_unreachable_database_is_named_without_its_password() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refusal(&format!("postgres://ada:hunter2@127.0.0.1:{free}/steward")).await;
    let message = error.to_string().replace(&free.to_string(), "PORT");
    insta::assert_snapshot!(message, @"cannot reach PostgreSQL at 127.0.0.1:PORT: Connection refused (os error 111); check that it runs and that database.url (DATABASE_URL) is right, or leave that empty to use a private server");
    assert_eq!(error.exit_code(), 4);

    let error = refusal("postgres://ada:hunter2@127.0.0.1:port/steward").await;
    assert_eq!(error.exit_code(), 3);
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_server_that_answers_but_refuses_is_told_apart() {
    let (admin, _server) = server().await;
    let mut url = url::Url::parse(&admin).unwrap();
    url.set_path("no_such_database");
    let error = refusal(url.as_str()).await;
    assert!(matches!(&error, db::Error::NoDatabase { database, .. } if database == "no_such_database"), "{error}");

    url.set_path("postgres");
    url.set_username("no_such_user").unwrap();
    let error = refusal(url.as_str()).await;
    assert!(matches!(&error, db::Error::Refused { user, .. } if user == "no_such_user"), "{error}");
}

#[tokio::test]
async fn a_database_of_a_newer_steward_is_refused() {
    let database = TestDatabase::new().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (29990101000000, 'from the future', true, '\\x00', 0)";
    database.pool.execute(newer).await.unwrap();
    let error = refusal(&database.url).await;
    assert!(matches!(error, db::Error::Newer { found: 29990101000000, .. }), "{error}");
}

#[tokio::test]
async fn a_simulated_clock_is_the_time_in_sql_too() {
    let database = TestDatabase::new().await;
    let at = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc();
    let simulated = SimulatedClock::at(at("2013-07-01T06:15:00Z"));
    let clock: SharedClock = simulated.clone();
    let connected = db::connect(&settings(&database.url), Path::new("/nowhere"), &clock).await.unwrap();
    for pool in [&connected.pool, &connected.heartbeat] {
        for wanted in ["2013-07-01T06:15:00.000001Z", "2013-08-01T06:15:00Z", "2013-06-01T00:00:00Z"] {
            simulated.set(at(wanted));
            let told: chrono::DateTime<chrono::Utc> =
                sqlx::query_scalar("SELECT steward_now()").fetch_one(pool).await.unwrap();
            assert_eq!(told, at(wanted));
        }
    }
    connected.close().await;
}

#[tokio::test]
async fn services_go_on_after_all_connections_were_cut() {
    let database = TestDatabase::new().await;
    let clock: SharedClock = Arc::new(SystemClock);
    let connected = db::connect(&settings(&database.url), Path::new("/nowhere"), &clock).await.unwrap();
    sqlx::query("SELECT 1").execute(&connected.pool).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.pool.execute(cut).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    sqlx::query("SELECT 1").execute(&connected.pool).await.expect("a stale connection is replaced");
    connected.close().await;
}

#[tokio::test]
async fn a_statement_ends_at_its_limit() {
    let database = TestDatabase::new().await;
    let mut settings = settings(&database.url);
    settings.statement_timeout_seconds = 1;
    let clock: SharedClock = Arc::new(SystemClock);
    let connected = db::connect(&settings, Path::new("/nowhere"), &clock).await.unwrap();
    let error = sqlx::query("SELECT pg_sleep(30)").execute(&connected.pool).await.unwrap_err();
    assert_eq!(error.as_database_error().and_then(|error| error.code()).as_deref(), Some("57014"));
    connected.close().await;
}
