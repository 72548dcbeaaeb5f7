//! What comes in, and what became of it.

use labels::Labels;
use timeseries::{AppendOutcome, Sample};

use crate::{error::FileError, histograms::MAX_BUCKETS, series::Pushed};

/// A sample of one series, of either kind, for [`crate::Store::ingest`].
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// The series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch; may be near zero.
    pub timestamp_ms: i64,
    /// A float or a native histogram. `STALE_NAN`, or a histogram with that sum, ends the series.
    pub value: Sample,
}

/// What became of a batch, and of each sample that was not stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ingested {
    /// How many were stored, and how many were not, by reason.
    pub outcome: AppendOutcome,
    /// Those that were not, in the order of the batch.
    pub refused: Vec<Refused>,
}

/// A sample that was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Its position in the batch.
    pub position: usize,
    /// Why not.
    pub reason: Refusal,
}

/// Why a sample was not stored. Its text is Prometheus' for the same case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Older than the newest of its series, and no late samples are accepted.
    #[error("out of order sample")]
    OutOfOrder,
    /// Older than the newest of its series by more than late samples may be.
    #[error("too old sample")]
    TooOld,
    /// Its time is taken by another value.
    #[error("duplicate sample for timestamp")]
    Duplicate,
    /// A histogram with more buckets than the store takes.
    #[error("native histogram with more than {MAX_BUCKETS} buckets")]
    TooManyBuckets,
    /// Of a new series, while the store holds as many as it may.
    #[error("the store holds its limit of series; no new series is taken")]
    TooManySeries,
}

/// Why a batch was not acknowledged. It can be given once more.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IngestError {
    /// The disk is full. Reads go on, and the next batch that fits is taken; try again later.
    #[error("no room on the disk: {0}")]
    Full(#[source] std::sync::Arc<FileError>),
    /// The disk does not keep up. Reads go on; try again later.
    #[error("the disk does not keep up: {waiting_bytes} bytes wait to be written")]
    Busy {
        /// Bytes that wait for the log.
        waiting_bytes: u64,
    },
    /// The disk refused for another reason.
    #[error(transparent)]
    File(std::sync::Arc<FileError>),
}

impl From<FileError> for IngestError {
    fn from(error: FileError) -> Self {
        if error.is_full() { IngestError::Full(error.into()) } else { IngestError::File(error.into()) }
    }
}

/// Counts what becomes of the samples of a batch, in order.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) result: Ingested,
    /// Samples seen.
    seen: usize,
    /// No late samples are accepted at all.
    strict: bool,
}

impl Tally {
    /// A tally for a store that accepts samples as late as this.
    pub(crate) fn new(out_of_order_ms: i64) -> Self {
        Tally { strict: out_of_order_ms == 0, ..Tally::default() }
    }

    /// Notes the next sample.
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

    /// The next sample is of no series there is.
    pub(crate) fn skip(&mut self) {
        self.seen += 1;
    }
}
