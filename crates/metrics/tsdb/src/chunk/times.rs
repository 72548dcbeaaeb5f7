//! Encodes timestamps as differences of differences: a steady interval needs one bit, a few milliseconds of jitter
//! about a byte.

use crate::bits::{BitReader, BitWriter, sign_extend};

/// State after a timestamp; the next one is predicted `interval` later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeState {
    pub(crate) last: i64,
    interval: i64,
}

impl TimeState {
    /// After the first timestamp.
    pub(crate) fn new(first: i64) -> Self {
        TimeState { last: first, interval: 0 }
    }

    /// Writes the next timestamp. Differences wrap around, so any two timestamps are allowed.
    pub(crate) fn write(&mut self, bits: &mut BitWriter, time: i64) {
        let interval = time.wrapping_sub(self.last);
        let change = interval.wrapping_sub(self.interval);
        match change {
            0 => bits.write(0, 1),
            -64..=63 => {
                bits.write(0b10, 2);
                bits.write(change.cast_unsigned(), 7);
            }
            -2048..=2047 => {
                bits.write(0b110, 3);
                bits.write(change.cast_unsigned(), 12);
            }
            -524_288..=524_287 => {
                bits.write(0b1110, 4);
                bits.write(change.cast_unsigned(), 20);
            }
            _ => {
                bits.write(0b1111, 4);
                bits.write(change.cast_unsigned(), 64);
            }
        }
        *self = TimeState { last: time, interval };
    }

    /// Reads the next timestamp.
    #[inline]
    pub(crate) fn read(&mut self, bits: &mut BitReader) -> Option<i64> {
        let width = match bits.read_ones(4)? {
            0 => 0,
            1 => 7,
            2 => 12,
            3 => 20,
            _ => 64,
        };
        if width > 0 {
            let change = sign_extend(bits.read(width)?, width);
            self.interval = self.interval.wrapping_add(change);
        }
        self.last = self.last.wrapping_add(self.interval);
        Some(self.last)
    }
}
