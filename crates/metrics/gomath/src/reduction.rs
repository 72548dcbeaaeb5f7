//! Reduces angles to the first octant, on both sides of zero.

use std::f64::consts::FRAC_PI_4;

use crate::parts::{float, whole};

/// π/4 in three parts: few enough bits in the first two that their multiples are exact.
const PARTS: [f64; 3] = [7.853_981_256_484_985e-1, 3.774_894_707_930_798e-8, 2.695_151_429_079_059_5e-15];

/// From here on, multiples of those parts are not exact.
const FAR: f64 = 536_870_912.0;

/// An angle minus a multiple of π/2.
#[derive(Clone, Copy)]
pub(crate) struct Reduced {
    /// The subtracted octant of eight, counted from the positive axis: an even one.
    pub(crate) octant: u8,
    /// The rest in radians: within ± π/4, apart from rounding errors.
    pub(crate) rest: f64,
}

/// Reduces a finite, non-negative angle in radians.
#[inline]
pub(crate) fn reduce(angle: f64) -> Reduced {
    const FOUR_OVER_PI: f64 = 4.0 / std::f64::consts::PI;
    if angle >= FAR {
        return reduce_far(angle);
    }
    let octant = whole(angle * FOUR_OVER_PI);
    let octant = octant + (octant & 1);
    let multiple = float(octant);
    let [first, second, third] = PARTS;
    let rest = ((angle - multiple * first) - multiple * second) - multiple * third;
    Reduced { octant: low_bits(octant.cast_unsigned()), rest }
}

/// The lowest three bits.
#[allow(clippy::cast_possible_truncation, reason = "three bits are left")]
fn low_bits(value: u64) -> u8 {
    (value & 7) as u8
}

/// The binary digits of 4/π: the one before the point, then 64 each.
const DIGITS: [u64; 20] = [
    0x0000_0000_0000_0001,
    0x45f3_06dc_9c88_2a53,
    0xf84e_afa3_ea69_bb81,
    0xb6c5_2b32_7887_2083,
    0xfca2_c757_bd77_8ac3,
    0x6e48_dc74_849b_a5c0,
    0x0c92_5dd4_13a3_2439,
    0xfc3b_d639_6253_4e7d,
    0xd104_6bea_5d76_8909,
    0xd338_e04d_68be_fc82,
    0x7323_ac73_06a6_73e9,
    0x3908_bf17_7bf2_5076,
    0x3ff1_2fff_bc0b_301f,
    0xde5e_2316_b414_da3e,
    0xda6c_fd9e_4f96_136e,
    0x9e8c_7ecd_3cbf_d45a,
    0xea4f_758f_d7cb_e2f6,
    0x7a0e_73ef_14a5_25d4,
    0xd7f6_bf62_3f1a_ba10,
    0xac06_608d_f8f6_d757,
];

/// Reduces with those digits of 4/π that matter for the angle's magnitude (M. Payne and R. Hanek; K. C. Ng, "Argument
/// reduction for huge arguments: good to the last bit"): earlier digits give multiples of eight octants, later ones are
/// too small to matter.
fn reduce_far(angle: f64) -> Reduced {
    let bits = angle.to_bits();
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    // The first relevant digit; the exponent is at least 29.
    let from = (bits >> 52) + 61 - 1023 - 52;
    let [z0, z1, z2] = window(from);

    // The upper two words of the product.
    let second = u128::from(z1) * u128::from(mantissa);
    let third = u128::from(z2) * u128::from(mantissa);
    let product = (u128::from(z0.wrapping_mul(mantissa)) << 64).wrapping_add(second).wrapping_add(third >> 64);
    let (high, low) = halves(product);

    let octant = low_bits(high >> 61);
    // The fraction of an octant. Like Go, we fill it with the first bits of the lower word instead of the following
    // ones, which matters if there are a dozen leading zeros.
    let part = high << 3 | low >> 61;
    let zeros = part.leading_zeros();
    let (filled, _) = halves((u128::from(part) << 64 | u128::from(low)) << zeros << 1);
    let exponent = 1022 - u64::from(zeros);
    let part = f64::from_bits(filled >> 12 | exponent << 52);
    if octant & 1 == 1 {
        return Reduced { octant: (octant + 1) & 7, rest: (part - 1.0) * FRAC_PI_4 };
    }
    Reduced { octant, rest: part * FRAC_PI_4 }
}

/// Three words of the digits, starting at a bit.
fn window(from: u64) -> [u64; 3] {
    let mut words = DIGITS.iter().copied().skip(usize::try_from(from / 64).unwrap_or(usize::MAX));
    let mut next = || words.next().unwrap_or(0);
    let digits = [next(), next(), next(), next()];
    let [d0, d1, d2, d3] = digits;
    let join = |left: u64, right: u64| halves((u128::from(left) << 64 | u128::from(right)) << (from % 64)).0;
    [join(d0, d1), join(d1, d2), join(d2, d3)]
}

/// The upper and the lower word.
#[allow(clippy::cast_possible_truncation, reason = "one half each")]
fn halves(value: u128) -> (u64, u64) {
    ((value >> 64) as u64, value as u64)
}
