//! Retention by age and size removes samples, and then series without samples.

#![allow(clippy::unwrap_used)] // Clippy takes helpers of tests for something else.

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{check_scraped, equal, files, many_labels, point, scrape};
use timeseries::{SampleSink, SeriesSource};
use tsdb::{LateMark, Store, StoreOptions};

const HOUR_MS: i64 = 3_600_000;

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[test]
fn what_is_older_than_the_retention_goes() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { retention: Duration::from_secs(24 * 3_600), ..Default::default() };
    let store = Store::open(directory.path(), options.clone()).unwrap();
    let now = now_ms();
    let old: Vec<_> = (0..500).map(|at| point("old", "a", now - 50 * HOUR_MS + at * 15_000, 1.0)).collect();
    store.append(&old).unwrap();
    assert_eq!(store.run_retention(now).unwrap(), 0, "nothing is older than its newest sample");
    // A new store, so that the new samples go to another file.
    drop(store);
    let store = Store::open(directory.path(), options.clone()).unwrap();
    store
        .append(&(0..500).map(|at| point("new", "a", now - 2 * HOUR_MS + at * 15_000, 1.0)).collect::<Vec<_>>())
        .unwrap();
    assert_eq!(store.run_retention(now).unwrap(), 0, "what was just written stays a while");
    assert_eq!(store.series(&[], 0, i64::MAX).len(), 2);
    let reader = store.clone();
    store.reads(now);
    let mark = store.late_since(LateMark::default()).1;
    assert_eq!(store.run_retention(now + 2 * HOUR_MS).unwrap(), 1);
    assert!(store.late_since(mark).0.is_empty(), "what was read of it was right");
    assert_eq!(reader.label_values("__name__", &[], 0, i64::MAX), ["new"]);
    assert_eq!(store.stats().samples, 500);
    drop((store, reader));
    let store = Store::open(directory.path(), options).unwrap();
    store.run_retention(now + 2 * HOUR_MS).unwrap();
    assert_eq!(store.label_values("__name__", &[], 0, i64::MAX), ["new"]);
}

#[test]
fn a_clock_that_jumps_ahead_removes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    let labels = many_labels(3);
    (0..500).for_each(|at| {
        store.append(&scrape(&labels, at)).unwrap();
    });
    assert_eq!(store.run_retention(i64::MAX / 2).unwrap(), 0);
    assert_eq!(check_scraped(&store, &labels), [500; 3]);
}

#[test]
fn samples_of_a_clock_that_jumped_ahead_remove_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    let labels = many_labels(3);
    (0..500).for_each(|at| {
        store.append(&scrape(&labels, at)).unwrap();
    });
    store.flush().unwrap();
    let now = common::START_MS + 500 * common::STEP_MS;
    assert_eq!(store.run_retention(now).unwrap(), 0);
    let ahead = now_ms() + 10 * 365 * 24 * HOUR_MS;
    store.append(&[point("own", "a", ahead, 1.0)]).unwrap();
    assert_eq!(store.run_retention(ahead).unwrap(), 0);
    assert_eq!(store.run_retention(ahead + 60_000).unwrap(), 0, "nor a minute later");
    assert_eq!(store.run_retention(now + 120_000).unwrap(), 0, "nor when it is right again");
    assert_eq!(check_scraped(&store, &labels), [500; 3]);
}

#[test]
fn more_than_the_limit_goes_the_oldest_first() {
    let directory = tempfile::tempdir().unwrap();
    let labels = many_labels(100);
    let limit = 300_000;
    let mut scrapes = 0;
    for _ in 0..6 {
        let options = StoreOptions { max_disk_bytes: Some(limit), ..Default::default() };
        let store = Store::open(directory.path(), options).unwrap();
        for _ in 0..240 {
            store.append(&scrape(&labels, scrapes)).unwrap();
            scrapes += 1;
        }
        store.flush().unwrap();
        store.run_retention(now_ms()).unwrap();
    }
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    assert!(store.stats().disk_bytes < 2 * limit, "{:?}", store.stats());
    let counts = check_scraped(&store, &labels);
    assert!(counts.iter().all(|count| (100..1_440).contains(count)), "{counts:?}");
    let last = common::START_MS + i64::from(scrapes - 1) * common::STEP_MS;
    assert_eq!(store.select(&[equal("__name__", "scraped")], last, last).unwrap().len(), 100, "the newest stay");
}

#[test]
fn idle_series_leave_the_log_and_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    store.append(&[point("ended", "a", 1_000, 1.0), point("ended", "a", 2_000, 2.0)]).unwrap();
    store.append(&[point("alive", "a", 5 * HOUR_MS, 1.0)]).unwrap();
    store.run_retention(6 * HOUR_MS).unwrap();
    assert_eq!(files(directory.path(), "chunks").len(), 1);
    assert_eq!(store.stats().samples, 3);
    store.append(&[point("ended", "a", 6 * HOUR_MS, 3.0)]).unwrap();
    drop(store);
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    assert_eq!(store.stats().samples, 4);
    let found = store.select(&[equal("__name__", "ended")], 0, i64::MAX).unwrap();
    assert_eq!(found[0].values, [1.0, 2.0, 3.0]);
}

#[test]
fn series_that_are_no_longer_written_leave_memory() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    let noisy = |series: u32, at: u32| (f64::from(series) + f64::from(at) / 7.0).sin();
    for at in 0..110 {
        let points =
            (0..300).map(|series| point("noisy", &series.to_string(), i64::from(at) * 15_000, noisy(series, at)));
        store.append(&points.collect::<Vec<_>>()).unwrap();
    }
    let before = store.stats().memory_bytes;
    store.append(&[point("alive", "a", 5 * HOUR_MS, 1.0)]).unwrap();
    store.run_retention(5 * HOUR_MS).unwrap();
    let after = store.stats();
    assert!(after.memory_bytes * 2 < before, "{before} bytes, then {}", after.memory_bytes);
    assert_eq!((after.series, after.samples), (301, 33_001));
}
