//! Tracks the series of a target's last scrape, to write stale markers for those that disappear.

use std::collections::HashSet;

use labels::Labels;
use timeseries::{Point, STALE_NAN};

/// The series of one target that have no stale marker.
#[derive(Debug, Default)]
pub struct StalenessTracker {
    shown: HashSet<Labels>,
}

impl StalenessTracker {
    /// `points` are all points of the target at `timestamp_ms`: adds a stale marker for each series that has
    /// disappeared. Points with their own timestamp are not tracked, as in Prometheus, because nobody knows when they
    /// end.
    pub fn close_missing(&mut self, points: &mut Vec<Point>, timestamp_ms: i64) {
        let shows: HashSet<Labels> = points
            .iter()
            .filter(|point| point.timestamp_ms == timestamp_ms)
            .map(|point| point.labels.clone())
            .collect();
        let ended = self.shown.difference(&shows);
        points.extend(ended.map(|labels| Point { labels: labels.clone(), timestamp_ms, value: STALE_NAN }));
        self.shown = shows;
    }

    /// Tracks more series of the target, which get stale markers too when they disappear.
    pub fn add(&mut self, points: &[Point]) {
        for point in points {
            if !self.shown.contains(&point.labels) {
                self.shown.insert(point.labels.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use timeseries::is_stale_marker;

    use super::*;

    #[test]
    fn a_series_that_ends_is_marked_once() {
        let point =
            |name: &str, timestamp_ms| Point { labels: Labels::new([("__name__", name)]), timestamp_ms, value: 1.0 };
        let mut staleness = StalenessTracker::default();
        let mut points = vec![point("a", 1), point("b", 1), point("c", 0)];
        staleness.close_missing(&mut points, 1);
        assert_eq!(points.len(), 3);
        let mut points = vec![point("a", 2)];
        staleness.close_missing(&mut points, 2);
        assert_eq!(points.len(), 2);
        assert!(is_stale_marker(points[1].value) && points[1].labels.metric_name() == "b");
        let mut points = vec![point("a", 3)];
        staleness.close_missing(&mut points, 3);
        assert_eq!(points.len(), 1);
    }
}
