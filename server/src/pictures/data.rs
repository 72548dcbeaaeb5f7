//! The data of a panel whose time is fixed: nobody follows it, so no live query is kept for it.

use std::collections::BTreeMap;

use model::{dashboard::Query, frame::Series, panel::QueryState, range::TimeRange};

use crate::query::{Engines, Scope};

/// Where a query stands over `range`, asked of its engine.
pub(crate) async fn evaluated(
    engines: &Engines,
    scope: &Scope,
    query: &Query,
    range: TimeRange,
    now_ms: i64,
) -> QueryState {
    let step_ms = range.step_ms(now_ms);
    let (start_ms, end_ms) = range.resolve(now_ms);
    let result = async {
        let scoped = scope.query(&query.expr)?;
        let engine = engines.get(query.engine.as_deref())?;
        if query.instant {
            engine.instant(&scoped, end_ms).await
        } else {
            let align = |ms: i64| ms.div_euclid(step_ms) * step_ms;
            engine.range(&scoped, align(start_ms), align(end_ms), step_ms).await
        }
    };
    match result.await {
        Ok(frame) => QueryState::Ready { frame, stale: None },
        Err(error) => QueryState::Failed { message: error.message },
    }
}

/// The series of an expression that an alert with these labels is about, among those of its like.
pub(crate) fn narrowed(state: QueryState, labels: &BTreeMap<String, String>) -> QueryState {
    let QueryState::Ready { mut frame, stale } = state else { return state };
    let is_its = |series: &Series| {
        series.labels.iter().all(|(name, value)| name == "__name__" || labels.get(name) == Some(value))
    };
    // An expression whose labels the rule replaced shows all its series.
    if frame.series.iter().any(is_its) {
        frame.series.retain(is_its);
    }
    QueryState::Ready { frame, stale }
}
