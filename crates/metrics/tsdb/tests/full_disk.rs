//! A full disk: appends fail, reads continue, and appends succeed again once there is space.
//!
//! A limit on the file size simulates the full disk: both make a write stop in the middle, and the limit needs no
//! privileges.

#![allow(clippy::unwrap_used)] // Clippy takes helpers of tests for something else.

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use common::{check_scraped, many_labels, scrape};
use timeseries::SampleSink;
use tsdb::{Store, StoreOptions};

const DIRECTORY: &str = "STORE_TEST_DIRECTORY";
const SERIES: u32 = 300;

/// The process with the full disk; does nothing when it runs as a normal test.
#[test]
fn limited_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = Store::open(Path::new(&directory), StoreOptions::default()).unwrap();
    let labels = many_labels(SERIES);
    let mut at = 0;
    let error = loop {
        match store.append(&scrape(&labels, at)) {
            Ok(_) => at += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("cannot write") && error.contains("log"), "{error}");
    assert!(at > 10);
    for _ in 0..5 {
        assert!(store.append(&scrape(&labels, at)).is_err());
        // The unwritten batch is in memory and visible; no further one is accepted.
        assert_eq!(check_scraped(&store, &labels), vec![usize::try_from(at + 1).unwrap(); labels.len()]);
    }
    println!("\nfull at {at}");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    for more in at..at + 500 {
        assert_eq!(store.append(&scrape(&labels, more)).unwrap().stored, labels.len());
    }
    println!("\nstored {}", at + 500);
}

#[test]
fn a_full_disk_refuses_appends_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new("bash")
        .args(["-c", r#"trap "" XFSZ; ulimit -S -f 700; exec "$0" --exact limited_process --nocapture"#])
        .arg(std::env::current_exe().unwrap())
        .env(DIRECTORY, directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let full = lines.find_map(|line| line.strip_prefix("full at ").map(str::to_owned));
    assert!(full.is_some(), "it was never full");
    let raised =
        Command::new("prlimit").args(["--pid", &child.id().to_string(), "--fsize=unlimited:"]).status().unwrap();
    assert!(raised.success());
    writeln!(child.stdin.take().unwrap()).unwrap();
    let stored = lines.find_map(|line| line.strip_prefix("stored ").and_then(|count| count.parse::<usize>().ok()));
    assert!(child.wait().unwrap().success());

    let labels = many_labels(SERIES);
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    assert_eq!(store.damage(), []);
    assert_eq!(check_scraped(&store, &labels), vec![stored.unwrap(); labels.len()]);
}
