//! The source of samples. A store implements it.

use std::sync::Arc;

use labels::{Labels, Matcher};

use crate::histogram::Histogram;

/// Stored samples of one series in a range, as columns with strictly increasing timestamps. Stale markers are included.
#[derive(Debug, Clone, Default)]
pub struct SeriesSamples {
    /// The series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub timestamps: Vec<i64>,
    /// One value per timestamp.
    pub values: Vec<f64>,
    /// Native histograms with their times, strictly increasing and different from all `timestamps`. Empty for most
    /// series.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
}

/// Selects samples for the engine.
pub trait SeriesSource: Send + Sync {
    /// All series that match all matchers, with their samples in `start_ms..=end_ms`. Series without a sample there may
    /// be left out.
    ///
    /// # Errors
    ///
    /// The source could not be read.
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError>;
}

/// Error of a source or sink.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// The error message.
    pub message: String,
    /// The cause.
    #[source]
    pub source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}
