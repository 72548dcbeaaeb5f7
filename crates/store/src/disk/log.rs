//! The log: every append is written here before it counts.

use std::{
    collections::HashSet,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    directory::{numbered, replace, sync_parent},
    frame::{Kind, put_frame},
    record::{put_histograms, put_log_header, put_samples, put_series, put_unsealed, put_unsealed_histograms},
};
use crate::{
    error::{FileError, OnFile},
    head::{Head, Part},
    metadata::{self, Metadata},
    postings::SeriesId,
    series::Series,
};

/// Samples in one frame at most: what one damaged place can cost.
const FRAME_SAMPLES: usize = 2_048;
/// Bytes of histograms after which a frame takes no more.
const FRAME_HISTOGRAM_BYTES: usize = 256 * 1_024;
/// The log is due for a checkpoint at this size, or at twice the size of the last checkpoint if that is more.
const CHECKPOINT_BYTES: u64 = 4 * 1_024 * 1_024;
/// Log files after which a checkpoint is due, whatever their size.
const CHECKPOINT_FILES: usize = 8;
/// Buffer kept between appends.
const BUFFER_BYTES: usize = 256 * 1_024;

/// The log files of a data directory.
#[derive(Debug)]
pub(crate) struct Log {
    directory: PathBuf,
    /// The file that grows; made by the first append.
    current: Option<LogFile>,
    /// Older files since the last checkpoint.
    older: Vec<PathBuf>,
    older_bytes: u64,
    next_number: u64,
    checkpoint_bytes: u64,
    /// No checkpoint below this size, because the last one failed.
    deferred_until_bytes: u64,
    sync_interval: Duration,
    /// What the header of each file tells.
    out_of_order_ms: i64,
    buffer: Vec<u8>,
}

/// The file that grows.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Series whose labels are in this file.
    defined: HashSet<SeriesId>,
    /// When what is not yet forced to the disk was first written; `None` if there is nothing.
    unsynced_since: Option<Instant>,
}

impl Log {
    /// A log that goes on after the files there are.
    pub(crate) fn new(directory: PathBuf, sync_interval: Duration, out_of_order_ms: i64) -> Result<Self, FileError> {
        let found = numbered(&directory, "log")?;
        let next_number = found.last().map_or(1, |(last, _)| last + 1);
        let older: Vec<PathBuf> = found.into_iter().map(|(_, path)| path).collect();
        let older_bytes = older.iter().filter_map(|path| fs::metadata(path).ok()).map(|metadata| metadata.len()).sum();
        Ok(Log {
            directory,
            current: None,
            older,
            older_bytes,
            next_number,
            checkpoint_bytes: 0,
            deferred_until_bytes: 0,
            sync_interval,
            out_of_order_ms,
            buffer: Vec::new(),
        })
    }

    /// Bytes of all log files.
    pub(crate) fn bytes(&self) -> u64 {
        self.older_bytes + self.current.as_ref().map_or(0, |current| current.bytes)
    }

    /// Whether it is time for a checkpoint.
    pub(crate) fn wants_checkpoint(&self) -> bool {
        let limit = CHECKPOINT_BYTES.max(self.checkpoint_bytes.saturating_mul(2)) + self.checkpoint_bytes;
        self.bytes() >= self.deferred_until_bytes && (self.bytes() > limit || self.older.len() >= CHECKPOINT_FILES)
    }

    /// After a failed checkpoint: the next one is due when the log has grown a good deal.
    pub(crate) fn defer_checkpoint(&mut self) {
        self.deferred_until_bytes = self.bytes() + CHECKPOINT_BYTES / 4;
    }

    /// Writes samples. `series_of` gives a series as it is without them. On an error nothing of it is in the log.
    pub(crate) fn append<'a>(
        &mut self,
        parts: &[Part],
        series_of: impl Fn(SeriesId) -> Option<&'a Series>,
    ) -> Result<(), FileError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut new = Vec::new();
        let current = self.current()?;
        for id in parts.iter().flat_map(Part::ids) {
            if current.defined.insert(id) {
                new.push(id);
                if let Some(Series { labels, newest, histograms, .. }) = series_of(id) {
                    put_frame(&mut buffer, Kind::Series, |out| put_series(out, id, labels, *newest));
                    if let Some(histograms) = histograms {
                        put_frame(&mut buffer, Kind::UnsealedHistograms, |out| {
                            put_unsealed_histograms(out, id, histograms, false);
                        });
                    }
                }
            }
        }
        for part in parts {
            match part {
                Part::Floats(entries) => {
                    for some in entries.chunks(FRAME_SAMPLES) {
                        put_frame(&mut buffer, Kind::Samples, |out| put_samples(out, some));
                    }
                }
                Part::Histograms(entries) => {
                    let mut rest = *entries;
                    while !rest.is_empty() {
                        let mut written = 0;
                        put_frame(&mut buffer, Kind::Histograms, |out| {
                            written = put_histograms(out, rest, FRAME_HISTOGRAM_BYTES);
                        });
                        rest = rest.get(written..).unwrap_or_default();
                    }
                }
            }
        }
        let written = self.write(&buffer);
        if written.is_err()
            && let Some(current) = &mut self.current
        {
            new.iter().for_each(|id| {
                current.defined.remove(id);
            });
        }
        buffer.clear();
        buffer.shrink_to(BUFFER_BYTES);
        self.buffer = buffer;
        written
    }

    /// Writes what is said about metric families.
    pub(crate) fn append_metadata<'a>(
        &mut self,
        families: impl Iterator<Item = (&'a str, &'a Metadata)>,
    ) -> Result<(), FileError> {
        let mut buffer = Vec::new();
        for (family, about) in families {
            put_frame(&mut buffer, Kind::Metadata, |out| metadata::encode(out, family, about));
        }
        self.current()?;
        self.write(&buffer)
    }

    /// All files, the growing one last.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.older.iter().map(PathBuf::as_path).chain(self.current.as_ref().map(|current| current.path.as_path()))
    }

    /// Forces everything to the disk.
    pub(crate) fn sync(&mut self) -> Result<(), FileError> {
        match self.current.as_mut().filter(|current| current.unsynced_since.is_some()) {
            Some(current) => {
                current.file.sync_data().on_file("sync", &current.path)?;
                current.unsynced_since = None;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Begins a new log with the unsealed samples of all series and removes the older files. All sealed chunks must be on disk.
    pub(crate) fn checkpoint(&mut self, head: &Head) -> Result<(), FileError> {
        let mut content = new_file(self.out_of_order_ms);
        put_frame(&mut content, Kind::Checkpoint, |_| {});
        for (family, about) in &head.metadata {
            put_frame(&mut content, Kind::Metadata, |out| metadata::encode(out, family, about));
        }
        let mut defined = HashSet::new();
        for (id, series) in head.iter().filter(|(_, series)| series.unsealed_samples() > 0) {
            put_frame(&mut content, Kind::Series, |out| put_series(out, id, &series.labels, series.newest));
            put_frame(&mut content, Kind::Unsealed, |out| put_unsealed(out, id, series));
            if let Some(histograms) = &series.histograms {
                put_frame(&mut content, Kind::UnsealedHistograms, |out| {
                    put_unsealed_histograms(out, id, histograms, true);
                });
            }
            defined.insert(id);
        }
        let path = self.next_path();
        let file = replace(&path, &content)?;
        self.next_number += 1;
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let started = LogFile { path, file, bytes, defined, unsynced_since: None };
        let outdated: Vec<PathBuf> =
            self.older.drain(..).chain(self.current.replace(started).map(|before| before.path)).collect();
        self.older_bytes = 0;
        self.checkpoint_bytes = bytes;
        self.deferred_until_bytes = 0;
        for path in outdated {
            // One that stays is ignored by the next start, because a later file has a checkpoint, and then removed.
            fs::remove_file(&path).on_file("remove", &path)?;
        }
        Ok(())
    }

    /// The file that grows.
    fn current(&mut self) -> Result<&mut LogFile, FileError> {
        let started = match self.current.take() {
            Some(current) => current,
            None => {
                let path = self.next_path();
                let started = start_file(&path, self.out_of_order_ms).on_file("write", &path)?;
                self.next_number += 1;
                started
            }
        };
        Ok(self.current.insert(started))
    }

    /// Writes at the end; on an error the end stays where it was.
    fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        let sync_interval = self.sync_interval;
        let current = self.current()?;
        let end = current.bytes;
        if let Err(error) = current.file.write_all_at(bytes, end) {
            if let Err(cut) = current.file.set_len(end) {
                // The next append overwrites what is there; until then a start finds a torn end.
                tracing::warn!(path = %current.path.display(), error = %cut, "cannot cut off an incomplete append");
            }
            return Err(error).on_file("write", &current.path);
        }
        current.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let since = *current.unsynced_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= sync_interval {
            current.file.sync_data().on_file("sync", &current.path)?;
            current.unsynced_since = None;
        }
        Ok(())
    }

    fn next_path(&self) -> PathBuf {
        self.directory.join(format!("{:08}.log", self.next_number))
    }
}

/// Makes a log file with its header.
fn start_file(path: &Path, out_of_order_ms: i64) -> std::io::Result<LogFile> {
    let header = new_file(out_of_order_ms);
    let file = File::options().create(true).truncate(true).read(true).write(true).open(path)?;
    if let Err(error) = file.write_all_at(&header, 0).and_then(|()| sync_parent(path)) {
        // Without its header it would be found damaged.
        let _ = fs::remove_file(path);
        return Err(error);
    }
    let bytes = u64::try_from(header.len()).unwrap_or(0);
    Ok(LogFile { path: path.to_owned(), file, bytes, defined: HashSet::new(), unsynced_since: None })
}

/// What every log file begins with.
fn new_file(out_of_order_ms: i64) -> Vec<u8> {
    let mut header = Vec::new();
    put_frame(&mut header, Kind::Header, |out| put_log_header(out, out_of_order_ms));
    header
}
