//! Locking and format of a directory.

#![allow(clippy::unwrap_used)] // Clippy takes helpers of tests for something else.

mod common;

use std::{fs, path::Path, process::Command, sync::Arc};

use common::{many_labels, scrape};
use labels::Labels;
use timeseries::{Sample, SampleSink, histogram::Histogram};
use tsdb::{Incoming, OpenError, Store, StoreOptions};

const DIRECTORY: &str = "STORE_TEST_DIRECTORY";

fn open(directory: &Path) -> Result<Store, OpenError> {
    Store::open(directory, StoreOptions::default())
}

/// The other process of the next test; does nothing when it runs as a normal test.
#[test]
fn other_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    match open(Path::new(&directory)) {
        Ok(_) => println!("OPENED"),
        Err(error) => println!("REFUSED {error}"),
    }
}

#[test]
fn a_second_process_is_told_that_the_directory_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let run = || {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "other_process", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let store = open(directory.path()).unwrap();
    let printed = run();
    assert!(printed.contains("REFUSED") && printed.contains("in use by another process"), "{printed}");
    assert!(printed.contains(&format!("(pid {})", std::process::id())), "{printed}");
    assert!(matches!(Store::open_emptied(directory.path(), StoreOptions::default()), Err(OpenError::Locked { .. })));
    assert!(
        matches!(open(directory.path()), Err(OpenError::Locked { .. })),
        "the same process has no second one either"
    );
    drop(store);
    assert!(run().contains("OPENED"));
}

#[test]
fn a_later_format_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).unwrap().append(&scrape(&many_labels(3), 0)).unwrap();
    fs::write(directory.path().join("FORMAT"), "3\n").unwrap();
    let error = open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::NewerFormat { found: 3, supported: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("format 3"), "{error}");
    fs::write(directory.path().join("FORMAT"), "2\n").unwrap();
    assert_eq!(open(directory.path()).unwrap().stats().samples, 3);
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let error = open(&file.join("data")).unwrap_err().to_string();
    assert!(error.contains("file/data"), "{error}");
}

/// A directory of format 1 can be opened, and becomes one of format 2.
#[test]
fn the_first_format_is_read() {
    let directory = tempfile::tempdir().unwrap();
    for file in ["FORMAT", "chunks/00000001.chunks", "log/00000003.log"] {
        let target = directory.path().join(file);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format1").join(file), target).unwrap();
    }
    let store = open(directory.path()).unwrap();
    assert_eq!((store.stats().series, store.stats().samples, store.damage()), (3, 720, vec![]));
    let labels = Labels::new([("__name__", "later")]);
    let value = Sample::Histogram(Arc::new(Histogram { count: 2.0, ..Histogram::default() }));
    store.ingest(&[Incoming { labels, timestamp_ms: 1_700_003_600_000, value }]).unwrap();
    drop(store);
    assert_eq!(open(directory.path()).unwrap().stats().samples, 721);
    assert_eq!(fs::read_to_string(directory.path().join("FORMAT")).unwrap(), "2\n");
}

#[test]
fn a_directory_is_emptied_only_of_what_is_a_stores() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).unwrap().append(&scrape(&many_labels(3), 0)).unwrap();
    fs::write(directory.path().join("notes"), "mine").unwrap();
    let store = Store::open_emptied(directory.path(), StoreOptions::default()).unwrap();
    assert_eq!(store.stats().samples, 0);
    store.append(&scrape(&many_labels(3), 1)).unwrap();
    drop(store);
    assert_eq!(open(directory.path()).unwrap().stats().samples, 3);
    assert_eq!(fs::read_to_string(directory.path().join("notes")).unwrap(), "mine");
}
