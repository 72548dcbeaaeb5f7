//! Samples, and stale markers.

use std::sync::Arc;

use labels::Labels;

use crate::histogram::Histogram;

/// Maximum time in the future of samples with others' timestamps, as in Prometheus: beyond it a clock is wrong.
pub const MAX_AHEAD_MS: i64 = 10 * 60 * 1_000;

/// The NaN that marks the end of a series (Prometheus `value.StaleNaN`). Compare bits, not values.
pub const STALE_NAN: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// True only for the stale marker, not for an ordinary NaN.
#[must_use]
pub fn is_stale_marker(value: f64) -> bool {
    value.to_bits() == STALE_NAN.to_bits()
}

/// One float sample of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The value; [`STALE_NAN`] ends the series.
    pub value: f64,
}

/// The value of a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample {
    /// A float.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}
