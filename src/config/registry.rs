//! `[registry]`: what a promotion needs unless a model has a policy of its own, and whom the registry tells.

use serde::{Deserialize, Serialize};

/// Keys of `[registry]`; what each means and its default stands in `config/default.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrySettings {
    /// Channels that hear of the registry's own incidents and of promotions that passed over a policy.
    pub notify: Vec<String>,
    /// Whether the bytes of a registered artefact are hashed by a run right after registration.
    pub verify_artefacts: bool,
    /// How many principals must approve a promotion to staging or production.
    pub approvals: u32,
    /// Whether the one who registered a version may approve it.
    pub allow_self_approval: bool,
}
