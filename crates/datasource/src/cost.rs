//! Estimates the memory of a read over our own store before it runs, in bytes. The estimate counts samples to read and
//! points to compute. The evaluation itself is limited to a number of them, so that a low estimate cannot bypass the
//! limit.

use labels::Matcher;
use promql::{Options, Query, Value};
use tsdb::{Store, Volume};

use crate::{embedded::EvalTime, schedule::Reading};

/// Size of a sample or point: time and value.
pub const SAMPLE_BYTES: usize = 16;
/// Memory of a series during evaluation: columns, cursors, labels of the result.
const SERIES_BYTES: usize = 512;
/// Memory of a series in a list: its labels as text.
const LISTED_BYTES: usize = 384;

/// Cost of a query.
pub fn of_query(query: &Query, store: &Store, when: EvalTime, options: &Options, reading: &Reading) -> u64 {
    let (start_ms, end_ms, step_ms) = match when {
        EvalTime::At(time_ms) => (time_ms, time_ms, 0),
        EvalTime::Range { start_ms, end_ms, step_ms } => (start_ms, end_ms, step_ms),
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
    sum(selectors.into_iter().map(of_selector), reading)
}

/// Cost of a list of the series that selectors match.
pub fn of_list(store: &Store, selectors: &[Vec<Matcher>], (start_ms, end_ms): (i64, i64), reading: &Reading) -> u64 {
    let series = selectors.iter().map(|matchers| store.volume(matchers, start_ms, end_ms).series);
    sum(series.map(|series| series.saturating_mul(LISTED_BYTES)), reading)
}

/// Cost of a page with the last sample of each series that selectors match.
pub fn of_page(store: &Store, selectors: &[Vec<Matcher>], (start_ms, end_ms): (i64, i64), reading: &Reading) -> u64 {
    let volumes = selectors.iter().map(|matchers| store.volume(matchers, start_ms, end_ms));
    let each = volumes.map(|Volume { series, samples }| {
        let samples = usize::try_from(samples).unwrap_or(usize::MAX);
        let texts = series.saturating_mul(SERIES_BYTES + LISTED_BYTES);
        samples.saturating_mul(SAMPLE_BYTES).saturating_add(texts)
    });
    sum(each, reading)
}

/// Cost of a result, including the frame or text made of it.
pub fn of_value(value: &Value) -> u64 {
    let (series, points) = match value {
        Value::Vector(samples) => (samples.len(), samples.len()),
        Value::Matrix(matrix) => (matrix.len(), matrix.iter().map(|series| series.timestamps.len()).sum()),
        Value::Scalar { .. } | Value::String { .. } => (1, 1),
    };
    bytes(series.saturating_mul(SERIES_BYTES * 2).saturating_add(points.saturating_mul(SAMPLE_BYTES * 2)))
}

/// Sums the parts. Stops at the maximum for a single read, and when nobody waits for it.
fn sum(parts: impl Iterator<Item = usize>, reading: &Reading) -> u64 {
    let mut sum = 0_u64;
    for part in parts {
        sum = sum.saturating_add(bytes(part));
        if sum > reading.most_bytes() || reading.is_over() {
            break;
        }
    }
    sum
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use budget::Budgets;

    use super::*;
    use crate::{ErrorKind, ReadScheduler};

    #[tokio::test]
    async fn what_takes_more_than_any_read_may_is_not_looked_up_to_its_end() {
        let scheduler = ReadScheduler::new(&Budgets::of(1 << 30), 2, Duration::from_secs(10));
        let looked_up = Arc::new(AtomicUsize::default());
        let counter = Arc::clone(&looked_up);
        let parts = (0..100_000).map(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            100 << 20
        });
        let refused = scheduler.run_sized(move |reading| sum(parts, reading), |_| ()).await.err().unwrap();
        assert_eq!((refused.kind, looked_up.load(Ordering::Relaxed)), (ErrorKind::Execution, 2));
    }
}
