//! What is known of a daemon's jobs: put together from all it says, and what of it is news.

mod book;
mod change;
mod entry;
mod meter;
mod update;

pub(super) use book::{Book, Rules};
pub(super) use change::{Change, Levels, Listing, Moment, Outcome, What};
pub(super) use update::JobUpdate;
