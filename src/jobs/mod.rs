//! Jobs: the documents that declare them, what is wrong with a document, and bringing the database in line.
//!
//! A document is read with spans by field tables (`sections`, `kinds`): diagnostics, the JSON schema and the reference
//! page come from the same tables. `load` reads a folder, `plan` compares it with the database, `apply` makes it so.
//! Everything is checked before anything is written: a folder with one mistake changes nothing.
//! May use everything below `jobs`; does not evaluate anything and starts no runs.

pub mod apply;
pub mod diagnostic;
pub mod document;
pub mod duration;
pub mod field;
pub mod interim;
pub mod kinds;
pub mod known;
pub mod load;
pub mod manual;
pub mod plan;
pub mod read;
mod reader;
pub mod review;
pub mod scalar;
pub mod schema;
pub mod sections;
pub mod suggest;
#[cfg(test)]
mod tests;

pub use apply::{StateError, apply, pause, resume};
pub use diagnostic::{Code, Diagnostic};
pub use document::JobDocument;
pub use known::{Checks, Known, ScheduleChecks};
pub use load::{LoadError, Loaded, LoadedDocument, join, load_dir, load_paths};
pub use plan::{Plan, plan};
pub use read::{Reading, parse};
