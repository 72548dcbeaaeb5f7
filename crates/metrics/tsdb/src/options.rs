//! Settings of a store.

use std::time::Duration;

/// Settings of a store, with Prometheus' defaults where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// Samples older than this, counted back from the newest, are removed. 15 days.
    pub retention: Duration,
    /// Oldest data is removed when the files are larger than this, in bytes; `None` for no limit.
    pub max_disk_bytes: Option<u64>,
    /// How much older than the newest sample of its series a late sample may be. 10 minutes; zero refuses all late samples.
    pub out_of_order: Duration,
    /// Samples younger than this, counted back from the newest, are held in memory; older ones are read from disk. 2 hours.
    pub head_window: Duration,
    /// Longest time between a write and its being forced to the disk itself, which matters on a power cut alone. Zero forces every
    /// append. 10 seconds.
    pub sync_interval: Duration,
    /// How long an append that waits for the disk does so before it is refused. 10 seconds.
    pub patience: Duration,
    /// Bytes that may wait to be written to the log, if the disk does not keep up; beyond it appends are refused. 64 MiB.
    pub max_waiting_bytes: u64,
    /// Most series held at once; samples of further ones are refused, and those of known series are not.
    pub max_series: usize,
    /// Most samples that one [`timeseries::SeriesSource::select`] gives, each of which takes 16 bytes; one that would give more is
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
