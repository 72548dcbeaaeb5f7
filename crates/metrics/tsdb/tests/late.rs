//! Appends to times that had already been read are recorded.

#![allow(clippy::unwrap_used)] // Clippy takes helpers of tests for something else.

use std::{sync::Arc, time::Duration};

use labels::{Labels, METRIC_NAME, Matcher};
use timeseries::{Sample, histogram::Histogram};
use tsdb::{Incoming, LateMark, Store, StoreOptions};

fn store() -> Store {
    Store::in_memory(StoreOptions { out_of_order: Duration::from_secs(600), ..StoreOptions::default() })
}

fn samples(name: &str, times: &[i64]) -> Vec<Incoming> {
    let labels = Labels::new([(METRIC_NAME, name), ("x", "y")]);
    let of_time = |time: &i64| Incoming { labels: labels.clone(), timestamp_ms: *time, value: Sample::Float(1.0) };
    times.iter().map(of_time).collect()
}

fn name(name: &str) -> Vec<Matcher> {
    vec![Matcher::equal(METRIC_NAME, name)]
}

#[test]
fn what_nobody_had_read_is_not_noted() {
    let store = store();
    store.ingest(&samples("a", &[1_000, 2_000])).unwrap();
    store.reads(5_000);
    let (late, mark) = store.late_since(LateMark::default());
    assert!(late.is_empty(), "what was there is read");
    store.ingest(&samples("a", &[6_000])).unwrap();
    assert!(store.late_since(mark).0.is_empty(), "what is newer is read by nobody yet");
}

#[test]
fn late_samples_are_noted_by_name_with_their_times() {
    let store = store();
    store.ingest(&samples("a", &[1_000, 9_000])).unwrap();
    store.reads(10_000);
    let mark = store.late_since(LateMark::default()).1;
    // Out of order, in order but late, and of a new series.
    let mut batch = samples("a", &[4_000, 3_000, 9_500, 12_000]);
    batch.extend(samples("b", &[7_000]));
    let histogram = Arc::new(Histogram::default());
    batch.extend(
        samples("h", &[8_000]).into_iter().map(|one| Incoming { value: Sample::Histogram(histogram.clone()), ..one }),
    );
    assert_eq!(store.ingest(&batch).unwrap().refused, []);
    let (late, mark) = store.late_since(mark);
    assert_eq!(late.times(&name("a")), Some((3_000, 9_500)));
    assert_eq!(late.times(&name("b")), Some((7_000, 7_000)));
    assert_eq!(late.times(&name("h")), Some((8_000, 8_000)));
    assert_eq!(late.times(&name("c")), None);
    assert_eq!(late.times(&[]), Some((3_000, 9_500)));
    assert!(store.late_since(mark).0.is_empty());
}

#[test]
fn what_is_refused_is_not_noted() {
    let store = store();
    store.ingest(&samples("a", &[1_000_000])).unwrap();
    store.reads(2_000_000);
    let mark = store.late_since(LateMark::default()).1;
    assert_eq!(store.ingest(&samples("a", &[1_000])).unwrap().refused.len(), 1, "older than late samples may be");
    assert!(store.late_since(mark).0.is_empty());
}
