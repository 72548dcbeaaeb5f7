//! The chunk of a series that still grows.

use super::{
    DamagedChunk,
    sealed::{Columns, SealedChunk},
    times::TimeState,
    xor::XorState,
};
use crate::bits::{BitReader, BitWriter};

/// A growing chunk: timestamps and values interleaved, each compressed against its predecessor.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenChunk {
    bits: BitWriter,
    count: u32,
    first: i64,
    state: Option<(TimeState, XorState)>,
}

impl OpenChunk {
    /// Samples in it.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Time of the first and of the last sample; `None` if there is none.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        self.state.as_ref().map(|(times, _)| (self.first, times.last))
    }

    /// Adds a sample, which must be later than the last one.
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

    /// Empties the chunk into a sealed one; `None` if there is no sample.
    pub(crate) fn seal(&mut self) -> Option<SealedChunk> {
        let mut columns = Columns::default();
        // What this type wrote it can read; were it not so, what was read until there is still right.
        let _ = self.snapshot().decode(&mut columns);
        self.bits.clear();
        self.count = 0;
        self.state = None;
        SealedChunk::encode(&columns)
    }

    /// Gives back memory that is held for further samples. For a chunk without any.
    pub(crate) fn shrink(&mut self) {
        if self.count == 0 {
            self.bits = BitWriter::default();
        }
    }

    /// Bytes of heap held.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bits.heap_bytes()
    }
}

/// An open chunk as it was at one moment.
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
