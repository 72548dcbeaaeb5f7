//! How much a store holds.

use std::time::Duration;

use crate::head::Head;

/// How much a store holds, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Series.
    pub series: usize,
    /// Samples, of which late ones may be counted twice.
    pub samples: u64,
    /// Samples refused because they came too late, since the store was opened.
    pub too_old_samples: u64,
    /// Samples refused because their time was taken by another value, since the store was opened.
    pub duplicate_samples: u64,
    /// Sealed chunks.
    pub chunks: u64,
    /// Heap held, as far as the store can tell.
    pub memory_bytes: usize,
    /// Files, the log included.
    pub disk_bytes: u64,
    /// Time of the oldest sample, in milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
    /// Time of the newest sample.
    pub newest_ms: Option<i64>,
    /// Bytes that were appended and wait for the log.
    pub unwritten_bytes: u64,
    /// How often something was forced to the disk, since the store was opened.
    pub syncs: u64,
    /// How long that took in all.
    pub sync_time: Duration,
    /// How long the disk has not answered the oldest request that goes on.
    pub disk_waiting: Duration,
}

impl Stats {
    pub(crate) fn of(head: &Head, log_bytes: u64) -> Self {
        let mut stats = Stats {
            series: head.series_count(),
            too_old_samples: head.too_old,
            duplicate_samples: head.duplicates,
            memory_bytes: head.heap_bytes(),
            disk_bytes: log_bytes + head.files.values().map(|file| file.bytes).sum::<u64>(),
            newest_ms: head.newest,
            ..Stats::default()
        };
        for (_, series) in head.iter() {
            let sealed: u64 = series.runs.iter().map(|run| u64::from(run.count)).sum();
            stats.chunks += u64::try_from(series.runs.len()).unwrap_or(0);
            stats.samples += sealed + u64::try_from(series.unsealed_samples()).unwrap_or(0);
            if let Some((oldest, _)) = series.span() {
                stats.oldest_ms = Some(stats.oldest_ms.map_or(oldest, |known| known.min(oldest)));
            }
        }
        stats
    }
}
