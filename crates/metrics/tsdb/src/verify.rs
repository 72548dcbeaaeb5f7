//! Checks a directory without opening it.

use std::{
    collections::{HashMap, HashSet},
    fs,
    ops::Range,
    path::Path,
};

use labels::Labels;

use crate::{
    chunk::{Columns, HistogramColumn, SealedChunk},
    damage::{Damage, DamageKind},
    disk::{
        directory::{is_locked, numbered, read_format},
        frame::{Found, Kind, Scan},
        record::{
            SeriesRecord, header_version, read_chunk, read_histograms, read_samples, read_series, read_unsealed,
            read_unsealed_histograms,
        },
    },
    error::{FileError, OnFile, OpenError},
    metadata,
    postings::SeriesId,
};

/// Result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Whether a process has the directory open; its current write may then look torn.
    pub in_use: bool,
    /// Number of files.
    pub files: usize,
    /// Number of bytes.
    pub bytes: u64,
    /// Number of distinct series.
    pub series: usize,
    /// Number of sealed chunks, all of which were decoded.
    pub chunks: u64,
    /// Number of samples in chunks.
    pub chunk_samples: u64,
    /// Number of samples in the log; some may be in chunks too.
    pub log_samples: u64,
    /// Time of the oldest sample in a chunk, in milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
    /// Time of the latest sample in a chunk.
    pub newest_ms: Option<i64>,
    /// Number of damaged files that earlier starts have moved aside.
    pub set_aside: usize,
    /// Damage found.
    pub damage: Vec<Damage>,
}

/// Reads and checks everything in a directory; changes nothing, and needs no lock.
///
/// # Errors
///
/// The directory does not exist, was written by a later version, or is unreadable.
pub fn verify(directory: &Path) -> Result<Verification, OpenError> {
    fs::read_dir(directory).on_file("read", directory)?;
    read_format(directory)?;
    let mut check = Check::default();
    check.found.in_use = is_locked(directory)?;
    for (folder, extension) in [("log", "log"), ("chunks", "chunks")] {
        for (_, path) in list(&directory.join(folder), extension)? {
            check.file(&path);
        }
    }
    check.found.set_aside = list(&directory.join("damaged"), "")?.len();
    check.found.series = check.series.len();
    Ok(check.found)
}

/// The files of a folder; empty if it does not exist.
fn list(folder: &Path, extension: &str) -> Result<Vec<(u64, std::path::PathBuf)>, FileError> {
    if folder.exists() { numbered(folder, extension) } else { Ok(Vec::new()) }
}

#[derive(Default)]
struct Check {
    found: Verification,
    series: HashSet<Labels>,
}

impl Check {
    fn file(&mut self, path: &Path) {
        let content = match fs::read(path) {
            Ok(content) => content,
            // Compacted or replaced meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(_) => return self.report(path, &(0..0), DamageKind::Unreadable),
        };
        self.found.files += 1;
        self.found.bytes += u64::try_from(content.len()).unwrap_or(0);
        let mut numbers = HashMap::new();
        for found in Scan::new(&content) {
            match found {
                Found::Frame { kind, payload, range } => {
                    if self.frame(&mut numbers, kind, payload).is_none() {
                        self.report(path, &range, DamageKind::Orphaned);
                    }
                }
                Found::Damage { range, at_end } => {
                    let kind = if at_end { DamageKind::TornEnd } else { DamageKind::Changed };
                    self.report(path, &range, kind);
                }
            }
        }
    }

    /// Checks a frame; `None` if it is invalid.
    fn frame(&mut self, numbers: &mut HashMap<SeriesId, Labels>, kind: Kind, payload: &[u8]) -> Option<()> {
        match kind {
            Kind::Checkpoint => {}
            Kind::Header => drop(header_version(payload)?),
            Kind::Metadata => drop(metadata::decode(payload)?),
            Kind::Series => {
                let SeriesRecord { id, labels, .. } = read_series(payload)?;
                self.series.insert(labels.clone());
                numbers.insert(id, labels);
            }
            Kind::Samples => {
                let entries = read_samples(payload)?;
                self.found.log_samples += u64::try_from(entries.len()).unwrap_or(0);
                entries.iter().all(|entry| numbers.contains_key(&entry.id)).then_some(())?;
            }
            Kind::Unsealed => {
                let (number, open, late) = read_unsealed(payload)?;
                self.found.log_samples += u64::try_from(open.times.len() + late.times.len()).unwrap_or(0);
                numbers.get(&number)?;
            }
            Kind::Histograms => {
                let entries = read_histograms(payload)?;
                self.found.log_samples += u64::try_from(entries.len()).unwrap_or(0);
                entries.iter().all(|entry| numbers.contains_key(&entry.id)).then_some(())?;
            }
            Kind::UnsealedHistograms => {
                let found = read_unsealed_histograms(payload)?;
                self.found.log_samples += u64::try_from(found.open.len() + found.late.len()).unwrap_or(0);
                numbers.get(&found.id)?;
            }
            Kind::Chunk => {
                let (number, bytes) = read_chunk(payload)?;
                numbers.get(&number)?;
                let chunk = SealedChunk::from_bytes(bytes.into()).ok()?;
                if chunk.has_histograms() {
                    chunk.decode_histograms(i64::MIN, i64::MAX, &mut HistogramColumn::new()).ok()?;
                } else {
                    chunk.decode(i64::MIN, i64::MAX, &mut Columns::default()).ok()?;
                }
                let found = &mut self.found;
                found.chunks += 1;
                found.chunk_samples += u64::from(chunk.count);
                found.oldest_ms = Some(found.oldest_ms.map_or(chunk.first, |oldest| oldest.min(chunk.first)));
                found.newest_ms = found.newest_ms.max(Some(chunk.last));
            }
        }
        Some(())
    }

    fn report(&mut self, path: &Path, range: &Range<usize>, kind: DamageKind) {
        self.found.damage.push(Damage::at(path, range, kind));
    }
}
