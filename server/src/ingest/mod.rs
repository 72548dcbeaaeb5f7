//! Remote write: samples that other programs send, into the embedded store.
//!
//! A sample is acknowledged once it is in the store's log. Samples that cannot be taken do not keep the rest of their request out, and
//! are told with the status by which Prometheus' senders do not send them again.

mod exemplars;
mod headers;
mod write;

use std::sync::Arc;

use axum::{Router, routing::post};
use store::Store;
use tokio::sync::Semaphore;

pub use self::exemplars::{Exemplars, SeriesExemplars};

/// Requests that are unpacked at once: each may take much memory for a moment.
const REQUESTS_AT_ONCE: usize = 4;

/// Takes what is sent. A cheap handle.
#[derive(Clone)]
pub struct Ingest {
    store: Store,
    exemplars: Exemplars,
    limits: IngestLimits,
    slots: Arc<Semaphore>,
}

/// What one request may cost. Each is a setting.
#[derive(Debug, Clone, Copy)]
pub struct IngestLimits {
    /// Bytes as they come.
    pub body_bytes: usize,
    /// Bytes once they are unpacked.
    pub decompressed_bytes: usize,
}

impl Ingest {
    /// Writes samples to `store`, and exemplars to `exemplars`.
    #[must_use]
    pub fn new(store: Store, exemplars: Exemplars, limits: IngestLimits) -> Self {
        Ingest { store, exemplars, limits, slots: Arc::new(Semaphore::new(REQUESTS_AT_ONCE)) }
    }

    /// `POST /api/v1/write`.
    pub fn routes<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        Router::new().route("/api/v1/write", post(write::write)).with_state(self)
    }
}
