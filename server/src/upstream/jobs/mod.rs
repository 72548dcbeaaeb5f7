//! What is known of a daemon's jobs: put together from all it says, and what of it is news.

mod book;
mod entry;
mod meter;
mod update;

pub(super) use book::{Book, Change, Moment, Outcome, Rules};
pub(super) use update::JobUpdate;
