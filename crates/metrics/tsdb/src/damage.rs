//! Damage found on disk.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

/// A damaged part of a file. It was moved aside; the data around it is intact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file in which it was found.
    pub file: PathBuf,
    /// Offset of the first byte.
    pub offset: u64,
    /// Number of bytes.
    pub bytes: u64,
    /// Kind of damage.
    pub kind: DamageKind,
}

/// Kinds of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamageKind {
    /// The file ends in the middle of the last write, as after a crash or a power cut.
    TornEnd,
    /// A checksum does not match: bytes changed after they were written.
    Changed,
    /// The checksum matches, but the content refers to something that was lost.
    Orphaned,
    /// The file could not be read.
    Unreadable,
}

impl Damage {
    /// Damage in a part of a file.
    pub(crate) fn at(file: &Path, range: &Range<usize>, kind: DamageKind) -> Self {
        let number = |position: usize| u64::try_from(position).unwrap_or(u64::MAX);
        Damage { file: file.to_owned(), offset: number(range.start), bytes: number(range.len()), kind }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let kind = match self.kind {
            DamageKind::TornEnd => "torn end",
            DamageKind::Changed => "changed bytes",
            DamageKind::Orphaned => "content without its series",
            DamageKind::Unreadable => "unreadable",
        };
        write!(formatter, "{}: {kind}, {} bytes from byte {}", self.file.display(), self.bytes, self.offset)
    }
}
