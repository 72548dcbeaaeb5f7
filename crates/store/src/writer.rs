//! The one writer: log first, then memory ([`append`]), then sealed chunks to their files.

mod append;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::RwLock;
use promql::labels::Labels;

use crate::{
    compact::Plan,
    damage::Damage,
    disk::{ChunkWriter, Directory, FileNumber, Log, chunks::NewChunk},
    error::{FileError, OpenError},
    head::{Entry, Head},
    metadata::{MAX_FAMILIES, Metadata},
    options::{StoreOptions, millis},
    postings::SeriesId,
    recover::{recover, set_logs_aside},
    retention::Doomed,
    snapshot::{Extent, Snapshot},
};

/// Chunks written at once.
const WRITE_CHUNKS: usize = 4_096;

/// What only one thread at a time may do.
#[derive(Debug)]
pub(crate) struct Writer {
    options: StoreOptions,
    /// `None` if nothing is kept beyond the process.
    disk: Option<Disk>,
    /// Series of the samples of a batch; a buffer.
    ids: Vec<SeriesId>,
    /// The samples of a batch; a buffer.
    entries: Vec<Entry>,
    /// Time of the newest sample when memory was last released.
    released_at: i64,
    /// Time of the newest sample when idle series were last sealed.
    sealed_idle_at: i64,
}

/// The files.
#[derive(Debug)]
struct Disk {
    directory: Directory,
    log: Log,
    chunks: ChunkWriter,
}

/// A sealed chunk on its way to disk.
struct Pending {
    id: SeriesId,
    labels: Labels,
    first: i64,
    last: i64,
    bytes: Arc<[u8]>,
}

impl Writer {
    /// A writer that keeps nothing.
    pub(crate) fn in_memory(options: StoreOptions) -> Self {
        Writer::new(options, None)
    }

    fn new(options: StoreOptions, disk: Option<Disk>) -> Self {
        let (ids, entries) = (Vec::new(), Vec::new());
        Writer { options, disk, ids, entries, released_at: i64::MIN, sealed_idle_at: i64::MIN }
    }

    /// Fills the head from a directory and goes on there. Also gives what was damaged.
    pub(crate) fn open(
        directory: Directory,
        head: &RwLock<Head>,
        options: StoreOptions,
    ) -> Result<(Self, Vec<Damage>), OpenError> {
        let recovered = recover(&directory, &mut head.write(), &options)?;
        let log = Log::new(directory.log(), options.sync_interval, millis(options.out_of_order))?;
        let chunks = ChunkWriter::new(directory.chunks(), recovered.next_file.unwrap_or(FileNumber::MIN));
        let disk = Disk { directory, log, chunks };
        let mut writer = Writer::new(options, Some(disk));
        writer.tidy_after_start(head, &recovered.damaged_logs);
        Ok((writer, recovered.damage))
    }

    /// Writes what the replay has sealed, and replaces damaged or numerous logs. A full disk does not keep the store from opening.
    fn tidy_after_start(&mut self, head: &RwLock<Head>, damaged_logs: &[PathBuf]) {
        let due = self.disk.as_ref().is_some_and(|disk| disk.log.wants_checkpoint());
        let tidied = self.write_sealed(head).and_then(|()| {
            if let Some(disk) = &self.disk {
                set_logs_aside(&disk.directory, damaged_logs)?;
            }
            if due || !damaged_logs.is_empty() { self.checkpoint(head) } else { Ok(()) }
        });
        if let Err(error) = tidied {
            tracing::warn!(%error, "cannot tidy the data directory; it goes on as it is");
        }
    }

    /// What an append may have made due. Failures are not the append's: its samples are in the log.
    fn after_append(&mut self, head: &RwLock<Head>) {
        let (any_sealed, newest) = {
            let head = head.read();
            (!head.unwritten.is_empty(), head.newest.unwrap_or(i64::MIN))
        };
        if any_sealed && let Err(error) = self.write_sealed(head) {
            tracing::warn!(%error, "cannot write sealed chunks; they stay in memory until it works");
            return;
        }
        let mut release = newest.saturating_sub(self.released_at) > millis(self.options.head_window) / 8;
        if self.disk.as_ref().is_some_and(|disk| disk.log.wants_checkpoint()) {
            release = true;
            if let Err(error) = self.checkpoint(head) {
                tracing::warn!(%error, "cannot begin a new log; the old one goes on");
                if let Some(disk) = &mut self.disk {
                    disk.log.defer_checkpoint();
                }
            }
        }
        if release && self.disk.is_some() {
            self.release(head);
        }
    }

    /// Frees the memory of chunks that are on disk and not young.
    fn release(&mut self, head: &RwLock<Head>) {
        let mut head = head.write();
        let newest = head.newest.unwrap_or(i64::MIN);
        head.release_before(newest.saturating_sub(millis(self.options.head_window)));
        self.released_at = newest;
    }

    /// Sets what is said about metric families.
    pub(crate) fn set_metadata(
        &mut self,
        head: &RwLock<Head>,
        families: &[(String, Metadata)],
    ) -> Result<(), FileError> {
        let changed: Vec<&(String, Metadata)> = {
            let head = head.read();
            let mut room = MAX_FAMILIES.saturating_sub(head.metadata.len());
            families
                .iter()
                .filter(|(family, about)| match head.metadata.get(family) {
                    Some(known) => known != about,
                    None => {
                        let fits = room > 0;
                        room = room.saturating_sub(1);
                        fits
                    }
                })
                .collect()
        };
        if changed.is_empty() {
            return Ok(());
        }
        if let Some(disk) = &mut self.disk {
            disk.log.append_metadata(changed.iter().map(|(family, about)| (family.as_str(), about)))?;
        }
        let mut head = head.write();
        for (family, about) in changed {
            head.metadata.insert(family.clone(), about.clone());
        }
        Ok(())
    }

    /// Writes sealed chunks that are not on disk yet. What could not be written stays due.
    pub(crate) fn write_sealed(&mut self, head: &RwLock<Head>) -> Result<(), FileError> {
        let due: BTreeSet<SeriesId> = std::mem::take(&mut head.write().unwritten).into_iter().collect();
        let Some(disk) = &mut self.disk else { return Ok(()) };
        let pending: Vec<Pending> = {
            let head = head.read();
            due.iter()
                .filter_map(|id| Some((*id, head.series(*id)?)))
                .flat_map(|(id, series)| {
                    series.runs.iter().filter(|run| run.place.is_none()).filter_map(move |run| {
                        let labels = series.labels.clone();
                        Some(Pending { id, labels, first: run.first, last: run.last, bytes: run.bytes.clone()? })
                    })
                })
                .collect()
        };
        for part in pending.chunks(WRITE_CHUNKS) {
            let chunks: Vec<NewChunk> = part
                .iter()
                .map(|Pending { id, labels, first, last, bytes }| NewChunk {
                    id: *id,
                    labels,
                    first: *first,
                    last: *last,
                    bytes,
                })
                .collect();
            let written = match disk.chunks.write(&chunks) {
                Ok(written) => written,
                Err(error) => {
                    head.write().unwritten.extend(due);
                    return Err(error);
                }
            };
            let mut head = head.write();
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

    /// Seals idle series, removes what is too old or too much, and frees memory. Gives the number of files removed.
    pub(crate) fn run_retention(&mut self, head: &RwLock<Head>, now_ms: i64) -> Result<usize, FileError> {
        let window = millis(self.options.head_window);
        let newest = head.read().newest.unwrap_or(i64::MIN);
        if newest.saturating_sub(self.sealed_idle_at) >= window / 4 {
            head.write().seal_idle(newest.saturating_sub(window));
            self.write_sealed(head)?;
            // Were the log replayed, the samples of the idle series would be taken for unsealed ones.
            self.checkpoint(head)?;
            self.sealed_idle_at = newest;
        }
        let doomed = Doomed::pick(head, &self.options, now_ms, self.log_bytes());
        if let Some(disk) = &mut self.disk
            && disk.chunks.growing().is_some_and(|growing| doomed.files.contains(&growing))
        {
            disk.chunks.finish()?;
        }
        let removed = doomed.remove(head);
        if let Some(disk) = &mut self.disk {
            // Appends do this too, but there may have been none since.
            disk.log.sync()?;
            self.release(head);
        }
        removed
    }

    /// Picks files to be merged, and gives the number and path of the file that will take their place.
    pub(crate) fn plan_compaction(&mut self, head: &RwLock<Head>) -> Option<(Plan, FileNumber, PathBuf)> {
        let disk = self.disk.as_mut()?;
        let head = head.read();
        let cutoff = head.newest?.saturating_sub(millis(self.options.head_window));
        let plan = Plan::pick(&head, disk.chunks.growing(), cutoff)?;
        let (number, path) = disk.chunks.reserve();
        Some((plan, number, path))
    }

    /// Makes a copy of the directory as it is now; `false` if there is none.
    pub(crate) fn snapshot(&mut self, head: &RwLock<Head>, to: &Path, extent: Extent) -> Result<bool, FileError> {
        self.write_sealed(head)?;
        let Some(disk) = &mut self.disk else { return Ok(false) };
        disk.chunks.finish()?;
        let growing = match extent {
            Extent::All => {
                disk.log.checkpoint(&head.read())?;
                disk.log.files().map(Path::to_owned).collect()
            }
            Extent::Chunks => Vec::new(),
        };
        let finished = head.read().files.values().map(|file| file.path.clone()).collect();
        Snapshot { growing, finished }.write(disk.directory.root(), to)?;
        Ok(true)
    }

    /// Keeps a damaged file among the damaged ones before it is removed.
    pub(crate) fn set_aside(&self, path: &Path) -> Result<(), FileError> {
        self.disk.as_ref().map_or(Ok(()), |disk| disk.directory.set_aside(path))
    }

    /// Begins a new log. Everything sealed must have been written.
    fn checkpoint(&mut self, head: &RwLock<Head>) -> Result<(), FileError> {
        match &mut self.disk {
            Some(disk) => {
                disk.chunks.sync()?;
                disk.log.checkpoint(&head.read())
            }
            None => Ok(()),
        }
    }

    /// Forces everything to the disk.
    pub(crate) fn flush(&mut self, head: &RwLock<Head>) -> Result<(), FileError> {
        self.write_sealed(head)?;
        match &mut self.disk {
            Some(disk) => {
                disk.chunks.sync()?;
                disk.log.sync()
            }
            None => Ok(()),
        }
    }

    /// Bytes of the log.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.log.bytes())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(disk) = &mut self.disk
            && let Err(error) = disk.log.sync()
        {
            tracing::warn!(%error, "cannot force the log to the disk on closing");
        }
    }
}
