//! Splits numbers into a fraction and a power of two, and combines them. This is exact, except when a result is too
//! small.

const EXPONENT: u64 = 0x7ff << 52;

/// 2^53, and one divided by it.
const TWO_53: f64 = 9_007_199_254_740_992.0;

/// A fraction with a magnitude in [½, 1) and an exponent, so that `value` is the fraction times two to that power. For
/// zero, infinities and NaN the fraction is the number itself.
#[must_use]
#[inline]
pub fn frexp(value: f64) -> (f64, i64) {
    if value == 0.0 || !value.is_finite() {
        return (value, 0);
    }
    let (normal, scale) = if value.abs() < f64::MIN_POSITIVE { (value * TWO_53, -53) } else { (value, 0) };
    let bits = normal.to_bits();
    let exponent = ((bits & EXPONENT) >> 52).cast_signed() - 1022 + scale;
    (f64::from_bits(bits & !EXPONENT | 0x3fe << 52), exponent)
}

/// `value` times two to the power of `exponent`, rounded once.
#[must_use]
#[inline]
pub fn ldexp(value: f64, exponent: i64) -> f64 {
    let (fraction, own) = frexp(value);
    let exponent = exponent.saturating_add(own);
    if fraction == 0.0 || !fraction.is_finite() {
        return fraction;
    }
    match exponent {
        1025.. => f64::INFINITY.copysign(value),
        -1021..=1024 => with_exponent(fraction, exponent),
        // At most half of the smallest number.
        ..-1074 => 0.0_f64.copysign(value),
        _ => with_exponent(fraction, exponent + 53) / TWO_53,
    }
}

/// A fraction from [`frexp`] times a power of two, with a normal result.
fn with_exponent(fraction: f64, exponent: i64) -> f64 {
    f64::from_bits(fraction.to_bits() & !EXPONENT | (exponent + 1022).cast_unsigned() << 52)
}

/// Two to the power of an exponent between -1022 and 1023.
#[inline]
pub(crate) fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits((exponent + 1023).cast_unsigned() << 52)
}

/// The integer part of a number of magnitude below 2^63.
#[allow(clippy::cast_possible_truncation, reason = "the fraction is to go")]
#[inline]
pub(crate) fn whole(value: f64) -> i64 {
    value as i64
}

/// An integer as a float, rounded if it has more than 53 bits.
#[allow(clippy::cast_precision_loss, reason = "that is what is asked for")]
#[inline]
pub(crate) fn float(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_apart_and_put_together() {
        for value in [1.0, -0.75, 5e-324, -2.5e-310, f64::MIN_POSITIVE, f64::MAX, 0.0, -0.0, f64::INFINITY] {
            let (fraction, exponent) = frexp(value);
            assert!(exponent == 0 || (0.5..1.0).contains(&fraction.abs()), "{value}");
            assert_eq!(ldexp(fraction, exponent).to_bits(), value.to_bits(), "{value}");
        }
        assert_eq!(frexp(8.0), (0.5, 4));
        assert_eq!(frexp(5e-324), (0.5, -1073));
    }

    #[test]
    fn what_is_too_small_is_rounded_once() {
        assert_eq!(ldexp(1.0, -1075).to_bits(), 0);
        assert_eq!(ldexp(1.000_000_000_000_001, -1075), 5e-324);
        assert_eq!(ldexp(-1.0, -2000).to_bits(), (-0.0_f64).to_bits());
        assert_eq!(ldexp(3.0, -1075), 1e-323);
        assert_eq!(ldexp(-0.5, 1025), f64::NEG_INFINITY);
        assert_eq!(ldexp(1.0, i64::MAX), f64::INFINITY);
    }
}
