//! Encodes floats as XOR with their predecessor, writing only the bits that differ (Gorilla, section 4.1.2).

use crate::bits::{BitReader, BitWriter};

/// State after a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct XorState {
    pub(crate) last: u64,
    /// Leading zeros of the current window; the window is empty until the first change.
    leading: u32,
    /// Number of bits in the current window.
    significant: u32,
}

impl XorState {
    /// Writes the first value uncompressed.
    pub(crate) fn start(bits: &mut BitWriter, value: f64) -> Self {
        bits.write(value.to_bits(), 64);
        XorState { last: value.to_bits(), leading: 0, significant: 0 }
    }

    /// Reads the first value.
    pub(crate) fn start_read(bits: &mut BitReader) -> Option<Self> {
        Some(XorState { last: bits.read(64)?, leading: 0, significant: 0 })
    }

    /// Writes the next value.
    pub(crate) fn write(&mut self, bits: &mut BitWriter, value: f64) {
        let difference = self.last ^ value.to_bits();
        self.last = value.to_bits();
        if difference == 0 {
            bits.write(0, 1);
            return;
        }
        let leading = difference.leading_zeros().min(31);
        let trailing = difference.trailing_zeros();
        let window_trailing = 64 - self.leading - self.significant;
        if self.significant > 0 && leading >= self.leading && trailing >= window_trailing {
            bits.write(0b10, 2);
            bits.write(difference >> window_trailing, self.significant);
            return;
        }
        self.leading = leading;
        self.significant = 64 - leading - trailing;
        bits.write(0b11, 2);
        bits.write(u64::from(leading), 5);
        bits.write(u64::from(self.significant - 1), 6);
        bits.write(difference >> trailing, self.significant);
    }

    /// Reads the next value.
    #[inline]
    pub(crate) fn read(&mut self, bits: &mut BitReader) -> Option<f64> {
        match bits.read_ones(2)? {
            0 => {}
            ones => {
                if ones == 2 {
                    let header = bits.read(11)?;
                    self.leading = u32::try_from(header >> 6).ok()?;
                    self.significant = u32::try_from(header & 0x3f).ok()? + 1;
                }
                let trailing = 64_u32.checked_sub(self.leading + self.significant)?;
                self.last ^= bits.read(self.significant)?.checked_shl(trailing)?;
            }
        }
        Some(f64::from_bits(self.last))
    }
}
