//! The handle.

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

/// Damages remembered for [`Store::damage`] at most.
const MAX_DAMAGE: usize = 1_000;

/// Series with sealed chunks that may wait to be written, before appends that wait for the disk anyway wait for them too.
const MANY_UNWRITTEN: usize = 32_768;
/// The same, before other appends are refused.
const MAX_UNWRITTEN: usize = 8 * MANY_UNWRITTEN;

/// A time series store; a cheap handle that any number of threads may use at once. One appends at a time; readers wait for nothing that is
/// written. The last handle to go closes the files.
#[derive(Debug, Clone)]
pub struct Store(Arc<Keepers>);

/// The inside of a store.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: StoreOptions,
    pub(crate) head: RwLock<Head>,
    /// Appends to times that had been read.
    pub(crate) late: Arc<LateLog>,
    /// Never held while the disk is written. Taken before the head's lock.
    pub(crate) writer: Mutex<Writer>,
    /// `None` if nothing is kept beyond the process.
    pub(crate) disk: Option<Disk>,
    /// Held by the one that does what is due from time to time. Taken before all other locks.
    pub(crate) upkeep: Mutex<Upkeep>,
    /// Time of the newest sample when memory was last released.
    pub(crate) released_at: Mutex<i64>,
    damage: Mutex<Vec<Damage>>,
}

/// When what is due from time to time was last done.
#[derive(Debug)]
pub(crate) struct Upkeep {
    /// Time of the newest sample when idle series were last sealed.
    pub(crate) sealed_idle_at: i64,
    pub(crate) clock: Clock,
}

/// The files.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) log: Arc<Log>,
    /// Held while sealed chunks are written. Taken before the writer's lock.
    pub(crate) chunks: Mutex<ChunkWriter>,
    pub(crate) device: Arc<Device>,
    /// There is something for the log that nobody waits for.
    pub(crate) log_bell: Bell,
    /// There are sealed chunks, or a checkpoint is due.
    pub(crate) files_bell: Bell,
    /// Holds the lock of the directory: the last to go.
    pub(crate) directory: Directory,
}

impl Store {
    /// Opens the store of a directory, which is made if it does not exist. What is damaged in it is set aside and told by
    /// [`Store::damage`]; it never keeps a store from opening.
    ///
    /// # Errors
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

    /// Opens the store of a directory as [`Store::open`] does, after removing what is in it.
    ///
    /// # Errors
    /// As for [`Store::open`]; a directory that is in use by another process is left as it is.
    pub fn open_emptied(directory: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        Self::open_locked(Directory::open_emptied(directory)?, options)
    }

    /// A store that forgets everything with its last handle, for tests.
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

    /// Appends samples of either kind, in order, and tells of each one that was not stored why; those that are not stored are no
    /// error. What is acknowledged survives the end of the process, in whatever way it comes. A sample that is there already with the
    /// same value counts as stored.
    ///
    /// # Errors
    /// Nothing of the batch is acknowledged: the disk is full or broken, or does not keep up. It may be seen by readers already; given
    /// once more, it counts as stored.
    pub fn ingest(&self, batch: &[Incoming]) -> Result<Ingested, IngestError> {
        self.shared().append(Wait::ForLog, |writer, head| writer.ingest(head, batch))
    }

    /// Appends samples as [`Store::ingest`] does, without waiting for the disk: readers see them at once, and they survive the end of the
    /// process as soon as the disk has taken them. For what is measured again before anyone could send it again.
    ///
    /// # Errors
    /// Nothing of the batch is stored: the disk has not kept up for so long that no more may wait for it.
    pub fn ingest_unawaited(&self, batch: &[Incoming]) -> Result<Ingested, IngestError> {
        self.shared().append(Wait::Not, |writer, head| writer.ingest(head, batch))
    }

    /// The store as a sink whose appends do not wait for the disk, as [`Store::ingest_unawaited`].
    #[must_use]
    pub fn unawaited(&self) -> Unawaited {
        Unawaited(self.clone())
    }

    /// Labels of the series that fulfil every matcher and have a chunk that touches `start_ms..=end_ms`, sorted.
    #[must_use]
    pub fn series(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<Labels> {
        let head = self.shared().head.read();
        let mut found: Vec<Labels> =
            head.matching(matchers, start_ms, end_ms).into_iter().map(|(_, series)| series.labels.clone()).collect();
        drop(head);
        found.sort_unstable();
        found
    }

    /// About how much these series have in `start_ms..=end_ms`. No sample is read for it.
    #[must_use]
    pub fn volume(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Volume {
        let head = self.shared().head.read();
        head.matching(matchers, start_ms, end_ms).into_iter().fold(Volume::default(), |volume, (_, series)| Volume {
            series: volume.series + 1,
            samples: volume.samples.saturating_add(series.samples_within(start_ms, end_ms)),
        })
    }

    /// Folds over the series that fulfil every matcher and have a chunk that touches `start_ms..=end_ms`: their labels, and the time of the
    /// first sample that is stored of them at all, in milliseconds since the Unix epoch. Appends wait meanwhile.
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

    /// Names of the labels that these series have, sorted.
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

    /// Values that a label has in these series, sorted.
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

    /// What is known about metric families, sorted by family.
    #[must_use]
    pub fn metadata(&self) -> Vec<(String, Metadata)> {
        self.shared().head.read().metadata.iter().map(|(family, about)| (family.clone(), about.clone())).collect()
    }

    /// How many metric families something is known about.
    #[must_use]
    pub fn family_count(&self) -> usize {
        self.shared().head.read().metadata.len()
    }

    /// Sets what is known about metric families, without waiting for the disk; what is known already costs nothing.
    ///
    /// # Errors
    /// Nothing of it is known: the disk has not kept up for so long that no more may wait for it.
    pub fn set_metadata(&self, families: &[(String, Metadata)]) -> Result<(), SourceError> {
        let shared = self.shared();
        shared.admit(Wait::Not).map_err(source_error)?;
        shared.writer.lock().set_metadata(&shared.head, families);
        shared.disk.iter().for_each(|disk| disk.log_bell.ring());
        Ok(())
    }

    /// Forces everything to the disk itself.
    ///
    /// # Errors
    /// The disk is full or broken. What was acknowledged is in the log nevertheless.
    pub fn flush(&self) -> Result<(), SourceError> {
        let shared = self.shared();
        shared.disk.as_ref().map_or(Ok(()), |disk| shared.flush(disk)).map_err(source_error)
    }

    /// Removes what is older than the retention or more than the limit, merges files, and does other work that is due; to be called
    /// every minute or so with the time of the clock, on a thread that may be busy for a second. Gives the number of files removed.
    ///
    /// # Errors
    /// A file could not be written or removed; what is due stays due.
    pub fn run_retention(&self, now_ms: i64) -> Result<usize, SourceError> {
        self.shared().run_retention(now_ms).map_err(source_error)
    }

    /// Makes a directory that is a copy of the store at one moment, as much of it as `extent` says; another store can open it.
    /// Appends and readers go on meanwhile; what is appended from the call on may be in it or not.
    ///
    /// # Errors
    /// The directory exists already or could not be written, and nothing is left of it; or the store is in memory only.
    pub fn snapshot(&self, to: &Path, extent: Extent) -> Result<(), SourceError> {
        match &self.shared().disk {
            Some(disk) => self.shared().snapshot(disk, to, extent).map_err(source_error),
            None => {
                let message = "the store keeps nothing on disk that could be copied".to_owned();
                Err(SourceError { message, source: None })
            }
        }
    }

    /// Notes from now on what is appended to times up to `until_ms`, milliseconds since the Unix epoch. To be called before these times
    /// are read by somebody who wants to know, by [`Store::late_since`], when what was read has changed.
    pub fn reads(&self, until_ms: i64) {
        self.shared().late.reads(until_ms);
    }

    /// What was appended since `mark` to times that somebody had [read](Store::reads), and the mark to come back with. It may say too much,
    /// never too little.
    #[must_use]
    pub fn late_since(&self, mark: LateMark) -> (LateAppends, LateMark) {
        self.shared().late.since(mark)
    }

    /// How much there is.
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

    /// When the disk last took something, since the store was opened.
    #[must_use]
    pub fn written_at(&self) -> Option<SystemTime> {
        self.shared().disk.as_ref().and_then(|disk| disk.device.written_at())
    }

    /// Why the disk does not take what is written now, if it does not; names no file. It is tried again until it works.
    #[must_use]
    pub fn write_failure(&self) -> Option<String> {
        self.shared().disk.as_ref().and_then(|disk| disk.device.failure())
    }

    /// Which metrics and labels have the most series, at most `limit` of each, the most first.
    #[must_use]
    pub fn cardinality(&self, limit: usize) -> Cardinality {
        Cardinality::of(&self.shared().head.read(), limit)
    }

    /// What was found damaged since the store was opened, while opening it included.
    #[must_use]
    pub fn damage(&self) -> Vec<Damage> {
        self.shared().damage.lock().clone()
    }

    fn shared(&self) -> &Shared {
        self.0.shared()
    }
}

/// How much a selector finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Volume {
    /// Series.
    pub series: usize,
    /// Samples of all of them.
    pub samples: u64,
}

/// What an append waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// That it is in the log.
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
            // Nobody will write them.
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
                    // What waits is to be written even if nothing more comes.
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

/// An error in the form that the traits ask for.
fn source_error(error: impl std::error::Error + Send + Sync + 'static) -> SourceError {
    SourceError { message: error.to_string(), source: Some(Arc::new(error)) }
}

#[cfg(test)]
mod tests;
