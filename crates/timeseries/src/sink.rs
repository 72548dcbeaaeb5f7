//! The sink for samples.

use crate::{sample::Point, source::SourceError};

/// Receives the samples of scrapes, derived series and remote writes.
pub trait SampleSink: Send + Sync {
    /// Appends points of any series. A point that is too old or a duplicate is counted, not an error.
    ///
    /// # Errors
    ///
    /// Nothing of the batch is stored: the disk is full, or the sink is closed.
    fn append(&self, points: &[Point]) -> Result<AppendOutcome, SourceError>;
}

/// Result for a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppendOutcome {
    /// Number of stored points.
    pub stored: usize,
    /// Number of points that are too old.
    pub out_of_order: usize,
    /// Number of points whose series had another value at their time.
    pub duplicate: usize,
    /// Number of points of new series beyond the limit.
    pub over_limit: usize,
    /// Index in the batch of the first point that was not stored.
    pub first_rejected: Option<usize>,
}
