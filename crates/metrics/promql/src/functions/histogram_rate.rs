//! Differences between histograms over time.

use std::sync::Arc;

use timeseries::histogram::{Histogram, Reconciled, ResetHint};

use super::{
    Inputs,
    rate::{is_gauge, warn_not_counter, warn_not_gauge, warn_of_mixed_layouts},
};

/// The difference between the first and the last of at least two histograms.
pub(crate) fn difference(
    samples: &[(i64, Arc<Histogram>)],
    is_counter: bool,
    inputs: &mut Inputs,
) -> Option<Histogram> {
    let ((_, first), (_, second), (_, last)) = (samples.first()?, samples.get(1)?, samples.last()?);
    let between = samples.get(1..samples.len().saturating_sub(1)).unwrap_or_default();
    let mut start = Histogram::clone(first);
    if is_counter && second.detects_reset(first) {
        // The first one then counts as empty, so its buckets need not match.
        start = Histogram {
            schema: second.schema,
            custom_bounds: Arc::clone(&second.custom_bounds),
            ..Histogram::default()
        };
    }
    let mut not_counter = is_counter && (is_gauge(first) || is_gauge(last));
    let custom = start.has_custom_buckets();
    if last.has_custom_buckets() != custom {
        if not_counter {
            warn_not_counter(inputs);
        }
        warn_of_mixed_layouts(inputs);
        return None;
    }
    let mut coarsest = last.schema.min(start.schema);
    if is_counter {
        // Samples between the ends of a gauge do not matter.
        for (_, histogram) in between {
            not_counter |= is_gauge(histogram);
            coarsest = coarsest.min(histogram.schema);
            if histogram.has_custom_buckets() != custom {
                warn_of_mixed_layouts(inputs);
                return None;
            }
        }
    }
    if not_counter {
        warn_not_counter(inputs);
    }
    let mut total = Histogram::clone(last);
    total.reduce(coarsest);
    total = take(total.minus(&start), "subtraction", inputs)?;
    if is_counter {
        let mut previous = &start;
        for (_, histogram) in samples.iter().skip(1) {
            if histogram.detects_reset(previous) {
                total = take(total.plus(previous), "addition", inputs)?;
            }
            previous = histogram;
        }
    } else if !is_gauge(first) || !is_gauge(last) {
        warn_not_gauge(inputs);
    }
    total.reset_hint = ResetHint::Gauge;
    Some(total)
}

/// The difference between two consecutive histograms.
pub(crate) fn step(before: &Histogram, last: &Histogram, is_rate: bool, inputs: &mut Inputs) -> Option<Histogram> {
    if is_rate && (is_gauge(before) || is_gauge(last)) {
        warn_not_counter(inputs);
    }
    let gauges = is_gauge(before) && is_gauge(last);
    if !is_rate && !gauges {
        warn_not_gauge(inputs);
    }
    let mut difference = if is_rate && last.detects_reset(before) {
        last.clone()
    } else {
        take(last.minus(before), "subtraction", inputs)?
    };
    difference.reset_hint = ResetHint::Gauge;
    Some(difference)
}

/// The histogram of a combination; adds its annotations.
pub(crate) fn take(combined: Option<Reconciled>, operation: &str, inputs: &mut Inputs) -> Option<Histogram> {
    let Some(Reconciled { histogram, bounds_differ, .. }) = combined else {
        warn_of_mixed_layouts(inputs);
        return None;
    };
    if bounds_differ {
        inputs.notes.info(inputs.position, format!("mismatched custom buckets were reconciled during {operation}"));
    }
    Some(histogram)
}
