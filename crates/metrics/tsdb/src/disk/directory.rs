//! The data directory: its lock, its files, and the folder of damaged ones.

use std::{
    fs::{self, File, TryLockError},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use super::record::FORMAT_VERSION;
use crate::error::{FileError, OnFile, OpenError};

/// How often and with which pause to try the lock. While a process spawns another one, both share its locks for an
/// instant, even locks that it releases meanwhile.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// Buffer size of writes.
const BUFFER_BYTES: usize = 256 * 1_024;
/// Maximum number of damaged files that are retained; the oldest are removed.
const MAX_SET_ASIDE: usize = 32;

/// A data directory, locked while this value lives.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl Directory {
    /// Opens or creates the directory and takes its lock.
    pub(crate) fn open(root: &Path) -> Result<Self, OpenError> {
        for path in [root.to_owned(), root.join("log"), root.join("chunks"), root.join("damaged")] {
            fs::create_dir_all(&path).on_file("create the directory", &path)?;
        }
        let lock = lock(root)?;
        if read_format(root)?.is_none_or(|found| found < FORMAT_VERSION) {
            // Each file has its version as well, so that files of an earlier format can stay.
            replace(&root.join("FORMAT"), format!("{FORMAT_VERSION}\n").as_bytes())?;
        }
        let directory = Directory { root: root.to_owned(), _lock: lock };
        for path in [directory.log(), directory.chunks()] {
            for (_, unfinished) in numbered(&path, "tmp")? {
                fs::remove_file(&unfinished).on_file("remove", &unfinished)?;
            }
        }
        Ok(directory)
    }

    /// Opens the directory like [`Directory::open`] after removing the store's files in it. A directory in use is left
    /// as it is.
    pub(crate) fn open_emptied(root: &Path) -> Result<Self, OpenError> {
        fs::create_dir_all(root).on_file("create the directory", root)?;
        remove_files(root)?;
        Self::open(root)
    }

    /// Path of the directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    pub(crate) fn chunks(&self) -> PathBuf {
        self.root.join("chunks")
    }

    fn damaged(&self) -> PathBuf {
        self.root.join("damaged")
    }

    /// Hard-links a file into the folder of damaged files, which retains the newest few. The caller then
    /// replaces or removes the original.
    pub(crate) fn set_aside(&self, path: &Path) -> Result<(), FileError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let damaged = self.damaged();
        let number = numbered(&damaged, "")?.last().map_or(1, |(last, _)| last + 1);
        let target = damaged.join(format!("{number:08}-{name}"));
        link_or_copy(path, &target)?;
        let kept = numbered(&damaged, "")?;
        for (_, oldest) in kept.iter().take(kept.len().saturating_sub(MAX_SET_ASIDE)) {
            fs::remove_file(oldest).on_file("remove", oldest)?;
        }
        Ok(())
    }
}

/// Removes the store's files while holding the lock of their directory.
fn remove_files(root: &Path) -> Result<(), OpenError> {
    let _lock = lock(root)?;
    for folder in ["log", "chunks", "damaged"] {
        let folder = root.join(folder);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).on_file("remove", &folder)?,
            _ => {}
        }
    }
    Ok(())
}

/// Takes the lock of a directory and writes our process ID into it.
fn lock(root: &Path) -> Result<File, OpenError> {
    let path = root.join("LOCK");
    let file =
        File::options().create(true).truncate(false).read(true).write(true).open(&path).on_file("open", &path)?;
    let mut attempts = 1;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if attempts < LOCK_ATTEMPTS => attempts += 1,
            Err(TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(&path).ok().and_then(|holder| holder.trim().parse().ok());
                return Err(OpenError::Locked { path: root.to_owned(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(FileError { action: "lock", path, source }.into()),
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    let noted = file.set_len(0).and_then(|()| (&file).write_all(format!("{}\n", std::process::id()).as_bytes()));
    if let Err(error) = noted {
        // The lock is held anyway; a full disk is no reason to fail.
        tracing::debug!(%error, "cannot write the process ID into the lock file");
    }
    Ok(file)
}

/// Whether a process has the directory open.
pub(crate) fn is_locked(root: &Path) -> Result<bool, FileError> {
    let path = root.join("LOCK");
    match File::open(&path) {
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(FileError { action: "lock", path, source }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(FileError { action: "open", path, source }),
    }
}

/// Reads the version of the format; `None` if the directory is new or the file is unreadable. A newer version is an
/// error.
pub(crate) fn read_format(root: &Path) -> Result<Option<u64>, OpenError> {
    let path = root.join("FORMAT");
    let written = match fs::read_to_string(&path) {
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::NotFound || error.kind() == io::ErrorKind::InvalidData => {
            return Ok(None);
        }
        Err(source) => return Err(FileError { action: "read", path, source }.into()),
    };
    match written.trim().parse() {
        Ok(found) if found > FORMAT_VERSION => {
            Err(OpenError::NewerFormat { path: root.to_owned(), found, supported: FORMAT_VERSION })
        }
        parsed => Ok(parsed.ok()),
    }
}

/// Replaces a file atomically: readers see the old or the new content, never a part.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<File, FileError> {
    let mut builder = FileBuilder::start(path)?;
    builder.append(content)?;
    builder.finish().map(|(file, _)| file)
}

/// Builds a file that appears under its name only when it is finished, complete and synced. Otherwise it is removed on
/// drop.
#[derive(Debug)]
pub(crate) struct FileBuilder {
    path: PathBuf,
    unfinished: PathBuf,
    /// `None` once it is finished.
    writer: Option<BufWriter<File>>,
    bytes: u64,
}

impl FileBuilder {
    /// Starts a file that will be named `path`.
    pub(crate) fn start(path: &Path) -> Result<Self, FileError> {
        let unfinished = path.with_extension("tmp");
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&unfinished);
        let writer = BufWriter::with_capacity(BUFFER_BYTES, file.on_file("write", &unfinished)?);
        Ok(FileBuilder { path: path.to_owned(), unfinished, writer: Some(writer), bytes: 0 })
    }

    /// Appends content; returns its position.
    pub(crate) fn append(&mut self, content: &[u8]) -> Result<u64, FileError> {
        let position = self.bytes;
        if let Some(writer) = &mut self.writer {
            writer.write_all(content).on_file("write", &self.unfinished)?;
        }
        self.bytes += u64::try_from(content.len()).unwrap_or(u64::MAX);
        Ok(position)
    }

    /// Renames the file to its final name; returns it, open for reading and writing, and its length.
    pub(crate) fn finish(mut self) -> Result<(File, u64), FileError> {
        let named = self.named();
        if named.is_ok() {
            self.writer = None;
        }
        Ok((named.on_file("write", &self.path)?, self.bytes))
    }

    fn named(&mut self) -> io::Result<File> {
        let writer = self.writer.as_mut().ok_or(io::ErrorKind::InvalidInput)?;
        writer.flush()?;
        let file = writer.get_ref().try_clone()?;
        file.sync_all()?;
        fs::rename(&self.unfinished, &self.path)?;
        sync_parent(&self.path)?;
        Ok(file)
    }
}

impl Drop for FileBuilder {
    fn drop(&mut self) {
        if self.writer.is_some() {
            // A leftover only wastes space; if this fails, the next start removes it.
            let _ = fs::remove_file(&self.unfinished);
        }
    }
}

/// Hard-links an immutable file, or copies it if links are not possible.
pub(crate) fn link_or_copy(from: &Path, to: &Path) -> Result<(), FileError> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        // A different file system, or one without hard links.
        Err(_) => copy(from, to),
    }
}

/// Copies a file and syncs the copy.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::copy(from, to).and_then(|_| File::open(to)?.sync_all()).on_file("copy", to)
}

/// Syncs the parent directory, so that a new, renamed or removed name survives a power cut.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Files of a directory whose name is a number with this extension (any, if it is empty), by number.
pub(crate) fn numbered(directory: &Path, extension: &str) -> Result<Vec<(u64, PathBuf)>, FileError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).on_file("list", directory)? {
        let path = entry.on_file("list", directory)?.path();
        let fits = extension.is_empty() || path.extension().is_some_and(|actual| actual == extension);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let digits = name.split(|character: char| !character.is_ascii_digit()).next().unwrap_or_default();
        if let (true, Ok(number)) = (fits, digits.parse()) {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}
