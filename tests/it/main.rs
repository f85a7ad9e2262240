//! The integration tests: one binary, real PostgreSQL, real processes.

// A test that cannot go on stops loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
// A test binary exports nothing, so `pub` between its modules says no more than `pub(crate)`.
#![allow(unreachable_pub)]

mod ab_beside;
mod ab_command;
mod ab_evaluate;
mod ab_jobs;
mod ab_outlook;
mod ab_questions;
mod ab_service;
mod ab_simulations;
mod ab_tests;
mod access;
mod audit;
mod bad_input;
mod by_hand;
mod choosing;
mod concept;
mod dataset;
mod demo;
mod documents;
mod drift_jobs;
mod jobs;
mod known_answers;
mod metrics_jobs;
mod migrations;
mod notify;
mod platform;
mod processes;
mod queue;
mod registry;
mod reload;
mod rest_atomic;
mod rest_bad_input;
mod rest_behaviour;
mod rest_contract;
mod rest_findings;
mod rest_limits;
mod rest_methods;
mod rest_promotion;
mod rest_registry;
mod rest_security;
mod schedule;
mod support;
mod transcripts;
mod validation;
