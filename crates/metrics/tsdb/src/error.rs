//! Errors of opening a store and of file operations.

use std::{io, path::PathBuf};

/// Why a store does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the directory open.
    #[error(
        "the data directory {} is in use by another process{}; stop it, or choose another directory",
        .path.display(),
        .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The process, if the lock file names it.
        pid: Option<u32>,
    },
    /// The directory was written by a later version.
    #[error(
        "the data directory {} has format {found}, and this version reads up to {supported}; run the version that wrote it, or choose another directory", .path.display()
    )]
    NewerFormat {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The latest format this version reads.
        supported: u64,
    },
    /// A file operation failed.
    #[error(transparent)]
    Io(#[from] FileError),
}

/// A file operation failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", .path.display())]
pub struct FileError {
    /// The operation as a verb: `read`, `write`.
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// The system's error.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// Whether the disk is full, or a quota or limit is reached.
    #[must_use]
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull, WriteZero};
        matches!(self.source.kind(), StorageFull | QuotaExceeded | FileTooLarge | WriteZero)
    }
}

/// Adds the file to an I/O error.
pub(crate) trait OnFile<T> {
    /// Adds the operation and the path.
    fn on_file(self, action: &'static str, path: &std::path::Path) -> Result<T, FileError>;
}

impl<T> OnFile<T> for io::Result<T> {
    fn on_file(self, action: &'static str, path: &std::path::Path) -> Result<T, FileError> {
        self.map_err(|source| FileError { action, path: path.to_owned(), source })
    }
}
