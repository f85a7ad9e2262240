//! Steward watches machine-learning models in production.
//!
//! A scheduler turns cron schedules into runs in a queue that lives in PostgreSQL; workers pull datasets from object
//! storage, judge drift, validation metrics and A/B tests, write the results, and tell people by email and webhook.
//!
//! # The map
//!
//! Uses run downward only; `tests/architecture.rs` enforces this table.
//!
//! | layer | modules | may use |
//! | --- | --- | --- |
//! | foundation | [`clock`], [`config`] | nothing of ours |
//! | mathematics | [`stats`] | nothing of ours |
//! | judgements | [`metrics`], [`drift`], [`ab`] | mathematics |
//! | foundations with I/O | [`db`], [`storage`], [`queue`] | foundation |
//! | domain | [`access`], [`dataset`], [`registry`], [`schedule`], [`notify`] | all above |
//! | jobs | [`jobs`] | all above |
//! | assembly | [`app`] | all above |
//! | service | [`api`] | all above |
//! | entrances | [`cli`] | all above |
//!
//! One home per foreign crate: statrs in `stats`, polars in `dataset`, object_store in `storage`, apalis in `queue`,
//! croner in `schedule`, lettre in `notify`, axum and hyper in `api`; reqwest in `notify` and, beneath object_store,
//! in `storage::reach`.

pub mod ab;
pub mod access;
pub mod api;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dataset;
pub mod db;
pub mod drift;
pub mod jobs;
pub mod metrics;
pub mod notify;
pub mod queue;
pub mod registry;
pub mod schedule;
pub mod stats;
pub mod storage;
