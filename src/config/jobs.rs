//! `[jobs]`: where the declared jobs are.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Keys of `[jobs]`; what each means and its default stands in `config/default.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JobsSettings {
    /// Folder with `*.toml`, relative to the working directory.
    pub dir: PathBuf,
    /// Channels that hear of mistakes in the files.
    pub notify: Vec<String>,
}
