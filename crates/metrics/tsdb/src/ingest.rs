//! Batches of samples, and the results of appending them.

use labels::Labels;
use timeseries::{AppendOutcome, Sample};

use crate::{error::FileError, histograms::MAX_BUCKETS, series::Pushed};

/// A sample of one series, of either kind, for [`crate::Store::ingest`].
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// The series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// A float or a native histogram. `STALE_NAN`, or a histogram with that sum, ends the series.
    pub value: Sample,
}

/// The result for a batch, and for each sample that was not stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ingested {
    /// Numbers of stored and of rejected samples, by reason.
    pub outcome: AppendOutcome,
    /// Rejected samples, in the order of the batch.
    pub refused: Vec<Refused>,
}

/// A sample that was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Index in the batch.
    pub position: usize,
    /// Reason.
    pub reason: Refusal,
}

/// Why a sample was not stored. The text is Prometheus' for the same case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Older than the last of its series, and out-of-order samples are disabled.
    #[error("out of order sample")]
    OutOfOrder,
    /// Older than the last of its series by more than the out-of-order window.
    #[error("too old sample")]
    TooOld,
    /// The series has another value at this time.
    #[error("duplicate sample for timestamp")]
    Duplicate,
    /// A histogram with more buckets than the limit.
    #[error("native histogram with more than {MAX_BUCKETS} buckets")]
    TooManyBuckets,
    /// The sample belongs to a new series, and the limit of series is reached.
    #[error("the store holds its limit of series; no new series is taken")]
    TooManySeries,
}

/// Why a batch was not acknowledged. The caller may send it again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IngestError {
    /// The disk is full. Reads go on, and appends succeed again once there is room; retry later.
    #[error("no room on the disk: {0}")]
    Full(#[source] std::sync::Arc<FileError>),
    /// The disk is too slow. Reads go on; retry later.
    #[error("the disk does not keep up: {waiting_bytes} bytes wait to be written")]
    Busy {
        /// Bytes in the queue of the log.
        waiting_bytes: u64,
    },
    /// The disk returned another error.
    #[error(transparent)]
    File(std::sync::Arc<FileError>),
}

impl From<FileError> for IngestError {
    fn from(error: FileError) -> Self {
        if error.is_full() { IngestError::Full(error.into()) } else { IngestError::File(error.into()) }
    }
}

/// Counts the results of a batch's samples, in order.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) result: Ingested,
    /// Number of samples so far.
    seen: usize,
    /// Whether out-of-order samples are disabled.
    strict: bool,
}

impl Tally {
    /// A counter for a store with this out-of-order window.
    pub(crate) fn new(out_of_order_ms: i64) -> Self {
        Tally { strict: out_of_order_ms == 0, ..Tally::default() }
    }

    /// Counts the next sample.
    pub(crate) fn note(&mut self, pushed: Pushed) {
        let outcome = &mut self.result.outcome;
        let reason = match pushed {
            Pushed::Stored => {
                outcome.stored += 1;
                None
            }
            Pushed::TooOld => {
                outcome.out_of_order += 1;
                Some(if self.strict { Refusal::OutOfOrder } else { Refusal::TooOld })
            }
            Pushed::Duplicate => {
                outcome.duplicate += 1;
                Some(Refusal::Duplicate)
            }
        };
        if reason.is_some() {
            outcome.first_rejected.get_or_insert(self.seen);
        }
        self.result.refused.extend(reason.map(|reason| Refused { position: self.seen, reason }));
        self.seen += 1;
    }

    /// The next sample belongs to a series that does not exist.
    pub(crate) fn skip(&mut self) {
        self.seen += 1;
    }
}
