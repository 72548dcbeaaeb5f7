//! Elementary functions whose every bit is that of Go's `math` package on amd64, and so of Prometheus: an approximation is as good as
//! the next one, but two of them differ in the last digit, and a result is compared and printed with all of its digits.
//!
//! Each function makes the steps of Go's in the same order, each of them rounded once. Rust does not fuse a multiplication with an
//! addition unless it is told so, nor does Go on amd64; the one exception is [`exp`]. Square roots and whatever else IEEE 754 rounds
//! correctly are the same everywhere, and are not here.
//!
//! What is said of Go holds from 1.19 to 1.26 at least; none of these functions changed in between.

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
