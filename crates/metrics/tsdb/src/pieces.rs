//! The compressed data that a reader takes from a series, and its decoding without any lock.

use std::sync::Arc;

use labels::Labels;

use crate::{
    chunk::{Columns, DamagedChunk, HistogramColumn, OpenSnapshot, SealedChunk},
    histograms::{note_resets, put_in_order},
    series::{CHUNK_SAMPLES, Run},
    varint::length,
};

/// Approximate memory of a histogram in floats, for the limit of a read.
const HISTOGRAM_WEIGHT: u64 = 24;

/// All data of one series in a range, compressed.
#[derive(Debug)]
pub(crate) struct Pieces {
    pub(crate) labels: Labels,
    pub(crate) runs: Vec<Run>,
    pub(crate) open: Option<OpenSnapshot>,
    pub(crate) late: Vec<(i64, f64)>,
    pub(crate) late_histograms: HistogramColumn,
    pub(crate) has_histograms: bool,
}

impl Pieces {
    /// Approximate number of samples in the range.
    pub(crate) fn estimate(&self, start: i64, end: i64) -> u64 {
        let share = |run: &Run| {
            let count = i128::from(run.count);
            let whole = i128::from(run.last) - i128::from(run.first);
            let inside = i128::from(run.last.min(end)) - i128::from(run.first.max(start));
            let samples = if whole <= 0 { count } else { count * inside.max(0) / whole };
            u64::try_from(samples).unwrap_or(0)
        };
        let samples = self.runs.iter().map(share).sum::<u64>() + length(&self.late) + u64::from(CHUNK_SAMPLES);
        if self.has_histograms { samples.saturating_mul(HISTOGRAM_WEIGHT) } else { samples }
    }

    /// The samples of the range, with strictly increasing times. `load` returns the bytes of a run, or `None` after it
    /// has reported that they are lost; `damaged` is called for a run that does not decode.
    pub(crate) fn decode(
        mut self,
        start: i64,
        end: i64,
        load: impl Fn(&Run) -> Option<Arc<[u8]>>,
        damaged: impl Fn(&Run),
    ) -> (Columns, HistogramColumn) {
        let mut columns = Columns::default();
        let mut histograms = self.late_histograms;
        let samples = self.runs.iter().map(|run| run.count).sum::<u32>() + CHUNK_SAMPLES;
        columns.times.reserve(usize::try_from(samples).unwrap_or(0));
        columns.values.reserve(usize::try_from(samples).unwrap_or(0));
        self.runs.sort_by_key(|run| run.first);
        for run in &self.runs {
            let Some(bytes) = load(run) else { continue };
            let decoded = SealedChunk::from_bytes(bytes).and_then(|chunk| {
                if chunk.has_histograms() {
                    chunk.decode_histograms(start, end, &mut histograms)
                } else {
                    add(&mut columns, |to| chunk.decode(start, end, to))
                }
            });
            if decoded.is_err() {
                damaged(run);
            }
        }
        if let Some(open) = &self.open {
            let decoded = add(&mut columns, |to| {
                let from = to.times.len();
                open.decode(to)?;
                to.clip(from, start, end);
                Ok(())
            });
            if let Err(error) = decoded {
                tracing::error!(labels = ?self.labels, %error, "samples in memory cannot be decoded");
            }
        }
        if !self.late.is_empty() {
            let mut late = Columns::default();
            self.late.iter().for_each(|(time, value)| late.push(*time, *value));
            columns = merge(&columns, &late);
        }
        put_in_order(&mut histograms);
        note_resets(&mut histograms, &columns.times);
        (columns, histograms)
    }
}

/// The samples of overlapping chunks, sorted by time; and the number of damaged chunks.
pub(crate) fn merged(chunks: &[SealedChunk]) -> (Columns, usize) {
    let mut columns = Columns::default();
    let damaged = chunks.iter().filter(|chunk| add(&mut columns, |to| chunk.decode(i64::MIN, i64::MAX, to)).is_err());
    let damaged = damaged.count();
    (columns, damaged)
}

/// Appends what `decode` returns to the columns, and sorts if the new samples are not all later.
fn add(columns: &mut Columns, decode: impl Fn(&mut Columns) -> Result<(), DamagedChunk>) -> Result<(), DamagedChunk> {
    let from = columns.times.len();
    decode(columns)?;
    let overlaps = match (from.checked_sub(1).and_then(|last| columns.times.get(last)), columns.times.get(from)) {
        (Some(before), Some(after)) => after <= before,
        _ => false,
    };
    if overlaps {
        let added = Columns { times: columns.times.split_off(from), values: columns.values.split_off(from) };
        *columns = merge(columns, &added);
    }
    Ok(())
}

/// Merges two columns; of equal times the first one's value is used.
fn merge(first: &Columns, second: &Columns) -> Columns {
    let mut merged = Columns::default();
    let mut left = first.iter().peekable();
    let mut right = second.iter().peekable();
    loop {
        let next = match (left.peek(), right.peek()) {
            (Some(one), Some(other)) if one.0 == other.0 => {
                right.next();
                left.next()
            }
            (Some(one), Some(other)) if one.0 < other.0 => left.next(),
            (Some(_), None) => left.next(),
            (_, Some(_)) => right.next(),
            (None, None) => return merged,
        };
        if let Some((time, value)) = next {
            merged.push(time, value);
        }
    }
}
