//! The integration tests: one binary, real PostgreSQL, real processes.
mod queue;
mod schedule;
mod support;
