//! Hyperbolic sine, cosine and tangent.

use crate::{exponential::exp, polynomial};

/// Beyond this, e^-x is too small to matter beside e^x.
const ONE_SIDED: f64 = 21.0;

/// The hyperbolic sine. Where it is near zero, the approximation is number 2029 of J. Hart and others, "Computer approximations".
#[must_use]
pub fn sinh(x: f64) -> f64 {
    const ABOVE: [f64; 4] =
        [-2.630_563_213_397_497e1, -2.894_211_355_989_564e3, -8.991_272_022_039_509e4, -6.307_673_640_497_717e5];
    const BELOW: [f64; 4] = [1.0, -1.736_789_535_582_337e2, 1.521_517_378_790_019e4, -6.307_673_640_497_717e5];
    let magnitude = x.abs();
    let value = if magnitude > ONE_SIDED {
        exp(magnitude) * 0.5
    } else if magnitude > 0.5 {
        let power = exp(magnitude);
        (power - 1.0 / power) * 0.5
    } else {
        let square = magnitude * magnitude;
        polynomial(square, ABOVE) * magnitude / polynomial(square, BELOW)
    };
    if x.is_nan() { x } else { value.copysign(x) }
}

/// The hyperbolic cosine.
#[must_use]
pub fn cosh(x: f64) -> f64 {
    let magnitude = x.abs();
    let power = exp(magnitude);
    if magnitude > ONE_SIDED { power * 0.5 } else { (power + 1.0 / power) * 0.5 }
}

/// The hyperbolic tangent. Where it is near zero, the approximation is that of S. Moshier's Cephes library.
#[must_use]
pub fn tanh(x: f64) -> f64 {
    const ABOVE: [f64; 3] = [-9.643_991_794_250_523e-1, -9.928_772_310_019_185e1, -1.614_687_684_417_084_5e3];
    const BELOW: [f64; 4] = [1.0, 1.128_116_784_916_329_3e2, 2.235_488_390_601_004_5e3, 4.844_063_053_251_255e3];
    /// Half of ln 2^127: beyond, the tangent is one.
    const END: f64 = 0.5 * 88.029_691_931_113_05;
    let magnitude = x.abs();
    if magnitude > END {
        return 1.0_f64.copysign(x);
    }
    if magnitude >= 0.625 {
        return (1.0 - 2.0 / (exp(2.0 * magnitude) + 1.0)).copysign(x);
    }
    if x == 0.0 {
        return x;
    }
    let square = x * x;
    x + x * square * polynomial(square, ABOVE) / polynomial(square, BELOW)
}
