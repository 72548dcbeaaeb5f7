//! Aggregations that select some series of each group: `topk`, `bottomk`, `limitk`, `limit_ratio`.

use std::{cmp::Ordering, hash::Hasher};

use timeseries::format;
use twox_hash::XxHash64;

use super::{
    Context,
    aggregate::{Group, extremes, groups},
};
use crate::{
    engine::EvalError,
    functions::numeric::position,
    plan::{Aggregate, Aggregator},
    value::{Column, Series, Steps},
};
use labels::Labels;

/// 2⁶³, the first number that is too large for a count.
const BEYOND_I64: f64 = 9_223_372_036_854_775_808.0;

impl Context<'_> {
    pub(super) fn ranked(
        &self,
        aggregate: &Aggregate,
        series: &[Series],
        parameter: &[f64],
        steps: Steps,
    ) -> Result<Vec<Series>, EvalError> {
        let is_ratio = aggregate.operator == Aggregator::LimitRatio;
        let (least, most) = extremes(parameter);
        // If nothing is selected at any step, nothing can be wrong.
        if (is_ratio && most == 0.0 && least == 0.0) || (!is_ratio && most < 1.0) {
            return Ok(Vec::new());
        }
        if most.is_nan() {
            let what = if is_ratio { "Ratio" } else { "Parameter" };
            return Err(EvalError::Query(format!("{what} value is NaN")));
        }
        if is_ratio {
            for (given, capped) in [(most, 1.0), (least, -1.0)] {
                if given * capped > 1.0 {
                    let given = format::general(given);
                    let text = format!("ratio value should be between -1 and 1, got {given}, capping to {capped}");
                    self.warn(aggregate.parameter_position, text);
                }
            }
        } else if least <= -BEYOND_I64 {
            return Err(EvalError::Query(format!("Scalar value {} underflows int64", format::general(least))));
        } else if most >= BEYOND_I64 {
            return Err(EvalError::Query(format!("Scalar value {} overflows int64", format::general(most))));
        }
        let mut results = Vec::new();
        for group in groups(aggregate, series) {
            self.check()?;
            if is_ratio {
                results.extend(by_ratio(&group, parameter));
            } else {
                self.by_rank(aggregate, &group, parameter, steps, &mut results)?;
            }
        }
        Ok(results)
    }

    /// The first series of the group at each step, by value or in their order.
    fn by_rank(
        &self,
        aggregate: &Aggregate,
        group: &Group,
        parameter: &[f64],
        steps: Steps,
        results: &mut Vec<Series>,
    ) -> Result<(), EvalError> {
        let operator = aggregate.operator;
        let mut kept: Vec<Option<Column>> = vec![None; group.members.len()];
        let mut order: Vec<usize> = Vec::new();
        let mut present: Vec<(usize, f64)> = Vec::with_capacity(group.members.len());
        for step in 0..steps.count {
            let most = parameter.get(step).copied().unwrap_or(0.0);
            if most < 1.0 {
                continue;
            }
            self.check()?;
            present.clear();
            for (index, series) in group.members.iter().enumerate() {
                match (series.column.float(step), series.column.histogram(step)) {
                    (Some(value), _) => present.push((index, value)),
                    (None, Some(_)) if operator == Aggregator::LimitK => present.push((index, 0.0)),
                    (None, Some(_)) => self.note_ignored(operator, aggregate.whole_position),
                    (None, None) => {}
                }
            }
            match operator {
                Aggregator::TopK => present.sort_by(|left, right| nan_last(right.1, left.1, left.1, right.1)),
                Aggregator::BottomK => present.sort_by(|left, right| nan_last(left.1, right.1, left.1, right.1)),
                _ => {}
            }
            for (index, _) in present.iter().take(position(most)) {
                let (Some(slot), Some(series)) = (kept.get_mut(*index), group.members.get(*index)) else { continue };
                let column = slot.get_or_insert_with(|| {
                    order.push(*index);
                    Column::absent(steps.count)
                });
                column.set(step, series.column.get(step));
            }
        }
        for index in order {
            let column = kept.get_mut(index).and_then(Option::take);
            if let (Some(column), Some(series)) = (column, group.members.get(index)) {
                results.push(Series { labels: series.labels.clone(), drop_name: series.drop_name, column });
            }
        }
        Ok(())
    }
}

/// Compares two numbers, given in the required order, with NaN always last.
fn nan_last(first: f64, second: f64, left: f64, right: f64) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (false, false) => first.partial_cmp(&second).unwrap_or(Ordering::Equal),
        (left, right) => left.cmp(&right),
    }
}

/// Series whose hash, a number between 0 and 1, is below the ratio, or above it if the ratio is negative.
fn by_ratio<'a>(group: &'a Group<'a>, parameter: &'a [f64]) -> impl Iterator<Item = Series> + 'a {
    group.members.iter().filter_map(move |series| {
        let place = place(&series.labels);
        let mut series = (*series).clone();
        for (step, ratio) in parameter.iter().enumerate() {
            let ratio = ratio.clamp(-1.0, 1.0);
            let keeps = if ratio >= 0.0 { place < ratio } else { place >= 1.0 + ratio };
            if !keeps {
                series.column.set(step, None);
            }
        }
        (!series.column.is_absent()).then_some(series)
    })
}

/// A hash of the labels as a number between 0 and 1. It is the same as Prometheus', so that both select the same
/// series: xxHash of all names and values, each after its length.
#[allow(clippy::cast_precision_loss, reason = "Prometheus rounds the same way")]
fn place(labels: &Labels) -> f64 {
    let mut hash = XxHash64::with_seed(0);
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        match u8::try_from(text.len()) {
            Ok(length) if length < u8::MAX => hash.write(&[length]),
            _ => {
                let [first, second, third, ..] = u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes();
                hash.write(&[u8::MAX, first, second, third]);
            }
        }
        hash.write(text.as_bytes());
    }
    hash.finish() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_over_lengths_and_texts() {
        let mut whole = XxHash64::with_seed(0);
        whole.write(b"\x08__name__\x02up\x03job\x01a");
        let labels = Labels::new([("job", "a"), ("__name__", "up")]);
        assert_eq!(place(&labels), whole.finish() as f64 / u64::MAX as f64);
        // The hash of an empty input is known.
        assert_eq!(place(&Labels::default()), 0xef46_db37_51d8_e999_u64 as f64 / u64::MAX as f64);
    }
}
