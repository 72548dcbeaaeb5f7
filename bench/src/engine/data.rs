//! The samples: steady series like those of a scrape, the same in each run.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use labels::Labels;
use remote_write::{Request, TimeSeries};

/// Interval of a steady series.
const STEP_MS: i64 = 15_000;
/// Interval of a series of the day.
const DAY_STEP_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Number of series of the day.
const DAY_SERIES: usize = 2_000;
/// Series per request.
const REQUEST_SERIES: usize = 500;
/// Time range per request: senders seldom lag more than this.
const BAND_MS: i64 = 300_000;

const PROVIDERS: [&str; 5] = ["vsphere", "aws", "azure", "gcp", "hyperv"];
const BOUNDS: [&str; 10] = ["0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "+Inf"];

/// How the values of a series change.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// A counter that grows by about this much per step.
    Counter(u64),
    /// A value with two decimals.
    Gauge,
    /// A constant.
    Constant,
}

struct Series {
    labels: Labels,
    shape: Shape,
    seed: u64,
}

/// All samples, generated when requested.
pub(crate) struct Data {
    steady: Vec<Series>,
    day: Vec<Series>,
    end_ms: i64,
    hours: i64,
}

impl Data {
    /// `series` steady series of the last `hours`.
    pub(crate) fn new(series: usize, hours: i64) -> anyhow::Result<Self> {
        let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let day = (0..DAY_SERIES).map(|number| {
            let labels = Labels::new([
                ("__name__", "bench_day_total".to_owned()),
                ("provider", provider(number)),
                ("instance", format!("hypervisord-{number:05}")),
            ]);
            Series { labels, shape: Shape::Counter(7), seed: seed(number) }
        });
        let steady = (0..series).map(steady_series).collect();
        Ok(Self { steady, day: day.collect(), end_ms: now_ms / DAY_STEP_MS * DAY_STEP_MS, hours })
    }

    /// Time of the newest sample.
    pub(crate) fn end_ms(&self) -> i64 {
        self.end_ms
    }

    /// Number of samples.
    #[allow(clippy::cast_precision_loss)] // Far below 2^53.
    pub(crate) fn count(&self) -> f64 {
        let samples = |series: &[Series], span: i64, step: i64| series.len() as f64 * (span / step) as f64;
        samples(&self.steady, self.hours * HOUR_MS, STEP_MS) + samples(&self.day, DAY_MS, DAY_STEP_MS)
    }

    /// Consecutive parts of the time range, which are written one after the other.
    pub(crate) fn bands(&self) -> Vec<Range<i64>> {
        let start = self.end_ms - DAY_MS;
        (0..DAY_MS / BAND_MS).map(|part| start + part * BAND_MS + 1..start + (part + 1) * BAND_MS + 1).collect()
    }

    /// The requests for a part of the time range.
    pub(crate) fn bodies(&self, band: &Range<i64>) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut bodies = requests(&self.day, band, DAY_STEP_MS)?;
        if band.start > self.end_ms - self.hours * HOUR_MS {
            bodies.extend(requests(&self.steady, band, STEP_MS)?);
        }
        Ok(bodies)
    }
}

/// Requests with the samples of some series in a part of the time range.
fn requests(series: &[Series], band: &Range<i64>, step: i64) -> anyhow::Result<Vec<Vec<u8>>> {
    let first = (band.start + step - 1).div_euclid(step) * step;
    let times = || (0..).map(|at| first + at * step).take_while(|time| *time < band.end);
    let body = |some: &[Series]| -> anyhow::Result<Vec<u8>> {
        let series = some.iter().map(|one| TimeSeries {
            labels: one.labels.clone(),
            samples: times().map(|time| (time, one.value(time / step))).collect(),
            ..TimeSeries::default()
        });
        let request = Request { series: series.collect(), ..Request::default() };
        Ok(remote_write::compress(&remote_write::encode(&request))?)
    };
    series.chunks(REQUEST_SERIES).map(body).collect()
}

impl Series {
    /// The value at a step; steps are counted from 1970.
    #[allow(clippy::cast_precision_loss)] // Far below 2^53.
    fn value(&self, step: i64) -> f64 {
        // Counters begin in the past year.
        let steps = step.unsigned_abs() % 2_000_000;
        let noise = mix(self.seed ^ steps);
        match self.shape {
            Shape::Counter(rate) => (steps * rate + noise % rate.max(1)) as f64,
            Shape::Gauge => ((self.seed % 5_000 + noise % 400) as f64) / 100.0,
            Shape::Constant => (self.seed % 64) as f64,
        }
    }
}

fn steady_series(number: usize) -> Series {
    let provider = provider(number);
    // A tenth are histograms of ten buckets each; the rest are counters and gauges in equal numbers, and some
    // constants.
    let (name, shape, extra) = match number % 10 {
        0 => ("bench_latency_seconds_bucket", bucket(number), Some(("le", bound(number).to_owned()))),
        1..=4 => (
            "bench_requests_total",
            Shape::Counter(40),
            Some(("code", ["200", "404", "500", "503"].get(number % 4).map_or("", |code| code).to_owned())),
        ),
        5..=7 => ("bench_temperature_celsius", Shape::Gauge, None),
        _ => ("bench_info", Shape::Constant, None),
    };
    let instance = if number.is_multiple_of(10) { number / 100 } else { number };
    let mut labels = vec![
        ("__name__", name.to_owned()),
        ("provider", provider),
        ("instance", format!("hypervisord-{instance:05}")),
        ("job", "hypervisord".to_owned()),
    ];
    labels.extend(extra);
    Series { labels: Labels::new(labels), shape, seed: seed(number) }
}

/// The buckets of one histogram are consecutive among the series of buckets.
fn bucket(number: usize) -> Shape {
    Shape::Counter(u64::try_from(number / 10 % BOUNDS.len()).unwrap_or(0) * 3 + 3)
}

fn bound(number: usize) -> &'static str {
    BOUNDS.get(number / 10 % BOUNDS.len()).copied().unwrap_or("+Inf")
}

fn provider(number: usize) -> String {
    // One provider per histogram.
    PROVIDERS.get(number / 100 % PROVIDERS.len()).copied().unwrap_or_default().to_owned()
}

fn seed(number: usize) -> u64 {
    mix(u64::try_from(number).unwrap_or(0) + 1)
}

/// A pseudo-random number.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_series_and_each_time_is_there_once() {
        let data = Data::new(1_000, 1).unwrap();
        let different: HashSet<&Labels> = data.steady.iter().map(|series| &series.labels).collect();
        assert_eq!(different.len(), 1_000);
        let (mut times, mut samples) = (Vec::new(), 0);
        for band in data.bands() {
            for body in data.bodies(&band).unwrap() {
                let limits = remote_write::Limits { decompressed_bytes: 1 << 30, ..remote_write::Limits::default() };
                let request = remote_write::decode(&remote_write::decompress(&body, limits).unwrap(), limits).unwrap();
                samples += request.series.iter().map(|series| series.samples.len()).sum::<usize>();
                let steady = request.series.iter().filter(|series| series.labels == data.steady[7].labels);
                times.extend(steady.flat_map(|series| series.samples.iter().map(|(time, _)| *time)));
            }
        }
        assert_eq!(times.len(), 240);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == STEP_MS));
        assert_eq!(times.last(), Some(&data.end_ms()));
        assert_eq!(samples as f64, data.count());
    }

    #[test]
    fn counters_grow() {
        let series = Series { labels: Labels::new([("__name__", "a")]), shape: Shape::Counter(40), seed: 7 };
        assert!((1_000..2_000).all(|step| series.value(step + 1) > series.value(step)));
    }
}
