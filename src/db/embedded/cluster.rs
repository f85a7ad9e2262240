//! The files of a private cluster: where they are, whose they are, and making the cluster once.
//!
//! All names stand side by side in the data directory: `postgres/` is the cluster, the rest belongs to Steward's user.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Uid, User, geteuid};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Error;
use super::binaries::Programs;
use super::error::says_disk_full;

/// Name of the log in the data directory.
pub(super) const LOG: &str = "postgres.log";
/// The port names the socket; nothing listens on TCP.
pub(super) const PORT: u16 = 5432;
/// The name of the superuser of the cluster.
pub(super) const USER: &str = "steward";
/// `sun_path` holds 108 bytes with its end.
const SOCKET_PATH_LIMIT: usize = 107;

/// Where everything is.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    pub(super) data_dir: PathBuf,
    pub(super) cluster: PathBuf,
    /// Shared lock: somebody uses the server. Exclusive: it is being stopped.
    pub(super) holders: PathBuf,
    /// Exclusive lock: somebody makes the cluster or starts the supervisor.
    pub(super) start_lock: PathBuf,
    /// Exclusive lock: a supervisor lives.
    pub(super) supervisor_lock: PathBuf,
    pub(super) password: PathBuf,
    /// How the supervisor is to start the server.
    pub(super) launch: PathBuf,
    pub(super) log: PathBuf,
}

impl Paths {
    /// # Errors
    /// When the data directory cannot be made or made absolute.
    pub(super) fn of(data_dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(data_dir).map_err(Error::file("create the data directory", data_dir))?;
        let data_dir = data_dir.canonicalize().map_err(Error::file("find", data_dir))?;
        let at = |name: &str| data_dir.join(name);
        Ok(Self {
            cluster: at("postgres"),
            holders: at("postgres.holders"),
            start_lock: at("postgres.lock"),
            supervisor_lock: at("postgres.supervisor"),
            password: at("postgres.password"),
            launch: at("postgres.json"),
            log: at(LOG),
            data_dir,
        })
    }

    pub(super) fn lock_file(path: &Path) -> Result<File, Error> {
        // Never truncated: the content is only a hint about who was here last.
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(Error::file("open", path))
    }
}

/// The user the server runs as.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ServerUser {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) name: String,
    /// False: it is the user of this very process.
    pub(super) switch: bool,
}

impl ServerUser {
    /// This user; for root the owner of the cluster when there is one, else `postgres`, else `nobody`.
    pub(super) fn choose(cluster: &Path) -> Result<Self, Error> {
        let me = geteuid();
        if !me.is_root() {
            let gid = nix::unistd::getegid().as_raw();
            return Ok(Self { uid: me.as_raw(), gid, name: me.to_string(), switch: false });
        }
        let owner = fs::metadata(cluster).ok().map(|meta| Uid::from_raw(meta.uid())).filter(|uid| !uid.is_root());
        let by_owner = owner.and_then(|uid| User::from_uid(uid).ok().flatten());
        let named = || ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
        let user = by_owner.or_else(named).filter(|user| !user.uid.is_root()).ok_or(Error::NoUser)?;
        Ok(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw(), name: user.name, switch: true })
    }

    /// A command that runs as this user in `folder`, with an environment that no variable of PostgreSQL disturbs.
    pub(super) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear().env("LC_ALL", "C").env("TZ", "UTC");
        for keep in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR"] {
            if let Some(value) = std::env::var_os(keep) {
                command.env(keep, value);
            }
        }
        if self.switch {
            // The standard library drops root's other groups with it.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Makes `path` (just created by this process) theirs.
    fn give(&self, path: &Path) -> Result<(), Error> {
        if self.switch {
            chown(path, Some(self.uid), Some(self.gid)).map_err(Error::file("change the owner of", path))?;
        }
        Ok(())
    }

    fn private_folder(&self, path: &Path) -> Result<(), Error> {
        fs::create_dir(path).map_err(Error::file("create", path))?;
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(Error::file("protect", path))?;
        self.give(path)
    }
}

/// A private folder whose socket path is short enough: in the data directory, else under `/tmp`.
pub(super) fn socket_folder(paths: &Paths, user: &ServerUser) -> Result<PathBuf, Error> {
    let near = paths.data_dir.join("postgres.run");
    let fits = |folder: &Path| folder.as_os_str().len() + format!("/.s.PGSQL.{PORT}").len() <= SOCKET_PATH_LIMIT;
    let folder = if fits(&near) {
        near
    } else {
        let digest = hex::encode(Sha256::digest(paths.data_dir.as_os_str().as_encoded_bytes()));
        PathBuf::from(format!("/tmp/steward-{}-{}", user.uid, &digest[..16]))
    };
    let refuse = |reason: &str| Error::SocketFolder { path: folder.clone(), reason: reason.to_owned() };
    match fs::symlink_metadata(&folder) {
        Err(_) => user.private_folder(&folder)?,
        // Under /tmp anybody may have made it first: only a private folder of the server's user will do.
        Ok(meta) if !meta.is_dir() => return Err(refuse("is not a folder")),
        Ok(meta) if meta.uid() != user.uid => return Err(refuse("belongs to another user")),
        Ok(meta) if meta.mode() & 0o077 != 0 => return Err(refuse("is open to other users")),
        Ok(_) => {}
    }
    Ok(folder)
}

/// A socket's folder outside the data directory is not left behind; it comes back with the next start.
pub(super) fn leave_socket_folder(paths: &Paths, folder: &Path) {
    if !folder.starts_with(&paths.data_dir) {
        // Only an empty one goes: a server that would not stop keeps its socket.
        let _ = fs::remove_dir(folder);
    }
}

/// Makes the cluster when there is none, and returns the password of its superuser. The caller holds the start lock.
pub(super) fn ensure(paths: &Paths, user: &ServerUser, programs: &Programs, fsync: bool) -> Result<String, Error> {
    if paths.cluster.join("PG_VERSION").exists() {
        return match fs::read_to_string(&paths.password) {
            Ok(password) => Ok(password.trim().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::PasswordLost { path: paths.password.clone(), cluster: paths.cluster.clone() })
            }
            Err(error) => Err(Error::file("read", &paths.password)(error)),
        };
    }
    let password = hex::encode(rand::rng().random::<[u8; 24]>());
    write_private(&paths.password, &password)?;
    init(paths, user, programs, fsync, &password)?;
    Ok(password)
}

/// Builds beside the final name and renames: a cluster that is there is complete.
fn init(paths: &Paths, user: &ServerUser, programs: &Programs, fsync: bool, password: &str) -> Result<(), Error> {
    let building = paths.data_dir.join("postgres.new");
    if building.exists() {
        fs::remove_dir_all(&building).map_err(Error::file("remove the unfinished", &building))?;
    }
    user.private_folder(&building)?;
    let cluster = building.join("cluster");
    user.private_folder(&cluster)?;
    let password_file = building.join("password");
    write_private(&password_file, password)?;
    user.give(&password_file)?;

    tracing::info!(cluster = %paths.cluster.display(), user = %user.name, "making a private PostgreSQL cluster, once");
    let run = |locale: &str| {
        let mut command = user.command(&programs.initdb, &cluster);
        command.arg("-D").arg(&cluster).arg("--pwfile").arg(&password_file);
        command.args(["-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "-k", "--locale", locale]);
        if !fsync {
            command.arg("--no-sync");
        }
        command.output()
    };
    let output = match run("C.UTF-8") {
        Ok(output) if !output.status.success() && stderr(&output).contains("invalid locale") => run("C"),
        other => other,
    };
    let output = output.map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied if user.switch => {
            Error::NotEnterable { user: user.name.clone(), path: paths.data_dir.clone() }
        }
        _ => Error::file("run", &programs.initdb)(error),
    })?;
    if !output.status.success() {
        let text = stderr(&output);
        let _ = fs::remove_dir_all(&building);
        return Err(if says_disk_full(&text) {
            Error::DiskFull { path: paths.data_dir.clone() }
        } else {
            Error::Init { output: text }
        });
    }
    fs::rename(&cluster, &paths.cluster).map_err(Error::file("rename", &cluster))?;
    let _ = fs::remove_dir_all(&building);
    Ok(())
}

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// Writes a file that only its owner may read, replacing an old one as a whole.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let fresh = path.with_extension("tmp");
    let _ = fs::remove_file(&fresh);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(Error::file("create", &fresh))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(Error::file("write", &fresh))?;
    fs::rename(&fresh, path).map_err(Error::file("rename", &fresh))
}
