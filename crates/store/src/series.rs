//! One series: its open chunk, its late samples and where its sealed chunks are.

use std::sync::Arc;

use promql::{Sample, histogram::Histogram, labels::Labels};

use crate::{
    chunk::{Columns, DamagedChunk, HistogramColumn, OpenChunk, OpenSnapshot, SealedChunk},
    disk::ChunkPlace,
    histograms::{Histograms, note_resets, put_in_order},
    varint::length,
};

/// Samples after which a chunk is sealed.
const CHUNK_SAMPLES: u32 = 120;
/// Longest time a chunk spans, so that a slow series does not stay in memory for ever.
const CHUNK_SPAN_MS: i64 = 4 * 3_600 * 1_000;
/// Late samples of a series after which they become a chunk of their own.
const LATE_SAMPLES: usize = 64;
/// Roughly how many floats a histogram is worth, for the limit of what is read at once.
const HISTOGRAM_WEIGHT: u64 = 24;

/// A sealed chunk: in memory, on disk, or both.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: u32,
    /// Held while young, and until it is on disk.
    pub(crate) bytes: Option<Arc<[u8]>>,
    /// Where it is on disk; `None` until it is written.
    pub(crate) place: Option<ChunkPlace>,
}

impl From<SealedChunk> for Run {
    fn from(chunk: SealedChunk) -> Self {
        Run { first: chunk.first, last: chunk.last, count: chunk.count, bytes: Some(chunk.bytes), place: None }
    }
}

impl Run {
    /// Whether a sample of it can be in the range.
    pub(crate) fn overlaps(&self, start: i64, end: i64) -> bool {
        self.first <= end && self.last >= start
    }
}

/// What became of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Stored, or stored before with the same value.
    Stored,
    /// Older than the newest by more than is accepted.
    TooOld,
    /// Its time is taken by another value.
    Duplicate,
}

/// One series.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    pub(crate) open: OpenChunk,
    /// The newest float.
    pub(crate) newest: Option<(i64, f64)>,
    /// Floats that came late, sorted by time.
    pub(crate) late: Vec<(i64, f64)>,
    /// In the order in which they were sealed; chunks of late samples overlap others. A chunk has floats or histograms.
    pub(crate) runs: Vec<Run>,
    /// Native histograms, of a series that has or had any.
    pub(crate) histograms: Option<Box<Histograms>>,
}

/// Where a sample stands to what a series has.
enum Stand {
    Next,
    /// At the time of the newest.
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

    /// Adds a sample that may be late by `out_of_order_ms`. If that fills a chunk, it is sealed and becomes the last run.
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

    /// Adds a histogram as [`Series::push`] does a float.
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

    /// Time of the newest sample, of whichever kind.
    #[inline]
    pub(crate) fn newest_time(&self) -> Option<i64> {
        let float = self.newest.map(|(time, _)| time);
        match &self.histograms {
            None => float,
            Some(histograms) => float.max(histograms.newest.as_ref().map(|(time, _)| *time)),
        }
    }

    /// Whether the open chunk takes no sample of this time.
    fn is_full(&self, time: i64) -> bool {
        self.open.count() >= CHUNK_SAMPLES
            || self.open.span().is_some_and(|(first, _)| time.saturating_sub(first) > CHUNK_SPAN_MS)
    }

    /// Whether the open chunk of histograms takes no sample of this time.
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

    /// The chunks that must be in memory for a sample of this time to be compared with what is stored.
    pub(crate) fn needed_for(&mut self, time: i64) -> impl Iterator<Item = &mut Run> {
        let is_late = self.newest_time().is_some_and(|newest| time < newest);
        self.runs.iter_mut().filter(move |run| is_late && run.bytes.is_none() && run.overlaps(time, time))
    }

    /// The sample of a time, as far as it can be told from memory.
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

    /// Makes chunks of the late samples, if there are any.
    pub(crate) fn seal_late(&mut self) {
        let mut columns = Columns::default();
        std::mem::take(&mut self.late).iter().for_each(|(time, value)| columns.push(*time, *value));
        self.runs.extend(SealedChunk::encode(&columns).map(Run::from));
        if let Some(histograms) = &mut self.histograms {
            let late = std::mem::take(&mut histograms.late);
            self.runs.extend(SealedChunk::encode_histograms(&late, CHUNK_SAMPLES).into_iter().map(Run::from));
        }
    }

    /// Times of the first and last sample of each part that is not sealed.
    fn unsealed_spans(&self) -> impl Iterator<Item = (i64, i64)> {
        let late = self.late.first().zip(self.late.last()).map(|(first, last)| (first.0, last.0));
        let histograms = self.histograms.iter().flat_map(|histograms| histograms.spans());
        self.open.span().into_iter().chain(late).chain(histograms)
    }

    /// Times of the oldest and newest sample; `None` without any.
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

    /// Samples not yet in a sealed chunk.
    pub(crate) fn unsealed_samples(&self) -> usize {
        let histograms = self.histograms.as_ref().map_or(0, |histograms| histograms.len());
        usize::try_from(self.open.count()).unwrap_or(0) + self.late.len() + histograms
    }

    /// What a reader needs of the range, copied so that it can be decoded without a lock.
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

    /// Bytes of heap held, the labels' text excepted.
    pub(crate) fn heap_bytes(&self) -> usize {
        let runs: usize = self.runs.iter().filter_map(|run| run.bytes.as_ref()).map(|bytes| bytes.len() + 24).sum();
        let late = self.late.capacity() * size_of::<(i64, f64)>();
        let histograms = self.histograms.as_ref().map_or(0, |histograms| histograms.heap_bytes());
        size_of::<Self>() + self.open.heap_bytes() + self.runs.capacity() * size_of::<Run>() + runs + late + histograms
    }
}

/// All there is of one series in a range, in compressed form.
#[derive(Debug)]
pub(crate) struct Pieces {
    pub(crate) labels: Labels,
    pub(crate) runs: Vec<Run>,
    open: Option<OpenSnapshot>,
    late: Vec<(i64, f64)>,
    late_histograms: HistogramColumn,
    has_histograms: bool,
}

impl Pieces {
    /// Roughly how many samples of the range there are.
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

    /// The samples of the range, times rising strictly. `load` gives a run's bytes, or `None` if they are lost, which it has reported;
    /// `damaged` is told of a run whose bytes make no sense.
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

/// The samples of chunks, sorted by their first sample, in order; and how many chunks are damaged.
pub(crate) fn merged(chunks: &[SealedChunk]) -> (Columns, usize) {
    let mut columns = Columns::default();
    let damaged = chunks.iter().filter(|chunk| add(&mut columns, |to| chunk.decode(i64::MIN, i64::MAX, to)).is_err());
    let damaged = damaged.count();
    (columns, damaged)
}

/// Lets `decode` append to the columns, and puts what it appended in order if it is not later than what was there.
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

/// Both columns as one; of equal times the first one's value stays.
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
