//! The modifiers `anchored` and `smoothed`: values at the two ends of a range, where there is rarely a sample.
//!
//! With `anchored` the value at an end is the last known one, or the first one after it. With `smoothed` it is
//! interpolated between the neighbouring samples. Neither extrapolates. A sample may be outside of the range by up to
//! the lookback delta.

mod histograms;
mod instant;

use std::sync::Arc;

use timeseries::{Sample, histogram::Histogram};

pub(super) use instant::smoothed_column;

use super::window::{Cursor, Frame, Window};
use crate::{
    engine::EvalError,
    functions::{
        Inputs,
        rate::{changes, resets},
    },
    plan::Edges,
    syntax::length::to_seconds,
    value::{Column, Steps, Track},
};

/// The samples next to the ends of a range.
#[derive(Debug, Clone, Copy)]
struct Place {
    range: (i64, i64),
    /// Index of the last sample up to the start, otherwise of the first one.
    first: usize,
    /// Index of the last sample; if smoothed, of the first one from the end on if there is one.
    last: usize,
    smoothed: bool,
}

impl Place {
    /// `None` if no sample is in the range or, if smoothed, all are after it.
    fn find<T>(samples: &[T], time: impl Fn(&T) -> i64, range: (i64, i64), smoothed: bool) -> Option<Self> {
        let mut last = samples.len().checked_sub(1)?;
        let before_last = samples.get(..last)?;
        let first = before_last.partition_point(|sample| time(sample) <= range.0).saturating_sub(1);
        if smoothed {
            last = before_last.partition_point(|sample| time(sample) < range.1);
        }
        let is_after = smoothed && time(samples.get(first)?) > range.1;
        (time(samples.get(last)?) > range.0 && !is_after).then_some(Place { range, first, last, smoothed })
    }
}

/// Samples in and around a range.
struct Around<'a> {
    times: &'a [i64],
    values: &'a [f64],
    place: Place,
}

impl<'a> Around<'a> {
    /// `None` if the range has no value.
    fn find(times: &'a [i64], values: &'a [f64], range: (i64, i64), smoothed: bool) -> Option<Self> {
        let place = Place::find(times, |time| *time, range, smoothed)?;
        Some(Around { times, values, place })
    }

    fn at(&self, index: usize) -> Option<(i64, f64)> {
        Some((*self.times.get(index)?, *self.values.get(index)?))
    }

    /// The value at the start.
    fn left(&self, is_counter: bool) -> Option<f64> {
        let Place { range, first, smoothed, .. } = self.place;
        let before = self.at(first)?;
        if !smoothed || before.0 >= range.0 {
            return Some(before.1);
        }
        Some(interpolate(before, self.at(first + 1)?, range.0, is_counter))
    }

    /// The value at the end.
    fn right(&self, is_counter: bool) -> Option<f64> {
        let Place { range, last, smoothed, .. } = self.place;
        let after = self.at(last)?;
        let Some(before) = last.checked_sub(1).filter(|_| smoothed && after.0 > range.1) else {
            return Some(after.1);
        };
        Some(interpolate(self.at(before)?, after, range.1, is_counter))
    }

    /// The samples inside of the range, without its ends.
    fn inside(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        let Place { range: (start, end), first, last, .. } = self.place;
        let samples = self.times.iter().zip(self.values).map(|(time, value)| (*time, *value));
        samples.take(last + 1).skip(first).filter(move |(time, _)| *time > start && *time < end)
    }

    /// The difference between start and end.
    fn difference(&self, is_counter: bool) -> Option<f64> {
        let (left, right) = (self.left(is_counter)?, self.right(is_counter)?);
        let mut difference = right - left;
        if is_counter {
            let mut previous = left;
            for value in self.inside().map(|(_, value)| value).chain([right]) {
                if value < previous {
                    difference += previous;
                }
                previous = value;
            }
        }
        Some(difference)
    }

    /// The samples of the range with one at each end.
    fn extended(&self) -> Option<(Vec<i64>, Vec<f64>)> {
        let (from, to) = self.place.range;
        let start = [(from, self.left(false)?)];
        let end = [(to, self.right(false)?)];
        Some(start.into_iter().chain(self.inside()).chain(end).unzip())
    }
}

/// The value between two samples, interpolated linearly. A counter that was reset in between is interpolated from zero.
fn interpolate(before: (i64, f64), after: (i64, f64), time: i64, is_counter: bool) -> f64 {
    let from = if is_counter && after.1 < before.1 { 0.0 } else { before.1 };
    from + (after.1 - from) * milliseconds(time - before.0) / milliseconds(after.0 - before.0)
}

#[allow(clippy::cast_precision_loss, reason = "distances are far below 2^53 ms")]
fn milliseconds(distance: i64) -> f64 {
    distance as f64
}

/// How ranges end, and how far outside samples may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) edges: Edges,
    pub(super) look_back_ms: i64,
}

impl Ends {
    /// The range to read, so that each end of a window has its neighbours.
    pub(super) fn widened(self, (start, end): (i64, i64)) -> (i64, i64) {
        match self.edges {
            Edges::Plain => (start, end),
            Edges::Anchored => (start.saturating_sub(self.look_back_ms), end),
            Edges::Smoothed => (start.saturating_sub(self.look_back_ms), end.saturating_add(self.look_back_ms)),
        }
    }

    /// Fails if a function does not support values at the ends.
    ///
    /// # Errors
    ///
    /// It does not.
    pub(super) fn check(self, name: &str) -> Result<(), EvalError> {
        let (modifier, allowed): (&str, &[&str]) = match self.edges {
            Edges::Plain => return Ok(()),
            Edges::Anchored => ("anchored", &["changes", "delta", "increase", "rate", "resets"]),
            Edges::Smoothed => ("smoothed", &["delta", "increase", "rate"]),
        };
        if allowed.contains(&name) {
            return Ok(());
        }
        let list = allowed.join(", ");
        Err(EvalError::Query(format!("{modifier} modifier can only be used with: {list} - not with {name}")))
    }

    /// A function over windows with values at their ends.
    pub(super) fn column(self, name: &str, track: &Track, frame: Frame, steps: Steps, inputs: &mut Inputs) -> Column {
        let smoothed = self.edges == Edges::Smoothed;
        let mut column = Column::absent(steps.count);
        let (mut floats, mut histograms) = (Cursor::default(), Cursor::default());
        for (step, time) in steps.times().enumerate() {
            let range = frame.window(time);
            let (start, end) = self.widened(range);
            let (from, to) = floats.advance(&track.times, start, end, |time| *time);
            let times = track.times.get(from..to).unwrap_or_default();
            let values = track.values.get(from..to).unwrap_or_default();
            let (from, to) = histograms.advance(&track.histograms, start, end, |(time, _)| *time);
            let histograms = track.histograms.get(from..to).unwrap_or_default();
            let window = Window { times, values, histograms, start_ms: range.0, end_ms: range.1, step_ms: time };
            let sample = match name {
                "changes" => anchored(window).and_then(|window| changes(&window, inputs)),
                "resets" => anchored(window).and_then(|window| resets(&window, inputs)),
                name => difference(name, &window, to_seconds(frame.range_ms), smoothed, inputs),
            };
            column.set(step, sample);
        }
        column
    }
}

/// `delta`, `increase` or `rate` of a window.
fn difference(name: &str, window: &Window, seconds: f64, smoothed: bool, inputs: &mut Inputs) -> Option<Sample> {
    let range = (window.start_ms, window.end_ms);
    let (is_counter, is_rate) = (name != "delta", name == "rate");
    match (window.values, window.histograms) {
        (_, []) => {
            let difference = Around::find(window.times, window.values, range, smoothed)?.difference(is_counter)?;
            Some(Sample::Float(if is_rate { difference / seconds } else { difference }))
        }
        ([], samples) => {
            let difference = histograms::difference(samples, range, (is_counter, smoothed), inputs)?;
            let difference = if is_rate { difference.divided(seconds) } else { difference };
            Some(Sample::Histogram(Arc::new(Histogram {
                reset_hint: timeseries::histogram::ResetHint::Gauge,
                ..difference
            })))
        }
        _ => {
            inputs.warn_of_mix();
            None
        }
    }
}

/// The samples of a window, beginning with the last sample at or before its start if there is one. `None` if it has no
/// samples after its start.
fn anchored(window: Window) -> Option<Window> {
    let Window { times, values, histograms, start_ms, .. } = window;
    let float = times.partition_point(|time| *time <= start_ms);
    let histogram = histograms.partition_point(|(time, _)| *time <= start_ms);
    if float == times.len() && histogram == histograms.len() {
        return None;
    }
    let float_time = float.checked_sub(1).and_then(|index| times.get(index));
    let histogram_time = histogram.checked_sub(1).and_then(|index| histograms.get(index)).map(|(time, _)| time);
    let (float, histogram) = match (float_time, histogram_time) {
        (None, None) => (float, histogram),
        (Some(float_time), Some(histogram_time)) if float_time < histogram_time => (float, histogram - 1),
        (None, Some(_)) => (float, histogram - 1),
        (Some(_), _) => (float - 1, histogram),
    };
    Some(Window {
        times: times.get(float..)?,
        values: values.get(float..)?,
        histograms: histograms.get(histogram..)?,
        ..window
    })
}

/// A series' samples of one range with one at each end; none if no sample is in the range.
///
/// # Errors
///
/// There are histograms among them.
pub(crate) fn extend(track: &Track, range: (i64, i64), edges: Edges) -> Result<(Vec<i64>, Vec<f64>), EvalError> {
    if !track.histograms.is_empty() {
        let modifier = if edges == Edges::Smoothed { "smoothed" } else { "anchored" };
        return Err(EvalError::Query(format!("{modifier} modifier is not supported with histograms")));
    }
    let ends = Around::find(&track.times, &track.values, range, edges == Edges::Smoothed);
    Ok(ends.and_then(|ends| ends.extended()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: [i64; 4] = [10, 20, 30, 40];

    fn ends(values: &[f64; 4], range: (i64, i64), smoothed: bool) -> Option<Around<'_>> {
        Around::find(&TIMES, values, range, smoothed)
    }

    #[test]
    fn anchored_ends_are_samples() {
        let values = [1.0, 3.0, 4.0, 8.0];
        assert_eq!(ends(&values, (15, 40), false).and_then(|ends| ends.difference(true)), Some(7.0));
        assert_eq!(ends(&values, (5, 40), false).and_then(|ends| ends.difference(true)), Some(7.0));
        assert!(ends(&values, (40, 60), false).is_none());
    }

    #[test]
    fn smoothed_ends_are_interpolated() {
        let values = [0.0, 10.0, 20.0, 30.0];
        assert_eq!(ends(&values, (15, 35), true).and_then(|ends| ends.difference(true)), Some(20.0));
    }

    #[test]
    fn a_reset_at_an_end_counts_from_zero() {
        let values = [100.0, 10.0, 20.0, 5.0];
        // Start: half of 0 to 10. End: 20 and half of 0 to 5.
        assert_eq!(ends(&values, (15, 35), true).and_then(|ends| ends.difference(true)), Some(22.5 - 5.0));
        // Both ends are between the same two samples.
        assert_eq!(
            ends(&[8.0, 4.0, 4.0, 4.0], (12, 18), true).and_then(|ends| ends.difference(true)),
            Some(2.4000000000000004)
        );
    }

    #[test]
    fn a_reset_inside_adds_what_was_lost() {
        let values = [10.0, 2.0, 3.0, 1.0];
        assert_eq!(ends(&values, (5, 45), false).and_then(|ends| ends.difference(true)), Some(1.0 - 10.0 + 10.0 + 3.0));
    }
}
