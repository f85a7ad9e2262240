//! Finding `initdb` and `postgres`: where the settings say, else PATH, else where distributions put them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;

/// Older servers lack what the SQL uses.
const OLDEST: u32 = 14;

/// Where distributions keep server programs, outside PATH so that several versions can coexist: folder, then what comes
/// before the version in the entry's name, then what follows.
const HOMES: [(&str, &str, &str); 8] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/usr/lib", "postgresql", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/Library/PostgreSQL", "", "bin"),
    ("/usr/local", "pgsql", "bin"),
];

/// A folder with server programs.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) initdb: PathBuf,
    pub(super) postgres: PathBuf,
    pub(super) major: u32,
}

/// The programs to use: of the cluster's version when there is a cluster, else the first found.
pub(super) fn find(bin_dir: Option<&Path>, cluster: &Path) -> Result<Programs, Error> {
    let wanted = cluster_version(cluster);
    let mut others = Vec::new();
    for folder in folders(bin_dir) {
        let Some(programs) = programs_in(&folder) else { continue };
        match wanted {
            Some(version) if version != programs.major => others.push(programs),
            None if programs.major < OLDEST => others.push(programs),
            _ => return Ok(programs),
        }
    }
    if others.is_empty() {
        let searched = match bin_dir {
            Some(folder) => format!("{} (database.postgres_bin_dir)", folder.display()),
            None => "PATH, /usr/lib/postgresql/*/bin and the like".to_owned(),
        };
        return Err(Error::NoPrograms { searched });
    }
    let found: Vec<String> = others
        .iter()
        .map(|programs| format!("{} in {}", programs.major, programs.postgres.with_file_name("").display()))
        .collect();
    Err(Error::WrongVersion {
        cluster: cluster.to_path_buf(),
        wanted: wanted.map_or(format!("{OLDEST} or newer"), |version| version.to_string()),
        found: found.join(", "),
    })
}

/// The major version that made the cluster.
fn cluster_version(cluster: &Path) -> Option<u32> {
    std::fs::read_to_string(cluster.join("PG_VERSION")).ok()?.trim().parse().ok()
}

fn folders(bin_dir: Option<&Path>) -> Vec<PathBuf> {
    if let Some(folder) = bin_dir {
        return vec![folder.to_path_buf()];
    }
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let mut versioned: Vec<(u32, PathBuf)> = Vec::new();
    for (home, prefix, suffix) in HOMES {
        for entry in std::fs::read_dir(home).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(version) = name.strip_prefix(prefix) else { continue };
            if version.is_empty() || version.starts_with(|c: char| c.is_ascii_digit()) {
                let number = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
                versioned.push((number, entry.path().join(suffix)));
            }
        }
    }
    versioned.sort_by(|a, b| b.cmp(a));
    folders.extend(versioned.into_iter().map(|(_, folder)| folder));
    folders
}

fn programs_in(folder: &Path) -> Option<Programs> {
    // Both are links into one installation as a rule; PostgreSQL finds its files beside the real program.
    let postgres = folder.join("postgres").canonicalize().ok()?;
    let initdb = folder.join("initdb").canonicalize().ok()?;
    let output = Command::new(&postgres).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let major = text.split_whitespace().nth(2)?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some(Programs { initdb, postgres, major })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn fake(folder: &Path, version: &str) -> PathBuf {
        std::fs::create_dir_all(folder).unwrap();
        for name in ["postgres", "initdb"] {
            let path = folder.join(name);
            std::fs::write(&path, format!("#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder.to_path_buf()
    }

    #[test]
    fn versions_of_all_spellings_are_read() {
        let home = tempfile::tempdir().unwrap();
        for (spelling, major) in [("15.18 (Debian 15.18-0+deb12u1)", 15), ("17devel", 17), ("18beta1", 18)] {
            let folder = fake(&home.path().join(major.to_string()), spelling);
            assert_eq!(programs_in(&folder).unwrap().major, major);
        }
    }

    #[test]
    fn without_programs_the_message_has_the_choices() {
        let home = tempfile::tempdir().unwrap();
        let error = find(Some(home.path()), Path::new("/nowhere")).unwrap_err().to_string();
        for choice in ["DATABASE_URL", "apt-get install postgresql", "database.postgres_bin_dir"] {
            assert!(error.contains(choice), "{error}");
        }
    }

    #[test]
    fn a_cluster_of_another_version_is_not_touched() {
        let home = tempfile::tempdir().unwrap();
        let folder = fake(&home.path().join("bin"), "16.1");
        let cluster = home.path().join("cluster");
        std::fs::create_dir(&cluster).unwrap();
        std::fs::write(cluster.join("PG_VERSION"), "15\n").unwrap();
        let error = find(Some(&folder), &cluster).unwrap_err().to_string();
        assert!(error.contains("PostgreSQL 15") && error.contains("16 in"), "{error}");
        let old = fake(&home.path().join("old"), "13.2");
        let error = find(Some(&old), Path::new("/nowhere")).unwrap_err().to_string();
        assert!(error.contains("14 or newer"), "{error}");
    }
}
