//! The jobs of a daemon, assembled from its messages, and what changed.

mod batch;
mod change;
mod rate_estimator;
mod table;
mod tracked;
mod update;

pub use change::{Change, Levels, Listing, Moment, Outcome, What};
pub use table::{JobTable, Rules};
pub use update::JobUpdate;
