//! Decodes compressed pieces to columns, without any lock.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use timeseries::SeriesSamples;

use crate::{
    damage::{Damage, DamageKind},
    disk::{ChunkFile, FileNumber},
    pieces::Pieces,
    series::Run,
};

/// The chunk files when the pieces were taken.
type Files = BTreeMap<FileNumber, Arc<ChunkFile>>;

/// Minimum number of chunks for parallel decoding.
const PARALLEL_CHUNKS: usize = 2_000;
/// Maximum number of threads.
const MAX_THREADS: usize = 8;

/// Decodes series; those without a sample in the range are left out. Damaged chunks are reported and left out.
pub(crate) fn decode(
    mut pieces: Vec<Pieces>,
    files: &Files,
    start: i64,
    end: i64,
    report: &(dyn Fn(Damage) + Sync),
) -> Vec<SeriesSamples> {
    let chunks: usize = pieces.iter().map(|series| series.runs.len() + 1).sum();
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let threads = (chunks / PARALLEL_CHUNKS + 1).min(cores);
    let share = pieces.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let mut others = Vec::new();
        while pieces.len() > share {
            let part = pieces.split_off(pieces.len() - share);
            others.push(scope.spawn(move || decode_part(part, files, start, end, report)));
        }
        let mut decoded = decode_part(pieces, files, start, end, report);
        for other in others.into_iter().rev() {
            match other.join() {
                Ok(part) => decoded.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        decoded
    })
}

fn decode_part(
    pieces: Vec<Pieces>,
    files: &Files,
    start: i64,
    end: i64,
    report: &dyn Fn(Damage),
) -> Vec<SeriesSamples> {
    let mut decoded = Vec::with_capacity(pieces.len());
    for series in pieces {
        let labels = series.labels.clone();
        let lost = |run: &Run, kind| report(lost(run, files, kind));
        let (columns, histograms) = series.decode(
            start,
            end,
            |run| load(run, files).map_err(|kind| lost(run, kind)).ok(),
            |run| lost(run, DamageKind::Orphaned),
        );
        if !columns.times.is_empty() || !histograms.is_empty() {
            let (timestamps, values) = (columns.times, columns.values);
            decoded.push(SeriesSamples { labels, timestamps, values, histograms });
        }
    }
    decoded
}

/// The bytes of a chunk, from memory or disk.
pub(crate) fn load(run: &Run, files: &Files) -> Result<Arc<[u8]>, DamageKind> {
    if let Some(bytes) = &run.bytes {
        return Ok(bytes.clone());
    }
    let place = run.place.ok_or(DamageKind::Unreadable)?;
    let file = files.get(&place.file).ok_or(DamageKind::Unreadable)?;
    file.read(place).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => DamageKind::Changed,
        _ => DamageKind::Unreadable,
    })
}

/// The report about a lost chunk.
pub(crate) fn lost(run: &Run, files: &Files, kind: DamageKind) -> Damage {
    let (file, offset, bytes) = match run.place {
        Some(place) => {
            let path = files.get(&place.file).map(|file| file.path.clone());
            (path.unwrap_or_default(), u64::from(place.offset), u64::from(place.bytes))
        }
        None => (PathBuf::new(), 0, 0),
    };
    Damage { file, offset, bytes, kind }
}
