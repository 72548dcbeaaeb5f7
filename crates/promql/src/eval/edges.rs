//! The modifiers `anchored` and `smoothed`: values at the two ends of a range, where there is hardly ever a sample.
//!
//! Anchored, the value at an end is the last one known there, or the first one after it. Smoothed, it is interpolated between the
//! samples around it. Neither extrapolates. A sample may lie outside of the range by as much as the look-back.

use super::window::{Cursor, Frame, Window};
use crate::{
    engine::EvalError,
    functions::Inputs,
    plan::Edges,
    source::{SeriesSamples, is_stale_marker},
    syntax::length::to_seconds,
    value::{Column, Sample, Steps, Track},
};

/// Samples in and around a range, and which of them are next to its ends.
struct Around<'a> {
    times: &'a [i64],
    values: &'a [f64],
    range: (i64, i64),
    /// Index of the last sample up to the start, or else of the first one.
    first: usize,
    /// Index of the last sample; if smoothed, of the first one from the end on if there is one.
    last: usize,
    smoothed: bool,
}

impl<'a> Around<'a> {
    /// Nothing if no sample lies in the range.
    fn find(times: &'a [i64], values: &'a [f64], range: (i64, i64), smoothed: bool) -> Option<Self> {
        let mut last = times.len().checked_sub(1)?;
        let before_last = times.get(..last)?;
        let first = before_last.partition_point(|time| *time <= range.0).saturating_sub(1);
        if smoothed {
            last = before_last.partition_point(|time| *time < range.1);
        }
        (*times.get(last)? > range.0).then_some(Around { times, values, range, first, last, smoothed })
    }

    fn at(&self, index: usize) -> Option<(i64, f64)> {
        Some((*self.times.get(index)?, *self.values.get(index)?))
    }

    /// The value at the start. A counter that was reset since the sample before counts from zero.
    fn left(&self, is_counter: bool) -> Option<f64> {
        let first = self.at(self.first)?;
        if !self.smoothed || first.0 >= self.range.0 {
            return Some(first.1);
        }
        let next = self.at(self.first + 1)?;
        let from = if is_counter && next.1 < first.1 { 0.0 } else { first.1 };
        Some(interpolate((first.0, from), next, self.range.0))
    }

    /// The value at the end. A counter that is reset before the sample after it goes on from what it was.
    fn right(&self, is_counter: bool) -> Option<f64> {
        let last = self.at(self.last)?;
        let Some(before) = self.last.checked_sub(1).filter(|_| self.smoothed && last.0 > self.range.1) else {
            return Some(last.1);
        };
        let before = self.at(before)?;
        let to = if is_counter && last.1 < before.1 { last.1 + before.1 } else { last.1 };
        Some(interpolate(before, (last.0, to), self.range.1))
    }

    /// The samples inside of the range, its ends excluded.
    fn inside(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        let (start, end) = self.range;
        let samples = self.times.iter().zip(self.values).map(|(time, value)| (*time, *value));
        samples.take(self.last + 1).skip(self.first).filter(move |(time, _)| *time > start && *time < end)
    }

    /// What was gained from start to end.
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
        let start = [(self.range.0, self.left(false)?)];
        let end = [(self.range.1, self.right(false)?)];
        Some(start.into_iter().chain(self.inside()).chain(end).unzip())
    }
}

fn interpolate(before: (i64, f64), after: (i64, f64), time: i64) -> f64 {
    let share = to_seconds(time - before.0) / to_seconds(after.0 - before.0);
    before.1 + (after.1 - before.1) * share
}

/// How ranges end, and how far beyond that samples may lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) edges: Edges,
    pub(super) look_back_ms: i64,
}

impl Ends {
    /// The range that must be read so that each end of a window has its neighbours.
    pub(super) fn widened(self, (start, end): (i64, i64)) -> (i64, i64) {
        match self.edges {
            Edges::Plain => (start, end),
            Edges::Anchored => (start.saturating_sub(self.look_back_ms), end),
            Edges::Smoothed => (start.saturating_sub(self.look_back_ms), end.saturating_add(self.look_back_ms)),
        }
    }

    /// Fails if a function has no use for values at the ends.
    ///
    /// # Errors
    /// It has none.
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
    pub(super) fn column(
        self,
        name: &str,
        track: &Track,
        frame: Frame,
        steps: Steps,
        inputs: &mut Inputs,
    ) -> Result<Column, EvalError> {
        let edges = self.edges;
        refuse_histograms(!track.histograms.is_empty())?;
        let mut column = Column::absent(steps.count);
        let mut cursor = Cursor::default();
        for (step, time) in steps.times().enumerate() {
            let range = frame.window(time);
            let (start, end) = self.widened(range);
            let (from, to) = cursor.advance(&track.times, start, end, |time| *time);
            let times = track.times.get(from..to).unwrap_or_default();
            let values = track.values.get(from..to).unwrap_or_default();
            let Some(ends) = Around::find(times, values, range, edges == Edges::Smoothed) else { continue };
            let value = match name {
                "delta" => ends.difference(false),
                "increase" => ends.difference(true),
                "rate" => ends.difference(true).map(|difference| difference / to_seconds(frame.range_ms)),
                name => ends.extended().and_then(|(times, values)| {
                    let window = Window {
                        times: &times,
                        values: &values,
                        histograms: &[],
                        start_ms: range.0,
                        end_ms: range.1,
                        step_ms: time,
                    };
                    let compute = if name == "changes" {
                        crate::functions::rate::changes
                    } else {
                        crate::functions::rate::resets
                    };
                    match compute(&window, inputs) {
                        Some(Sample::Float(value)) => Some(value),
                        _ => None,
                    }
                }),
            };
            column.set(step, value.map(Sample::Float));
        }
        Ok(column)
    }
}

/// A series' samples of one range with one at each end; none if no sample lies in the range.
///
/// # Errors
/// There are histograms among them.
pub(crate) fn extend(track: &Track, range: (i64, i64), edges: Edges) -> Result<(Vec<i64>, Vec<f64>), EvalError> {
    refuse_histograms(!track.histograms.is_empty())?;
    let ends = Around::find(&track.times, &track.values, range, edges == Edges::Smoothed);
    Ok(ends.and_then(|ends| ends.extended()).unwrap_or_default())
}

fn refuse_histograms(any: bool) -> Result<(), EvalError> {
    if any {
        let text = "smoothed and anchored modifiers do not work with native histograms";
        return Err(EvalError::Query(text.to_owned()));
    }
    Ok(())
}

/// An instant selector with `smoothed`: the value at each time, interpolated between the samples around it. After the last
/// sample it is that one's value, before the first one there is none.
pub(super) fn smoothed_column(samples: &SeriesSamples, times: Steps, look_back: i64) -> Result<Column, EvalError> {
    refuse_histograms(!samples.histograms.is_empty())?;
    let known: Vec<(i64, f64)> = samples
        .timestamps
        .iter()
        .zip(&samples.values)
        .map(|(time, value)| (*time, *value))
        .filter(|(_, value)| !is_stale_marker(*value))
        .collect();
    let mut column = Column::absent(times.count);
    for (step, time) in times.times().enumerate() {
        let next = known.partition_point(|(timestamp, _)| *timestamp <= time);
        let before = next.checked_sub(1).and_then(|index| known.get(index)).copied();
        let Some(before) = before.filter(|(timestamp, _)| *timestamp > time.saturating_sub(look_back)) else {
            continue;
        };
        let after = known.get(next).copied().filter(|(timestamp, _)| *timestamp <= time.saturating_add(look_back));
        let value = after.map_or(before.1, |after| interpolate(before, after, time));
        column.set(step, Some(Sample::Float(value)));
    }
    Ok(column)
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
        // Start: half of 0 to 10. End: half of 20 to 25.
        assert_eq!(ends(&values, (15, 35), true).and_then(|ends| ends.difference(true)), Some(22.5 - 5.0));
    }

    #[test]
    fn a_reset_inside_adds_what_was_lost() {
        let values = [10.0, 2.0, 3.0, 1.0];
        assert_eq!(ends(&values, (5, 45), false).and_then(|ends| ends.difference(true)), Some(1.0 - 10.0 + 10.0 + 3.0));
    }
}
