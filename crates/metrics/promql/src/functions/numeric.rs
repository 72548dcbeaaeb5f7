//! Sums and means of many numbers, spreads and quantiles.

use timeseries::CompensatedSum;

/// The compensated sum of numbers. For finite numbers it is the same as [`CompensatedSum`], computed without comparing
/// magnitudes.
pub(crate) fn sum(values: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0, 0.0);
    for value in values {
        let total: f64 = sum + value;
        let added = total - sum;
        lost += (sum - (total - added)) + (value - added);
        sum = total;
    }
    let total = sum + lost;
    if total.is_finite() {
        return total;
    }
    let mut sum = CompensatedSum::default();
    values.iter().for_each(|value| sum.add(*value));
    sum.total()
}

/// The mean of numbers, the same as [`Mean`].
pub(crate) fn mean(values: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0, 0.0);
    for value in values {
        let total: f64 = sum + value;
        let added = total - sum;
        lost += (sum - (total - added)) + (value - added);
        sum = total;
    }
    let number = count(values.len());
    let result = sum / number + lost / number;
    if result.is_finite() {
        return result;
    }
    let mut mean = Mean::default();
    values.iter().for_each(|value| mean.add(*value));
    mean.mean()
}

/// A mean without overflow or loss of small numbers. It is the sum divided by the count while that is finite.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    sum: CompensatedSum,
    count: f64,
    /// Once the sum overflows: the running mean.
    running: Option<CompensatedSum>,
}

impl Mean {
    /// Adds a number.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if let Some(mean) = &mut self.running {
            step_mean(mean, value, self.count);
            return;
        }
        let mut sum = self.sum;
        sum.add(value);
        if self.count > 1.0 && sum.is_infinite() {
            let before = self.count - 1.0;
            let mut mean = self.sum.map(|part| part / before);
            step_mean(&mut mean, value, self.count);
            self.running = Some(mean);
            return;
        }
        self.sum = sum;
    }

    /// The mean; NaN without numbers.
    pub(crate) fn mean(&self) -> f64 {
        match self.running {
            Some(mean) => mean.total(),
            None => self.sum.map(|part| part / self.count).total(),
        }
    }
}

fn step_mean(mean: &mut CompensatedSum, value: f64, count: f64) {
    let so_far = mean.total();
    if so_far.is_infinite() {
        // Adding a number to an infinite mean does not change it, unless it is infinite with the other sign.
        if value.is_infinite() && (so_far > 0.0) == (value > 0.0) {
            return;
        }
        if value.is_finite() {
            return;
        }
    }
    let share = (count - 1.0) / count;
    *mean = mean.map(|part| part * share);
    mean.add(value / count);
}

/// Mean and sum of squared differences from it, computed in one pass (Welford's method) with compensated sums.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spread {
    count: f64,
    mean: CompensatedSum,
    squares: CompensatedSum,
}

impl Spread {
    /// Adds a number.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean.total();
        self.mean.add(before / self.count);
        self.squares.add(before * (value - self.mean.total()));
    }

    /// The variance of the whole population.
    pub(crate) fn variance(&self) -> f64 {
        self.squares.total() / self.count
    }
}

/// Like [`Spread`], but without compensation: Prometheus uses this for `stddev` and `stdvar` of several series, but not
/// over time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PlainSpread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl PlainSpread {
    /// Adds a number.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean;
        self.mean += before / self.count;
        self.squares += before * (value - self.mean);
    }

    /// The variance of the whole population.
    pub(crate) fn variance(&self) -> f64 {
        self.squares / self.count
    }
}

/// The lesser of the best number so far and another one, the first of equal ones (zeros have signs); NaN is replaced by
/// any number.
#[inline]
pub(crate) fn lesser(best: f64, value: f64) -> f64 {
    if value < best || best.is_nan() { value } else { best }
}

/// The greater of two numbers, symmetric to [`lesser`].
#[inline]
pub(crate) fn greater(best: f64, value: f64) -> f64 {
    if value > best || best.is_nan() { value } else { best }
}

/// The φ-quantile of numbers, which are sorted; NaN counts as the smallest. Interpolates between neighbours.
pub(crate) fn quantile(phi: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || phi.is_nan() {
        return f64::NAN;
    }
    if phi < 0.0 {
        return f64::NEG_INFINITY;
    }
    if phi > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|left, right| nan_first(*left, *right));
    let rank = phi * count(values.len() - 1);
    let lower = rank.floor();
    let weight = rank - lower;
    let at = |index: usize| values.get(index.min(values.len() - 1)).copied().unwrap_or(f64::NAN);
    let index = position(lower);
    if weight == 0.0 {
        // The next value may be infinite, and infinity times zero is NaN.
        return at(index);
    }
    at(index) * (1.0 - weight) + at(index + 1) * weight
}

/// Compares numbers with NaN first.
pub(crate) fn nan_first(left: f64, right: f64) -> std::cmp::Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()))
}

/// A count as a number.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}

/// A non-negative integer as an index.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturating, as intended")]
pub(crate) fn position(value: f64) -> usize {
    value as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64]) -> f64 {
        let mut mean = Mean::default();
        values.iter().for_each(|value| mean.add(*value));
        mean.mean()
    }

    #[test]
    fn small_numbers_survive_large_ones() {
        let mut sum = CompensatedSum::default();
        [1.0, 1e100, 1.0, -1e100].into_iter().for_each(|value| sum.add(value));
        assert_eq!(sum.total(), 2.0);
    }

    #[test]
    fn both_ways_to_add_up_agree() {
        let values: Vec<f64> = (0..200_i32).map(|i| f64::from(i * i % 37).powi(i % 9) / 7.0 - f64::from(i)).collect();
        let mut plain = CompensatedSum::default();
        values.iter().for_each(|value| plain.add(*value));
        assert_eq!(sum(&values).to_bits(), plain.total().to_bits());
        assert_eq!(super::mean(&values).to_bits(), mean(&values).to_bits());
        assert_eq!(sum(&[f64::INFINITY, 1.0]), f64::INFINITY);
        assert_eq!(super::mean(&[f64::MAX, f64::MAX]), f64::MAX);
    }

    #[test]
    fn a_mean_does_not_overflow() {
        assert_eq!(mean(&[1e308, 1e308, 1e308]), 1e308);
        assert_eq!(mean(&[f64::INFINITY, 1.0, f64::INFINITY]), f64::INFINITY);
        assert!(mean(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(mean(&[52.0; 12]), 52.0);
    }

    #[test]
    fn equal_numbers_do_not_vary() {
        let mut spread = Spread::default();
        [1.33; 7].into_iter().for_each(|value| spread.add(value));
        assert_eq!(spread.variance(), 0.0);
    }

    #[test]
    fn of_equal_numbers_the_first_stays() {
        for zero in [0.0_f64, -0.0] {
            assert_eq!(lesser(zero, -zero).to_bits(), zero.to_bits());
            assert_eq!(greater(zero, -zero).to_bits(), zero.to_bits());
        }
        assert_eq!((lesser(f64::NAN, 1.0), greater(1.0, f64::NAN)), (1.0, 1.0));
    }

    #[test]
    fn a_spread_over_series_is_not_compensated() {
        let values = [0.1, 0.7, 1e9, -3.3, 0.2];
        let (mut spread, mut plain) = (Spread::default(), PlainSpread::default());
        values.into_iter().for_each(|value| spread.add(value));
        values.into_iter().for_each(|value| plain.add(value));
        assert!((spread.variance() / plain.variance() - 1.0).abs() < 1e-12);
        let mut endless = PlainSpread::default();
        endless.add(f64::INFINITY);
        assert!(endless.variance().is_nan());
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(0.5, &mut [4.0, 0.0, 1.0]), 1.0);
        assert_eq!(quantile(0.75, &mut [4.0, 0.0, 1.0]), 2.5);
        assert_eq!(quantile(1.0, &mut [3.0]), 3.0);
        assert!(quantile(0.2, &mut [0.0, f64::NAN, 1.0]).is_nan());
        assert_eq!(quantile(-1.0, &mut [1.0]), f64::NEG_INFINITY);
    }

    #[test]
    fn a_quantile_at_a_value_takes_nothing_of_the_next() {
        let (least, most) = (f64::NEG_INFINITY, f64::INFINITY);
        assert_eq!(quantile(0.5, &mut [0.0, 1.0, most]), 1.0);
        assert_eq!(quantile(0.0, &mut [least, most]), least);
        assert_eq!(quantile(1.0, &mut [least, most]), most);
        assert!(quantile(0.5, &mut [least, most]).is_nan());
    }
}
