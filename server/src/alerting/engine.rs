//! What rules are evaluated over and where their samples go.

use std::{sync::Arc, time::Instant};

use promql::{
    InstantSample, Query, Sample, Value,
    labels::Labels,
    source::{Point, SampleSink},
};
use store::Store;

use crate::query::{QueryLimits, Scope, embedded::Embedded, prometheus::Prometheus};

/// Our engine over our store. Call it on a thread that may block.
pub(super) struct OverStore {
    store: Store,
    limits: QueryLimits,
}

impl OverStore {
    pub(super) fn new(embedded: &Embedded) -> Self {
        OverStore { store: embedded.store().clone(), limits: embedded.limits().clone() }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }
}

impl rules::Engine for OverStore {
    fn instant(&self, query: &Query, at_ms: i64) -> Result<Value, String> {
        let deadline = Instant::now() + self.limits.timeout;
        let cancelled = move || Instant::now() > deadline;
        let options = promql::Options {
            max_series: self.limits.max_series,
            cancelled: &cancelled,
            // Groups are evaluated side by side.
            threads: 1,
            ..promql::Options::default()
        };
        query.instant(&self.store, at_ms, &options).map(|outcome| outcome.value).map_err(|error| error.to_string())
    }
}

impl rules::Sink for OverStore {
    fn append(&self, points: &[Point]) -> Result<(), String> {
        if points.is_empty() {
            return Ok(());
        }
        self.store.append(points).map(|_| ()).map_err(|error| error.to_string())
    }
}

/// An engine elsewhere. Call it on a thread that may block, within a runtime.
pub(super) struct OverPrometheus(pub(super) Arc<Prometheus>);

impl rules::Engine for OverPrometheus {
    fn instant(&self, query: &Query, at_ms: i64) -> Result<Value, String> {
        let query = Scope::all().query(query.text()).map_err(|error| error.to_string())?;
        let frame = tokio::runtime::Handle::current()
            .block_on(self.0.instant_frame(&query, at_ms))
            .map_err(|error| error.to_string())?;
        let samples = frame.series.into_iter().filter_map(|series| {
            let sample = Sample::Float(*series.values.last()?);
            Some(InstantSample { labels: Labels::new(series.labels), timestamp_ms: at_ms, sample })
        });
        Ok(Value::Vector(samples.collect()))
    }
}
