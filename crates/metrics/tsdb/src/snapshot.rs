//! A consistent copy of a data directory while it is in use.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    disk::directory::{copy, link_or_copy, replace, sync_parent},
    error::{FileError, OnFile},
};

/// How much of a store is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// Every sample that was acknowledged.
    #[default]
    All,
    /// What is in files of chunks; the log is left out, and with it each series' newest samples, fewer than a chunk's, and metadata.
    Chunks,
}

/// Files of a copy, all of which are complete.
pub(crate) struct Snapshot {
    /// What the copy's log says.
    pub(crate) log: Option<Vec<u8>>,
    /// Never change again, so that a second name for them is enough where the copy is on the same disk.
    pub(crate) finished: Vec<PathBuf>,
}

impl Snapshot {
    /// Makes a directory with these files in folders of the same names. If it fails, nothing is left of it.
    pub(crate) fn write(&self, root: &Path, to: &Path) -> Result<(), FileError> {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).on_file("make the directory", parent)?;
        }
        fs::create_dir(to).on_file("make the directory", to)?;
        let copied = self.copy(root, to);
        if copied.is_err() {
            // What is left of a copy that failed is of no use; the error that is told is the first one.
            let _ = fs::remove_dir_all(to);
        }
        copied
    }

    fn copy(&self, root: &Path, to: &Path) -> Result<(), FileError> {
        let target = |path: &Path| to.join(path.strip_prefix(root).unwrap_or(path));
        for folder in [root.join("log"), root.join("chunks")] {
            let folder = target(&folder);
            fs::create_dir(&folder).on_file("make the directory", &folder)?;
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
