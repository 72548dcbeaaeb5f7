//! Windows of samples that slide over a series, one per step.

use std::sync::Arc;

use timeseries::{Sample, histogram::Histogram};

use crate::value::{Column, Steps, Track};

/// The window of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// Its length.
    pub(crate) range_ms: i64,
    /// Its distance from the step.
    pub(crate) offset_ms: i64,
    /// Replaces the time of each step.
    pub(crate) at: Option<i64>,
}

impl Frame {
    /// The window of a step: start (exclusive) and end (inclusive).
    pub(crate) fn window(&self, time_ms: i64) -> (i64, i64) {
        let end = self.at.unwrap_or(time_ms).saturating_sub(self.offset_ms);
        (end.saturating_sub(self.range_ms), end)
    }
}

/// The samples of one series in one window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    /// Times of the floats.
    pub(crate) times: &'a [i64],
    /// The floats.
    pub(crate) values: &'a [f64],
    pub(crate) histograms: &'a [(i64, Arc<Histogram>)],
    /// Exclusive.
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    /// The evaluation time.
    pub(crate) step_ms: i64,
}

impl Window<'_> {
    /// Number of samples of both kinds.
    pub(crate) fn len(&self) -> usize {
        self.values.len() + self.histograms.len()
    }
}

/// A range of a series' samples that moves forward with the windows.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    from: usize,
    to: usize,
}

impl Cursor {
    /// Moves to the samples after `start`, up to and including `end`.
    pub(crate) fn advance<T>(
        &mut self,
        samples: &[T],
        start: i64,
        end: i64,
        time: impl Fn(&T) -> i64,
    ) -> (usize, usize) {
        while samples.get(self.to).is_some_and(|sample| time(sample) <= end) {
            self.to += 1;
        }
        while self.from < self.to && samples.get(self.from).is_some_and(|sample| time(sample) <= start) {
            self.from += 1;
        }
        (self.from, self.to)
    }
}

/// Computes a column from a series' windows. Steps with an empty window have no value.
pub(crate) fn slide(
    track: &Track,
    frame: Frame,
    steps: Steps,
    mut compute: impl FnMut(usize, &Window) -> Option<Sample>,
) -> Column {
    let mut column = Column::absent(steps.count);
    let (mut floats, mut histograms) = (Cursor::default(), Cursor::default());
    for (step, time) in steps.times().enumerate() {
        let (start, end) = frame.window(time);
        let (from, to) = floats.advance(&track.times, start, end, |time| *time);
        let (hfrom, hto) = histograms.advance(&track.histograms, start, end, |(time, _)| *time);
        let window = Window {
            times: track.times.get(from..to).unwrap_or_default(),
            values: track.values.get(from..to).unwrap_or_default(),
            histograms: track.histograms.get(hfrom..hto).unwrap_or_default(),
            start_ms: start,
            end_ms: end,
            step_ms: time,
        };
        if window.len() > 0
            && let Some(sample) = compute(step, &window)
        {
            column.set(step, Some(sample));
        }
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;
    use labels::Labels;

    #[test]
    fn a_window_excludes_its_start_and_includes_its_end() {
        let track = Track {
            labels: Labels::default(),
            times: vec![0, 10, 20, 30],
            values: vec![1.0, 2.0, 3.0, 4.0],
            ..Track::default()
        };
        let frame = Frame { range_ms: 20, offset_ms: 0, at: None };
        let steps = Steps { start_ms: 0, step_ms: 10, count: 7 };
        let column = slide(&track, frame, steps, |_, window| Some(Sample::Float(window.values.iter().sum())));
        let sums: Vec<Option<f64>> = (0..7).map(|step| column.float(step)).collect();
        assert_eq!(sums, [Some(1.0), Some(3.0), Some(5.0), Some(7.0), Some(4.0), None, None]);
    }

    #[test]
    fn a_fixed_time_gives_the_same_window_at_each_step() {
        let track = Track { times: vec![0, 10], values: vec![1.0, 2.0], ..Track::default() };
        let frame = Frame { range_ms: 5, offset_ms: -5, at: Some(5) };
        let column = slide(&track, frame, Steps { start_ms: 0, step_ms: 1, count: 2 }, |_, window| {
            window.values.first().copied().map(Sample::Float)
        });
        assert_eq!(column.values(), [2.0, 2.0]);
    }
}
