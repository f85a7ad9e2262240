//! Drift jobs end to end: files in, verdicts in the database, incidents, messages.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::database::TestDatabase;
use crate::support::steward::Site;

mod backtest;
mod columns;
mod messages;
mod profiles;
mod quality;
mod references;
mod segments;

/// A job named `watch` over daily files, run day by day.
struct Watch {
    database: TestDatabase,
    site: Site,
}

/// A check as it was stored.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
struct Stored {
    feature_name: String,
    segment: Option<String>,
    method: String,
    status: String,
    drift_score: Option<f64>,
    threshold: f64,
    reason: Option<String>,
    details: Value,
}

/// A run as it ended.
#[derive(Debug)]
struct Ran {
    outcome: String,
    summary: Value,
    checks: Vec<Stored>,
}

impl Ran {
    /// The check of a column by a method (any when empty), of all rows.
    #[track_caller]
    fn check(&self, column: &str, method: &str) -> &Stored {
        self.find(column, method, None)
    }

    #[track_caller]
    fn find(&self, column: &str, method: &str, segment: Option<&str>) -> &Stored {
        let is_it = |c: &&Stored| {
            c.feature_name == column && (method.is_empty() || c.method == method) && c.segment.as_deref() == segment
        };
        self.checks.iter().find(is_it).unwrap_or_else(|| panic!("no check {column} {method} {segment:?}: {self:#?}"))
    }
}

impl Watch {
    /// A watch whose job has these tables after its head; `{data}` in them is the folder of the files.
    async fn new(tables: &str) -> Self {
        let database = TestDatabase::new().await;
        let site = Site::new(&database.url, "");
        std::fs::create_dir(site.path().join("in")).unwrap();
        let watch = Self { database, site };
        watch.job(tables);
        watch
    }

    fn job(&self, tables: &str) {
        let head = "name = \"watch\"\nkind = \"drift\"\nschedule = \"0 6 * * *\"\ntimezone = \"UTC\"\n";
        let data = format!("file://{}", self.folder().display());
        self.site.job("watch", &format!("{head}{}", tables.replace("{data}", &data)));
        self.site.ok(&["jobs", "apply"]);
    }

    fn folder(&self) -> PathBuf {
        self.site.path().join("in")
    }

    /// Writes a file.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder().join(name);
        std::fs::write(&path, text).unwrap();
        format!("file://{}", path.display())
    }

    /// Writes the file of a day of January 2013.
    fn day(&self, day: u32, text: &str) {
        self.file(&format!("day=2013-01-{day:02}.csv"), text);
    }

    /// Runs the tick that judges a day of January 2013.
    async fn judge(&self, day: u32) -> Ran {
        let tick = format!("2013-01-{:02}", day + 1);
        let said = self.site.run(&["jobs", "run", "watch", "--at", &tick, "--here"]);
        let (id, state, outcome, summary): (uuid::Uuid, String, Option<String>, Option<Value>) =
            sqlx::query_as("SELECT id, state, outcome, summary FROM runs ORDER BY created_at DESC, id DESC LIMIT 1")
                .fetch_one(&self.database.pool)
                .await
                .unwrap_or_else(|error| panic!("{error}: {said:?}"));
        assert_eq!(state, "succeeded", "{said:?}");
        let checks = sqlx::query_as(
            "SELECT feature_name, segment, method, status, drift_score::float8, threshold::float8, reason, details
               FROM model_drift_detection WHERE run_id = $1 ORDER BY id",
        )
        .bind(id)
        .fetch_all(&self.database.pool)
        .await
        .unwrap();
        Ran { outcome: outcome.unwrap(), summary: summary.unwrap(), checks }
    }

    /// Kind, subject and title of the incidents that are not over, by subject.
    async fn incidents(&self) -> Vec<(String, String, String)> {
        sqlx::query_as("SELECT kind, subject, title FROM incidents WHERE resolved_at IS NULL ORDER BY subject, kind")
            .fetch_all(&self.database.pool)
            .await
            .unwrap()
    }
}

/// What a job reads each day.
const DAILY: &str = "[data]\ncurrent = { uri = \"{data}/day={window.start:%Y-%m-%d}.csv\", window = \"1 day\" }\n";

/// A day's file: `rows` rows with a number around `centre` and a city.
fn csv(rows: usize, centre: f64) -> String {
    let mut text = "value,city\n".to_owned();
    for row in 0..rows {
        let spread = (row * 37 % 101) as f64 / 10.0;
        writeln!(text, "{},{}", centre + spread, ["rome", "oslo", "lima"][row % 3]).unwrap();
    }
    text
}
