//! Where the derived series of a daemon ended in the store.

use labels::Matcher;
use timeseries::{SeriesSource, SourceError, is_stale_marker};

use crate::{collector::DAEMON_JOB, derive::Stored};

/// How far back we first search for stored samples, in milliseconds. If there are none, there may be older ones from
/// before a long stop.
const NEAR_MS: i64 = 3_600_000;

/// The last stored sample of each series that may be derived for the daemon with this name, from `oldest_ms` on.
///
/// # Errors
///
/// The store cannot be read.
pub fn newest_of(
    source: &dyn SeriesSource,
    daemon: &str,
    oldest_ms: i64,
    now_ms: i64,
) -> Result<Vec<Stored>, SourceError> {
    let matchers = [Matcher::equal("daemon", daemon), Matcher::equal("job", DAEMON_JOB)];
    for start_ms in [now_ms.saturating_sub(NEAR_MS).max(oldest_ms), oldest_ms] {
        // Stored samples may be in the future if the clock was set back.
        let found = source.select(&matchers, start_ms, i64::MAX)?;
        let derived = found.into_iter().filter(|series| series.labels.metric_name().starts_with("hypersdk_"));
        let newest = derived.filter_map(|series| {
            let at_ms = *series.timestamps.last()?;
            let value = *series.values.iter().rev().find(|value| !is_stale_marker(**value))?;
            Some(Stored { labels: series.labels, at_ms, value })
        });
        // If the daemon was down for longer, there is only `up`.
        let newest: Vec<Stored> = newest.collect();
        if !newest.is_empty() {
            return Ok(newest);
        }
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use labels::Labels;
    use timeseries::{Point, STALE_NAN, SampleSink};
    use tsdb::{Store, StoreOptions};

    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const STORED_MS: i64 = 24 * HOUR_MS;
    const NOW_MS: i64 = 1_700_000_000_000;

    fn points(name: &str, daemon: &str, times: &[(i64, f64)]) -> Vec<Point> {
        let labels = Labels::new([("__name__", name), ("daemon", daemon), ("job", DAEMON_JOB)]);
        let times = times.iter();
        times
            .map(|(timestamp_ms, value)| Point { labels: labels.clone(), timestamp_ms: *timestamp_ms, value: *value })
            .collect()
    }

    #[test]
    fn a_daemon_that_was_away_for_hours_goes_on_where_it_was() {
        let ago = |hours: i64| NOW_MS - hours * HOUR_MS;
        let store = Store::in_memory(StoreOptions::default());
        for batch in [
            points("hypersdk_jobs_total", "d", &[(ago(6), 4.0), (ago(5), 7.0), (ago(5) + 1, STALE_NAN)]),
            points("hypersdk_jobs_total", "other", &[(ago(0), 9.0)]),
            // From while it was down, and from after we connected.
            points("up", "d", &[(ago(5), 0.0), (ago(1) + 60_000, 0.0), (ago(0), 1.0)]),
        ] {
            store.append(&batch).unwrap();
        }
        let stored = newest_of(&store, "d", NOW_MS - STORED_MS, NOW_MS).unwrap();
        let found: Vec<_> = stored.iter().map(|one| (one.labels.metric_name(), one.at_ms, one.value)).collect();
        assert_eq!(found, [("hypersdk_jobs_total", ago(5) + 1, 7.0)]);
        assert!(newest_of(&store, "d", ago(4), NOW_MS).unwrap().is_empty(), "what is older is not looked for");
    }
}
