//! The write-ahead log: an append is written here before it is acknowledged.
//!
//! Appends put their frames into a queue and go on. A caller that needs them to be written writes the whole queue, so
//! that many appends share one write. The sync to disk follows later on another thread; if each append must wait for
//! it, the first waiting caller syncs for all.

mod checkpoint;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};

use super::{
    device::{Device, Request},
    directory::{numbered, sync_parent},
    journal::file_header,
    positioned::FileExt,
};
use crate::error::FileError;

/// A byte position in the stream of everything ever appended to this log.
pub(crate) type Position = u64;

/// Why frames are not, or not certainly, in the log.
#[derive(Debug)]
pub(crate) enum Unwritten {
    /// The disk returned an error. The frames stay in the queue.
    Refused(FileError),
    /// The disk did not answer in time.
    Late,
}

impl From<FileError> for Unwritten {
    fn from(error: FileError) -> Self {
        Unwritten::Refused(error)
    }
}

/// The log files of a data directory.
#[derive(Debug)]
pub(crate) struct Log {
    directory: PathBuf,
    device: Arc<Device>,
    /// Whether each append waits for the sync to disk.
    is_strict: bool,
    header: Vec<u8>,
    /// Only locked for an instant.
    queue: Mutex<Queue>,
    /// Locked while something is written; never by a caller that holds a lock that readers need.
    files: Mutex<Files>,
    /// Position up to which everything is synced. Locked during a sync.
    synced: Mutex<Position>,
    /// Copies of positions, for callers that must not wait for a lock.
    queued: AtomicU64,
    written: AtomicU64,
    bytes: AtomicU64,
    older: AtomicU64,
    checkpoint_bytes: AtomicU64,
    /// No checkpoint below this size, because the last one failed.
    deferred_until_bytes: AtomicU64,
    is_failing: AtomicBool,
}

/// Frames to write.
#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<u8>,
    end: Position,
}

#[derive(Debug)]
struct Files {
    /// The current file; created by the first append.
    current: Option<LogFile>,
    /// Older files since the last checkpoint.
    older: Vec<PathBuf>,
    older_bytes: u64,
    next_number: u64,
    /// Taken from the queue, but not written yet.
    taken: Vec<u8>,
    written: Position,
}

/// The current file.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: Arc<File>,
    bytes: u64,
    /// Whether its name survives a power cut.
    is_named: bool,
}

impl Log {
    /// A log that continues after the existing files. With a `sync_interval` of zero, [`Log::write`] waits for the
    /// sync.
    pub(crate) fn new(
        directory: PathBuf,
        sync_interval: Duration,
        out_of_order_ms: i64,
        device: Arc<Device>,
    ) -> Result<Self, FileError> {
        let found = numbered(&directory, "log")?;
        let next_number = found.last().map_or(1, |(last, _)| last + 1);
        let older: Vec<PathBuf> = found.into_iter().map(|(_, path)| path).collect();
        let older_bytes = older.iter().filter_map(|path| fs::metadata(path).ok()).map(|metadata| metadata.len()).sum();
        let files = Files { current: None, older, older_bytes, next_number, taken: Vec::new(), written: 0 };
        let log = Log {
            directory,
            device,
            is_strict: sync_interval.is_zero(),
            header: file_header(out_of_order_ms),
            queue: Mutex::default(),
            files: Mutex::new(files),
            synced: Mutex::default(),
            queued: AtomicU64::new(0),
            written: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            older: AtomicU64::new(0),
            checkpoint_bytes: AtomicU64::new(0),
            deferred_until_bytes: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
        };
        log.note(&log.files.lock());
        Ok(log)
    }

    /// Size of all log files in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes in the queue.
    pub(crate) fn waiting(&self) -> u64 {
        self.queued.load(Ordering::Acquire).saturating_sub(self.written.load(Ordering::Acquire))
    }

    /// Whether the last write failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Appends frames to the queue, and returns the position after them. Does not block. Calls must be in the order in
    /// which the frames depend on each other.
    pub(crate) fn queue(&self, frames: Vec<u8>) -> Position {
        let mut queue = self.queue.lock();
        queue.end += length(&frames);
        if queue.waiting.is_empty() {
            queue.waiting = frames;
        } else {
            queue.waiting.extend_from_slice(&frames);
        }
        self.queued.store(queue.end, Ordering::Release);
        queue.end
    }

    /// The position after everything in the queue.
    pub(crate) fn end(&self) -> Position {
        self.queued.load(Ordering::Acquire)
    }

    /// Waits until everything before a position survives the end of the process and, if the log is strict, a power cut.
    pub(crate) fn write(&self, position: Position, patience: Duration) -> Result<(), Unwritten> {
        if self.written.load(Ordering::Acquire) < position {
            let mut files = self.files.try_lock_for(patience).ok_or(Unwritten::Late)?;
            if files.written < position {
                self.write_waiting(&mut files)?;
            }
        }
        if self.is_strict {
            let synced = self.synced.try_lock_for(patience).ok_or(Unwritten::Late)?;
            if *synced < position {
                self.sync_written(synced)?;
            }
        }
        Ok(())
    }

    /// Writes the whole queue, without a timeout.
    pub(crate) fn write_all(&self) -> Result<(), FileError> {
        self.write_waiting(&mut self.files.lock())
    }

    /// Writes the whole queue.
    fn write_waiting(&self, files: &mut Files) -> Result<(), FileError> {
        // Twice, because `taken` may hold the rest of a failed write.
        for _ in 0..2 {
            if files.taken.is_empty() {
                files.taken = std::mem::take(&mut self.queue.lock().waiting);
            }
            if files.taken.is_empty() {
                break;
            }
            let written = self.write_taken(files);
            self.is_failing.store(written.is_err(), Ordering::Relaxed);
            self.note(files);
            written?;
        }
        Ok(())
    }

    /// Writes at the end of the file; on an error the end does not move.
    fn write_taken(&self, files: &mut Files) -> Result<(), FileError> {
        let current = match files.current.take() {
            Some(current) => current,
            None => {
                let path = self.path(files.next_number);
                let started = self.device.ask(Request::Write, &path, || start_file(&path, &self.header))?;
                files.next_number += 1;
                started
            }
        };
        let current = files.current.insert(current);
        let end = current.bytes;
        let taken = &files.taken;
        let written = self.device.ask(Request::Write, &current.path, || current.file.write_all_at(taken, end));
        if let Err(error) = written {
            if let Err(cut) = current.file.set_len(end) {
                // The next write overwrites the incomplete one; until then a start finds a torn end.
                tracing::warn!(path = %current.path.display(), error = %cut, "cannot cut off an incomplete write");
            }
            return Err(error);
        }
        let added = length(taken);
        current.bytes += added;
        files.written += added;
        files.taken = Vec::new();
        Ok(())
    }

    /// Syncs everything that is written.
    pub(crate) fn sync(&self) -> Result<(), FileError> {
        self.sync_written(self.synced.lock())
    }

    fn sync_written(&self, mut synced: MutexGuard<Position>) -> Result<(), FileError> {
        let (file, path, is_named, position) = {
            let files = self.files.lock();
            let Some(current) = &files.current else { return Ok(()) };
            (Arc::clone(&current.file), current.path.clone(), current.is_named, files.written)
        };
        if *synced == position && is_named {
            return Ok(());
        }
        // Appends go on meanwhile.
        self.device.ask(Request::Sync, &path, || {
            file.sync_data()?;
            if is_named { Ok(()) } else { sync_parent(&path) }
        })?;
        *synced = (*synced).max(position);
        if !is_named && let Some(current) = self.files.lock().current.as_mut().filter(|current| current.path == path) {
            current.is_named = true;
        }
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:08}.log"))
    }

    /// Updates the copies of the positions.
    fn note(&self, files: &Files) {
        self.written.store(files.written, Ordering::Release);
        let bytes = files.older_bytes + files.current.as_ref().map_or(0, |current| current.bytes);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.older.store(u64::try_from(files.older.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Creates a log file with its header.
fn start_file(path: &Path, header: &[u8]) -> io::Result<LogFile> {
    let file = File::options().create(true).truncate(true).read(true).write(true).open(path)?;
    if let Err(error) = file.write_all_at(header, 0) {
        // Without its header it would be reported as damaged.
        let _ = fs::remove_file(path);
        return Err(error);
    }
    Ok(LogFile { path: path.to_owned(), file: Arc::new(file), bytes: length(header), is_named: false })
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
