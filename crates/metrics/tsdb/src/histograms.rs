//! The native histograms of one series that are not in a sealed chunk. Most series have none of this.

use std::sync::Arc;

use timeseries::histogram::{Histogram, ResetHint};

use crate::chunk::{HistogramColumn, OpenHistograms};

/// Buckets and custom bounds of a histogram at most, so that one always fits the log.
pub(crate) const MAX_BUCKETS: usize = 16_384;

/// Unsealed histograms of a series.
#[derive(Debug, Default)]
pub(crate) struct Histograms {
    pub(crate) open: OpenHistograms,
    /// The newest of the series, sealed or not.
    pub(crate) newest: Option<(i64, Arc<Histogram>)>,
    /// Histograms that came late, sorted by time.
    pub(crate) late: HistogramColumn,
}

impl Histograms {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.open.count()).unwrap_or(0) + self.late.len()
    }

    /// Times of the open chunk and of the late ones.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (i64, i64)> {
        let late = self.late.first().zip(self.late.last()).map(|(first, last)| (first.0, last.0));
        self.open.span().into_iter().chain(late)
    }

    /// Bytes of heap held.
    pub(crate) fn heap_bytes(&self) -> usize {
        let kept = self.late.iter().chain(&self.newest).map(|(_, histogram)| weight(histogram)).sum::<usize>();
        size_of::<Self>() + self.open.heap_bytes() + kept
    }
}

/// Bytes that a histogram takes.
fn weight(histogram: &Histogram) -> usize {
    let buckets = histogram.positive.capacity() + histogram.negative.capacity();
    size_of::<Histogram>() + buckets * size_of::<(i32, f64)>() + histogram.custom_bounds.len() * size_of::<f64>()
}

/// Buckets and custom bounds of a histogram.
pub(crate) fn bucket_count(histogram: &Histogram) -> usize {
    histogram.positive.len() + histogram.negative.len() + histogram.custom_bounds.len()
}

/// Puts histograms in order of time if they are not, and keeps the first of equal times.
pub(crate) fn put_in_order(column: &mut HistogramColumn) {
    let rising = column.windows(2).all(|pair| matches!(pair, [before, after] if before.0 < after.0));
    if !rising {
        column.sort_by_key(|(time, _)| *time);
        column.dedup_by_key(|(time, _)| *time);
    }
}

/// Says of each histogram that follows another one whether its counts started again, where nothing was said. It is told here and not
/// when they come, because what comes late may lie between two of them. `floats` are the times of the series' other samples.
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
