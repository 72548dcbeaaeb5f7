//! Leaving out observations above or below a bound.

use super::{Bucket, Buckets, Histogram};

impl Histogram {
    /// The observations below the bound if `below`, above it otherwise. The bucket that the bound cuts is divided as a quantile
    /// would divide it, and the sum is estimated from what is left.
    pub(crate) fn trimmed(&self, bound: f64, below: bool) -> Self {
        let mut trimmed = self.clone();
        if bound.is_nan() {
            return trimmed;
        }
        let (mut count, mut sum) = (0.0, 0.0);
        let mut keep = |mut bucket: Bucket| {
            self.narrow(&mut bucket);
            let share = self.kept_share(&bucket, bound, below);
            let (lower, upper) = match below {
                true => (bucket.lower, bucket.upper.min(bound)),
                false => (bucket.lower.max(bound), bucket.upper),
            };
            let kept = bucket.count * share;
            if kept != 0.0 {
                count += kept;
                sum += kept * self.kept_middle(lower, upper);
            }
            kept
        };
        let bounds = |lower: f64, upper: f64, count: f64| Bucket {
            lower,
            upper,
            includes_lower: false,
            includes_upper: true,
            count,
        };
        let trim = |buckets: &mut Buckets, keep: &mut dyn FnMut(i32, f64) -> f64| {
            for (index, count) in buckets.iter_mut() {
                *count = keep(*index, *count);
            }
            buckets.retain(|(_, count)| *count != 0.0);
        };
        trim(&mut trimmed.negative, &mut |index, count| {
            let (lower, upper) = self.positive_bounds(index);
            keep(bounds(-upper, -lower, count))
        });
        trimmed.zero_count = keep(bounds(-self.zero_threshold, self.zero_threshold, self.zero_count));
        trim(&mut trimmed.positive, &mut |index, count| {
            let (lower, upper) = self.positive_bounds(index);
            keep(bounds(lower, upper, count))
        });
        if trimmed.positive != self.positive
            || trimmed.negative != self.negative
            || trimmed.zero_count.to_bits() != self.zero_count.to_bits()
        {
            trimmed.count = count;
            trimmed.sum = sum;
        }
        trimmed
    }

    /// The value that stands for what is left of a bucket.
    fn kept_middle(&self, lower: f64, upper: f64) -> f64 {
        if lower == f64::NEG_INFINITY {
            return if upper == f64::INFINITY { 0.0 } else { upper };
        }
        if upper == f64::INFINITY {
            return lower;
        }
        if self.has_custom_buckets()
            || (lower <= 0.0 && upper >= 0.0)
            || lower.abs().max(upper.abs()) <= self.zero_threshold
        {
            return f64::midpoint(lower, upper);
        }
        let middle = (lower * upper).sqrt();
        if upper < 0.0 { -middle } else { middle }
    }

    /// The share of a bucket that stays. Observations in an infinite bucket are taken to be infinite themselves.
    fn kept_share(&self, bucket: &Bucket, bound: f64, below: bool) -> f64 {
        let share_below = if bucket.upper <= bound {
            1.0
        } else if bucket.lower >= bound {
            0.0
        } else {
            self.share_below(bucket, bound)
        };
        if below { share_below } else { 1.0 - share_below }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram() -> Histogram {
        Histogram { count: 4.0, sum: 8.0, positive: vec![(1, 2.0), (2, 2.0)], ..Histogram::default() }
    }

    #[test]
    fn whole_buckets_stay_or_go() {
        assert_eq!(histogram().trimmed(2.0, true).positive, [(1, 2.0)]);
        assert_eq!(histogram().trimmed(2.0, false).positive, [(2, 2.0)]);
        assert_eq!(histogram().trimmed(2.0, true).count, 2.0);
    }

    #[test]
    fn a_bucket_that_is_cut_is_divided() {
        let below = histogram().trimmed(2f64.sqrt(), true);
        let above = histogram().trimmed(2f64.sqrt(), false);
        assert!((below.count - 1.0).abs() < 1e-12 && (above.count - 3.0).abs() < 1e-12);
        assert_eq!((below.positive.len(), above.positive.len()), (1, 2));
    }

    #[test]
    fn nothing_to_trim_changes_nothing() {
        assert_eq!(histogram().trimmed(100.0, true), histogram());
    }
}
