//! Where buckets begin and end.

use super::Histogram;

/// A bucket with its bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Whether an observation equal to the lower bound is in the bucket.
    pub includes_lower: bool,
    /// Whether an observation equal to the upper bound is in the bucket.
    pub includes_upper: bool,
    /// Observations.
    pub count: f64,
}

impl Histogram {
    /// All buckets that are not empty, from the lowest to the highest.
    #[must_use]
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut buckets = Vec::with_capacity(self.negative.len() + self.positive.len() + 1);
        for (index, count) in self.negative.iter().rev() {
            let (lower, upper) = (-exponential_bound(self.schema, *index), -exponential_bound(self.schema, index - 1));
            buckets.push(Bucket { lower, upper, includes_lower: true, includes_upper: false, count: *count });
        }
        if self.zero_count != 0.0 {
            let (lower, upper) = (-self.zero_threshold, self.zero_threshold);
            buckets.push(Bucket { lower, upper, includes_lower: true, includes_upper: true, count: self.zero_count });
        }
        for (index, count) in &self.positive {
            let (lower, upper) = self.positive_bounds(*index);
            let includes_lower = self.has_custom_buckets() && *index == 0;
            buckets.push(Bucket { lower, upper, includes_lower, includes_upper: true, count: *count });
        }
        buckets
    }

    /// Bounds of a positive, or custom, bucket.
    pub(super) fn positive_bounds(&self, index: i32) -> (f64, f64) {
        if !self.has_custom_buckets() {
            return (exponential_bound(self.schema, index - 1), exponential_bound(self.schema, index));
        }
        let bound = |index: i32| usize::try_from(index).ok().and_then(|index| self.custom_bounds.get(index)).copied();
        (bound(index - 1).unwrap_or(f64::NEG_INFINITY), bound(index).unwrap_or(f64::INFINITY))
    }
}

/// Upper bound of an exponential bucket: 2^(index · 2^-schema). Powers beyond the largest number end there.
pub(super) fn exponential_bound(schema: i32, index: i32) -> f64 {
    let exponent = f64::from(index) * f64::from(-schema.clamp(-4, 8)).exp2();
    // The whole part is exact, so that bounds of different schemas are equal where they should be.
    let whole = exponent.floor();
    let bound = (exponent - whole).exp2() * whole.exp2();
    if bound.is_infinite() && index > 0 { f64::MAX } else { bound }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_grow_by_powers_of_two() {
        assert_eq!(exponential_bound(0, 3), 8.0);
        assert_eq!(exponential_bound(1, 2), 2.0);
        assert_eq!(exponential_bound(-1, 1), 4.0);
        assert_eq!(exponential_bound(2, -4), 0.5);
        assert_eq!(exponential_bound(0, 1024), f64::MAX);
    }

    #[test]
    fn buckets_come_from_low_to_high() {
        let histogram = Histogram {
            zero_threshold: 0.5,
            zero_count: 2.0,
            positive: vec![(1, 3.0)],
            negative: vec![(1, 1.0), (2, 4.0)],
            ..Histogram::default()
        };
        let bounds: Vec<_> = histogram.buckets().iter().map(|b| (b.lower, b.upper, b.count)).collect();
        assert_eq!(bounds, [(-4.0, -2.0, 4.0), (-2.0, -1.0, 1.0), (-0.5, 0.5, 2.0), (1.0, 2.0, 3.0)]);
    }
}
