//! Test scripts in the format of Prometheus' promqltest: `load` some series, `eval` some expressions, compare.
//!
//! [`run`] runs a script against a [`Target`]: the engine over series in memory ([`Memory`]), or a server that is
//! loaded by remote write and queried over HTTP ([`Server`], [`Spawned`]). So the same scripts test both. For tests
//! only: scripts are trusted.

mod answer;
mod check;
mod http;
mod memory;
mod run;
mod script;
mod series;
mod server;
mod spawned;

pub use answer::{Answer, Buckets, Found, Value};
pub use memory::Memory;
pub use run::{Report, Target, run};
pub use script::Times;
pub use series::{Described, Loaded};
pub use server::Server;
pub use spawned::Spawned;
