//! Native histograms at the ends of a range.

use std::sync::Arc;

use timeseries::histogram::Histogram;

use super::{Place, milliseconds};
use crate::functions::{
    Inputs,
    histogram_rate::take,
    rate::{is_gauge, warn_not_counter, warn_not_gauge, warn_of_mixed_layouts},
};

type Samples<'a> = &'a [(i64, Arc<Histogram>)];

/// The difference between the start and the end of a range. The flags: of a counter, and smoothed.
pub(super) fn difference(
    samples: Samples,
    range: (i64, i64),
    (is_counter, smoothed): (bool, bool),
    inputs: &mut Inputs,
) -> Option<Histogram> {
    let place = Place::find(samples, |(time, _)| *time, range, smoothed)?;
    let used = samples.get(place.first..=place.last)?;
    if !check_layouts(used, is_counter, inputs) {
        return None;
    }
    let left = left(samples, place, is_counter, inputs)?;
    let right = right(samples, place, is_counter, inputs)?;
    let are_gauges = is_gauge(&left) && is_gauge(&right);
    if !(is_counter || are_gauges) {
        warn_not_gauge(inputs);
    }
    let mut difference = take(right.less(&left), "subtraction", inputs)?;
    if is_counter && let Some(lost) = lost_by_resets(used, place, &left, &right, inputs)? {
        difference = take(difference.plus(&lost), "addition", inputs)?;
    }
    Some(difference)
}

/// False, with a warning, if only some have custom buckets. Also warns of gauges if a counter is required.
fn check_layouts(samples: Samples, is_counter: bool, inputs: &mut Inputs) -> bool {
    let custom = samples.first().is_some_and(|(_, histogram)| histogram.has_custom_buckets());
    for (_, histogram) in samples {
        if histogram.has_custom_buckets() != custom {
            warn_of_mixed_layouts(inputs);
            return false;
        }
        if is_counter && is_gauge(histogram) {
            warn_not_counter(inputs);
        }
    }
    true
}

fn left(samples: Samples, place: Place, is_counter: bool, inputs: &mut Inputs) -> Option<Histogram> {
    let (time, first) = samples.get(place.first)?;
    if !place.smoothed || *time >= place.range.0 {
        return Some(Histogram::clone(first));
    }
    let (after_time, after) = samples.get(place.first + 1)?;
    interpolate((*time, first), (*after_time, after), place.range.0, is_counter, inputs)
}

fn right(samples: Samples, place: Place, is_counter: bool, inputs: &mut Inputs) -> Option<Histogram> {
    let (time, last) = samples.get(place.last)?;
    let Some(before) = place.last.checked_sub(1).filter(|_| place.smoothed && *time > place.range.1) else {
        return Some(Histogram::clone(last));
    };
    let (before_time, before) = samples.get(before)?;
    interpolate((*before_time, before), (*time, last), place.range.1, is_counter, inputs)
}

/// The histogram between two samples, interpolated linearly. A counter that was reset in between is interpolated from
/// zero.
pub(super) fn interpolate(
    before: (i64, &Histogram),
    after: (i64, &Histogram),
    time: i64,
    is_counter: bool,
    inputs: &mut Inputs,
) -> Option<Histogram> {
    if time == before.0 {
        return Some(before.1.clone());
    }
    if time == after.0 {
        return Some(after.1.clone());
    }
    let share = milliseconds(time - before.0) / milliseconds(after.0 - before.0);
    if is_counter && after.1.detects_reset(before.1) {
        return Some(after.1.scaled(share));
    }
    let risen = take(after.1.less(before.1), "subtraction", inputs)?.scaled(share);
    take(risen.plus(before.1), "addition", inputs)
}

/// The sum of the counts before each reset between the ends: `Some(None)` if there was none, `None` if it cannot be
/// computed. `used` are the samples from the first to the last one of the place.
fn lost_by_resets(
    used: Samples,
    place: Place,
    left: &Histogram,
    right: &Histogram,
    inputs: &mut Inputs,
) -> Option<Option<Histogram>> {
    let mut lost: Option<Histogram> = None;
    let mut previous = left;
    // The interpolated ends replace the first and the last sample.
    let mut from = 1;
    if place.smoothed
        && let [(time, first), (_, second), ..] = used
        && *time < place.range.0
        && second.detects_reset(first)
    {
        // The value at the start already includes this reset.
        previous = second;
        from = 2;
    }
    let to = used.len().saturating_sub(1);
    if from > to {
        return Some(None);
    }
    let between = used.get(from..to)?.iter().map(|(_, histogram)| &**histogram);
    for histogram in between.chain([right]) {
        if histogram.detects_reset(previous) {
            lost = Some(match lost {
                None => previous.clone(),
                Some(lost) => take(lost.plus(previous), "addition", inputs)?,
            });
        }
        previous = histogram;
    }
    Some(lost)
}
