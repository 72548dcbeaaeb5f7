//! A page without a server, driven as its worker drives it: messages and answers of a daemon go in, with their times, and
//! what the page shows comes out.

#![cfg(test)]
// A test fails by panicking, and clippy does not recognise helpers of tests.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, unreachable_pub)]

mod freshness;
mod kept_history;
mod marks;
mod memory;
mod rig;
mod secrets;
mod troubles;
