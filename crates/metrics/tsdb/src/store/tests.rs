//! Tests with a disk that does not answer: only callers that must wait for it do. If another one does, the test hangs
//! and is killed.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use labels::{Labels, METRIC_NAME, Matcher};
use timeseries::{Point, Sample, SampleSink, SeriesSource};

use super::Store;
use crate::{Extent, Incoming, IngestError, StoreOptions, disk::device::Request};

const STEP_MS: i64 = 15_000;
const DIRECTORY: &str = "STORE_TEST_SLOW_DIRECTORY";

fn labels(series: u32) -> Labels {
    Labels::new([(METRIC_NAME, "slow".to_owned()), ("series", series.to_string())])
}

/// One sample of each of `series`.
fn points(series: u32, at: u32) -> Vec<Point> {
    let point = |series| Point { labels: labels(series), timestamp_ms: i64::from(at) * STEP_MS, value: f64::from(at) };
    (0..series).map(point).collect()
}

fn fill(store: &Store, at: u32) {
    store.append(&points(10, at)).unwrap();
}

fn batch(at: u32) -> Vec<Incoming> {
    let incoming =
        |Point { labels, timestamp_ms, value }| Incoming { labels, timestamp_ms, value: Sample::Float(value) };
    points(1, at).into_iter().map(incoming).collect()
}

/// Number of samples of each series; checks that all have the same number and the right values.
fn count(store: &Store) -> usize {
    let found = store.select(&[Matcher::equal(METRIC_NAME, "slow")], i64::MIN, i64::MAX).unwrap();
    let lengths: Vec<usize> = found.iter().map(|series| series.timestamps.len()).collect();
    assert!(lengths.iter().all(|length| Some(length) == lengths.first()), "{lengths:?}");
    for series in &found {
        let wanted = (0..).map(|at: u32| (i64::from(at) * STEP_MS, f64::from(at)));
        assert!(series.timestamps.iter().copied().zip(series.values.iter().copied()).eq(wanted.take(lengths[0])));
    }
    lengths.first().copied().unwrap_or(0)
}

/// Runs something on another thread, and returns a receiver of its result.
fn begin<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> mpsc::Receiver<T> {
    let (sender, done) = mpsc::channel();
    thread::spawn(move || sender.send(act()));
    done
}

/// Runs something that must not wait for the disk.
fn at_once<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    begin(act).recv_timeout(Duration::from_secs(30)).expect("it does not wait for the disk")
}

/// Holds a kind of request until it is dropped, so that a failing test ends.
struct Held(Store);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.shared().disk.as_ref().unwrap().device.held.release();
    }
}

fn hold(store: &Store, request: Request) -> Held {
    store.shared().disk.as_ref().unwrap().device.held.hold(request);
    Held(store.clone())
}

/// Waits until there is a disk request.
fn until_asked(store: &Store) {
    while store.stats().disk_waiting.is_zero() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// All kinds of reads.
fn read_all(store: &Store) -> usize {
    let store = store.clone();
    at_once(move || {
        let whole = (i64::MIN, i64::MAX);
        let labels = (store.label_names(&[], whole.0, whole.1), store.label_values("series", &[], whole.0, whole.1));
        let rest = (store.metadata(), store.cardinality(10), store.stats(), store.damage());
        drop((store.series(&[], whole.0, whole.1), labels, rest));
        count(&store)
    })
}

/// Opens a copy of the directory, as after the process was killed.
fn after_a_crash(directory: &Path) -> usize {
    let copy = tempfile::tempdir().unwrap();
    for folder in ["log", "chunks"] {
        fs::create_dir(copy.path().join(folder)).unwrap();
        for entry in fs::read_dir(directory.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.path().join(folder).join(path.file_name().unwrap())).unwrap();
        }
    }
    let store = Store::open(copy.path(), StoreOptions::default()).unwrap();
    assert_eq!(store.damage(), []);
    count(&store)
}

#[test]
fn nobody_waits_while_the_disk_is_forced() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    store.append(&points(10, 0)).unwrap();
    let held = hold(&store, Request::Sync);
    let flushed = begin({
        let store = store.clone();
        move || store.flush()
    });
    until_asked(&store);
    for at in 1..300 {
        let store = store.clone();
        at_once(move || store.append(&points(10, at)).unwrap());
    }
    assert_eq!(read_all(&store), 300);
    assert_eq!(after_a_crash(directory.path()), 300, "acknowledged");
    assert!(flushed.try_recv().is_err(), "it is still forced");
    drop(held);
    flushed.recv().unwrap().unwrap();
}

#[test]
fn only_who_asks_waits_while_the_disk_takes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    store.append(&points(10, 0)).unwrap();
    let held = hold(&store, Request::Write);
    for at in 1..300 {
        let sink = store.unawaited();
        at_once(move || sink.append(&points(10, at)).unwrap());
    }
    assert_eq!(read_all(&store), 300, "seen at once");
    let metadata = ("slow".to_owned(), crate::Metadata { help: "Slow.".to_owned(), ..crate::Metadata::default() });
    let describing = store.clone();
    at_once(move || describing.set_metadata(&[metadata]).unwrap());
    assert!(store.stats().unwritten_bytes > 0);
    let acknowledged = begin({
        let store = store.clone();
        move || store.append(&points(10, 300)).unwrap()
    });
    while read_all(&store) < 301 {}
    assert!(acknowledged.try_recv().is_err(), "nothing is acknowledged that is not in the log");
    drop(held);
    acknowledged.recv().unwrap();
    assert_eq!(store.stats().unwritten_bytes, 0);
    assert_eq!(after_a_crash(directory.path()), 301);
}

#[test]
fn what_waits_for_the_disk_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let options =
        StoreOptions { patience: Duration::from_millis(20), max_waiting_bytes: 100_000, ..StoreOptions::default() };
    let store = Store::open(directory.path(), options).unwrap();
    let held = hold(&store, Request::Write);
    store.ingest_unawaited(&batch(0)).unwrap();
    // The store's own thread is the one that is blocked by the disk.
    until_asked(&store);
    let mut taken = 1;
    while store.ingest_unawaited(&batch(taken)).is_ok() {
        taken += 1;
    }
    assert!(taken > 100);
    assert!(store.stats().unwritten_bytes < 110_000);
    assert!(
        matches!(store.ingest_unawaited(&batch(taken)), Err(IngestError::Busy { waiting_bytes }) if waiting_bytes > 100_000)
    );
    assert!(matches!(store.ingest(&batch(taken)), Err(IngestError::Busy { .. })), "an append does not wait for ever");
    assert!(store.set_metadata(&[]).is_err());
    assert_eq!(read_all(&store), usize::try_from(taken).unwrap());
    drop(held);
    while store.ingest(&batch(taken)).is_err() {}
    assert_eq!(after_a_crash(directory.path()), usize::try_from(taken + 1).unwrap());
}

#[test]
fn upkeep_keeps_nobody_waiting() {
    for request in [Request::Write, Request::Sync] {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
        let backup = tempfile::tempdir().unwrap();
        let works: [fn(&Store, &Path); 3] = [
            |store, _| {
                store.run_retention(i64::MAX / 2).unwrap();
            },
            |store, _| store.shared().checkpoint(store.shared().disk.as_ref().unwrap()).unwrap(),
            |store, to| store.snapshot(&to.join("copy"), Extent::All).unwrap(),
        ];
        let mut at = 0;
        for work in works {
            // Chunks fill up.
            for _ in 0..130 {
                store.unawaited().append(&points(10, at)).unwrap();
                at += 1;
            }
            let held = hold(&store, request);
            let done = begin({
                let (store, backup) = (store.clone(), backup.path().to_owned());
                move || work(&store, &backup)
            });
            for _ in 0..130 {
                let sink = store.unawaited();
                at_once(move || sink.append(&points(10, at)).unwrap());
                at += 1;
            }
            assert_eq!(read_all(&store), usize::try_from(at).unwrap());
            drop(held);
            done.recv().unwrap();
        }
        store.flush().unwrap();
        assert_eq!(after_a_crash(directory.path()), usize::try_from(at).unwrap());
    }
}

#[test]
fn what_comes_during_a_checkpoint_follows_it() {
    for more in [1, 50, 3_000] {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
        (0..150).for_each(|at| fill(&store, at));
        let held = hold(&store, Request::Sync);
        let done = begin({
            let store = store.clone();
            move || store.shared().checkpoint(store.shared().disk.as_ref().unwrap())
        });
        until_asked(&store);
        let so_far = 150 + more;
        (150..so_far).for_each(|at| fill(&store, at));
        assert_eq!(after_a_crash(directory.path()), usize::try_from(so_far).unwrap(), "before it is there");
        drop(held);
        done.recv().unwrap().unwrap();
        assert_eq!(after_a_crash(directory.path()), usize::try_from(so_far).unwrap(), "once it is there");
        (so_far..so_far + 10).for_each(|at| fill(&store, at));
        assert_eq!(after_a_crash(directory.path()), usize::try_from(so_far + 10).unwrap(), "after it");
    }
}

#[test]
fn a_checkpoint_that_fails_costs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    (0..150).for_each(|at| fill(&store, at));
    // A directory with the name of the file.
    let blocked = directory.path().join("log/00000002.tmp");
    fs::create_dir(&blocked).unwrap();
    store.shared().checkpoint(store.shared().disk.as_ref().unwrap()).unwrap_err();
    fs::remove_dir(&blocked).unwrap();
    (150..300).for_each(|at| fill(&store, at));
    assert_eq!(after_a_crash(directory.path()), 300);
    store.shared().checkpoint(store.shared().disk.as_ref().unwrap()).unwrap();
    assert_eq!(after_a_crash(directory.path()), 300);
}

#[test]
fn many_appends_share_one_sync() {
    const APPENDS: u32 = 16;
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions { sync_interval: Duration::ZERO, ..StoreOptions::default() };
    let store = Store::open(directory.path(), options).unwrap();
    let held = hold(&store, Request::Sync);
    let appends: Vec<_> = (0..APPENDS)
        .map(|series| {
            let store = store.clone();
            begin(move || {
                let point = Point { labels: labels(series), timestamp_ms: 0, value: 0.0 };
                store.append(&[point]).map(|_| ()).map_err(|error| error.to_string())
            })
        })
        .collect();
    while store.stats().samples < u64::from(APPENDS) || store.stats().unwritten_bytes > 0 {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(appends.iter().all(|append| append.try_recv().is_err()), "not acknowledged before it is on the disk");
    let before = store.stats().syncs;
    drop(held);
    appends.iter().for_each(|append| append.recv().unwrap().unwrap());
    let syncs = store.stats().syncs - before;
    assert!((1..=3).contains(&syncs), "{syncs} for {APPENDS} appends");
}

#[test]
fn a_copy_is_of_one_moment() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let appending = begin({
        let (store, acknowledged, is_over) = (store.clone(), Arc::clone(&acknowledged), Arc::clone(&is_over));
        move || {
            for at in (0..).take_while(|_| !is_over.load(Ordering::Relaxed)) {
                fill(&store, at);
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let copies = tempfile::tempdir().unwrap();
    for number in 0..20 {
        while acknowledged.load(Ordering::Relaxed) < number * 100 {
            thread::yield_now();
        }
        let before = acknowledged.load(Ordering::Relaxed);
        let copy = copies.path().join(number.to_string());
        store.snapshot(&copy, Extent::All).unwrap();
        let after = acknowledged.load(Ordering::Relaxed) + 1;
        let copied = Store::open(&copy, StoreOptions::default()).unwrap();
        assert_eq!(copied.damage(), []);
        // Each series has the same number, which `count` checks.
        assert!((before..=after).contains(&count(&copied)), "{} is not in {before}..={after}", count(&copied));
        fill(&copied, u32::try_from(count(&copied)).unwrap());
    }
    is_over.store(true, Ordering::Relaxed);
    appending.recv().unwrap();
    assert_eq!(count(&store), acknowledged.load(Ordering::Relaxed));
}

/// The process to kill: its disk never syncs. Does nothing when it runs as a normal test.
#[test]
fn process_with_a_slow_disk() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = Store::open(Path::new(&directory), StoreOptions::default()).unwrap();
    let first = u32::try_from(count(&store)).unwrap();
    let _held = hold(&store, Request::Sync);
    let _flushing = begin({
        let store = store.clone();
        move || store.flush()
    });
    for at in first..first + 10_000 {
        store.append(&points(50, at)).unwrap();
        writeln!(std::io::stdout(), "\nacknowledged {at}").unwrap();
    }
}

#[test]
fn what_a_slow_disk_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::process_with_a_slow_disk", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut acknowledgements = lines.filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<usize>().ok());
        let seen = acknowledgements.nth(20 + round * 37);
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = acknowledgements.last().or(seen).expect("something was acknowledged");
        let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
        assert!(count(&store) > acknowledged, "round {round}: {} of {acknowledged}", count(&store));
    }
}
