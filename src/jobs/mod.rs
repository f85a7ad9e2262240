//! Jobs: the documents that declare them, what is wrong with a document, and bringing the database in line.
//!
//! A document is read with spans by field tables (`sections`, `kinds`): diagnostics, the JSON schema and the reference
//! page come from the same tables. `load` reads a folder, `plan` compares it with the database, `apply` makes it so.
//! Everything is checked before anything is written: a folder with one mistake changes nothing.
//!
//! A tick or a wish becomes a run in `ticks`; `runner` executes it for the queue: the kind evaluates (`kinds`, `inputs`,
//! `judging`), and everything found is committed at once. `replay` goes through the past. May use everything below `jobs`.

pub mod actions;
pub mod apply;
pub mod artefacts;
pub mod backtest;
pub mod catalogue;
pub mod diagnostic;
pub mod document;
pub mod duration;
pub mod evaluation;
pub mod field;
pub mod files;
pub mod inputs;
pub mod judging;
pub mod kinds;
pub mod known;
pub mod load;
pub mod manual;
pub mod plan;
pub mod read;
mod reader;
pub mod replay;
pub mod review;
pub mod runner;
pub mod scalar;
pub mod schema;
pub mod sections;
pub mod store;
pub mod suggest;
#[cfg(test)]
mod tests;
pub mod ticks;
mod trail;
pub mod vocabulary;

pub use apply::{StateError, apply};
pub use diagnostic::{Code, Diagnostic};
pub use document::JobDocument;
pub use known::{Checks, Known, ScheduleChecks};
pub use load::{LoadError, Loaded, LoadedDocument, join, load_dir, load_paths};
pub use plan::{Plan, plan};
pub use read::{Reading, parse};
