//! What samples are read from. A store implements it, and whatever else has samples.

use std::sync::Arc;

use labels::{Labels, Matcher};

use crate::histogram::Histogram;

/// Stored samples of one series in a range, as columns, timestamps rising strictly. Staleness markers are included.
#[derive(Debug, Clone, Default)]
pub struct SeriesSamples {
    /// The series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub timestamps: Vec<i64>,
    /// One value a timestamp.
    pub values: Vec<f64>,
    /// Native histograms with their times, which rise strictly and differ from all `timestamps`. Empty in most series.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
}

/// Where the engine gets its samples.
pub trait SeriesSource: Send + Sync {
    /// All series that fulfil every matcher, with their samples of `start_ms..=end_ms`. Series without a sample there may be left out.
    ///
    /// # Errors
    /// The source could not be read.
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError>;
}

/// A source or sink that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// What happened, in words for a person.
    pub message: String,
    /// The cause.
    #[source]
    pub source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}
