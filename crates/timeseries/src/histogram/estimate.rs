//! Estimates quantiles, fractions and the spread of a histogram.

use super::{Bucket, Histogram};

/// A quantile, and the effect of NaN observations on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub effect: NanEffect,
}

/// The effect of NaN observations, which are counted but in no bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NanEffect {
    /// None, or there are no such observations.
    Unknown,
    /// The quantile is among them.
    IsNan,
    /// They count as greater than all others.
    SkewedHigher,
}

impl Histogram {
    /// The φ-quantile.
    pub fn quantile(&self, phi: f64) -> Estimate {
        let plain = |value: f64| Estimate { value, effect: NanEffect::Unknown };
        if phi < 0.0 {
            return plain(f64::NEG_INFINITY);
        }
        if phi > 1.0 {
            return plain(f64::INFINITY);
        }
        if self.count == 0.0 || phi.is_nan() {
            return plain(f64::NAN);
        }
        self.find(phi)
    }

    fn find(&self, phi: f64) -> Estimate {
        let plain = |value: f64| Estimate { value, effect: NanEffect::Unknown };
        // Counting from the nearer end has a smaller rounding error; NaN observations count as greater than all others.
        let may_be_nan = self.sum.is_nan();
        let forwards = may_be_nan || phi < 0.5;
        let rank = if forwards { phi * self.count } else { (1.0 - phi) * self.count };
        let mut buckets = self.buckets();
        if !forwards {
            buckets.reverse();
        }
        let mut count = 0.0;
        let mut found = None;
        for bucket in &buckets {
            count += bucket.count;
            found = Some(*bucket);
            if count >= rank {
                break;
            }
        }
        let nothing = Bucket { lower: 0.0, upper: 0.0, includes_lower: false, includes_upper: false, count: 0.0 };
        let mut bucket = found.unwrap_or(nothing);
        if !self.has_custom_buckets() {
            if bucket.lower < 0.0 && bucket.upper > 0.0 {
                self.narrow(&mut bucket);
            }
        } else if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return plain(bucket.upper);
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return plain(bucket.lower);
        }
        let count = if count > self.count { self.count } else { count };
        if count < rank {
            return match may_be_nan {
                true => Estimate { value: f64::NAN, effect: NanEffect::IsNan },
                false => plain(bucket.upper),
            };
        }
        let is_skewed = may_be_nan && buckets.iter().map(|bucket| bucket.count).sum::<f64>() < self.count;
        let effect = if is_skewed { NanEffect::SkewedHigher } else { NanEffect::Unknown };
        let inside = if forwards { rank - (count - bucket.count) } else { count - rank };
        Estimate { value: self.inside(&bucket, inside / bucket.count), effect }
    }

    /// The value at a fraction of a bucket's width.
    fn inside(&self, bucket: &Bucket, share: f64) -> f64 {
        if self.is_linear(bucket) {
            return bucket.lower + (bucket.upper - bucket.lower) * share;
        }
        let (lower, upper) = (gomath::log2(bucket.lower.abs()), gomath::log2(bucket.upper.abs()));
        if bucket.lower > 0.0 {
            gomath::exp2(lower + (upper - lower) * share)
        } else {
            -gomath::exp2(upper + (lower - upper) * (1.0 - share))
        }
    }

    /// Moves a bound of the bucket around zero to zero if there are no buckets on that side.
    fn narrow(&self, bucket: &mut Bucket) {
        if self.negative.is_empty() && !self.positive.is_empty() {
            bucket.lower = 0.0;
        } else if self.positive.is_empty() && !self.negative.is_empty() {
            bucket.upper = 0.0;
        }
    }

    /// Whether observations are assumed to be distributed linearly in a bucket, not exponentially.
    fn is_linear(&self, bucket: &Bucket) -> bool {
        self.has_custom_buckets() || (bucket.lower <= 0.0 && bucket.upper >= 0.0)
    }

    /// The fraction of observations between two bounds, and whether there are NaN observations, which are in no
    /// fraction.
    pub fn fraction(&self, lower: f64, upper: f64) -> (f64, bool) {
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return (f64::NAN, false);
        }
        if lower >= upper {
            return (0.0, false);
        }
        let mut count = self.count;
        let mut has_nan = false;
        if self.sum.is_nan() {
            count = self.buckets().iter().map(|bucket| bucket.count).sum();
            has_nan = count < self.count;
        }
        ((self.rank(upper, count) - self.rank(lower, count)) / self.count, has_nan)
    }

    /// The number of observations below a bound, at most `most`, the number of those in buckets.
    fn rank(&self, bound: f64, most: f64) -> f64 {
        let mut rank = 0.0;
        for mut bucket in self.buckets() {
            let is_around_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
            if is_around_zero {
                self.narrow(&mut bucket);
            }
            if bucket.lower >= bound {
                return f64::min(rank, most);
            }
            if bucket.upper > bound {
                let below = match is_around_zero || self.has_custom_buckets() {
                    true if bucket.lower == f64::NEG_INFINITY => bucket.count,
                    true => rank + bucket.count * (bound - bucket.lower) / (bucket.upper - bucket.lower),
                    false => rank + bucket.count * exponential_share(&bucket, bound),
                };
                return below.min(most);
            }
            rank += bucket.count;
        }
        most
    }

    /// The variance, assuming that all observations of a bucket are in its middle.
    pub fn variance(&self) -> f64 {
        let mean = self.sum / self.count;
        let mut squares = crate::CompensatedSum::default();
        for bucket in self.buckets() {
            let distance = self.middle(&bucket) - mean;
            squares.add(bucket.count * distance * distance);
        }
        squares.total() / self.count
    }

    /// The value that represents all observations of a bucket.
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

/// The fraction of an exponential bucket's observations below a bound inside of it.
pub(super) fn exponential_share(bucket: &Bucket, bound: f64) -> f64 {
    let (lower, upper) = (gomath::log2(bucket.lower.abs()), gomath::log2(bucket.upper.abs()));
    let place = gomath::log2(bound.abs());
    if bound > 0.0 { (place - lower) / (upper - lower) } else { 1.0 - (place - upper) / (lower - upper) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram() -> Histogram {
        Histogram { count: 4.0, sum: 8.0, positive: vec![(1, 2.0), (2, 2.0)], ..Histogram::default() }
    }

    #[test]
    fn quantiles_are_interpolated_exponentially() {
        // The square root of two, as exact as Go's power of two.
        assert_eq!(histogram().quantile(0.25).value, 2f64.sqrt().next_down());
        assert_eq!(histogram().quantile(0.5).value, 2.0);
        assert_eq!(histogram().quantile(1.0).value, 4.0);
        assert_eq!(histogram().quantile(0.0).value, 1.0);
        assert!(Histogram::default().quantile(0.5).value.is_nan());
    }

    #[test]
    fn fractions_and_quantiles_agree() {
        assert!((histogram().fraction(0.0, 2f64.sqrt()).0 - 0.25).abs() < 1e-12);
        assert_eq!(histogram().fraction(f64::NEG_INFINITY, f64::INFINITY), (1.0, false));
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
        assert_eq!(custom.fraction(0.0, 2.0), (0.75, false));
    }
}
