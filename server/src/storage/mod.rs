//! Care of the embedded store: opening, snapshots, status.

mod metrics;
mod snapshot;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use datasource::SourceHealth;
use model::{
    clock::now_ms,
    upstream::{UpstreamKind, UpstreamStatus},
};
use tokio::sync::Mutex;
use tsdb::{Store, StoreOptions};

/// Directory of a server's series, in the data directory.
pub(crate) const SERIES: &str = "store";
/// Directory of a demo's series.
pub(crate) const DEMO_SERIES: &str = "demo-store";
/// The store's name among the sources.
const STORE_NAME: &str = "store";

/// Opens the store of a server.
///
/// # Errors
///
/// The directory is in use by another process, was written by a later version, or is unreadable or read-only.
pub(crate) async fn open(data_dir: &Path, options: StoreOptions) -> anyhow::Result<Store> {
    let directory = data_dir.join(SERIES);
    Ok(tokio::task::spawn_blocking(move || Store::open(&directory, options)).await??)
}

/// Opens the store of a demo, empty, because its history is generated at each start.
///
/// # Errors
///
/// As [`open`].
pub(crate) async fn open_for_demo(data_dir: &Path, options: StoreOptions) -> anyhow::Result<Store> {
    let directory = data_dir.join(DEMO_SERIES);
    Ok(tokio::task::spawn_blocking(move || Store::open_emptied(&directory, options)).await??)
}

/// Handle for the care of a store. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    store: Store,
    data_dir: PathBuf,
    /// Locked during a snapshot, so that there is one at a time.
    copying: Arc<Mutex<()>>,
    health: Arc<parking_lot::Mutex<SourceHealth>>,
}

impl Storage {
    /// A handle for a store in this data directory.
    #[must_use]
    pub fn new(store: Store, data_dir: &Path) -> Self {
        let health = Arc::new(parking_lot::Mutex::new(SourceHealth::new(now_ms())));
        Storage { store, data_dir: data_dir.to_owned(), copying: Arc::default(), health }
    }

    /// Status of the store as a source of data: it is down while disk writes fail.
    #[must_use]
    pub fn source_status(&self) -> UpstreamStatus {
        let now_ms = now_ms();
        let mut health = self.health.lock();
        match self.store.write_failure() {
            Some(error) => health.failed(&format!("new samples are not kept: {error}"), now_ms),
            None => health.answered(now_ms, None),
        };
        let written = self.store.written_at().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        health.set_last_data(written.and_then(|since| i64::try_from(since.as_millis()).ok()));
        health.status(STORE_NAME, UpstreamKind::Store, None)
    }
}
