//! Writes one daemon's samples to the store: those of its `/metrics` at each scrape interval, and those counted from
//! its feed when they change. [`Collector`] decides what they are.

use std::sync::Arc;

use hypervisord::collector::{CHANGES_APART, Collector, FIRST_PATIENCE, Stored, newest_of};
use labels::TargetLabels;
use model::clock::now_ms;
use scrape::millis;
use tokio_util::sync::CancellationToken;

use crate::{
    Sinks,
    daemon_connection::DaemonConnection,
    scrape_loop::{fetch, write},
    scrape_ticker::ScrapeTicker,
};

/// Runs for the daemon of `connection`, whose series have these target labels, until `stop` is cancelled.
pub(crate) async fn run(
    connection: Arc<DaemonConnection>,
    labels: TargetLabels,
    sinks: Sinks,
    stop: CancellationToken,
) {
    let begun = async {
        let _ = tokio::time::timeout(FIRST_PATIENCE, first_word(&connection)).await;
        find_stored(&connection, &sinks).await
    };
    let stored = tokio::select! {
        () = stop.cancelled() => return,
        stored = begun => stored,
    };
    let (redactor, options) = (Arc::clone(&connection.redactor), connection.options);
    let collector = Collector::new(labels, options.page_limits(), redactor, stored, options.stored, now_ms());
    let mut scrape_loop = DaemonScrapeLoop { connection: Arc::clone(&connection), sinks, collector };
    scrape_loop.describe();
    let mut ticker = ScrapeTicker::new(connection.options.scrape_interval);
    let mut next_changes = tokio::time::Instant::now();
    loop {
        let changed = async {
            tokio::time::sleep_until(next_changes).await;
            connection.fed.notified().await;
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            at_ms = ticker.tick() => tokio::select! {
                () = stop.cancelled() => return,
                () = scrape_loop.scrape(at_ms) => {}
            },
            () = changed => {
                scrape_loop.write_changes().await;
                next_changes = tokio::time::Instant::now() + CHANGES_APART;
            }
        }
    }
}

/// Waits until the first samples can be written.
async fn first_word(connection: &DaemonConnection) {
    while !connection.read(hypervisord::daemon::Daemon::has_spoken) {
        connection.fed.notified().await;
    }
}

/// The last stored sample of each series that may be derived for this daemon. Empty if the store cannot be read: stored
/// increases are then counted again.
async fn find_stored(connection: &DaemonConnection, sinks: &Sinks) -> Vec<Stored> {
    let (source, daemon) = (Arc::clone(&sinks.stored), connection.name.clone());
    let now_ms = now_ms();
    let oldest_ms = now_ms.saturating_sub(millis(connection.options.stored));
    let found = tokio::task::spawn_blocking(move || newest_of(source.as_ref(), &daemon, oldest_ms, now_ms)).await;
    match found {
        Ok(Ok(stored)) => stored,
        Ok(Err(error)) => {
            tracing::error!(upstream = connection.name, %error, "cannot read the stored counters");
            Vec::new()
        }
        Err(error) => {
            tracing::error!(upstream = connection.name, %error, "the task that reads the stored counters failed");
            Vec::new()
        }
    }
}

/// The scrape loop of one daemon.
struct DaemonScrapeLoop {
    connection: Arc<DaemonConnection>,
    sinks: Sinks,
    collector: Collector,
}

impl DaemonScrapeLoop {
    /// Writes everything for the time `at_ms`.
    async fn scrape(&mut self, at_ms: i64) {
        let Self { connection, collector, .. } = self;
        if let Some(detection) = connection.read(|daemon| collector.probe(daemon, at_ms))
            && let Ok(profile) = connection.client.detect(detection).await
        {
            connection.change(|daemon, now| daemon.probed(profile, now));
        }
        let tick = connection.change(|daemon, _| collector.begin(daemon, at_ms));
        let scrape = match &tick.request {
            Some(request) => {
                let (answer, duration) = fetch(&connection.client, request).await;
                Some(collector.read(&tick, connection.client.endpoint(), answer, duration))
            }
            None => None,
        };
        connection.change(|daemon, now| collector.finish(daemon, tick, scrape, now));
        self.describe();
        self.write().await;
    }

    /// Writes what has changed since the last call.
    async fn write_changes(&mut self) {
        self.connection.change(|daemon, now| self.collector.changes(daemon, now.ms));
        self.write().await;
    }

    async fn write(&mut self) {
        while let Some(points) = self.collector.next_batch() {
            write(&self.sinks.samples, points, &self.connection.name).await;
        }
    }

    fn describe(&mut self) {
        if let Some(metadata) = self.collector.take_metadata() {
            self.sinks.metadata.describe(&metadata);
        }
    }
}
