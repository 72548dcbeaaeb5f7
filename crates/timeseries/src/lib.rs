//! Samples, traits for sources and sinks of samples, and native histograms.
//!
//! Query languages, stores and protocols depend on this crate, so that they need not depend on each other.

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
