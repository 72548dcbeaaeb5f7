//! Copies of the store while it is in use.

use std::path::Path;

use model::{civil::Civil, clock::now_ms};
use tsdb::Extent;

use super::{SERIES, Storage};

/// Where copies are made, in the data directory. Each is a data directory itself.
const SNAPSHOTS: &str = "snapshots";
/// Random bytes of a name, which keep two copies of one second apart.
const NAME_BYTES: usize = 8;
/// What a copy is called besides its name until it is complete.
const UNFINISHED: &str = "unfinished";

/// A complete copy.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The name of its directory.
    pub(crate) name: String,
    /// How many complete copies there are now, with this one.
    pub(crate) kept: usize,
}

impl Storage {
    /// Copies the store, one copy at a time.
    ///
    /// # Errors
    /// The disk does not take the copy; nothing of it is left.
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
                // The error that is told is the first one; what is left of the copy is of no use.
                let _ = std::fs::remove_dir_all(&copy);
            }
            copied
        });
        Ok(Snapshot { name, kept: copied.await?? })
    }
}

/// How many complete copies there are. They stay until somebody removes them.
pub(super) fn count(data_dir: &Path) -> usize {
    let entries = std::fs::read_dir(data_dir.join(SNAPSHOTS)).into_iter().flatten().filter_map(Result::ok);
    entries.filter(|entry| entry.path().extension().is_none()).count()
}

/// Removes what a server that was killed has left half done.
fn remove_unfinished(directory: &Path) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    for path in entries.filter(|path| path.extension().is_some_and(|extension| extension == UNFINISHED)) {
        if let Err(error) = std::fs::remove_dir_all(&path) {
            tracing::warn!(%error, path = %path.display(), "half a snapshot cannot be removed");
        }
    }
}

/// Gives a complete copy its name, so that under a name there is never half of one.
fn finish(copy: &Path, named: &Path) -> anyhow::Result<()> {
    std::fs::rename(copy, named)?;
    if let Some(parent) = named.parent() {
        std::fs::File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// As Prometheus names them: the time in UTC, and something that no other one has.
fn name() -> Result<String, getrandom::Error> {
    let mut random = [0_u8; NAME_BYTES];
    getrandom::fill(&mut random)?;
    let Civil { year, month, day, hour, minute, second, .. } = Civil::utc(now_ms());
    let unique = u64::from_be_bytes(random);
    Ok(format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z-{unique:016x}"))
}
