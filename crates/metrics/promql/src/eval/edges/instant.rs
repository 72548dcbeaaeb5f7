//! An instant selector with `smoothed`.

use std::sync::Arc;

use timeseries::{
    Sample,
    histogram::{Histogram, ResetHint},
};

use super::{histograms, interpolate};
use crate::{
    eval::window::Cursor,
    functions::{
        Inputs,
        rate::{is_gauge, warn_of_mixed_layouts},
    },
    value::{Column, Steps, Track},
};

/// The value at each time, interpolated between the neighbouring samples. After the last sample it is that sample's
/// value; before the first sample there is no value.
pub(in crate::eval) fn smoothed_column(track: &Track, times: Steps, look_back: i64, inputs: &mut Inputs) -> Column {
    let mut column = Column::absent(times.count);
    let (mut floats, mut all) = (Cursor::default(), Cursor::default());
    for (step, time) in times.times().enumerate() {
        let (start, end) = (time.saturating_sub(look_back), time.saturating_add(look_back));
        let (from, to) = floats.advance(&track.times, start, end, |time| *time);
        let (hfrom, hto) = all.advance(&track.histograms, start, end, |(time, _)| *time);
        let sample = match (to - from, hto - hfrom) {
            (0, 0) => None,
            (_, 0) => {
                let times = track.times.get(from..to).unwrap_or_default();
                number(times, track.values.get(from..to).unwrap_or_default(), time).map(Sample::Float)
            }
            (0, _) => {
                let samples = track.histograms.get(hfrom..hto).unwrap_or_default();
                histogram(samples, time, inputs).map(Sample::Histogram)
            }
            _ => {
                inputs.warn_of_mix();
                None
            }
        };
        column.set(step, sample);
    }
    column
}

fn number(times: &[i64], values: &[f64], time: i64) -> Option<f64> {
    let next = times.partition_point(|sample| *sample < time);
    let at = |index: usize| Some((*times.get(index)?, *values.get(index)?));
    match (next.checked_sub(1).and_then(at), at(next)) {
        (_, Some((exactly, value))) if exactly == time => Some(value),
        (Some(before), Some(after)) => Some(interpolate(before, after, time, false)),
        (Some((_, value)), None) => Some(value),
        (None, _) => None,
    }
}

/// Like [`number`]; a histogram that is not a gauge counts as a counter.
fn histogram(samples: &[(i64, Arc<Histogram>)], time: i64, inputs: &mut Inputs) -> Option<Arc<Histogram>> {
    let next = samples.partition_point(|(sample, _)| *sample < time);
    match (next.checked_sub(1).and_then(|index| samples.get(index)), samples.get(next)) {
        (_, Some((exactly, histogram))) if *exactly == time => Some(Arc::clone(histogram)),
        (Some((_, before)), Some((_, after))) if before.has_custom_buckets() != after.has_custom_buckets() => {
            warn_of_mixed_layouts(inputs);
            None
        }
        (Some((from, before)), Some((to, after))) => {
            let is_counter = !(is_gauge(before) && is_gauge(after));
            histograms::interpolate((*from, before), (*to, after), time, is_counter, inputs).map(Arc::new)
        }
        // Its reset hint does not apply to another time.
        (Some((_, histogram)), None) => {
            Some(Arc::new(Histogram { reset_hint: ResetHint::Unknown, ..Histogram::clone(histogram) }))
        }
        (None, _) => None,
    }
}
