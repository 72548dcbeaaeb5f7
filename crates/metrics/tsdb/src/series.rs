//! One series: its open chunk, its late samples and the locations of its sealed chunks.

use std::sync::Arc;

use labels::Labels;
use timeseries::{Sample, histogram::Histogram};

use crate::{
    chunk::{Columns, HistogramColumn, OpenChunk, SealedChunk},
    disk::ChunkPlace,
    histograms::Histograms,
    pieces::Pieces,
};

/// Number of samples at which a chunk is sealed.
pub(crate) const CHUNK_SAMPLES: u32 = 120;
/// Maximum time span of a chunk, so that a slow series does not stay in memory forever.
const CHUNK_SPAN_MS: i64 = 4 * 3_600 * 1_000;
/// Number of late samples of a series at which they form their own chunk.
const LATE_SAMPLES: usize = 64;

/// A sealed chunk: in memory, on disk, or both.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: u32,
    /// In memory while it is in the head window, and until it is on disk.
    pub(crate) bytes: Option<Arc<[u8]>>,
    /// Location on disk; `None` until it is written.
    pub(crate) place: Option<ChunkPlace>,
}

impl From<SealedChunk> for Run {
    fn from(chunk: SealedChunk) -> Self {
        Run { first: chunk.first, last: chunk.last, count: chunk.count, bytes: Some(chunk.bytes), place: None }
    }
}

impl Run {
    /// Whether it can have a sample in the range.
    pub(crate) fn overlaps(&self, start: i64, end: i64) -> bool {
        self.first <= end && self.last >= start
    }
}

/// Result of appending a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Stored, or already there with the same value.
    Stored,
    /// Older than the last sample by more than the out-of-order window.
    TooOld,
    /// There is another value at this time.
    Duplicate,
}

/// One series.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    pub(crate) open: OpenChunk,
    /// The last float.
    pub(crate) newest: Option<(i64, f64)>,
    /// Late floats, sorted by time.
    pub(crate) late: Vec<(i64, f64)>,
    /// In the order in which they were sealed; chunks of late samples overlap others. A chunk has either floats or
    /// histograms.
    pub(crate) runs: Vec<Run>,
    /// Native histograms, if the series has or had any.
    pub(crate) histograms: Option<Box<Histograms>>,
}

/// Time of a new sample relative to the last one.
enum Stand {
    Next,
    /// The same time.
    Same,
    Late,
    TooOld,
}

impl Series {
    pub(crate) fn new(labels: Labels) -> Self {
        Series {
            labels,
            open: OpenChunk::default(),
            newest: None,
            late: Vec::new(),
            runs: Vec::new(),
            histograms: None,
        }
    }

    /// Appends a sample that may be late by `out_of_order_ms`. If that fills a chunk, the chunk is sealed and becomes
    /// the last run.
    pub(crate) fn push(&mut self, time: i64, value: f64, out_of_order_ms: i64) -> Pushed {
        match self.stand(time, out_of_order_ms) {
            Stand::Next => {
                if self.is_full(time) {
                    self.seal_open();
                }
                self.open.push(time, value);
                self.newest = Some((time, value));
                Pushed::Stored
            }
            Stand::Same => match self.newest {
                Some((newest, last)) if newest == time && last.to_bits() == value.to_bits() => Pushed::Stored,
                _ => Pushed::Duplicate,
            },
            Stand::Late => self.push_late(time, value),
            Stand::TooOld => Pushed::TooOld,
        }
    }

    /// Appends a histogram like [`Series::push`] does a float.
    pub(crate) fn push_histogram(&mut self, time: i64, histogram: &Arc<Histogram>, out_of_order_ms: i64) -> Pushed {
        match self.stand(time, out_of_order_ms) {
            Stand::Next => {
                if self.is_full_of_histograms(time) {
                    self.seal_open();
                }
                let histograms = self.histograms.get_or_insert_default();
                histograms.open.push(time, histogram);
                histograms.newest = Some((time, Arc::clone(histogram)));
                Pushed::Stored
            }
            Stand::Same => match self.histograms.as_ref().and_then(|histograms| histograms.newest.as_ref()) {
                Some((newest, last)) if *newest == time && last.is_same(histogram) => Pushed::Stored,
                _ => Pushed::Duplicate,
            },
            Stand::Late => match self.stored_at(time) {
                Some(Sample::Histogram(stored)) if stored.is_same(histogram) => Pushed::Stored,
                Some(_) => Pushed::Duplicate,
                None => {
                    let late = &mut self.histograms.get_or_insert_default().late;
                    let position = late.partition_point(|(other, _)| *other < time);
                    late.insert(position, (time, Arc::clone(histogram)));
                    if late.len() >= LATE_SAMPLES {
                        self.seal_late();
                    }
                    Pushed::Stored
                }
            },
            Stand::TooOld => Pushed::TooOld,
        }
    }

    #[inline]
    fn stand(&self, time: i64, out_of_order_ms: i64) -> Stand {
        match self.newest_time() {
            Some(newest) if time > newest => Stand::Next,
            Some(newest) if time == newest => Stand::Same,
            Some(newest) if newest.saturating_sub(time) > out_of_order_ms => Stand::TooOld,
            Some(_) => Stand::Late,
            None => Stand::Next,
        }
    }

    /// Time of the last sample of either kind.
    #[inline]
    pub(crate) fn newest_time(&self) -> Option<i64> {
        let float = self.newest.map(|(time, _)| time);
        match &self.histograms {
            None => float,
            Some(histograms) => float.max(histograms.newest.as_ref().map(|(time, _)| *time)),
        }
    }

    /// Whether the open chunk cannot accept a sample of this time.
    fn is_full(&self, time: i64) -> bool {
        self.open.count() >= CHUNK_SAMPLES
            || self.open.span().is_some_and(|(first, _)| time.saturating_sub(first) > CHUNK_SPAN_MS)
    }

    /// Whether the open chunk of histograms cannot accept a sample of this time.
    fn is_full_of_histograms(&self, time: i64) -> bool {
        let Some(histograms) = &self.histograms else { return false };
        histograms.open.is_full()
            || histograms.open.span().is_some_and(|(first, _)| time.saturating_sub(first) > CHUNK_SPAN_MS)
    }

    fn push_late(&mut self, time: i64, value: f64) -> Pushed {
        match self.stored_at(time) {
            Some(Sample::Float(stored)) if stored.to_bits() == value.to_bits() => return Pushed::Stored,
            Some(_) => return Pushed::Duplicate,
            None => {}
        }
        let position = self.late.partition_point(|(other, _)| *other < time);
        self.late.insert(position, (time, value));
        if self.late.len() >= LATE_SAMPLES {
            self.seal_late();
        }
        Pushed::Stored
    }

    /// The chunks that must be loaded to compare a late sample of this time with stored ones.
    pub(crate) fn needed_for(&self, time: i64) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.bytes.is_none() && run.overlaps(time, time))
    }

    /// The sample at a time, if it is in memory.
    fn stored_at(&self, time: i64) -> Option<Sample> {
        if let Some((_, value)) = self.late.iter().find(|(other, _)| *other == time) {
            return Some(Sample::Float(*value));
        }
        let covers = |(first, last): (i64, i64)| first <= time && time <= last;
        let mut columns = Columns::default();
        let mut histograms = HistogramColumn::new();
        if self.open.span().is_some_and(covers) {
            self.open.snapshot().decode(&mut columns).ok()?;
        }
        if let Some(unsealed) = &self.histograms {
            histograms.extend(unsealed.late.iter().filter(|(other, _)| *other == time).cloned());
            if unsealed.open.span().is_some_and(covers) {
                unsealed.open.snapshot()?.decode_histograms(time, time, &mut histograms).ok()?;
            }
        }
        for run in self.runs.iter().rev().filter(|run| run.overlaps(time, time)) {
            match run.bytes.clone().map(SealedChunk::from_bytes) {
                Some(Ok(chunk)) if chunk.has_histograms() => {
                    chunk.decode_histograms(time, time, &mut histograms).ok()?;
                }
                Some(Ok(chunk)) => chunk.decode(time, time, &mut columns).ok()?,
                _ => {}
            }
        }
        let float = columns.iter().find(|(other, _)| *other == time).map(|(_, value)| Sample::Float(value));
        float.or_else(|| histograms.pop().map(|(_, histogram)| Sample::Histogram(histogram)))
    }

    /// Seals the open chunks that have samples.
    pub(crate) fn seal_open(&mut self) {
        self.runs.extend(self.open.seal().map(Run::from));
        if let Some(histograms) = &mut self.histograms {
            self.runs.extend(histograms.open.seal().map(Run::from));
        }
    }

    /// Seals everything and frees reserved memory: for an idle series.
    pub(crate) fn lay_down(&mut self) {
        self.seal_open();
        self.seal_late();
        self.open.shrink();
        self.runs.shrink_to_fit();
    }

    /// Seals the late samples, if there are any.
    pub(crate) fn seal_late(&mut self) {
        let mut columns = Columns::default();
        std::mem::take(&mut self.late).iter().for_each(|(time, value)| columns.push(*time, *value));
        self.runs.extend(SealedChunk::encode(&columns).map(Run::from));
        if let Some(histograms) = &mut self.histograms {
            let late = std::mem::take(&mut histograms.late);
            self.runs.extend(SealedChunk::encode_histograms(&late, CHUNK_SAMPLES).into_iter().map(Run::from));
        }
    }

    /// Time range of each unsealed part.
    fn unsealed_spans(&self) -> impl Iterator<Item = (i64, i64)> {
        let late = self.late.first().zip(self.late.last()).map(|(first, last)| (first.0, last.0));
        let histograms = self.histograms.iter().flat_map(|histograms| histograms.spans());
        self.open.span().into_iter().chain(late).chain(histograms)
    }

    /// Times of the first and last sample; `None` without any.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        let runs = self.runs.iter().map(|run| (run.first, run.last));
        runs.chain(self.unsealed_spans()).reduce(|left, right| (left.0.min(right.0), left.1.max(right.1)))
    }

    /// Whether a chunk or a late sample may lie in the range.
    pub(crate) fn overlaps(&self, start: i64, end: i64) -> bool {
        self.runs.iter().any(|run| run.overlaps(start, end))
            || self.open.span().is_some_and(|(first, last)| first <= end && last >= start)
            || self.late.iter().any(|(time, _)| (start..=end).contains(time))
            || self
                .histograms
                .as_ref()
                .is_some_and(|histograms| histograms.spans().any(|(first, last)| first <= end && last >= start))
    }

    /// Number of samples not in a sealed chunk.
    pub(crate) fn unsealed_samples(&self) -> usize {
        let histograms = self.histograms.as_ref().map_or(0, |histograms| histograms.len());
        usize::try_from(self.open.count()).unwrap_or(0) + self.late.len() + histograms
    }

    /// Approximate number of samples in the range, without decoding: a chunk counts by its share of time in the range.
    pub(crate) fn samples_within(&self, start: i64, end: i64) -> u64 {
        let part = |first: i64, last: i64, count: u64| {
            let common = last.min(end).saturating_sub(first.max(start));
            if common < 0 {
                return 0;
            }
            let (common, whole) = (common.unsigned_abs(), last.abs_diff(first).max(1));
            let count = u128::from(count) * u128::from(common) / u128::from(whole);
            u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1)
        };
        let sealed = self.runs.iter().map(|run| part(run.first, run.last, u64::from(run.count)));
        let unsealed = u64::try_from(self.unsealed_samples()).unwrap_or(u64::MAX);
        let spans = self.unsealed_spans().reduce(|left, right| (left.0.min(right.0), left.1.max(right.1)));
        let unsealed = spans.map_or(0, |(first, last)| part(first, last, unsealed));
        sealed.fold(unsealed, u64::saturating_add)
    }

    /// Copies what a reader needs for the range, so that it can decode without a lock.
    pub(crate) fn pieces(&self, start: i64, end: i64) -> Pieces {
        let mut runs: Vec<Run> = self.runs.iter().filter(|run| run.overlaps(start, end)).cloned().collect();
        let open =
            self.open.span().filter(|(first, last)| *first <= end && *last >= start).map(|_| self.open.snapshot());
        let late = self.late.iter().filter(|(time, _)| (start..=end).contains(time));
        let mut late_histograms = HistogramColumn::new();
        if let Some(histograms) = &self.histograms {
            runs.extend(histograms.open.snapshot().map(Run::from).filter(|run| run.overlaps(start, end)));
            late_histograms.extend(histograms.late.iter().filter(|(time, _)| (start..=end).contains(time)).cloned());
        }
        let has_histograms = self.histograms.is_some();
        Pieces {
            labels: self.labels.clone(),
            runs,
            open,
            late: late.copied().collect(),
            late_histograms,
            has_histograms,
        }
    }

    /// Heap size in bytes, without the text of the labels.
    pub(crate) fn heap_bytes(&self) -> usize {
        let runs: usize = self.runs.iter().filter_map(|run| run.bytes.as_ref()).map(|bytes| bytes.len() + 24).sum();
        let late = self.late.capacity() * size_of::<(i64, f64)>();
        let histograms = self.histograms.as_ref().map_or(0, |histograms| histograms.heap_bytes());
        size_of::<Self>() + self.open.heap_bytes() + self.runs.capacity() * size_of::<Run>() + runs + late + histograms
    }
}
