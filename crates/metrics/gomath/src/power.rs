//! Powers.

use crate::{
    exponential::exp,
    logarithm::ln,
    parts::{float, frexp, ldexp, whole},
};

/// `x` to the power of `y`: the integer part of `y` by repeated squaring, the rest, which is at most a half, by
/// logarithm.
#[must_use]
pub fn pow(x: f64, y: f64) -> f64 {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if let Some(known) = special(x, y) {
        return known;
    }
    let magnitude = y.abs();
    if magnitude >= TWO_63 {
        // An even number, and too large for any base except one.
        return if x == -1.0 { 1.0 } else { vast(x, y) };
    }
    let mut times = whole(magnitude);
    let mut rest = magnitude - float(times);
    if rest != 0.0 && x < 0.0 {
        return f64::NAN;
    }

    let mut fraction = 1.0;
    if rest != 0.0 {
        if rest > 0.5 {
            rest -= 1.0;
            times += 1;
        }
        fraction = exp(rest * ln(x));
    }
    // Powers of two are counted separately, so that nothing overflows.
    let mut exponent = 0;
    let (mut square, mut square_exponent) = frexp(x);
    while times != 0 {
        if !(-4096..=4096).contains(&square_exponent) {
            // It already overflows or underflows, whatever follows.
            exponent += square_exponent;
            break;
        }
        // Without unpredictable branches.
        let is_set = times & 1 == 1;
        fraction *= if is_set { square } else { 1.0 };
        exponent += if is_set { square_exponent } else { 0 };
        square *= square;
        let is_low = square < 0.5;
        square *= if is_low { 2.0 } else { 1.0 };
        square_exponent = 2 * square_exponent - i64::from(is_low);
        times >>= 1;
    }
    if y < 0.0 { ldexp(1.0 / fraction, -exponent) } else { ldexp(fraction, exponent) }
}

/// Powers that need no calculation.
#[inline]
fn special(x: f64, y: f64) -> Option<f64> {
    if y == 0.0 || x == 1.0 {
        return Some(1.0);
    }
    if y == 1.0 {
        return Some(x);
    }
    if x.is_nan() || y.is_nan() {
        return Some(f64::NAN);
    }
    if x == 0.0 || x == f64::NEG_INFINITY {
        // Powers of -∞ are those of -0 with the negative exponent.
        let to_zero = (y > 0.0) == (x == 0.0);
        let magnitude = if to_zero { 0.0_f64 } else { f64::INFINITY };
        return Some(if x.is_sign_negative() && is_odd(y) { -magnitude } else { magnitude });
    }
    if y.is_infinite() {
        return Some(if x == -1.0 { 1.0 } else { vast(x, y) });
    }
    if x == f64::INFINITY {
        return Some(if y < 0.0 { 0.0 } else { f64::INFINITY });
    }
    if y == 0.5 {
        return Some(x.sqrt());
    }
    (y == -0.5).then(|| 1.0 / x.sqrt())
}

/// A number other than ±1 to the power of an infinite or huge even exponent.
fn vast(x: f64, y: f64) -> f64 {
    if (x.abs() < 1.0) == (y > 0.0) { 0.0 } else { f64::INFINITY }
}

/// True for odd integers; from 2^53 on, all numbers are even.
fn is_odd(value: f64) -> bool {
    const TWO_53: f64 = 9_007_199_254_740_992.0;
    value.abs() < TWO_53 && float(whole(value)) == value && whole(value) & 1 == 1
}
