//! Quantiles, fractions and the spread of a histogram: estimates, as observations inside of a bucket are not told apart.

use super::{Bucket, Histogram};

/// A quantile, and what observations that are not numbers did to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    /// Some observations were NaN, so that the sum is.
    pub(crate) nan_observations: bool,
}

impl Histogram {
    /// The φ-quantile.
    pub(crate) fn quantile(&self, phi: f64) -> Estimate {
        let plain = |value: f64| Estimate { value, nan_observations: false };
        if self.count == 0.0 || phi.is_nan() {
            return plain(f64::NAN);
        }
        if phi < 0.0 {
            return plain(f64::NEG_INFINITY);
        }
        if phi > 1.0 {
            return plain(f64::INFINITY);
        }
        let nan_observations = self.sum.is_nan();
        Estimate { value: self.find(phi, nan_observations), nan_observations }
    }

    fn find(&self, phi: f64, nan_observations: bool) -> f64 {
        // Counting from the nearer end loses less to rounding; NaN observations are in no bucket, as if they were above all.
        let forwards = nan_observations || phi < 0.5;
        let rank = if forwards { phi * self.count } else { (1.0 - phi) * self.count };
        let mut buckets = self.buckets();
        if !forwards {
            buckets.reverse();
        }
        let mut count = 0.0;
        let mut found = None;
        for bucket in buckets {
            count += bucket.count;
            found = Some(bucket);
            if count >= rank {
                break;
            }
        }
        let Some(mut bucket) = found else { return f64::NAN };
        self.narrow(&mut bucket);
        if self.has_custom_buckets() {
            if bucket.lower == f64::NEG_INFINITY {
                return bucket.upper;
            }
            if bucket.upper == f64::INFINITY {
                return bucket.lower;
            }
        }
        let count = if count > self.count { self.count } else { count };
        if count < rank {
            return if nan_observations { f64::NAN } else { bucket.upper };
        }
        let inside = if forwards { rank - (count - bucket.count) } else { count - rank };
        let fraction = inside / bucket.count;
        if self.is_linear(&bucket) {
            return bucket.lower + (bucket.upper - bucket.lower) * fraction;
        }
        let (lower, upper) = (gomath::log2(bucket.lower.abs()), gomath::log2(bucket.upper.abs()));
        if bucket.lower > 0.0 {
            gomath::exp2(lower + (upper - lower) * fraction)
        } else {
            -gomath::exp2(upper + (lower - upper) * (1.0 - fraction))
        }
    }

    /// Moves the bounds of the bucket around zero, or of a lowest custom one, to zero if nothing lies beyond it.
    pub(super) fn narrow(&self, bucket: &mut Bucket) {
        if self.has_custom_buckets() {
            if bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 {
                bucket.lower = 0.0;
            }
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            if self.negative.is_empty() && !self.positive.is_empty() {
                bucket.lower = 0.0;
            } else if self.positive.is_empty() && !self.negative.is_empty() {
                bucket.upper = 0.0;
            }
        }
    }

    /// True if observations are taken to be spread evenly in a bucket, not exponentially.
    fn is_linear(&self, bucket: &Bucket) -> bool {
        self.has_custom_buckets() || (bucket.lower <= 0.0 && bucket.upper >= 0.0)
    }

    /// The share of observations between two bounds.
    pub(crate) fn fraction(&self, lower: f64, upper: f64) -> f64 {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return f64::NAN;
        }
        if lower >= upper {
            return 0.0;
        }
        (self.rank(upper) - self.rank(lower)) / self.count
    }

    /// How many observations lie below a bound.
    fn rank(&self, bound: f64) -> f64 {
        let mut rank = 0.0;
        for mut bucket in self.buckets() {
            self.narrow(&mut bucket);
            if bucket.lower >= bound {
                return rank;
            }
            if bucket.upper > bound {
                return (rank + bucket.count * self.share_below(&bucket, bound)).min(self.count);
            }
            rank += bucket.count;
        }
        // Observations that are no numbers are counted, but in no bucket.
        if self.sum.is_nan() { rank } else { self.count }
    }

    /// The share of a bucket's observations that lie below a bound inside of it.
    pub(super) fn share_below(&self, bucket: &Bucket, bound: f64) -> f64 {
        if bucket.lower == f64::NEG_INFINITY {
            return 1.0;
        }
        if bucket.upper == f64::INFINITY {
            return 0.0;
        }
        if self.is_linear(bucket) {
            return (bound - bucket.lower) / (bucket.upper - bucket.lower);
        }
        let (lower, upper, bound) =
            (gomath::log2(bucket.lower.abs()), gomath::log2(bucket.upper.abs()), gomath::log2(bound.abs()));
        if bucket.lower > 0.0 { (bound - lower) / (upper - lower) } else { 1.0 - (bound - upper) / (lower - upper) }
    }

    /// The variance, as if all observations of a bucket lay in its middle.
    pub(crate) fn variance(&self) -> f64 {
        let mean = self.sum / self.count;
        let mut squares = crate::functions::numeric::Sum::default();
        for bucket in self.buckets() {
            let distance = self.middle(&bucket) - mean;
            squares.add(bucket.count * distance * distance);
        }
        squares.total() / self.count
    }

    /// The value that stands for all observations of a bucket.
    fn middle(&self, bucket: &Bucket) -> f64 {
        if self.has_custom_buckets() {
            f64::midpoint(bucket.lower, bucket.upper)
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            let middle = (bucket.lower * bucket.upper).sqrt();
            if bucket.upper < 0.0 { -middle } else { middle }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram() -> Histogram {
        Histogram { count: 4.0, sum: 8.0, positive: vec![(1, 2.0), (2, 2.0)], ..Histogram::default() }
    }

    #[test]
    fn quantiles_are_interpolated_exponentially() {
        // The root of two, as near as Go's power of two comes to it.
        assert_eq!(histogram().quantile(0.25).value, 2f64.sqrt().next_down());
        assert_eq!(histogram().quantile(0.5).value, 2.0);
        assert_eq!(histogram().quantile(1.0).value, 4.0);
        assert_eq!(histogram().quantile(0.0).value, 1.0);
        assert!(Histogram::default().quantile(0.5).value.is_nan());
    }

    #[test]
    fn fractions_and_quantiles_agree() {
        assert!((histogram().fraction(0.0, 2f64.sqrt()) - 0.25).abs() < 1e-12);
        assert_eq!(histogram().fraction(f64::NEG_INFINITY, f64::INFINITY), 1.0);
    }

    #[test]
    fn custom_buckets_are_interpolated_linearly() {
        let custom = Histogram {
            schema: super::super::CUSTOM,
            count: 10.0,
            sum: 10.0,
            positive: vec![(0, 5.0), (1, 5.0)],
            custom_bounds: [1.0, 3.0].into(),
            ..Histogram::default()
        };
        assert_eq!(custom.quantile(0.25).value, 0.5);
        assert_eq!(custom.quantile(0.75).value, 2.0);
        assert_eq!(custom.fraction(0.0, 2.0), 0.75);
    }
}
