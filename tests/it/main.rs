//! The integration tests: one binary, real PostgreSQL, real processes.
mod platform;
mod support;
