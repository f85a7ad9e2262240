//! The registry against a real database: registering, finding, promoting, and what it all leaves behind.

use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use steward::config::notify::NotifySettings;
use steward::config::registry::RegistrySettings;
use steward::config::smtp::{SmtpSettings, SmtpTransport};
use steward::db::audit::{self, Actor, ActorKind};
use steward::notify::Channels;
use steward::registry::{self, Error, ModelVersion, NewVersion, Policy, Promoted, Promotion, Registered, Setup, Stage};

use crate::support::database::TestDatabase;

mod approvals;
mod artefacts;
mod commands;
mod finding;
mod gates;
mod order;
mod promoting;
mod race;
mod registering;
mod tending;

/// A model that most tests are about.
const MODEL: &str = "flight_delay";

/// A database and the settings of a registry.
struct Desk {
    database: TestDatabase,
    settings: RegistrySettings,
    channels: Channels,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        #[derive(serde::Deserialize)]
        struct Shipped {
            notify: NotifySettings,
            smtp: SmtpSettings,
            registry: RegistrySettings,
        }
        let mut shipped: Shipped = toml::from_str(include_str!("../../config/default.toml")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        shipped.smtp.from = "Steward <steward@example.org>".to_owned();
        shipped.smtp.transport = SmtpTransport::File;
        shipped.smtp.directory = folder.path().display().to_string();
        let team = json!({ "kind": "email", "to": ["team@example.org"] });
        shipped.notify.channels.insert("team".into(), team.as_object().unwrap().clone().into_iter().collect());
        let channels = Channels::new(&shipped.notify, &shipped.smtp, folder.path()).unwrap();
        let settings = RegistrySettings { notify: vec!["team".into()], ..shipped.registry };
        Self { database: TestDatabase::new().await, settings, channels, _folder: folder }
    }

    fn setup(&self) -> Setup<'_> {
        Setup { settings: &self.settings, channels: &self.channels }
    }

    fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    async fn conn(&self) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
        self.pool().acquire().await.unwrap()
    }

    /// Registers in a transaction of its own.
    async fn try_register(&self, new: &NewVersion, actor: &Actor) -> Result<Registered, Error> {
        let mut tx = self.pool().begin().await.unwrap();
        let done = registry::register(&mut tx, self.setup(), new, actor).await?;
        tx.commit().await.unwrap();
        Ok(done)
    }

    /// A version of the model, registered by Ann.
    async fn register(&self, version: &str) -> ModelVersion {
        self.try_register(&new(version), &person("ann")).await.unwrap().version
    }

    /// Promotes in a transaction of its own.
    async fn try_promote(
        &self,
        version: &str,
        target: Stage,
        promotion: &Promotion,
        actor: &Actor,
    ) -> Result<Promoted, Error> {
        let mut tx = self.pool().begin().await.unwrap();
        let done = registry::promote(&mut tx, self.setup(), MODEL, version, target, promotion, actor).await?;
        tx.commit().await.unwrap();
        Ok(done)
    }

    /// Bob promotes, who may approve.
    async fn promote(&self, version: &str, target: Stage) -> Promoted {
        self.try_promote(version, target, &approving(), &person("bob")).await.unwrap()
    }

    async fn get(&self, version: &str) -> ModelVersion {
        registry::get(&mut *self.conn().await, MODEL, version).await.unwrap()
    }

    async fn set_policy(&self, policy: Value) {
        let policy = Policy::read(&policy).unwrap();
        let mut tx = self.pool().begin().await.unwrap();
        registry::policy::set(&mut tx, self.setup(), MODEL, &policy, None, &person("root")).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The audit trail, oldest first: action and subject.
    async fn trail(&self) -> Vec<(String, String)> {
        let filter = audit::Filter { limit: 100_000, ..audit::Filter::default() };
        let mut events = audit::list(self.pool(), &filter).await.unwrap();
        events.reverse();
        events.into_iter().map(|event| (event.action, event.subject)).collect()
    }

    /// The detail of the last event.
    async fn last_event(&self) -> (audit::EventRow, Value) {
        let filter = audit::Filter { limit: 1, ..audit::Filter::default() };
        let event = audit::list(self.pool(), &filter).await.unwrap().remove(0);
        let detail = serde_json::from_str(&event.detail).unwrap();
        (event, detail)
    }

    async fn log_metric(&self, version: &str, metric: &str, split: &str, value: Option<f64>) {
        sqlx::query(
            "INSERT INTO model_validation_metrics (model_name, model_version, metric_name, metric_value, metric_type, dataset_split)
             VALUES ($1, $2, $3, $4, 'classification', $5)",
        )
        .bind(MODEL)
        .bind(version)
        .bind(metric)
        .bind(value)
        .bind(split)
        .execute(self.pool())
        .await
        .unwrap();
    }
}

/// Somebody with a token.
fn person(name: &str) -> Actor {
    Actor { name: name.to_owned(), kind: ActorKind::Token, request_id: None }
}

fn new(version: &str) -> NewVersion {
    NewVersion {
        model_name: MODEL.to_owned(),
        version: version.to_owned(),
        description: Some("late or not".to_owned()),
        training_data_path: Some("data/train.parquet".to_owned()),
        hyperparameters: json!({ "learning_rate": 0.01, "n_estimators": 100 }),
        training_metadata: json!({ "dataset_size": 10_000 }),
        ..NewVersion::default()
    }
}

/// By somebody who may approve.
fn approving() -> Promotion {
    Promotion { may_approve: true, ..Promotion::default() }
}

/// The fields that a validation complains of.
fn pointers(error: &Error) -> Vec<&str> {
    match error {
        Error::Invalid(fields) => fields.iter().map(|field| field.pointer.as_str()).collect(),
        other => panic!("{other}"),
    }
}

/// How many rows a query counts.
async fn count(conn: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}
