//! Checkpoints: one takes the place of everything before it in the log, while appends go on.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use super::{
    super::{device::Request, directory::sync_parent, positioned::FileExt},
    Files, Log, LogFile, Position, length,
};
use crate::error::{FileError, OnFile};

/// A checkpoint is due at this size, or at twice the size of the last checkpoint if that is more.
const CHECKPOINT_BYTES: u64 = 4 * 1_024 * 1_024;
/// Number of log files at which a checkpoint is due, regardless of their size.
const CHECKPOINT_FILES: usize = 8;
/// Bytes to copy at once from one log file to the next.
const COPY_BYTES: usize = 1_024 * 1_024;
/// Maximum number of bytes to copy while appends wait, approximately.
const LAST_COPY_BYTES: u64 = 64 * 1_024;
/// Number of copy rounds before appends wait for the rest, regardless of its size.
const COPY_ROUNDS: usize = 8;

impl Log {
    /// Whether a checkpoint is due.
    pub(crate) fn wants_checkpoint(&self) -> bool {
        let (bytes, last) = (self.bytes(), self.checkpoint_bytes.load(Ordering::Relaxed));
        let limit = CHECKPOINT_BYTES.max(last.saturating_mul(2)).saturating_add(last);
        let many = self.older.load(Ordering::Relaxed) >= u64::try_from(CHECKPOINT_FILES).unwrap_or(u64::MAX);
        bytes >= self.deferred_until_bytes.load(Ordering::Relaxed) && (bytes > limit || many)
    }

    /// After a failed checkpoint: the next one is due when the log has grown a good deal.
    pub(crate) fn defer_checkpoint(&self) {
        self.deferred_until_bytes.store(self.bytes() + CHECKPOINT_BYTES / 4, Ordering::Relaxed);
    }

    /// Replaces the log up to `taken_at` by a checkpoint taken there; later frames follow it. Everything before that
    /// position must be written, and all chunks that were sealed then must be on disk. Appends only wait while a short
    /// rest is copied.
    pub(crate) fn install_checkpoint(&self, content: &[u8], taken_at: Position) -> Result<(), FileError> {
        let (path, unfinished) = {
            let mut files = self.files.lock();
            let path = self.path(files.next_number);
            files.next_number += 1;
            (path.clone(), path.with_extension("tmp"))
        };
        let installed = self.copy_over(content, taken_at, &unfinished, &path);
        match installed {
            Ok(outdated) => {
                self.device.ask(Request::Sync, &path, || sync_parent(&path))?;
                self.checkpoint_bytes.store(length(content), Ordering::Relaxed);
                self.deferred_until_bytes.store(0, Ordering::Relaxed);
                for path in outdated {
                    // The next start ignores and then removes a leftover, because a later file has a checkpoint.
                    fs::remove_file(&path).on_file("remove", &path)?;
                }
                Ok(())
            }
            Err(error) => {
                // A leftover only wastes space; if this fails, the next start removes it.
                let _ = fs::remove_file(&unfinished);
                Err(error)
            }
        }
    }

    /// Writes the new file and switches appends to it; returns the replaced files.
    fn copy_over(
        &self,
        content: &[u8],
        taken_at: Position,
        unfinished: &Path,
        path: &Path,
    ) -> Result<Vec<PathBuf>, FileError> {
        let file = self.device.ask(Request::Write, unfinished, || {
            let file = File::options().create(true).truncate(true).read(true).write(true).open(unfinished)?;
            file.write_all_at(content, 0)?;
            Ok(file)
        })?;
        let mut bytes = length(content);
        let mut copied_to = taken_at;
        let mut round = 0;
        loop {
            round += 1;
            self.device.ask(Request::Sync, unfinished, || file.sync_data())?;
            let last = |written: Position| round >= COPY_ROUNDS || written.saturating_sub(copied_to) <= LAST_COPY_BYTES;
            let mut files = self.files.lock();
            if last(files.written) {
                let file = Arc::new(file);
                return self.switch(&mut files, file, bytes, copied_to, path, unfinished);
            }
            let (source, from, until) = files.since(copied_to);
            drop(files);
            bytes += copy(&source, from, until, &file, bytes).on_file("write", unfinished)?;
            copied_to += until.saturating_sub(from);
        }
    }

    /// Copies the rest and switches appends to the new file.
    fn switch(
        &self,
        files: &mut Files,
        file: Arc<File>,
        mut bytes: u64,
        copied_to: Position,
        path: &Path,
        unfinished: &Path,
    ) -> Result<Vec<PathBuf>, FileError> {
        if files.written > copied_to {
            let (source, from, until) = files.since(copied_to);
            bytes += copy(&source, from, until, &file, bytes).on_file("write", unfinished)?;
            if self.is_strict {
                // It was synced in the old file, so it must be in the new one too.
                self.device.ask(Request::Sync, unfinished, || file.sync_data())?;
            }
        }
        fs::rename(unfinished, path).on_file("write", path)?;
        let started = LogFile { path: path.to_owned(), file, bytes, is_named: false };
        let replaced = files.current.replace(started).map(|before| before.path);
        let outdated = files.older.drain(..).chain(replaced).collect();
        files.older_bytes = 0;
        self.note(files);
        Ok(outdated)
    }
}

impl Files {
    /// The range of the current file that holds everything since a position; empty if there is no such file.
    fn since(&self, position: Position) -> (Option<Arc<File>>, u64, u64) {
        let Some(current) = &self.current else { return (None, 0, 0) };
        let from = current.bytes.saturating_sub(self.written.saturating_sub(position));
        (Some(Arc::clone(&current.file)), from, current.bytes)
    }
}

/// Copies a range of a log file to a position in the next one; returns its length.
fn copy(source: &Option<Arc<File>>, from: u64, until: u64, target: &File, at: u64) -> io::Result<u64> {
    let Some(source) = source else { return Ok(0) };
    let mut copied = 0;
    let whole = until.saturating_sub(from);
    while copied < whole {
        let size = usize::try_from(whole - copied).unwrap_or(COPY_BYTES).min(COPY_BYTES);
        let mut buffer = vec![0; size];
        source.read_exact_at(&mut buffer, from + copied)?;
        target.write_all_at(&buffer, at + copied)?;
        copied += length(&buffer);
    }
    Ok(copied)
}
