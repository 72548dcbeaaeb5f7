//! Damaged files are reported and moved aside, and only the damaged part is lost.

#![allow(clippy::unwrap_used)] // Clippy takes helpers of tests for something else.

mod common;

use std::{fs, path::Path};

use common::{STEP_MS, check_scraped, equal, files, histogram, incoming, many_labels, scrape};
use proptest::prelude::*;
use timeseries::{SampleSink, SeriesSource};
use tsdb::{DamageKind, Store, StoreOptions, verify};

const SERIES: u32 = 20;
const SCRAPES: u32 = 300;

/// A directory with sealed chunks in a file and the latest samples in the log, as after a kill.
fn fill(directory: &Path) {
    let store = Store::open(directory, StoreOptions::default()).unwrap();
    let labels = many_labels(SERIES);
    (0..SCRAPES).for_each(|at| assert_eq!(store.append(&scrape(&labels, at)).unwrap().stored, labels.len()));
}

fn open(directory: &Path) -> Store {
    Store::open(directory, StoreOptions::default()).unwrap()
}

/// Opens after damage: it is reported once, the remaining samples are right, and new ones are accepted.
fn check(directory: &Path) -> (usize, Vec<DamageKind>) {
    let labels = many_labels(SERIES);
    let store = open(directory);
    let damage: Vec<DamageKind> = store.damage().iter().map(|damage| damage.kind).collect();
    let left: usize = check_scraped(&store, &labels).into_iter().sum();
    let newest = store.stats().newest_ms.unwrap_or(common::START_MS - STEP_MS);
    let next = u32::try_from((newest - common::START_MS) / STEP_MS + 1).unwrap();
    assert_eq!(store.append(&scrape(&labels, next)).unwrap().stored, labels.len());
    drop(store);
    if !damage.is_empty() {
        assert!(!files(directory, "damaged").is_empty(), "nothing was set aside");
    }
    let again = open(directory);
    assert_eq!(again.damage(), [], "damage is reported once");
    assert_eq!(check_scraped(&again, &labels).into_iter().sum::<usize>(), left + labels.len());
    (left, damage)
}

fn whole() -> usize {
    usize::try_from(SERIES * SCRAPES).unwrap()
}

#[test]
fn an_undamaged_directory_has_everything() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    assert_eq!(check(directory.path()), (whole(), vec![]));
}

#[test]
fn a_torn_log_loses_what_was_torn() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    let log = files(directory.path(), "log").pop().unwrap();
    let length = fs::metadata(&log).unwrap().len();
    fs::File::options().write(true).open(&log).unwrap().set_len(length - 7).unwrap();
    let (left, damage) = check(directory.path());
    assert_eq!(left, whole() - usize::try_from(SERIES).unwrap(), "the last scrape");
    assert_eq!(damage, [DamageKind::TornEnd]);
}

#[test]
fn checking_finds_what_opening_would() {
    let directory = tempfile::tempdir().unwrap();
    assert!(verify(&directory.path().join("nothing")).is_err());
    fill(directory.path());
    let found = verify(directory.path()).unwrap();
    assert_eq!((found.series, found.damage.len(), found.in_use), (20, 0, false));
    assert_eq!((found.chunks, found.chunk_samples), (40, 4_800));
    assert!(found.log_samples >= 1_200);
    let file = files(directory.path(), "chunks").pop().unwrap();
    let mut content = fs::read(&file).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(&file, content).unwrap();
    let found = verify(directory.path()).unwrap();
    assert_eq!(found.damage.len(), 1);
    assert_eq!(verify(directory.path()).unwrap(), found, "nothing was changed");
    let store = open(directory.path());
    assert_eq!(store.damage(), found.damage);
    let found = verify(directory.path()).unwrap();
    assert!(found.in_use && found.damage.is_empty() && found.set_aside == 1, "{found:?}");
}

#[test]
fn missing_files_are_no_reason_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    for path in files(directory.path(), "chunks") {
        fs::remove_file(path).unwrap();
    }
    let store = open(directory.path());
    check_scraped(&store, &many_labels(SERIES));
    drop(store);
    for path in files(directory.path(), "log") {
        fs::remove_file(path).unwrap();
    }
    check_scraped(&open(directory.path()), &many_labels(SERIES));
}

#[test]
fn rubbish_instead_of_files_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path());
    for path in files(directory.path(), "log").into_iter().chain(files(directory.path(), "chunks")) {
        fs::write(path, b"no frames at all, but rather long and useless").unwrap();
    }
    fs::write(directory.path().join("FORMAT"), b"\xff\xfe").unwrap();
    let (left, damage) = check(directory.path());
    assert_eq!((left, damage.len()), (0, 2));
}

#[test]
fn damage_that_appears_while_running_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { head_window: std::time::Duration::ZERO, ..Default::default() };
    let store = Store::open(directory.path(), options).unwrap();
    let labels = many_labels(SERIES);
    (0..SCRAPES).for_each(|at| {
        store.append(&scrape(&labels, at)).unwrap();
    });
    store.run_retention(common::START_MS).unwrap();
    let file = files(directory.path(), "chunks").pop().unwrap();
    let mut content = fs::read(&file).unwrap();
    *content.last_mut().unwrap() ^= 1;
    // In place, because the store has the file open.
    std::os::unix::fs::FileExt::write_all_at(&fs::File::options().write(true).open(&file).unwrap(), &content, 0)
        .unwrap();
    let left: usize = check_scraped(&store, &labels).into_iter().sum();
    assert!(left < whole() && left >= whole() - 120, "{left}");
    check_scraped(&store, &labels);
    assert_eq!(store.damage().len(), 1, "reported once: {:?}", store.damage());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_cost_little(kind in prop::sample::select(vec!["log", "chunks"]), flips in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let directory = tempfile::tempdir().unwrap();
        fill(directory.path());
        let file = files(directory.path(), kind).pop().unwrap();
        let mut content = fs::read(&file).unwrap();
        for flip in &flips {
            let bit = flip.index(content.len() * 8);
            content[bit / 8] ^= 1 << (bit % 8);
        }
        fs::write(&file, content).unwrap();
        // Two flips may cancel each other out.
        let (left, _) = check(directory.path());
        // A flip costs a chunk, or the labels of a series in one file, or a scrape.
        let worst = if kind == "chunks" { 240 * flips.len() } else { 300 * flips.len() };
        prop_assert!(left + worst >= whole(), "{} left", left);
    }

    #[test]
    fn flipped_bits_never_change_a_histogram(kind in prop::sample::select(vec!["log", "chunks"]), flips in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let directory = tempfile::tempdir().unwrap();
        let number = |at: i64| f64::from(i32::try_from(at).unwrap());
        let store = open(directory.path());
        for at in 0..400 {
            store.ingest(&[incoming("h", "a", at * STEP_MS, histogram(number(at)))]).unwrap();
        }
        drop(store);
        let file = files(directory.path(), kind).pop().unwrap();
        let mut content = fs::read(&file).unwrap();
        for flip in &flips {
            let bit = flip.index(content.len() * 8);
            content[bit / 8] ^= 1 << (bit % 8);
        }
        fs::write(&file, content).unwrap();
        let store = open(directory.path());
        let found = store.select(&[equal("job", "a")], i64::MIN, i64::MAX).unwrap().pop();
        let found = found.map(|series| series.histograms).unwrap_or_default();
        for (time, stored) in &found {
            let timeseries::Sample::Histogram(sent) = histogram(number(time / STEP_MS)) else { unreachable!() };
            prop_assert!(stored.is_same(&sent), "at {time}: {stored:?}");
        }
        // At worst the labels of three chunks of the file are lost; the log has the rest.
        prop_assert!(kind == "log" || found.len() >= 40, "{} left", found.len());
    }

    #[test]
    fn torn_files_cost_their_end(kind in prop::sample::select(vec!["log", "chunks"]), keep in any::<prop::sample::Index>()) {
        let directory = tempfile::tempdir().unwrap();
        fill(directory.path());
        let file = files(directory.path(), kind).pop().unwrap();
        let content = fs::read(&file).unwrap();
        fs::write(&file, &content[..keep.index(content.len())]).unwrap();
        check(directory.path());
    }
}
