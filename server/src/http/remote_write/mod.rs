//! Remote write: samples that other programs send, into the embedded store.
//!
//! A sample is acknowledged once it is in the store's log. Samples that cannot be taken do not keep the rest of their request out, and
//! are told with the status by which Prometheus' senders do not send them again.

mod headers;
mod write;

use std::sync::Arc;

use budget::MemoryBudget;
use datasource::Exemplars;
use tokio::sync::Semaphore;
use tsdb::Store;

use super::{Rights, Route, Who};
use crate::config::Limits;

/// Requests that are unpacked at once: each may take much memory for a moment.
const REQUESTS_AT_ONCE: usize = 4;
/// Requests that are read or wait to be unpacked, as when the disk is slow; further ones are told to come again later.
const MAX_REQUESTS: usize = 256;
/// Memory of what one request holds, where there is plenty: four times what it may have once it is unpacked.
const MAX_OBJECT_BYTES: usize = 256 << 20;
/// The same where there is little: more than honest senders put into a request.
const MIN_OBJECT_BYTES: usize = 16 << 20;

/// Takes what is sent. A cheap handle.
#[derive(Clone)]
pub(crate) struct Ingest {
    store: Store,
    exemplars: Exemplars,
    limits: IngestLimits,
    slots: Arc<Semaphore>,
    requests: Arc<Semaphore>,
}

/// What one request may cost. Each is a setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IngestLimits {
    /// Bytes as they come.
    pub body_bytes: usize,
    /// Bytes once they are unpacked.
    pub decompressed_bytes: usize,
    /// Bytes of memory of what is in it.
    pub object_bytes: usize,
}

impl IngestLimits {
    /// Those of a server whose process may take so many bytes of memory: all requests that are unpacked at once have an eighth of it, and
    /// none is longer than what `bodies` has for all that arrive.
    #[must_use]
    pub(crate) fn of(limits: &Limits, bodies: &MemoryBudget) -> Self {
        let part = limits.memory / 8 / (REQUESTS_AT_ONCE as u64);
        IngestLimits {
            body_bytes: limits.write_body_bytes.min(usize::try_from(bodies.limit()).unwrap_or(usize::MAX)),
            decompressed_bytes: limits.write_unpacked_bytes,
            object_bytes: usize::try_from(part).unwrap_or(usize::MAX).clamp(MIN_OBJECT_BYTES, MAX_OBJECT_BYTES),
        }
    }
}

impl Ingest {
    /// Writes samples to `store`, and exemplars to `exemplars`.
    #[must_use]
    pub(crate) fn new(store: Store, exemplars: Exemplars, limits: IngestLimits) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let (slots, requests) = (semaphore(REQUESTS_AT_ONCE), semaphore(MAX_REQUESTS));
        Ingest { store, exemplars, limits, slots, requests }
    }

    /// `POST /api/v1/write`.
    #[must_use]
    pub(crate) fn routes(self) -> Vec<Route> {
        vec![Route::post("/api/v1/write", Rights::OWN.of(Who::Writers), write::write).with_state(self)]
    }
}
