//! Benchmarks a store: samples per second, bytes per sample in memory and on disk, time to open.
//!
//! ```text
//! cargo run --release -p tsdb --example store_bench -- [SERIES] [HOURS] [STEP_SECONDS] [DIRECTORY]
//! ```
//!
//! Series are regular ones, as from scrapes: counters, gauges with two decimals, sizes in bytes, constants. Samples
//! arrive scrape by scrape. Resident bytes are the growth of the process since before it opened the store.

use std::{
    error::Error,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use labels::{Labels, MatchOp, Matcher};
use timeseries::{Point, SampleSink, SeriesSource};
use tsdb::{Store, StoreOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |position: usize, default: u32| match arguments.get(position) {
        Some(text) => text.parse::<u32>(),
        None => Ok(default),
    };
    let (series, hours, step) = (number(0, 2_000)?, number(1, 24)?, number(2, 15)?.max(1));
    let own = tempfile::tempdir()?;
    let directory = arguments.get(3).map_or_else(|| own.path().to_owned(), PathBuf::from);

    let labels: Vec<Labels> = (0..series).map(series_labels).collect();
    let mut batch: Vec<Point> =
        labels.iter().map(|labels| Point { labels: labels.clone(), timestamp_ms: 0, value: 0.0 }).collect();
    let mut random = Random(7);
    let before = resident_bytes()?;
    let store = Store::open(&directory, options())?;
    let start_ms = 1_700_000_000_000_i64;
    let steps = hours * 3_600 / step;
    let (mut appending, mut upkeep, mut peak) = (Duration::ZERO, Duration::ZERO, 0);
    for at in 0..steps {
        let time = start_ms + i64::from(at) * i64::from(step) * 1_000;
        for (point, kind) in batch.iter_mut().zip(0_u32..) {
            point.timestamp_ms = time;
            point.value = next_value(kind % 4, point.value, &mut random);
        }
        let began = Instant::now();
        store.append(&batch)?;
        appending += began.elapsed();
        // Every half an hour of the series' time, as a server does every minute of real time.
        if i64::from(at) * i64::from(step) % 1_800 == 0 {
            let began = Instant::now();
            store.run_retention(time)?;
            upkeep = upkeep.max(began.elapsed());
            peak = peak.max(resident_bytes()?);
        }
    }
    let end_ms = start_ms + i64::from(steps) * i64::from(step) * 1_000;
    store.run_retention(end_ms)?;
    let samples = f64::from(series) * f64::from(steps);
    let per = |bytes: u64| bytes_as_f64(bytes) / samples;
    let stats = store.stats();
    println!("samples               {samples:.0} ({series} series, {hours} h, {step} s)");
    println!("append                {:.0} samples/s", samples / appending.as_secs_f64());
    println!("longest upkeep        {:.0} ms", upkeep.as_secs_f64() * 1e3);
    println!(
        "resident, peak        {:.1} MiB more than before",
        bytes_as_f64(peak.saturating_sub(before)) / 1_048_576.0
    );
    println!("resident              {:.2} bytes/sample", per(resident_bytes()?.saturating_sub(before)));
    println!("own count             {:.2} bytes/sample", per(u64::try_from(stats.memory_bytes)?));
    println!("disk                  {:.2} bytes/sample", per(directory_bytes(&directory)?));

    for (what, matchers) in [
        ("one series", vec![Matcher::equal("__name__", "bench_metric_0"), Matcher::equal("vm", "vm-00000")]),
        ("one metric", vec![Matcher::equal("__name__", "bench_metric_0")]),
        ("everything", vec![Matcher { name: "__name__".to_owned(), op: MatchOp::NotEqual(String::new()) }]),
    ] {
        let began = Instant::now();
        let found = store.select(&matchers, start_ms, end_ms)?;
        let count: usize = found.iter().map(|series| series.values.len()).sum();
        println!(
            "select {what:<14} {:.1} ms, {} series, {count} samples",
            began.elapsed().as_secs_f64() * 1e3,
            found.len()
        );
    }
    drop(store);
    let began = Instant::now();
    let store = Store::open(&directory, options())?;
    println!("open                  {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    println!("after opening         {:?}", store.stats());
    drop(store);

    let history = options();
    let other = tempfile::tempdir()?;
    let store = Store::open(other.path(), history)?;
    let mut points = Vec::new();
    for (labels, kind) in labels.iter().zip(0_u32..).take(500) {
        let mut value = 0.0;
        for at in 0..1_440 {
            value = next_value(kind % 4, value, &mut random);
            points.push(Point { labels: labels.clone(), timestamp_ms: start_ms + at * 15_000, value });
        }
    }
    let began = Instant::now();
    store.append(&points)?;
    println!(
        "load series by series {:.0} samples/s",
        f64::from(u32::try_from(points.len())?) / began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Default settings without a limit for selected samples.
fn options() -> StoreOptions {
    StoreOptions { max_select_samples: u64::MAX, ..StoreOptions::default() }
}

fn series_labels(number: u32) -> Labels {
    Labels::new([
        ("__name__", format!("bench_metric_{}", number % 20)),
        ("instance", format!("host-{:02}:8080", number % 7)),
        ("job", "bench".to_owned()),
        (
            "provider",
            ["vsphere", "aws", "azure", "gcp"].into_iter().cycle().nth(number as usize % 4).unwrap_or("").to_owned(),
        ),
        ("vm", format!("vm-{:05}", number / 20)),
    ])
}

/// The next value of a counter, a percentage, a size or a constant.
fn next_value(kind: u32, last: f64, random: &mut Random) -> f64 {
    let noise = random.next();
    match kind {
        0 => last + (noise * 100.0).floor(),
        1 => (((last + (noise - 0.5) * 4.0).clamp(0.0, 100.0)) * 100.0).round() / 100.0,
        2 => last + (noise * 64.0).floor() * 4_096.0,
        _ => 1.0,
    }
}

/// Reproducible pseudo-random numbers between 0 and 1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).unwrap_or(0)) / 4_294_967_296.0
    }
}

fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1_024)
}

fn directory_bytes(directory: &std::path::Path) -> Result<u64, Box<dyn Error>> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { directory_bytes(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}

#[allow(clippy::cast_precision_loss)] // Far below 2^53.
fn bytes_as_f64(bytes: u64) -> f64 {
    bytes as f64
}
