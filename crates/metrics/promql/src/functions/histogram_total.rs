//! Sums and means of several histograms.

use std::{collections::BTreeMap, sync::Arc};

use timeseries::{
    CompensatedSum,
    histogram::{Buckets, Histogram, Reconciled, ResetHint},
};

use super::{Inputs, numeric::count, rate::warn_of_mixed_layouts};

type Samples<'a> = &'a [(i64, Arc<Histogram>)];

/// The sum; `None`, with a warning, if only some have custom buckets.
pub(crate) fn sum(histograms: Samples, inputs: &mut Inputs) -> Option<Histogram> {
    let layout = common_layout(histograms, inputs)?;
    Some(sum_of(histograms, &layout, inputs))
}

/// The mean; `None`, with a warning, if only some have custom buckets.
pub(crate) fn mean(histograms: Samples, inputs: &mut Inputs) -> Option<Histogram> {
    let layout = common_layout(histograms, inputs)?;
    Some(mean_of(histograms, &layout, inputs))
}

/// The sum of histograms with a common layout.
pub(crate) fn sum_of(histograms: Samples, layout: &Histogram, inputs: &mut Inputs) -> Histogram {
    warn_of_resets(histograms, inputs);
    if let [(_, only)] = histograms {
        return Histogram::clone(only);
    }
    let mut totals = Totals::default();
    for (_, histogram) in histograms {
        totals.add(histogram, layout, 1.0);
    }
    totals.finish(layout, CompensatedSum::total)
}

/// The mean of histograms with a common layout: sum and rounding error, each divided by the count. Once a sum is
/// infinite, the running mean is updated instead.
pub(crate) fn mean_of(histograms: Samples, layout: &Histogram, inputs: &mut Inputs) -> Histogram {
    warn_of_resets(histograms, inputs);
    if let [(_, only)] = histograms {
        return Histogram::clone(only);
    }
    let mut totals = Totals::default();
    for (index, (_, histogram)) in histograms.iter().enumerate() {
        totals.add(histogram, layout, 1.0);
        if index > 0 && totals.is_infinite() {
            return moved_mean(histograms, index, layout);
        }
    }
    let number = count(histograms.len());
    totals.finish(layout, |sum| sum.map(|part| part / number).total())
}

/// The mean: the first `summed` histograms are summed, the others update the running mean.
fn moved_mean(histograms: Samples, summed: usize, layout: &Histogram) -> Histogram {
    let mut totals = Totals::default();
    for (_, histogram) in histograms.iter().take(summed) {
        totals.add(histogram, layout, 1.0);
    }
    totals.map(|part| part / count(summed));
    for (index, (_, histogram)) in histograms.iter().enumerate().skip(summed) {
        let (before, number) = (count(index), count(index + 1));
        let share = before / number;
        totals.map(|part| part * share);
        totals.add(histogram, layout, number);
    }
    totals.finish(layout, CompensatedSum::total)
}

fn warn_of_resets(histograms: Samples, inputs: &mut Inputs) {
    let seen = |hint: ResetHint| histograms.iter().any(|(_, histogram)| histogram.reset_hint == hint);
    if seen(ResetHint::Reset) && seen(ResetHint::NotReset) {
        inputs.notes.warn(inputs.position, "conflicting counter resets during histogram aggregation");
    }
}

/// Compensated sums of all numbers of several histograms.
#[derive(Default)]
struct Totals {
    zero_count: CompensatedSum,
    count: CompensatedSum,
    sum: CompensatedSum,
    positive: BTreeMap<i32, CompensatedSum>,
    negative: BTreeMap<i32, CompensatedSum>,
}

impl Totals {
    /// Adds a histogram, converted to a layout and divided by a number.
    fn add(&mut self, histogram: &Histogram, layout: &Histogram, divisor: f64) {
        let mut histogram = histogram.clone();
        histogram.adopt(layout);
        self.zero_count.add(histogram.zero_count / divisor);
        self.count.add(histogram.count / divisor);
        self.sum.add(histogram.sum / divisor);
        for (totals, buckets) in [(&mut self.positive, &histogram.positive), (&mut self.negative, &histogram.negative)]
        {
            for (index, count) in buckets {
                totals.entry(*index).or_default().add(count / divisor);
            }
        }
    }

    fn sums(&mut self) -> impl Iterator<Item = &mut CompensatedSum> {
        let single = [&mut self.zero_count, &mut self.count, &mut self.sum];
        single.into_iter().chain(self.positive.values_mut()).chain(self.negative.values_mut())
    }

    /// Applies a function to each sum and its rounding error.
    fn map(&mut self, change: impl Fn(f64) -> f64) {
        self.sums().for_each(|sum| *sum = sum.map(&change));
    }

    fn is_infinite(&mut self) -> bool {
        self.sums().any(|sum| sum.is_infinite())
    }

    fn finish(self, layout: &Histogram, finish: impl Fn(CompensatedSum) -> f64) -> Histogram {
        let buckets = |totals: BTreeMap<i32, CompensatedSum>| -> Buckets {
            totals.into_iter().map(|(index, sum)| (index, finish(sum))).filter(|(_, count)| *count != 0.0).collect()
        };
        Histogram {
            zero_count: finish(self.zero_count),
            count: finish(self.count),
            sum: finish(self.sum),
            positive: buckets(self.positive),
            negative: buckets(self.negative),
            ..layout.clone()
        }
    }
}

/// A histogram with the resolution, zero bucket and bounds to which all can be converted.
fn common_layout(histograms: Samples, inputs: &mut Inputs) -> Option<Histogram> {
    let mut layout = None;
    histograms.iter().all(|(_, histogram)| fit(&mut layout, histogram, inputs)).then_some(layout)?
}

/// Extends a layout by one histogram; false, with a warning, if only one of the two has custom buckets.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::annotation::Notes;

    fn mean(sums: &[f64], counts: &[f64]) -> (f64, f64) {
        let histogram = |(sum, count): (&f64, &f64)| {
            (0, Arc::new(Histogram { sum: *sum, count: *count, positive: vec![(0, *count)], ..Histogram::default() }))
        };
        let histograms: Vec<_> = sums.iter().zip(counts).map(histogram).collect();
        let notes = &mut Notes::default();
        let mut inputs = Inputs { scalars: [0.0; 2], metric: "", position: 0, scalar_position: 0, notes, error: None };
        let mean = super::mean(&histograms, &mut inputs).unwrap();
        assert_eq!(mean.positive, [(0, mean.count)]);
        (mean.sum, mean.count)
    }

    #[test]
    fn a_mean_of_histograms_is_that_of_their_numbers() {
        let values = [0.1, 0.7, 1e9, 3.3, 0.2, 1.0 / 3.0, 1e-9];
        let expected = crate::functions::numeric::mean(&values);
        assert_eq!(mean(&values, &values), (expected, expected));
    }

    #[test]
    fn a_mean_that_cannot_be_summed_up_is_moved_along() {
        assert_eq!(mean(&[1e308, 1e308, 1e308], &[1.0, 2.0, 3.0]), (1e308, 2.0));
        // An infinite observation, from the second histogram on.
        let third = 2.0 / 3.0;
        assert_eq!(
            mean(&[1.0, f64::INFINITY, f64::INFINITY], &[0.1, 0.2, 0.7]),
            (f64::INFINITY, (0.1 * 0.5 + 0.1) * third + 0.7 / 3.0)
        );
    }
}
