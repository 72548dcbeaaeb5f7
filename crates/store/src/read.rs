//! From compressed pieces to columns, outside any lock.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use promql::source::SeriesSamples;

use crate::{
    damage::{Damage, DamageKind},
    disk::{ChunkFile, FileNumber},
    series::{Pieces, Run},
};

/// The files that were there when the pieces were taken.
type Files = BTreeMap<FileNumber, Arc<ChunkFile>>;

/// Decodes series; those without a sample in the range are left out. Chunks that do not hold are reported and left out.
pub(crate) fn decode(
    pieces: Vec<Pieces>,
    files: &Files,
    start: i64,
    end: i64,
    report: &(dyn Fn(Damage) + Sync),
) -> Vec<SeriesSamples> {
    let mut decoded = Vec::with_capacity(pieces.len());
    for series in pieces {
        let labels = series.labels.clone();
        let (columns, damaged) = series.decode(start, end, |run| load(run, files, report));
        for _ in damaged {
            report(Damage { file: PathBuf::new(), offset: 0, bytes: 0, kind: DamageKind::Changed });
        }
        if !columns.times.is_empty() {
            let (timestamps, values) = (columns.times, columns.values);
            decoded.push(SeriesSamples { labels, timestamps, values, histograms: Vec::new() });
        }
    }
    decoded
}

/// The bytes of a chunk, from memory or disk.
pub(crate) fn load(run: &Run, files: &Files, report: &dyn Fn(Damage)) -> Option<Arc<[u8]>> {
    if let Some(bytes) = &run.bytes {
        return Some(bytes.clone());
    }
    let place = run.place?;
    let file = files.get(&place.file)?;
    match file.read(place) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let damaged = error.kind() == std::io::ErrorKind::InvalidData;
            report(Damage {
                file: file.path.clone(),
                offset: u64::from(place.offset),
                bytes: u64::from(place.bytes),
                kind: if damaged { DamageKind::Changed } else { DamageKind::Unreadable },
            });
            None
        }
    }
}
