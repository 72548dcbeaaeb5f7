//! `kill -9` during ingest: nothing acknowledged is lost.

#![allow(clippy::unwrap_used)] // Clippy takes helpers of tests for something else.

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use common::{START_MS, STEP_MS, check_scraped, many_labels, scrape};
use promql::source::SampleSink;
use store::{Store, StoreOptions};

const DIRECTORY: &str = "STORE_TEST_DIRECTORY";
const SERIES: u32 = 700;
const ROUNDS: u32 = 50;

fn open(directory: &Path) -> Store {
    Store::open(directory, StoreOptions::default()).unwrap()
}

/// How many scrapes are stored, by the newest.
fn next_scrape(store: &Store) -> u32 {
    store.stats().newest_ms.map_or(0, |newest| u32::try_from((newest - START_MS) / STEP_MS + 1).unwrap())
}

/// The process that is killed: scrapes for ever and says which scrape is acknowledged. Does nothing when run by itself.
#[test]
fn ingesting_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = open(Path::new(&directory));
    let labels = many_labels(SERIES);
    let give_up = Instant::now() + Duration::from_secs(30);
    let mut out = std::io::stdout();
    for at in next_scrape(&store).. {
        assert_eq!(store.append(&scrape(&labels, at)).unwrap().stored, labels.len());
        writeln!(out, "\nacknowledged {at}").unwrap();
        if at % 50 == 0 {
            store.run_retention(START_MS + i64::from(at) * STEP_MS).unwrap();
        }
        if Instant::now() > give_up {
            return;
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let labels = many_labels(SERIES);
    let mut stored = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ingesting_process", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = |line: String| line.strip_prefix("acknowledged ").and_then(|at| at.parse::<u32>().ok());
        // A different moment each round.
        let wanted = 1 + (round * 13) % 37;
        let mut last = None;
        let mut seen = 0;
        while seen < wanted {
            let Some(line) = lines.next() else { break };
            if let Some(at) = acknowledged(line.unwrap()) {
                last = Some(at);
                seen += 1;
            }
        }
        std::thread::sleep(Duration::from_micros(u64::from(round) * 211 % 3_000));
        child.kill().unwrap();
        child.wait().unwrap();
        last = lines.map_while(Result::ok).filter_map(acknowledged).last().or(last);
        let acknowledged = last.expect("something was acknowledged");
        assert!(acknowledged >= stored, "it goes on where it was");

        let store = open(directory.path());
        let counts = check_scraped(&store, &labels);
        stored = next_scrape(&store);
        assert!(stored > acknowledged, "round {round}: {acknowledged} was acknowledged, {stored} are stored");
        let fewest = counts.iter().min().copied().unwrap_or(0);
        assert!(fewest > usize::try_from(acknowledged).unwrap(), "round {round}: a series has {fewest}");
        let serious = store.damage().into_iter().filter(|damage| damage.kind != store::DamageKind::TornEnd);
        assert_eq!(serious.count(), 0, "round {round}");
    }
    assert!(stored > ROUNDS);
}
