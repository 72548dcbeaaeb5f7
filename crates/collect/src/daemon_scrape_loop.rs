//! Writes one daemon's samples to the store: those of its `/metrics` at each scrape interval, and those counted from
//! its feed when they change.

use std::{sync::Arc, time::Duration};

use hypervisord::{
    derive::{self, Deriver, Due, Stored},
    knowledge::News,
    vitals,
};
use labels::Matcher;
use model::clock::now_ms;
use timeseries::{Point, SeriesSource, SourceError, is_stale_marker};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    DAEMON_JOB, Sinks,
    daemon_connection::DaemonConnection,
    detect::probe_metrics,
    scrape::Scraper,
    scrape_loop::{own_point, settle, write},
    scrape_ticker::{ScrapeTicker, millis},
    staleness_tracker::StalenessTracker,
};

/// How long the first samples wait for the daemon's first message.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// Delay before a daemon is probed for metrics again if the first probe was inconclusive.
const PROBE_AGAIN: Duration = Duration::from_secs(10);
/// Minimum interval between writes of changes.
const CHANGES_APART: Duration = Duration::from_millis(500);
/// If the last message is at most this old at a scrape, in milliseconds, the state counts as known up to the scrape.
const HEARD_SLACK_MS: i64 = 2_000;
/// How far back we first search for stored samples, in milliseconds. If there are none, there may be older ones from
/// before a long stop.
const NEAR_MS: i64 = 3_600_000;

/// Runs for the daemon of `connection` until `stop` is cancelled.
pub(crate) async fn run(connection: Arc<DaemonConnection>, scraper: Scraper, sinks: Sinks, stop: CancellationToken) {
    let begun = async {
        let _ = tokio::time::timeout(FIRST_PATIENCE, first_word(&connection)).await;
        let stored = find_stored(&connection, &sinks).await;
        let mut deriver = Deriver::new(scraper.labels().clone(), millis(connection.options.stored));
        deriver.resume(stored);
        deriver
    };
    let deriver = tokio::select! {
        () = stop.cancelled() => return,
        deriver = begun => deriver,
    };
    sinks.metadata.describe(&derive::metadata());
    let mut ticker = ScrapeTicker::new(connection.options.scrape_interval);
    let mut scrape_loop = Collector {
        connection,
        scraper,
        sinks,
        deriver,
        staleness: StalenessTracker::default(),
        probed_ms: now_ms(),
        up: None,
        shows: false,
    };
    let mut next_changes = Instant::now();
    loop {
        let connection = Arc::clone(&scrape_loop.connection);
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
                scrape_loop.write_changes(now_ms()).await;
                next_changes = Instant::now() + CHANGES_APART;
            }
        }
    }
}

/// Waits until the first samples can be written.
async fn first_word(connection: &DaemonConnection) {
    while !connection.has_spoken() {
        connection.fed.notified().await;
    }
}

/// The last stored sample of each series that may be derived for this daemon. Empty if the store cannot be read: stored
/// increases are then counted again.
async fn find_stored(connection: &DaemonConnection, sinks: &Sinks) -> Vec<Stored> {
    let (source, daemon) = (Arc::clone(&sinks.stored), connection.name.clone());
    let oldest_ms = now_ms().saturating_sub(millis(connection.options.stored));
    let found = tokio::task::spawn_blocking(move || newest_of(source.as_ref(), &daemon, oldest_ms)).await;
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

fn newest_of(source: &dyn SeriesSource, daemon: &str, oldest_ms: i64) -> Result<Vec<Stored>, SourceError> {
    let matchers = [Matcher::equal("daemon", daemon), Matcher::equal("job", DAEMON_JOB)];
    let now_ms = now_ms();
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

/// The scrape loop of one daemon.
struct Collector {
    connection: Arc<DaemonConnection>,
    scraper: Scraper,
    sinks: Sinks,
    deriver: Deriver,
    staleness: StalenessTracker,
    /// When metrics were last probed, if the first probe was inconclusive.
    probed_ms: i64,
    /// The last value of `up` of a daemon without `/metrics`.
    up: Option<f64>,
    /// Whether the derived series are active; otherwise they have stale markers, or have not started.
    shows: bool,
}

impl Collector {
    /// Writes everything for the time `at_ms`.
    async fn scrape(&mut self, at_ms: i64) {
        self.detect(at_ms).await;
        // Before the scrape, which may take a while.
        let news = self.news();
        let (path, trouble) = match &*self.connection.profile.borrow() {
            Some(profile) => (profile.metrics_path, profile.metrics_trouble.clone()),
            None => (None, None),
        };
        let mut points = match path {
            Some(path) => {
                let scrape = self.scraper.scrape(path, at_ms).await;
                self.connection.scraped(scrape.error.as_ref().map(ToString::to_string));
                if let Some(reading) = vitals::read(&scrape.points) {
                    self.connection.read_vitals(reading);
                }
                settle(scrape, &self.scraper, &self.connection.status, &self.sinks, at_ms)
            }
            None => {
                self.connection.scraped(trouble);
                let up = self.feed_up();
                self.up = Some(up);
                vec![own_point(self.scraper.labels(), "up", up, at_ms)]
            }
        };
        self.staleness.close_missing(&mut points, at_ms);
        match news {
            Some(news) => self.derive(news, at_ms, Due::All, &mut points).await,
            // Changes after the last message are written at their own time, once the daemon is connected again.
            None if std::mem::take(&mut self.shows) => self.deriver.end(&mut points),
            None => {}
        }
        write(&self.sinks.samples, points, &self.connection.name).await;
    }

    /// Writes what has changed since the last call.
    async fn write_changes(&mut self, now_ms: i64) {
        let mut points = Vec::new();
        let has_page = self.connection.profile.borrow().as_ref().is_some_and(|profile| profile.metrics_path.is_some());
        let up = self.feed_up();
        if !has_page && self.up.is_some_and(|before| before.to_bits() != up.to_bits()) {
            self.up = Some(up);
            points.push(own_point(self.scraper.labels(), "up", up, now_ms));
            self.staleness.add(&points);
        }
        if let Some(news) = self.news() {
            // Series with stale markers continue at once, so all are written.
            let due = if self.shows { Due::Changed } else { Due::All };
            self.derive(news, now_ms, due, &mut points).await;
        }
        if !points.is_empty() {
            write(&self.sinks.samples, points, &self.connection.name).await;
        }
    }

    /// What to count, while the daemon is connected.
    fn news(&self) -> Option<News> {
        self.connection.status.state().is_fresh().then(|| self.connection.take_news()).flatten()
    }

    /// Until when the state of the daemon is known, at `at_ms`. A lost connection is noticed late.
    fn known_until_ms(&self, at_ms: i64) -> i64 {
        let heard_ms = self.connection.status.last_data_ms().filter(|heard_ms| *heard_ms < at_ms - HEARD_SLACK_MS);
        heard_ms.unwrap_or(at_ms)
    }

    async fn derive(&mut self, mut news: News, at_ms: i64, due: Due, points: &mut Vec<Point>) {
        self.shows = true;
        self.deriver.take(&mut news, at_ms);
        while self.deriver.count(at_ms, self.scraper.names(), points) {
            write(&self.sinks.samples, std::mem::take(points), &self.connection.name).await;
        }
        self.deriver.measure(&news, self.known_until_ms(at_ms), due, self.scraper.names(), points);
    }

    /// `up` of a daemon without metrics: it is connected, and its metrics path has no unexpected content.
    fn feed_up(&self) -> f64 {
        let has_trouble =
            self.connection.profile.borrow().as_ref().is_some_and(|profile| profile.metrics_trouble.is_some());
        if self.connection.status.state().is_fresh() && !has_trouble { 1.0 } else { 0.0 }
    }

    /// Probes for metrics again if the first probe was inconclusive.
    async fn detect(&mut self, at_ms: i64) {
        let profile = self.connection.profile.borrow().clone().filter(|profile| profile.may_have_metrics);
        if let Some(profile) = profile
            && at_ms.saturating_sub(self.probed_ms) >= millis(PROBE_AGAIN)
            && self.connection.status.state().is_fresh()
        {
            self.probed_ms = at_ms;
            let profile =
                probe_metrics(&self.connection.client, self.connection.options.scrape_body_limit, profile).await;
            self.connection.recognised(profile);
        }
    }
}

#[cfg(test)]
mod tests {
    use labels::Labels;
    use timeseries::{STALE_NAN, SampleSink};
    use tsdb::{Store, StoreOptions};

    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const STORED_MS: i64 = 24 * HOUR_MS;

    fn points(name: &str, daemon: &str, times: &[(i64, f64)]) -> Vec<Point> {
        let labels = Labels::new([("__name__", name), ("daemon", daemon), ("job", DAEMON_JOB)]);
        let times = times.iter();
        times
            .map(|(timestamp_ms, value)| Point { labels: labels.clone(), timestamp_ms: *timestamp_ms, value: *value })
            .collect()
    }

    #[test]
    fn a_daemon_that_was_away_for_hours_goes_on_where_it_was() {
        let now_ms = now_ms();
        let ago = |hours: i64| now_ms - hours * HOUR_MS;
        let store = Store::in_memory(StoreOptions::default());
        for batch in [
            points("hypersdk_jobs_total", "d", &[(ago(6), 4.0), (ago(5), 7.0), (ago(5) + 1, STALE_NAN)]),
            points("hypersdk_jobs_total", "other", &[(ago(0), 9.0)]),
            // From while it was down, and from after we connected.
            points("up", "d", &[(ago(5), 0.0), (ago(1) + 60_000, 0.0), (ago(0), 1.0)]),
        ] {
            store.append(&batch).unwrap();
        }
        let stored = newest_of(&store, "d", now_ms - STORED_MS).unwrap();
        let found: Vec<_> = stored.iter().map(|one| (one.labels.metric_name(), one.at_ms, one.value)).collect();
        assert_eq!(found, [("hypersdk_jobs_total", ago(5) + 1, 7.0)]);
        assert!(newest_of(&store, "d", ago(4)).unwrap().is_empty(), "what is older is not looked for");
    }
}
