//! Snapshots of the store while it is in use.

use std::path::Path;

use model::{civil::Civil, clock::now_ms};
use tsdb::Extent;

use super::{SERIES, Storage};

/// Directory of snapshots in the data directory. Each snapshot is a data directory itself.
const SNAPSHOTS: &str = "snapshots";
/// Random bytes in a name, to distinguish snapshots of the same second.
const NAME_BYTES: usize = 8;
/// Suffix of an incomplete snapshot.
const UNFINISHED: &str = "unfinished";

/// A complete snapshot.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Name of its directory.
    pub(crate) name: String,
    /// Number of complete snapshots, including this one.
    pub(crate) kept: usize,
}

impl Storage {
    /// Takes a snapshot, one at a time.
    ///
    /// # Errors
    ///
    /// The disk is full or failed; nothing of the snapshot is left.
    pub(crate) async fn snapshot(&self, extent: Extent) -> anyhow::Result<Snapshot> {
        let _one_at_a_time = self.copying.lock().await;
        let name = name()?;
        let (data_dir, store) = (self.data_dir.clone(), self.store.clone());
        let directory = data_dir.join(SNAPSHOTS);
        let (copy, named) = (directory.join(format!("{name}.{UNFINISHED}")), directory.join(&name));
        let copied = tokio::task::spawn_blocking(move || {
            remove_unfinished(&directory);
            let copied = store
                .snapshot(&copy.join(SERIES), extent)
                .map_err(anyhow::Error::from)
                .and_then(|()| finish(&copy, &named))
                .map(|()| count(&data_dir));
            if copied.is_err() {
                // The first error is returned; the incomplete copy is removed.
                let _ = std::fs::remove_dir_all(&copy);
            }
            copied
        });
        Ok(Snapshot { name, kept: copied.await?? })
    }
}

/// Number of complete snapshots. They stay until the operator removes them.
pub(super) fn count(data_dir: &Path) -> usize {
    let entries = std::fs::read_dir(data_dir.join(SNAPSHOTS)).into_iter().flatten().filter_map(Result::ok);
    entries.filter(|entry| entry.path().extension().is_none()).count()
}

/// Removes incomplete snapshots of a server that was killed.
fn remove_unfinished(directory: &Path) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    for path in entries.filter(|path| path.extension().is_some_and(|extension| extension == UNFINISHED)) {
        if let Err(error) = std::fs::remove_dir_all(&path) {
            tracing::warn!(%error, path = %path.display(), "cannot remove an incomplete snapshot");
        }
    }
}

/// Renames a complete snapshot to its final name, so that no incomplete one has such a name.
fn finish(copy: &Path, named: &Path) -> anyhow::Result<()> {
    std::fs::rename(copy, named)?;
    if let Some(parent) = named.parent() {
        std::fs::File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// A name as in Prometheus: the time in UTC, and a random suffix.
fn name() -> Result<String, getrandom::Error> {
    let mut random = [0_u8; NAME_BYTES];
    getrandom::fill(&mut random)?;
    let Civil { year, month, day, hour, minute, second, .. } = Civil::utc(now_ms());
    let unique = u64::from_be_bytes(random);
    Ok(format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z-{unique:016x}"))
}
