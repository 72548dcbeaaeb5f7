//! Who may open a directory.

#![allow(clippy::unwrap_used)] // Clippy takes helpers of tests for something else.

mod common;

use std::{fs, path::Path, process::Command};

use common::{many_labels, scrape};
use promql::source::SampleSink;
use store::{OpenError, Store, StoreOptions};

const DIRECTORY: &str = "STORE_TEST_DIRECTORY";

fn open(directory: &Path) -> Result<Store, OpenError> {
    Store::open(directory, StoreOptions::default())
}

/// The other process of the next test; does nothing when run by itself.
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
    let told = run();
    assert!(told.contains("REFUSED") && told.contains("in use by another process"), "{told}");
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
    fs::write(directory.path().join("FORMAT"), "2\n").unwrap();
    let error = open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::NewerFormat { found: 2, supported: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("format 2"), "{error}");
    fs::write(directory.path().join("FORMAT"), "1\n").unwrap();
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
