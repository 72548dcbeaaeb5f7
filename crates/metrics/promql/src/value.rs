//! Results of expressions, as columns over the steps of the query.

use std::sync::Arc;

use labels::Labels;
use timeseries::{STALE_NAN, Sample, histogram::Histogram, is_stale_marker};

/// The evaluation times: `start_ms`, `start_ms + step_ms`, …, `count` of them. An instant query has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) start_ms: i64,
    pub(crate) step_ms: i64,
    pub(crate) count: usize,
}

impl Steps {
    /// A single time.
    pub(crate) fn instant(time_ms: i64) -> Self {
        Steps { start_ms: time_ms, step_ms: 1, count: 1 }
    }

    /// All multiples of `step_ms` from `start_ms` to `end_ms`, both inclusive. Empty if the end is before the start.
    pub(crate) fn range(start_ms: i64, end_ms: i64, step_ms: i64) -> Self {
        let step_ms = step_ms.max(1);
        let span = end_ms.saturating_sub(start_ms);
        let count = if span < 0 { 0 } else { usize::try_from(span / step_ms).unwrap_or(usize::MAX).saturating_add(1) };
        Steps { start_ms, step_ms, count }
    }

    /// The last time; the first one if there is none.
    pub(crate) fn end_ms(&self) -> i64 {
        let steps = i64::try_from(self.count.saturating_sub(1)).unwrap_or(i64::MAX);
        self.start_ms.saturating_add(self.step_ms.saturating_mul(steps))
    }

    /// Each time in order.
    pub(crate) fn times(self) -> impl ExactSizeIterator<Item = i64> {
        let mut next = self.start_ms;
        (0..self.count).map(move |_| {
            let time = next;
            next = next.saturating_add(self.step_ms);
            time
        })
    }
}

/// At most one value per step. Histograms are rare: their column is empty until the first one is set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Column {
    /// One float per step; a stale marker if there is none. No computation yields these bits, so no bitmap is needed.
    values: Vec<f64>,
    /// A histogram per step, or an empty list.
    histograms: Vec<Option<Arc<Histogram>>>,
}

impl Column {
    /// A column without any value.
    pub(crate) fn absent(steps: usize) -> Self {
        Column { values: vec![STALE_NAN; steps], histograms: Vec::new() }
    }

    /// A column of floats, with a stale marker for a missing one.
    pub(crate) fn from_values(values: Vec<f64>) -> Self {
        Column { values, histograms: Vec::new() }
    }

    /// The same value at each step.
    pub(crate) fn constant(sample: Sample, steps: usize) -> Self {
        match sample {
            Sample::Float(value) => Column { values: vec![value; steps], histograms: Vec::new() },
            Sample::Histogram(histogram) => {
                Column { values: vec![STALE_NAN; steps], histograms: vec![Some(histogram); steps] }
            }
        }
    }

    /// Number of steps.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The floats, with a stale marker for a missing one.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The floats, mutable; histograms are dropped.
    pub(crate) fn values_mut(&mut self) -> &mut [f64] {
        self.histograms = Vec::new();
        &mut self.values
    }

    /// True if some step may have a histogram.
    pub(crate) fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    /// The float at a step.
    pub(crate) fn float(&self, step: usize) -> Option<f64> {
        self.values.get(step).copied().filter(|value| !is_stale_marker(*value))
    }

    /// The histogram at a step.
    pub(crate) fn histogram(&self, step: usize) -> Option<&Arc<Histogram>> {
        self.histograms.get(step).and_then(Option::as_ref)
    }

    /// The value at a step.
    pub(crate) fn get(&self, step: usize) -> Option<Sample> {
        match self.histogram(step) {
            Some(histogram) => Some(Sample::Histogram(Arc::clone(histogram))),
            None => self.float(step).map(Sample::Float),
        }
    }

    /// True if there is a value at a step.
    pub(crate) fn is_present(&self, step: usize) -> bool {
        self.float(step).is_some() || self.histogram(step).is_some()
    }

    /// Replaces the value at a step.
    pub(crate) fn set(&mut self, step: usize, sample: Option<Sample>) {
        let (value, histogram) = match sample {
            None => (STALE_NAN, None),
            Some(Sample::Float(value)) => (value, None),
            Some(Sample::Histogram(histogram)) => (STALE_NAN, Some(histogram)),
        };
        if let Some(slot) = self.values.get_mut(step) {
            *slot = value;
        }
        if histogram.is_some() && self.histograms.is_empty() {
            self.histograms = vec![None; self.values.len()];
        }
        if let Some(slot) = self.histograms.get_mut(step) {
            *slot = histogram;
        }
    }

    /// The floats, with a stale marker for a missing one, by value.
    pub(crate) fn into_values(self) -> Vec<f64> {
        self.values
    }

    /// True if some step has a float.
    pub(crate) fn has_floats(&self) -> bool {
        self.values.iter().any(|value| !is_stale_marker(*value))
    }

    /// True if no step has a value.
    pub(crate) fn is_absent(&self) -> bool {
        !self.has_floats() && self.histograms.iter().all(Option::is_none)
    }

    /// Fills the gaps with another column's values; false if both have a value at some step.
    pub(crate) fn fill_from(&mut self, other: &Column) -> bool {
        (0..other.len()).all(|step| match other.get(step) {
            None => true,
            Some(_) if self.is_present(step) => false,
            sample => {
                self.set(step, sample);
                true
            }
        })
    }
}

/// A series of an instant vector, at every step.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    /// Whether the metric name is no longer valid. It is dropped at the end of the query, so that label functions still
    /// see it.
    pub(crate) drop_name: bool,
    pub(crate) column: Column,
}

/// A series with samples at their own times, for range functions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Track {
    pub(crate) labels: Labels,
    pub(crate) drop_name: bool,
    pub(crate) times: Vec<i64>,
    pub(crate) values: Vec<f64>,
    pub(crate) histograms: Vec<(i64, Arc<Histogram>)>,
}

/// The result of a node over all steps.
#[derive(Debug, Clone)]
pub(crate) enum Computed {
    /// One number per step.
    Scalar(Vec<f64>),
    /// A string, the same at each step.
    Text(String),
    /// Series with at most one value per step.
    Vector(Vec<Series>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_include_both_ends() {
        assert_eq!(Steps::range(0, 30, 10).count, 4);
        assert_eq!(Steps::range(0, 29, 10).count, 3);
        assert_eq!(Steps::range(5, 5, 10).count, 1);
        assert_eq!(Steps::range(5, 4, 10).count, 0);
        assert_eq!(Steps::range(0, 30, 10).end_ms(), 30);
    }

    #[test]
    fn a_nan_is_a_value_and_the_marker_is_none() {
        let mut column = Column::absent(2);
        column.set(0, Some(Sample::Float(f64::NAN)));
        assert!(column.is_present(0));
        assert!(!column.is_present(1));
    }

    #[test]
    fn columns_merge_unless_they_overlap() {
        let mut left = Column::from_values(vec![1.0, STALE_NAN]);
        assert!(left.fill_from(&Column::from_values(vec![STALE_NAN, 2.0])));
        assert_eq!(left.values(), [1.0, 2.0]);
        assert!(!left.fill_from(&Column::from_values(vec![STALE_NAN, 3.0])));
    }
}
