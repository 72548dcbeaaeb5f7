//! Understands HyperSDK's daemon: its messages, its jobs, and the series counted from them.
//!
//! [`feed`] and [`wire`] parse messages, with the field names of all versions of the daemon; [`knowledge`] merges them
//! into [`jobs`] and numbers; [`derive`] turns those into samples. No sockets, no clocks, no store: the caller passes
//! messages with their times, and publishes or stores the results.

pub mod derive;
pub mod feed;
pub mod jobs;
pub mod knowledge;
pub mod scalar;
mod skew;
pub mod vitals;
pub mod wire;
