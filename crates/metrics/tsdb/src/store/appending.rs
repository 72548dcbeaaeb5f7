//! Appends: what they wait for, and what is refused when the disk does not keep up.

use parking_lot::RwLock;
use timeseries::{AppendOutcome, Point, SampleSink, SourceError};

use super::{Disk, Shared, Store, source_error};
use crate::{
    disk::log::Unwritten,
    head::Head,
    ingest::{Incoming, IngestError, Ingested},
    writer::Writer,
};

/// Number of series with unwritten chunks at which appends that wait for the disk wait for those too.
const MANY_UNWRITTEN: usize = 32_768;
/// The same limit for appends that do not wait, which are then rejected.
const MAX_UNWRITTEN: usize = 8 * MANY_UNWRITTEN;

/// What an append waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// For the log.
    ForLog,
    Not,
}

impl Store {
    /// Appends samples of either kind, in order, and returns for each rejected one the reason; rejected samples are not
    /// an error. Acknowledged samples survive any end of the process. A sample that already exists with the same value
    /// counts as stored.
    ///
    /// # Errors
    ///
    /// Nothing of the batch is acknowledged: the disk is full, broken or too slow. Readers may already see the samples;
    /// if they are sent again, they count as stored.
    pub fn ingest(&self, batch: &[Incoming]) -> Result<Ingested, IngestError> {
        self.shared().append(Wait::ForLog, |writer, head| writer.ingest(head, batch))
    }

    /// Appends samples like [`Store::ingest`] without waiting for the disk: readers see them at once, and they survive
    /// the end of the process once they are in the log. For callers that measure again rather than send again.
    ///
    /// # Errors
    ///
    /// Nothing of the batch is stored, because the queue of the log is full.
    pub fn ingest_unawaited(&self, batch: &[Incoming]) -> Result<Ingested, IngestError> {
        self.shared().append(Wait::Not, |writer, head| writer.ingest(head, batch))
    }

    /// The store as a sink whose appends do not wait for the disk, like [`Store::ingest_unawaited`].
    #[must_use]
    pub fn unawaited(&self) -> Unawaited {
        Unawaited(self.clone())
    }
}

impl Shared {
    /// Appends a batch.
    fn append(
        &self,
        wait: Wait,
        batch: impl FnOnce(&mut Writer, &RwLock<Head>) -> Ingested,
    ) -> Result<Ingested, IngestError> {
        self.admit(wait)?;
        let ingested = batch(&mut self.writer.lock(), &self.head);
        let Some(disk) = &self.disk else {
            // There is no disk to write them to.
            self.head.write().unwritten.clear();
            return Ok(ingested);
        };
        let end = disk.log.end();
        if !self.head.read().unwritten.is_empty() || disk.log.wants_checkpoint() {
            disk.files_bell.ring();
        }
        match wait {
            Wait::ForLog => {
                if let Err(unwritten) = disk.log.write(end, self.options.patience) {
                    // Wakes the log thread to write the queue even if no further append comes.
                    disk.log_bell.ring();
                    return Err(refusal(disk, unwritten));
                }
            }
            Wait::Not => disk.log_bell.ring(),
        }
        Ok(ingested)
    }

    /// Says whether a batch may be taken. What waits for the disk is bounded, however long the disk takes.
    pub(super) fn admit(&self, wait: Wait) -> Result<(), IngestError> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let unwritten = self.head.read().unwritten.len();
        let is_behind = disk.log.waiting() > self.options.max_waiting_bytes;
        match wait {
            Wait::ForLog => {
                if is_behind || disk.log.is_failing() {
                    disk.log
                        .write(disk.log.end(), self.options.patience)
                        .map_err(|unwritten| refusal(disk, unwritten))?;
                }
                if unwritten > MANY_UNWRITTEN {
                    // Whoever is writing chunks already is waited for.
                    drop(disk.chunks.try_lock_for(self.options.patience).ok_or_else(|| busy(disk))?);
                    self.write_sealed(disk)?;
                }
                Ok(())
            }
            Wait::Not if is_behind || unwritten > MAX_UNWRITTEN => Err(busy(disk)),
            Wait::Not => Ok(()),
        }
    }
}

/// Why a batch is refused that did not come into the log.
fn refusal(disk: &Disk, unwritten: Unwritten) -> IngestError {
    match unwritten {
        Unwritten::Refused(error) => error.into(),
        Unwritten::Late => busy(disk),
    }
}

fn busy(disk: &Disk) -> IngestError {
    IngestError::Busy { waiting_bytes: disk.log.waiting() }
}

/// A store that is appended to without waiting for the disk; see [`Store::unawaited`].
#[derive(Debug, Clone)]
pub struct Unawaited(Store);

impl SampleSink for Unawaited {
    fn append(&self, points: &[Point]) -> Result<AppendOutcome, SourceError> {
        let ingested = self.0.shared().append(Wait::Not, |writer, head| writer.append(head, points));
        Ok(ingested.map_err(source_error)?.outcome)
    }
}

impl SampleSink for Store {
    fn append(&self, points: &[Point]) -> Result<AppendOutcome, SourceError> {
        let ingested = self.shared().append(Wait::ForLog, |writer, head| writer.append(head, points));
        Ok(ingested.map_err(source_error)?.outcome)
    }
}
