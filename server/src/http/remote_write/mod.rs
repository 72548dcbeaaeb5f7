//! Remote write: stores samples that other programs send.
//!
//! A sample is acknowledged once it is in the store's log. Rejected samples do not block the rest of their request;
//! they are reported with a status that stops Prometheus' senders from retrying them.

mod headers;
mod write;

use std::sync::Arc;

use budget::MemoryBudget;
use datasource::Exemplars;
use tokio::sync::Semaphore;
use tsdb::Store;

use super::{Rights, Route, Who};
use crate::config::Limits;

/// Maximum number of requests that are decompressed concurrently, because each may need much memory for a moment.
const REQUESTS_AT_ONCE: usize = 4;
/// Maximum number of requests that are received or wait for decompression, for example if the disk is slow; further
/// ones get `Retry-After`.
const MAX_REQUESTS: usize = 256;
/// Memory for the content of one request on a large machine: four times the decompressed limit.
const MAX_OBJECT_BYTES: usize = 256 << 20;
/// The same on a small machine: more than regular senders put into a request.
const MIN_OBJECT_BYTES: usize = 16 << 20;

/// Accepts remote writes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ingest {
    store: Store,
    exemplars: Exemplars,
    limits: IngestLimits,
    slots: Arc<Semaphore>,
    requests: Arc<Semaphore>,
}

/// Limits of one request, each configurable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IngestLimits {
    /// Maximum size of the body, in bytes.
    pub body_bytes: usize,
    /// Maximum decompressed size, in bytes.
    pub decompressed_bytes: usize,
    /// Maximum memory of its content, in bytes.
    pub object_bytes: usize,
}

impl IngestLimits {
    /// The limits for a process with this memory: all concurrently decompressed requests together use at most an eighth
    /// of it, and one body at most the budget of `bodies` for all.
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
