//! Series in memory, for tests.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use labels::{Labels, Matcher};
use promql::{Query, Value};
use timeseries::{Sample, SeriesSamples, SeriesSource, SourceError};

use crate::{
    error::RuleError,
    group::{Recorded, Sink},
    rule::Engine,
};

/// Series in memory: queried by a test, and sink of its rules' samples.
#[derive(Default)]
pub struct Memory(RwLock<BTreeMap<Labels, BTreeMap<i64, Sample>>>);

impl SeriesSource for Memory {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError> {
        let series = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |labels: &Labels| matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name)));
        let found = series.iter().filter(|(labels, _)| is_wanted(labels)).filter_map(|(labels, samples)| {
            let range = if start_ms <= end_ms { samples.range(start_ms..=end_ms) } else { return None };
            let mut found = SeriesSamples { labels: labels.clone(), ..SeriesSamples::default() };
            for (time, sample) in range {
                match sample {
                    Sample::Float(value) => {
                        found.timestamps.push(*time);
                        found.values.push(*value);
                    }
                    Sample::Histogram(histogram) => found.histograms.push((*time, Arc::clone(histogram))),
                }
            }
            (!found.timestamps.is_empty() || !found.histograms.is_empty()).then_some(found)
        });
        Ok(found.collect())
    }
}

impl Engine for Memory {
    fn instant(&self, query: &Query, at_ms: i64) -> Result<Value, RuleError> {
        let options = promql::Options { threads: 1, ..promql::Options::default() };
        let outcome = query.instant(self, at_ms, &options).map_err(|error| RuleError::Query(error.to_string()))?;
        Ok(outcome.value)
    }
}

impl Sink for Memory {
    fn append(&self, points: &[Recorded]) -> Result<(), SourceError> {
        let mut series = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for point in points {
            series.entry(point.labels.clone()).or_default().insert(point.timestamp_ms, point.sample.clone());
        }
        Ok(())
    }
}
