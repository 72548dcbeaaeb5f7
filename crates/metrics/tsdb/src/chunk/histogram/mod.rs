//! Encodes native histograms: each as the difference to the previous one.
//!
//! Consecutive histograms of a series usually have the same buckets, and their counts are integers that grow slowly. So
//! most need one byte for the time, one for flags, and one or two per bucket. All values decode to the same bits,
//! staleness markers included.

use std::sync::Arc;

use timeseries::histogram::{Buckets, Histogram, ResetHint};

use super::{
    DamagedChunk,
    decimal::{to_whole, unscale},
    sealed::{Head, SealedChunk, VALUES_HISTOGRAM},
};
use crate::{
    bits::{unzigzag, zigzag},
    varint::{Cursor, length, put_float, put_signed, put_varint},
};

/// Histograms with their times, strictly increasing.
pub(crate) type HistogramColumn = Vec<(i64, Arc<Histogram>)>;

/// Maximum number of samples in a chunk.
const CHUNK_SAMPLES: u32 = 120;
/// A chunk of this size is full.
const CHUNK_BYTES: usize = 16 * 1_024;

/// The buckets are the same as in the previous histogram.
const SAME_LAYOUT: u8 = 1;
/// A plain float follows.
const PLAIN: u64 = 1;

/// Appends a histogram as the difference to `before`.
pub(crate) fn put_histogram(out: &mut Vec<u8>, before: Option<&Histogram>, histogram: &Histogram) {
    let same = before.is_some_and(|before| has_layout_of(histogram, before));
    out.push(hint_code(histogram.reset_hint) << 1 | u8::from(same));
    if !same {
        put_signed(out, i64::from(histogram.schema));
        put_float(out, histogram.zero_threshold);
        put_varint(out, length(&histogram.custom_bounds));
        histogram.custom_bounds.iter().for_each(|bound| put_float(out, *bound));
        for buckets in [&histogram.positive, &histogram.negative] {
            put_varint(out, length(buckets));
            let mut last = 0;
            for (index, _) in buckets {
                put_signed(out, i64::from(*index) - last);
                last = i64::from(*index);
            }
        }
    }
    let empty = Histogram::default();
    let before = before.unwrap_or(&empty);
    put_number(out, before.count, histogram.count);
    put_number(out, before.zero_count, histogram.zero_count);
    put_number(out, before.sum, histogram.sum);
    for (now, then) in [(&histogram.positive, &before.positive), (&histogram.negative, &before.negative)] {
        for (position, (_, count)) in now.iter().enumerate() {
            let then = if same { then.get(position).map_or(0.0, |(_, count)| *count) } else { 0.0 };
            put_number(out, then, *count);
        }
    }
}

/// Reads what [`put_histogram`] wrote.
pub(crate) fn read_histogram(cursor: &mut Cursor, before: Option<&Histogram>) -> Option<Histogram> {
    let flags = cursor.byte()?;
    let same = flags & SAME_LAYOUT == SAME_LAYOUT;
    let mut histogram = if same { before?.clone() } else { read_layout(cursor)? };
    histogram.reset_hint = hint_of(flags >> 1)?;
    let (count, zero_count, sum) =
        before.map_or((0.0, 0.0, 0.0), |before| (before.count, before.zero_count, before.sum));
    histogram.count = read_number(cursor, count)?;
    histogram.zero_count = read_number(cursor, zero_count)?;
    histogram.sum = read_number(cursor, sum)?;
    for (_, count) in histogram.positive.iter_mut().chain(&mut histogram.negative) {
        *count = read_number(cursor, *count)?;
    }
    Some(histogram)
}

fn read_layout(cursor: &mut Cursor) -> Option<Histogram> {
    let schema = i32::try_from(cursor.signed()?).ok()?;
    let zero_threshold = cursor.float()?;
    let bounds = cursor.varint()?;
    let custom_bounds = (0..bounds).map(|_| cursor.float()).collect::<Option<Arc<[f64]>>>()?;
    let mut buckets = || -> Option<Buckets> {
        let count = cursor.varint()?;
        let mut index = 0_i64;
        (0..count)
            .map(|_| {
                index = index.checked_add(cursor.signed()?)?;
                Some((i32::try_from(index).ok()?, 0.0))
            })
            .collect()
    };
    let (positive, negative) = (buckets()?, buckets()?);
    Some(Histogram { schema, zero_threshold, custom_bounds, positive, negative, ..Histogram::default() })
}

/// Whether both have the same buckets.
fn has_layout_of(histogram: &Histogram, other: &Histogram) -> bool {
    let same = |left: &Buckets, right: &Buckets| {
        left.len() == right.len() && left.iter().zip(right).all(|((left, _), (right, _))| left == right)
    };
    let bits = |bounds: &Arc<[f64]>| bounds.iter().map(|bound| bound.to_bits()).collect::<Vec<_>>();
    histogram.schema == other.schema
        && histogram.zero_threshold.to_bits() == other.zero_threshold.to_bits()
        && same(&histogram.positive, &other.positive)
        && same(&histogram.negative, &other.negative)
        && (Arc::ptr_eq(&histogram.custom_bounds, &other.custom_bounds)
            || bits(&histogram.custom_bounds) == bits(&other.custom_bounds))
}

fn hint_code(hint: ResetHint) -> u8 {
    match hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    }
}

fn hint_of(code: u8) -> Option<ResetHint> {
    [ResetHint::Unknown, ResetHint::Reset, ResetHint::NotReset, ResetHint::Gauge].get(usize::from(code)).copied()
}

/// Appends a number: the difference to `before` if both are integers, otherwise the float itself.
fn put_number(out: &mut Vec<u8>, before: f64, number: f64) {
    match (to_whole(before, 1.0), to_whole(number, 1.0)) {
        // Both are below 2^53, so that neither the difference nor its code overflows.
        (Some(before), Some(number)) => put_varint(out, zigzag(number - before) << 1),
        _ => {
            put_varint(out, PLAIN);
            put_float(out, number);
        }
    }
}

fn read_number(cursor: &mut Cursor, before: f64) -> Option<f64> {
    let code = cursor.varint()?;
    if code & PLAIN == PLAIN {
        return cursor.float();
    }
    Some(unscale(to_whole(before, 1.0)?.checked_add(unzigzag(code >> 1))?, 1.0))
}

/// Decoder and encoder state between two samples of a chunk.
#[derive(Debug, Clone, Default)]
struct State {
    time: i64,
    interval: i64,
    histogram: Option<Arc<Histogram>>,
}

impl State {
    fn write(&mut self, out: &mut Vec<u8>, time: i64, histogram: &Arc<Histogram>) {
        let interval = time.wrapping_sub(self.time);
        if self.histogram.is_some() {
            put_signed(out, interval.wrapping_sub(self.interval));
            self.interval = interval;
        }
        put_histogram(out, self.histogram.as_deref(), histogram);
        self.time = time;
        self.histogram = Some(Arc::clone(histogram));
    }

    fn read(&mut self, cursor: &mut Cursor) -> Option<(i64, Arc<Histogram>)> {
        if self.histogram.is_some() {
            self.interval = self.interval.wrapping_add(cursor.signed()?);
            self.time = self.time.wrapping_add(self.interval);
        }
        let histogram = Arc::new(read_histogram(cursor, self.histogram.as_deref())?);
        self.histogram = Some(Arc::clone(&histogram));
        Some((self.time, histogram))
    }
}

/// The open chunk of a histogram series. Its bytes are those of the sealed chunk without the head.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenHistograms {
    bytes: Vec<u8>,
    count: u32,
    first: i64,
    state: State,
}

impl OpenHistograms {
    /// Number of samples.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Times of the first and last sample; `None` if it is empty.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        (self.count > 0).then_some((self.first, self.state.time))
    }

    /// Whether it should not accept more samples.
    pub(crate) fn is_full(&self) -> bool {
        self.count >= CHUNK_SAMPLES || self.bytes.len() >= CHUNK_BYTES
    }

    /// Adds a sample, which must be later than the last one.
    pub(crate) fn push(&mut self, time: i64, histogram: &Arc<Histogram>) {
        if self.count == 0 {
            self.first = time;
        }
        self.state.write(&mut self.bytes, time, histogram);
        self.count += 1;
    }

    /// The sealed chunk with the current samples; `None` if it is empty.
    pub(crate) fn snapshot(&self) -> Option<SealedChunk> {
        let (first, last) = self.span()?;
        let mut bytes = Vec::with_capacity(self.bytes.len() + 20);
        Head { kind: VALUES_HISTOGRAM, regular: false, count: usize::try_from(self.count).ok()?, first, last }
            .put(&mut bytes);
        bytes.extend_from_slice(&self.bytes);
        Some(SealedChunk { first, last, count: self.count, bytes: bytes.into() })
    }

    /// Seals the chunk and empties it; `None` if it is empty.
    pub(crate) fn seal(&mut self) -> Option<SealedChunk> {
        let sealed = self.snapshot();
        *self = OpenHistograms::default();
        sealed
    }

    /// Approximate heap size in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

impl SealedChunk {
    /// Encodes histograms in as few chunks as possible, each with at most `limit` samples.
    pub(crate) fn encode_histograms(samples: &[(i64, Arc<Histogram>)], limit: u32) -> Vec<Self> {
        let mut chunks = Vec::new();
        let mut open = OpenHistograms::default();
        for (time, histogram) in samples {
            if open.count >= limit || open.bytes.len() >= CHUNK_BYTES {
                chunks.extend(open.seal());
            }
            open.push(*time, histogram);
        }
        chunks.extend(open.seal());
        chunks
    }

    /// Whether it is a chunk of histograms.
    pub(crate) fn has_histograms(&self) -> bool {
        has_histograms(&self.bytes)
    }

    /// Appends the histograms of `start..=end`.
    pub(crate) fn decode_histograms(
        &self,
        start: i64,
        end: i64,
        column: &mut HistogramColumn,
    ) -> Result<(), DamagedChunk> {
        let mut cursor = Cursor::new(&self.bytes);
        let head = Head::read(&mut cursor).filter(|head| head.kind == VALUES_HISTOGRAM).ok_or(DamagedChunk)?;
        let from = column.len();
        let mut state = State { time: head.first, ..State::default() };
        for _ in 0..head.count {
            let Some((time, histogram)) = state.read(&mut cursor) else {
                column.truncate(from);
                return Err(DamagedChunk);
            };
            if time > end {
                break;
            }
            if time >= start {
                column.push((time, histogram));
            }
        }
        Ok(())
    }
}

/// Whether the bytes are a chunk of histograms.
pub(crate) fn has_histograms(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|flags| flags >> 1 == VALUES_HISTOGRAM)
}

#[cfg(test)]
mod tests;
