//! Query engines for rules, and the sink for their samples.

use std::{sync::Arc, time::Instant};

use access::Scope;
use budget::Requester;
use datasource::{Embedded, Prometheus};
use labels::Labels;
use promql::{InstantSample, Query, Value};
use rules::{Recorded, RuleError};
use timeseries::{Sample, SourceError};
use tsdb::{Incoming, Store};

/// A query that was not answered.
fn failed(reason: impl std::fmt::Display) -> RuleError {
    RuleError::Query(reason.to_string())
}

/// Our engine over our store. Call it on a blocking thread of a runtime.
pub(crate) struct EmbeddedQuerier(pub Arc<Embedded>);

impl EmbeddedQuerier {
    pub(crate) fn store(&self) -> &Store {
        self.0.store()
    }
}

impl rules::Engine for EmbeddedQuerier {
    fn instant(&self, query: &Query, at_ms: i64) -> Result<Value, RuleError> {
        let limits = self.0.limits();
        let deadline = Instant::now() + limits.timeout;
        let cancelled = move || Instant::now() > deadline;
        let options = promql::Options {
            max_series: limits.max_series,
            cancelled: &cancelled,
            // Groups are already evaluated in parallel.
            threads: 1,
            ..promql::Options::default()
        };
        // Replaces metric aliases by the names in the store, as for viewers' queries.
        let renamed = Scope::all().query(query.text()).ok().and_then(|written| {
            tokio::runtime::Handle::current().block_on(self.0.as_sent(&written))?.parsed().cloned().ok()
        });
        let query = renamed.as_ref().unwrap_or(query);
        let outcome = query.instant(self.store(), at_ms, &options).map_err(failed)?;
        Ok(outcome.value)
    }
}

impl rules::Sink for EmbeddedQuerier {
    fn append(&self, points: &[Recorded]) -> Result<(), SourceError> {
        if points.is_empty() {
            return Ok(());
        }
        let incoming = |point: &Recorded| Incoming {
            labels: point.labels.clone(),
            timestamp_ms: point.timestamp_ms,
            value: point.sample.clone(),
        };
        let batch: Vec<Incoming> = points.iter().map(incoming).collect();
        // As for scrapes: a slow disk must not delay evaluations.
        match self.store().ingest_unawaited(&batch) {
            Ok(_) => Ok(()),
            Err(error) => Err(SourceError { message: error.to_string(), source: Some(Arc::new(error)) }),
        }
    }
}

/// A remote engine. Call it on a blocking thread of a runtime.
pub(crate) struct RemoteQuerier(pub Arc<Prometheus>);

impl rules::Engine for RemoteQuerier {
    fn instant(&self, query: &Query, at_ms: i64) -> Result<Value, RuleError> {
        let written = Scope::all().query(query.text()).map_err(failed)?;
        let asked = async {
            let renamed = self.0.as_sent(&written).await;
            self.0.instant_frame(renamed.as_ref().unwrap_or(&written), at_ms).await
        };
        let asked = Requester::Rules.scope(asked);
        let frame = tokio::runtime::Handle::current().block_on(asked).map_err(failed)?;
        let samples = frame.series.into_iter().filter_map(|series| {
            let sample = Sample::Float(*series.values.last()?);
            Some(InstantSample {
                labels: Labels::new(Arc::unwrap_or_clone(series.labels)),
                timestamp_ms: at_ms,
                sample,
            })
        });
        Ok(Value::Vector(samples.collect()))
    }
}
