//! A query over a fixed time: nobody follows it, so no live query is kept for it.

use model::{dashboard::Query, frame::Frame, panel::QueryState, range::TimeRange};

use super::{Engines, QueryError, Scope};

/// What `query` gives over `start_ms..=end_ms`, asked of its engine: steps are multiples of `step_ms`, which must be positive.
///
/// # Errors
/// As [`super::Backend::range`], or there is no such engine.
pub(crate) async fn frame(
    engines: &Engines,
    scope: &Scope,
    query: &Query,
    (start_ms, end_ms): (i64, i64),
    step_ms: i64,
) -> Result<Frame, QueryError> {
    let scoped = scope.query(&query.expr)?;
    let engine = engines.get(query.engine.as_deref())?;
    if query.instant {
        return engine.instant(&scoped, end_ms).await;
    }
    let align = |ms: i64| ms.div_euclid(step_ms).saturating_mul(step_ms);
    engine.range(&scoped, align(start_ms), align(end_ms), step_ms).await
}

/// Where a query stands over `range`.
pub(crate) async fn state(
    engines: &Engines,
    scope: &Scope,
    query: &Query,
    range: TimeRange,
    now_ms: i64,
) -> QueryState {
    match frame(engines, scope, query, range.resolve(now_ms), range.step_ms(now_ms)).await {
        Ok(frame) => QueryState::Ready { frame, stale: None },
        Err(error) => QueryState::Failed { message: error.message },
    }
}
