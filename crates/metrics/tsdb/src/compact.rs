//! Compaction: merges many short chunks of a series, spread over several chunk files, into few long ones in one file.
//!
//! Chunks are written in the order in which they fill up. So the chunks of one series are far apart, late samples
//! overlap others, and each start of the process leaves a small file. Once a few files are older than the head window,
//! we rewrite their samples series by series. That makes reads of old data cheap and the in-memory index short. The new
//! file lists the files it replaces, so that a crash before their removal is harmless.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use labels::Labels;

use crate::{
    chunk::{Columns, HistogramColumn, SealedChunk},
    damage::Damage,
    disk::{
        ChunkFile, ChunkPlace, FileNumber,
        chunks::{NewChunk, file_header},
        directory::FileBuilder,
    },
    error::FileError,
    head::Head,
    histograms::put_in_order,
    pieces::merged,
    postings::SeriesId,
    read::{load, lost},
    series::Run,
};

/// Maximum number of samples in a chunk.
const CHUNK_SAMPLES: usize = 1_920;
/// Maximum number of native histograms in a chunk.
const CHUNK_HISTOGRAMS: u32 = 480;
/// Files are merged if together they span this much time, ...
const SPAN_MS: i64 = 24 * 3_600 * 1_000;
/// ... or if there are this many, ...
const FILES: usize = 8;
/// ... or if they are this large together.
const BYTES: u64 = 32 * 1_024 * 1_024;
/// A merged file smaller than this can be merged again.
const SMALL_BYTES: u64 = 1_024 * 1_024;

/// Files to merge, and their chunks that series still use.
pub(crate) struct Plan {
    inputs: BTreeMap<FileNumber, Arc<ChunkFile>>,
    series: Vec<(SeriesId, Labels, Vec<Run>)>,
}

impl Plan {
    /// Picks files whose samples are all older than `cutoff`; `None` if there is too little to merge. Skips the file
    /// that is being written.
    pub(crate) fn pick(head: &Head, growing: Option<FileNumber>, cutoff: i64) -> Option<Self> {
        let mut candidates: Vec<(FileNumber, &Arc<ChunkFile>)> = head
            .files
            .iter()
            .filter(|(number, file)| Some(**number) != growing && file.last < cutoff)
            .filter(|(_, file)| !file.compacted || file.bytes < SMALL_BYTES)
            .map(|(number, file)| (*number, file))
            .collect();
        candidates.sort_unstable_by_key(|(number, file)| (file.last, *number));
        let mut inputs = BTreeMap::new();
        let (mut bytes, mut first, mut last) = (0, i64::MAX, i64::MIN);
        for (number, file) in candidates {
            inputs.insert(number, file.clone());
            bytes += file.bytes;
            (first, last) = (first.min(file.first), last.max(file.last));
            let worth = bytes >= BYTES || (inputs.len() > 1 && last.saturating_sub(first) >= SPAN_MS);
            if worth || inputs.len() >= FILES {
                return Some(Plan { series: wanted(head, &inputs), inputs });
            }
        }
        None
    }

    /// Numbers of the input files.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = FileNumber> + '_ {
        self.inputs.keys().copied()
    }

    /// Writes the new file. Unreadable chunks are reported and left out.
    pub(crate) fn write(
        &self,
        number: FileNumber,
        path: &Path,
        report: &dyn Fn(Damage),
    ) -> Result<Compacted, FileError> {
        let replaces: Vec<FileNumber> = self.inputs().collect();
        let mut builder = FileBuilder::start(path)?;
        builder.append(&file_header(&replaces))?;
        let mut compacted = Compacted { number, runs: Vec::new(), replaces, file: None };
        let (mut first, mut last) = (i64::MAX, i64::MIN);
        for (id, labels, runs) in &self.series {
            let damaged = |run: &Run, kind| report(lost(run, &self.inputs, kind));
            let chunks = merge(runs, |run| load(run, &self.inputs).map_err(|kind| damaged(run, kind)).ok());
            let mut written = Vec::with_capacity(chunks.len());
            for (position, chunk) in chunks.iter().enumerate() {
                let new = NewChunk { id: *id, labels, first: chunk.first, last: chunk.last, bytes: &chunk.bytes };
                let (labelled, framed) = new.frames();
                if position == 0 {
                    builder.append(&labelled)?;
                }
                let offset = builder.append(&framed)?;
                (first, last) = (first.min(chunk.first), last.max(chunk.last));
                if let (Ok(offset), Ok(bytes)) = (u32::try_from(offset), u32::try_from(framed.len())) {
                    let place = Some(ChunkPlace { file: number, offset, bytes });
                    written.push(Run { first: chunk.first, last: chunk.last, count: chunk.count, bytes: None, place });
                }
            }
            compacted.runs.push((*id, written));
        }
        let (file, bytes) = builder.finish()?;
        let file = ChunkFile { path: path.to_owned(), file: Arc::new(file), bytes, first, last, compacted: true };
        compacted.file = Some(Arc::new(file));
        Ok(compacted)
    }
}

/// The chunks of these files that series still use.
fn wanted(head: &Head, inputs: &BTreeMap<FileNumber, Arc<ChunkFile>>) -> Vec<(SeriesId, Labels, Vec<Run>)> {
    let inside = |run: &&Run| run.place.is_some_and(|place| inputs.contains_key(&place.file));
    head.iter()
        .map(|(id, series)| {
            let runs: Vec<Run> = series.runs.iter().filter(inside).cloned().collect();
            (id, series.labels.clone(), runs)
        })
        .filter(|(.., runs)| !runs.is_empty())
        .collect()
}

/// Merges the samples of the runs into as few chunks as possible; returns the chunks as they are if that is smaller.
fn merge(runs: &[Run], load: impl Fn(&Run) -> Option<Arc<[u8]>>) -> Vec<SealedChunk> {
    let mut chunks: Vec<SealedChunk> =
        runs.iter().filter_map(&load).filter_map(|bytes| SealedChunk::from_bytes(bytes).ok()).collect();
    chunks.sort_by_key(|chunk| chunk.first);
    let histograms: Vec<SealedChunk> = chunks.extract_if(.., |chunk| chunk.has_histograms()).collect();
    let mut chunks = merge_floats(chunks);
    chunks.extend(merge_histograms(&histograms));
    chunks
}

/// Merges histograms into as few chunks as possible.
fn merge_histograms(chunks: &[SealedChunk]) -> Vec<SealedChunk> {
    let mut column = HistogramColumn::new();
    for chunk in chunks {
        // A chunk that does not decode is left out; reading has already reported it.
        let _ = chunk.decode_histograms(i64::MIN, i64::MAX, &mut column);
    }
    put_in_order(&mut column);
    SealedChunk::encode_histograms(&column, CHUNK_HISTOGRAMS)
}

fn merge_floats(chunks: Vec<SealedChunk>) -> Vec<SealedChunk> {
    let (columns, _) = merged(&chunks);
    let mut longer = Vec::new();
    for (times, values) in columns.times.chunks(CHUNK_SAMPLES).zip(columns.values.chunks(CHUNK_SAMPLES)) {
        longer.extend(SealedChunk::encode(&Columns { times: times.to_vec(), values: values.to_vec() }));
    }
    let bytes = |chunks: &[SealedChunk]| chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
    let apart = chunks.windows(2).all(|pair| matches!(pair, [before, after] if before.last < after.first));
    // Many short chunks need memory, which is worse than a few bytes more on disk.
    if apart && bytes(&chunks) + chunks.len() * 64 < bytes(&longer) { chunks } else { longer }
}

/// A file that replaces others.
pub(crate) struct Compacted {
    number: FileNumber,
    runs: Vec<(SeriesId, Vec<Run>)>,
    replaces: Vec<FileNumber>,
    file: Option<Arc<ChunkFile>>,
}

impl Compacted {
    /// Switches readers to the new file; returns the replaced files.
    pub(crate) fn install(self, head: &mut Head) -> Vec<Arc<ChunkFile>> {
        for (id, new) in self.runs {
            let Some(series) = head.series_mut(id) else { continue };
            series.runs.retain(|run| run.place.is_none_or(|place| !self.replaces.contains(&place.file)));
            series.runs.extend(new);
            series.runs.sort_by_key(|run| run.first);
            series.runs.shrink_to_fit();
        }
        let files = Arc::make_mut(&mut head.files);
        let replaced = self.replaces.iter().filter_map(|number| files.remove(number)).collect();
        files.extend(self.file.map(|file| (self.number, file)));
        replaced
    }
}
