//! Sums and means of several histograms.

use std::{collections::BTreeMap, sync::Arc};

use super::{Buckets, Histogram, Reconciled, ResetHint};
use crate::functions::{
    Inputs,
    numeric::{Sum, count},
    rate::warn_of_mixed_layouts,
};

type Samples<'a> = &'a [(i64, Arc<Histogram>)];

/// The sum; nothing, with a warning, if some have custom buckets and others have not.
pub(crate) fn sum(histograms: Samples, inputs: &mut Inputs) -> Option<Histogram> {
    total(histograms, 1.0, inputs)
}

/// The mean; nothing, with a warning, if some have custom buckets and others have not.
pub(crate) fn mean(histograms: Samples, inputs: &mut Inputs) -> Option<Histogram> {
    let number = count(histograms.len());
    let mut mean = total(histograms, 1.0, inputs)?;
    if mean.sum.is_infinite() || mean.count.is_infinite() {
        // Dividing first keeps what is too large to add up.
        return total(histograms, number, inputs);
    }
    mean.map_counts(|count| count / number);
    Some(mean)
}

/// The sum of all histograms, each divided by a number.
fn total(histograms: Samples, divisor: f64, inputs: &mut Inputs) -> Option<Histogram> {
    let (_, first) = histograms.first()?;
    if histograms.len() == 1 && divisor == 1.0 {
        return Some(Histogram::clone(first));
    }
    let layout = common_layout(histograms, inputs)?;
    let seen = |hint: ResetHint| histograms.iter().any(|(_, histogram)| histogram.reset_hint == hint);
    if seen(ResetHint::Reset) && seen(ResetHint::NotReset) {
        inputs.notes.warn(inputs.position, "conflicting counter resets during histogram aggregation");
    }
    let (mut zero_count, mut number, mut sum) = (Sum::default(), Sum::default(), Sum::default());
    let (mut positive, mut negative): (BTreeMap<i32, Sum>, BTreeMap<i32, Sum>) = Default::default();
    for (_, histogram) in histograms {
        let mut histogram = Histogram::clone(histogram);
        histogram.adopt(&layout);
        zero_count.add(histogram.zero_count / divisor);
        number.add(histogram.count / divisor);
        sum.add(histogram.sum / divisor);
        for (totals, buckets) in [(&mut positive, &histogram.positive), (&mut negative, &histogram.negative)] {
            for (index, count) in buckets {
                totals.entry(*index).or_default().add(count / divisor);
            }
        }
    }
    let finish = |totals: BTreeMap<i32, Sum>| -> Buckets {
        totals.into_iter().map(|(index, sum)| (index, sum.total())).filter(|(_, count)| *count != 0.0).collect()
    };
    Some(Histogram {
        zero_count: zero_count.total(),
        count: number.total(),
        sum: sum.total(),
        positive: finish(positive),
        negative: finish(negative),
        ..layout
    })
}

/// A histogram with the resolution, zero bucket and bounds that all can be brought to.
fn common_layout(histograms: Samples, inputs: &mut Inputs) -> Option<Histogram> {
    let mut rest = histograms.iter().map(|(_, histogram)| histogram);
    let mut layout = Histogram::clone(rest.next()?);
    for histogram in rest {
        let Some(Reconciled { histogram, bounds_differ, .. }) = layout.plus(histogram) else {
            warn_of_mixed_layouts(inputs);
            return None;
        };
        if bounds_differ {
            inputs.notes.info(inputs.position, "mismatched custom buckets were reconciled during aggregation");
        }
        layout = histogram;
    }
    Some(layout)
}
