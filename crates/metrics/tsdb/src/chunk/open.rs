//! The chunk of a series to which samples are still appended.

use super::{
    DamagedChunk,
    sealed::{Columns, SealedChunk},
    times::TimeState,
    xor::XorState,
};
use crate::bits::{BitReader, BitWriter};

/// An open chunk: timestamps and values interleaved, each compressed against its predecessor.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenChunk {
    bits: BitWriter,
    count: u32,
    first: i64,
    state: Option<(TimeState, XorState)>,
}

impl OpenChunk {
    /// Number of samples.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Times of the first and last sample; `None` if it is empty.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        self.state.as_ref().map(|(times, _)| (self.first, times.last))
    }

    /// Appends a sample, which must be later than the last one.
    pub(crate) fn push(&mut self, time: i64, value: f64) {
        match &mut self.state {
            Some((times, values)) => {
                times.write(&mut self.bits, time);
                values.write(&mut self.bits, value);
            }
            None => {
                self.first = time;
                self.state = Some((TimeState::new(time), XorState::start(&mut self.bits, value)));
            }
        }
        self.count += 1;
    }

    /// A frozen copy for a reader.
    pub(crate) fn snapshot(&self) -> OpenSnapshot {
        OpenSnapshot { bytes: self.bits.to_bytes(), count: self.count, first: self.first }
    }

    /// Seals the chunk and empties it; `None` if it is empty.
    pub(crate) fn seal(&mut self) -> Option<SealedChunk> {
        let mut columns = Columns::default();
        // We can decode what we encoded. If there were a bug, the samples decoded before it would still be right.
        let _ = self.snapshot().decode(&mut columns);
        self.bits.clear();
        self.count = 0;
        self.state = None;
        SealedChunk::encode(&columns)
    }

    /// Frees memory reserved for further samples, if the chunk is empty.
    pub(crate) fn shrink(&mut self) {
        if self.count == 0 {
            self.bits = BitWriter::default();
        }
    }

    /// Heap size in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bits.heap_bytes()
    }
}

/// A copy of an open chunk at one moment.
#[derive(Debug, Clone)]
pub(crate) struct OpenSnapshot {
    bytes: Vec<u8>,
    count: u32,
    first: i64,
}

impl OpenSnapshot {
    /// Appends all samples to the columns.
    pub(crate) fn decode(&self, columns: &mut Columns) -> Result<(), DamagedChunk> {
        if self.count == 0 {
            return Ok(());
        }
        let mut bits = BitReader::new(&self.bytes);
        let mut times = TimeState::new(self.first);
        let mut values = XorState::start_read(&mut bits).ok_or(DamagedChunk)?;
        columns.push(self.first, f64::from_bits(values.last));
        for _ in 1..self.count {
            let time = times.read(&mut bits).ok_or(DamagedChunk)?;
            columns.push(time, values.read(&mut bits).ok_or(DamagedChunk)?);
        }
        Ok(())
    }
}
