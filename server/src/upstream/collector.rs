//! Writes one source's numbers to the store at each scrape interval: those it shows, those counted for it, and how the scrape went.

use std::{sync::Arc, time::Duration};

use model::upstream::UpstreamState;
use promql::source::{Point, SampleSink};
use tokio_util::sync::CancellationToken;

use super::{
    Outlets,
    cadence::{Cadence, millis},
    derive,
    ledger::Ledger,
    link::Link,
    probe::probe_metrics,
    sample::TargetLabels,
    scrape::{Scrape, Scraper},
    status::StatusCell,
    vitals,
};
use crate::clock::now_ms;

/// How long the first scrape of a daemon waits for it to be recognised.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);

/// Time until metrics are looked for again at a daemon that did not say whether it has any.
const PROBE_AGAIN: Duration = Duration::from_secs(10);

/// Collects from the daemon of `link` until `stop`.
pub(super) async fn run_daemon(link: Arc<Link>, mut scraper: Scraper, outlets: Outlets, stop: CancellationToken) {
    let mut profile = link.profile.subscribe();
    tokio::select! {
        () = stop.cancelled() => return,
        _ = tokio::time::timeout(FIRST_PATIENCE, profile.wait_for(Option::is_some)) => {}
    }
    let mut cadence = Cadence::new(link.options.scrape_interval);
    let mut ledger = Ledger::default();
    let mut probed_ms = now_ms();
    outlets.metadata.describe(&derive::metadata());
    loop {
        let at_ms = tokio::select! {
            () = stop.cancelled() => break,
            at_ms = cadence.tick() => at_ms,
        };
        let profile = link.profile.borrow().clone();
        if let Some(profile) = profile.filter(|profile| profile.may_have_metrics)
            && at_ms.saturating_sub(probed_ms) >= millis(PROBE_AGAIN)
            && link.status.state().is_fresh()
        {
            probed_ms = at_ms;
            let profile = tokio::select! {
                () = stop.cancelled() => break,
                profile = probe_metrics(&link.client, link.options.scrape_body_limit, profile) => profile,
            };
            link.recognised(profile);
        }
        let path = link.profile.borrow().as_ref().and_then(|profile| profile.metrics_path);
        let mut points = match path {
            Some(path) => {
                let scrape = tokio::select! {
                    () = stop.cancelled() => break,
                    scrape = scraper.scrape(path, at_ms) => scrape,
                };
                link.scraped(scrape.error.as_ref());
                if let Some(reading) = vitals::read(&scrape.points) {
                    link.read_vitals(reading);
                }
                settle(scrape, &scraper, &link.status, &outlets, at_ms)
            }
            None => {
                let up = if link.status.state().is_fresh() { 1.0 } else { 0.0 };
                vec![own_point(scraper.labels(), "up", up, at_ms)]
            }
        };
        let state = link.status.state();
        if matches!(state, UpstreamState::Live | UpstreamState::Polling) {
            for (name, labels, value) in link.derived(scraper.names()) {
                let pairs: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
                points.push(Point { labels: scraper.labels().series(name, &pairs), timestamp_ms: at_ms, value });
            }
        }
        ledger.close_missing(&mut points, at_ms);
        write(&outlets.samples, points, &link.name).await;
    }
}

/// Collects from a plain Prometheus endpoint until `stop`.
pub(super) async fn run_target(
    name: String,
    path: String,
    mut scraper: Scraper,
    interval: Duration,
    status: Arc<StatusCell>,
    outlets: Outlets,
    stop: CancellationToken,
) {
    let mut cadence = Cadence::new(interval);
    let mut ledger = Ledger::default();
    loop {
        let at_ms = tokio::select! {
            () = stop.cancelled() => break,
            at_ms = cadence.tick() => at_ms,
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
        let mut points = settle(scrape, &scraper, &status, &outlets, at_ms);
        ledger.close_missing(&mut points, at_ms);
        write(&outlets.samples, points, &name).await;
    }
}

/// The points of a scrape with those about it, and what else it brought to where it belongs.
fn settle(scrape: Scrape, scraper: &Scraper, status: &StatusCell, outlets: &Outlets, at_ms: i64) -> Vec<Point> {
    let seconds = scrape.duration.as_secs_f64();
    status.update(at_ms, |status| status.scrape_duration_seconds = Some(seconds));
    if let Some(metadata) = &scrape.metadata {
        outlets.metadata.describe(metadata);
    }
    let own = |name, value| own_point(scraper.labels(), name, value, at_ms);
    #[allow(clippy::cast_precision_loss, reason = "limited to far less than 2^53")]
    let samples = scrape.samples as f64;
    let up = if scrape.error.is_none() { 1.0 } else { 0.0 };
    let mut points = scrape.points;
    points.extend([own("up", up), own("scrape_duration_seconds", seconds), own("scrape_samples_scraped", samples)]);
    points
}

fn own_point(labels: &TargetLabels, name: &str, value: f64, at_ms: i64) -> Point {
    Point { labels: labels.series(name, &[]), timestamp_ms: at_ms, value }
}

/// Appends on a thread that may wait for a disk.
async fn write(sink: &Arc<dyn SampleSink>, points: Vec<Point>, name: &str) {
    let sink = Arc::clone(sink);
    let written = tokio::task::spawn_blocking(move || sink.append(&points)).await;
    match written {
        Ok(Ok(outcome)) if outcome.over_limit > 0 => {
            let points = outcome.over_limit;
            tracing::warn!(upstream = name, points, "new series are left out: the store holds its limit of series");
        }
        Ok(Ok(outcome)) if outcome.out_of_order + outcome.duplicate > 0 => {
            let (out_of_order, duplicate) = (outcome.out_of_order, outcome.duplicate);
            tracing::debug!(upstream = name, out_of_order, duplicate, "samples were left out");
        }
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(upstream = name, %error, "samples are lost: the store does not take them"),
        Err(error) => tracing::error!(upstream = name, %error, "samples are lost: writing them was cut short"),
    }
}
