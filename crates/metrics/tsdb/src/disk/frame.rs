//! The format of all files: frames with a checksum, which a reader can find again after damage.
//!
//! A frame is a magic byte, its kind, the length of its payload, a CRC-32 of all of these and of the payload, then the
//! payload. If a frame is invalid, the reader searches for the next valid one; the bytes in between are damage, and
//! everything else is used.

use std::ops::Range;

/// First byte of each frame; not ASCII and not a common filler.
const MARK: u8 = 0xc7;
/// Magic byte, kind, length, checksum.
pub(crate) const HEADER_BYTES: usize = 10;
/// Maximum size of a payload.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 16 * 1_024 * 1_024;

/// Kind of a frame's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Version of the format; first frame of a file.
    Header,
    /// Labels of a series, with its number in this file.
    Series,
    /// Samples of several series.
    Samples,
    /// A sealed chunk.
    Chunk,
    /// From here to the end, the file does not depend on earlier log files.
    Checkpoint,
    /// Unsealed samples of a series.
    Unsealed,
    /// Metadata of a metric family.
    Metadata,
    /// Native histograms of several series.
    Histograms,
    /// Unsealed native histograms of a series, and its last one.
    UnsealedHistograms,
}

impl Kind {
    const ALL: [Kind; 9] = [
        Kind::Header,
        Kind::Series,
        Kind::Samples,
        Kind::Chunk,
        Kind::Checkpoint,
        Kind::Unsealed,
        Kind::Metadata,
        Kind::Histograms,
        Kind::UnsealedHistograms,
    ];

    fn code(self) -> u8 {
        match self {
            Kind::Header => 1,
            Kind::Series => 2,
            Kind::Samples => 3,
            Kind::Chunk => 4,
            Kind::Checkpoint => 5,
            Kind::Unsealed => 6,
            Kind::Metadata => 7,
            Kind::Histograms => 8,
            Kind::UnsealedHistograms => 9,
        }
    }

    fn of(code: u8) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// Appends a frame; `write` appends its payload.
pub(crate) fn put_frame(out: &mut Vec<u8>, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    write(out);
    let (_, frame) = out.split_at_mut(start);
    let (header, payload) = frame.split_at_mut(HEADER_BYTES);
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    let checksum = checksum(kind.code(), length, payload).to_le_bytes();
    let fields = [MARK, kind.code()].into_iter().chain(length).chain(checksum);
    header.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
}

fn checksum(kind: u8, length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

/// The frame at the start of the bytes: its kind and payload.
pub(crate) fn frame_at(bytes: &[u8]) -> Option<(Kind, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let [mark, code, l0, l1, l2, l3, c0, c1, c2, c3] = *header;
    let length = [l0, l1, l2, l3];
    let payload_bytes = usize::try_from(u32::from_le_bytes(length)).ok()?;
    if mark != MARK || payload_bytes > MAX_PAYLOAD_BYTES {
        return None;
    }
    let kind = Kind::of(code)?;
    let payload = rest.get(..payload_bytes)?;
    (checksum(code, length, payload) == u32::from_le_bytes([c0, c1, c2, c3])).then_some((kind, payload))
}

/// An item of a scan.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A frame and its range, including the header.
    Frame { kind: Kind, payload: &'a [u8], range: Range<usize> },
    /// Bytes that are not a valid frame.
    Damage {
        range: Range<usize>,
        /// Whether they reach the end of the file.
        at_end: bool,
    },
}

/// Iterates over the frames of a file.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Scan { bytes, position: 0 }
    }

    fn holds(&self, position: usize) -> Option<(Kind, &'a [u8])> {
        frame_at(self.bytes.get(position..)?)
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let start = self.position;
        if start >= self.bytes.len() {
            return None;
        }
        if let Some((kind, payload)) = self.holds(start) {
            self.position = start + HEADER_BYTES + payload.len();
            return Some(Found::Frame { kind, payload, range: start..self.position });
        }
        let mut candidate = start + 1;
        loop {
            let rest = self.bytes.get(candidate..).unwrap_or_default();
            match rest.iter().position(|byte| *byte == MARK) {
                Some(distance) if self.holds(candidate + distance).is_some() => {
                    self.position = candidate + distance;
                    return Some(Found::Damage { range: start..self.position, at_end: false });
                }
                Some(distance) => candidate += distance + 1,
                None => {
                    self.position = self.bytes.len();
                    return Some(Found::Damage { range: start..self.position, at_end: true });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for payload in payloads {
            put_frame(&mut bytes, Kind::Samples, |out| out.extend_from_slice(payload));
        }
        bytes
    }

    fn payloads(bytes: &[u8]) -> (Vec<Vec<u8>>, usize) {
        let mut damaged = 0;
        let found = Scan::new(bytes)
            .filter_map(|found| match found {
                Found::Frame { payload, .. } => Some(payload.to_vec()),
                Found::Damage { range, .. } => {
                    damaged += range.len();
                    None
                }
            })
            .collect();
        (found, damaged)
    }

    proptest! {
        #[test]
        fn a_flipped_bit_costs_one_frame(
            written in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..20),
            position in any::<prop::sample::Index>(),
        ) {
            let mut bytes = file(&written);
            prop_assert_eq!(payloads(&bytes), (written.clone(), 0));
            let bit = position.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (found, damaged) = payloads(&bytes);
            prop_assert_eq!(found.len(), written.len() - 1);
            prop_assert!(damaged > 0);
            prop_assert!(found.iter().all(|payload| written.contains(payload)));
        }

        #[test]
        fn a_torn_end_costs_what_was_torn(
            written in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..20),
            keep in any::<prop::sample::Index>(),
        ) {
            let bytes = file(&written);
            let (found, _) = payloads(&bytes[..keep.index(bytes.len())]);
            prop_assert!(found.len() < written.len());
            prop_assert_eq!(&found[..], &written[..found.len()]);
        }

        #[test]
        fn rubbish_is_damage(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let (found, damaged) = payloads(&bytes);
            prop_assert!(found.is_empty());
            prop_assert_eq!(damaged, bytes.len());
        }
    }
}
