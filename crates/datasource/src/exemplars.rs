//! The latest exemplars, in memory: they link samples to traces.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use labels::{Labels, Matcher};
use parking_lot::RwLock;
use remote_write::Exemplar;

/// Maximum number of characters in an exemplar's labels (OpenMetrics 1.0, "Exemplars").
const MAX_LABEL_CHARS: usize = 128;

/// A bounded number of exemplars; a new one replaces the oldest. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Exemplars {
    ring: Arc<RwLock<Ring>>,
    capacity: usize,
}

/// Exemplars with their series, in order of arrival. Each has a fixed number.
#[derive(Debug, Default)]
struct Ring {
    kept: VecDeque<One>,
    /// Number of exemplars that were removed, which is the number of the first remaining one.
    gone: usize,
}

/// A series and one of its exemplars. Cheap to copy: labels are shared.
type One = (Labels, Exemplar);

/// The exemplars of one series, by time.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesExemplars {
    /// The series.
    pub series: Labels,
    /// Exemplars by time.
    pub exemplars: Vec<Exemplar>,
}

impl Exemplars {
    /// With room for `capacity` exemplars; 0 disables them.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Exemplars { ring: Arc::default(), capacity }
    }

    /// Adds exemplars of a series, except known ones and those whose labels are too long.
    pub fn add(&self, series: &Labels, exemplars: Vec<Exemplar>) {
        if self.capacity == 0 || exemplars.is_empty() {
            return;
        }
        let mut ring = self.ring.write();
        for exemplar in exemplars {
            let chars = exemplar.labels.iter().map(|(name, value)| name.chars().count() + value.chars().count());
            // A sender that repeats itself repeats the last exemplar of the series.
            let newest = ring.kept.iter().rev().take(NEAR).find(|(of, _)| of == series);
            if chars.sum::<usize>() > MAX_LABEL_CHARS || newest.is_some_and(|(_, newest)| *newest == exemplar) {
                continue;
            }
            if ring.kept.len() >= self.capacity && ring.kept.pop_front().is_some() {
                ring.gone += 1;
            }
            ring.kept.push_back((series.clone(), exemplar));
        }
    }

    /// Copies the exemplars piece by piece, so that matching does not block adding. Exemplars added meanwhile are not
    /// included.
    fn pieces(&self) -> impl Iterator<Item = Vec<One>> {
        let read = || self.ring.read();
        let (mut next, end) = {
            let ring = read();
            (ring.gone, ring.gone + ring.kept.len())
        };
        std::iter::from_fn(move || {
            let ring = read();
            let from = next.max(ring.gone);
            next = end.min(from.saturating_add(PIECE));
            let piece = ring.kept.iter().skip(from - ring.gone).take(next.saturating_sub(from));
            Some(piece.cloned().collect::<Vec<_>>()).filter(|piece| !piece.is_empty())
        })
    }

    /// Number of exemplars that [`Exemplars::select`] finds. Calls `goes_on` with the count so far after each piece,
    /// and stops when that returns false.
    #[must_use]
    pub fn count(&self, wanted: &ExemplarFilter, goes_on: impl Fn(usize) -> bool) -> usize {
        let mut count = 0;
        for piece in self.pieces() {
            count += piece.iter().filter(|one| wanted.has(one)).count();
            if !goes_on(count) {
                break;
            }
        }
        count
    }

    /// The matching exemplars, sorted by series and time. Calls `check` before each piece.
    ///
    /// # Errors
    ///
    /// The error of `check`.
    pub fn select<E>(
        &self,
        wanted: &ExemplarFilter,
        check: impl Fn() -> Result<(), E>,
    ) -> Result<Vec<SeriesExemplars>, E> {
        let mut found: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
        for piece in self.pieces() {
            check()?;
            for (series, exemplar) in piece.into_iter().filter(|one| wanted.has(one)) {
                found.entry(series).or_default().push(exemplar);
            }
        }
        let sorted = found
            .into_iter()
            .map(|(series, mut exemplars)| {
                exemplars.sort_by_key(|exemplar| exemplar.timestamp_ms);
                exemplars.dedup();
                SeriesExemplars { series, exemplars }
            })
            .collect();
        Ok(sorted)
    }
}

/// Filter: exemplars in a closed time range, of series that match all matchers of one of the selectors.
#[derive(Debug)]
pub struct ExemplarFilter {
    /// Matchers of each selector.
    pub selectors: Vec<Vec<Matcher>>,
    /// Milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Milliseconds since the Unix epoch.
    pub end_ms: i64,
}

impl ExemplarFilter {
    fn has(&self, (series, exemplar): &One) -> bool {
        let matches =
            |matchers: &Vec<Matcher>| matchers.iter().all(|matcher| matcher.matches(series.get(&matcher.name)));
        (self.start_ms..=self.end_ms).contains(&exemplar.timestamp_ms) && self.selectors.iter().any(matches)
    }
}

/// Number of recent exemplars that are checked for a repetition.
const NEAR: usize = 64;
/// Number of exemplars to copy at a time.
const PIECE: usize = 1_024;

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
        let select = |selector: Vec<Matcher>, start_ms, end_ms| {
            let wanted = ExemplarFilter { selectors: vec![selector], start_ms, end_ms };
            exemplars.select(&wanted, || Ok::<(), ()>(())).unwrap()
        };
        let all = select(Vec::new(), i64::MIN, i64::MAX);
        assert_eq!(all.len(), 2);
        let until_30 = ExemplarFilter { selectors: vec![Vec::new()], start_ms: i64::MIN, end_ms: 30 };
        assert_eq!(exemplars.count(&until_30, |_| true), 2);
        assert_eq!(all[0].exemplars, [exemplar("2", 20), exemplar("4", 40)]);
        let only_b = promql::parse_selector("b").unwrap();
        assert_eq!(select(only_b, 0, 5), [SeriesExemplars { series: b, exemplars: vec![exemplar("3", 5)] }]);
        assert!(select(Vec::new(), 50, 60).is_empty());
    }

    #[test]
    fn exemplars_come_while_others_are_looked_for_and_the_search_ends_when_nobody_wants_it() {
        let exemplars = Exemplars::new(3 * PIECE);
        let series = Labels::new([("__name__", "a")]);
        let add = |time: usize| exemplars.add(&series, vec![exemplar("x", i64::try_from(time).unwrap())]);
        (0..3 * PIECE).for_each(add);
        let wanted = ExemplarFilter { selectors: vec![Vec::new()], start_ms: 0, end_ms: i64::MAX };
        // Each addition removes one that was still to be copied; new ones are not included.
        let asked = std::cell::Cell::new(0);
        let adding = || {
            asked.set(asked.get() + 1);
            (0..PIECE + 1).for_each(|more| add(10 * PIECE * asked.get() + more));
            Ok::<(), ()>(())
        };
        let found = exemplars.select(&wanted, adding).unwrap();
        let times: Vec<i64> = found[0].exemplars.iter().map(|exemplar| exemplar.timestamp_ms).collect();
        assert!(times.len() < 3 * PIECE && times.iter().all(|time| *time < 3_072), "{}", times.len());
        assert_eq!(exemplars.count(&wanted, |count| count < 10), PIECE);
        assert_eq!(exemplars.select(&wanted, || Err("nobody waits")), Err("nobody waits"));
    }
}
