//! Alertmanager's logic: configuration, routing, grouping, inhibition, silences and the text of messages.
//!
//! No sockets, no files and no clock: the time is an argument, and what to send is a return value. So a test runs
//! through a week in a millisecond, and the server alone decides how to store and deliver.

pub mod alert;
pub mod color;
pub mod config;
pub mod dispatch;
pub mod hook;
pub mod inhibit;
pub mod matcher;
pub mod message;
pub mod silence;
pub mod time_interval;
