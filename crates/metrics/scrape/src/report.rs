//! The series about a scrape itself.

use labels::TargetLabels;
use timeseries::Point;

use crate::Scrape;

/// The points of a scrape, with `up` and the `scrape_*` series.
#[must_use]
pub fn with_report(scrape: Scrape, labels: &TargetLabels, at_ms: i64) -> Vec<Point> {
    let own = |name, value| own_point(labels, name, value, at_ms);
    let seconds = scrape.duration.as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "limited to far less than 2^53")]
    let samples = scrape.samples as f64;
    let up = if scrape.error.is_none() { 1.0 } else { 0.0 };
    let mut points = scrape.points;
    points.extend([own("up", up), own("scrape_duration_seconds", seconds), own("scrape_samples_scraped", samples)]);
    points
}

/// A point of a series that only has target labels.
#[must_use]
pub fn own_point(labels: &TargetLabels, name: &str, value: f64, at_ms: i64) -> Point {
    Point { labels: labels.series(name, &[]), timestamp_ms: at_ms, value }
}
