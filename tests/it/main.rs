//! The integration tests: one binary, real PostgreSQL, real processes.
mod known_answers;
mod support;
