//! The handle of a store.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::SystemTime};

use labels::{Labels, Matcher};
use parking_lot::{Mutex, RwLock};
use timeseries::{AppendOutcome, Point, SampleSink, SeriesSamples, SeriesSource, SourceError};

use crate::{
    cardinality::Cardinality,
    damage::Damage,
    disk::{ChunkWriter, Device, Directory, FileNumber, Log, log::Unwritten},
    error::{OnFile, OpenError},
    head::Head,
    ingest::{Incoming, IngestError, Ingested},
    keeper::{Bell, Keepers},
    late::{LateAppends, LateLog, LateMark},
    metadata::Metadata,
    options::{StoreOptions, millis},
    pieces::Pieces,
    read,
    recover::recover,
    retention::Clock,
    snapshot::Extent,
    stats::Stats,
    writer::Writer,
};

/// Maximum number of damages to report by [`Store::damage`].
const MAX_DAMAGE: usize = 1_000;

/// Number of series with unwritten chunks at which appends that wait for the disk wait for those too.
const MANY_UNWRITTEN: usize = 32_768;
/// The same limit for appends that do not wait, which are then rejected.
const MAX_UNWRITTEN: usize = 8 * MANY_UNWRITTEN;

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

    /// Appends samples of either kind, in order, and returns for each rejected one the reason; rejected samples are not
    /// an error. Acknowledged samples survive any end of the process. A sample that already exists with the same value
    /// counts as stored.
    ///
    /// # Errors
    ///
    /// Nothing of the batch is acknowledged: the disk is full, broken or too slow. Readers may already see the samples;
    /// if they are sent again, they count as stored.
    pub fn ingest(&self, batch: &[Incoming]) -> Result<Ingested, IngestError> {
        self.shared().append(Wait::ForLog, |writer, head| writer.ingest(head, batch))
    }

    /// Appends samples like [`Store::ingest`] without waiting for the disk: readers see them at once, and they survive
    /// the end of the process once they are in the log. For callers that measure again rather than send again.
    ///
    /// # Errors
    ///
    /// Nothing of the batch is stored, because the queue of the log is full.
    pub fn ingest_unawaited(&self, batch: &[Incoming]) -> Result<Ingested, IngestError> {
        self.shared().append(Wait::Not, |writer, head| writer.ingest(head, batch))
    }

    /// The store as a sink whose appends do not wait for the disk, like [`Store::ingest_unawaited`].
    #[must_use]
    pub fn unawaited(&self) -> Unawaited {
        Unawaited(self.clone())
    }

    /// Labels of the series that match all matchers and have a chunk in `start_ms..=end_ms`, sorted.
    #[must_use]
    pub fn series(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<Labels> {
        let head = self.shared().head.read();
        let mut found: Vec<Labels> =
            head.matching(matchers, start_ms, end_ms).into_iter().map(|(_, series)| series.labels.clone()).collect();
        drop(head);
        found.sort_unstable();
        found
    }

    /// Approximate number of series and samples in `start_ms..=end_ms`. Reads no samples.
    #[must_use]
    pub fn volume(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Volume {
        let head = self.shared().head.read();
        head.matching(matchers, start_ms, end_ms).into_iter().fold(Volume::default(), |volume, (_, series)| Volume {
            series: volume.series + 1,
            samples: volume.samples.saturating_add(series.samples_within(start_ms, end_ms)),
        })
    }

    /// Folds over the series that match all matchers and have a chunk in `start_ms..=end_ms`: their labels, and the
    /// time of their first stored sample, in milliseconds since the Unix epoch. Appends are blocked meanwhile.
    pub fn fold_beginnings<T>(
        &self,
        matchers: &[Matcher],
        (start_ms, end_ms): (i64, i64),
        initial: T,
        mut fold: impl FnMut(T, &Labels, i64) -> T,
    ) -> T {
        let head = self.shared().head.read();
        head.matching(matchers, start_ms, end_ms).into_iter().fold(initial, |folded, (_, series)| match series.span() {
            Some((first_ms, _)) => fold(folded, &series.labels, first_ms),
            None => folded,
        })
    }

    /// Label names of these series, sorted.
    #[must_use]
    pub fn label_names(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<String> {
        let head = self.shared().head.read();
        let mut names = BTreeSet::new();
        for (_, series) in head.matching(matchers, start_ms, end_ms) {
            for (name, _) in series.labels.iter() {
                if !names.contains(name) {
                    names.insert(name.to_owned());
                }
            }
        }
        names.into_iter().collect()
    }

    /// Values of a label of these series, sorted.
    #[must_use]
    pub fn label_values(&self, name: &str, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<String> {
        let head = self.shared().head.read();
        if matchers.is_empty() {
            let in_range = |id: &u32| head.series(*id).is_some_and(|series| series.overlaps(start_ms, end_ms));
            let used = head.postings.values(name).filter(|(_, list)| list.iter().any(in_range));
            return used.map(|(value, _)| value.to_string()).collect();
        }
        let found = head.matching(matchers, start_ms, end_ms);
        let values: BTreeSet<&str> = found.iter().map(|(_, series)| series.labels.get(name)).collect();
        values.into_iter().filter(|value| !value.is_empty()).map(str::to_owned).collect()
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

/// How much data a selector finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Volume {
    /// Number of series.
    pub series: usize,
    /// Number of samples.
    pub samples: u64,
}

/// What an append waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// For the log.
    ForLog,
    Not,
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

    /// Appends a batch.
    fn append(
        &self,
        wait: Wait,
        batch: impl FnOnce(&mut Writer, &RwLock<Head>) -> Ingested,
    ) -> Result<Ingested, IngestError> {
        self.admit(wait)?;
        let ingested = batch(&mut self.writer.lock(), &self.head);
        let Some(disk) = &self.disk else {
            // There is no disk to write them to.
            self.head.write().unwritten.clear();
            return Ok(ingested);
        };
        let end = disk.log.end();
        if !self.head.read().unwritten.is_empty() || disk.log.wants_checkpoint() {
            disk.files_bell.ring();
        }
        match wait {
            Wait::ForLog => {
                if let Err(unwritten) = disk.log.write(end, self.options.patience) {
                    // Wakes the log thread to write the queue even if no further append comes.
                    disk.log_bell.ring();
                    return Err(refusal(disk, unwritten));
                }
            }
            Wait::Not => disk.log_bell.ring(),
        }
        Ok(ingested)
    }

    /// Says whether a batch may be taken. What waits for the disk is bounded, however long the disk takes.
    fn admit(&self, wait: Wait) -> Result<(), IngestError> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let unwritten = self.head.read().unwritten.len();
        let is_behind = disk.log.waiting() > self.options.max_waiting_bytes;
        match wait {
            Wait::ForLog => {
                if is_behind || disk.log.is_failing() {
                    disk.log
                        .write(disk.log.end(), self.options.patience)
                        .map_err(|unwritten| refusal(disk, unwritten))?;
                }
                if unwritten > MANY_UNWRITTEN {
                    // Whoever is writing chunks already is waited for.
                    drop(disk.chunks.try_lock_for(self.options.patience).ok_or_else(|| busy(disk))?);
                    self.write_sealed(disk)?;
                }
                Ok(())
            }
            Wait::Not if is_behind || unwritten > MAX_UNWRITTEN => Err(busy(disk)),
            Wait::Not => Ok(()),
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

/// Why a batch is refused that did not come into the log.
fn refusal(disk: &Disk, unwritten: Unwritten) -> IngestError {
    match unwritten {
        Unwritten::Refused(error) => error.into(),
        Unwritten::Late => busy(disk),
    }
}

fn busy(disk: &Disk) -> IngestError {
    IngestError::Busy { waiting_bytes: disk.log.waiting() }
}

/// A store that is appended to without waiting for the disk; see [`Store::unawaited`].
#[derive(Debug, Clone)]
pub struct Unawaited(Store);

impl SampleSink for Unawaited {
    fn append(&self, points: &[Point]) -> Result<AppendOutcome, SourceError> {
        let ingested = self.0.shared().append(Wait::Not, |writer, head| writer.append(head, points));
        Ok(ingested.map_err(source_error)?.outcome)
    }
}

impl SeriesSource for Store {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError> {
        let (pieces, files) = {
            let head = self.shared().head.read();
            let found = head.matching(matchers, start_ms, end_ms);
            let pieces: Vec<Pieces> = found.into_iter().map(|(_, series)| series.pieces(start_ms, end_ms)).collect();
            (pieces, head.files.clone())
        };
        let limit = self.shared().options.max_select_samples;
        if pieces.iter().map(|series| series.estimate(start_ms, end_ms)).sum::<u64>() > limit {
            let message =
                format!("the query would read more than {limit} samples; narrow its label matchers or its time range");
            return Err(SourceError { message, source: None });
        }
        Ok(read::decode(pieces, &files, start_ms, end_ms, &|damage| self.shared().report(damage)))
    }
}

impl SampleSink for Store {
    fn append(&self, points: &[Point]) -> Result<AppendOutcome, SourceError> {
        let ingested = self.shared().append(Wait::ForLog, |writer, head| writer.append(head, points));
        Ok(ingested.map_err(source_error)?.outcome)
    }
}

/// An error of the type that the traits require.
fn source_error(error: impl std::error::Error + Send + Sync + 'static) -> SourceError {
    SourceError { message: error.to_string(), source: Some(Arc::new(error)) }
}

#[cfg(test)]
mod tests;
