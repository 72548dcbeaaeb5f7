//! Compressed runs of samples of one series.
//!
//! A chunk is *open* while samples are added, one by one, in Gorilla's way ([`open`]); at about 120 samples it is *sealed*: encoded
//! once more as two columns with what then turns out to be the shortest form ([`sealed`]). Values come back bit by bit as they
//! were, staleness markers and other NaNs included. Native histograms have chunks of their own ([`histogram`]).

mod decimal;
mod histogram;
mod open;
mod sealed;
mod times;
mod xor;

pub(crate) use histogram::{HistogramColumn, OpenHistograms, has_histograms, put_histogram, read_histogram};
pub(crate) use open::{OpenChunk, OpenSnapshot};
pub(crate) use sealed::{Columns, SealedChunk};

/// Bytes that are no chunk, or not the whole of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of samples is damaged")]
pub(crate) struct DamagedChunk;
