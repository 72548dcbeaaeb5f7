//! Tests of the whole program: over real sockets, with real engines, and in the state after crashes and full disks.
//!
//! Each subject has a module; `cargo test --workspace --test integration live::` runs one.

#![cfg(test)]
// Clippy does not recognise helpers of tests.
#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub
)]

mod attack;
mod auth_server;
mod bad_input;
mod budgets;
mod cli;
mod common;
mod connections;
mod daemon_jobs;
mod differential;
mod edge;
mod engines;
mod federation;
mod forms;
mod http_api;
mod late_samples;
mod link;
mod live;
mod mimir;
mod notify;
mod openapi;
mod own_metrics;
mod pages;
mod privacy;
mod prometheus_backend;
mod promql_scripts;
mod query_api;
mod remote_write;
mod render;
mod rights;
mod rules;
mod rules_beside_prometheus;
mod scoped_tokens;
mod secrets;
mod store_care;
mod store_crash;
mod walls;
mod whole_counts;
