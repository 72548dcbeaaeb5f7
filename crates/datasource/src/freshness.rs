//! Whether a response may use cached results.
//!
//! The headers of an HTTP request decide this, and the caches are many layers below. To avoid a parameter in every
//! layer, it is a task-local value.

use std::time::Instant;

/// Which caches to bypass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// None.
    Any,
    /// Caches of query results.
    Results,
    /// Result caches, and what is cached about the engine: its metric names.
    All,
}

tokio::task_local! {
    static WANTED: (Freshness, Instant);
}

/// The freshness that the current task requires.
pub fn wanted() -> Freshness {
    WANTED.try_with(|(wanted, _)| *wanted).unwrap_or(Freshness::Any)
}

/// If caches must be bypassed: since when, so that results of requests sent after that are fresh enough.
pub fn since() -> Option<Instant> {
    WANTED.try_with(|(wanted, since)| (*wanted > Freshness::Any).then_some(*since)).ok().flatten()
}

/// Whether information about an engine from time `at` is fresh enough.
pub fn is_known(at: Instant) -> bool {
    WANTED.try_with(|(wanted, since)| *wanted < Freshness::All || at >= *since).unwrap_or(true)
}

/// Runs a future that requires this freshness.
pub async fn with<T>(freshness: Freshness, act: impl Future<Output = T>) -> T {
    WANTED.scope((freshness, Instant::now()), act).await
}
