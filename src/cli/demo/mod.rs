//! `steward demo`: the whole main job on a year of real flights, then a table that a newcomer understands.
//!
//! Uses its own data directory and a database that is made anew each time, so that a second demo tells the same story as
//! the first and a real installation is never touched. What it prints comes from the rows that the runs wrote (`story`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeZone, Utc};
use serde_json::json;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::progress::Progress;
use super::{Context, exit, output};
use crate::app::{App, Roles};
use crate::clock::{SimulatedClock, SystemClock};
use crate::config::Settings;
use crate::config::smtp::SmtpTransport;
use crate::db::audit::Actor;
use crate::db::{self, overview};
use crate::jobs;
use crate::jobs::replay::{self, Finished, Stage};
use crate::registry::{self, NewVersion, Promotion};

mod receiver;
mod story;

/// Signs the demo's webhooks; its receiver lives in the same process and guards nothing.
const DEMO_SECRET: &str = "whsec_c3Rld2FyZC1kZW1vLXNlY3JldC0wMDAwMDA=";

/// Arguments of `steward demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Run it in the project's folder: it reads jobs/ and data/flights/.

Examples:
  steward demo
  steward demo --dir /tmp/steward-demo")]
pub struct Args {
    /// Where the demo's database, emails and webhook calls go [default: `demo` in the data directory].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Folder with the job files.
    #[arg(long, value_name = "DIR", default_value = "jobs")]
    jobs: PathBuf,
}

/// A replay's roles over the program that lives in simulated time.
pub(super) struct SimulatedStage {
    /// The program whose clock is simulated.
    pub simulated: App,
    /// The program in the present.
    pub present: PgPool,
}

impl Stage for SimulatedStage {
    fn start_worker(&self, queue: &str, tracker: &TaskTracker, stop: &CancellationToken) {
        self.simulated.spawn(Roles { worker: true, scheduler: false, dispatcher: false }, queue, tracker, stop);
    }

    async fn deliver(&self, queue: &str) -> u64 {
        match self.simulated.dispatcher(queue).drain().await {
            Ok(report) => report.sent,
            Err(error) => {
                tracing::warn!(%error, "messages could not be sent now; they stay in the outbox");
                0
            }
        }
    }

    fn pool(&self) -> &PgPool {
        &self.present
    }
}

/// Runs the demo.
///
/// # Errors
/// When it is not run in the project's folder, or the embedded database cannot be had.
pub async fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let started = Instant::now();
    if !Path::new("data/flights").is_dir() || !args.jobs.is_dir() {
        return Err(exit::Failure::usage(
            "the demo reads data/flights and jobs/: run it in the project's folder (where Cargo.toml is)",
        )
        .into());
    }
    let dir = args.dir.clone().unwrap_or_else(|| context.settings.settings.data_dir.join("demo"));
    let (mail, webhooks) = (dir.join("mail"), dir.join("webhooks"));
    output::say(
        "Steward demo: a year of flights from New York, two models that predict delays, nine months of monitoring.\n",
    );

    output::say(&format!("1. Starting a private PostgreSQL in {} ...", dir.display()));
    let settings = Settings { data_dir: dir.clone(), ..context.settings.settings.clone() };
    db::recreate_embedded(&settings.database, &dir).await?;
    for folder in [&mail, &webhooks] {
        if folder.is_dir() {
            std::fs::remove_dir_all(folder)?;
        }
    }
    let receiver = receiver::Receiver::start(webhooks.clone()).await?;
    let settings = demo_settings(settings, &receiver.url, &mail);
    let present = App::start(settings.clone(), Arc::new(SystemClock)).await?;

    output::say("2. Registering the models and applying the job files ...");
    register_models(&present).await?;
    let (pool, actor) = (&present.database.pool, super::local_actor());
    jobs::store::apply_dir(pool, &present.clock, &present.settings, &args.jobs, &actor).await?;
    let all = jobs::store::active(&present.database.pool).await?;

    let (from, to) = range();
    let planned = replay::plan(&all, from, to)?;
    output::say(&format!(
        "3. Replaying the schedules of {} jobs, April to December 2013: {} runs through the queue ...",
        all.len(),
        planned.len()
    ));
    let clock = SimulatedClock::at(from);
    let simulated = App::start(settings, clock.clone()).await?;
    let stage = SimulatedStage { simulated: simulated.clone(), present: present.database.pool.clone() };
    let mut progress = Progress::new(planned.len());
    let report =
        replay::perform(&stage, &all, &planned, Some(&clock), |finished| progress.step(&line(finished))).await?;
    progress.finish();

    let calls = receiver.calls();
    let story = story::Story {
        drift: overview::drift_points(&present.database.pool, from - chrono::Duration::days(40), to).await?,
        metrics: overview::metric_points(&present.database.pool, from - chrono::Duration::days(40), to).await?,
        looks: overview::look_points(&present.database.pool).await?,
        incidents: overview::incident_lines(&present.database.pool).await?,
    };
    output::data(&story.render());
    output::data(&what_next(&dir, &mail, &webhooks, calls, &report, started.elapsed().as_secs_f64()));
    simulated.close().await;
    present.close().await;
    let failed = report.finished.iter().filter(|f| f.state != "succeeded").count();
    Ok(if failed == 0 { exit::FINE } else { exit::UNREACHABLE })
}

/// Ticks on the first of May 2013 to the first of January 2014: they judge April to December.
fn range() -> (DateTime<Utc>, DateTime<Utc>) {
    let at = |y, m, d| Utc.with_ymd_and_hms(y, m, d, 0, 0, 0).single().unwrap_or_default();
    (at(2013, 5, 1), at(2014, 1, 2))
}

/// The demo's messages stay on this machine: emails as files, webhooks to its own receiver.
fn demo_settings(mut settings: Settings, url: &str, mail: &Path) -> Settings {
    settings.database.url = crate::config::secret::Secret::default();
    settings.smtp.transport = SmtpTransport::File;
    settings.smtp.directory = mail.display().to_string();
    settings.notify.allow_private_targets.push("127.0.0.1".to_owned());
    for channel in settings.notify.channels.values_mut().filter(|c| c.get("kind") == Some(&json!("webhook"))) {
        channel.set("transport", json!("http"));
        channel.set("url", json!(url));
        channel.set("secret", json!(DEMO_SECRET));
    }
    settings
}

async fn register_models(app: &App) -> anyhow::Result<()> {
    let models = [
        (
            "flight_delay",
            "1.0.0",
            registry::Stage::Production,
            "Arrives more than 15 minutes late? Logistic regression on the schedule.",
            json!(["hour", "distance", "carrier", "origin"]),
        ),
        (
            "flight_delay",
            "2.0.0",
            registry::Stage::Staging,
            "The same on schedule and weather, trained in winter.",
            json!([
                "hour",
                "distance",
                "carrier",
                "origin",
                "temp",
                "humid",
                "wind_speed",
                "precip",
                "pressure",
                "visib"
            ]),
        ),
        (
            "arrival_delay",
            "1.0.0",
            registry::Stage::Production,
            "Minutes of delay at arrival: linear regression on schedule and weather.",
            json!([
                "hour",
                "distance",
                "carrier",
                "origin",
                "temp",
                "humid",
                "wind_speed",
                "precip",
                "pressure",
                "visib"
            ]),
        ),
    ];
    let (data_scientist, setup) = (Actor::local("demo"), app.registry_setup());
    for (name, version, stage, description, features) in models {
        let mut tx = app.database.pool.begin().await?;
        let new = NewVersion {
            model_name: name.to_owned(),
            version: version.to_owned(),
            description: Some(description.to_owned()),
            training_data_path: Some("data/flights/month=2013-0[1-3].parquet".to_owned()),
            training_metadata: json!({ "trained_on": "January to March 2013", "features": features }),
            ..NewVersion::default()
        };
        registry::register(&mut tx, setup, &new, &data_scientist).await?;
        let promotion = Promotion {
            may_approve: true,
            approved_by: Some("demo-reviewer".to_owned()),
            reason: Some("the demo begins with it".to_owned()),
            ..Promotion::default()
        };
        registry::promote(&mut tx, setup, name, version, stage, &promotion, &data_scientist).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// One run in the progress.
pub(super) fn line(finished: &Finished) -> String {
    let what = match (&finished.outcome, &finished.error) {
        (Some(outcome), _) => outcome.clone(),
        (None, Some(error)) => format!("{}: {error}", finished.state),
        (None, None) => finished.state.clone(),
    };
    format!("{}  {:<28} {what}", finished.tick.format("%Y-%m-%d %H:%M"), finished.job_name)
}

fn what_next(dir: &Path, mail: &Path, webhooks: &Path, calls: usize, report: &replay::Report, seconds: f64) -> String {
    let mails = std::fs::read_dir(mail).map_or(0, Iterator::count);
    let undelivered = match report.handed_over {
        0 => String::new(),
        n => format!("\n{n} messages are still in the outbox; `steward serve` goes on sending them."),
    };
    let dir = dir.display();
    // Whoever built it has no `steward` on the path.
    let alias =
        std::env::current_exe().map_or_else(|_| String::new(), |exe| format!("  alias steward={}\n", exe.display()));
    format!(
        "{runs} runs in {seconds:.1} s. {mails} emails lie in {mail}, {calls} webhook calls in {webhooks}.{undelivered}

What next (the demo's database stays where it is):
{alias}  export STEWARD__DATA_DIR={dir}
  steward alerts list                     incidents; `alerts show ID` has the evidence
  steward runs list --limit 10            runs; `runs show ID` has every check
  steward jobs list                       the jobs and their next ticks
  steward models history flight_delay     which version was where, since when, on whose approval
  steward audit verify                    whether the record of all that is whole
  steward serve                           the same jobs by cron, and the REST API at http://127.0.0.1:8080/reference
  less jobs/flights-feature-drift.toml    a job file",
        runs = report.finished.len(),
        mail = mail.display(),
        webhooks = webhooks.display(),
    )
}
