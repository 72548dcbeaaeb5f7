//! Bounds of buckets.

use std::sync::LazyLock;

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
    /// Number of observations.
    pub count: f64,
}

impl Histogram {
    /// All non-empty buckets, from the lowest to the highest.
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

/// Upper bound of an exponential bucket: 2^(index · 2^-schema). The last finite bound is the largest number; above it,
/// bounds are infinite.
pub(super) fn exponential_bound(schema: i32, index: i32) -> f64 {
    let (schema, index) = (schema.clamp(-4, FINEST), i64::from(index));
    if schema <= 0 {
        let exponent = index << -schema;
        if exponent == LARGEST { f64::MAX } else { gomath::ldexp(1.0, exponent) }
    } else {
        let places = 1 << schema;
        let (exponent, place) = (index >> schema, index.rem_euclid(places));
        if place == 0 && exponent == LARGEST { f64::MAX } else { gomath::ldexp(fraction(schema, place), exponent + 1) }
    }
}

/// The finest schema, with 256 buckets between powers of two.
const FINEST: i32 = 8;
/// The first power of two that is not finite.
const LARGEST: i64 = 1024;

/// A bound between ½ and 1.
///
/// Clients and Prometheus have these in a table, which is not rounded to nearest: each odd bound of a schema is the
/// previous one times a factor, and the even ones are those of the coarser schema. With other bounds, a printed or
/// interpolated histogram would differ.
fn fraction(schema: i32, place: i64) -> f64 {
    static FINEST_BOUNDS: LazyLock<Vec<f64>> = LazyLock::new(|| {
        let mut bounds = vec![0.5];
        for schema in 1..=FINEST {
            let factor = gomath::exp2(gomath::exp2(-f64::from(schema)));
            bounds = bounds.into_iter().flat_map(|bound| [bound, bound * factor]).collect();
        }
        bounds
    });
    let place = usize::try_from(place << (FINEST - schema)).ok();
    place.and_then(|place| FINEST_BOUNDS.get(place)).copied().unwrap_or(f64::NAN)
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
    }

    #[test]
    fn the_last_bounds_are_the_largest_number_and_no_number() {
        for (schema, last) in [(0, 1024), (-4, 64), (8, 1024 << 8)] {
            assert_eq!(exponential_bound(schema, last), f64::MAX);
            assert_eq!(exponential_bound(schema, last + 1), f64::INFINITY);
        }
        assert_eq!(exponential_bound(8, -1100 << 8), 0.0);
        assert_eq!(exponential_bound(-4, i32::MIN), 0.0);
    }

    #[test]
    fn bounds_are_those_that_clients_have() {
        assert_eq!(exponential_bound(1, -1), 0.707_106_781_186_547_5);
        assert_eq!(exponential_bound(1, 1), std::f64::consts::SQRT_2.next_down());
        let of_third = [0.5, 0.5452538663326288, 0.5946035575013605, 0.6484197773255048];
        for (place, bound) in (-8..).zip(of_third) {
            assert_eq!(exponential_bound(3, place), bound);
        }
        assert_eq!(exponential_bound(8, -255), 0.5013556375251013);
        assert_eq!(exponential_bound(8, -91), 0.7816156449856788);
        assert_eq!(exponential_bound(8, -1), 0.9972960560854698);
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
