//! Scrapes a plain Prometheus endpoint at each scrape interval and writes the samples, and how the scrape went.
//! [`crate::daemon_scrape_loop`] uses the same parts for daemons.

use std::{sync::Arc, time::Duration};

use labels::TargetLabels;
use model::upstream::UpstreamState;
use timeseries::{AppendOutcome, Point, SampleSink, SourceError};
use tokio_util::sync::CancellationToken;

use crate::{
    Sinks,
    scrape::{Scrape, Scraper},
    scrape_ticker::ScrapeTicker,
    staleness_tracker::StalenessTracker,
    status::StatusCell,
};

/// Maximum number of points in one append.
const MOST_POINTS: usize = 50_000;

/// Runs for a plain Prometheus endpoint until `stop` is cancelled.
pub(crate) async fn run_target(
    name: String,
    path: String,
    mut scraper: Scraper,
    interval: Duration,
    status: Arc<StatusCell>,
    sinks: Sinks,
    stop: CancellationToken,
) {
    let mut ticker = ScrapeTicker::new(interval);
    let mut staleness = StalenessTracker::default();
    loop {
        let at_ms = tokio::select! {
            () = stop.cancelled() => break,
            at_ms = ticker.tick() => at_ms,
        };
        let scrape = tokio::select! {
            () = stop.cancelled() => break,
            scrape = scraper.scrape(&path, at_ms) => scrape,
        };
        status.update(at_ms, |status| match &scrape.error {
            None => {
                status.state = UpstreamState::Live;
                status.error = None;
                status.last_data_ms = Some(at_ms);
            }
            Some(error) => {
                status.state = UpstreamState::Down;
                status.error = Some(error.to_string());
            }
        });
        let mut points = settle(scrape, &scraper, &status, &sinks, at_ms);
        staleness.close_missing(&mut points, at_ms);
        write(&sinks.samples, points, &name).await;
    }
}

/// Records the status and metadata of a scrape; returns its points with those about the scrape itself.
pub(crate) fn settle(scrape: Scrape, scraper: &Scraper, status: &StatusCell, sinks: &Sinks, at_ms: i64) -> Vec<Point> {
    let seconds = scrape.duration.as_secs_f64();
    status.update(at_ms, |status| status.scrape_duration_seconds = Some(seconds));
    if let Some(metadata) = &scrape.metadata {
        sinks.metadata.describe(metadata);
    }
    let own = |name, value| own_point(scraper.labels(), name, value, at_ms);
    #[allow(clippy::cast_precision_loss, reason = "limited to far less than 2^53")]
    let samples = scrape.samples as f64;
    let up = if scrape.error.is_none() { 1.0 } else { 0.0 };
    let mut points = scrape.points;
    points.extend([own("up", up), own("scrape_duration_seconds", seconds), own("scrape_samples_scraped", samples)]);
    points
}

pub(crate) fn own_point(labels: &TargetLabels, name: &str, value: f64, at_ms: i64) -> Point {
    Point { labels: labels.series(name, &[]), timestamp_ms: at_ms, value }
}

/// Appends on a blocking thread, because the disk may be slow.
pub(crate) async fn write(sink: &Arc<dyn SampleSink>, points: Vec<Point>, name: &str) {
    let sink = Arc::clone(sink);
    let written = tokio::task::spawn_blocking(move || append(sink.as_ref(), &points)).await;
    match written {
        Ok(Ok(outcome)) if outcome.over_limit > 0 => {
            let points = outcome.over_limit;
            tracing::warn!(
                upstream = name,
                points,
                "dropped samples of new series: the store has reached its limit of series"
            );
        }
        Ok(Ok(outcome)) if outcome.out_of_order + outcome.duplicate > 0 => {
            let (out_of_order, duplicate) = (outcome.out_of_order, outcome.duplicate);
            tracing::debug!(upstream = name, out_of_order, duplicate, "dropped samples");
        }
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(upstream = name, %error, "samples are lost: the store rejected them"),
        Err(error) => tracing::error!(upstream = name, %error, "samples are lost: the task that writes them failed"),
    }
}

/// Appends in parts, so that others can write in between.
fn append(sink: &dyn SampleSink, points: &[Point]) -> Result<AppendOutcome, SourceError> {
    let mut all = AppendOutcome::default();
    for part in points.chunks(MOST_POINTS) {
        let outcome = sink.append(part)?;
        all.over_limit += outcome.over_limit;
        all.out_of_order += outcome.out_of_order;
        all.duplicate += outcome.duplicate;
    }
    Ok(all)
}
