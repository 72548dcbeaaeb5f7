//! Statistics of a store.

use std::time::Duration;

use crate::head::Head;

/// Statistics of a store at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Number of series.
    pub series: usize,
    /// Number of samples; late ones may be counted twice.
    pub samples: u64,
    /// Number of samples rejected as too late since the store was opened.
    pub too_old_samples: u64,
    /// Number of samples rejected since the store was opened because the series had another value at their time.
    pub duplicate_samples: u64,
    /// Number of sealed chunks.
    pub chunks: u64,
    /// Heap size, as far as the store knows it.
    pub memory_bytes: usize,
    /// Size of the files, the log included.
    pub disk_bytes: u64,
    /// Time of the oldest sample, in milliseconds since the Unix epoch.
    pub oldest_ms: Option<i64>,
    /// Time of the latest sample.
    pub newest_ms: Option<i64>,
    /// Bytes in the queue of the log.
    pub unwritten_bytes: u64,
    /// Number of syncs since the store was opened.
    pub syncs: u64,
    /// Total duration of the syncs.
    pub sync_time: Duration,
    /// Age of the oldest disk request in flight.
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
