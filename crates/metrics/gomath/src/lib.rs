//! Elementary functions with exactly the results of Go's `math` package on amd64, and so of Prometheus. Any good
//! approximation would do, but two of them differ in the last digit, and results are compared and printed with all
//! digits.
//!
//! Each function makes the same steps as Go's in the same order, each rounded once. Rust does not fuse a multiplication
//! and an addition by itself, nor does Go on amd64; the only exception is [`exp`]. Square roots, and other operations
//! that IEEE 754 rounds correctly, are the same everywhere and are not here.
//!
//! This applies to Go 1.19 to 1.26 at least; none of these functions changed in between.

mod arc;
mod area;
mod circle;
mod exponential;
mod hyperbolic;
mod logarithm;
mod parts;
mod power;
mod reduction;

pub use arc::{acos, asin, atan, atan2};
pub use area::{acosh, asinh, atanh};
pub use circle::{cos, sin, tan};
pub use exponential::{exp, exp2};
pub use hyperbolic::{cosh, sinh, tanh};
pub use logarithm::{ln, log2, log10};
pub use parts::{frexp, ldexp};
pub use power::pow;

/// A polynomial by Horner's rule, the coefficient of the highest power first.
#[inline]
fn polynomial<const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    coefficients.into_iter().reduce(|sum, coefficient| sum * x + coefficient).unwrap_or(0.0)
}
