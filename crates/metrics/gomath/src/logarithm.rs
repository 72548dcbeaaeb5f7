//! Logarithms. The approximation is that of FreeBSD's `e_log.c` and `s_log1p.c`.

use std::f64::consts::{FRAC_1_SQRT_2, LOG2_E, LOG10_E};

use crate::{
    parts::{float, frexp},
    polynomial,
};

/// ln 2 in two parts; the product of a small integer and the first part is exact.
const LN_2_UPPER: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOWER: f64 = 1.908_214_929_270_587_7e-10;

/// Coefficients of the series in s² for (ln(1 + s) - ln(1 - s)) / s - 2, the lowest power first.
const SERIES: [f64; 7] = [
    6.666_666_666_666_735e-1,
    3.999_999_999_940_942e-1,
    2.857_142_874_366_239e-1,
    2.222_219_843_214_978_4e-1,
    1.818_357_216_161_805e-1,
    1.531_383_769_920_937_3e-1,
    1.479_819_860_511_658_6e-1,
];

const FRACTION: u64 = (1 << 52) - 1;

/// The natural logarithm.
///
/// Go implements it in assembly on amd64, which treats numbers below 2^-1022 as normal: their logarithm is always
/// between -709.1 and -708.3 (golang/go#56600). We do the same.
#[must_use]
pub fn ln(x: f64) -> f64 {
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    let bits = x.to_bits();
    let fraction = f64::from_bits(bits & FRACTION | 0x3fe << 52);
    of_parts(fraction, float((bits >> 52).cast_signed() - 1022))
}

/// The natural logarithm of a fraction in [½, 1) times two to the power of a whole number.
#[inline]
fn of_parts(fraction: f64, exponent: f64) -> f64 {
    // Between √½ and √2, without an unpredictable branch.
    let is_low = f64::from(u8::from(fraction <= FRAC_1_SQRT_2));
    let exponent = exponent - is_low;
    let f = fraction * (1.0 + is_low) - 1.0;

    let [c1, c2, c3, c4, c5, c6, c7] = SERIES;
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let odd = s2 * polynomial(s4, [c7, c5, c3, c1]);
    let even = s4 * polynomial(s4, [c6, c4, c2]);
    let half_square = 0.5 * f * f;
    exponent * LN_2_UPPER - ((half_square - (s * (half_square + (odd + even)) + exponent * LN_2_LOWER)) - f)
}

/// The binary logarithm; that of a power of two is exact.
#[must_use]
pub fn log2(x: f64) -> f64 {
    let (fraction, exponent) = frexp(x);
    if fraction == 0.5 {
        return float(exponent - 1);
    }
    let of_fraction = if (0.5..1.0).contains(&fraction) { of_parts(fraction, 0.0) } else { ln(fraction) };
    of_fraction * LOG2_E + float(exponent)
}

/// The decimal logarithm.
#[must_use]
pub fn log10(x: f64) -> f64 {
    ln(x) * LOG10_E
}

/// The natural logarithm of `1 + x`, exact for small `x`.
pub(crate) fn ln_1p(x: f64) -> f64 {
    if x < -1.0 || x.is_nan() {
        return f64::NAN;
    }
    if x == -1.0 {
        return f64::NEG_INFINITY;
    }
    if x == f64::INFINITY {
        return x;
    }
    let magnitude = x.abs();
    if magnitude < 1.0 / f64::from(1 << 29) {
        // Below 2^-54 the rest of the series has no effect.
        return if magnitude < power_below_one(54) { x } else { x - x * x * 0.5 };
    }
    let near_one =
        (-2.928_932_188_134_525e-1..4.142_135_623_730_950_3e-1).contains(&x) && x != -2.928_932_188_134_525e-1;
    let (exponent, f, correction, is_tiny) = if near_one { (0, x, 0.0, false) } else { reduced(x) };

    let k = float(exponent);
    let half_square = 0.5 * f * f;
    if is_tiny {
        if f == 0.0 {
            return if exponent == 0 { 0.0 } else { k * LN_2_UPPER + (correction + k * LN_2_LOWER) };
        }
        let r = half_square * (1.0 - 0.666_666_666_666_666_6 * f);
        return if exponent == 0 { f - r } else { k * LN_2_UPPER - ((r - (k * LN_2_LOWER + correction)) - f) };
    }
    let [c1, c2, c3, c4, c5, c6, c7] = SERIES;
    let s = f / (2.0 + f);
    let z = s * s;
    let r = z * polynomial(z, [c7, c6, c5, c4, c3, c2, c1]);
    if exponent == 0 {
        return f - (half_square - s * (half_square + r));
    }
    k * LN_2_UPPER - ((half_square - (s * (half_square + r) + (k * LN_2_LOWER + correction))) - f)
}

fn power_below_one(exponent: i64) -> f64 {
    crate::parts::power_of_two(-exponent)
}

/// `1 + x` as 2^k · (1 + f) with 1 + f between √½ and √2: k, f, what the sum lost, and whether f is tiny.
fn reduced(x: f64) -> (i64, f64, f64, bool) {
    const SQRT_2_FRACTION: u64 = 0x6_a09e_667f_3bcd;
    const TWO_53: f64 = 9_007_199_254_740_992.0;
    let (u, lost) = if x.abs() < TWO_53 {
        let u = 1.0 + x;
        let lost = if u >= 2.0 { 1.0 - (u - x) } else { x - (u - 1.0) };
        (u, lost / u)
    } else {
        (x, 0.0)
    };
    let bits = u.to_bits();
    let exponent = (bits >> 52).cast_signed() - 1023;
    let fraction = bits & FRACTION;
    if fraction < SQRT_2_FRACTION {
        (exponent, f64::from_bits(fraction | 0x3ff << 52) - 1.0, lost, fraction == 0)
    } else {
        let half = f64::from_bits(fraction | 0x3fe << 52);
        (exponent + 1, half - 1.0, lost, ((1 << 52) - fraction) >> 2 == 0)
    }
}
