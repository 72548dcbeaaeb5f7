//! Shorthands of the tests.
#![allow(dead_code)] // Not every test needs every one.

use promql::{
    labels::Labels,
    matcher::Matcher,
    source::{Point, SeriesSamples},
};

/// A sample of a series with a job.
pub(crate) fn point(name: &str, job: &str, timestamp_ms: i64, value: f64) -> Point {
    Point { labels: Labels::new([("__name__", name), ("job", job)]), timestamp_ms, value }
}

pub(crate) fn equal(name: &str, value: &str) -> Matcher {
    Matcher::equal(name, value)
}

pub(crate) fn samples(series: &SeriesSamples) -> Vec<(i64, f64)> {
    series.timestamps.iter().copied().zip(series.values.iter().copied()).collect()
}
