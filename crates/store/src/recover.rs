//! Starting from the files: replaying the log, indexing the chunks, and setting aside what is damaged.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    io::Read,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    chunk::{Columns, HistogramColumn, SealedChunk, has_histograms},
    damage::{Damage, DamageKind},
    disk::{
        ChunkFile, ChunkPlace, Directory, FileNumber,
        directory::{numbered, replace},
        frame::{Found, Kind, Scan, frame_at},
        record::{
            FORMAT_VERSION, SeriesRecord, header_out_of_order, header_replaces, header_version, read_chunk,
            read_histograms, read_samples, read_series, read_unsealed, read_unsealed_histograms,
        },
    },
    error::{FileError, OnFile, OpenError},
    head::{Entry, Head, HistogramEntry, Part},
    ingest::Tally,
    metadata,
    options::{StoreOptions, millis},
    postings::SeriesId,
    read::load,
    series::Run,
};

/// Bytes of a file that hold its header and tell whether it begins with a checkpoint.
const BEGINNING_BYTES: u64 = 4_096;

/// What was found beside the content.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// Everything that is damaged.
    pub(crate) damage: Vec<Damage>,
    /// Log files with damage; to be set aside once a checkpoint has replaced them.
    pub(crate) damaged_logs: Vec<PathBuf>,
    /// Number of the first file of chunks to be written.
    pub(crate) next_file: Option<FileNumber>,
}

/// Fills an empty head from the files of a directory.
pub(crate) fn recover(directory: &Directory, head: &mut Head, options: &StoreOptions) -> Result<Recovered, OpenError> {
    let mut recovery = Recovery { directory, head, options, result: Recovered::default() };
    recovery.replay_logs()?;
    recovery.index_chunks()?;
    recovery.complete_newest();
    // What was refused when it came was told then.
    (recovery.head.too_old, recovery.head.duplicates) = (0, 0);
    for damage in &recovery.result.damage {
        tracing::warn!(%damage, "damaged data was set aside");
    }
    Ok(recovery.result)
}

/// Series numbers of one file; `None` for a series beyond the limit.
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

    /// Does again what a log file says was done.
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

    /// Learns a series; `false` if the record makes no sense.
    fn define(&mut self, numbers: &mut Numbers, payload: &[u8]) -> bool {
        let Some(SeriesRecord { id: number, labels, newest }) = read_series(payload) else { return false };
        let id = self.head.add_series(&labels, self.options.max_series);
        numbers.insert(number, id);
        if let Some(series) = id.and_then(|id| self.head.series_mut(id)) {
            // Decides which of the following samples are late, as it did when they came.
            series.newest = series.newest.or(newest);
        }
        true
    }

    /// Adds samples; `false` if some belong to an unknown series.
    fn replay_samples(&mut self, numbers: &Numbers, payload: &[u8], out_of_order: i64) -> bool {
        let Some(entries) = read_samples(payload) else { return false };
        let known: Vec<Entry> =
            entries.iter().filter_map(|entry| Some(Entry { id: (*numbers.get(&entry.id)?)?, ..*entry })).collect();
        self.head.apply(Part::Floats(&known), out_of_order, &mut Tally::default());
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
        self.head.apply(Part::Histograms(&known), out_of_order, &mut Tally::default());
        orphaned == 0
    }

    /// Restores the newest histogram of a series, and its unsealed ones.
    fn replay_unsealed_histograms(&mut self, numbers: &Numbers, payload: &[u8]) -> bool {
        let Some(found) = read_unsealed_histograms(payload) else { return false };
        let Some(id) = numbers.get(&found.id) else { return false };
        let Some(series) = id.and_then(|id| self.head.series_mut(id)) else { return true };
        let histograms = series.histograms.get_or_insert_default();
        // Decides which of the following samples are late, as it did when they came.
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

    fn index_chunks(&mut self) -> Result<(), OpenError> {
        let mut files = numbered(&self.directory.chunks(), "chunks")?;
        let last = files.last().and_then(|(last, _)| u32::try_from(*last).ok()).unwrap_or(0);
        self.result.next_file = FileNumber::new(last.saturating_add(1));
        let replaced: BTreeSet<u64> =
            files.iter().flat_map(|(_, path)| replaced_by(path)).map(|number| u64::from(number.get())).collect();
        for (_, outdated) in files.iter().filter(|(number, _)| replaced.contains(number)) {
            fs::remove_file(outdated).on_file("remove", outdated)?;
        }
        files.retain(|(number, _)| !replaced.contains(number));
        // The newest first, so that it is known early which chunks are young.
        files.reverse();
        for (number, path) in files {
            let Some(number) = u32::try_from(number).ok().and_then(FileNumber::new) else { continue };
            if let Some(content) = self.content(&path) {
                self.index_file(number, &path, &content)?;
            }
        }
        let cutoff = self.young_since();
        self.head.release_before(cutoff);
        for (_, series) in self.head.iter_mut() {
            series.runs.sort_by_key(|run| run.first);
            series.runs.shrink_to_fit();
        }
        Ok(())
    }

    /// Chunks that end before this are not held in memory.
    fn young_since(&self) -> i64 {
        self.head.newest.map_or(i64::MIN, |newest| newest.saturating_sub(millis(self.options.head_window)))
    }

    /// Adds the chunks of a file. A damaged file is replaced by one of what is good in it.
    fn index_file(&mut self, number: FileNumber, path: &Path, content: &[u8]) -> Result<(), OpenError> {
        let known = self.result.damage.len();
        let mut numbers = Numbers::new();
        let mut found = Vec::new();
        let mut good = Vec::new();
        let mut good_bytes = 0;
        let mut compacted = false;
        for part in Scan::new(content) {
            let Some((kind, payload, range)) = self.sound(path, part) else { continue };
            let understood = match kind {
                Kind::Header => {
                    compacted = header_replaces(payload).is_some_and(|replaces| !replaces.is_empty());
                    self.check_version(payload)?
                }
                Kind::Series => self.define(&mut numbers, payload),
                Kind::Chunk => {
                    let chunk = FoundChunk::read(&numbers, payload, range.clone(), good_bytes);
                    let understood = chunk.is_some();
                    found.extend(chunk);
                    understood
                }
                _ => false,
            };
            if understood {
                good_bytes += range.len();
                good.push(range);
            } else {
                self.report(path, &range, DamageKind::Orphaned);
            }
        }
        let damaged = self.result.damage.len() > known;
        let cleaned = damaged && self.keep_good_part(path, content, &good);
        let file = Arc::new(File::open(path).on_file("read", path)?);
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        for chunk in found {
            (first, last) = (first.min(chunk.first), last.max(chunk.last));
            let offset = if cleaned { chunk.clean_offset } else { chunk.frame.start };
            if let (Ok(offset), Ok(bytes)) = (u32::try_from(offset), u32::try_from(chunk.frame.len())) {
                self.add_run(&chunk, ChunkPlace { file: number, offset, bytes });
            }
        }
        let bytes = if cleaned { good_bytes } else { content.len() };
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let file = ChunkFile { path: path.to_owned(), file, bytes, first, last, compacted };
        Arc::make_mut(&mut self.head.files).insert(number, Arc::new(file));
        Ok(())
    }

    /// Sets a damaged file aside and puts what is good of it in its place; `false` if that did not work.
    fn keep_good_part(&self, path: &Path, content: &[u8], good: &[Range<usize>]) -> bool {
        let clean: Vec<u8> = good.iter().filter_map(|range| content.get(range.clone())).flatten().copied().collect();
        match self.directory.set_aside(path).and_then(|()| replace(path, &clean)) {
            Ok(_) => true,
            Err(error) => {
                // What is good in it can be read where it is; the next start tries again.
                tracing::warn!(%error, "cannot set a damaged file aside");
                false
            }
        }
    }

    /// Adds a chunk on disk, or notes that one which the replay of the log has sealed again is there already.
    fn add_run(&mut self, chunk: &FoundChunk, place: ChunkPlace) {
        let young = self.young_since();
        let Some(series) = chunk.id.and_then(|id| self.head.series_mut(id)) else { return };
        if has_histograms(chunk.bytes) {
            series.histograms.get_or_insert_default();
        }
        let same = |run: &&mut Run| {
            run.place.is_none() && (run.first, run.last, run.count) == (chunk.first, chunk.last, chunk.count)
        };
        match series.runs.iter_mut().find(same) {
            Some(run) => run.place = Some(place),
            None => {
                let bytes = (chunk.last >= young).then(|| chunk.bytes.into());
                let &FoundChunk { first, last, count, .. } = chunk;
                series.runs.push(Run { first, last, count, bytes, place: Some(place) });
                self.head.newest = self.head.newest.max(Some(last));
            }
        }
    }

    /// Finds the newest sample of series whose newest is in a sealed chunk.
    fn complete_newest(&mut self) {
        let files = self.head.files.clone();
        for (_, series) in self.head.iter_mut() {
            let Some(run) = series.runs.iter().max_by_key(|run| run.last) else { continue };
            if series.newest_time().is_some_and(|newest| newest >= run.last) {
                continue;
            }
            let last = run.last;
            let chunk = load(run, &files).ok().and_then(|bytes| SealedChunk::from_bytes(bytes).ok());
            let (mut floats, mut histograms) = (Columns::default(), HistogramColumn::new());
            // If the value is lost, only whether a repeated sample is a duplicate cannot be told.
            let _ = chunk.map(|chunk| {
                if chunk.has_histograms() {
                    chunk.decode_histograms(last, last, &mut histograms)
                } else {
                    chunk.decode(last, last, &mut floats)
                }
            });
            match histograms.pop() {
                Some(newest) => series.histograms.get_or_insert_default().newest = Some(newest),
                None => series.newest = Some((last, floats.values.last().copied().unwrap_or(f64::NAN))),
            }
        }
    }

    /// The content of a file; `None` after reporting that it cannot be read.
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

    /// `false` if the header makes no sense; an error if it tells a later version.
    fn check_version(&self, header: &[u8]) -> Result<bool, OpenError> {
        match header_version(header) {
            Some(found) if found > FORMAT_VERSION => {
                Err(OpenError::NewerFormat { path: self.directory.root().to_owned(), found, supported: FORMAT_VERSION })
            }
            found => Ok(found.is_some()),
        }
    }

    /// A frame as it is; damage is reported, and there is nothing.
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

/// A chunk found in a file.
struct FoundChunk<'a> {
    /// `None` for a series beyond the limit.
    id: Option<SeriesId>,
    first: i64,
    last: i64,
    count: u32,
    bytes: &'a [u8],
    frame: Range<usize>,
    /// Where the frame begins once what is damaged before it is cut out.
    clean_offset: usize,
}

impl<'a> FoundChunk<'a> {
    fn read(numbers: &Numbers, payload: &'a [u8], frame: Range<usize>, clean_offset: usize) -> Option<Self> {
        let (number, bytes) = read_chunk(payload)?;
        let id = *numbers.get(&number)?;
        let (first, last, count) = SealedChunk::summary(bytes).ok()?;
        Some(FoundChunk { id, first, last, count, bytes, frame, clean_offset })
    }
}

/// Whether a log file stands on its own. One that cannot be read does not.
fn begins_with_checkpoint(path: &Path) -> bool {
    Scan::new(&beginning(path)).any(|found| matches!(found, Found::Frame { kind: Kind::Checkpoint, .. }))
}

/// The files that a file of chunks takes the place of; none if it cannot be read.
fn replaced_by(path: &Path) -> Vec<FileNumber> {
    let beginning = beginning(path);
    match frame_at(&beginning) {
        Some((Kind::Header, header)) => header_replaces(header).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The first bytes of a file, or none if it cannot be read, which reading the whole will tell.
fn beginning(path: &Path) -> Vec<u8> {
    let mut beginning = Vec::new();
    match File::open(path).and_then(|file| file.take(BEGINNING_BYTES).read_to_end(&mut beginning)) {
        Ok(_) => beginning,
        Err(_) => Vec::new(),
    }
}

/// Sets log files aside that a checkpoint has replaced. Called before the checkpoint removes them.
pub(crate) fn set_logs_aside(directory: &Directory, logs: &[PathBuf]) -> Result<(), FileError> {
    logs.iter().try_for_each(|path| directory.set_aside(path))
}
