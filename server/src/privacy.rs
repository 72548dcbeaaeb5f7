//! Protects files from other users of the machine: those that we create, and those that we find.

use std::path::{Path, PathBuf};

/// From now on, files and directories that this process creates are private to its user.
pub(crate) fn make_private() {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Warns of files that every user of the machine may read: the data directory, and files with secrets.
pub(crate) fn warn_of_readable(data_dir: &Path, secret_files: &[PathBuf]) {
    if let Some(found) = readable_within(data_dir) {
        let (data_dir, found) = (data_dir.display(), found.display());
        tracing::warn!(%data_dir, %found, "every user of this machine may read what is stored here: chmod -R o= {data_dir}");
    }
    for file in secret_files.iter().filter(|file| is_readable(file)) {
        let file = file.display();
        tracing::warn!(%file, "every user of this machine may read this file, which holds secrets: chmod o= {file}");
    }
}

/// Something in a directory that every user may read.
fn readable_within(directory: &Path) -> Option<PathBuf> {
    if !is_readable(directory) {
        return None;
    }
    let entries = std::fs::read_dir(directory).ok()?;
    entries.filter_map(|entry| Some(entry.ok()?.path())).find(|path| is_readable(path))
}

#[cfg(unix)]
fn is_readable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    // A missing or inaccessible file is reported when it is used.
    std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o005 != 0)
}

#[cfg(not(unix))]
fn is_readable(_path: &Path) -> bool {
    false
}
