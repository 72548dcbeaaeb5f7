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
    let layout = common_layout(histograms, inputs)?;
    Some(sum_of(histograms, &layout, inputs))
}

/// The mean; nothing, with a warning, if some have custom buckets and others have not.
pub(crate) fn mean(histograms: Samples, inputs: &mut Inputs) -> Option<Histogram> {
    let layout = common_layout(histograms, inputs)?;
    Some(mean_of(histograms, &layout, inputs))
}

/// The sum of histograms that fit a layout.
pub(crate) fn sum_of(histograms: Samples, layout: &Histogram, inputs: &mut Inputs) -> Histogram {
    let seen = |hint: ResetHint| histograms.iter().any(|(_, histogram)| histogram.reset_hint == hint);
    if seen(ResetHint::Reset) && seen(ResetHint::NotReset) {
        inputs.notes.warn(inputs.position, "conflicting counter resets during histogram aggregation");
    }
    total(histograms, 1.0, layout)
}

/// The mean of histograms that fit a layout.
pub(crate) fn mean_of(histograms: Samples, layout: &Histogram, inputs: &mut Inputs) -> Histogram {
    let number = count(histograms.len());
    let mut mean = sum_of(histograms, layout, inputs);
    if mean.sum.is_infinite() || mean.count.is_infinite() {
        // Dividing first keeps what is too large to add up.
        return total(histograms, number, layout);
    }
    mean.map_counts(|count| count / number);
    mean
}

/// The sum of all histograms, each divided by a number.
fn total(histograms: Samples, divisor: f64, layout: &Histogram) -> Histogram {
    if let [(_, only)] = histograms
        && divisor == 1.0
    {
        return Histogram::clone(only);
    }
    let (mut zero_count, mut number, mut sum) = (Sum::default(), Sum::default(), Sum::default());
    let (mut positive, mut negative): (BTreeMap<i32, Sum>, BTreeMap<i32, Sum>) = Default::default();
    for (_, histogram) in histograms {
        let mut histogram = Histogram::clone(histogram);
        histogram.adopt(layout);
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
    Histogram {
        zero_count: zero_count.total(),
        count: number.total(),
        sum: sum.total(),
        positive: finish(positive),
        negative: finish(negative),
        ..layout.clone()
    }
}

/// A histogram with the resolution, zero bucket and bounds that all can be brought to.
fn common_layout(histograms: Samples, inputs: &mut Inputs) -> Option<Histogram> {
    let mut layout = None;
    histograms.iter().all(|(_, histogram)| fit(&mut layout, histogram, inputs)).then_some(layout)?
}

/// Makes a layout fit one more histogram; false, with a warning, if only one of the two has custom buckets.
pub(crate) fn fit(layout: &mut Option<Histogram>, histogram: &Histogram, inputs: &mut Inputs) -> bool {
    let Some(before) = layout else {
        *layout = Some(histogram.clone());
        return true;
    };
    let Some(Reconciled { histogram, bounds_differ, .. }) = before.plus(histogram) else {
        warn_of_mixed_layouts(inputs);
        return false;
    };
    if bounds_differ {
        inputs.notes.info(inputs.position, "mismatched custom buckets were reconciled during aggregation");
    }
    *layout = Some(histogram);
    true
}
