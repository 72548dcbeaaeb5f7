//! Whether an answer may come from what was kept of an earlier one.
//!
//! It is said by a request's headers, far above the caches that it concerns: what lies between passes nothing on. So it goes with the
//! task that answers the request.

use std::time::Instant;

/// What must be asked of an engine again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// Nothing.
    Any,
    /// Results of queries.
    Results,
    /// Results, and what is known of the engine: which names it has.
    All,
}

tokio::task_local! {
    static WANTED: (Freshness, Instant);
}

/// How fresh the current task's answer has to be.
pub fn wanted() -> Freshness {
    WANTED.try_with(|(wanted, _)| *wanted).unwrap_or(Freshness::Any)
}

/// Since when the current task's answer is wanted, where nothing that was asked of an engine before is fresh enough.
pub fn since() -> Option<Instant> {
    WANTED.try_with(|(wanted, since)| (*wanted > Freshness::Any).then_some(*since)).ok().flatten()
}

/// Whether what was asked of an engine `at` a time is fresh enough to count as known.
pub fn is_known(at: Instant) -> bool {
    WANTED.try_with(|(wanted, since)| *wanted < Freshness::All || at >= *since).unwrap_or(true)
}

/// Does something whose answer has to be so fresh.
pub async fn with<T>(freshness: Freshness, act: impl Future<Output = T>) -> T {
    WANTED.scope((freshness, Instant::now()), act).await
}
