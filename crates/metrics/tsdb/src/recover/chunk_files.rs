//! Recovery of chunk files: indexes the chunks, and salvages the intact part of damaged files.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    ops::Range,
    path::Path,
    sync::Arc,
};

use super::{Numbers, Recovery, beginning};
use crate::{
    chunk::{Columns, HistogramColumn, SealedChunk, has_histograms},
    damage::DamageKind,
    disk::{
        ChunkFile, ChunkPlace, FileNumber,
        directory::{numbered, replace},
        frame::{Kind, Scan, frame_at},
        record::{header_replaces, read_chunk},
    },
    error::{OnFile, OpenError},
    options::millis,
    postings::SeriesId,
    read::load,
    series::Run,
};

impl Recovery<'_> {
    /// Adds the chunks of all files to the series.
    pub(super) fn index_chunks(&mut self) -> Result<(), OpenError> {
        let mut files = numbered(&self.directory.chunks(), "chunks")?;
        let last = files.last().and_then(|(last, _)| u32::try_from(*last).ok()).unwrap_or(0);
        self.result.next_file = FileNumber::new(last.saturating_add(1));
        let replaced: BTreeSet<u64> =
            files.iter().flat_map(|(_, path)| replaced_by(path)).map(|number| u64::from(number.get())).collect();
        for (_, outdated) in files.iter().filter(|(number, _)| replaced.contains(number)) {
            fs::remove_file(outdated).on_file("remove", outdated)?;
        }
        files.retain(|(number, _)| !replaced.contains(number));
        // The newest first, so that we know early which chunks are in the head window.
        files.reverse();
        for (number, path) in files {
            let Some(number) = u32::try_from(number).ok().and_then(FileNumber::new) else { continue };
            if let Some(content) = self.content(&path) {
                self.index_file(number, &path, &content)?;
            }
        }
        let cutoff = self.young_since();
        self.head.release_before(cutoff, 0, usize::MAX);
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

    /// Adds the chunks of a file. A damaged file is replaced by one with its intact chunks.
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

    /// Moves a damaged file aside and replaces it by its intact part; `false` if that failed.
    fn keep_good_part(&self, path: &Path, content: &[u8], good: &[Range<usize>]) -> bool {
        let clean: Vec<u8> = good.iter().filter_map(|range| content.get(range.clone())).flatten().copied().collect();
        match self.directory.set_aside(path).and_then(|()| replace(path, &clean)) {
            Ok(_) => true,
            Err(error) => {
                // The intact part is readable where it is; the next start tries again.
                tracing::warn!(%error, "cannot set a damaged file aside");
                false
            }
        }
    }

    /// Adds a chunk on disk; if the replay of the log has sealed the same chunk again, only records its location.
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

    /// Finds the last sample of series whose last sample is in a sealed chunk.
    pub(super) fn complete_newest(&mut self) {
        let files = self.head.files.clone();
        for (_, series) in self.head.iter_mut() {
            let Some(run) = series.runs.iter().max_by_key(|run| run.last) else { continue };
            if series.newest_time().is_some_and(|newest| newest >= run.last) {
                continue;
            }
            let last = run.last;
            let chunk = load(run, &files).ok().and_then(|bytes| SealedChunk::from_bytes(bytes).ok());
            let (mut floats, mut histograms) = (Columns::default(), HistogramColumn::new());
            // If the value is lost, we only cannot say whether a repeated sample is a duplicate.
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
}

/// A chunk in a file.
struct FoundChunk<'a> {
    /// `None` for a series without a number, because there are too many.
    id: Option<SeriesId>,
    first: i64,
    last: i64,
    count: u32,
    bytes: &'a [u8],
    frame: Range<usize>,
    /// Offset of the frame in the file after damaged parts are removed.
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

/// The files that a chunk file replaces; none if it is unreadable.
fn replaced_by(path: &Path) -> Vec<FileNumber> {
    let beginning = beginning(path);
    match frame_at(&beginning) {
        Some((Kind::Header, header)) => header_replaces(header).unwrap_or_default(),
        _ => Vec::new(),
    }
}
