//! The care of the embedded store: opening it, copying it, and telling how it is doing.

mod metrics;
mod snapshot;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::UNIX_EPOCH,
};

use datasource::SourceHealth;
use model::{
    clock::now_ms,
    upstream::{UpstreamKind, UpstreamStatus},
};
use store::{Store, StoreOptions};
use tokio::sync::Mutex;

use crate::{config::Config, serve::Mode};

/// Where a server keeps its series, in its data directory.
pub const SERIES: &str = "store";
/// Where a demo keeps them.
pub const DEMO_SERIES: &str = "demo-store";
/// The store's name among the sources.
const STORE_NAME: &str = "store";

/// Opens the store of a server. A demo's history is made anew at each start, so its store begins empty.
///
/// # Errors
/// The directory is in use by another process, was written by a later version, or cannot be read or written.
pub async fn open(config: &Config, mode: Mode) -> anyhow::Result<Store> {
    let options = StoreOptions {
        retention: config.retention,
        max_disk_bytes: config.retention_bytes,
        out_of_order: config.out_of_order_window,
        max_series: config.max_series,
        ..StoreOptions::default()
    };
    let data_dir = config.data_dir.clone();
    let opened = tokio::task::spawn_blocking(move || match mode {
        Mode::Serve => Store::open(&data_dir.join(SERIES), options),
        Mode::Demo => Store::open_emptied(&data_dir.join(DEMO_SERIES), options),
    });
    Ok(opened.await??)
}

/// The care of a store. A cheap handle.
#[derive(Clone)]
pub struct Storage {
    store: Store,
    data_dir: PathBuf,
    /// One copy at a time.
    copying: Arc<Mutex<()>>,
    health: Arc<std::sync::Mutex<SourceHealth>>,
}

impl Storage {
    /// The care of a store that is in this data directory.
    #[must_use]
    pub fn new(store: Store, data_dir: &Path) -> Self {
        let health = Arc::new(std::sync::Mutex::new(SourceHealth::new(now_ms())));
        Storage { store, data_dir: data_dir.to_owned(), copying: Arc::default(), health }
    }

    /// How the store is doing, as a source of data: it is down while the disk takes nothing.
    #[must_use]
    pub fn source_status(&self) -> UpstreamStatus {
        let now_ms = now_ms();
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match self.store.write_failure() {
            Some(error) => health.failed(&format!("new samples are not kept: {error}"), now_ms),
            None => health.answered(now_ms, None),
        };
        let written = self.store.written_at().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        health.set_last_data(written.and_then(|since| i64::try_from(since.as_millis()).ok()));
        health.status(STORE_NAME, UpstreamKind::Store, None)
    }
}
