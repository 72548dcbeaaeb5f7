//! Aggregations over the samples of a window.

use std::sync::Arc;

use timeseries::{Sample, format};

use super::{
    Inputs,
    numeric::{self, Spread, count as number, quantile as quantile_of},
};
use crate::{eval::window::Window, functions::histogram_total, syntax::length::to_seconds};

pub(crate) fn sum(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    if let Some(result) = of_histograms(window, inputs, histogram_total::sum) {
        return result;
    }
    Some(Sample::Float(numeric::sum(window.values)))
}

pub(crate) fn avg(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    if let Some(result) = of_histograms(window, inputs, histogram_total::mean) {
        return result;
    }
    Some(Sample::Float(numeric::mean(window.values)))
}

type Histograms<'a> = &'a [(i64, Arc<timeseries::histogram::Histogram>)];

/// The result for a window with histograms; `None` without.
fn of_histograms(
    window: &Window,
    inputs: &mut Inputs,
    compute: impl Fn(Histograms, &mut Inputs) -> Option<timeseries::histogram::Histogram>,
) -> Option<Option<Sample>> {
    if window.histograms.is_empty() {
        return None;
    }
    if !window.values.is_empty() {
        inputs.warn_of_mix();
        return Some(None);
    }
    Some(compute(window.histograms, inputs).map(|histogram| Sample::Histogram(Arc::new(histogram))))
}

/// The floats of a window; `None` if there are none. Histograms beside them are ignored, with an info.
fn floats<'a>(window: &Window<'a>, inputs: &mut Inputs) -> Option<&'a [f64]> {
    if window.values.is_empty() {
        return None;
    }
    if !window.histograms.is_empty() {
        inputs.note_ignored_histograms();
    }
    Some(window.values)
}

pub(crate) fn min(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    let smallest = floats(window, inputs)?.iter().copied().reduce(numeric::lesser)?;
    Some(Sample::Float(smallest))
}

pub(crate) fn max(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    let largest = floats(window, inputs)?.iter().copied().reduce(numeric::greater)?;
    Some(Sample::Float(largest))
}

/// The time of the last float that no other one beats.
fn time_of(window: &Window, inputs: &mut Inputs, beats: fn(f64, f64) -> bool) -> Option<Sample> {
    let values = floats(window, inputs)?;
    let mut best: Option<(i64, f64)> = None;
    for (time, value) in window.times.iter().zip(values) {
        if best.is_none_or(|(_, best)| beats(*value, best) || best.is_nan()) {
            best = Some((*time, *value));
        }
    }
    best.map(|(time, _)| Sample::Float(to_seconds(time)))
}

pub(crate) fn time_of_min(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    time_of(window, inputs, |value, best| value <= best)
}

pub(crate) fn time_of_max(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    time_of(window, inputs, |value, best| value >= best)
}

pub(crate) fn count(window: &Window, _: &mut Inputs) -> Option<Sample> {
    Some(Sample::Float(number(window.len())))
}

pub(crate) fn present(_: &Window, _: &mut Inputs) -> Option<Sample> {
    Some(Sample::Float(1.0))
}

/// Time and value of the first or last sample of either kind.
fn end(window: &Window, last: bool) -> Option<(i64, Sample)> {
    let (float, histogram) = if last {
        (window.times.last().zip(window.values.last()), window.histograms.last())
    } else {
        (window.times.first().zip(window.values.first()), window.histograms.first())
    };
    let float = float.map(|(time, value)| (*time, Sample::Float(*value)));
    let histogram = histogram.map(|(time, histogram)| (*time, Sample::Histogram(Arc::clone(histogram))));
    match (float, histogram) {
        (Some(float), Some(histogram)) if (float.0 > histogram.0) == last => Some(float),
        (Some(float), None) => Some(float),
        (_, histogram) => histogram,
    }
}

pub(crate) fn first(window: &Window, _: &mut Inputs) -> Option<Sample> {
    end(window, false).map(|(_, sample)| sample)
}

pub(crate) fn last(window: &Window, _: &mut Inputs) -> Option<Sample> {
    end(window, true).map(|(_, sample)| sample)
}

pub(crate) fn time_of_first(window: &Window, _: &mut Inputs) -> Option<Sample> {
    end(window, false).map(|(time, _)| Sample::Float(to_seconds(time)))
}

pub(crate) fn time_of_last(window: &Window, _: &mut Inputs) -> Option<Sample> {
    end(window, true).map(|(time, _)| Sample::Float(to_seconds(time)))
}

pub(crate) fn stdvar(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    let mut spread = Spread::default();
    floats(window, inputs)?.iter().for_each(|value| spread.add(*value));
    Some(Sample::Float(spread.variance()))
}

pub(crate) fn stddev(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    match stdvar(window, inputs)? {
        Sample::Float(variance) => Some(Sample::Float(variance.sqrt())),
        Sample::Histogram(_) => None,
    }
}

/// The median distance from the median.
pub(crate) fn mad(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    let mut values = floats(window, inputs)?.to_vec();
    if values.iter().any(|value| value.is_nan()) {
        return Some(Sample::Float(f64::NAN));
    }
    let median = quantile_of(0.5, &mut values);
    values.iter_mut().for_each(|value| *value = (*value - median).abs());
    Some(Sample::Float(quantile_of(0.5, &mut values)))
}

pub(crate) fn quantile(window: &Window, inputs: &mut Inputs) -> Option<Sample> {
    let [phi, _] = inputs.scalars;
    // As in Prometheus, all annotations refer to the first argument.
    inputs.position = inputs.scalar_position;
    let mut values = floats(window, inputs)?.to_vec();
    if !(0.0..=1.0).contains(&phi) {
        inputs.notes.warn(inputs.scalar_position, invalid_quantile(phi));
    }
    Some(Sample::Float(quantile_of(phi, &mut values)))
}

/// The warning about a quantile outside of 0 to 1.
pub(crate) fn invalid_quantile(phi: f64) -> String {
    format!("quantile value should be between 0 and 1, got {}", format::general(phi))
}
