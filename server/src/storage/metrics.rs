//! What the store tells of itself on `/metrics`.

use store::Store;

use crate::telemetry::{Kind, Metric};

/// Metrics of a store now. Goes once over all series.
#[must_use]
#[allow(clippy::cast_precision_loss)] // counts and bytes, far below 2^53
pub fn metrics(store: &Store) -> Vec<Metric> {
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
