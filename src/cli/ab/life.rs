//! `steward ab create|start|pause|resume|conclude|cancel|list|show|results`: the life of a test.
//!
//! Nobody is authenticated here: who acts (`--by`) stands in the trail as asserted. Each command is one transaction. A test is named by its
//! name or its id.

use clap::{Args, Subcommand};

use super::super::output::{self, Format};
use super::super::{Context, exit};
use super::outlook::Outlook;
use super::{create, serve, text};
use crate::app::App;
use crate::db::audit::Actor;
use crate::registry::ab_tests::{self, Error, TestRow};

/// The commands that need a database.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a test, as a draft.
    #[command(after_help = "Examples:
  steward ab create v2-vs-v1 --a flight_delay@1.0.0 --b flight_delay@2.0.0 --metric accuracy
  steward ab create v2-vs-v1 --a flight_delay@1.0.0 --b flight_delay@2.0.0 --metric mae --min-samples 1000 --split 0.2
  steward ab create v2-vs-v1 --a ranker@1.0.0 --b ranker@2.0.0 --metric conversion --guardrail latency_ms:lower:0.01 --min-duration 7d
  steward ab create v2-vs-v1 --a ranker@1.0.0 --b ranker@2.0.0 --metric conversion --hypothesis non_inferiority --margin 0.01")]
    Create(Box<create::Create>),
    /// Start a draft: its plan is frozen from here on.
    #[command(after_help = "Examples:\n  steward ab start v2-vs-v1 --by ada")]
    Start(Move),
    /// Pause a running test: nothing is evaluated, and every unit gets the control.
    #[command(after_help = "Examples:\n  steward ab pause v2-vs-v1 --reason \"logging is broken\"")]
    Pause(Move),
    /// Resume a paused test.
    Resume(Move),
    /// End a test with the decision that it has reached; people are told, nothing is promoted by it.
    #[command(after_help = "Examples:\n  steward ab conclude v2-vs-v1 --reason \"shipped on Monday\"")]
    Conclude(Move),
    /// Give a test up.
    #[command(after_help = "Examples:\n  steward ab cancel v2-vs-v1 --reason \"wrong split\"")]
    Cancel(Move),
    /// List tests, newest first.
    #[command(after_help = "Examples:\n  steward ab list --status running")]
    List(List),
    /// Show a test: plan, decision, progress.
    Show(Which),
    /// Show the looks at a test, oldest first.
    #[command(after_help = "Examples:\n  steward ab results v2-vs-v1 --output json")]
    Results(Which),
    /// Say which model serves units, and note that they were sent there.
    #[command(after_help = "Examples:
  steward ab assign v2-vs-v1 user-17 user-18
  cat users.txt | steward ab assign v2-vs-v1 --from - --output json
  steward ab assign v2-vs-v1 user-17 --dry-run")]
    Assign(serve::Assign),
    /// Post what was observed: rows to keep, or all results of both arms to look at now.
    #[command(after_help = "Examples:
  steward ab post v2-vs-v1 --rows rows.ndjson              keep rows, each once by its request_id
  steward ab post v2-vs-v1 --evaluate                      look at everything that was kept
  steward ab post v2-vs-v1 --a '{\"n\": 1000, \"successes\": 50}' --b '{\"n\": 1000, \"successes\": 70}'
  steward ab post v2-vs-v1 --a @a.json --b @b.json --final  the last look: it ends the test")]
    Post(Box<serve::Post>),
}

/// Who acts.
#[derive(Debug, Clone, Args)]
pub(super) struct By {
    /// Who does this, by your word [default: $USER].
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl By {
    pub(super) fn actor(&self) -> Actor {
        let name = self.by.clone().or_else(|| std::env::var("USER").ok()).filter(|name| !name.trim().is_empty());
        Actor::local(name.unwrap_or_else(|| "unknown".to_owned()))
    }
}

/// How to write it.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct How {
    /// How to write it.
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Format,
}

/// Arguments of commands that change a test.
#[derive(Debug, Args)]
pub(super) struct Move {
    /// The test: its name or its id.
    test: String,
    /// Why, for whoever asks later.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

/// A test.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The test: its name or its id.
    test: String,
    #[command(flatten)]
    how: How,
}

/// Arguments of `steward ab list`.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those: draft, running, paused, concluded or cancelled.
    #[arg(long)]
    status: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    #[command(flatten)]
    how: How,
}

/// Runs a command.
pub(super) async fn run(command: Command, context: &Context) -> anyhow::Result<u8> {
    let app = context.app().await?;
    let done = match command {
        Command::Create(args) => args.run(&app).await,
        Command::Start(args) => args.run(&app, "start").await,
        Command::Pause(args) => args.run(&app, "pause").await,
        Command::Resume(args) => args.run(&app, "resume").await,
        Command::Conclude(args) => args.run(&app, "conclude").await,
        Command::Cancel(args) => args.run(&app, "cancel").await,
        Command::List(args) => args.run(&app).await,
        Command::Show(args) => args.show(&app).await,
        Command::Results(args) => args.results(&app).await,
        Command::Assign(args) => args.run(&app).await,
        Command::Post(args) => args.run(&app).await,
    };
    app.close().await;
    done
}

/// The exit code of an error.
pub(super) fn failure(error: Error) -> anyhow::Error {
    match error {
        Error::Database(error) => error.into(),
        Error::Notify(error) => super::super::alerts::failure(error),
        error => exit::Failure::usage(error.to_string()).into(),
    }
}

pub(super) fn shown(test: &TestRow, how: How) -> anyhow::Result<u8> {
    match how.output {
        Format::Json => output::json(test)?,
        Format::Table => output::data(&text::test(test)),
    }
    Ok(exit::FINE)
}

impl Move {
    async fn run(self, app: &App, what: &str) -> anyhow::Result<u8> {
        let (setup, actor, reason) = (app.registry_setup(), self.by.actor(), self.reason.as_deref());
        let mut tx = app.database.pool.begin().await?;
        let id = ab_tests::find(&mut tx, &self.test).await.map_err(failure)?.id;
        let test = match what {
            "start" => ab_tests::start(&mut tx, id, &actor).await,
            "pause" => ab_tests::pause(&mut tx, id, reason, &actor).await,
            "resume" => ab_tests::resume(&mut tx, id, &actor).await,
            "conclude" => ab_tests::conclude(&mut tx, setup, id, reason, &actor).await,
            _ => ab_tests::cancel(&mut tx, setup, id, reason, &actor).await,
        };
        let test = test.map_err(failure)?;
        tx.commit().await?;
        shown(&test, self.how)
    }
}

impl List {
    async fn run(self, app: &App) -> anyhow::Result<u8> {
        let rows = ab_tests::list(&app.database.pool, self.status.as_deref(), None, i64::from(self.limit)).await;
        let rows = rows.map_err(failure)?;
        match self.how.output {
            Format::Json => output::json(&rows)?,
            Format::Table if rows.is_empty() => output::say("no A/B tests"),
            Format::Table => output::data(&text::tests(&rows)),
        }
        Ok(exit::FINE)
    }
}

impl Which {
    async fn show(self, app: &App) -> anyhow::Result<u8> {
        let mut conn = app.database.pool.acquire().await?;
        let test = ab_tests::find(&mut conn, &self.test).await.map_err(failure)?;
        drop(conn);
        let last = ab_tests::results(&app.database.pool, test.id, test.looks.saturating_sub(1), 1).await;
        let outlook = Outlook::of(&test, last.map_err(failure)?.last(), app.clock.now());
        match self.how.output {
            Format::Json => {
                let mut document = serde_json::to_value(&test)?;
                document["outlook"] = serde_json::to_value(&outlook)?;
                output::json(&document)?;
            }
            Format::Table => output::data(&text::test_and_outlook(&test, outlook.as_ref())),
        }
        Ok(exit::FINE)
    }

    async fn results(self, app: &App) -> anyhow::Result<u8> {
        let mut conn = app.database.pool.acquire().await?;
        let test = ab_tests::find(&mut conn, &self.test).await.map_err(failure)?;
        drop(conn);
        let rows = ab_tests::results(&app.database.pool, test.id, 0, i64::from(i32::MAX)).await.map_err(failure)?;
        match self.how.output {
            Format::Json => output::json(&rows)?,
            Format::Table if rows.is_empty() => output::say(&format!("nobody has looked at {} yet", test.test_name)),
            Format::Table => output::data(&text::results(&test, &rows)),
        }
        Ok(exit::FINE)
    }
}
