//! Powers of e and of two.

use crate::{
    parts::{float, ldexp, power_of_two, whole},
    polynomial,
};

/// Above this, the result overflows.
const OVERFLOW: f64 = 7.097_827_128_933_84e2;

/// ln 2 in two parts; the product of a small integer and the first part is exact.
const LN_2_UPPER: f64 = 0.693_147_180_559_662_956_511_601_805_686_950_683_593_75;
const LN_2_LOWER: f64 = 0.282_352_905_630_315_771_225_884_481_750_134_360_255_254_120_68e-12;

/// Coefficients of the Taylor series of (e^x - 1) / x, from the eighth on.
const TAYLOR: [f64; 8] = [
    2.480_158_730_158_73e-5,
    1.984_126_984_126_984e-4,
    1.388_888_888_888_889e-3,
    8.333_333_333_333_333e-3,
    4.166_666_666_666_666_4e-2,
    1.666_666_666_666_666_6e-1,
    0.5,
    1.0,
];

/// Adding this to a number of magnitude below 2^51 rounds it to an integer, which is then in the lowest bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// e to the power of `x`.
///
/// Go implements this one in assembly (after N. Shibata's SLEEF): the exponent is divided by sixteen, and the sum of
/// the series squared four times. There are two variants; processors with fused multiplication, as all of the last
/// decade have, use the one with it. The variants differ in the last bit; ours is that one, on every processor.
#[must_use]
#[allow(unsafe_code, reason = "see the proof")]
pub fn exp(x: f64) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("fma") {
        // SAFETY: this processor has the features for which the function was compiled.
        return unsafe { exp_where_fused(x) };
    }
    exp_anywhere(x)
}

/// [`exp_anywhere`] with instructions instead of calls: about six times as fast.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "fma")]
fn exp_where_fused(x: f64) -> f64 {
    exp_anywhere(x)
}

#[inline(always)]
fn exp_anywhere(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > OVERFLOW {
        return f64::INFINITY;
    }
    let scaled = std::f64::consts::LOG2_E * x;
    if scaled < -1100.0 {
        return 0.0;
    }
    let rounded = scaled + ROUNDER;
    let exponent = rounded.to_bits().wrapping_sub(ROUNDER.to_bits()).cast_signed();
    let factor = rounded - ROUNDER;

    // The first product is exact, so it need not be fused.
    let rest = (-factor).mul_add(LN_2_LOWER, x - factor * LN_2_UPPER) * 0.0625;
    let series = TAYLOR.into_iter().reduce(|sum, coefficient| sum.mul_add(rest, coefficient)).unwrap_or(1.0);
    // (1 + y)² - 1 = y (y + 2), so that one is added last.
    let mut less_one = rest * series;
    for _ in 0..3 {
        less_one *= less_one + 2.0;
    }
    let fraction = less_one.mul_add(less_one + 2.0, 1.0);

    match exponent {
        1024.. => f64::INFINITY,
        -1022.. => fraction * power_of_two(exponent),
        -1075.. => fraction * power_of_two(exponent + 1022) * f64::MIN_POSITIVE,
        _ => 0.0,
    }
}

/// Two to the power of `x`.
#[must_use]
pub fn exp2(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 1_023.999_999_999_999_9 {
        return f64::INFINITY;
    }
    if x < -1_074.0 {
        return 0.0;
    }
    let exponent = whole(x + 0.5_f64.copysign(x));
    let rest = x - float(exponent);
    let upper = rest * 6.931_471_803_691_238e-1;
    let lower = -rest * 1.908_214_929_270_587_7e-10;
    let fraction = exp_of_small(upper, lower);
    if (-1021..=1022).contains(&exponent) { fraction * power_of_two(exponent) } else { ldexp(fraction, exponent) }
}

/// e to the power of `upper - lower`, which is within ± ln 2 / 2. The approximation is that of FreeBSD's `e_exp.c`.
fn exp_of_small(upper: f64, lower: f64) -> f64 {
    const COEFFICIENTS: [f64; 5] = [
        4.138_136_797_057_238_5e-8,
        -1.653_390_220_546_525_2e-6,
        6.613_756_321_437_934e-5,
        -2.777_777_777_701_559_3e-3,
        1.666_666_666_666_666_6e-1,
    ];
    let x = upper - lower;
    let square = x * x;
    let c = x - square * polynomial(square, COEFFICIENTS);
    1.0 - ((lower - (x * c) / (2.0 - c)) - upper)
}
