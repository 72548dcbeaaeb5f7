//! Samples: what a series is made of, what it is read from and written to, and native histograms.
//!
//! Below query languages, stores and protocols, which meet here: none of them has to know another.

pub mod format;
pub mod histogram;
mod sample;
mod sink;
mod source;
mod sum;

pub use sample::{MAX_AHEAD_MS, Point, STALE_NAN, Sample, is_stale_marker};
pub use sink::{AppendOutcome, SampleSink};
pub use source::{SeriesSamples, SeriesSource, SourceError};
pub use sum::CompensatedSum;
