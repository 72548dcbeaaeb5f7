//! The inverse hyperbolic functions. The methods are those of FreeBSD's `s_asinh.c`, `e_acosh.c` and `e_atanh.c`.

use std::f64::consts::LN_2;

use crate::logarithm::{ln, ln_1p};

/// From here on, adding one to the square of a number, or subtracting one, does not change it.
const LARGE: f64 = 268_435_456.0;
/// Below this, the result equals the argument.
const SMALL: f64 = 1.0 / LARGE;

/// The number whose hyperbolic sine is `x`.
#[must_use]
pub fn asinh(x: f64) -> f64 {
    if !x.is_finite() {
        return x;
    }
    let magnitude = x.abs();
    let square = magnitude * magnitude;
    let value = if magnitude > LARGE {
        ln(magnitude) + LN_2
    } else if magnitude > 2.0 {
        ln(2.0 * magnitude + 1.0 / ((square + 1.0).sqrt() + magnitude))
    } else if magnitude < SMALL {
        magnitude
    } else {
        ln_1p(magnitude + square / (1.0 + (1.0 + square).sqrt()))
    };
    value.copysign(x)
}

/// The number, not negative, whose hyperbolic cosine is `x`.
#[must_use]
pub fn acosh(x: f64) -> f64 {
    if x < 1.0 || x.is_nan() {
        f64::NAN
    } else if x == 1.0 {
        0.0
    } else if x >= LARGE {
        ln(x) + LN_2
    } else if x > 2.0 {
        ln(2.0 * x - 1.0 / (x + (x * x - 1.0).sqrt()))
    } else {
        let beyond = x - 1.0;
        ln_1p(beyond + (2.0 * beyond + beyond * beyond).sqrt())
    }
}

/// The number whose hyperbolic tangent is `x`.
#[must_use]
pub fn atanh(x: f64) -> f64 {
    let magnitude = x.abs();
    if magnitude > 1.0 || x.is_nan() {
        return f64::NAN;
    }
    let value = if magnitude == 1.0 {
        f64::INFINITY
    } else if magnitude < SMALL {
        magnitude
    } else if magnitude < 0.5 {
        let double = magnitude + magnitude;
        0.5 * ln_1p(double + double * magnitude / (1.0 - magnitude))
    } else {
        0.5 * ln_1p((magnitude + magnitude) / (1.0 - magnitude))
    };
    value.copysign(x)
}
