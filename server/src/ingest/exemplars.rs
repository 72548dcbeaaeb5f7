//! The newest exemplars, in memory: what links a sample to a trace.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, RwLock},
};

use labels::{Labels, Matcher};
use remote_write::Exemplar;

/// Most characters of an exemplar's labels (OpenMetrics 1.0, "Exemplars").
const MAX_LABEL_CHARS: usize = 128;

/// A bounded number of exemplars; a new one takes the place of the oldest. A cheap handle.
#[derive(Debug, Clone)]
pub struct Exemplars {
    ring: Arc<RwLock<VecDeque<(Labels, Exemplar)>>>,
    capacity: usize,
}

/// The exemplars of one series, by time.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesExemplars {
    /// The series.
    pub series: Labels,
    /// Its exemplars.
    pub exemplars: Vec<Exemplar>,
}

impl Exemplars {
    /// Room for `capacity` exemplars; 0 keeps none.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Exemplars { ring: Arc::default(), capacity }
    }

    /// Adds exemplars of a series. Those whose labels are too long, and those that are there already, are left out.
    pub fn add(&self, series: &Labels, exemplars: Vec<Exemplar>) {
        if self.capacity == 0 || exemplars.is_empty() {
            return;
        }
        let mut ring = self.ring.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for exemplar in exemplars {
            let chars = exemplar.labels.iter().map(|(name, value)| name.chars().count() + value.chars().count());
            // A sender that repeats itself repeats the newest one of the series.
            let newest = ring.iter().rev().take(NEAR).find(|(of, _)| of == series);
            if chars.sum::<usize>() > MAX_LABEL_CHARS || newest.is_some_and(|(_, newest)| *newest == exemplar) {
                continue;
            }
            if ring.len() >= self.capacity {
                ring.pop_front();
            }
            ring.push_back((series.clone(), exemplar));
        }
    }

    /// How many [`Exemplars::select`] finds.
    #[must_use]
    pub fn count(&self, selectors: &[Vec<Matcher>], start_ms: i64, end_ms: i64) -> usize {
        let ring = self.ring.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        ring.iter().filter(|one| is_selected(one, selectors, start_ms, end_ms)).count()
    }

    /// Exemplars of `start_ms..=end_ms` of series that fulfil all matchers of one of the selectors, sorted by series and time.
    #[must_use]
    pub fn select(&self, selectors: &[Vec<Matcher>], start_ms: i64, end_ms: i64) -> Vec<SeriesExemplars> {
        let mut found: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
        let ring = self.ring.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (series, exemplar) in ring.iter().filter(|one| is_selected(one, selectors, start_ms, end_ms)) {
            found.entry(series.clone()).or_default().push(exemplar.clone());
        }
        drop(ring);
        found
            .into_iter()
            .map(|(series, mut exemplars)| {
                exemplars.sort_by_key(|exemplar| exemplar.timestamp_ms);
                exemplars.dedup();
                SeriesExemplars { series, exemplars }
            })
            .collect()
    }
}

fn is_selected(
    (series, exemplar): &(Labels, Exemplar),
    selectors: &[Vec<Matcher>],
    start_ms: i64,
    end_ms: i64,
) -> bool {
    let matches = |matchers: &Vec<Matcher>| matchers.iter().all(|matcher| matcher.matches(series.get(&matcher.name)));
    (start_ms..=end_ms).contains(&exemplar.timestamp_ms) && selectors.iter().any(matches)
}

/// How far back a repetition is looked for.
const NEAR: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn exemplar(id: &str, timestamp_ms: i64) -> Exemplar {
        Exemplar { labels: Labels::new([("trace_id", id)]), value: 1.0, timestamp_ms }
    }

    #[test]
    fn the_newest_stay_and_are_found_by_series_and_time() {
        let exemplars = Exemplars::new(3);
        let (a, b) = (Labels::new([("__name__", "a")]), Labels::new([("__name__", "b")]));
        exemplars.add(&a, vec![exemplar("1", 10), exemplar("2", 20), exemplar("2", 20)]);
        exemplars.add(&b, vec![exemplar("3", 5), exemplar(&"x".repeat(200), 6)]);
        exemplars.add(&a, vec![exemplar("4", 40)]);
        let all = exemplars.select(&[Vec::new()], i64::MIN, i64::MAX);
        assert_eq!(all.len(), 2);
        assert_eq!(exemplars.count(&[Vec::new()], i64::MIN, 30), 2);
        assert_eq!(all[0].exemplars, [exemplar("2", 20), exemplar("4", 40)]);
        let only_b = promql::parse_selector("b").unwrap();
        assert_eq!(
            exemplars.select(&[only_b], 0, 5),
            [SeriesExemplars { series: b, exemplars: vec![exemplar("3", 5)] }]
        );
        assert!(exemplars.select(&[Vec::new()], 50, 60).is_empty());
    }
}
