//! Real `steward` processes: started with their own folder and configuration, killed when the test ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A folder with a configuration, in which `steward` commands are run against one database.
pub struct Site {
    pub dir: tempfile::TempDir,
    pub database_url: String,
}

impl Site {
    /// A folder whose `steward.toml` holds `config`.
    pub fn new(database_url: &str, config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("steward.toml"), config).unwrap();
        std::fs::create_dir(dir.path().join("jobs")).unwrap();
        Self { dir, database_url: database_url.to_owned() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a job file.
    pub fn job(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join("jobs").join(format!("{name}.toml"));
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A command in this folder; nothing of the caller's environment reaches its configuration.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bare(args);
        command.current_dir(self.path()).env("DATABASE_URL", &self.database_url);
        command.env("STEWARD__DATA_DIR", self.path().join("data"));
        // Several run side by side: each on a port of its own.
        command.env("STEWARD__SERVER__LISTEN", "127.0.0.1:0");
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that has to succeed, and gives what it wrote to stdout.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a role that goes on until it is stopped.
    pub fn start(&self, name: &str, args: &[&str]) -> Role {
        let log = self.path().join(format!("{name}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let child = self.command(args).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        Role { child, log }
    }
}

/// `steward` with a clean environment.
pub fn bare(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steward"));
    command.args(args);
    for (key, _) in std::env::vars() {
        if key.starts_with("STEWARD") || key == "DATABASE_URL" || key.starts_with("AWS_") || key == "RUST_LOG" {
            command.env_remove(key);
        }
    }
    command
}

/// A running role.
pub struct Role {
    child: Child,
    log: PathBuf,
}

impl Role {
    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Kills it as the machine's failure would.
    pub fn kill(&mut self) {
        self.signal("-KILL");
        self.child.wait().unwrap();
    }

    /// Waits for its end and gives the exit code.
    pub fn wait(&mut self, patience: Duration) -> i32 {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(started.elapsed() < patience, "still running after {patience:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits until `check` answers something.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    patience: Duration,
    mut check: impl FnMut() -> F,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(started.elapsed() < patience, "{what}: not within {patience:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
