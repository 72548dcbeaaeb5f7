//! Reading and writing numbers of any bit width, most significant bit first.

/// Appends bits to a growing buffer.
#[derive(Debug, Clone, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits not yet written, in the low end; the bits above them are undefined.
    pending: u64,
    /// Number of pending bits; below 8 between calls.
    pending_len: u32,
}

impl BitWriter {
    /// Appends the low `width` bits of `value`; `width` is at most 64.
    pub(crate) fn write(&mut self, value: u64, width: u32) {
        if width > 32 {
            self.write(value >> 32, width - 32);
            self.write(value, 32);
            return;
        }
        let mask = (1_u64 << width) - 1;
        self.pending = (self.pending << width) | (value & mask);
        self.pending_len += width;
        while self.pending_len >= 8 {
            self.pending_len -= 8;
            self.bytes.push((self.pending >> self.pending_len).to_le_bytes()[0]);
        }
    }

    /// The bits so far, padded with zeros to whole bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes.len() + 1);
        bytes.extend_from_slice(&self.bytes);
        if self.pending_len > 0 {
            bytes.push((self.pending << (8 - self.pending_len)).to_le_bytes()[0]);
        }
        bytes
    }

    /// Removes all bits but retains the allocated buffer.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.pending = 0;
        self.pending_len = 0;
    }

    /// Bytes of heap held.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Reads bits from a buffer. Every read past the end is `None`, so damaged data is safe to read.
#[derive(Debug, Clone)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Position in bits.
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        BitReader { bytes, position: 0 }
    }

    /// The next `width` bits as a number; `width` is at most 64.
    #[inline]
    pub(crate) fn read(&mut self, width: u32) -> Option<u64> {
        if width > 56 {
            let high = self.read(width - 32)?;
            return Some((high << 32) | self.read(32)?);
        }
        if width == 0 {
            return Some(0);
        }
        let window = self.window()?;
        self.position += usize::try_from(width).ok()?;
        if self.position > self.bytes.len() * 8 {
            return None;
        }
        Some(window >> (64 - width))
    }

    /// The next bit.
    #[inline]
    pub(crate) fn read_bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.position / 8)?;
        let bit = (byte >> (7 - self.position % 8)) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    /// Counts ones up to the zero that ends them, or up to `limit` ones, after which there is no zero.
    #[inline]
    pub(crate) fn read_ones(&mut self, limit: u32) -> Option<u32> {
        let ones = self.window()?.leading_ones().min(limit);
        self.position += usize::try_from(if ones < limit { ones + 1 } else { ones }).ok()?;
        (self.position <= self.bytes.len() * 8).then_some(ones)
    }

    /// Counts ones like [`BitReader::read_ones`] and, unless there were `limit`, reads the next `width` bits, at most
    /// 32.
    #[inline]
    pub(crate) fn read_ones_then(&mut self, limit: u32, width: u32) -> Option<(u32, u64)> {
        let window = self.window()?;
        let ones = window.leading_ones().min(limit);
        if ones == limit {
            return Some((self.read_ones(limit)?, 0));
        }
        let used = ones + 1 + width;
        if used > 57 {
            return Some((self.read_ones(limit)?, self.read(width)?));
        }
        self.position += usize::try_from(used).ok()?;
        let rest = (window << (ones + 1)).checked_shr(64 - width).unwrap_or(0);
        (self.position <= self.bytes.len() * 8).then_some((ones, rest))
    }

    /// At least 57 bits from the position on, in the high end.
    #[inline]
    fn window(&self) -> Option<u64> {
        let rest = self.bytes.get(self.position / 8..)?;
        let word = match rest.first_chunk::<8>() {
            Some(chunk) => u64::from_be_bytes(*chunk),
            None => {
                let mut padded = [0_u8; 8];
                padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                u64::from_be_bytes(padded)
            }
        };
        Some(word << (self.position % 8))
    }
}

/// Reads the low `width` bits as a two's complement number.
#[inline]
pub(crate) fn sign_extend(value: u64, width: u32) -> i64 {
    let shift = 64 - width;
    (value << shift).cast_signed() >> shift
}

/// Signed to unsigned so that small magnitudes stay small.
#[inline]
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
#[inline]
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_of_any_width_come_back(numbers in prop::collection::vec((any::<u64>(), 1_u32..=64), 0..200)) {
            let mut writer = BitWriter::default();
            for (value, width) in &numbers {
                writer.write(*value, *width);
            }
            let bytes = writer.to_bytes();
            let mut reader = BitReader::new(&bytes);
            for (value, width) in &numbers {
                let kept = if *width == 64 { *value } else { value & ((1 << width) - 1) };
                prop_assert_eq!(reader.read(*width), Some(kept));
            }
        }

        #[test]
        fn zigzag_is_reversible(value in any::<i64>()) {
            prop_assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn reading_past_the_end_is_none() {
        let mut reader = BitReader::new(&[0xff]);
        assert_eq!(reader.read(9), None);
        assert_eq!(BitReader::new(&[0xff]).read_ones(20), None);
        assert_eq!(BitReader::new(&[]).read_bit(), None);
    }
}
