//! What HyperSDK's daemon says, and what follows from it: its messages read, its jobs, and the series counted from them.
//!
//! [`feed`] and [`wire`] read what comes, by all the names that the versions of the daemon use; [`knowledge`] puts it together into
//! [`jobs`] and numbers; [`derive`] makes samples of those. No sockets, no clocks, no store: whoever has a message gives it in with its
//! time, and sends or writes what comes out.

pub mod derive;
pub mod feed;
pub mod jobs;
pub mod knowledge;
pub mod scalar;
mod skew;
pub mod vitals;
pub mod wire;
