//! The integration tests: one binary, real PostgreSQL, real processes.
mod bad_input;
mod demo;
mod documents;
mod platform;
mod processes;
mod jobs;
mod known_answers;
mod notify;
mod support;
