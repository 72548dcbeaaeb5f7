//! Classic histograms: cumulative counters, one per bucket, with the label `le`.

/// A bucket of a classic histogram: its upper bound, and the number of observations up to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) upper: f64,
    pub(crate) count: f64,
}

/// A quantile, and how the counts had to be corrected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quantile {
    pub(crate) value: f64,
    /// Buckets with a lower count than buckets below them.
    pub(crate) mended: Option<Falls>,
}

/// Buckets with a lower count than buckets below them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Falls {
    /// The lowest and the highest upper bound of such buckets.
    pub(crate) bounds: (f64, f64),
    /// The maximum difference.
    pub(crate) difference: f64,
}

/// Counts with a smaller relative difference are treated as equal.
const TOLERANCE: f64 = 1e-12;

/// The φ-quantile, interpolated linearly inside of its bucket.
pub(crate) fn quantile(phi: f64, buckets: &mut Vec<Bucket>) -> Quantile {
    let plain = |value: f64| Quantile { value, mended: None };
    if phi.is_nan() {
        return plain(f64::NAN);
    }
    if phi < 0.0 {
        return plain(f64::NEG_INFINITY);
    }
    if phi > 1.0 {
        return plain(f64::INFINITY);
    }
    if !tidy(buckets) {
        return plain(f64::NAN);
    }
    let mended = make_monotonic(buckets);
    let value = match buckets.as_slice() {
        [.., _, last] if last.count != 0.0 => find(phi * last.count, buckets),
        _ => f64::NAN,
    };
    Quantile { value, mended }
}

/// The value at a rank.
fn find(rank: f64, buckets: &[Bucket]) -> f64 {
    let Some((_, finite)) = buckets.split_last() else { return f64::NAN };
    let index = finite.partition_point(|bucket| bucket.count.partial_cmp(&rank).is_none_or(std::cmp::Ordering::is_lt));
    let Some(bucket) = finite.get(index) else {
        // Of the infinite bucket only the lower bound is known.
        return finite.last().map_or(f64::NAN, |bucket| bucket.upper);
    };
    let below = match index.checked_sub(1).and_then(|below| finite.get(below)) {
        None if bucket.upper <= 0.0 => return bucket.upper,
        None => Bucket { upper: 0.0, count: 0.0 },
        Some(below) => *below,
    };
    below.upper + (bucket.upper - below.upper) * ((rank - below.count) / (bucket.count - below.count))
}

/// The fraction of observations between two bounds.
pub(crate) fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if !tidy(buckets) {
        return f64::NAN;
    }
    let count = buckets.last().map_or(0.0, |last| last.count);
    if count == 0.0 || count.is_nan() || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let rank = |bound: f64| rank_of(bound, buckets).min(count);
    (rank(upper) - rank(lower)) / count
}

/// The number of observations below a bound, interpolated inside its bucket. Infinite buckets cannot be interpolated:
/// those below all finite bounds count as below, those above as above.
fn rank_of(bound: f64, buckets: &[Bucket]) -> f64 {
    let mut below = match buckets.first() {
        Some(first) if first.upper > 0.0 => Bucket { upper: 0.0, count: 0.0 },
        _ => Bucket { upper: f64::NEG_INFINITY, count: 0.0 },
    };
    for bucket in buckets {
        if below.upper >= bound {
            return below.count;
        }
        if bucket.upper > bound {
            return if below.upper == f64::NEG_INFINITY {
                bucket.count
            } else if bucket.upper == f64::INFINITY {
                below.count
            } else {
                below.count + (bucket.count - below.count) * (bound - below.upper) / (bucket.upper - below.upper)
            };
        }
        below = *bucket;
    }
    f64::INFINITY
}

/// Sorts buckets and merges those with the same bound; false without an infinite one, because the total is then
/// unknown.
fn tidy(buckets: &mut Vec<Bucket>) -> bool {
    buckets.sort_by(|left, right| left.upper.total_cmp(&right.upper));
    buckets.dedup_by(|next, kept| {
        let same = next.upper == kept.upper;
        if same {
            kept.count += next.count;
        }
        same
    });
    buckets.last().is_some_and(|last| last.upper == f64::INFINITY)
}

/// Raises counts that are lower than those of lower buckets; returns the corrected ones that differ by more than
/// rounding errors.
fn make_monotonic(buckets: &mut [Bucket]) -> Option<Falls> {
    let mut mended: Option<Falls> = None;
    let mut highest = buckets.first().map_or(0.0, |first| first.count);
    for bucket in buckets.iter_mut().skip(1) {
        if almost_equal(highest, bucket.count) {
            bucket.count = highest;
        } else if bucket.count < highest {
            let known = mended.unwrap_or(Falls { bounds: (bucket.upper, bucket.upper), difference: 0.0 });
            let bounds = (known.bounds.0.min(bucket.upper), known.bounds.1.max(bucket.upper));
            mended = Some(Falls { bounds, difference: known.difference.max(highest - bucket.count) });
            bucket.count = highest;
        } else {
            highest = bucket.count;
        }
    }
    mended
}

fn almost_equal(left: f64, right: f64) -> bool {
    if left == right || (left.is_nan() && right.is_nan()) {
        return true;
    }
    let difference = (left - right).abs();
    let sum = left.abs() + right.abs();
    if left == 0.0 || right == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(pairs: &[(f64, f64)]) -> Vec<Bucket> {
        pairs.iter().map(|(upper, count)| Bucket { upper: *upper, count: *count }).collect()
    }

    const INF: f64 = f64::INFINITY;

    #[test]
    fn a_quantile_is_interpolated_in_its_bucket() {
        let pairs = [(1.0, 10.0), (2.0, 30.0), (4.0, 40.0), (INF, 50.0)];
        for (phi, value) in [(0.1, 0.5), (0.4, 1.5), (0.7, 3.0), (0.9, 4.0), (-0.1, -INF), (1.1, INF)] {
            assert_eq!(quantile(phi, &mut buckets(&pairs)).value, value, "{phi}");
        }
    }

    #[test]
    fn without_an_infinite_bucket_nothing_is_known() {
        assert!(quantile(0.5, &mut buckets(&[(1.0, 10.0), (2.0, 30.0)])).value.is_nan());
        assert!(quantile(0.5, &mut buckets(&[(INF, 30.0)])).value.is_nan());
        assert!(quantile(0.5, &mut buckets(&[(1.0, 0.0), (INF, 0.0)])).value.is_nan());
    }

    #[test]
    fn falling_counts_are_mended_and_said_to_be() {
        let result = quantile(0.5, &mut buckets(&[(1.0, 10.0), (2.0, 5.0), (INF, 20.0)]));
        let falls = Falls { bounds: (2.0, 2.0), difference: 5.0 };
        assert_eq!(result, Quantile { value: 1.0, mended: Some(falls) });
        let rounding = quantile(0.5, &mut buckets(&[(1.0, 10.0), (2.0, 10.0 - 1e-12), (INF, 20.0)]));
        assert_eq!(rounding.mended, None);
    }

    #[test]
    fn bounds_written_differently_are_one_bucket() {
        let result = quantile(0.5, &mut buckets(&[(1.0, 4.0), (1.0, 6.0), (INF, 20.0)]));
        assert_eq!(result.value, 1.0);
    }

    #[test]
    fn fractions_are_interpolated_too() {
        let pairs = [(1.0, 10.0), (2.0, 30.0), (INF, 40.0)];
        assert_eq!(fraction(0.0, 1.5, &mut buckets(&pairs)), 0.5);
        assert_eq!(fraction(0.0, INF, &mut buckets(&pairs)), 1.0);
        assert_eq!(fraction(5.0, 6.0, &mut buckets(&pairs)), 0.0);
        assert_eq!(fraction(2.0, 1.0, &mut buckets(&pairs)), 0.0);
    }
}
