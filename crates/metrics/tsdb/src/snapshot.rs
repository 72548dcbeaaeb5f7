//! A consistent copy of a data directory while it is in use.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    disk::directory::{copy, link_or_copy, replace, sync_parent},
    error::{FileError, OnFile},
};

/// What a snapshot contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// All acknowledged samples.
    #[default]
    All,
    /// Only chunk files. Without the log it lacks metadata and the unsealed samples of each series, fewer than one
    /// chunk.
    Chunks,
}

/// Files of a snapshot, all of which are complete.
pub(crate) struct Snapshot {
    /// Content of the snapshot's log.
    pub(crate) log: Option<Vec<u8>>,
    /// Immutable files, which are hard-linked if the snapshot is on the same file system.
    pub(crate) finished: Vec<PathBuf>,
}

impl Snapshot {
    /// Creates a directory with these files in the same folders. If it fails, it is removed.
    pub(crate) fn write(&self, root: &Path, to: &Path) -> Result<(), FileError> {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).on_file("create the directory", parent)?;
        }
        fs::create_dir(to).on_file("create the directory", to)?;
        let copied = self.copy(root, to);
        if copied.is_err() {
            // Removes the incomplete snapshot; the first error is returned.
            let _ = fs::remove_dir_all(to);
        }
        copied
    }

    fn copy(&self, root: &Path, to: &Path) -> Result<(), FileError> {
        let target = |path: &Path| to.join(path.strip_prefix(root).unwrap_or(path));
        for folder in [root.join("log"), root.join("chunks")] {
            let folder = target(&folder);
            fs::create_dir(&folder).on_file("create the directory", &folder)?;
        }
        for path in &self.finished {
            link_or_copy(path, &target(path))?;
        }
        if let Some(log) = &self.log {
            replace(&to.join("log/00000001.log"), log)?;
        }
        let format = root.join("FORMAT");
        copy(&format, &target(&format))?;
        for name in ["log/any", "chunks/any", "any"] {
            sync_parent(&to.join(name)).on_file("sync", to)?;
        }
        Ok(())
    }
}
