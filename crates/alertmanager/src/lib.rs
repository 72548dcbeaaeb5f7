//! Whom to tell of alerts, when, and in which words: Alertmanager's configuration, routing, grouping and messages.
//!
//! No sockets, no files and no clock: the time is an argument, what is to be sent is a return value. So a test can live through a
//! week in a millisecond, and the server alone decides how things are kept and delivered.

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
