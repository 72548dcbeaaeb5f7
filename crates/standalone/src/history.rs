//! The page's samples as bytes, in blocks of some minutes, so that a browser can keep them over a reload.

use embedded_engine::Evaluator;
use labels::Labels;
use serde::{Deserialize, Serialize};
use timeseries::{Point, SampleSink, SeriesSamples, SeriesSource};

/// Length of a block, in milliseconds.
const BLOCK_MS: i64 = 600_000;
/// Largest size of a block, in bytes; a larger one is not kept.
const MOST_BYTES: usize = 1 << 20;

/// Samples of some minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Where it begins, in milliseconds since the Unix epoch: a later block with the same begin replaces it.
    pub begin_ms: i64,
    /// Its samples; `None` if there are too many of them to be kept.
    pub bytes: Option<Vec<u8>>,
}

/// One series of a block. Both columns hold differences, which are short in CBOR: of times, and of the bits of values,
/// by exclusive or.
#[derive(Serialize, Deserialize)]
struct Column {
    labels: Vec<(String, String)>,
    times: Vec<i64>,
    values: Vec<u64>,
}

/// The blocks of a store with samples from `since_ms` to `now_ms`, each of them whole.
pub(crate) fn blocks(evaluator: &Evaluator, since_ms: i64, now_ms: i64) -> Vec<Block> {
    let mut found = Vec::new();
    let mut begin_ms = begin_of(since_ms);
    while begin_ms <= now_ms {
        let end_ms = begin_ms.saturating_add(BLOCK_MS);
        // In memory it cannot fail.
        let series = evaluator.store().select(&[], begin_ms, end_ms.saturating_sub(1)).unwrap_or_default();
        let columns: Vec<Column> =
            series.iter().filter(|series| !series.timestamps.is_empty()).map(Column::of).collect();
        if !columns.is_empty() {
            let mut bytes = Vec::new();
            let is_written = ciborium::into_writer(&columns, &mut bytes).is_ok() && bytes.len() <= MOST_BYTES;
            found.push(Block { begin_ms, bytes: is_written.then_some(bytes) });
        }
        begin_ms = end_ms;
    }
    found
}

/// Puts the samples of blocks into a store, oldest block first, as far as they are from `oldest_ms` to `now_ms`. What
/// cannot be read is left out.
pub(crate) fn restore(evaluator: &Evaluator, blocks: &[Vec<u8>], (oldest_ms, now_ms): (i64, i64)) {
    for bytes in blocks {
        let Ok(columns) = ciborium::from_reader::<Vec<Column>, _>(bytes.as_slice()) else { continue };
        let points = columns.into_iter().flat_map(Column::points);
        let points: Vec<Point> = points.filter(|point| (oldest_ms..=now_ms).contains(&point.timestamp_ms)).collect();
        // In memory it cannot fail.
        let _ = evaluator.store().append(&points);
    }
}

/// Where the block of a time begins.
pub(crate) fn begin_of(ms: i64) -> i64 {
    ms.div_euclid(BLOCK_MS).saturating_mul(BLOCK_MS)
}

impl Column {
    fn of(series: &SeriesSamples) -> Self {
        let before = |times: &[i64]| std::iter::once(0).chain(times.iter().copied()).collect::<Vec<_>>();
        let times = series.timestamps.iter().zip(before(&series.timestamps));
        let bits: Vec<u64> = series.values.iter().map(|value| value.to_bits()).collect();
        let values = bits.iter().zip(std::iter::once(&0).chain(&bits));
        Column {
            labels: series.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            times: times.map(|(time, before)| time.wrapping_sub(before)).collect(),
            values: values.map(|(value, before)| value ^ before).collect(),
        }
    }

    fn points(self) -> impl Iterator<Item = Point> {
        let labels = Labels::new(self.labels);
        let mut time = 0_i64;
        let mut bits = 0_u64;
        self.times.into_iter().zip(self.values).map(move |(step, change)| {
            time = time.wrapping_add(step);
            bits ^= change;
            Point { labels: labels.clone(), timestamp_ms: time, value: f64::from_bits(bits) }
        })
    }
}

#[cfg(test)]
mod tests {
    use query_frontend::aliases::Aliases;
    use timeseries::STALE_NAN;
    use tsdb::{Store, StoreOptions};

    use super::*;

    const START_MS: i64 = 1_795_165_200_000;

    fn evaluator() -> Evaluator {
        Evaluator::new(Store::in_memory(StoreOptions::default()), Aliases::default())
    }

    /// All samples, with the bits of the values: a stale marker differs from other values that are not numbers.
    fn all(evaluator: &Evaluator) -> Vec<(String, i64, u64)> {
        let mut found: Vec<_> = evaluator
            .store()
            .select(&[], i64::MIN, i64::MAX)
            .unwrap()
            .into_iter()
            .flat_map(|series| {
                let name = series.labels.to_string();
                series
                    .timestamps
                    .into_iter()
                    .zip(series.values)
                    .map(move |(ms, value)| (name.clone(), ms, value.to_bits()))
            })
            .collect();
        found.sort();
        found
    }

    fn put(evaluator: &Evaluator, name: &str, ms: i64, value: f64) {
        let labels = Labels::new([("__name__", name), ("daemon", "d")]);
        evaluator.store().append(&[Point { labels, timestamp_ms: ms, value }]).unwrap();
    }

    #[test]
    fn what_was_kept_is_there_again_to_the_bit() {
        let before = evaluator();
        for (step, value) in [1.0, 1.0, 2.5, f64::NAN, f64::INFINITY, -0.0, STALE_NAN].into_iter().enumerate() {
            put(&before, "a", START_MS + 130_000 * i64::try_from(step).unwrap(), value);
        }
        put(&before, "b", START_MS + 7, 1e300);
        let kept: Vec<Vec<u8>> =
            blocks(&before, START_MS, START_MS + 780_000).into_iter().map(|block| block.bytes.unwrap()).collect();
        assert_eq!(kept.len(), 2, "one for each ten minutes");
        let after = evaluator();
        restore(&after, &kept, (START_MS, START_MS + 1_000_000));
        assert_eq!(all(&after), all(&before));

        let late = evaluator();
        restore(&late, &kept, (START_MS + 100, START_MS + 300_000));
        assert_eq!(all(&late).len(), 2, "neither what is too old nor what is in the future");
    }

    #[test]
    fn a_block_that_is_broken_or_too_large_is_left_out() {
        let after = evaluator();
        restore(&after, &[b"nonsense".to_vec(), Vec::new()], (0, i64::MAX));
        assert!(all(&after).is_empty());
        let large = evaluator();
        for number in 0..9_000 {
            put(&large, &format!("{number}_{}", "x".repeat(100)), START_MS, f64::from(number));
        }
        assert_eq!(blocks(&large, START_MS, START_MS), [Block { begin_ms: START_MS, bytes: None }]);
    }
}
