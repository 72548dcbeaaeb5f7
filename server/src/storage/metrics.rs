//! What the store tells of itself on `/metrics`.

use telemetry::{Kind, Metric};
use tsdb::Store;

use super::{Storage, snapshot};

impl Storage {
    /// Metrics of the store and its copies now. Goes once over all series; call it on a thread that may block.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a count
    pub fn metrics(&self) -> Vec<Metric> {
        let mut metrics = metrics(&self.store);
        metrics.push(Metric {
            name: "hyperscope_store_snapshots",
            help: "Snapshots in the data directory; what they alone hold is not counted as disk of the store.",
            kind: Kind::Gauge,
            value: snapshot::count(&self.data_dir) as f64,
        });
        metrics
    }
}

#[allow(clippy::cast_precision_loss)] // counts and bytes, far below 2^53
fn metrics(store: &Store) -> Vec<Metric> {
    let stats = store.stats();
    let metric = |name, help, kind, value| Metric { name, help, kind, value };
    vec![
        metric("hyperscope_store_series", "Series in the store.", Kind::Gauge, stats.series as f64),
        metric("hyperscope_store_samples", "Samples in the store.", Kind::Gauge, stats.samples as f64),
        metric(
            "hyperscope_store_memory_bytes",
            "Memory that the store holds, as far as it can tell.",
            Kind::Gauge,
            stats.memory_bytes as f64,
        ),
        metric("hyperscope_store_disk_bytes", "Bytes of the store's files.", Kind::Gauge, stats.disk_bytes as f64),
        metric(
            "hyperscope_store_unwritten_bytes",
            "Bytes that were appended and wait to be written to the store's log.",
            Kind::Gauge,
            stats.unwritten_bytes as f64,
        ),
        metric(
            "hyperscope_store_syncs_total",
            "How often the store forced something to the disk.",
            Kind::Counter,
            stats.syncs as f64,
        ),
        metric(
            "hyperscope_store_sync_seconds_total",
            "How long forcing something to the disk took.",
            Kind::Counter,
            stats.sync_time.as_secs_f64(),
        ),
        metric(
            "hyperscope_store_disk_waiting_seconds",
            "How long the disk has not answered the store's oldest request that goes on.",
            Kind::Gauge,
            stats.disk_waiting.as_secs_f64(),
        ),
        metric(
            "hyperscope_store_too_old_samples_total",
            "Samples refused because they came too late.",
            Kind::Counter,
            stats.too_old_samples as f64,
        ),
        metric(
            "hyperscope_store_duplicate_samples_total",
            "Samples refused because their time was taken by another value.",
            Kind::Counter,
            stats.duplicate_samples as f64,
        ),
        metric(
            "hyperscope_store_damages",
            "Damaged places found in the store's files since the start, all set aside.",
            Kind::Gauge,
            store.damage().len() as f64,
        ),
    ]
}
