//! Runs PromQL on our engine over the embedded store, or on a remote Prometheus-compatible engine.
//!
//! Pages and live queries get [`Frame`]s and do not know which; the HTTP API returns Prometheus' JSON.

mod admission;
mod anchoring;
mod answer;
mod client;
pub mod cost;
mod coverage;
mod embedded;
mod engines;
mod exemplars;
mod failure;
mod fields;
pub mod fixed;
pub mod freshness;
mod label_mapping;
mod learned;
mod metric_names;
mod names;
mod options;
mod prometheus;
mod read_threads;
mod response_cache;
mod schedule;
mod source_health;
mod transport;
mod words;

pub use self::embedded::{Embedded, EvalTime, Evaluated, QuerySettings};
pub use self::exemplars::{ExemplarFilter, Exemplars, SeriesExemplars};
pub use self::freshness::Freshness;
pub use self::prometheus::{Prometheus, Steps, UNSETTLED_MS};
pub use self::source_health::SourceHealth;

use std::sync::Arc;

use access::{ScopeError, ScopedQuery};
use model::frame::Frame;

pub use crate::admission::{Admission, ReadPermit};
pub use crate::client::EngineError;
pub use crate::engines::Engines;
pub use crate::options::{EMBEDDED, EngineAuth, EngineConfig, EngineSettings, EngineTls};
pub use crate::schedule::ReadScheduler;
pub use crate::schedule::Reading;
pub use crate::transport::EngineResponse;

/// A query engine. Cheap to clone.
#[derive(Clone)]
pub enum Backend {
    /// Our engine over our store.
    Embedded(Arc<Embedded>),
    /// A remote engine with Prometheus' HTTP API.
    Prometheus(Arc<Prometheus>),
}

impl Backend {
    /// Evaluates a query at each step of `start_ms..=end_ms`.
    ///
    /// # Errors
    ///
    /// The query is invalid, too large or too slow, or the engine is not reachable.
    pub async fn range(
        &self,
        written: &ScopedQuery,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> Result<Frame, QueryError> {
        let renamed = self.as_sent(written).await;
        let query = renamed.as_ref().unwrap_or(written);
        let frame = match self {
            Backend::Embedded(engine) => engine.range_frame(query, start_ms, end_ms, step_ms).await?,
            Backend::Prometheus(engine) => engine.range_frame(query, start_ms, end_ms, step_ms).await?,
        };
        Ok(self.sent_as(frame, written, renamed.as_ref()))
    }

    /// Evaluates a query at one time: a frame with one point per series.
    ///
    /// # Errors
    ///
    /// As [`Backend::range`].
    pub async fn instant(&self, written: &ScopedQuery, time_ms: i64) -> Result<Frame, QueryError> {
        let renamed = self.as_sent(written).await;
        let query = renamed.as_ref().unwrap_or(written);
        let frame = match self {
            Backend::Embedded(engine) => engine.instant_frame(query, time_ms).await?,
            Backend::Prometheus(engine) => engine.instant_frame(query, time_ms).await?,
        };
        Ok(self.sent_as(frame, written, renamed.as_ref()))
    }

    /// Adds a remark about how the query was rewritten.
    fn sent_as(&self, frame: Frame, written: &ScopedQuery, renamed: Option<&ScopedQuery>) -> Frame {
        let sent = self.sent_text(renamed.unwrap_or(written), renamed.is_some());
        Frame { sent, estimated: renamed.is_some_and(|renamed| renamed.estimates(written)), ..frame }
    }

    /// The text that the engine got, if it differs from what the user wrote.
    fn sent_text(&self, query: &ScopedQuery, is_renamed: bool) -> Option<String> {
        match self {
            Backend::Embedded(_) => is_renamed.then(|| query.text().to_owned()),
            Backend::Prometheus(engine) => {
                engine.renamed_text(query).or_else(|| is_renamed.then(|| query.text().to_owned()))
            }
        }
    }

    /// The query with the metric names that the source has, and without modifiers that it does not support; `None` if
    /// it is sent as written.
    pub async fn as_sent(&self, query: &ScopedQuery) -> Option<ScopedQuery> {
        match self {
            Backend::Embedded(engine) => engine.as_sent(query).await,
            Backend::Prometheus(engine) => engine.as_sent(query).await,
        }
    }
}

/// Limits of a query, each configurable.
#[derive(Debug, Clone)]
pub struct QueryLimits {
    /// Timeout.
    pub timeout: std::time::Duration,
    /// Maximum number of points per series in a range query (Prometheus: 11,000).
    pub max_points_per_series: usize,
    /// Maximum number of series in a query.
    pub max_series: usize,
    /// Maximum size of a response, in bytes.
    pub max_response_bytes: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        QueryLimits {
            timeout: std::time::Duration::from_secs(30),
            max_points_per_series: 11_000,
            max_series: 50_000,
            max_response_bytes: 64 << 20,
        }
    }
}

/// A query that failed, by Prometheus' error types.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// Kind.
    pub kind: ErrorKind,
    /// What is wrong, where, and how to fix it.
    pub message: String,
}

impl QueryError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        QueryError { kind, message: message.into() }
    }
}

impl From<ScopeError> for QueryError {
    fn from(error: ScopeError) -> Self {
        QueryError::new(ErrorKind::BadData, error.message)
    }
}

/// Prometheus' `errorType`s (HTTP API documentation, "Format overview").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A parameter or the query is invalid.
    BadData,
    /// The query cannot be executed, or exceeds a limit.
    Execution,
    /// Timeout.
    Timeout,
    /// The engine is not reachable or overloaded.
    Unavailable,
    /// The object or the endpoint does not exist.
    NotFound,
    /// A bug.
    Internal,
    /// The server's memory limit is reached.
    Busy,
    /// The token sends too many requests.
    TooMany,
}

impl ErrorKind {
    /// Name in the envelope.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::BadData => "bad_data",
            ErrorKind::Execution => "execution",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::NotFound => "not_found",
            ErrorKind::Internal => "internal",
            ErrorKind::Busy => "unavailable",
            // The name in Mimir and Thanos; Prometheus has none.
            ErrorKind::TooMany => "too_many_requests",
        }
    }

    /// Name in the live protocol.
    #[must_use]
    pub fn live_code(self) -> &'static str {
        match self {
            ErrorKind::BadData => "bad_query",
            ErrorKind::Execution | ErrorKind::TooMany => "limit",
            ErrorKind::NotFound => "bad_query",
            ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Internal | ErrorKind::Busy => "unavailable",
        }
    }
}
