//! The handle.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use parking_lot::{Mutex, RwLock};
use promql::{
    labels::Labels,
    matcher::Matcher,
    source::{AppendOutcome, Point, SampleSink, SeriesSamples, SeriesSource, SourceError},
};

use crate::{
    cardinality::Cardinality,
    damage::Damage,
    disk::Directory,
    error::{FileError, OnFile, OpenError},
    head::Head,
    ingest::{Incoming, IngestError, Ingested},
    metadata::Metadata,
    options::StoreOptions,
    read,
    series::Pieces,
    snapshot::Extent,
    stats::Stats,
    writer::Writer,
};

/// Damages remembered for [`Store::damage`] at most.
const MAX_DAMAGE: usize = 1_000;

/// A time series store; a cheap handle that any number of threads may use at once. One appends at a time, readers do not wait for
/// the disk of writers. The last handle to go closes the files.
#[derive(Debug, Clone)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: StoreOptions,
    head: RwLock<Head>,
    writer: Mutex<Writer>,
    /// Held by the one that does what is due from time to time. Taken before the writer's lock.
    upkeep: Mutex<()>,
    damage: Mutex<Vec<Damage>>,
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
        let head = RwLock::new(Head::default());
        let (writer, damage) = Writer::open(directory, &head, options.clone())?;
        Ok(Store(Arc::new(Shared {
            options,
            head,
            writer: Mutex::new(writer),
            upkeep: Mutex::default(),
            damage: Mutex::new(damage),
        })))
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
        let writer = Mutex::new(Writer::in_memory(options.clone()));
        Store(Arc::new(Shared {
            options,
            head: RwLock::default(),
            writer,
            upkeep: Mutex::default(),
            damage: Mutex::default(),
        }))
    }

    /// The settings it was opened with.
    #[must_use]
    pub fn options(&self) -> &StoreOptions {
        &self.0.options
    }

    /// Appends samples of either kind, in order, and tells of each one that was not stored why; those that are not stored are no
    /// error. What is acknowledged survives the end of the process, in whatever way it comes. A sample that is there already with the
    /// same value counts as stored.
    ///
    /// # Errors
    /// Nothing of the batch is stored: the disk is full or broken.
    pub fn ingest(&self, batch: &[Incoming]) -> Result<Ingested, IngestError> {
        self.0.writer.lock().ingest(&self.0.head, batch)
    }

    /// Labels of the series that fulfil every matcher and have a chunk that touches `start_ms..=end_ms`, sorted.
    #[must_use]
    pub fn series(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<Labels> {
        let head = self.0.head.read();
        let mut found: Vec<Labels> =
            head.matching(matchers, start_ms, end_ms).into_iter().map(|(_, series)| series.labels.clone()).collect();
        drop(head);
        found.sort_unstable();
        found
    }

    /// Names of the labels that these series have, sorted.
    #[must_use]
    pub fn label_names(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<String> {
        let head = self.0.head.read();
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
        let head = self.0.head.read();
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
        self.0.head.read().metadata.iter().map(|(family, about)| (family.clone(), about.clone())).collect()
    }

    /// Sets what is known about metric families; what is known already costs nothing.
    ///
    /// # Errors
    /// It could not be written; nothing of it is known then.
    pub fn set_metadata(&self, families: &[(String, Metadata)]) -> Result<(), SourceError> {
        self.0.writer.lock().set_metadata(&self.0.head, families).map_err(source_error)
    }

    /// Forces everything to the disk itself.
    ///
    /// # Errors
    /// The disk is full or broken. What was acknowledged is in the log nevertheless.
    pub fn flush(&self) -> Result<(), SourceError> {
        self.0.writer.lock().flush(&self.0.head).map_err(source_error)
    }

    /// Removes what is older than the retention or more than the limit, merges files, and does other work that is due; to be called
    /// every minute or so with the time of the clock, on a thread that may be busy for a second. Gives the number of files removed.
    ///
    /// # Errors
    /// A file could not be written or removed; what is due stays due.
    pub fn run_retention(&self, now_ms: i64) -> Result<usize, SourceError> {
        let _upkeep = self.0.upkeep.lock();
        let removed = self.0.writer.lock().run_retention(&self.0.head, now_ms).map_err(source_error)?;
        self.compact().map_err(source_error)?;
        Ok(removed)
    }

    /// Merges files, if that is worth it. Appends and readers go on meanwhile: the files do not change.
    fn compact(&self) -> Result<(), FileError> {
        let planned = self.0.writer.lock().plan_compaction(&self.0.head);
        let Some((plan, number, path)) = planned else { return Ok(()) };
        let damaged = Mutex::new(BTreeSet::new());
        let compacted = plan.write(number, &path, &|damage| {
            damaged.lock().insert(damage.file.clone());
            self.report(damage);
        })?;
        let replaced = compacted.install(&mut self.0.head.write());
        for path in damaged.into_inner() {
            self.0.writer.lock().set_aside(&path)?;
        }
        for file in replaced {
            // One that stays is removed by the next start, because the new file says that it takes its place.
            fs::remove_file(&file.path).on_file("remove", &file.path)?;
        }
        Ok(())
    }

    /// Makes a directory that is a copy of the store at one moment, as much of it as `extent` says; another store can open it.
    /// Appends wait meanwhile, which is short where the copy is on the same disk.
    ///
    /// # Errors
    /// The directory exists already or could not be written, and nothing is left of it; or the store is in memory only.
    pub fn snapshot(&self, to: &Path, extent: Extent) -> Result<(), SourceError> {
        let _upkeep = self.0.upkeep.lock();
        if self.0.writer.lock().snapshot(&self.0.head, to, extent).map_err(source_error)? {
            return Ok(());
        }
        Err(SourceError { message: "the store keeps nothing on disk that could be copied".to_owned(), source: None })
    }

    /// How much there is.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let log_bytes = self.0.writer.lock().log_bytes();
        Stats::of(&self.0.head.read(), log_bytes)
    }

    /// Which metrics and labels have the most series, at most `limit` of each, the most first.
    #[must_use]
    pub fn cardinality(&self, limit: usize) -> Cardinality {
        Cardinality::of(&self.0.head.read(), limit)
    }

    /// What was found damaged since the store was opened, while opening it included.
    #[must_use]
    pub fn damage(&self) -> Vec<Damage> {
        self.0.damage.lock().clone()
    }

    fn report(&self, damage: Damage) {
        let mut known = self.0.damage.lock();
        if known.len() < MAX_DAMAGE && !known.contains(&damage) {
            tracing::warn!(%damage, "damaged data was left out");
            known.push(damage);
        }
    }
}

impl SeriesSource for Store {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError> {
        let (pieces, files) = {
            let head = self.0.head.read();
            let found = head.matching(matchers, start_ms, end_ms);
            let pieces: Vec<Pieces> = found.into_iter().map(|(_, series)| series.pieces(start_ms, end_ms)).collect();
            (pieces, head.files.clone())
        };
        let limit = self.0.options.max_select_samples;
        if pieces.iter().map(|series| series.estimate(start_ms, end_ms)).sum::<u64>() > limit {
            let message =
                format!("the query would read more than {limit} samples; narrow its label matchers or its time range");
            return Err(SourceError { message, source: None });
        }
        Ok(read::decode(pieces, &files, start_ms, end_ms, &|damage| self.report(damage)))
    }
}

impl SampleSink for Store {
    fn append(&self, points: &[Point]) -> Result<AppendOutcome, SourceError> {
        let ingested = self.0.writer.lock().append(&self.0.head, points).map_err(source_error)?;
        Ok(ingested.outcome)
    }
}

/// An error in the form that the traits ask for.
fn source_error(error: impl std::error::Error + Send + Sync + 'static) -> SourceError {
    SourceError { message: error.to_string(), source: Some(Arc::new(error)) }
}
