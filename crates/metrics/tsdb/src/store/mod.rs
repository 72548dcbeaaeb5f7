//! The handle of a store.

mod appending;
mod reading;

use std::{path::Path, sync::Arc, time::SystemTime};

use parking_lot::{Mutex, RwLock};
use timeseries::SourceError;

use self::appending::Wait;
pub use self::{appending::Unawaited, reading::Volume};
use crate::{
    cardinality::Cardinality,
    damage::Damage,
    disk::{ChunkWriter, Device, Directory, FileNumber, Log},
    error::{OnFile, OpenError},
    head::Head,
    keeper::{Bell, Keepers},
    late::{LateAppends, LateLog, LateMark},
    metadata::Metadata,
    options::{StoreOptions, millis},
    recover::recover,
    retention::Clock,
    snapshot::Extent,
    stats::Stats,
    writer::Writer,
};

/// Maximum number of damages to report by [`Store::damage`].
const MAX_DAMAGE: usize = 1_000;

/// A time series store; a handle that is cheap to clone and thread-safe. Appends are serialized; readers never wait for
/// disk writes. Dropping the last handle closes the files.
#[derive(Debug, Clone)]
pub struct Store(Arc<Keepers>);

/// Shared state of a store's handles and threads.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: StoreOptions,
    pub(crate) head: RwLock<Head>,
    /// Appends to times that had already been read.
    pub(crate) late: Arc<LateLog>,
    /// Never locked during disk writes. Locked before the head.
    pub(crate) writer: Mutex<Writer>,
    /// `None` for a store in memory only.
    pub(crate) disk: Option<Disk>,
    /// Locked by the thread that runs maintenance. Locked before all others.
    pub(crate) upkeep: Mutex<Upkeep>,
    /// Time of the latest sample when memory was last released.
    pub(crate) released_at: Mutex<i64>,
    damage: Mutex<Vec<Damage>>,
}

/// State of maintenance.
#[derive(Debug)]
pub(crate) struct Upkeep {
    /// Time of the latest sample when idle series were last sealed.
    pub(crate) sealed_idle_at: i64,
    pub(crate) clock: Clock,
}

/// The files.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) log: Arc<Log>,
    /// Locked while sealed chunks are written. Locked before the writer.
    pub(crate) chunks: Mutex<ChunkWriter>,
    pub(crate) device: Arc<Device>,
    /// Wakes the log thread.
    pub(crate) log_bell: Bell,
    /// Wakes the files thread: there are sealed chunks, or a checkpoint is due.
    pub(crate) files_bell: Bell,
    /// Holds the lock of the directory, so it is dropped last.
    pub(crate) directory: Directory,
}

impl Store {
    /// Opens the store in a directory, which is created if it does not exist. Damaged parts are moved aside and
    /// reported by [`Store::damage`]; they never prevent a start.
    ///
    /// # Errors
    ///
    /// The directory is in use by another process, was written by a later version, or cannot be read or written.
    pub fn open(directory: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        Self::open_locked(Directory::open(directory)?, options)
    }

    fn open_locked(directory: Directory, options: StoreOptions) -> Result<Self, OpenError> {
        let mut head = Head::default();
        let recovered = recover(&directory, &mut head, &options)?;
        let device = Arc::new(Device::default());
        let log = Log::new(directory.log(), options.sync_interval, millis(options.out_of_order), Arc::clone(&device))?;
        let next_file = recovered.next_file.unwrap_or(FileNumber::MIN);
        let disk = Disk {
            log: Arc::new(log),
            chunks: Mutex::new(ChunkWriter::new(directory.chunks(), next_file, Arc::clone(&device))),
            device,
            log_bell: Bell::default(),
            files_bell: Bell::default(),
            directory,
        };
        let shared = Shared::new(options, head, Some(disk), recovered.damage);
        if let Some(disk) = &shared.disk {
            shared.tidy_after_start(disk, &recovered.damaged_logs);
        }
        let path = shared.disk.as_ref().map(|disk| disk.directory.root().to_owned()).unwrap_or_default();
        let keepers = Keepers::start(&Arc::new(shared)).on_file("start threads for", &path)?;
        Ok(Store(Arc::new(keepers)))
    }

    /// Opens the store like [`Store::open`] after removing its content.
    ///
    /// # Errors
    ///
    /// As for [`Store::open`]; a directory that is in use by another process is not changed.
    pub fn open_emptied(directory: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        Self::open_locked(Directory::open_emptied(directory)?, options)
    }

    /// A store in memory only, for tests.
    #[must_use]
    pub fn in_memory(options: StoreOptions) -> Self {
        let shared = Arc::new(Shared::new(options, Head::default(), None, Vec::new()));
        Store(Arc::new(Keepers::none(shared)))
    }

    /// The settings it was opened with.
    #[must_use]
    pub fn options(&self) -> &StoreOptions {
        &self.shared().options
    }

    /// Metadata of all metric families, sorted by family.
    #[must_use]
    pub fn metadata(&self) -> Vec<(String, Metadata)> {
        self.shared().head.read().metadata.iter().map(|(family, about)| (family.clone(), about.clone())).collect()
    }

    /// Number of metric families with metadata.
    #[must_use]
    pub fn family_count(&self) -> usize {
        self.shared().head.read().metadata.len()
    }

    /// Sets metadata of metric families without waiting for the disk; unchanged metadata costs nothing.
    ///
    /// # Errors
    ///
    /// Nothing of it is stored, because the queue of the log is full.
    pub fn set_metadata(&self, families: &[(String, Metadata)]) -> Result<(), SourceError> {
        let shared = self.shared();
        shared.admit(Wait::Not).map_err(source_error)?;
        shared.writer.lock().set_metadata(&shared.head, families);
        shared.disk.iter().for_each(|disk| disk.log_bell.ring());
        Ok(())
    }

    /// Syncs everything to disk.
    ///
    /// # Errors
    ///
    /// The disk is full or broken. Acknowledged samples are in the log nevertheless.
    pub fn flush(&self) -> Result<(), SourceError> {
        let shared = self.shared();
        shared.disk.as_ref().map_or(Ok(()), |disk| shared.flush(disk)).map_err(source_error)
    }

    /// Removes data beyond the retention or the size limit, compacts files, and does other maintenance. Call it every
    /// minute or so with the current time, on a thread that may block for a second. Returns the number of removed
    /// files.
    ///
    /// # Errors
    ///
    /// A file could not be written or removed; the next call tries again.
    pub fn run_retention(&self, now_ms: i64) -> Result<usize, SourceError> {
        self.shared().run_retention(now_ms).map_err(source_error)
    }

    /// Creates a directory with a snapshot of the store, limited by `extent`; another store can open it. Appends and
    /// reads go on; samples appended after the call may be in it or not.
    ///
    /// # Errors
    ///
    /// The directory exists or cannot be written, and nothing of it is left; or the store is in memory only.
    pub fn snapshot(&self, to: &Path, extent: Extent) -> Result<(), SourceError> {
        match &self.shared().disk {
            Some(disk) => self.shared().snapshot(disk, to, extent).map_err(source_error),
            None => {
                let message = "this store has no files to copy".to_owned();
                Err(SourceError { message, source: None })
            }
        }
    }

    /// From now on, records appends to times up to `until_ms`, milliseconds since the Unix epoch. Call it before
    /// reading these times, if [`Store::late_since`] shall report later changes.
    pub fn reads(&self, until_ms: i64) {
        self.shared().late.reads(until_ms);
    }

    /// Appends since `mark` to times that had been [read](Store::reads), and the mark for the next call. May report too
    /// much, never too little.
    #[must_use]
    pub fn late_since(&self, mark: LateMark) -> (LateAppends, LateMark) {
        self.shared().late.since(mark)
    }

    /// Statistics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let disk = self.shared().disk.as_ref();
        let mut stats = Stats::of(&self.shared().head.read(), disk.map_or(0, |disk| disk.log.bytes()));
        if let Some(disk) = disk {
            (stats.syncs, stats.sync_time) = disk.device.syncs();
            stats.disk_waiting = disk.device.waiting();
            stats.unwritten_bytes = disk.log.waiting();
        }
        stats
    }

    /// Time of the last successful disk write since the store was opened.
    #[must_use]
    pub fn written_at(&self) -> Option<SystemTime> {
        self.shared().disk.as_ref().and_then(|disk| disk.device.written_at())
    }

    /// Why disk writes currently fail, if they do; contains no file name. The store retries until they succeed.
    #[must_use]
    pub fn write_failure(&self) -> Option<String> {
        self.shared().disk.as_ref().and_then(|disk| disk.device.failure())
    }

    /// Metrics and labels with the most series, at most `limit` in each list, in descending order.
    #[must_use]
    pub fn cardinality(&self, limit: usize) -> Cardinality {
        Cardinality::of(&self.shared().head.read(), limit)
    }

    /// Damage found since the store was opened, or while it was opened.
    #[must_use]
    pub fn damage(&self) -> Vec<Damage> {
        self.shared().damage.lock().clone()
    }

    fn shared(&self) -> &Shared {
        self.0.shared()
    }
}

impl Shared {
    fn new(options: StoreOptions, head: Head, disk: Option<Disk>, damage: Vec<Damage>) -> Self {
        let late = Arc::new(LateLog::default());
        let log = disk.as_ref().map(|disk| Arc::clone(&disk.log));
        Shared {
            writer: Mutex::new(Writer::new(options.clone(), log, Arc::clone(&late))),
            late,
            options,
            head: RwLock::new(head),
            disk,
            upkeep: Mutex::new(Upkeep { sealed_idle_at: i64::MIN, clock: Clock::default() }),
            released_at: Mutex::new(i64::MIN),
            damage: Mutex::new(damage),
        }
    }

    pub(crate) fn report(&self, damage: Damage) {
        let mut known = self.damage.lock();
        if known.len() < MAX_DAMAGE && !known.contains(&damage) {
            tracing::warn!(%damage, "damaged data was left out");
            known.push(damage);
        }
    }
}

/// An error of the type that the traits require.
fn source_error(error: impl std::error::Error + Send + Sync + 'static) -> SourceError {
    SourceError { message: error.to_string(), source: Some(Arc::new(error)) }
}

#[cfg(test)]
mod tests;
