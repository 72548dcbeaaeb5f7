//! The links to daemons, over real sockets, against the simulated daemon in its three dialects and against what is no daemon.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // Clippy takes helpers of tests for something else.

#[path = "link/address.rs"]
mod address;
#[path = "link/counts.rs"]
mod counts;
#[path = "link/dialects.rs"]
mod dialects;
#[path = "link/faults.rs"]
mod faults;
#[path = "link/secrets.rs"]
mod secrets;
#[path = "link/targets.rs"]
mod targets;
#[path = "link/world.rs"]
mod world;
