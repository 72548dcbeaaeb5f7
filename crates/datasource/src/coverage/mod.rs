//! Remarks about queries that read more time than is stored: of our own store by [`embedded_engine::coverage`], of another
//! engine by a few small queries.

mod engine;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use access::ScopedQuery;
use embedded_engine::coverage::{stored_remark, windows};
use parking_lot::Mutex;
use tsdb::Store;

use crate::ReadScheduler;

pub(crate) use self::engine::EngineCoverage;

/// Lifetime of a remark, for times that are at most this far apart.
const HOLD: Duration = Duration::from_secs(60);
/// Maximum number of cached remarks.
const MOST_HELD: usize = 1_024;

/// Remarks about queries over one store. A query that is evaluated at each step is checked once a minute.
#[derive(Default)]
pub(crate) struct Coverage {
    /// By the text of the query, including the matchers of its scope.
    held: Mutex<HashMap<String, Held>>,
}

struct Held {
    at: Instant,
    /// The time to which it applies, in milliseconds since the Unix epoch.
    end_ms: i64,
    remark: Option<String>,
}

impl Held {
    fn holds(&self, end_ms: i64, now: Instant) -> bool {
        let hold_ms = u64::try_from(HOLD.as_millis()).unwrap_or(u64::MAX);
        now.duration_since(self.at) < HOLD && self.end_ms.abs_diff(end_ms) < hold_ms
    }
}

impl Coverage {
    /// A remark if the time range that `query` reads for its value at `end_ms` is longer than the data in `store`.
    pub(crate) async fn remark(
        &self,
        query: &ScopedQuery,
        store: &Store,
        reads: &ReadScheduler,
        end_ms: i64,
    ) -> Option<String> {
        let windows = windows(query.parsed().ok()?, end_ms);
        if windows.is_empty() {
            return None;
        }
        let now = Instant::now();
        if let Some(held) = self.held.lock().get(query.text()).filter(|held| held.holds(end_ms, now)) {
            return held.remark.clone();
        }
        let store = store.clone();
        // If this fails, the value is shown without the remark.
        let remark = reads.read(0, move || stored_remark(&windows, &store)).await.ok()?;
        let mut all = self.held.lock();
        if all.len() >= MOST_HELD {
            all.retain(|_, held| now.duration_since(held.at) < HOLD);
        }
        if all.len() < MOST_HELD {
            all.insert(query.text().to_owned(), Held { at: now, end_ms, remark: remark.clone() });
        }
        remark
    }
}

#[cfg(test)]
mod tests {
    use timeseries::{Point, SampleSink};
    use tsdb::StoreOptions;

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    #[tokio::test]
    async fn a_remark_holds_for_a_minute() {
        let store = Store::in_memory(StoreOptions::default());
        let labels = labels::Labels::new([("__name__", "jobs"), ("daemon", "d1")]);
        let times = (0..=360).map(|minute| NOW_MS - (360 - minute) * 60_000);
        let points: Vec<Point> =
            times.map(|timestamp_ms| Point { labels: labels.clone(), timestamp_ms, value: 1.0 }).collect();
        store.append(&points).unwrap();
        let coverage = Coverage::default();
        let reads = ReadScheduler::new(&budget::Budgets::of(1 << 30), 2, HOLD);
        let query = access::Scope::all().query("increase(jobs[24h])").unwrap();
        let short = Some("6 h of 24 h stored".to_owned());
        assert_eq!(coverage.remark(&query, &store, &reads, NOW_MS).await, short);
        let empty = Store::in_memory(StoreOptions::default());
        assert_eq!(coverage.remark(&query, &empty, &reads, NOW_MS + 15_000).await, short, "not looked up again");
        assert_eq!(coverage.remark(&query, &empty, &reads, NOW_MS + 60_000).await, None);
        let held = Held { at: Instant::now(), end_ms: NOW_MS, remark: None };
        assert!(held.holds(NOW_MS, held.at) && !held.holds(NOW_MS, held.at + HOLD));
    }
}
