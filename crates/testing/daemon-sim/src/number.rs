//! Conversions between integers and floats, in one place so that each cast is justified once.

/// The integer part of `value`; zero for negative numbers and NaN, the largest `u64` for larger numbers.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates and maps NaN to 0, which is what is wanted
pub(crate) fn whole(value: f64) -> u64 {
    value as u64
}

/// `value` rounded to this number of decimals.
pub(crate) fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

/// A count as a float. Exact up to 2^53, far more than anything counted here.
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

/// A number of bytes as a float. Exact up to 2^53 bytes, 9 PB.
pub(crate) fn real_bytes(bytes: u64) -> f64 {
    bytes as f64
}

/// A duration or time in milliseconds, converted to seconds.
pub(crate) fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Seconds converted to whole milliseconds, saturating; zero for NaN.
#[allow(clippy::cast_possible_truncation)] // `as` saturates and maps NaN to 0
pub(crate) fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}
