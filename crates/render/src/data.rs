//! The data of an alert's image.

use std::collections::BTreeMap;

use model::{frame::Series, panel::QueryState};

/// The series of an expression that belongs to an alert with these labels, without the others.
pub fn narrowed(state: QueryState, labels: &BTreeMap<String, String>) -> QueryState {
    let QueryState::Ready { mut frame, stale } = state else { return state };
    let is_its = |series: &Series| {
        series.labels.iter().all(|(name, value)| name == "__name__" || labels.get(name) == Some(value))
    };
    // If the rule replaced the labels, all series of the expression are shown.
    if frame.series.iter().any(is_its) {
        frame.series.retain(is_its);
    }
    QueryState::Ready { frame, stale }
}
