//! The integration tests: one binary, real PostgreSQL, real processes.
mod dataset;
mod support;
