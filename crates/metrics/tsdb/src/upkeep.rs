//! Disk maintenance besides the log: writes sealed chunks, checkpoints, retention, compaction, snapshots.
//!
//! No lock that readers or appends need is held during disk requests. Lock order: chunks, writer, head.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use labels::Labels;
use parking_lot::{Mutex, MutexGuard};

use crate::{
    compact::Plan,
    disk::{ChunkWriter, chunks::NewChunk},
    error::{FileError, OnFile},
    options::millis,
    postings::SeriesId,
    recover::set_logs_aside,
    retention::Doomed,
    snapshot::{Extent, Snapshot},
    store::{Disk, Shared, Upkeep},
};

/// Number of chunks per write.
const WRITE_CHUNKS: usize = 4_096;
/// Number of series to visit before the lock is released for readers.
const VISIT_SERIES: usize = 16_384;

/// A sealed chunk that is about to be written.
struct Pending {
    id: SeriesId,
    labels: Labels,
    first: i64,
    last: i64,
    bytes: Arc<[u8]>,
}

impl Shared {
    /// Writes sealed chunks that are not on disk yet. After an error they stay due.
    pub(crate) fn write_sealed(&self, disk: &Disk) -> Result<(), FileError> {
        let mut chunks = disk.chunks.lock();
        // Otherwise a crash could leave a chunk with samples that are not in the log.
        disk.log.write_all()?;
        self.write_pending(&mut chunks)
    }

    fn write_pending(&self, chunks: &mut MutexGuard<ChunkWriter>) -> Result<(), FileError> {
        let (due, pending) = self.take_pending();
        self.write_chunks(chunks, due, &pending)
    }

    /// The chunks that are sealed and not on disk. The caller must write them.
    fn take_pending(&self) -> (BTreeSet<SeriesId>, Vec<Pending>) {
        let due: BTreeSet<SeriesId> = std::mem::take(&mut self.head.write().unwritten).into_iter().collect();
        let head = self.head.read();
        let pending = due
            .iter()
            .filter_map(|id| Some((*id, head.series(*id)?)))
            .flat_map(|(id, series)| {
                series.runs.iter().filter(|run| run.place.is_none()).filter_map(move |run| {
                    let labels = series.labels.clone();
                    Some(Pending { id, labels, first: run.first, last: run.last, bytes: run.bytes.clone()? })
                })
            })
            .collect();
        drop(head);
        (due, pending)
    }

    fn write_chunks(
        &self,
        chunks: &mut MutexGuard<ChunkWriter>,
        due: BTreeSet<SeriesId>,
        pending: &[Pending],
    ) -> Result<(), FileError> {
        for part in pending.chunks(WRITE_CHUNKS) {
            let new: Vec<NewChunk> = part
                .iter()
                .map(|Pending { id, labels, first, last, bytes }| NewChunk {
                    id: *id,
                    labels,
                    first: *first,
                    last: *last,
                    bytes,
                })
                .collect();
            let written = match chunks.write(&new) {
                Ok(written) => written,
                Err(error) => {
                    self.head.write().unwritten.extend(due);
                    return Err(error);
                }
            };
            let mut head = self.head.write();
            for (pending, place) in part.iter().zip(written.places) {
                let Some(series) = head.series_mut(pending.id) else { continue };
                let same = |bytes: &Arc<[u8]>| Arc::ptr_eq(bytes, &pending.bytes);
                if let Some(run) = series.runs.iter_mut().rev().find(|run| run.bytes.as_ref().is_some_and(same)) {
                    run.place = Some(place);
                }
            }
            Arc::make_mut(&mut head.files).insert(written.number, Arc::new(written.file));
        }
        Ok(())
    }

    /// Starts a new log with the unsealed samples. Writes the sealed ones first.
    pub(crate) fn checkpoint(&self, disk: &Disk) -> Result<(), FileError> {
        let mut chunks = disk.chunks.lock();
        disk.log.write_all()?;
        let Some(cut) = self.writer.lock().cut(&self.head) else { return Ok(()) };
        // Appends go on; chunks that they seal meanwhile may be written too.
        disk.log.write_all()?;
        self.write_pending(&mut chunks)?;
        chunks.sync()?;
        disk.log.install_checkpoint(&cut.content, cut.at)
    }

    /// After a start: writes chunks sealed by the replay, and replaces damaged or numerous logs. A full disk does not
    /// prevent the start.
    pub(crate) fn tidy_after_start(&self, disk: &Disk, damaged_logs: &[std::path::PathBuf]) {
        let due = disk.log.wants_checkpoint();
        let tidied = self.write_sealed(disk).and_then(|()| {
            set_logs_aside(&disk.directory, damaged_logs)?;
            if due || !damaged_logs.is_empty() { self.checkpoint(disk) } else { Ok(()) }
        });
        if let Err(error) = tidied {
            tracing::warn!(%error, "cannot tidy the data directory; continuing without");
        }
    }

    /// Frees the memory of chunks that are on disk and outside the head window, if it is time or `due`.
    pub(crate) fn release(&self, due: bool) {
        let window = millis(self.options.head_window);
        let newest = self.head.read().newest.unwrap_or(i64::MIN);
        {
            let mut released_at = self.released_at.lock();
            if !due && newest.saturating_sub(*released_at) <= window / 8 {
                return;
            }
            *released_at = newest;
        }
        let cutoff = newest.saturating_sub(window);
        let mut from = Some(0);
        while let Some(start) = from {
            from = self.head.write().release_before(cutoff, start, VISIT_SERIES);
        }
    }

    /// Seals idle series, applies retention, frees memory, compacts files. Returns the number of removed files.
    pub(crate) fn run_retention(&self, now_ms: i64) -> Result<usize, FileError> {
        let mut upkeep = self.upkeep.lock();
        let disk = self.disk.as_ref();
        // Work that needs disk space comes last: on a full disk, removal comes first.
        let sealed = self.seal_idle(disk, &mut upkeep);
        let log_bytes = disk.map_or(0, |disk| disk.log.bytes());
        let doomed = Doomed::pick(&self.head, &self.options, (now_ms, &mut upkeep.clock), log_bytes);
        if let Some(disk) = disk {
            let mut chunks = disk.chunks.lock();
            if chunks.growing().is_some_and(|growing| doomed.files.contains(&growing)) {
                chunks.finish()?;
            }
        }
        let removed = doomed.remove(&self.head, &self.writer);
        if let Some(disk) = disk {
            self.release(true);
            disk.log.sync()?;
            self.compact(disk)?;
        }
        sealed.and(removed)
    }

    /// Seals series without samples for a long time.
    fn seal_idle(&self, disk: Option<&Disk>, upkeep: &mut Upkeep) -> Result<(), FileError> {
        let window = millis(self.options.head_window);
        let newest = self.head.read().newest.unwrap_or(i64::MIN);
        if newest.saturating_sub(upkeep.sealed_idle_at) < window / 4 {
            return Ok(());
        }
        {
            let _writer = self.writer.lock();
            let mut from = Some(0);
            while let Some(start) = from {
                from = self.head.write().seal_idle(newest.saturating_sub(window), start, VISIT_SERIES);
            }
        }
        if let Some(disk) = disk {
            // Without a checkpoint, a replay of the log would restore the samples of idle series as unsealed.
            self.checkpoint(disk)?;
        }
        upkeep.sealed_idle_at = newest;
        Ok(())
    }

    /// Compacts files if it is worth it. Appends and readers go on, because the files do not change.
    fn compact(&self, disk: &Disk) -> Result<(), FileError> {
        let planned = {
            let mut chunks = disk.chunks.lock();
            let head = self.head.read();
            let cutoff = head.newest.map(|newest| newest.saturating_sub(millis(self.options.head_window)));
            cutoff.and_then(|cutoff| Plan::pick(&head, chunks.growing(), cutoff)).map(|plan| (plan, chunks.reserve()))
        };
        let Some((plan, (number, path))) = planned else { return Ok(()) };
        let damaged = Mutex::new(BTreeSet::new());
        let compacted = plan.write(number, &path, &|damage| {
            damaged.lock().insert(damage.file.clone());
            self.report(damage);
        })?;
        let replaced = compacted.install(&mut self.head.write());
        for path in damaged.into_inner() {
            disk.directory.set_aside(&path)?;
        }
        for file in replaced {
            // The next start removes a leftover, because the new file lists it as replaced.
            fs::remove_file(&file.path).on_file("remove", &file.path)?;
        }
        Ok(())
    }

    /// Copies the directory as of one moment. Appends go on.
    pub(crate) fn snapshot(&self, disk: &Disk, to: &Path, extent: Extent) -> Result<(), FileError> {
        let _upkeep = self.upkeep.lock();
        let mut chunks = disk.chunks.lock();
        let (log, (due, pending)) = {
            let writer = self.writer.lock();
            let log = match extent {
                Extent::All => writer.copy(&self.head),
                Extent::Chunks => None,
            };
            (log, self.take_pending())
        };
        let written = disk.log.write_all();
        if let Err(error) = written {
            self.head.write().unwritten.extend(due);
            return Err(error);
        }
        self.write_chunks(&mut chunks, due, &pending)?;
        chunks.finish()?;
        let finished = self.head.read().files.values().map(|file| file.path.clone()).collect();
        // Chunks that are sealed from now on go to another file.
        Snapshot { log, finished }.write(disk.directory.root(), to)
    }

    /// Syncs everything to disk.
    pub(crate) fn flush(&self, disk: &Disk) -> Result<(), FileError> {
        self.write_sealed(disk)?;
        disk.chunks.lock().sync()?;
        disk.log.sync()
    }
}
