//! What samples are written to.

use crate::{sample::Point, source::SourceError};

/// Where scrapes, derived series and remote writes go.
pub trait SampleSink: Send + Sync {
    /// Appends points of any series. A point that is too old or a duplicate is counted, not fatal.
    ///
    /// # Errors
    /// Nothing of the batch is stored: the disk is full, the sink is closed.
    fn append(&self, points: &[Point]) -> Result<AppendOutcome, SourceError>;
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppendOutcome {
    /// Points stored.
    pub stored: usize,
    /// Points older than the newest of their series by more than what is accepted.
    pub out_of_order: usize,
    /// Points whose time is taken by another value.
    pub duplicate: usize,
    /// Points of new series beyond what the sink holds.
    pub over_limit: usize,
    /// Position in the batch of the first point that was not stored.
    pub first_rejected: Option<usize>,
}
