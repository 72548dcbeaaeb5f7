//! Inverse trigonometric functions. The approximation is that of S. Moshier's Cephes library.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use crate::polynomial;

/// The angle in radians, between -π/2 and π/2, whose sine is `x`.
#[must_use]
pub fn asin(x: f64) -> f64 {
    if x == 0.0 {
        return x;
    }
    let magnitude = x.abs();
    if magnitude > 1.0 || x.is_nan() {
        return f64::NAN;
    }
    let other = (1.0 - magnitude * magnitude).sqrt();
    let angle = if magnitude > 0.7 { FRAC_PI_2 - positive(other / magnitude) } else { positive(magnitude / other) };
    angle.copysign(x)
}

/// The angle in radians, between 0 and π, whose cosine is `x`.
#[must_use]
pub fn acos(x: f64) -> f64 {
    FRAC_PI_2 - asin(x)
}

/// The angle in radians, between -π/2 and π/2, whose tangent is `x`.
#[must_use]
pub fn atan(x: f64) -> f64 {
    if x == 0.0 || x.is_nan() { x } else { positive(x.abs()).copysign(x) }
}

/// The angle in radians, between -π and π, of the point at `x` and `y`.
#[must_use]
pub fn atan2(y: f64, x: f64) -> f64 {
    if y.is_nan() || x.is_nan() {
        return f64::NAN;
    }
    if y == 0.0 {
        return if x.is_sign_positive() { y } else { PI.copysign(y) };
    }
    if x == 0.0 {
        return FRAC_PI_2.copysign(y);
    }
    if x.is_infinite() {
        let angle = match (x > 0.0, y.is_infinite()) {
            (true, true) => FRAC_PI_4,
            (true, false) => 0.0,
            (false, true) => 3.0 * FRAC_PI_4,
            (false, false) => PI,
        };
        return angle.copysign(y);
    }
    if y.is_infinite() {
        return FRAC_PI_2.copysign(y);
    }
    let angle = atan(y / x);
    match (x < 0.0, angle <= 0.0) {
        (false, _) => angle,
        (true, true) => angle + PI,
        (true, false) => angle - PI,
    }
}

/// The angle of a tangent that is not negative.
fn positive(x: f64) -> f64 {
    /// tan(3π/8)
    const TAN_3_PI_8: f64 = 2.414_213_562_373_095;
    /// The difference between π/2 and its float.
    const BEYOND: f64 = 6.123_233_995_736_766e-17;
    if x <= 0.66 {
        return near(x);
    }
    if x > TAN_3_PI_8 {
        return FRAC_PI_2 - near(1.0 / x) + BEYOND;
    }
    FRAC_PI_4 + near((x - 1.0) / (x + 1.0)) + 0.5 * BEYOND
}

/// The angle of a tangent within ± 0.66.
#[inline]
fn near(x: f64) -> f64 {
    const ABOVE: [f64; 5] = [
        -8.750_608_600_031_904e-1,
        -1.615_753_718_733_365_2e1,
        -7.500_855_792_314_705e1,
        -1.228_866_684_490_136_1e2,
        -6.485_021_904_942_025e1,
    ];
    const BELOW: [f64; 6] = [
        1.0,
        2.485_846_490_142_306_2e1,
        1.650_270_098_316_988_5e2,
        4.328_810_604_912_902_7e2,
        4.853_903_996_359_137e2,
        1.945_506_571_482_614e2,
    ];
    let square = x * x;
    x * (square * polynomial(square, ABOVE) / polynomial(square, BELOW)) + x
}
