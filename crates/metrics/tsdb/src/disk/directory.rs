//! The data directory as a whole: who may use it, which files are in it, and where damaged ones go.

use std::{
    fs::{self, File, TryLockError},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use super::record::FORMAT_VERSION;
use crate::error::{FileError, OnFile, OpenError};

/// How often and after which pause the lock is tried. A process that is just starting another one shares its locks with it for an
/// instant, even those it gives up meanwhile.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// Written at once.
const BUFFER_BYTES: usize = 256 * 1_024;
/// Files set aside beyond this number are removed, the oldest first.
const MAX_SET_ASIDE: usize = 32;

/// A data directory, locked as long as this lives.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    /// Holds the lock.
    _lock: File,
}

impl Directory {
    /// Opens or makes the directory and takes its lock.
    pub(crate) fn open(root: &Path) -> Result<Self, OpenError> {
        for path in [root.to_owned(), root.join("log"), root.join("chunks"), root.join("damaged")] {
            fs::create_dir_all(&path).on_file("make the directory", &path)?;
        }
        let lock = lock(root)?;
        if read_format(root)?.is_none_or(|found| found < FORMAT_VERSION) {
            // Each file tells its version too, so that one of an earlier format can stay beside one of this.
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

    /// Opens the directory as [`Directory::open`] does, and removes what is in it of a store. One that is in use is left alone.
    pub(crate) fn open_emptied(root: &Path) -> Result<Self, OpenError> {
        fs::create_dir_all(root).on_file("make the directory", root)?;
        let held = lock(root)?;
        for folder in ["log", "chunks", "damaged"] {
            let folder = root.join(folder);
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).on_file("remove", &folder)?,
                _ => {}
            }
        }
        drop(held);
        Self::open(root)
    }

    /// Where the directory is.
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

    /// Gives a file a second name among the damaged ones, of which the newest few are kept. The caller then replaces or removes it.
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

/// Takes the lock of a directory, and notes whose it is.
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
        // The lock holds all the same; a full disk is no reason not to open.
        tracing::debug!(%error, "whose lock it is cannot be noted");
    }
    Ok(file)
}

/// Whether a process has a directory open.
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

/// Reads the version of the format; `None` if there is none, as in a new directory, or if it is unreadable. A later one is an error.
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

/// Writes a file so that at any moment the old or the new content is there, never a part.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<File, FileError> {
    let mut builder = FileBuilder::start(path)?;
    builder.append(content)?;
    builder.finish().map(|(file, _)| file)
}

/// Writes a file that appears under its name, complete and forced to the disk, when it is finished. Left unfinished, it goes.
#[derive(Debug)]
pub(crate) struct FileBuilder {
    path: PathBuf,
    unfinished: PathBuf,
    /// `None` once it is finished.
    writer: Option<BufWriter<File>>,
    bytes: u64,
}

impl FileBuilder {
    /// Begins a file that will be named `path`.
    pub(crate) fn start(path: &Path) -> Result<Self, FileError> {
        let unfinished = path.with_extension("tmp");
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&unfinished);
        let writer = BufWriter::with_capacity(BUFFER_BYTES, file.on_file("write", &unfinished)?);
        Ok(FileBuilder { path: path.to_owned(), unfinished, writer: Some(writer), bytes: 0 })
    }

    /// Adds content; gives its position.
    pub(crate) fn append(&mut self, content: &[u8]) -> Result<u64, FileError> {
        let position = self.bytes;
        if let Some(writer) = &mut self.writer {
            writer.write_all(content).on_file("write", &self.unfinished)?;
        }
        self.bytes += u64::try_from(content.len()).unwrap_or(u64::MAX);
        Ok(position)
    }

    /// Gives the file its name; gives the file, open for reading and writing, and its length.
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
            // What is left of it only takes room; if even that fails, the next start removes it.
            let _ = fs::remove_file(&self.unfinished);
        }
    }
}

/// Gives a file that no longer changes a second name, or makes a copy where that cannot be done.
pub(crate) fn link_or_copy(from: &Path, to: &Path) -> Result<(), FileError> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        // Another disk, or a file system without second names.
        Err(_) => copy(from, to),
    }
}

/// Copies a file and forces the copy to the disk.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::copy(from, to).and_then(|_| File::open(to)?.sync_all()).on_file("copy", to)
}

/// Makes sure that a new, renamed or removed name outlives a power cut.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// The files of a directory that are named by a number and have this extension (any, if it is empty), by number.
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
