//! Series in memory, for tests.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

use promql::{
    Query, Value,
    labels::Labels,
    matcher::Matcher,
    source::{Point, SeriesSamples, SeriesSource, SourceError},
};

use crate::{group::Sink, rule::Engine};

/// Series in memory: what a test is evaluated over and where its rules' samples go.
#[derive(Default)]
pub struct Memory(RwLock<BTreeMap<Labels, BTreeMap<i64, f64>>>);

impl SeriesSource for Memory {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError> {
        let series = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |labels: &Labels| matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name)));
        let found = series.iter().filter(|(labels, _)| is_wanted(labels)).filter_map(|(labels, samples)| {
            let range = if start_ms <= end_ms { samples.range(start_ms..=end_ms) } else { return None };
            let (timestamps, values): (Vec<i64>, Vec<f64>) = range.map(|(time, value)| (*time, *value)).unzip();
            let found = SeriesSamples { labels: labels.clone(), timestamps, values, histograms: Vec::new() };
            (!found.timestamps.is_empty()).then_some(found)
        });
        Ok(found.collect())
    }
}

impl Engine for Memory {
    fn instant(&self, query: &Query, at_ms: i64) -> Result<Value, String> {
        let options = promql::Options { threads: 1, ..promql::Options::default() };
        query.instant(self, at_ms, &options).map(|outcome| outcome.value).map_err(|error| error.to_string())
    }
}

impl Sink for Memory {
    fn append(&self, points: &[Point]) -> Result<(), String> {
        let mut series = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for point in points {
            series.entry(point.labels.clone()).or_default().insert(point.timestamp_ms, point.value);
        }
        Ok(())
    }
}
