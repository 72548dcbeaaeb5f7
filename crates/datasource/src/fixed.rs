//! Queries over a fixed time range, for which there is no live query.

use access::Scope;
use model::{dashboard::Query, frame::Frame, panel::QueryState, range::TimeRange};

use crate::{Engines, QueryError};

/// Rounds `range_ms` to whole steps, so that repeated queries have the same points.
pub fn aligned((start_ms, end_ms): (i64, i64), step_ms: i64) -> (i64, i64) {
    let align = |ms: i64| ms.div_euclid(step_ms).saturating_mul(step_ms);
    (align(start_ms), align(end_ms))
}

/// Evaluates `query` over `range_ms` on its engine; steps are multiples of `step_ms`, which must be positive.
///
/// # Errors
///
/// As [`crate::Backend::range`], or there is no such engine.
pub async fn frame(
    engines: &Engines,
    scope: &Scope,
    query: &Query,
    range_ms: (i64, i64),
    step_ms: i64,
) -> Result<Frame, QueryError> {
    let scoped = scope.query(&query.expr)?;
    let engine = engines.get(query.engine.as_deref())?;
    if query.instant {
        return engine.instant(&scoped, range_ms.1).await;
    }
    let (start_ms, end_ms) = aligned(range_ms, step_ms);
    engine.range(&scoped, start_ms, end_ms, step_ms).await
}

/// The result or error of a query over `range`, for a panel.
pub async fn state(engines: &Engines, scope: &Scope, query: &Query, range: TimeRange, now_ms: i64) -> QueryState {
    match frame(engines, scope, query, range.resolve(now_ms), range.step_ms(now_ms)).await {
        Ok(frame) => QueryState::Ready { frame, stale: None },
        Err(error) => QueryState::Failed { message: error.message },
    }
}
