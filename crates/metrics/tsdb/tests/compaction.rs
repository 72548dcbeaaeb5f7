//! Chunk files are compacted when they are old, without a visible change.

#![allow(clippy::unwrap_used)] // Clippy takes helpers of tests for something else.

mod common;

use std::{fs, path::Path};

use common::{START_MS, STEP_MS, check_scraped, files, many_labels, point, samples, scrape};
use timeseries::{SampleSink, SeriesSource};
use tsdb::{Store, StoreOptions};

const SERIES: u32 = 12;

fn open(directory: &Path) -> Store {
    Store::open(directory, StoreOptions::default()).unwrap()
}

fn now_after(scrapes: u32) -> i64 {
    START_MS + i64::from(scrapes) * STEP_MS
}

/// Ten hours of scrapes by ten consecutive processes, without maintenance.
fn fill(directory: &Path) -> u32 {
    let labels = many_labels(SERIES);
    for process in 0..10 {
        let store = open(directory);
        (process * 240..(process + 1) * 240).for_each(|at| {
            store.append(&scrape(&labels, at)).unwrap();
        });
    }
    2_400
}

#[test]
fn merging_changes_nothing_but_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let scrapes = fill(directory.path());
    let labels = many_labels(SERIES);
    let whole = vec![usize::try_from(scrapes).unwrap(); labels.len()];
    let store = open(directory.path());
    let before = (files(directory.path(), "chunks").len(), store.stats());
    let reader = store.select(&[], i64::MIN, i64::MAX).unwrap().len();
    store.run_retention(now_after(scrapes)).unwrap();
    let after = (files(directory.path(), "chunks").len(), store.stats());
    assert!(after.0 < before.0, "{} files, then {}", before.0, after.0);
    assert_eq!(after.1.samples, before.1.samples);
    assert!(after.1.disk_bytes < before.1.disk_bytes);
    assert_eq!(reader, labels.len());
    assert_eq!(check_scraped(&store, &labels), whole);
    drop(store);
    let store = open(directory.path());
    assert_eq!(store.stats().samples, before.1.samples);
    assert_eq!(check_scraped(&store, &labels), whole);
    assert_eq!(store.append(&scrape(&labels, scrapes)).unwrap().stored, labels.len());
}

#[test]
fn a_crash_before_the_old_files_are_removed_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let scrapes = fill(directory.path());
    let labels = many_labels(SERIES);
    let kept = tempfile::tempdir().unwrap();
    for path in files(directory.path(), "chunks") {
        fs::copy(&path, kept.path().join(path.file_name().unwrap())).unwrap();
    }
    open(directory.path()).run_retention(now_after(scrapes)).unwrap();
    let merged = files(directory.path(), "chunks");
    for path in fs::read_dir(kept.path()).unwrap().map(|entry| entry.unwrap().path()) {
        let restored = directory.path().join("chunks").join(path.file_name().unwrap());
        if !restored.exists() {
            fs::copy(&path, restored).unwrap();
        }
    }
    assert!(files(directory.path(), "chunks").len() > merged.len());
    let store = open(directory.path());
    assert_eq!(files(directory.path(), "chunks"), merged);
    assert_eq!(store.stats().samples, u64::from(scrapes * SERIES));
    assert_eq!(check_scraped(&store, &labels), vec![usize::try_from(scrapes).unwrap(); labels.len()]);
}

#[test]
fn late_samples_find_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let mut wanted = Vec::new();
    for process in 0..10_i64 {
        let store = open(directory.path());
        for at in 0..400_i64 {
            let late = if (process * 400 + at) % 3 == 0 { 90_000 } else { 0 };
            let time = (process * 400 + at) * 10_000 - late + 1;
            let value = f64::from(i32::try_from(at).unwrap());
            assert_eq!(store.append(&[point("late", "a", time, value)]).unwrap().stored, 1);
            wanted.push((time, value));
        }
        store.run_retention(40_000_000).unwrap();
    }
    wanted.sort_by_key(|(time, _)| *time);
    let store = open(directory.path());
    store.run_retention(40_000_000).unwrap();
    let found = store.select(&[], i64::MIN, i64::MAX).unwrap();
    assert_eq!(samples(&found[0]), wanted);
    let part = store.select(&[], 10_000_000, 20_000_000).unwrap();
    let inside: Vec<_> = wanted.into_iter().filter(|(time, _)| (10_000_000..=20_000_000).contains(time)).collect();
    assert_eq!(samples(&part[0]), inside);
}

#[test]
fn damage_met_while_merging_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let scrapes = fill(directory.path());
    let labels = many_labels(SERIES);
    let store = open(directory.path());
    let oldest = files(directory.path(), "chunks").remove(0);
    let length = fs::metadata(&oldest).unwrap().len();
    let file = fs::File::options().write(true).open(&oldest).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0x55; 3], length - 20).unwrap();
    store.run_retention(now_after(scrapes)).unwrap();
    assert_eq!(store.damage().len(), 1);
    assert_eq!(files(directory.path(), "damaged").len(), 1);
    let left: usize = check_scraped(&store, &labels).into_iter().sum();
    assert!(left >= usize::try_from(scrapes * SERIES).unwrap() - 120);
    drop(store);
    assert_eq!(open(directory.path()).damage(), []);
}
