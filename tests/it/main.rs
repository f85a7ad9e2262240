//! The integration tests: one binary, real PostgreSQL, real processes.
mod jobs;
mod support;
