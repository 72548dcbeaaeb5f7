//! Functions that compare samples over time: rates, differences, resets and changes.

use std::sync::Arc;

use timeseries::{
    Sample,
    histogram::{Histogram, ResetHint},
};

use super::Inputs;
use crate::{
    eval::window::Window,
    functions::{histogram_rate, numeric::count},
    syntax::length::to_seconds,
};

/// What to compute from the difference between a window's ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rate,
    Increase,
    Delta,
}

pub(crate) fn rate(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    extrapolated(window, inputs, Kind::Rate)
}

pub(crate) fn increase(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    extrapolated(window, inputs, Kind::Increase)
}

pub(crate) fn delta(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    extrapolated(window, inputs, Kind::Delta)
}

/// The difference over the window, extrapolated to its ends if the samples are close to them, but never below zero for
/// a counter.
fn extrapolated(window: &Window, inputs: &mut Inputs, kind: Kind) -> Option<Sample> {
    let is_counter = kind != Kind::Delta;
    if !window.values.is_empty() && !window.histograms.is_empty() {
        inputs.warn_of_mix();
        return None;
    }
    if window.histograms.is_empty() {
        let (first_time, last_time) = (*window.times.first()?, *window.times.last()?);
        let first = *window.values.first()?;
        if window.values.len() < 2 {
            return None;
        }
        let difference = if is_counter { counter_difference(window.values) } else { window.values.last()? - first };
        let factor = extrapolation(Ends::of(window, first_time, last_time), first, difference, kind);
        return Some(Sample::Float(difference * factor));
    }
    let ((first_time, first), (last_time, _)) = (window.histograms.first()?, window.histograms.last()?);
    if window.histograms.len() < 2 {
        return None;
    }
    let mut difference = histogram_rate::difference(window.histograms, is_counter, inputs)?;
    let factor = extrapolation(Ends::of(window, *first_time, *last_time), first.count, difference.count, kind);
    difference.map_counts(|count| count * factor);
    Some(Sample::Histogram(Arc::new(difference)))
}

/// The increase of a counter, where each decrease is a reset to zero.
pub(crate) fn counter_difference(values: &[f64]) -> f64 {
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return f64::NAN };
    let mut difference = last - first;
    let mut previous = *first;
    for value in values {
        if *value < previous {
            difference += previous;
        }
        previous = *value;
    }
    difference
}

/// A window and its first and last sample.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// Number of samples, at least two.
    pub(crate) samples: usize,
}

impl Ends {
    fn of(window: &Window, first_ms: i64, last_ms: i64) -> Self {
        Ends { start_ms: window.start_ms, end_ms: window.end_ms, first_ms, last_ms, samples: window.len() }
    }
}

/// Factor for the difference between the first and the last sample.
#[inline]
pub(crate) fn extrapolation(window: Ends, first: f64, difference: f64, kind: Kind) -> f64 {
    let mut to_start = to_seconds(window.first_ms - window.start_ms);
    let mut to_end = to_seconds(window.end_ms - window.last_ms);
    let sampled = to_seconds(window.last_ms - window.first_ms);
    let interval = sampled / count(window.samples - 1);
    // A slightly late sample does not mean that the series started or ended inside of the window.
    let threshold = interval * 1.1;
    if to_start >= threshold {
        to_start = interval / 2.0;
    }
    if kind != Kind::Delta && difference > 0.0 && first >= 0.0 {
        let to_zero = sampled * (first / difference);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    if to_end >= threshold {
        to_end = interval / 2.0;
    }
    let factor = (sampled + to_start + to_end) / sampled;
    if kind == Kind::Rate { factor / range_seconds(window.end_ms - window.start_ms) } else { factor }
}

/// The length of a range in seconds, rounded like Go's duration: first the fraction of a second, then its sum with the
/// whole seconds. For 1.118 s and some others this is not the nearest number.
fn range_seconds(milliseconds: i64) -> f64 {
    match milliseconds % 1000 {
        0 => to_seconds(milliseconds),
        rest => to_seconds(milliseconds - rest) + to_seconds(rest),
    }
}

pub(crate) fn irate(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    last_two(window, inputs, true)
}

pub(crate) fn idelta(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    last_two(window, inputs, false)
}

/// A sample of either kind.
enum Either<'a> {
    Float(f64),
    Histogram(&'a Arc<Histogram>),
}

/// All samples of a window, ordered by time.
fn in_order<'a>(window: &Window<'a>) -> impl Iterator<Item = (i64, Either<'a>)> {
    let mut floats = window.times.iter().zip(window.values).peekable();
    let mut histograms = window.histograms.iter().peekable();
    std::iter::from_fn(move || {
        let float_is_next = match (floats.peek(), histograms.peek()) {
            (Some((time, _)), Some((other, _))) => *time < other,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if float_is_next {
            floats.next().map(|(time, value)| (*time, Either::Float(*value)))
        } else {
            histograms.next().map(|(time, histogram)| (*time, Either::Histogram(histogram)))
        }
    })
}

fn last_two(window: &Window, inputs: &mut Inputs, is_rate: bool) -> Option<Sample> {
    let skipped = window.len().checked_sub(2)?;
    let (before, last) = if window.histograms.is_empty() {
        let at = |index: usize| Some((*window.times.get(index)?, Either::Float(*window.values.get(index)?)));
        (at(skipped)?, at(skipped + 1)?)
    } else {
        let mut samples = in_order(window).skip(skipped);
        (samples.next()?, samples.next()?)
    };
    let interval = to_seconds(last.0 - before.0);
    match (before.1, last.1) {
        (Either::Float(before), Either::Float(last)) => {
            let difference = if is_rate && last < before { last } else { last - before };
            Some(Sample::Float(if is_rate { difference / interval } else { difference }))
        }
        (Either::Histogram(before), Either::Histogram(last)) => {
            let mut difference = histogram_rate::step(before, last, is_rate, inputs)?;
            if is_rate {
                difference.map_counts(|count| count / interval);
            }
            Some(Sample::Histogram(Arc::new(difference)))
        }
        _ => {
            inputs.warn_of_mix();
            None
        }
    }
}

/// The number of counter resets. A change between floats and histograms counts too.
pub(crate) fn resets(window: &Window, _: &mut Inputs) -> Option<Sample> {
    pairs(window, |before, after| match (before, after) {
        (Either::Float(before), Either::Float(after)) => after < before,
        (Either::Histogram(before), Either::Histogram(after)) => after.detects_reset(before),
        _ => true,
    })
}

/// The number of changes of the value.
pub(crate) fn changes(window: &Window, _: &mut Inputs) -> Option<Sample> {
    pairs(window, |before, after| match (before, after) {
        (Either::Float(before), Either::Float(after)) => before != after && !(before.is_nan() && after.is_nan()),
        (Either::Histogram(before), Either::Histogram(after)) => !before.is_same(after),
        _ => true,
    })
}

/// Counts neighbours for which a condition is true.
fn pairs(window: &Window, counts: impl Fn(&Either, &Either) -> bool) -> Option<Sample> {
    let mut samples = in_order(window);
    let (_, mut previous) = samples.next()?;
    let mut total = 0_usize;
    for (_, sample) in samples {
        total += usize::from(counts(&previous, &sample));
        previous = sample;
    }
    Some(Sample::Float(count(total)))
}

/// Adds a warning that a histogram is a gauge although a counter was expected.
pub(crate) fn warn_not_counter(inputs: &mut Inputs) {
    inputs.notes.warn(inputs.position, format!("this native histogram metric is not a counter: {:?}", inputs.metric));
}

/// Adds a warning that a histogram is a counter although a gauge was expected.
pub(crate) fn warn_not_gauge(inputs: &mut Inputs) {
    inputs.notes.warn(inputs.position, format!("this native histogram metric is not a gauge: {:?}", inputs.metric));
}

/// Adds a warning about histograms with both bucket layouts.
pub(crate) fn warn_of_mixed_layouts(inputs: &mut Inputs) {
    let text = format!(
        "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {:?}",
        inputs.metric
    );
    inputs.notes.warn(inputs.position, text);
}

/// True if a histogram is a gauge.
pub(crate) fn is_gauge(histogram: &Histogram) -> bool {
    histogram.reset_hint == ResetHint::Gauge
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotation::Notes;

    #[test]
    fn a_range_is_rounded_in_two_steps() {
        assert_eq!(range_seconds(90_000), 90.0);
        assert_eq!(range_seconds(1_118), 1.118_f64.next_down());
    }

    fn apply(compute: fn(&Window, &mut Inputs) -> Option<Sample>, samples: &[(i64, f64)], start: i64, end: i64) -> f64 {
        let (times, values): (Vec<i64>, Vec<f64>) = samples.iter().copied().unzip();
        let window =
            Window { times: &times, values: &values, histograms: &[], start_ms: start, end_ms: end, step_ms: end };
        let notes = &mut Notes::default();
        let mut inputs = Inputs { scalars: [0.0; 2], metric: "", position: 0, scalar_position: 0, notes, error: None };
        match compute(&window, &mut inputs) {
            Some(Sample::Float(value)) => value,
            _ => f64::NAN,
        }
    }

    #[test]
    fn a_steady_counter_is_extrapolated_to_the_whole_window() {
        let samples = [(10_000, 100.0), (20_000, 110.0), (30_000, 120.0)];
        assert_eq!(apply(increase, &samples, 0, 40_000), 40.0);
        assert_eq!(apply(rate, &samples, 0, 40_000), 1.0);
    }

    #[test]
    fn a_counter_is_not_extrapolated_below_zero() {
        let samples = [(10_000, 2.0), (20_000, 12.0)];
        assert_eq!(apply(increase, &samples, 0, 20_000), 12.0);
        assert_eq!(apply(delta, &samples, 0, 20_000), 20.0);
    }

    #[test]
    fn far_ends_get_half_an_interval() {
        let samples = [(50_000, 100.0), (60_000, 110.0)];
        assert_eq!(apply(increase, &samples, 0, 100_000), 20.0);
    }

    #[test]
    fn a_reset_adds_what_was_counted_before() {
        assert_eq!(counter_difference(&[5.0, 8.0, 2.0, 4.0, 1.0]), 8.0 - 5.0 + 4.0 + 1.0);
        assert_eq!(apply(resets, &[(0, 5.0), (1, 2.0), (2, 1.0)], -1, 3), 2.0);
    }

    #[test]
    fn one_sample_has_no_rate() {
        assert!(apply(rate, &[(0, 1.0)], -10, 10).is_nan());
        assert!(apply(irate, &[(0, 1.0)], -10, 10).is_nan());
    }

    #[test]
    fn irate_looks_at_the_last_two() {
        assert_eq!(apply(irate, &[(0, 0.0), (1000, 1.0), (3000, 7.0)], -1, 3000), 3.0);
        assert_eq!(apply(irate, &[(0, 9.0), (1000, 4.0)], -1, 3000), 4.0);
        assert_eq!(apply(idelta, &[(0, 9.0), (1000, 4.0)], -1, 3000), -5.0);
    }
}
