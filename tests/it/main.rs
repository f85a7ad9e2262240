//! The integration tests: one binary, real PostgreSQL, real processes.
mod bad_input;
mod demo;
mod documents;

// A test binary exports nothing, so `pub` between its modules says no more than `pub(crate)`.
#![allow(unreachable_pub)]

mod platform;
mod processes;
mod jobs;
mod known_answers;
mod notify;
mod support;
