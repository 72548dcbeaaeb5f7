//! A simulator of HyperSDK's `hypervisord`: a simulated [`world`] behind servers that speak the daemon's dialects.
//!
//! The world must not know how it is served, or what time it is; the servers must not invent state. `README.md`
//! describes the dialects, the admin routes and the faults.
//!
//! ```no_run
//! # async fn example() -> Result<(), daemon_sim::StartError> {
//! use daemon_sim::{Dialect, SimOptions, Simulator};
//!
//! let simulator = Simulator::start(SimOptions { dialect: Dialect::Stock, ..SimOptions::default() }).await?;
//! println!("http://{}", simulator.addr());
//! simulator.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod dice;
mod go_format;
mod metrics_text;
mod number;
mod server;
pub mod world;

pub use metrics_text::{TextFormat, write_metrics};
pub use server::{Dialect, Fault, FaultKind, SimOptions, Simulator, StartError, UnknownName};
pub use world::VCENTER_PASSWORD;
