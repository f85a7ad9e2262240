//! Progress on stderr: a line that is rewritten on a terminal, one line per step elsewhere.

use std::io::{IsTerminal, Write};

/// Shows how far a long piece of work is.
#[derive(Debug)]
pub struct Progress {
    total: usize,
    done: usize,
    terminal: bool,
}

impl Progress {
    /// Progress over `total` steps.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self { total, done: 0, terminal: std::io::stderr().is_terminal() }
    }

    /// One step is done.
    pub fn step(&mut self, what: &str) {
        self.done += 1;
        let mut err = std::io::stderr().lock();
        let text = format!("[{:>3}/{}] {what}", self.done, self.total);
        let _ = if self.terminal { write!(err, "\r\x1b[2K{text}") } else { writeln!(err, "{text}") };
        let _ = err.flush();
    }

    /// Ends the line.
    pub fn finish(self) {
        if self.terminal {
            let _ = writeln!(std::io::stderr());
        }
    }
}
