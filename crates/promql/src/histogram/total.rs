//! Sums and means of several histograms.

use std::sync::Arc;

use super::{Histogram, Reconciled, ResetHint};
use crate::functions::{Inputs, numeric::count, rate::warn_of_mixed_layouts};

/// The sum; nothing, with a warning, if some have custom buckets and others have not.
pub(crate) fn sum(histograms: &[(i64, Arc<Histogram>)], inputs: &mut Inputs) -> Option<Histogram> {
    let mut rest = histograms.iter().map(|(_, histogram)| histogram);
    let mut total = Histogram::clone(rest.next()?);
    let seen = |hint: ResetHint| histograms.iter().any(|(_, histogram)| histogram.reset_hint == hint);
    let conflict = seen(ResetHint::Reset) && seen(ResetHint::NotReset);
    for histogram in rest {
        let Some(Reconciled { histogram, bounds_differ, .. }) = total.plus(histogram) else {
            warn_of_mixed_layouts(inputs);
            return None;
        };
        if bounds_differ {
            inputs.notes.info(inputs.position, "mismatched custom buckets were reconciled during aggregation");
        }
        total = histogram;
    }
    if conflict {
        inputs.notes.warn(inputs.position, "conflicting counter resets during histogram aggregation");
    }
    Some(total)
}

/// The mean; nothing, with a warning, if some have custom buckets and others have not.
pub(crate) fn mean(histograms: &[(i64, Arc<Histogram>)], inputs: &mut Inputs) -> Option<Histogram> {
    let number = count(histograms.len());
    let mut mean = sum(histograms, inputs)?;
    if mean.sum.is_infinite() || mean.count.is_infinite() {
        // Dividing first keeps what is too large to add up.
        let shares: Vec<_> =
            histograms.iter().map(|(time, histogram)| (*time, Arc::new(histogram.scaled(1.0 / number)))).collect();
        return sum(&shares, inputs);
    }
    mean.map_counts(|count| count / number);
    Some(mean)
}
