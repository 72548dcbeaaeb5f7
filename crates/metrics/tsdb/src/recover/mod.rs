//! Opens a data directory: replays the log, indexes the chunks, and moves damaged files aside.

mod chunk_files;

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    damage::{Damage, DamageKind},
    disk::{
        Directory, FileNumber,
        directory::numbered,
        frame::{Found, Kind, Scan},
        record::{
            FORMAT_VERSION, SeriesRecord, header_out_of_order, header_version, read_histograms, read_samples,
            read_series, read_unsealed, read_unsealed_histograms,
        },
    },
    error::{FileError, OnFile, OpenError},
    head::{Entry, Head, HistogramEntry, Part},
    ingest::Tally,
    metadata,
    options::{StoreOptions, millis},
    postings::SeriesId,
};

/// Bytes of a file that contain its header and show whether it starts with a checkpoint.
const BEGINNING_BYTES: u64 = 4_096;

/// Results of recovery besides the data.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// All damage found.
    pub(crate) damage: Vec<Damage>,
    /// Damaged log files; to be moved aside once a checkpoint has replaced them.
    pub(crate) damaged_logs: Vec<PathBuf>,
    /// Number of the next chunk file.
    pub(crate) next_file: Option<FileNumber>,
}

/// Fills an empty head from the files of a directory.
pub(crate) fn recover(directory: &Directory, head: &mut Head, options: &StoreOptions) -> Result<Recovered, OpenError> {
    let mut recovery = Recovery { directory, head, options, result: Recovered::default() };
    recovery.replay_logs()?;
    recovery.index_chunks()?;
    recovery.complete_newest();
    // Rejections during replay were counted when the samples first arrived.
    (recovery.head.too_old, recovery.head.duplicates) = (0, 0);
    for damage in &recovery.result.damage {
        tracing::warn!(%damage, "damaged data was set aside");
    }
    Ok(recovery.result)
}

/// Series numbers of one file; `None` for a series without a number, because there are too many.
type Numbers = HashMap<SeriesId, Option<SeriesId>>;

struct Recovery<'a> {
    directory: &'a Directory,
    head: &'a mut Head,
    options: &'a StoreOptions,
    result: Recovered,
}

impl Recovery<'_> {
    fn replay_logs(&mut self) -> Result<(), OpenError> {
        let mut logs: Vec<PathBuf> =
            numbered(&self.directory.log(), "log")?.into_iter().map(|(_, path)| path).collect();
        if let Some(start) = logs.iter().rposition(|path| begins_with_checkpoint(path)) {
            for outdated in logs.drain(..start) {
                fs::remove_file(&outdated).on_file("remove", &outdated)?;
            }
        }
        for path in logs {
            let known = self.result.damage.len();
            if let Some(content) = self.content(&path) {
                self.replay(&path, &content)?;
            }
            if self.result.damage.len() > known {
                self.result.damaged_logs.push(path);
            }
        }
        Ok(())
    }

    /// Replays a log file.
    fn replay(&mut self, path: &Path, content: &[u8]) -> Result<(), OpenError> {
        let mut numbers = Numbers::new();
        let mut out_of_order = millis(self.options.out_of_order);
        for found in Scan::new(content) {
            let Some((kind, payload, range)) = self.sound(path, found) else { continue };
            let understood = match kind {
                Kind::Header => {
                    out_of_order = header_out_of_order(payload).unwrap_or(out_of_order);
                    self.check_version(payload)?
                }
                Kind::Checkpoint => true,
                Kind::Series => self.define(&mut numbers, payload),
                Kind::Metadata => match metadata::decode(payload) {
                    Some((family, about)) => {
                        self.head.metadata.insert(family, about);
                        true
                    }
                    None => false,
                },
                Kind::Samples => self.replay_samples(&numbers, payload, out_of_order),
                Kind::Unsealed => self.replay_unsealed(&numbers, payload),
                Kind::Histograms => self.replay_histograms(&numbers, payload, out_of_order),
                Kind::UnsealedHistograms => self.replay_unsealed_histograms(&numbers, payload),
                Kind::Chunk => false,
            };
            if !understood {
                self.report(path, &range, DamageKind::Orphaned);
            }
        }
        Ok(())
    }

    /// Adds a series; `false` if the record is invalid.
    fn define(&mut self, numbers: &mut Numbers, payload: &[u8]) -> bool {
        let Some(SeriesRecord { id: number, labels, newest }) = read_series(payload) else { return false };
        // The limit applies to new series only: no stored series is dropped.
        let id = self.head.add_series(&labels, usize::MAX);
        numbers.insert(number, id);
        if let Some(series) = id.and_then(|id| self.head.series_mut(id)) {
            // Decides which of the following samples are late, as when they first arrived.
            series.newest = series.newest.or(newest);
        }
        true
    }

    /// Adds samples; `false` if some belong to an unknown series.
    fn replay_samples(&mut self, numbers: &Numbers, payload: &[u8], out_of_order: i64) -> bool {
        let Some(entries) = read_samples(payload) else { return false };
        let known: Vec<Entry> =
            entries.iter().filter_map(|entry| Some(Entry { id: (*numbers.get(&entry.id)?)?, ..*entry })).collect();
        self.replay_part(Part::Floats(&known), out_of_order);
        entries.iter().all(|entry| numbers.contains_key(&entry.id))
    }

    /// Adds histograms; `false` if some belong to an unknown series.
    fn replay_histograms(&mut self, numbers: &Numbers, payload: &[u8], out_of_order: i64) -> bool {
        let Some(entries) = read_histograms(payload) else { return false };
        let count = entries.len();
        let belongs = |entry: &HistogramEntry| numbers.contains_key(&entry.id);
        let orphaned = count - entries.iter().filter(|entry| belongs(entry)).count();
        let known: Vec<HistogramEntry> = entries
            .into_iter()
            .filter_map(|entry| Some(HistogramEntry { id: (*numbers.get(&entry.id)?)?, ..entry }))
            .collect();
        self.replay_part(Part::Histograms(&known), out_of_order);
        orphaned == 0
    }

    /// Appends samples again. The chunks on disk are not known yet; readers remove duplicates.
    fn replay_part(&mut self, mut part: Part, out_of_order: i64) {
        let mut looked_up = false;
        let mut tally = Tally::default();
        while let Some(stopped) = self.head.apply(part, out_of_order, &mut tally, looked_up) {
            part = part.behind(stopped.position);
            looked_up = true;
        }
    }

    /// Restores the last histogram of a series, and its unsealed ones.
    fn replay_unsealed_histograms(&mut self, numbers: &Numbers, payload: &[u8]) -> bool {
        let Some(found) = read_unsealed_histograms(payload) else { return false };
        let Some(id) = numbers.get(&found.id) else { return false };
        let Some(series) = id.and_then(|id| self.head.series_mut(id)) else { return true };
        let histograms = series.histograms.get_or_insert_default();
        // Decides which of the following samples are late, as when they first arrived.
        histograms.newest = histograms.newest.take().or(found.newest);
        found.open.iter().for_each(|(time, histogram)| histograms.open.push(*time, histogram));
        if let Some((time, histogram)) = found.open.last() {
            histograms.newest = Some((*time, Arc::clone(histogram)));
        }
        histograms.late.extend(found.late);
        let unsealed = histograms.spans().map(|(_, last)| last).max();
        self.head.newest = self.head.newest.max(unsealed);
        true
    }

    /// Restores the unsealed samples of a series.
    fn replay_unsealed(&mut self, numbers: &Numbers, payload: &[u8]) -> bool {
        let Some((number, open, late)) = read_unsealed(payload) else { return false };
        let Some(id) = numbers.get(&number) else { return false };
        let Some(series) = id.and_then(|id| self.head.series_mut(id)) else { return true };
        for (time, value) in open.iter() {
            series.open.push(time, value);
            series.newest = Some((time, value));
        }
        series.late = late.iter().collect();
        let newest = series.newest.map(|(time, _)| time).max(late.times.last().copied());
        self.head.newest = self.head.newest.max(newest);
        true
    }

    /// The content of a file; `None` after reporting that it is unreadable.
    fn content(&mut self, path: &Path) -> Option<Vec<u8>> {
        match fs::read(path) {
            Ok(content) => Some(content),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot read a data file");
                self.report(path, &(0..0), DamageKind::Unreadable);
                None
            }
        }
    }

    /// `false` if the header is invalid; an error if its version is newer than ours.
    fn check_version(&self, header: &[u8]) -> Result<bool, OpenError> {
        match header_version(header) {
            Some(found) if found > FORMAT_VERSION => {
                Err(OpenError::NewerFormat { path: self.directory.root().to_owned(), found, supported: FORMAT_VERSION })
            }
            found => Ok(found.is_some()),
        }
    }

    /// A valid frame; otherwise reports the damage and returns `None`.
    fn sound<'a>(&mut self, path: &Path, found: Found<'a>) -> Option<(Kind, &'a [u8], Range<usize>)> {
        match found {
            Found::Frame { kind, payload, range } => Some((kind, payload, range)),
            Found::Damage { range, at_end } => {
                let kind = if at_end { DamageKind::TornEnd } else { DamageKind::Changed };
                self.report(path, &range, kind);
                None
            }
        }
    }

    fn report(&mut self, path: &Path, range: &Range<usize>, kind: DamageKind) {
        self.result.damage.push(Damage::at(path, range, kind));
    }
}

/// Whether a log file does not depend on earlier ones. An unreadable file does.
fn begins_with_checkpoint(path: &Path) -> bool {
    Scan::new(&beginning(path)).any(|found| matches!(found, Found::Frame { kind: Kind::Checkpoint, .. }))
}

/// The first bytes of a file; empty if it is unreadable, which reading all of it will report.
fn beginning(path: &Path) -> Vec<u8> {
    let mut beginning = Vec::new();
    match File::open(path).and_then(|file| file.take(BEGINNING_BYTES).read_to_end(&mut beginning)) {
        Ok(_) => beginning,
        Err(_) => Vec::new(),
    }
}

/// Moves log files aside that a checkpoint replaces. Call it before the checkpoint removes them.
pub(crate) fn set_logs_aside(directory: &Directory, logs: &[PathBuf]) -> Result<(), FileError> {
    logs.iter().try_for_each(|path| directory.set_aside(path))
}
