//! What a picture of an alert shows of its expression.

use std::collections::BTreeMap;

use model::{frame::Series, panel::QueryState};

/// The series of an expression that an alert with these labels is about, among those of its like.
pub fn narrowed(state: QueryState, labels: &BTreeMap<String, String>) -> QueryState {
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
