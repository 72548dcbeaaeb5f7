//! Removes observations above or below a bound.

use super::{Buckets, Histogram, estimate::exponential_share};
use crate::histogram::Bucket;

/// Which observations remain.
#[derive(Debug, Clone, Copy)]
struct Trim {
    bound: f64,
    /// True for those below the bound, false for those above.
    below: bool,
    has_custom_buckets: bool,
}

impl Histogram {
    /// The observations below the bound if `below`, otherwise above it. The bucket that contains the bound is divided
    /// as for a quantile, and the sum is estimated from the remaining observations. A NaN bound leaves nothing.
    pub fn trimmed(&self, bound: f64, below: bool) -> Self {
        let trim = Trim { bound, below, has_custom_buckets: self.has_custom_buckets() };
        let mut trimmed = self.clone();
        let (mut count, mut sum, mut is_cut) = (0.0, 0.0, false);
        let mut keep = |had: f64, (kept, middle): (f64, f64)| {
            count += kept;
            sum += kept * middle;
            is_cut |= kept.to_bits() != had.to_bits();
            kept
        };
        for (index, count) in &mut trimmed.positive {
            let (lower, upper) = self.positive_bounds(*index);
            *count = keep(*count, trim.bucket((lower, upper), *count, true));
        }
        for (index, count) in &mut trimmed.negative {
            let (lower, upper) = self.positive_bounds(*index);
            *count = keep(*count, trim.bucket((-upper, -lower), *count, false));
        }
        let drop_empty = |buckets: &mut Buckets| buckets.retain(|(_, count)| *count != 0.0);
        drop_empty(&mut trimmed.positive);
        drop_empty(&mut trimmed.negative);
        if self.zero_count > 0.0 {
            let lower = if self.negative.is_empty() && !self.positive.is_empty() { 0.0 } else { -self.zero_threshold };
            let upper = if self.positive.is_empty() && !self.negative.is_empty() { 0.0 } else { self.zero_threshold };
            trimmed.zero_count = keep(self.zero_count, trim.around_zero((lower, upper), self.zero_count));
        }
        if is_cut {
            trimmed.count = count;
            trimmed.sum = sum;
        }
        trimmed
    }
}

impl Trim {
    /// The remaining number of observations of a bucket, and the value that represents them.
    fn bucket(&self, (lower, upper): (f64, f64), count: f64, positive: bool) -> (f64, f64) {
        let Trim { bound, below, .. } = *self;
        if if below { upper <= bound } else { lower >= bound } {
            return (count, self.middle(lower, upper, positive));
        }
        if !if below { lower < bound } else { upper > bound } {
            return (0.0, 0.0);
        }
        if lower == f64::NEG_INFINITY || upper == f64::INFINITY {
            return self.infinite((lower, upper), count);
        }
        let share = if bound <= lower {
            0.0
        } else if self.has_custom_buckets {
            (bound - lower) / (upper - lower)
        } else {
            let bounds = Bucket { lower, upper, includes_lower: false, includes_upper: false, count };
            exponential_share(&bounds, bound)
        };
        match below {
            true => (count * share, self.middle(lower, bound, positive)),
            false => (count - count * share, self.middle(bound, upper, positive)),
        }
    }

    /// The same for an infinite bucket that contains the bound. Its distribution is unknown, except that a lowest
    /// bucket with a positive upper bound is assumed to start at zero.
    fn infinite(&self, (lower, upper): (f64, f64), count: f64) -> (f64, f64) {
        let Trim { bound, below, .. } = *self;
        let begins_at_zero = lower == f64::NEG_INFINITY && upper > 0.0 && upper.is_finite();
        match below {
            true if begins_at_zero && bound > 0.0 => (count * bound / upper, bound / 2.0),
            true if lower == f64::NEG_INFINITY && upper <= 0.0 => (count, bound),
            false if begins_at_zero && bound >= 0.0 => (count * (1.0 - bound / upper), f64::midpoint(bound, upper)),
            false if lower != f64::NEG_INFINITY => (count, bound),
            _ => (0.0, 0.0),
        }
    }

    /// The same for the zero bucket.
    fn around_zero(&self, (lower, upper): (f64, f64), count: f64) -> (f64, f64) {
        let Trim { bound, below, .. } = *self;
        let whole = (count, f64::midpoint(lower, upper));
        match below {
            true if bound <= lower => (0.0, 0.0),
            true if bound >= upper => whole,
            true => (count * ((bound - lower) / (upper - lower)), f64::midpoint(lower, bound)),
            false if bound <= lower => whole,
            false if bound >= upper => (0.0, 0.0),
            false => (count * ((upper - bound) / (upper - lower)), f64::midpoint(bound, upper)),
        }
    }

    /// The value that represents all observations between two bounds.
    fn middle(&self, lower: f64, upper: f64, positive: bool) -> f64 {
        if lower.is_infinite() {
            return match upper {
                _ if upper.is_infinite() => 0.0,
                _ if upper > 0.0 => upper / 2.0,
                _ => upper,
            };
        }
        if upper.is_infinite() {
            return lower;
        }
        if self.has_custom_buckets {
            return f64::midpoint(lower, upper);
        }
        let middle = (lower * upper).abs().sqrt();
        if positive { middle } else { -middle }
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

    #[test]
    fn a_bucket_without_end_is_kept_or_dropped_whole() {
        let custom = |bounds: &[f64], counts: &[(i32, f64)]| Histogram {
            schema: super::super::CUSTOM,
            count: counts.iter().map(|(_, count)| count).sum(),
            custom_bounds: bounds.into(),
            positive: counts.to_vec(),
            ..Histogram::default()
        };
        let lowest = custom(&[4.0], &[(0, 8.0)]);
        assert_eq!((lowest.trimmed(1.0, true).count, lowest.trimmed(1.0, true).sum), (2.0, 1.0));
        assert_eq!((lowest.trimmed(1.0, false).count, lowest.trimmed(1.0, false).sum), (6.0, 15.0));
        assert_eq!(lowest.trimmed(-1.0, false).count, 0.0);
        let highest = custom(&[4.0], &[(1, 8.0)]);
        assert_eq!(highest.trimmed(5.0, true).count, 0.0);
        assert_eq!((highest.trimmed(5.0, false).count, highest.trimmed(5.0, false).sum), (8.0, 0.0));
        assert_eq!(custom(&[], &[(0, 8.0)]).trimmed(1.0, false).count, 0.0);
        assert_eq!(histogram().trimmed(f64::NAN, true).count, 0.0);
    }
}
