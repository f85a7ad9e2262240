//! Where a process finds its configuration: flags, files in their places, the environment.

use std::path::PathBuf;

use super::layers::Inputs;
use super::problem::Problem;

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `--config`, lowest first. Empty: the file named by `STEWARD_CONFIG`, else `./steward.toml` when it exists.
    pub files: Vec<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--database-url`.
    pub database_url: Option<String>,
    /// `--set section.key=value`, as typed.
    pub set: Vec<String>,
}

impl Sources {
    /// Everything to read: `/etc/steward/config.toml` when it exists, the files, the environment, the flags.
    pub(super) fn inputs(&self, problems: &mut Vec<Problem>) -> Inputs {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let mut files = Vec::new();
        let system = PathBuf::from("/etc/steward/config.toml");
        if system.exists() {
            files.push(system);
        }
        let named = environment.iter().find(|(name, value)| name == "STEWARD_CONFIG" && !value.is_empty());
        let local = PathBuf::from("steward.toml");
        if !self.files.is_empty() {
            files.extend_from_slice(&self.files);
        } else if let Some((_, path)) = named {
            files.push(PathBuf::from(path));
        } else if local.exists() {
            files.push(local);
        }
        Inputs { overrides: self.overrides(problems), files, environment }
    }

    pub(super) fn overrides(&self, problems: &mut Vec<Problem>) -> Vec<(String, String, String)> {
        let mut overrides = Vec::new();
        if let Some(path) = &self.data_dir {
            overrides.push(("data_dir".to_owned(), path.display().to_string(), "--data-dir".to_owned()));
        }
        if let Some(url) = &self.database_url {
            overrides.push(("database.url".to_owned(), url.clone(), "--database-url".to_owned()));
        }
        for assignment in &self.set {
            match assignment.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => {
                    let key = key.trim();
                    overrides.push((key.to_owned(), value.to_owned(), format!("--set {key}")));
                }
                _ => problems.push(Problem {
                    location: "flag --set".to_owned(),
                    key: String::new(),
                    message: "needs section.key=value".to_owned(),
                    hint: None,
                }),
            }
        }
        overrides
    }
}
