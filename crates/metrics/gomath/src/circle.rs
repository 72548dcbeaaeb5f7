//! Sine, cosine and tangent. The approximations are those of S. Moshier's Cephes library.

use crate::{
    polynomial,
    reduction::{Reduced, reduce},
};

/// The sine of an angle in radians.
#[must_use]
pub fn sin(x: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return if x == 0.0 { x } else { f64::NAN };
    }
    let Reduced { octant, rest } = reduce(x.abs());
    let value = if octant & 2 == 0 { near_sine(rest) } else { near_cosine(rest) };
    if (octant & 4 != 0) == (x < 0.0) { value } else { -value }
}

/// The cosine of an angle in radians.
#[must_use]
pub fn cos(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    let Reduced { octant, rest } = reduce(x.abs());
    let value = if octant & 2 == 0 { near_cosine(rest) } else { near_sine(rest) };
    if matches!(octant, 2 | 4) { -value } else { value }
}

/// The tangent of an angle in radians.
#[must_use]
pub fn tan(x: f64) -> f64 {
    const ABOVE: [f64; 3] = [-1.309_369_391_813_837_9e4, 1.153_516_648_385_874_2e6, -1.795_652_519_764_848_8e7];
    const BELOW: [f64; 5] = [
        1.0,
        1.368_129_634_706_929_6e4,
        -1.320_892_344_402_109_7e6,
        2.500_838_018_233_579e7,
        -5.386_957_559_294_546_4e7,
    ];
    if x == 0.0 || !x.is_finite() {
        return if x == 0.0 { x } else { f64::NAN };
    }
    let Reduced { octant, rest } = reduce(x.abs());
    let square = rest * rest;
    let mut value = rest;
    if square > 1e-14 {
        value += rest * (square * polynomial(square, ABOVE) / polynomial(square, BELOW));
    }
    if octant & 2 != 0 {
        value = -1.0 / value;
    }
    if x < 0.0 { -value } else { value }
}

/// The sine within ± π/4.
#[inline]
fn near_sine(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 6] = [
        1.589_623_015_765_465_6e-10,
        -2.505_074_776_285_780_7e-8,
        2.755_731_362_138_572_2e-6,
        -1.984_126_982_958_954e-4,
        8.333_333_333_322_118e-3,
        -1.666_666_666_666_663e-1,
    ];
    let square = x * x;
    x + x * square * polynomial(square, COEFFICIENTS)
}

/// The cosine within ± π/4.
#[inline]
fn near_cosine(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 6] = [
        -1.135_853_652_138_768_2e-11,
        2.087_570_084_197_473e-9,
        -2.755_731_417_929_674e-7,
        2.480_158_728_885_170_4e-5,
        -1.388_888_888_887_305_6e-3,
        4.166_666_666_666_659_5e-2,
    ];
    let square = x * x;
    1.0 - 0.5 * square + square * square * polynomial(square, COEFFICIENTS)
}
