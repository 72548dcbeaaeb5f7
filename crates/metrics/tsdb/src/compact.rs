//! Merging files of chunks: many chunks of a series, spread over files, become few long ones in one file.
//!
//! Chunks are written in the order in which they fill up, so that those of one series lie far apart, late samples overlap others,
//! and each start of the process leaves a small file. Once a few files are no longer young, their samples are written again, series
//! by series. That makes reading old data cheap and the index in memory short. The new file names those it replaces, so that a crash
//! between its appearance and their removal does no harm.

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

/// Samples of a chunk at most.
const CHUNK_SAMPLES: usize = 1_920;
/// Native histograms of a chunk at most.
const CHUNK_HISTOGRAMS: u32 = 480;
/// Files are merged when they span this much, ...
const SPAN_MS: i64 = 24 * 3_600 * 1_000;
/// ... or are this many, ...
const FILES: usize = 8;
/// ... or this large together.
const BYTES: u64 = 32 * 1_024 * 1_024;
/// A merged file smaller than this is merged again.
const SMALL_BYTES: u64 = 1_024 * 1_024;

/// Files to be merged, and what of them is still wanted.
pub(crate) struct Plan {
    inputs: BTreeMap<FileNumber, Arc<ChunkFile>>,
    series: Vec<(SeriesId, Labels, Vec<Run>)>,
}

impl Plan {
    /// Picks files that have nothing younger than `cutoff`; `None` if it is not worth it. The file that grows is left alone.
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

    /// Numbers of the files.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = FileNumber> + '_ {
        self.inputs.keys().copied()
    }

    /// Writes the new file. Chunks that cannot be read are reported and left out.
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

/// The chunks in these files that series still have.
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

/// The samples of the runs in as few chunks as there can be, or the chunks as they are if that is shorter.
fn merge(runs: &[Run], load: impl Fn(&Run) -> Option<Arc<[u8]>>) -> Vec<SealedChunk> {
    let mut chunks: Vec<SealedChunk> =
        runs.iter().filter_map(&load).filter_map(|bytes| SealedChunk::from_bytes(bytes).ok()).collect();
    chunks.sort_by_key(|chunk| chunk.first);
    let histograms: Vec<SealedChunk> = chunks.extract_if(.., |chunk| chunk.has_histograms()).collect();
    let mut chunks = merge_floats(chunks);
    chunks.extend(merge_histograms(&histograms));
    chunks
}

/// Histograms in as few chunks as there can be.
fn merge_histograms(chunks: &[SealedChunk]) -> Vec<SealedChunk> {
    let mut column = HistogramColumn::new();
    for chunk in chunks {
        // One that makes no sense is left out; reading it has told so.
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
    // Many short chunks cost memory, which a few bytes on disk are not worth.
    if apart && bytes(&chunks) + chunks.len() * 64 < bytes(&longer) { chunks } else { longer }
}

/// A file that takes the place of others.
pub(crate) struct Compacted {
    number: FileNumber,
    runs: Vec<(SeriesId, Vec<Run>)>,
    replaces: Vec<FileNumber>,
    file: Option<Arc<ChunkFile>>,
}

impl Compacted {
    /// Makes readers use the new file, and gives those that are no longer used.
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
