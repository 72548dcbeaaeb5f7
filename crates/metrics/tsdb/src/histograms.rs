//! The unsealed native histograms of one series. Most series have none.

use std::sync::Arc;

use timeseries::histogram::{Histogram, ResetHint};

use crate::chunk::{HistogramColumn, OpenHistograms};

/// Maximum number of buckets and custom bounds of a histogram, so that one always fits the log.
pub(crate) const MAX_BUCKETS: usize = 16_384;

/// Unsealed histograms of a series.
#[derive(Debug, Default)]
pub(crate) struct Histograms {
    pub(crate) open: OpenHistograms,
    /// The last one of the series, sealed or not.
    pub(crate) newest: Option<(i64, Arc<Histogram>)>,
    /// Late histograms, sorted by time.
    pub(crate) late: HistogramColumn,
}

impl Histograms {
    /// Number of histograms.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.open.count()).unwrap_or(0) + self.late.len()
    }

    /// Time ranges of the open chunk and of the late histograms.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (i64, i64)> {
        let late = self.late.first().zip(self.late.last()).map(|(first, last)| (first.0, last.0));
        self.open.span().into_iter().chain(late)
    }

    /// Heap size in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        let kept = self.late.iter().chain(&self.newest).map(|(_, histogram)| weight(histogram)).sum::<usize>();
        size_of::<Self>() + self.open.heap_bytes() + kept
    }
}

/// Memory of a histogram in bytes.
fn weight(histogram: &Histogram) -> usize {
    let buckets = histogram.positive.capacity() + histogram.negative.capacity();
    size_of::<Histogram>() + buckets * size_of::<(i32, f64)>() + histogram.custom_bounds.len() * size_of::<f64>()
}

/// Number of buckets and custom bounds of a histogram.
pub(crate) fn bucket_count(histogram: &Histogram) -> usize {
    histogram.positive.len() + histogram.negative.len() + histogram.custom_bounds.len()
}

/// Sorts histograms by time if necessary; of equal times the first one stays.
pub(crate) fn put_in_order(column: &mut HistogramColumn) {
    let rising = column.windows(2).all(|pair| matches!(pair, [before, after] if before.0 < after.0));
    if !rising {
        column.sort_by_key(|(time, _)| *time);
        column.dedup_by_key(|(time, _)| *time);
    }
}

/// Sets the counter reset hint of histograms that have none, by comparing each with the previous one. This is done at
/// read time, because late histograms may be inserted between two others. `floats` are the times of the series' floats.
pub(crate) fn note_resets(column: &mut HistogramColumn, floats: &[i64]) {
    let mut before: Option<(i64, Arc<Histogram>)> = None;
    for (time, histogram) in column {
        let follows = before.take().filter(|(earlier, before)| {
            let next_float = floats.partition_point(|float| float < earlier);
            let apart = floats.get(next_float).is_some_and(|float| *float < *time);
            !apart && before.reset_hint != ResetHint::Gauge && !before.is_stale_marker()
        });
        if let Some((_, before)) = follows
            && histogram.reset_hint == ResetHint::Unknown
            && !histogram.is_stale_marker()
        {
            let hint = if histogram.detects_reset(&before) { ResetHint::Reset } else { ResetHint::NotReset };
            Arc::make_mut(histogram).reset_hint = hint;
        }
        before = Some((*time, Arc::clone(histogram)));
    }
}
