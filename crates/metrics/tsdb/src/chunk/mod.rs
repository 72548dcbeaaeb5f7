//! Compressed chunks of samples of one series.
//!
//! Samples are appended to an *open* chunk with Gorilla compression ([`open`]). At about 120 samples it is *sealed*:
//! encoded again as two columns, each in the shortest of several encodings ([`sealed`]). Values decode to the same
//! bits, staleness markers and other NaNs included. Native histograms have their own chunks ([`histogram`]).

mod decimal;
mod histogram;
mod open;
mod sealed;
mod times;
mod xor;

pub(crate) use histogram::{HistogramColumn, OpenHistograms, has_histograms, put_histogram, read_histogram};
pub(crate) use open::{OpenChunk, OpenSnapshot};
pub(crate) use sealed::{Columns, SealedChunk};

/// The bytes are not a complete chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of samples is damaged")]
pub(crate) struct DamagedChunk;
