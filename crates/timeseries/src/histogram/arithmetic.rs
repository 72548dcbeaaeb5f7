//! Adds, subtracts and compares histograms of different resolution.

use std::{cmp::Ordering, sync::Arc};

use super::{Buckets, Histogram, ResetHint, bounds::exponential_bound};

/// A combination of two histograms.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconciled {
    /// The result.
    pub histogram: Histogram,
    /// One histogram says that it was reset, the other one that it was not.
    pub resets_conflict: bool,
    /// The custom bounds differ; only common ones remain.
    pub bounds_differ: bool,
}

impl Histogram {
    /// The sum; `None` if only one has custom buckets.
    pub fn plus(&self, other: &Histogram) -> Option<Reconciled> {
        self.combine(other, 1.0)
    }

    /// The difference, which is a gauge; `None` if only one has custom buckets.
    pub fn minus(&self, other: &Histogram) -> Option<Reconciled> {
        let mut combined = self.combine(other, -1.0)?;
        combined.histogram.reset_hint = ResetHint::Gauge;
        Some(combined)
    }

    /// The difference, which is only a gauge if one of them is; `None` if only one has custom buckets.
    pub fn less(&self, other: &Histogram) -> Option<Reconciled> {
        self.combine(other, -1.0)
    }

    fn combine(&self, other: &Histogram, sign: f64) -> Option<Reconciled> {
        if self.has_custom_buckets() != other.has_custom_buckets() {
            return None;
        }
        let (reset_hint, resets_conflict) = combine_hints(self.reset_hint, other.reset_hint);
        let mut histogram = self.clone();
        let mut other = other.clone();
        let mut bounds_differ = false;
        if self.has_custom_buckets() {
            if histogram.custom_bounds != other.custom_bounds {
                bounds_differ = true;
                let common = common_bounds(&histogram.custom_bounds, &other.custom_bounds);
                histogram.rebound(&common);
                other.rebound(&common);
            }
        } else {
            level_zero_buckets(&mut histogram, &mut other);
            let schema = histogram.schema.min(other.schema);
            histogram.reduce(schema);
            other.reduce(schema);
        }
        histogram.zero_count += sign * other.zero_count;
        histogram.count += sign * other.count;
        histogram.sum += sign * other.sum;
        histogram.positive = merge(&histogram.positive, &other.positive, sign);
        histogram.negative = merge(&histogram.negative, &other.negative, sign);
        histogram.reset_hint = reset_hint;
        Some(Reconciled { histogram, resets_conflict, bounds_differ })
    }

    /// Reduces exponential buckets to a lower resolution.
    pub fn reduce(&mut self, schema: i32) {
        let Ok(halvings) = u32::try_from(self.schema - schema) else { return };
        if halvings == 0 {
            return;
        }
        for buckets in [&mut self.positive, &mut self.negative] {
            *buckets = regroup(buckets, |index| ((index - 1) >> halvings.min(31)) + 1);
        }
        self.schema = schema;
    }

    /// Reduces custom buckets to fewer bounds.
    pub(super) fn rebound(&mut self, bounds: &Arc<[f64]>) {
        let old = Arc::clone(&self.custom_bounds);
        self.positive = regroup(&self.positive, |index| {
            let upper = usize::try_from(index).ok().and_then(|index| old.get(index));
            let place = upper.map_or(bounds.len(), |upper| bounds.partition_point(|bound| bound < upper));
            i32::try_from(place).unwrap_or(i32::MAX)
        });
        self.custom_bounds = Arc::clone(bounds);
    }

    /// Converts to the layout of a coarser histogram.
    pub fn adopt(&mut self, layout: &Histogram) {
        if layout.has_custom_buckets() {
            if self.custom_bounds != layout.custom_bounds {
                self.rebound(&layout.custom_bounds);
            }
            return;
        }
        if self.zero_threshold < layout.zero_threshold {
            self.widen_zero_bucket(layout.zero_threshold);
        }
        self.reduce(layout.schema);
    }

    /// Widens the zero bucket to at least a threshold. A bucket that contains the threshold is merged completely, which
    /// widens it further.
    fn widen_zero_bucket(&mut self, threshold: f64) {
        let mut wanted = threshold;
        let schema = self.schema;
        loop {
            let cut = self.positive.iter().chain(&self.negative).map(|(index, _)| *index).find(|index| {
                exponential_bound(schema, index - 1) < wanted && exponential_bound(schema, *index) > wanted
            });
            match cut {
                Some(index) => wanted = exponential_bound(schema, index),
                None => break,
            }
        }
        for buckets in [&mut self.positive, &mut self.negative] {
            let mut inside = 0.0;
            buckets.retain(|(index, count)| {
                let keeps = exponential_bound(schema, *index) > wanted;
                if !keeps {
                    inside += count;
                }
                keeps
            });
            self.zero_count += inside;
        }
        self.zero_threshold = wanted;
    }

    /// Whether a counter with these two samples was reset in between. The histogram's own hint decides, if it has one;
    /// a gauge is treated like a counter.
    #[must_use]
    pub fn detects_reset(&self, before: &Histogram) -> bool {
        match self.reset_hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < before.count || self.has_custom_buckets() != before.has_custom_buckets() {
            return true;
        }
        if self.has_custom_buckets() {
            if self.custom_bounds == before.custom_bounds {
                return falls(&self.positive, &before.positive);
            }
            let common = common_bounds(&self.custom_bounds, &before.custom_bounds);
            let (mut now, mut before) = (self.clone(), before.clone());
            now.rebound(&common);
            before.rebound(&common);
            return falls(&now.positive, &before.positive);
        }
        if self.schema > before.schema || self.zero_threshold < before.zero_threshold {
            return true;
        }
        let mut before = before.clone();
        if before.zero_threshold < self.zero_threshold {
            before.widen_zero_bucket(self.zero_threshold);
            if before.zero_threshold > self.zero_threshold {
                return true;
            }
        }
        before.reduce(self.schema);
        self.zero_count < before.zero_count
            || falls(&self.positive, &before.positive)
            || falls(&self.negative, &before.negative)
    }
}

fn combine_hints(left: ResetHint, right: ResetHint) -> (ResetHint, bool) {
    match (left, right) {
        _ if left == right => (left, false),
        (ResetHint::Gauge, _) | (_, ResetHint::Gauge) => (ResetHint::Gauge, false),
        (ResetHint::Unknown, _) | (_, ResetHint::Unknown) => (ResetHint::Unknown, false),
        _ => (ResetHint::Unknown, true),
    }
}

/// Widens the zero buckets until both are equal.
fn level_zero_buckets(left: &mut Histogram, right: &mut Histogram) {
    loop {
        match left.zero_threshold.partial_cmp(&right.zero_threshold) {
            Some(Ordering::Less) => left.widen_zero_bucket(right.zero_threshold),
            Some(Ordering::Greater) => right.widen_zero_bucket(left.zero_threshold),
            _ => return,
        }
    }
}

/// Bounds that both have.
pub(super) fn common_bounds(left: &[f64], right: &[f64]) -> Arc<[f64]> {
    left.iter().copied().filter(|bound| right.contains(bound)).collect()
}

/// Merges buckets with the same new index. The new indices must be in the same order as the old ones.
fn regroup(buckets: &Buckets, place: impl Fn(i32) -> i32) -> Buckets {
    let mut grouped: Buckets = Vec::with_capacity(buckets.len());
    for (index, count) in buckets {
        let index = place(*index);
        match grouped.last_mut() {
            Some((last, total)) if *last == index => *total += count,
            _ => grouped.push((index, *count)),
        }
    }
    grouped
}

/// Adds, or subtracts, bucket by bucket.
fn merge(left: &Buckets, right: &Buckets, sign: f64) -> Buckets {
    let mut merged = Vec::with_capacity(left.len().max(right.len()));
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    loop {
        let ordering = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((left, _)), Some((right, _))) => left.cmp(right),
        };
        let from_left = if ordering.is_le() { left.next() } else { None };
        let from_right = if ordering.is_ge() { right.next() } else { None };
        let index = from_left.or(from_right).map_or(0, |(index, _)| *index);
        let count = from_left.map_or(0.0, |(_, count)| *count) + sign * from_right.map_or(0.0, |(_, count)| *count);
        if count != 0.0 {
            merged.push((index, count));
        }
    }
    merged
}

/// True if the count of some bucket decreased.
fn falls(now: &Buckets, before: &Buckets) -> bool {
    before.iter().any(|(index, count)| {
        let current = now.binary_search_by_key(index, |(index, _)| *index).ok().and_then(|place| now.get(place));
        current.map_or(0.0, |(_, count)| *count) < *count
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(schema: i32, positive: &[(i32, f64)]) -> Histogram {
        let count = positive.iter().map(|(_, count)| count).sum();
        Histogram { schema, count, sum: count, positive: positive.to_vec(), ..Histogram::default() }
    }

    #[test]
    fn the_coarser_resolution_wins() {
        let fine = histogram(1, &[(1, 1.0), (2, 2.0), (3, 4.0)]);
        let coarse = histogram(0, &[(1, 10.0)]);
        let sum = fine.plus(&coarse).unwrap().histogram;
        assert_eq!(sum.positive, [(1, 13.0), (2, 4.0)]);
        assert_eq!((sum.schema, sum.count), (0, 17.0));
    }

    #[test]
    fn a_wider_zero_bucket_swallows_what_it_covers() {
        let mut wide = histogram(0, &[(3, 1.0)]);
        wide.zero_threshold = 1.5;
        let narrow = histogram(0, &[(0, 2.0), (1, 3.0), (3, 1.0)]);
        let sum = wide.plus(&narrow).unwrap().histogram;
        assert_eq!((sum.zero_threshold, sum.zero_count), (2.0, 5.0));
        assert_eq!(sum.positive, [(3, 2.0)]);
    }

    #[test]
    fn different_custom_bounds_leave_the_common_ones() {
        let custom = |bounds: &[f64], counts: &[(i32, f64)]| Histogram {
            custom_bounds: bounds.into(),
            ..histogram(super::super::CUSTOM, counts)
        };
        let left = custom(&[1.0, 2.0, 5.0], &[(0, 1.0), (1, 1.0), (3, 1.0)]);
        let right = custom(&[2.0, 5.0], &[(0, 4.0), (1, 4.0)]);
        let sum = left.plus(&right).unwrap();
        assert!(sum.bounds_differ);
        assert_eq!(sum.histogram.positive, [(0, 6.0), (1, 4.0), (2, 1.0)]);
        assert!(left.plus(&histogram(0, &[])).is_none());
    }

    #[test]
    fn less_in_a_bucket_is_a_reset() {
        let before = histogram(0, &[(1, 5.0), (2, 5.0)]);
        assert!(!histogram(0, &[(1, 5.0), (2, 6.0)]).detects_reset(&before));
        assert!(histogram(0, &[(1, 4.0), (2, 9.0)]).detects_reset(&before));
        assert!(histogram(0, &[(2, 20.0)]).detects_reset(&before));
        assert!(!histogram(-1, &[(1, 11.0)]).detects_reset(&before));
        assert!(histogram(2, &[(1, 50.0)]).detects_reset(&before));
    }

    #[test]
    fn opposite_hints_conflict() {
        let mut left = histogram(0, &[]);
        let mut right = histogram(0, &[]);
        left.reset_hint = ResetHint::Reset;
        right.reset_hint = ResetHint::NotReset;
        assert!(left.plus(&right).unwrap().resets_conflict);
    }
}
