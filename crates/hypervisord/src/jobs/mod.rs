//! What is known of a daemon's jobs: put together from all it says, and what of it is news.

mod batch;
mod change;
mod meter;
mod table;
mod tracked;
mod update;

pub use change::{Change, Levels, Listing, Moment, Outcome, What};
pub use table::{JobTable, Rules};
pub use update::JobUpdate;
