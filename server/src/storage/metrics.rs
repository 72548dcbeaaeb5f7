//! Metrics of the store for `/metrics`.

use telemetry::{Kind, Metric};
use tsdb::Store;

use super::{Storage, snapshot};

impl Storage {
    /// Current metrics of the store and its snapshots. Iterates over all series; call it on a blocking thread.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a count
    pub fn metrics(&self) -> Vec<Metric> {
        let mut metrics = metrics(&self.store);
        metrics.push(Metric {
            name: "hyperscope_store_snapshots",
            help: "Snapshots in the data directory. Their size is not part of hyperscope_store_disk_bytes.",
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
            "Memory of the store, estimated.",
            Kind::Gauge,
            stats.memory_bytes as f64,
        ),
        metric("hyperscope_store_disk_bytes", "Bytes of the store's files.", Kind::Gauge, stats.disk_bytes as f64),
        metric(
            "hyperscope_store_unwritten_bytes",
            "Appended bytes that are not yet written to the store's log.",
            Kind::Gauge,
            stats.unwritten_bytes as f64,
        ),
        metric("hyperscope_store_syncs_total", "Syncs of the store to disk.", Kind::Counter, stats.syncs as f64),
        metric(
            "hyperscope_store_sync_seconds_total",
            "Total duration of the store's syncs to disk.",
            Kind::Counter,
            stats.sync_time.as_secs_f64(),
        ),
        metric(
            "hyperscope_store_disk_waiting_seconds",
            "Age of the store's oldest disk request in flight.",
            Kind::Gauge,
            stats.disk_waiting.as_secs_f64(),
        ),
        metric(
            "hyperscope_store_too_old_samples_total",
            "Samples rejected because they were too late.",
            Kind::Counter,
            stats.too_old_samples as f64,
        ),
        metric(
            "hyperscope_store_duplicate_samples_total",
            "Samples rejected because the series had another value at their time.",
            Kind::Counter,
            stats.duplicate_samples as f64,
        ),
        metric(
            "hyperscope_store_damages",
            "Damaged parts found in the store's files since the start, all moved aside.",
            Kind::Gauge,
            store.damage().len() as f64,
        ),
    ]
}
