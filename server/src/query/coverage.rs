//! How much of the time that a query reads is stored: `increase(jobs[24h])` over a store of six hours counts six.
//!
//! What is stored of a series begins with its first sample, or with the first `up` of the target that it is of: a counter of failures
//! that came with the first failure was covered before. Other engines are not asked: none says cheaply when its data begins.

use std::collections::HashMap;

use promql::{
    Query,
    labels::{Labels, METRIC_NAME},
    matcher::Matcher,
};
use store::Store;

/// What tells a target from others: the daemon, or what Prometheus calls it.
const TARGET: [&str; 3] = ["daemon", "job", "instance"];
/// A gap at the beginning that is less than this part of the time read is none.
const NEGLIGIBLE: f64 = 0.05;

/// Says it, if the time that `query` reads for its value at `end_ms` is longer than what `store` has of it.
pub(super) fn remark(query: &Query, store: &Store, end_ms: i64) -> Option<String> {
    let options = promql::Options::default();
    // An anchored window looks back for the value at its begin, which is no part of it.
    let before_ms = if query.is_anchored() { options.look_back_ms } else { 0 };
    let windows = query.selectors(end_ms, end_ms, 0, &options).into_iter().filter_map(|selector| {
        let window_ms = selector.end_ms.saturating_sub(selector.start_ms).saturating_add(1).saturating_sub(before_ms);
        // A single sample may be as old as the look-back, and a window within it is no promise.
        if window_ms <= options.look_back_ms {
            return None;
        }
        let begin_ms = begin_ms(store, &selector.matchers, selector.start_ms, selector.end_ms)?;
        let covered_ms = selector.end_ms.saturating_sub(begin_ms).clamp(0, window_ms);
        Some((window_ms - covered_ms, covered_ms, window_ms))
    });
    let (missing_ms, covered_ms, window_ms) = windows.max_by_key(|(missing_ms, ..)| *missing_ms)?;
    #[allow(clippy::cast_precision_loss)] // lengths of time
    let is_negligible = missing_ms as f64 <= window_ms as f64 * NEGLIGIBLE;
    let is_short = missing_ms <= options.look_back_ms;
    (!is_negligible && !is_short).then(|| format!("{} of {} stored", roughly(covered_ms), roughly(window_ms)))
}

/// Since when the series that fulfil `matchers` are stored, as far as that lies in the time read.
fn begin_ms(store: &Store, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Option<i64> {
    let series = store.beginnings(matchers, start_ms, end_ms);
    let first_ms = series.iter().map(|(_, first_ms)| *first_ms).min()?;
    if first_ms <= start_ms {
        return Some(first_ms);
    }
    let mut targets = HashMap::<Vec<&str>, i64>::new();
    let ups = store.beginnings(&[Matcher::equal(METRIC_NAME, "up")], start_ms, end_ms);
    for (labels, first_ms) in &ups {
        let seen_ms = targets.entry(target(labels)).or_insert(*first_ms);
        *seen_ms = (*seen_ms).min(*first_ms);
    }
    let seen_ms = series.iter().filter_map(|(labels, _)| targets.get(&target(labels))).min();
    Some(seen_ms.map_or(first_ms, |seen_ms| first_ms.min(*seen_ms)))
}

fn target(labels: &Labels) -> Vec<&str> {
    TARGET.iter().map(|name| labels.get(name)).collect()
}

/// A length of time in the nearest whole units of one kind, as people write windows: `24 h`, `7 d`, `90 min`.
fn roughly(length_ms: i64) -> String {
    const MINUTE_MS: i64 = 60_000;
    const HOUR_MS: i64 = 60 * MINUTE_MS;
    const DAY_MS: i64 = 24 * HOUR_MS;
    let units = [(DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min")];
    let in_unit = |unit_ms: i64| length_ms.saturating_add(unit_ms / 2) / unit_ms;
    // From two units on the error is a quarter at most, and `36 h` stays what was written.
    let large =
        units.iter().find(|(unit_ms, _)| length_ms >= 2 * unit_ms || (*unit_ms, length_ms) == (HOUR_MS, HOUR_MS));
    let (unit_ms, symbol) = large.copied().unwrap_or((MINUTE_MS, "min"));
    format!("{} {symbol}", in_unit(unit_ms))
}

#[cfg(test)]
mod tests {
    use promql::source::{Point, SampleSink};
    use store::StoreOptions;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const NOW_MS: i64 = 1_700_000_000_000;

    /// A store in which each series has a sample a minute for so many hours up to now.
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
        remark(&promql::parse(query).unwrap(), store, NOW_MS)
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
}
