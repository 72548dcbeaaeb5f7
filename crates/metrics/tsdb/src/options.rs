//! Settings of a store.

use std::time::Duration;

/// Settings of a store, with Prometheus' defaults where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// Samples older than this, relative to the latest one, are removed. 15 days.
    pub retention: Duration,
    /// If the files are larger than this, the oldest data is removed, in bytes; `None` for no limit.
    pub max_disk_bytes: Option<u64>,
    /// How much older than the last sample of its series a sample may be. 10 minutes; zero rejects all out-of-order
    /// samples.
    pub out_of_order: Duration,
    /// Samples newer than this, relative to the latest one, are in memory; older ones are read from disk. 2 hours.
    pub head_window: Duration,
    /// Maximum time between a write and its sync to disk, which only matters on a power cut. Zero syncs each append. 10
    /// seconds.
    pub sync_interval: Duration,
    /// Timeout of an append that waits for the disk. 10 seconds.
    pub patience: Duration,
    /// Maximum size of the queue of the log, in bytes, if the disk is too slow; beyond it appends are rejected. 64 MiB.
    pub max_waiting_bytes: u64,
    /// Maximum number of series; samples of further ones are rejected, samples of known series are accepted.
    pub max_series: usize,
    /// Maximum number of samples that one [`timeseries::SeriesSource::select`] may return, at 16 bytes each; more are
    /// an error. 50 million.
    pub max_select_samples: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            retention: Duration::from_secs(15 * 24 * 3_600),
            max_disk_bytes: None,
            out_of_order: Duration::from_secs(600),
            head_window: Duration::from_secs(2 * 3_600),
            sync_interval: Duration::from_secs(10),
            patience: Duration::from_secs(10),
            max_waiting_bytes: 64 * 1_024 * 1_024,
            max_series: 1_000_000,
            max_select_samples: 50_000_000,
        }
    }
}

/// A duration in the unit of timestamps.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
