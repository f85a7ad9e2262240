//! The registry of model versions: what there is, in which stage, who put it there, and what allowed it.
//!
//! Every function that changes something takes the caller's transaction, takes the model's lock first, writes the history
//! and then its event of the audit trail. What holds: exactly one version of a model is in production, whoever races;
//! what was registered never changes; every period of every version is in the history without a gap; a version number is
//! never used twice. The caller's transaction is READ COMMITTED (PostgreSQL's default): what is read behind the lock must
//! be what the holder before has written.
//!
//! Uses `db`, `notify` and the judgements; knows nothing of HTTP, of the command line, or of jobs. Who may call is
//! decided by the caller (`access`); who may approve, and what a promotion needs, is decided here.

pub mod ab_tests;
mod aliases;
mod approvals;
pub mod artefact;
mod cards;
mod change;
mod check;
mod error;
mod fields;
pub mod gates;
mod history;
mod lookup;
pub mod policy;
mod profiles;
mod promote;
mod read;
pub mod ready;
mod register;
mod rollback;
mod stage;
mod told;
pub mod validation;
pub mod version;

pub use crate::db::model_approvals::{ApprovalRow, PolicyRow};
pub use crate::db::model_history::HistoryRow;
pub use crate::db::model_names::{AliasRow, CardRow};
pub use crate::db::model_profiles::{ProfileEdition, ProfileRow};
pub use crate::db::models::ModelVersion;
pub use aliases::{alias_list, remove_alias, resolve_alias, set_alias};
pub use approvals::{Approval, ApprovalState, Stale, approvals, approve, withdraw};
pub use cards::{add_card, card, card_editions};
pub use change::{Patch, change, delete};
pub use check::{PromotionCheck, promotion_check};
pub use error::{Denial, Error, FieldError, record_denial};
pub use gates::GateAnswer;
pub use history::{history, in_production_at};
pub use lookup::{Wanted, resolve};
pub use policy::{Policy, PolicyInForce};
pub use profiles::{Added, add_profile, profile, profile_editions};
pub use promote::{Promoted, Promotion, Unhashed, promote};
pub use read::{Cursor, ListFilter, Order, get, latest, list};
pub use register::{AutoRegistered, NewVersion, Registered, auto_register, register};
pub use rollback::{rollback, rollback_target};
pub use stage::Stage;

use crate::config::registry::RegistrySettings;
use crate::notify::Channels;

/// What the registry's decisions are made with.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// The policy of models that have none, and whom the registry tells.
    pub settings: &'a RegistrySettings,
    /// The channels that can be told.
    pub channels: &'a Channels,
}
