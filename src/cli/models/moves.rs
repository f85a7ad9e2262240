//! `steward models promote|demote|archive|rollback|check|approve`: moving between stages.

use clap::Args;

use super::super::exit;
use super::super::output::{self, Format};
use super::{By, How, Which, failure, refused, text};
use crate::app::App;
use crate::db::audit::Actor;
use crate::registry::ready::{self, Hashing, Readiness};
use crate::registry::{self, Error, ModelVersion, Promoted, Promotion, Stage};

/// Where a promotion may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Up {
    /// Before production.
    Staging,
    /// In use.
    Production,
}

/// Where a demotion may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Down {
    /// Being worked on.
    Development,
    /// Before production.
    Staging,
}

impl From<Up> for Stage {
    fn from(up: Up) -> Self {
        match up {
            Up::Staging => Self::Staging,
            Up::Production => Self::Production,
        }
    }
}

/// How a move up is asked for.
#[derive(Debug, Clone, Args)]
struct Asking {
    /// Who approves, by your word [default: whoever does this].
    #[arg(long, value_name = "NAME")]
    approved_by: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Pass over the policy, for this reason: it is told at once.
    #[arg(long, value_name = "REASON")]
    break_glass: Option<String>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

impl Asking {
    fn promotion(&self) -> Promotion {
        Promotion {
            reason: self.reason.clone(),
            break_glass: self.break_glass.clone(),
            may_approve: true,
            approved_by: self.approved_by.clone(),
            ..Promotion::default()
        }
    }
}

/// Arguments of `steward models promote`.
#[derive(Debug, Args)]
pub(super) struct Promote {
    #[command(flatten)]
    which: Which,
    /// Where to.
    #[arg(long, value_enum)]
    to: Up,
    /// Only if the version is at this revision.
    #[arg(long, value_name = "NUMBER")]
    if_revision: Option<i64>,
    #[command(flatten)]
    asking: Asking,
}

impl Promote {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let (actor, target) = (self.asking.by.actor(), Stage::from(self.to));
        let mut promotion = Promotion { if_revision: self.if_revision, ..self.asking.promotion() };
        let mut conn = app.database.pool.acquire().await?;
        let version = registry::get(&mut conn, &self.which.name, &self.which.version).await.map_err(failure)?;
        drop(conn);
        let hashed = hashed(app, &version, target, &promotion, self.if_revision, &actor).await?;
        // What the look wrote is no change that anybody could have read.
        promotion.if_revision = self.if_revision.map(|_| hashed.revision);
        transfer(app, &self.which, target, &promotion, &actor, self.asking.how).await
    }
}

/// The bytes get a look before any lock is taken, however long that takes. Answers the version as it is then.
async fn hashed(
    app: &App,
    version: &ModelVersion,
    target: Stage,
    promotion: &Promotion,
    if_revision: Option<i64>,
    actor: &Actor,
) -> anyhow::Result<ModelVersion> {
    let (pool, storage, setup) = (&app.database.pool, &app.storage, app.registry_setup());
    let mut conn = pool.acquire().await?;
    let asked = ready::asked(&mut conn, setup, version, target, promotion).await.map_err(failure)?;
    drop(conn);
    let hashing = Hashing { pool, storage, setup, most: None };
    match ready::hash(hashing, asked, version, if_revision, actor).await.map_err(failure)? {
        Readiness::Ready(version) => Ok(*version),
        Readiness::TooLarge(_) => Ok(version.clone()),
    }
}

async fn transfer(
    app: &App,
    which: &Which,
    target: Stage,
    promotion: &Promotion,
    actor: &Actor,
    how: How,
) -> anyhow::Result<u8> {
    let mut tx = app.database.pool.begin().await?;
    let done =
        registry::promote(&mut tx, app.registry_setup(), &which.name, &which.version, target, promotion, actor).await;
    match done {
        Ok(done) => {
            tx.commit().await?;
            tell(&done, how)
        }
        Err(error) => {
            tx.rollback().await?;
            refusal(app, error, actor, how).await
        }
    }
}

/// Says what a refused promotion lacks, then ends with its exit code.
async fn refusal(app: &App, error: Error, actor: &Actor, how: How) -> anyhow::Result<u8> {
    if let Error::GatesFailed(check) | Error::ApprovalRequired(check) = &error {
        match how.output {
            Format::Json => output::json(check)?,
            Format::Table => {
                let mut lines = text::gates(&check.gates);
                lines.extend(text::approvals(&check.approvals));
                output::data(&lines.join("\n"));
            }
        }
    }
    Err(refused(app, error, actor).await)
}

fn tell(done: &Promoted, how: How) -> anyhow::Result<u8> {
    if how.output == Format::Json {
        output::json(done)?;
        return Ok(exit::FINE);
    }
    let version = &done.version;
    let back = if done.rollback { " (rolled back)" } else { "" };
    let mut lines = vec![format!("{} {}: {} -> {}{back}", version.model_name, version.version, done.from, done.to)];
    if let Some(demoted) = &done.demoted {
        lines.push(format!("{} {}: production -> archived", demoted.model_name, demoted.version));
    }
    lines.extend(text::gates(&done.gates));
    if done.approvals.needed > 0 || !done.approvals.approvers.is_empty() {
        lines.extend(text::approvals(&done.approvals));
    }
    if done.break_glass {
        lines.push("the policy was passed over: an incident is open and the registry's channels are told".to_owned());
    }
    lines.push(format!("audit event {}", done.sequence));
    output::data(&lines.join("\n"));
    Ok(exit::FINE)
}

/// Arguments of `steward models demote`.
#[derive(Debug, Args)]
pub(super) struct Demote {
    #[command(flatten)]
    which: Which,
    /// Where to.
    #[arg(long, value_enum)]
    to: Down,
    #[command(flatten)]
    down: GoingDown,
}

/// How a move down is asked for.
#[derive(Debug, Clone, Args)]
struct GoingDown {
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

impl GoingDown {
    async fn run(self, app: &App, which: &Which, target: Stage) -> anyhow::Result<u8> {
        let promotion = Promotion { reason: self.reason, ..Promotion::default() };
        transfer(app, which, target, &promotion, &self.by.actor(), self.how).await
    }
}

impl Demote {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let target = if self.to == Down::Staging { Stage::Staging } else { Stage::Development };
        self.down.run(app, &self.which, target).await
    }
}

/// Arguments of `steward models archive`.
#[derive(Debug, Args)]
pub(super) struct Archive {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    down: GoingDown,
}

impl Archive {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        self.down.run(app, &self.which, Stage::Archived).await
    }
}

/// Arguments of `steward models rollback`.
#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// The model.
    name: String,
    /// Only if this version is in production: asked for twice, it is done once.
    #[arg(long, value_name = "VERSION")]
    from: Option<String>,
    /// Only if the version in production is at this revision.
    #[arg(long, value_name = "NUMBER")]
    if_revision: Option<i64>,
    #[command(flatten)]
    asking: Asking,
}

impl Rollback {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let actor = self.asking.by.actor();
        let mut promotion =
            Promotion { if_revision: self.if_revision, from_version: self.from, ..self.asking.promotion() };
        let mut conn = app.database.pool.acquire().await?;
        let target = registry::rollback_target(&mut conn, &self.name, &promotion).await.map_err(failure)?;
        drop(conn);
        let hashed = hashed(app, &target, Stage::Production, &promotion, None, &actor).await?;
        promotion.prepared = Some(hashed.id);
        let mut tx = app.database.pool.begin().await?;
        match registry::rollback(&mut tx, app.registry_setup(), &self.name, &promotion, &actor).await {
            Ok(done) => {
                tx.commit().await?;
                tell(&done, self.asking.how)
            }
            Err(error) => {
                tx.rollback().await?;
                refusal(app, error, &actor, self.asking.how).await
            }
        }
    }
}

/// Arguments of `steward models check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    which: Which,
    /// Where to.
    #[arg(long, value_enum)]
    to: Up,
    /// Count the approval of this one, as the promotion would [default: whoever does this].
    #[arg(long, value_name = "NAME")]
    approved_by: Option<String>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

impl Check {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let mut conn = app.database.pool.acquire().await?;
        // As `promote` asks: the same arguments have to find the same.
        let promotion = Promotion { may_approve: true, approved_by: self.approved_by.clone(), ..Promotion::default() };
        let (name, version) = (&self.which.name, &self.which.version);
        let (setup, actor) = (app.registry_setup(), self.by.actor());
        let check = registry::promotion_check(&mut conn, setup, name, version, self.to.into(), &promotion, &actor)
            .await
            .map_err(failure)?;
        if self.how.output == Format::Json {
            output::json(&check)?;
        } else {
            let mut lines = vec![format!("{name} {version}: {} -> {}", check.from, check.to)];
            lines.extend(text::gates(&check.gates));
            lines.extend(text::approvals(&check.approvals));
            if let Some(demotes) = &check.demotes {
                lines.push(format!("{name} {demotes} would be archived"));
            }
            lines.push(if check.allowed { "allowed" } else { "not allowed" }.to_owned());
            output::data(&lines.join("\n"));
        }
        Ok(if check.allowed { exit::FINE } else { exit::FOUND })
    }
}

/// Arguments of `steward models approve`.
#[derive(Debug, Args)]
pub(super) struct Approve {
    #[command(flatten)]
    which: Which,
    /// For which stage.
    #[arg(long = "for", value_enum, value_name = "STAGE")]
    stage: Up,
    /// What was looked at.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Withdraw the approval instead.
    #[arg(long)]
    withdraw: bool,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    how: How,
}

impl Approve {
    pub(super) async fn run(self, app: &App) -> anyhow::Result<u8> {
        let (name, version, stage) = (&self.which.name, &self.which.version, Stage::from(self.stage));
        let actor = self.by.actor();
        let mut tx = app.database.pool.begin().await?;
        if self.withdraw {
            registry::withdraw(&mut tx, name, version, stage, &actor).await.map_err(failure)?;
            tx.commit().await?;
            output::say(&format!("{} no longer approves {name} {version} for {stage}", actor.name));
            return Ok(exit::FINE);
        }
        let (setup, comment) = (app.registry_setup(), self.comment.as_deref());
        let approval = match registry::approve(&mut tx, setup, name, version, stage, comment, &actor).await {
            Ok(approval) => approval,
            Err(error) => {
                tx.rollback().await?;
                return Err(refused(app, error, &actor).await);
            }
        };
        tx.commit().await?;
        match self.how.output {
            Format::Json => output::json(&approval)?,
            Format::Table => {
                let metrics = approval.row.metrics.as_array().map_or(0, Vec::len);
                output::data(&format!(
                    "{} approved {name} {version} for {stage}, with {} and {metrics} metric{}",
                    actor.name,
                    approval.row.artefact_digest.as_deref().unwrap_or("no known digest"),
                    if metrics == 1 { "" } else { "s" },
                ));
            }
        }
        Ok(exit::FINE)
    }
}
