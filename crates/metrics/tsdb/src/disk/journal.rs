//! Content of the log: each append as frames, and checkpoints.

use std::collections::HashSet;

use super::{
    frame::{Kind, put_frame},
    record::{put_histograms, put_log_header, put_samples, put_series, put_unsealed, put_unsealed_histograms},
};
use crate::{
    head::{Head, Part},
    metadata::{self, Metadata},
    postings::SeriesId,
    series::Series,
};

/// Maximum number of samples in a frame: the most that one damaged place can cost.
const FRAME_SAMPLES: usize = 2_048;
/// A frame with this many bytes of histograms is full.
const FRAME_HISTOGRAM_BYTES: usize = 256 * 1_024;

/// Encodes appends into frames that may depend on earlier frames of the log. Does no I/O.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Written to the header of each file.
    out_of_order_ms: i64,
    /// Series whose labels are in the log since the last checkpoint.
    defined: HashSet<SeriesId>,
}

impl Journal {
    /// For an empty log.
    pub(crate) fn new(out_of_order_ms: i64) -> Self {
        Journal { out_of_order_ms, defined: HashSet::new() }
    }

    /// Appends frames for the series of the samples that follow. `series_of` returns a series in its state before those
    /// samples.
    pub(crate) fn put_series<'a>(
        &mut self,
        out: &mut Vec<u8>,
        parts: &[Part],
        series_of: impl Fn(SeriesId) -> Option<&'a Series>,
    ) {
        for id in parts.iter().flat_map(Part::ids) {
            if self.defined.insert(id)
                && let Some(Series { labels, newest, histograms, .. }) = series_of(id)
            {
                put_frame(out, Kind::Series, |out| put_series(out, id, labels, *newest));
                if let Some(histograms) = histograms {
                    put_frame(out, Kind::UnsealedHistograms, |out| {
                        put_unsealed_histograms(out, id, histograms, false);
                    });
                }
            }
        }
    }

    /// Appends frames for samples of series that are defined in the log.
    pub(crate) fn put_samples(out: &mut Vec<u8>, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Floats(entries) => {
                    for some in entries.chunks(FRAME_SAMPLES) {
                        put_frame(out, Kind::Samples, |out| put_samples(out, some));
                    }
                }
                Part::Histograms(entries) => {
                    let mut rest = *entries;
                    while !rest.is_empty() {
                        let mut written = 0;
                        put_frame(out, Kind::Histograms, |out| {
                            written = put_histograms(out, rest, FRAME_HISTOGRAM_BYTES);
                        });
                        rest = rest.get(written..).unwrap_or_default();
                    }
                }
            }
        }
    }

    /// Appends frames for the metadata of metric families.
    pub(crate) fn put_metadata<'a>(out: &mut Vec<u8>, families: impl Iterator<Item = (&'a str, &'a Metadata)>) {
        for (family, about) in families {
            put_frame(out, Kind::Metadata, |out| metadata::encode(out, family, about));
        }
    }

    /// The start of a new log file: everything that is not sealed.
    pub(crate) fn checkpoint(&self, head: &Head) -> Vec<u8> {
        let mut content = file_header(self.out_of_order_ms);
        put_frame(&mut content, Kind::Checkpoint, |_| {});
        for (family, about) in &head.metadata {
            put_frame(&mut content, Kind::Metadata, |out| metadata::encode(out, family, about));
        }
        for (id, series) in head.iter().filter(|(_, series)| series.unsealed_samples() > 0) {
            put_frame(&mut content, Kind::Series, |out| put_series(out, id, &series.labels, series.newest));
            put_frame(&mut content, Kind::Unsealed, |out| put_unsealed(out, id, series));
            if let Some(histograms) = &series.histograms {
                put_frame(&mut content, Kind::UnsealedHistograms, |out| {
                    put_unsealed_histograms(out, id, histograms, true);
                });
            }
        }
        content
    }

    /// Makes the following frames depend on a checkpoint of the current head. If that checkpoint is never written, the
    /// frames can also follow the old log: they only repeat the labels of some series.
    pub(crate) fn build_on_checkpoint(&mut self, head: &Head) {
        self.defined = head.iter().filter(|(_, series)| series.unsealed_samples() > 0).map(|(id, _)| id).collect();
    }
}

/// The header of each log file.
pub(crate) fn file_header(out_of_order_ms: i64) -> Vec<u8> {
    let mut header = Vec::new();
    put_frame(&mut header, Kind::Header, |out| put_log_header(out, out_of_order_ms));
    header
}
