//! From datasets to judgements: the bridge between `dataset` (columns) and the pure mathematics.
//!
//! The one-off commands and the job kinds judge through these same functions, so that `steward drift check` and a
//! scheduled run answer alike. No database, no incidents, no job documents.

pub mod ab_test;
pub mod drift;
pub mod metrics;
