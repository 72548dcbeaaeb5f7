//! Scrapes a plain Prometheus endpoint at each scrape interval and writes the samples, and how the scrape went.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use model::{
    clock::now_ms,
    live::Event,
    upstream::{UpstreamKind, UpstreamState, UpstreamStatus},
};
use parking_lot::Mutex;
use scrape::{Answer, CallError, PageReader, Request, Scrape, StalenessTracker, TrackedStatus, report::with_report};
use timeseries::{AppendOutcome, Point, SampleSink, SourceError};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{Sinks, client::Client, scrape_ticker::ScrapeTicker};

/// Maximum number of points in one append.
const MOST_POINTS: usize = 50_000;

/// One plain Prometheus endpoint.
pub(crate) struct Target {
    pub name: String,
    pub path: String,
    pub client: Client,
    status: Mutex<TrackedStatus>,
    events: broadcast::Sender<Event>,
}

impl Target {
    pub(crate) fn new(name: String, path: String, client: Client, events: broadcast::Sender<Event>) -> Self {
        let status = Mutex::new(TrackedStatus::new(&name, UpstreamKind::Prometheus, now_ms()));
        Target { name, path, client, status, events }
    }

    pub(crate) fn status(&self) -> UpstreamStatus {
        self.status.lock().get().clone()
    }

    /// Changes the status by the result of a scrape.
    fn scraped(&self, scrape: &Scrape, at_ms: i64) {
        let mut status = self.status.lock();
        let news = status.update(at_ms, |status| {
            status.scrape_duration_seconds = Some(scrape.duration.as_secs_f64());
            match &scrape.error {
                None => {
                    status.state = UpstreamState::Live;
                    status.error = None;
                    status.last_data_ms = Some(at_ms);
                }
                Some(error) => {
                    status.state = UpstreamState::Down;
                    status.error = Some(error.to_string());
                }
            }
        });
        // Sent while locked, so that events are published in order. Without receivers it is dropped.
        if let Some(event) = news {
            let _ = self.events.send(event);
        }
    }
}

/// Runs for a plain Prometheus endpoint until `stop` is cancelled.
pub(crate) async fn run(
    target: Arc<Target>,
    mut reader: PageReader,
    interval: Duration,
    sinks: Sinks,
    stop: CancellationToken,
) {
    let mut ticker = ScrapeTicker::new(interval);
    let mut staleness = StalenessTracker::default();
    let request = reader.request(&target.path);
    loop {
        let at_ms = tokio::select! {
            () = stop.cancelled() => break,
            at_ms = ticker.tick() => at_ms,
        };
        let (answer, duration) = tokio::select! {
            () = stop.cancelled() => break,
            fetched = fetch(&target.client, &request) => fetched,
        };
        let scrape = reader.read(target.client.endpoint(), &target.path, answer, duration, at_ms);
        target.scraped(&scrape, at_ms);
        if let Some(metadata) = &scrape.metadata {
            sinks.metadata.describe(metadata);
        }
        let mut points = with_report(scrape, reader.labels(), at_ms);
        staleness.close_missing(&mut points, at_ms);
        write(&sinks.samples, points, &target.name).await;
    }
}

/// Requests a page of metrics. The answer comes with the duration of the request.
#[tracing::instrument(name = "scrape", level = "debug", skip_all, fields(path = request.path))]
pub(crate) async fn fetch(client: &Client, request: &Request) -> (Result<Answer, CallError>, Duration) {
    let start = Instant::now();
    let answer = client.send(request).await;
    (answer, start.elapsed())
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
