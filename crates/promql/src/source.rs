//! What the engine reads from and what writers write to. A store implements both; this crate knows none.

use std::sync::Arc;

use crate::histogram::Histogram;
use labels::{Labels, Matcher};

/// The NaN by which a series says that it ended (Prometheus `value.StaleNaN`). Compare bits, not values.
pub const STALE_NAN: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// True for the staleness marker alone, not for an ordinary NaN.
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

/// Where scrapes, derived series and remote writes go.
pub trait SampleSink: Send + Sync {
    /// Appends points of any series. A point that is too old or a duplicate is counted, not fatal.
    ///
    /// # Errors
    /// Nothing of the batch is stored: the disk is full, the sink is closed.
    fn append(&self, points: &[Point]) -> Result<AppendOutcome, SourceError>;
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppendOutcome {
    /// Points stored.
    pub stored: usize,
    /// Points older than the newest of their series by more than what is accepted.
    pub out_of_order: usize,
    /// Points whose time is taken by another value.
    pub duplicate: usize,
    /// Points of new series beyond what the sink holds.
    pub over_limit: usize,
    /// Position in the batch of the first point that was not stored.
    pub first_rejected: Option<usize>,
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
