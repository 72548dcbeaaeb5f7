//! Helpers of the tests.
#![allow(dead_code)] // Not every test needs every one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Clippy takes helpers of tests for something else.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use labels::{Labels, Matcher};
use timeseries::{Point, Sample, SeriesSamples, SeriesSource, histogram::Histogram};
use tsdb::{Incoming, Store};

/// Scrape interval.
pub(crate) const STEP_MS: i64 = 15_000;
/// Time of the first scrape.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// A sample of a series with a job.
pub(crate) fn point(name: &str, job: &str, timestamp_ms: i64, value: f64) -> Point {
    Point { labels: Labels::new([("__name__", name), ("job", job)]), timestamp_ms, value }
}

/// The same, of either kind.
pub(crate) fn incoming(name: &str, job: &str, timestamp_ms: i64, value: Sample) -> Incoming {
    Incoming { labels: Labels::new([("__name__", name), ("job", job)]), timestamp_ms, value }
}

/// A histogram computed from a number.
pub(crate) fn histogram(number: f64) -> Sample {
    let positive = (0..8).map(|index| (index, number + f64::from(index) + 1.0)).collect();
    let negative = vec![(-3, number * 2.0 + 1.0)];
    let histogram = Histogram {
        schema: 2,
        zero_threshold: 0.001,
        count: number * 10.0,
        sum: number / 3.0,
        positive,
        negative,
        ..Histogram::default()
    };
    Sample::Histogram(Arc::new(histogram))
}

pub(crate) fn equal(name: &str, value: &str) -> Matcher {
    Matcher::equal(name, value)
}

pub(crate) fn samples(series: &SeriesSamples) -> Vec<(i64, f64)> {
    series.timestamps.iter().copied().zip(series.values.iter().copied()).collect()
}

/// The labels of a number of series.
pub(crate) fn many_labels(count: u32) -> Vec<Labels> {
    (0..count).map(|number| Labels::new([("__name__", "scraped".to_owned()), ("number", number.to_string())])).collect()
}

/// The value of a series at a scrape, computed from their numbers.
pub(crate) fn value_of(series: u32, scrape: u32) -> f64 {
    let mixed = (u64::from(series) << 32 | u64::from(scrape)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    match series % 3 {
        0 => f64::from(scrape) * 3.0,
        1 => f64::from(u32::try_from(mixed >> 48).unwrap()) / 100.0,
        // Many digits, so that files grow.
        _ => f64::from(u32::try_from(mixed >> 32).unwrap()) / 7.0,
    }
}

/// All points of a scrape.
pub(crate) fn scrape(labels: &[Labels], scrape: u32) -> Vec<Point> {
    let timestamp_ms = START_MS + i64::from(scrape) * STEP_MS;
    labels
        .iter()
        .zip(0..)
        .map(|(labels, series)| Point { labels: labels.clone(), timestamp_ms, value: value_of(series, scrape) })
        .collect()
}

/// Checks that all stored values are those of the scrapes; returns the number of samples per series.
pub(crate) fn check_scraped(store: &Store, labels: &[Labels]) -> Vec<usize> {
    let found = store.select(&[equal("__name__", "scraped")], i64::MIN, i64::MAX).unwrap();
    let mut counts = vec![0; labels.len()];
    for series in &found {
        let number: u32 = series.labels.get("number").parse().unwrap();
        counts[usize::try_from(number).unwrap()] = series.values.len();
        let mut last = i64::MIN;
        for (time, value) in samples(series) {
            assert!(time > last, "times rise");
            last = time;
            let scrape = u32::try_from((time - START_MS) / STEP_MS).unwrap();
            assert_eq!(value.to_bits(), value_of(number, scrape).to_bits(), "series {number}, scrape {scrape}");
        }
    }
    counts
}

/// The files of a kind, oldest first.
pub(crate) fn files(directory: &Path, kind: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(directory.join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
