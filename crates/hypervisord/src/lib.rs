//! Understands HyperSDK's daemon: its messages, its jobs, and the series counted from them.
//!
//! [`daemon::Daemon`] is the state of one daemon: messages of its feed ([`feed`]), answers to what is to be requested
//! ([`detect`], [`poll`]) and time change it, and cause events to publish. [`collector::Collector`] turns it into samples.
//! No sockets, no clocks, no store: the same code decides in the server and in a page that talks to the daemon directly.
//! What a driver has to call, and when, is in the documentation of [`daemon`] and [`collector`].

mod cancel;
mod clock;
pub mod collector;
pub mod daemon;
mod derive;
pub mod detect;
pub mod feed;
mod job_log;
mod jobs;
pub mod poll;
mod scalar;
#[cfg(test)]
mod script;
mod stored;
mod unreported;
mod vitals;
mod wire;

pub use cancel::CancelAnswer;
pub use clock::Now;
pub use job_log::JobLog;
pub use unreported::explain as explain_unreported;
