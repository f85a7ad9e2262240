//! The integration tests: one binary, real PostgreSQL, real processes.

// A test binary exports nothing, so `pub` between its modules says no more than `pub(crate)`.
#![allow(unreachable_pub)]

mod platform;
mod support;
