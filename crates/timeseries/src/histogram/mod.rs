//! Native histograms: a distribution in one sample.
//!
//! All counts are floats, because computations produce fractions. Buckets are sparse: only non-empty ones are stored.

mod arithmetic;
mod bounds;
mod estimate;
mod text;
mod trim;

use std::sync::Arc;

pub use arithmetic::Reconciled;
pub use bounds::Bucket;
pub use estimate::NanEffect;

use crate::is_stale_marker;

/// A native histogram.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// Resolution of the exponential buckets: each power of two is divided into 2^schema buckets, -4 to 8. [`CUSTOM`]
    /// for custom ones.
    pub schema: i32,
    /// Observations closer to zero than this are in the zero bucket.
    pub zero_threshold: f64,
    /// Number of observations in the zero bucket.
    pub zero_count: f64,
    /// Number of observations.
    pub count: f64,
    /// Sum of all observations.
    pub sum: f64,
    /// Buckets of positive observations, or all custom buckets: index and count, sorted by index. No count is zero.
    pub positive: Buckets,
    /// Buckets of negative observations.
    pub negative: Buckets,
    /// Upper bounds of the custom buckets, ascending, without the last, infinite one.
    pub custom_bounds: Arc<[f64]>,
    /// Counter reset hint.
    pub reset_hint: ResetHint,
}

/// Index and count of the non-empty buckets, sorted by index.
pub type Buckets = Vec<(i32, f64)>;

/// The schema of histograms with custom buckets.
pub const CUSTOM: i32 = -53;

/// Whether the counter was reset since the previous sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResetHint {
    /// Unknown: the counts must be compared.
    #[default]
    Unknown,
    /// It was.
    Reset,
    /// It was not.
    NotReset,
    /// It is a gauge.
    Gauge,
}

impl Histogram {
    /// True if the buckets have custom bounds.
    #[must_use]
    pub fn has_custom_buckets(&self) -> bool {
        self.schema == CUSTOM
    }

    /// True for a stale marker.
    #[must_use]
    pub fn is_stale_marker(&self) -> bool {
        is_stale_marker(self.sum)
    }

    /// All counts and the sum, multiplied by a factor.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let mut scaled = self.clone();
        scaled.map_counts(|count| count * factor);
        if factor < 0.0 {
            scaled.reset_hint = ResetHint::Gauge;
        }
        scaled
    }

    /// All counts and the sum, divided. Division by zero removes all buckets, because they have no meaning then.
    pub fn divided(&self, divisor: f64) -> Self {
        let mut divided = self.clone();
        if divisor == 0.0 {
            divided.positive.clear();
            divided.negative.clear();
        }
        divided.map_counts(|count| count / divisor);
        if divisor < 0.0 {
            divided.reset_hint = ResetHint::Gauge;
        }
        divided
    }

    /// Whether both are equal, except for the reset hint.
    #[must_use]
    pub fn is_same(&self, other: &Histogram) -> bool {
        let same = |left: f64, right: f64| left.to_bits() == right.to_bits() || left == right;
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && same(self.zero_threshold, other.zero_threshold)
            && same(self.zero_count, other.zero_count)
            && self.custom_bounds == other.custom_bounds
            && self.positive == other.positive
            && self.negative == other.negative
    }

    /// Replaces all counts and the sum.
    pub fn map_counts(&mut self, replace: impl Fn(f64) -> f64) {
        self.zero_count = replace(self.zero_count);
        self.count = replace(self.count);
        self.sum = replace(self.sum);
        for buckets in [&mut self.positive, &mut self.negative] {
            for (_, count) in buckets.iter_mut() {
                *count = replace(*count);
            }
            buckets.retain(|(_, count)| *count != 0.0);
        }
    }
}
