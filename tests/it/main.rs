//! The integration tests: one binary, real PostgreSQL, real processes.
mod notify;
mod support;
