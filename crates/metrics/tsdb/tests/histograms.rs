//! Native histograms beside floats.

#![allow(clippy::unwrap_used)] // Clippy takes helpers of tests for something else.

mod common;

use std::{sync::Arc, time::Duration};

use common::{STEP_MS, equal, histogram, incoming, samples};
use timeseries::{
    STALE_NAN, Sample, SeriesSource,
    histogram::{CUSTOM, Histogram, ResetHint},
};
use tsdb::{Refusal, Store, StoreOptions, verify};

const HOUR_MS: i64 = 3_600_000;

fn counter(count: f64) -> Sample {
    Sample::Histogram(Arc::new(Histogram { count, positive: vec![(0, count)], ..Histogram::default() }))
}

fn stale() -> Sample {
    Sample::Histogram(Arc::new(Histogram { sum: STALE_NAN, ..Histogram::default() }))
}

fn found(store: &Store, job: &str) -> Vec<(i64, Arc<Histogram>)> {
    let mut series = store.select(&[equal("job", job)], i64::MIN, i64::MAX).unwrap();
    series.pop().map(|series| series.histograms).unwrap_or_default()
}

#[test]
fn everything_of_a_histogram_survives_the_log_a_chunk_and_merging() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { head_window: Duration::from_secs(60), ..Default::default() };
    let custom = Histogram {
        schema: CUSTOM,
        count: 9.5,
        sum: -0.25,
        positive: vec![(0, 2.5), (2, 7.0)],
        custom_bounds: Arc::from([0.1, 1.0, 2.5]),
        reset_hint: ResetHint::Gauge,
        ..Histogram::default()
    };
    let value = |at: i64| match at % 50 {
        17 => Sample::Histogram(Arc::new(custom.clone())),
        18 => stale(),
        _ => histogram(f64::from(i32::try_from(at).unwrap())),
    };
    let batch: Vec<_> = (0..1_000).map(|at| incoming("h", "a", at * STEP_MS, value(at))).collect();
    for part in batch.chunks(200) {
        // A new process each time, so that there are several files.
        let store = Store::open(directory.path(), options.clone()).unwrap();
        assert_eq!(store.ingest(part).unwrap().outcome.stored, 200);
        store.run_retention(0).unwrap();
    }
    let check = |store: &Store| {
        let found = found(store, "a");
        assert_eq!(found.len(), 1_000);
        for ((time, stored), sent) in found.iter().zip(&batch) {
            let Sample::Histogram(expected) = &sent.value else { panic!("only histograms were sent") };
            let equal = stored.is_same(expected) || (stored.is_stale_marker() && expected.is_stale_marker());
            assert!(*time == sent.timestamp_ms && equal, "{stored:?} is not {expected:?}");
            assert_eq!(stored.reset_hint == ResetHint::Gauge, expected.reset_hint == ResetHint::Gauge);
        }
    };
    let store = Store::open(directory.path(), options.clone()).unwrap();
    check(&store);
    // Enough old files for a compaction into one.
    for at in 0..12_i64 {
        store.ingest(&[incoming("h", "b", 10 * HOUR_MS + at * HOUR_MS, histogram(1.0))]).unwrap();
        store.run_retention(0).unwrap();
    }
    drop(store);
    for _ in 0..6 {
        let store = Store::open(directory.path(), options.clone()).unwrap();
        store.run_retention(0).unwrap();
        check(&store);
    }
    let verified = verify(directory.path()).unwrap();
    assert_eq!((verified.damage, verified.series), (vec![], 2));
    assert!(verified.chunk_samples >= 1_000);
    let copy = directory.path().join("copy");
    Store::open(directory.path(), options.clone()).unwrap().snapshot(&copy, tsdb::Extent::All).unwrap();
    check(&Store::open(&copy, options).unwrap());
}

#[test]
fn a_time_belongs_to_one_sample_of_either_kind() {
    let store = Store::in_memory(StoreOptions::default());
    let float = |time, value| incoming("m", "a", time, Sample::Float(value));
    let batch = [
        float(1_000, 1.0),
        incoming("m", "a", 2_000, counter(1.0)),
        incoming("m", "a", 2_000, counter(1.0)),
        incoming("m", "a", 2_000, counter(2.0)),
        float(2_000, 1.0),
        incoming("m", "a", 1_000, counter(1.0)),
        float(3_000, 3.0),
        incoming("m", "a", 2_500, counter(3.0)),
        float(2_500, 3.0),
    ];
    let ingested = store.ingest(&batch).unwrap();
    assert_eq!((ingested.outcome.stored, ingested.outcome.duplicate), (5, 4));
    let refused: Vec<_> = ingested.refused.iter().map(|refused| refused.position).collect();
    assert_eq!(refused, [3, 4, 5, 8]);
    assert!(ingested.refused.iter().all(|refused| refused.reason == Refusal::Duplicate));
    let series = store.select(&[equal("job", "a")], 0, i64::MAX).unwrap();
    assert_eq!(samples(&series[0]), [(1_000, 1.0), (3_000, 3.0)]);
    assert_eq!(series[0].histograms.iter().map(|(time, _)| *time).collect::<Vec<_>>(), [2_000, 2_500]);
}

#[test]
fn resets_are_told_of_counters_only() {
    let store = Store::in_memory(StoreOptions::default());
    let given = |count, reset_hint| {
        Sample::Histogram(Arc::new(Histogram { count, positive: vec![(0, count)], reset_hint, ..Histogram::default() }))
    };
    let values = [
        counter(5.0),
        counter(7.0),
        counter(2.0),
        stale(),
        counter(9.0),
        Sample::Float(1.0),
        counter(10.0),
        given(11.0, ResetHint::Reset),
        given(3.0, ResetHint::Gauge),
        counter(2.0),
    ];
    let batch: Vec<_> = (1..).zip(values).map(|(at, value)| incoming("m", "a", at * 1_000, value)).collect();
    store.ingest(&batch).unwrap();
    let hints: Vec<ResetHint> = found(&store, "a").iter().map(|(_, histogram)| histogram.reset_hint).collect();
    use ResetHint::{Gauge, NotReset, Reset, Unknown};
    assert_eq!(hints, [Unknown, NotReset, Reset, Unknown, Unknown, Unknown, Reset, Gauge, Unknown]);
    // After a late histogram, the next one has a different predecessor.
    store.ingest(&[incoming("m", "a", 1_500, counter(8.0))]).unwrap();
    let hints: Vec<ResetHint> = found(&store, "a").iter().take(3).map(|(_, histogram)| histogram.reset_hint).collect();
    assert_eq!(hints, [Unknown, NotReset, Reset]);
}

#[test]
fn a_histogram_of_very_many_buckets_is_refused_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    let positive = (0..20_000).map(|index| (index, 1.0)).collect();
    let large = Sample::Histogram(Arc::new(Histogram { count: 20_000.0, positive, ..Histogram::default() }));
    let batch = [
        incoming("m", "a", 1_000, counter(1.0)),
        incoming("m", "a", 2_000, large),
        incoming("m", "a", 3_000, Sample::Float(1.0)),
        incoming("m", "a", 3_000, Sample::Float(2.0)),
    ];
    let ingested = store.ingest(&batch).unwrap();
    assert_eq!(ingested.outcome.stored, 2);
    let refused: Vec<_> = ingested.refused.iter().map(|refused| (refused.position, refused.reason)).collect();
    assert_eq!(refused, [(1, Refusal::TooManyBuckets), (3, Refusal::Duplicate)]);
}

#[test]
fn what_was_refused_is_not_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    // Late ones, which form a chunk; then a checkpoint starts a new log.
    let all: Vec<_> = (0..129).map(|at| incoming("m", "a", 1_000_000 - at * 139, histogram(1.0))).collect();
    assert_eq!(store.ingest(&all).unwrap().refused, []);
    store.run_retention(i64::MAX).unwrap();
    let taken = incoming("m", "a", 1_000_000 - 10 * 139, Sample::Float(5.0));
    assert_eq!(store.ingest(&[taken]).unwrap().refused.len(), 1);
    drop(store);
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    let found = store.select(&[equal("job", "a")], i64::MIN, i64::MAX).unwrap().pop().unwrap();
    assert_eq!((found.timestamps.len(), found.histograms.len()), (0, 129));
}
