//! The jobs of a daemon, assembled from its messages, and what changed.

mod batch;
mod change;
mod rate_estimator;
mod table;
mod tracked;
mod update;

pub(crate) use change::{Change, Levels, Listing, Moment, Outcome, What};
pub(crate) use table::{JobTable, Rules};
pub(crate) use update::JobUpdate;
