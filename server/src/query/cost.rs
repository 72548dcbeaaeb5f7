//! What a read over our own store takes, in bytes, before it runs. Samples and points are what it reads and computes; the evaluation keeps
//! to a number of them, so that an estimate that is too low is no way around a limit.

use labels::Matcher;
use promql::{Options, Query, Value};
use store::{Store, Volume};

use super::embedded::When;

/// A sample or point: its time and its value.
pub(super) const SAMPLE_BYTES: usize = 16;
/// A series while it is read and computed: columns, cursors, labels of the result.
const SERIES_BYTES: usize = 512;
/// A series in a list: its labels as they are written.
const LISTED_BYTES: usize = 384;

/// Of an evaluation.
pub(super) fn of_query(query: &Query, store: &Store, when: When, options: &Options) -> u64 {
    let (start_ms, end_ms, step_ms) = match when {
        When::At(time_ms) => (time_ms, time_ms, 0),
        When::Range { start_ms, end_ms, step_ms } => (start_ms, end_ms, step_ms),
    };
    let steps = end_ms.saturating_sub(start_ms).checked_div(step_ms).unwrap_or_default().max(0);
    let steps = usize::try_from(steps).unwrap_or(usize::MAX).saturating_add(1);
    let of_selector = |bounds: promql::SelectorBounds| {
        let Volume { series, samples } = store.volume(&bounds.matchers, bounds.start_ms, bounds.end_ms);
        let series = series.min(options.max_series);
        let samples = usize::try_from(samples).unwrap_or(usize::MAX);
        let held = samples.saturating_add(series.saturating_mul(steps));
        held.saturating_mul(SAMPLE_BYTES).saturating_add(series.saturating_mul(SERIES_BYTES))
    };
    let selectors = query.selectors(start_ms, end_ms, step_ms, options);
    bytes(selectors.into_iter().map(of_selector).fold(0, usize::saturating_add))
}

/// Of the list of what selectors find.
pub(super) fn of_list(store: &Store, selectors: &[Vec<Matcher>], (start_ms, end_ms): (i64, i64)) -> u64 {
    let series = selectors.iter().map(|matchers| store.volume(matchers, start_ms, end_ms).series);
    bytes(series.fold(0, usize::saturating_add).saturating_mul(LISTED_BYTES))
}

/// Of a page with the newest sample of each series that selectors find.
pub(super) fn of_page(store: &Store, selectors: &[Vec<Matcher>], (start_ms, end_ms): (i64, i64)) -> u64 {
    let volumes = selectors.iter().map(|matchers| store.volume(matchers, start_ms, end_ms));
    let each = volumes.map(|Volume { series, samples }| {
        let samples = usize::try_from(samples).unwrap_or(usize::MAX);
        let texts = series.saturating_mul(SERIES_BYTES + LISTED_BYTES);
        samples.saturating_mul(SAMPLE_BYTES).saturating_add(texts)
    });
    bytes(each.fold(0, usize::saturating_add))
}

/// Of a result, with the frame or the text that is made of it.
pub(super) fn of_value(value: &Value) -> u64 {
    let (series, points) = match value {
        Value::Vector(samples) => (samples.len(), samples.len()),
        Value::Matrix(matrix) => (matrix.len(), matrix.iter().map(|series| series.timestamps.len()).sum()),
        Value::Scalar { .. } | Value::String { .. } => (1, 1),
    };
    bytes(series.saturating_mul(SERIES_BYTES * 2).saturating_add(points.saturating_mul(SAMPLE_BYTES * 2)))
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
