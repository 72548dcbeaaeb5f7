//! How much of the time range that a query reads is stored: `increase(jobs[24h])` over a store of six hours only counts
//! six.
//!
//! The data of a series starts with its first sample, or with the first `up` of its target: a counter of failures that
//! appeared with the first failure was covered before.

use std::{collections::HashSet, sync::Arc};

use labels::{Labels, METRIC_NAME, Matcher};
use promql::{Query, SelectorBounds};
use tsdb::Store;

/// Labels that identify a target: `daemon`, or Prometheus' `job` and `instance`.
pub const TARGET: [&str; 3] = ["daemon", "job", "instance"];
/// A gap at the start that is less than this fraction of the time range is ignored.
const NEGLIGIBLE: f64 = 0.05;

/// The time range that a selector reads for the value at one time.
pub struct Window(SelectorBounds);

impl Window {
    /// Start of the range, in milliseconds since the Unix epoch. Excludes older samples that are only read for the
    /// first value.
    #[must_use]
    pub fn start_ms(&self) -> i64 {
        self.0.start_ms.saturating_add(self.0.before_ms)
    }

    /// End of the range, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn end_ms(&self) -> i64 {
        self.0.end_ms.saturating_sub(self.0.after_ms)
    }

    /// Length of the range, in milliseconds.
    #[must_use]
    pub fn length_ms(&self) -> i64 {
        self.end_ms().saturating_sub(self.start_ms()).saturating_add(1)
    }

    /// The matchers of the selector.
    #[must_use]
    pub fn matchers(&self) -> &[Matcher] {
        &self.0.matchers
    }
}

/// The windows that `query` reads at `end_ms`. Instant selectors are left out, because a single sample may be as old as
/// the lookback delta.
#[must_use]
pub fn windows(query: &Query, end_ms: i64) -> Vec<Window> {
    let options = promql::Options::default();
    let all = query.selectors(end_ms, end_ms, 0, &options).into_iter().map(Window);
    all.filter(|window| window.length_ms() > options.look_back_ms).collect()
}

/// A remark about the window that lacks most of its data. `begins` are windows with the time of their first data, in
/// milliseconds since the Unix epoch.
pub fn remark<'a>(begins: impl Iterator<Item = (&'a Window, i64)>) -> Option<String> {
    let missing = begins.map(|(window, begin_ms)| {
        let length_ms = window.length_ms();
        let covered_ms = window.end_ms().saturating_sub(begin_ms).clamp(0, length_ms);
        (length_ms - covered_ms, covered_ms, length_ms)
    });
    let (missing_ms, covered_ms, length_ms) = missing.max_by_key(|(missing_ms, ..)| *missing_ms)?;
    #[allow(clippy::cast_precision_loss)] // lengths of time
    let is_negligible = missing_ms as f64 <= length_ms as f64 * NEGLIGIBLE;
    let is_short = missing_ms <= promql::Options::default().look_back_ms;
    (!is_negligible && !is_short).then(|| format!("{} of {} stored", roughly(covered_ms), roughly(length_ms)))
}

/// The remark for windows over our own store.
#[must_use]
pub fn stored_remark(windows: &[Window], store: &Store) -> Option<String> {
    remark(windows.iter().filter_map(|window| Some((window, begin_ms(store, window)?))))
}

/// Since when the series of a window are stored, if that is within the window.
fn begin_ms(store: &Store, window: &Window) -> Option<i64> {
    let SelectorBounds { matchers, start_ms, end_ms, .. } = &window.0;
    let span = (*start_ms, *end_ms);
    let earlier = |known: Option<i64>, first_ms: i64| Some(known.map_or(first_ms, |known| known.min(first_ms)));
    let first_ms = store.fold_beginnings(matchers, span, None, |known, _, first_ms| earlier(known, first_ms))?;
    if first_ms <= window.start_ms() {
        return Some(first_ms);
    }
    let targets = store.fold_beginnings(matchers, span, HashSet::new(), |mut targets, labels, _| {
        targets.insert(target(labels));
        targets
    });
    let up = [Matcher::equal(METRIC_NAME, "up")];
    let seen_ms = store.fold_beginnings(&up, span, None, |known, labels, first_ms| {
        if targets.contains(&target(labels)) { earlier(known, first_ms) } else { known }
    });
    seen_ms.map_or(Some(first_ms), |seen_ms| Some(first_ms.min(seen_ms)))
}

fn target(labels: &Labels) -> [Option<Arc<str>>; TARGET.len()] {
    TARGET.map(|name| labels.pairs().iter().find(|(other, _)| **other == *name).map(|(_, value)| Arc::clone(value)))
}

/// A duration in the nearest whole unit, as people write windows: `24 h`, `7 d`, `90 min`.
fn roughly(length_ms: i64) -> String {
    const MINUTE_MS: i64 = 60_000;
    const HOUR_MS: i64 = 60 * MINUTE_MS;
    const DAY_MS: i64 = 24 * HOUR_MS;
    let units = [(DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min")];
    let in_unit = |unit_ms: i64| length_ms.saturating_add(unit_ms / 2) / unit_ms;
    // From two units on, the rounding error is at most a quarter, and `36 h` stays as written.
    let large =
        units.iter().find(|(unit_ms, _)| length_ms >= 2 * unit_ms || (*unit_ms, length_ms) == (HOUR_MS, HOUR_MS));
    let (unit_ms, symbol) = large.copied().unwrap_or((MINUTE_MS, "min"));
    format!("{} {symbol}", in_unit(unit_ms))
}

#[cfg(test)]
mod tests {
    use timeseries::{Point, SampleSink};
    use tsdb::StoreOptions;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const NOW_MS: i64 = 1_700_000_000_000;

    /// A store in which each series has a sample per minute for the given number of hours up to now.
    fn store(series: &[(&[(&str, &str)], i64)]) -> Store {
        let store = Store::in_memory(StoreOptions::default());
        for (labels, hours) in series {
            let labels = Labels::new(labels.iter().map(|(name, value)| (*name, *value)));
            let times = (0..=hours * 60).map(|minute| NOW_MS - hours * HOUR_MS + minute * 60_000);
            let points: Vec<Point> =
                times.map(|timestamp_ms| Point { labels: labels.clone(), timestamp_ms, value: 1.0 }).collect();
            store.append(&points).unwrap();
        }
        store
    }

    fn said(store: &Store, query: &str) -> Option<String> {
        stored_remark(&windows(&promql::parse(query).unwrap(), NOW_MS), store)
    }

    const JOBS: &[(&str, &str)] = &[("__name__", "jobs"), ("daemon", "d1")];
    const FAILED: &[(&str, &str)] = &[("__name__", "failed"), ("daemon", "d1")];
    const UP: &[(&str, &str)] = &[("__name__", "up"), ("daemon", "d1")];

    #[test]
    fn a_window_longer_than_what_is_stored_says_so() {
        let store = store(&[(JOBS, 6), (UP, 6)]);
        let short = Some("6 h of 24 h stored".to_owned());
        for query in [
            "sum(increase(jobs[24h]))",
            "100 * sum(rate(jobs[5m])) / sum(increase(jobs[24h]))",
            "max_over_time(sum(jobs)[24h:5m])",
            "sum(increase(jobs[24h])) + count_over_time(jobs[12h])",
        ] {
            assert_eq!(said(&store, query), short, "{query}");
        }
        assert_eq!(said(&store, "increase(jobs[7d])").as_deref(), Some("6 h of 7 d stored"));
        for query in ["jobs", "rate(jobs[5m])", "increase(jobs[6h])", "increase(absent[24h])", "1"] {
            assert_eq!(said(&store, query), None, "{query}");
        }
    }

    #[test]
    fn a_series_that_came_late_was_watched_since_its_target_was() {
        let store = store(&[(JOBS, 30), (FAILED, 1), (UP, 30)]);
        assert_eq!(said(&store, "sum(increase(failed[24h]))"), None);
        let other = &[("__name__", "failed"), ("daemon", "d2")][..];
        let late = self::store(&[(JOBS, 30), (UP, 30), (other, 3)]);
        assert_eq!(said(&late, "sum(increase(failed[24h]))").as_deref(), Some("3 h of 24 h stored"));
    }

    #[test]
    fn lengths_are_read_at_a_glance() {
        const MINUTE_MS: i64 = 60_000;
        let minutes = [0, 1, 60, 89, 90, 359, 24 * 60, 36 * 60, 7 * 24 * 60];
        let read = minutes.map(|minutes| roughly(minutes * MINUTE_MS));
        assert_eq!(read, ["0 min", "1 min", "1 h", "89 min", "90 min", "6 h", "24 h", "36 h", "7 d"]);
    }

    #[test]
    fn what_lies_within_a_look_back_is_not_worth_a_word() {
        let store = store(&[(JOBS, 1)]);
        assert_eq!(said(&store, "increase(jobs[63m])"), None);
        assert_eq!(said(&store, "increase(jobs[90m])").as_deref(), Some("1 h of 90 min stored"));
    }

    #[test]
    fn what_is_read_beside_a_window_is_no_part_of_it() {
        let store = store(&[(JOBS, 1)]);
        for (query, is_short) in [
            ("increase(jobs[66m])", true),
            ("increase(jobs[66m]) + increase(jobs[5m] anchored)", true),
            ("increase(jobs[66m] anchored)", true),
            ("increase(jobs[66m] smoothed)", true),
            ("increase(jobs[64m] anchored)", false),
            ("increase(jobs[64m] smoothed)", false),
        ] {
            assert_eq!(said(&store, query), is_short.then(|| "1 h of 66 min stored".to_owned()), "{query}");
        }
    }
}
