//! An immutable chunk: samples as two columns, each in the shortest encoding.

use std::sync::Arc;

use super::{DamagedChunk, decimal, times::TimeState, xor::XorState};
use crate::{
    bits::{BitReader, BitWriter},
    varint::{Cursor, put_signed, put_varint},
};

/// Values XORed with their predecessor.
const VALUES_XOR: u8 = 0;
/// Values as scaled integers.
const VALUES_DECIMAL: u8 = 1;
/// No columns, but a sequence of native histograms.
pub(super) const VALUES_HISTOGRAM: u8 = 2;
/// Maximum number of samples in a chunk; exceptions of a column have 16-bit indices.
const MAX_SAMPLES: usize = 1 << 16;

/// Samples as columns of equal length, with increasing times.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Columns {
    pub(crate) times: Vec<i64>,
    pub(crate) values: Vec<f64>,
}

impl Columns {
    /// Appends a sample.
    #[inline]
    pub(crate) fn push(&mut self, time: i64, value: f64) {
        self.times.push(time);
        self.values.push(value);
    }

    /// Samples in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.times.iter().copied().zip(self.values.iter().copied())
    }

    /// Drops the samples from index `from` on that are outside `start..=end`.
    pub(crate) fn clip(&mut self, from: usize, start: i64, end: i64) {
        let added = self.times.get(from..).unwrap_or_default();
        let before = added.partition_point(|time| *time < start);
        let until = added.partition_point(|time| *time <= end).max(before);
        self.times.truncate(from + until);
        self.values.truncate(from + until);
        if before > 0 {
            self.times.drain(from..from + before);
            self.values.drain(from..from + before);
        }
    }
}

/// Immutable samples, cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealedChunk {
    /// Time of the first sample.
    pub(crate) first: i64,
    /// Time of the last sample.
    pub(crate) last: i64,
    /// Number of samples.
    pub(crate) count: u32,
    /// The encoded chunk; it contains these three numbers too.
    pub(crate) bytes: Arc<[u8]>,
}

impl SealedChunk {
    /// Encodes columns of 1 to 65,536 samples; `None` for other lengths.
    pub(crate) fn encode(columns: &Columns) -> Option<Self> {
        let (first, last) = (*columns.times.first()?, *columns.times.last()?);
        if columns.times.len() > MAX_SAMPLES || columns.times.len() != columns.values.len() {
            return None;
        }
        let interval = regular_interval(&columns.times);
        let mut body = BitWriter::default();
        if interval.is_none() {
            let mut state = TimeState::new(first);
            columns.times.iter().skip(1).for_each(|time| state.write(&mut body, *time));
        }
        let mut with_decimals = body.clone();
        let xored = |mut body: BitWriter| {
            if let [first, rest @ ..] = columns.values.as_slice() {
                let mut state = XorState::start(&mut body, *first);
                rest.iter().for_each(|value| state.write(&mut body, *value));
            }
            body.to_bytes()
        };
        let (kind, body) = if decimal::write(&mut with_decimals, &columns.values) {
            let decimals = with_decimals.to_bytes();
            // Already short: trying the other encoding costs more than it can save.
            if decimals.len() * 2 <= columns.values.len() {
                (VALUES_DECIMAL, decimals)
            } else {
                let xors = xored(body);
                if xors.len() < decimals.len() { (VALUES_XOR, xors) } else { (VALUES_DECIMAL, decimals) }
            }
        } else {
            (VALUES_XOR, xored(body))
        };

        let mut bytes = Vec::with_capacity(body.len() + 20);
        Head { kind, regular: interval.is_some(), count: columns.times.len(), first, last }.put(&mut bytes);
        bytes.extend_from_slice(&body);
        Some(SealedChunk { first, last, count: u32::try_from(columns.times.len()).ok()?, bytes: bytes.into() })
    }

    /// A chunk from bytes that [`SealedChunk::encode`] made; parses only its head.
    pub(crate) fn from_bytes(bytes: Arc<[u8]>) -> Result<Self, DamagedChunk> {
        let (first, last, count) = Self::summary(&bytes)?;
        Ok(SealedChunk { first, last, count, bytes })
    }

    /// Times of the first and last sample and the number of samples of an encoded chunk.
    pub(crate) fn summary(bytes: &[u8]) -> Result<(i64, i64, u32), DamagedChunk> {
        let head = Head::read(&mut Cursor::new(bytes)).ok_or(DamagedChunk)?;
        Ok((head.first, head.last, u32::try_from(head.count).map_err(|_| DamagedChunk)?))
    }

    /// Appends the samples of `start..=end` to the columns.
    pub(crate) fn decode(&self, start: i64, end: i64, columns: &mut Columns) -> Result<(), DamagedChunk> {
        let from = columns.times.len();
        match decode(&self.bytes, columns) {
            Some(()) => {
                columns.clip(from, start, end);
                Ok(())
            }
            None => {
                columns.times.truncate(from);
                columns.values.truncate(from);
                Err(DamagedChunk)
            }
        }
    }
}

/// The header before the columns.
pub(super) struct Head {
    pub(super) kind: u8,
    pub(super) regular: bool,
    pub(super) count: usize,
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Head {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.push(self.kind << 1 | u8::from(self.regular));
        put_varint(out, u64::try_from(self.count).unwrap_or(u64::MAX));
        put_signed(out, self.first);
        put_signed(out, self.last.wrapping_sub(self.first));
    }

    pub(super) fn read(cursor: &mut Cursor) -> Option<Self> {
        let flags = cursor.byte()?;
        let count = usize::try_from(cursor.varint()?).ok()?;
        let first = cursor.signed()?;
        let last = first.wrapping_add(cursor.signed()?);
        (1..=MAX_SAMPLES).contains(&count).then_some(Head {
            kind: flags >> 1,
            regular: flags & 1 == 1,
            count,
            first,
            last,
        })
    }
}

/// The interval, if it is the same for all samples.
fn regular_interval(times: &[i64]) -> Option<i64> {
    let mut intervals = times.windows(2).map(|pair| match pair {
        [before, after] => after.wrapping_sub(*before),
        _ => 0,
    });
    let Some(first) = intervals.next() else { return Some(0) };
    // The decoder computes the interval from the whole span, so the span must not overflow.
    times.last()?.checked_sub(*times.first()?)?;
    intervals.all(|interval| interval == first).then_some(first)
}

fn decode(bytes: &[u8], columns: &mut Columns) -> Option<()> {
    let mut cursor = Cursor::new(bytes);
    let head = Head::read(&mut cursor)?;
    columns.times.reserve(head.count);
    columns.values.reserve(head.count);
    let mut bits = BitReader::new(cursor.rest());
    if head.regular {
        let steps = i64::try_from(head.count - 1).ok()?;
        let interval = if steps == 0 { 0 } else { head.last.wrapping_sub(head.first).wrapping_div(steps) };
        let mut time = head.first;
        for _ in 0..head.count {
            columns.times.push(time);
            time = time.wrapping_add(interval);
        }
    } else {
        let mut state = TimeState::new(head.first);
        columns.times.push(head.first);
        for _ in 1..head.count {
            columns.times.push(state.read(&mut bits)?);
        }
    }
    match head.kind {
        VALUES_DECIMAL => decimal::read(&mut bits, head.count, &mut columns.values),
        VALUES_XOR => {
            let mut state = XorState::start_read(&mut bits)?;
            columns.values.push(f64::from_bits(state.last));
            for _ in 1..head.count {
                columns.values.push(state.read(&mut bits)?);
            }
            Some(())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
