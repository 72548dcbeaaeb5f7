//! The samples that both engines query, the same in each run.
//!
//! Values are multiples of an eighth, so that sums are exact in every order. Times never equal a step or the end of a
//! range, so that it does not matter which ends belong to a range.

use remote_write::TimeSeries;
use timeseries::STALE_NAN;

use crate::common::series;

/// Time of the first samples, in milliseconds since the Unix epoch.
pub const START_MS: i64 = 1_699_998_000_000;
/// Number of samples of most series, 15 seconds apart.
const SAMPLES: i64 = 240;
const INTERVAL_MS: i64 = 15_000;

/// A small generator (SplitMix64): equal seeds give equal worlds.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// One of them at random.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.roll(of.len() as u64)).unwrap()]
    }
}

/// A value for each time of a series.
fn steady(name: &str, labels: &[(&str, &str)], mut value: impl FnMut(i64) -> Option<f64>) -> TimeSeries {
    // Each series has its own offset, as with scrapes.
    let shift = 137 + labels.iter().flat_map(|(_, value)| value.bytes()).map(i64::from).sum::<i64>() % 300;
    let samples: Vec<(i64, f64)> =
        (0..SAMPLES).filter_map(|i| Some((START_MS + i * INTERVAL_MS + shift, value(i)?))).collect();
    series(name, labels, &samples)
}

fn eighths(number: u64) -> f64 {
    number as f64 / 8.0
}

/// All series, in the order of their labels.
pub fn world() -> Vec<TimeSeries> {
    let mut dice = Dice(42);
    let mut all = Vec::new();
    for (job, instance) in [("api", "a:80"), ("api", "b:80"), ("web", "a:80"), ("web", "c:8080")] {
        let target = [("job", job), ("instance", instance)];
        for (code, most) in [("200", 400), ("404", 30), ("500", 9)] {
            for path in ["/", "/x"] {
                // Far from zero, see the list of differences.
                let mut total = 100_000 + dice.roll(1_000);
                all.push(steady("requests_total", &[&target[..], &[("code", code), ("path", path)]].concat(), |_| {
                    total += dice.roll(most);
                    Some(total as f64)
                }));
            }
        }
        let mut length = 40;
        let zone = [&target[..], &[("zone", if instance == "a:80" { "eu" } else { "us" })]].concat();
        all.push(steady("queue_length", &target, |_| {
            length = (length + dice.roll(9)).saturating_sub(4).min(100);
            Some(eighths(length))
        }));
        all.push(steady("uptime_seconds", &zone, |i| Some((1_000 + i * 15) as f64)));
        all.push(steady("up", &target, |i| Some(f64::from(u8::from(i % 17 != 3)))));
        let version = if instance == "c:8080" { "2.0" } else { "1.9" };
        if job == "api" || instance == "c:8080" {
            all.push(steady("build_info", &[("instance", instance), ("version", version)], |_| Some(1.0)));
        }
    }
    for (job, limit, value) in [("api", "hard", 8.0), ("web", "soft", 12.5)] {
        all.push(steady("capacity", &[("job", job), ("limit", limit)], |_| Some(value)));
        let mut counts = [100_000_u64; 7];
        let mut buckets = vec![Vec::new(); 7];
        let mut sums = Vec::new();
        let mut sum = 800_000;
        for _ in 0..SAMPLES {
            for _ in 0..dice.roll(20) {
                let bucket = usize::try_from(dice.roll(7).min(dice.roll(7))).unwrap();
                counts[bucket..].iter_mut().for_each(|count| *count += 1);
                sum += bucket as u64 + 1;
            }
            buckets.iter_mut().zip(counts).for_each(|(values, count)| values.push(count as f64));
            sums.push(eighths(sum));
        }
        let at = |values: &[f64], i: i64| values.get(usize::try_from(i).unwrap()).copied();
        for (le, values) in ["0.1", "0.25", "0.5", "1", "2.5", "10", "+Inf"].into_iter().zip(&buckets) {
            all.push(steady("latency_seconds_bucket", &[("job", job), ("le", le)], |i| at(values, i)));
        }
        all.push(steady("latency_seconds_sum", &[("job", job)], |i| at(&sums, i)));
        all.push(steady("latency_seconds_count", &[("job", job)], |i| at(&buckets[6], i)));
    }
    for (room, floor, middle) in [("kitchen", "0", 160), ("hall", "0", 130), ("attic", "2", 250), ("cellar", "-1", 0)] {
        let mut eighth: i64 = middle;
        all.push(steady("temperature_celsius", &[("room", room), ("floor", floor)], |i| {
            eighth += i64::try_from(dice.roll(11)).unwrap() - 5;
            // A sensor that fails for a minute, and another one that is missing sometimes.
            match (room, i) {
                ("attic", 60..64 | 200) => Some(f64::NAN),
                ("hall", _) if dice.roll(5) == 0 => None,
                _ => Some(eighth as f64 / 8.0),
            }
        }));
    }
    for (kind, value) in [
        ("tiny", 3.5e-9),
        ("huge", 1.25e22),
        ("zero", 0.0),
        ("negative_zero", -0.0),
        ("negative", -86_399.0),
        ("half", 0.5),
        ("fraction", 0.1),
        ("infinite", f64::INFINITY),
        ("nan", f64::NAN),
    ] {
        all.push(steady("numbers", &[("kind", kind)], |_| Some(value)));
    }
    for (n, present) in [("1", 7), ("2", 3), ("3", 31)] {
        all.push(steady("sparse", &[("n", n)], |i| match i / present % 3 {
            0 => Some(eighths(dice.roll(800))),
            1 if i % present == 0 => Some(STALE_NAN),
            _ => None,
        }));
    }
    for every in [13_i64, 50] {
        let mut total = 0;
        all.push(steady("resetting", &[("every", &every.to_string())], |i| {
            total = if i % every == 0 { dice.roll(3) } else { total + dice.roll(50) };
            Some(total as f64)
        }));
    }
    all.push(steady("odd_labels", &[("a", "x y"), ("b", "ü"), ("c", "line\nbreak")], |i| Some(i as f64)));
    all.push(steady("odd_labels", &[("a", "x\\y"), ("b", "\"quoted\"")], |i| Some(-i as f64)));
    // Series are evaluated in the order of their arrival, here and by Prometheus 3 from its head; 2.42 uses the order
    // of their labels.
    all.sort_by(|left, right| left.labels.cmp(&right.labels));
    all
}
