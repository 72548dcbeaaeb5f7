//! `kill -9` during ingest: nothing acknowledged is lost.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Clippy takes helpers of tests for something else.

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use common::{START_MS, STEP_MS, check_scraped, equal, histogram, incoming, many_labels, samples, scrape};
use timeseries::{Sample, SampleSink, SeriesSource};
use tsdb::{Incoming, Store, StoreOptions};

const DIRECTORY: &str = "STORE_TEST_DIRECTORY";
const SERIES: u32 = 700;
const ROUNDS: u32 = 50;
/// How late the late samples are.
const LATE_MS: i64 = 5 * STEP_MS + 1;

fn open(directory: &Path) -> Store {
    Store::open(directory, StoreOptions::default()).unwrap()
}

/// Number of stored scrapes, by the latest sample.
fn next_scrape(store: &Store) -> u32 {
    let found = store.select(&[equal("number", "0")], i64::MIN, i64::MAX).unwrap();
    let newest = found.first().and_then(|series| series.timestamps.last());
    newest.map_or(0, |newest| u32::try_from((newest - START_MS) / STEP_MS + 1).unwrap())
}

fn time_of(scrape: u32) -> i64 {
    START_MS + i64::from(scrape) * STEP_MS
}

/// What each scrape appends besides floats: native histograms, a series of both kinds, and a late sample.
fn beside(scrape: u32) -> Vec<Incoming> {
    let (time, number) = (time_of(scrape), f64::from(scrape));
    let mixed = if scrape.is_multiple_of(3) { histogram(number) } else { Sample::Float(number) };
    vec![
        incoming("beside", "histograms", time, histogram(number)),
        incoming("beside", "mixed", time, mixed),
        incoming("beside", "late", time, Sample::Float(number)),
        incoming("beside", "late", time - LATE_MS, Sample::Float(-number)),
        incoming("beside", "late_histograms", time, histogram(number)),
        incoming("beside", "late_histograms", time - LATE_MS, histogram(-number)),
    ]
}

/// Checks that everything besides the floats of the first scrapes is stored exactly once.
fn check_beside(store: &Store, scrapes: u32) {
    for job in ["histograms", "mixed", "late", "late_histograms"] {
        let found = store.select(&[equal("job", job)], i64::MIN, i64::MAX).unwrap().pop().unwrap();
        let floats = samples(&found);
        assert!(floats.windows(2).all(|pair| pair[0].0 < pair[1].0), "times rise");
        assert!(found.histograms.windows(2).all(|pair| pair[0].0 < pair[1].0), "times rise");
        for Incoming { labels, timestamp_ms, value } in (0..scrapes).flat_map(beside) {
            if labels != found.labels {
                continue;
            }
            let is_there = match &value {
                Sample::Float(value) => {
                    floats.binary_search_by_key(&timestamp_ms, |(time, _)| *time).is_ok_and(|at| floats[at].1 == *value)
                }
                Sample::Histogram(expected) => {
                    let stored = found.histograms.binary_search_by_key(&timestamp_ms, |(time, _)| *time);
                    stored.is_ok_and(|at| found.histograms[at].1.is_same(expected))
                }
            };
            assert!(is_there, "{labels:?} at {timestamp_ms} was acknowledged");
        }
    }
}

/// The process to kill: scrapes forever and prints which scrape was acknowledged. Does nothing when it runs as a normal
/// test.
#[test]
fn ingesting_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = open(Path::new(&directory));
    let labels = many_labels(SERIES);
    let give_up = Instant::now() + Duration::from_secs(30);
    let mut out = std::io::stdout();
    for at in next_scrape(&store).. {
        // The floats come last, because they show how far it got.
        store.ingest(&beside(at)).unwrap();
        assert_eq!(store.append(&scrape(&labels, at)).unwrap().stored, labels.len());
        writeln!(out, "\nacknowledged {at}").unwrap();
        if at % 50 == 0 {
            store.run_retention(time_of(at)).unwrap();
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
        check_beside(&store, acknowledged + 1);
        let serious = store.damage().into_iter().filter(|damage| damage.kind != tsdb::DamageKind::TornEnd);
        assert_eq!(serious.count(), 0, "round {round}");
    }
    assert!(stored > ROUNDS);
}
