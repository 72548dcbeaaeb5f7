//! Appends and reads, with Prometheus' semantics.

#![allow(clippy::unwrap_used)] // Clippy takes helpers of tests for something else.

mod common;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use common::{check_scraped, equal, many_labels, point, samples, scrape};
use labels::Labels;
use timeseries::{AppendOutcome, Point, STALE_NAN, SampleSink, SeriesSource};
use tsdb::{Metadata, Refusal, Store, StoreOptions};

#[test]
fn samples_come_back_bit_by_bit_in_memory_and_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let odd_nan = f64::from_bits(0x7ff8_dead_beef_0001);
    let values = [1.0, -0.0, f64::NAN, odd_nan, f64::INFINITY, STALE_NAN, 0.1 + 0.2, f64::MIN_POSITIVE / 4.0];
    let points: Vec<_> =
        (0..1_000_i64).zip(values.into_iter().cycle()).map(|(at, value)| point("m", "a", at * 15_000, value)).collect();
    let wanted: Vec<(i64, u64)> = points.iter().map(|point| (point.timestamp_ms, point.value.to_bits())).collect();
    let check = |store: &Store| {
        let found = store.select(&[equal("__name__", "m")], 0, i64::MAX).unwrap();
        assert_eq!(found.len(), 1);
        let bits: Vec<(i64, u64)> =
            samples(&found[0]).into_iter().map(|(time, value)| (time, value.to_bits())).collect();
        assert_eq!(bits, wanted);
        assert_eq!(store.stats().samples, 1_000);
        assert!(store.damage().is_empty());
    };
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    for batch in points.chunks(7) {
        assert_eq!(store.append(batch).unwrap(), AppendOutcome { stored: batch.len(), ..Default::default() });
    }
    check(&store);
    for _ in 0..3 {
        check(&store);
    }
    drop(store);
    for _ in 0..10 {
        check(&Store::open(directory.path(), StoreOptions::default()).unwrap());
    }
}

#[test]
fn times_near_zero_and_below_are_times_like_any_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    let points: Vec<_> = (-3..3).map(|at| point("m", "a", at * 300_000, 1.0)).collect();
    assert_eq!(store.append(&points).unwrap().stored, 6);
    store.run_retention(1_900_000_000_000).unwrap();
    assert_eq!(store.select(&[equal("__name__", "m")], -600_000, 300_000).unwrap()[0].timestamps.len(), 4);
}

#[test]
fn duplicates_and_late_samples() {
    let store = Store::in_memory(StoreOptions::default());
    let append = |time: i64, value: f64| {
        let outcome = store.append(&[point("m", "a", time, value)]).unwrap();
        (outcome.stored, outcome.out_of_order, outcome.duplicate)
    };
    assert_eq!(append(1_000_000, 1.0), (1, 0, 0));
    assert_eq!(append(1_000_000, 1.0), (1, 0, 0), "the same again");
    assert_eq!(append(1_000_000, 2.0), (0, 0, 1), "another value");
    assert_eq!(append(2_000_000, 2.0), (1, 0, 0));
    assert_eq!(append(1_500_000, 1.5), (1, 0, 0), "late by 500 s");
    assert_eq!(append(1_500_000, 1.5), (1, 0, 0), "late and the same again");
    assert_eq!(append(1_500_000, 9.0), (0, 0, 1), "late and another value");
    assert_eq!(append(1_400_000, 1.4), (1, 0, 0), "late by exactly 10 min");
    assert_eq!(append(1_399_999, 1.4), (0, 1, 0), "too late");
    assert_eq!(append(2_000_000, f64::NAN), (0, 0, 1));
    let found = store.select(&[equal("__name__", "m")], 0, i64::MAX).unwrap();
    assert_eq!(samples(&found[0]), [(1_000_000, 1.0), (1_400_000, 1.4), (1_500_000, 1.5), (2_000_000, 2.0)]);
}

#[test]
fn many_late_samples_are_merged_in_order_and_survive() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    let mut wanted = Vec::new();
    for at in 0..2_000_i64 {
        let time = at * 1_000;
        // Every other sample arrives 300 later.
        let time = if at % 2 == 1 { time - 300_000 } else { time };
        let stored = store.append(&[point("m", "a", time, f64::from(i32::try_from(at).unwrap()))]).unwrap().stored;
        assert_eq!(stored, 1);
        wanted.push((time, f64::from(i32::try_from(at).unwrap())));
    }
    wanted.sort_by_key(|(time, _)| *time);
    let check = |store: &Store| {
        let found = store.select(&[equal("__name__", "m")], i64::MIN, i64::MAX).unwrap();
        assert_eq!(samples(&found[0]), wanted);
    };
    check(&store);
    drop(store);
    check(&Store::open(directory.path(), StoreOptions::default()).unwrap());
}

#[test]
fn labels_series_and_values_respect_matchers_and_range() {
    let store = Store::in_memory(StoreOptions::default());
    store
        .append(&[point("up", "a", 1_000, 1.0), point("up", "b", 2_000, 1.0), point("down", "c", 3_000, 1.0)])
        .unwrap();
    assert_eq!(store.label_names(&[], 0, 9_000), ["__name__", "job"]);
    assert_eq!(store.label_values("job", &[], 0, 9_000), ["a", "b", "c"]);
    assert_eq!(store.label_values("job", &[], 1_500, 9_000), ["b", "c"]);
    assert_eq!(store.label_values("job", &[equal("__name__", "up")], 0, 9_000), ["a", "b"]);
    assert_eq!(store.label_values("nothing", &[], 0, 9_000), [""; 0]);
    let found = store.series(&[equal("__name__", "up")], 0, 9_000);
    assert_eq!(found.iter().map(|labels| labels.get("job")).collect::<Vec<_>>(), ["a", "b"]);
    assert!(store.series(&[equal("__name__", "up")], 5_000, 9_000).is_empty());
}

#[test]
fn metadata_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let about = Metadata { kind: "counter".to_owned(), help: "Requests.".to_owned(), unit: String::new() };
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    store.set_metadata(&[("requests_total".to_owned(), about.clone())]).unwrap();
    drop(store);
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    assert_eq!(store.metadata(), [("requests_total".to_owned(), about)]);
}

#[test]
fn a_selection_beyond_the_limit_is_refused() {
    let store = Store::in_memory(StoreOptions { max_select_samples: 1_000, ..Default::default() });
    store.append(&(0..2_000).map(|at| point("m", "a", at * 15_000, 1.0)).collect::<Vec<_>>()).unwrap();
    let error = store.select(&[equal("__name__", "m")], 0, i64::MAX).unwrap_err().to_string();
    assert!(error.contains("1000 samples"), "{error}");
    assert_eq!(store.select(&[equal("__name__", "m")], 0, 15_000 * 499).unwrap()[0].values.len(), 500);
}

#[test]
fn readers_see_whole_prefixes_while_samples_come_and_files_are_merged() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { head_window: Duration::from_secs(900), ..Default::default() };
    let store = Store::open(directory.path(), options).unwrap();
    let labels = many_labels(40);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers = [1, 2].map(|_| {
            scope.spawn(|| {
                let mut seen = 0;
                while !done.load(Ordering::Relaxed) {
                    let fewest = check_scraped(&store, &labels).into_iter().min().unwrap();
                    assert!(fewest >= seen, "{fewest} after {seen}");
                    seen = fewest;
                }
                seen
            })
        });
        let upkeep = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                store.run_retention(i64::MAX).unwrap();
            }
        });
        for at in 0..6_000 {
            assert_eq!(store.append(&scrape(&labels, at)).unwrap().stored, labels.len());
        }
        done.store(true, Ordering::Relaxed);
        upkeep.join().unwrap();
        readers.into_iter().for_each(|reader| assert!(reader.join().unwrap() > 0));
    });
    assert_eq!(check_scraped(&store, &labels), [6_000; 40]);
    assert_eq!(store.damage(), []);
}

#[test]
fn a_snapshot_is_the_store_at_one_moment() {
    let directory = tempfile::tempdir().unwrap();
    let (data, copy) = (directory.path().join("data"), directory.path().join("copies/first"));
    let store = Store::open(&data, StoreOptions::default()).unwrap();
    let append = |range: std::ops::Range<i64>| {
        let points: Vec<_> = range.map(|at| point("m", "a", at * 15_000, 1.0)).collect();
        assert_eq!(store.append(&points).unwrap().stored, points.len());
    };
    append(0..500);
    store.snapshot(&copy, tsdb::Extent::All).unwrap();
    append(500..1_000);
    let copied = Store::open(&copy, StoreOptions::default()).unwrap();
    assert_eq!((copied.stats().samples, copied.damage().len()), (500, 0));
    assert_eq!(copied.append(&[point("m", "a", 500 * 15_000, 2.0)]).unwrap().stored, 1, "a store of its own");
    let error = store.snapshot(&copy, tsdb::Extent::All).unwrap_err().to_string();
    assert!(error.contains("copies/first"), "{error}");
    drop((store, copied));
    assert_eq!(Store::open(&data, StoreOptions::default()).unwrap().stats().samples, 1_000);
    assert!(Store::in_memory(StoreOptions::default()).snapshot(&copy, tsdb::Extent::All).is_err());
}

#[test]
fn beyond_the_limit_of_series_only_new_ones_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Store::open(directory.path(), StoreOptions { max_series: 1, ..Default::default() }).unwrap();
    let store = open();
    store.append(&[point("m", "a", 1_000, 1.0)]).unwrap();
    let batch = [point("m", "b", 2_000, 1.0), point("m", "a", 2_000, 1.0), point("m", "c", 2_000, 1.0)];
    let outcome = store.append(&batch).unwrap();
    assert_eq!((outcome.stored, outcome.over_limit, outcome.first_rejected), (1, 2, Some(0)));
    let incoming = |job, time, value| common::incoming("m", job, time, timeseries::Sample::Float(value));
    let batch = [incoming("a", 3_000, 1.0), incoming("b", 3_000, 1.0), incoming("a", 3_000, 2.0)];
    let ingested = store.ingest(&batch).unwrap();
    let rejected: Vec<_> = ingested.refused.iter().map(|refused| (refused.position, refused.reason)).collect();
    assert_eq!(rejected, [(1, Refusal::TooManySeries), (2, Refusal::Duplicate)]);
    drop(store);
    let store = open();
    assert_eq!((store.stats().series, store.stats().samples, store.damage()), (1, 3, vec![]));
}

#[test]
fn what_makes_the_most_series_is_told() {
    let store = Store::in_memory(StoreOptions::default());
    let labelled = |name: &str, number: u32| {
        let labels = Labels::new([("__name__", name.to_owned()), ("number", number.to_string())]);
        Point { labels, timestamp_ms: 1, value: 1.0 }
    };
    let mut points: Vec<Point> = (0..30).map(|number| labelled("many", number)).collect();
    points.extend((0..3).map(|number| labelled("few", number)));
    points.push(labelled("one", 1));
    store.append(&points).unwrap();
    let found = store.cardinality(2);
    let counts =
        |list: &[tsdb::Counted]| list.iter().map(|one| format!("{} {}", one.name, one.count)).collect::<Vec<_>>();
    assert_eq!(counts(&found.series_by_metric), ["many 30", "few 3"]);
    assert_eq!(counts(&found.values_by_label), ["number 30", "__name__ 3"]);
    assert_eq!(counts(&found.series_by_pair), ["__name__=many 30", "__name__=few 3"]);
    assert_eq!(found.label_pairs, 33);
    assert_eq!(store.cardinality(0).series_by_metric, []);
}
