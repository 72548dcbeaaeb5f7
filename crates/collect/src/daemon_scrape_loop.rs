//! Writes what one daemon's numbers are to the store: those of its page of metrics at each scrape interval, and those counted from its feed
//! as they change.

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

/// How long the first samples of a daemon wait for its first message.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// Time until metrics are looked for again at a daemon that did not say whether it has any.
const PROBE_AGAIN: Duration = Duration::from_secs(10);
/// Shortest time between two looks at what has changed.
const CHANGES_APART: Duration = Duration::from_millis(500);
/// A daemon that was heard this long before a scrape, in milliseconds, is as it was: until then, nothing that happened can be unknown.
const HEARD_SLACK_MS: i64 = 2_000;
/// How far back stored samples are looked for first, in milliseconds. If there are none, there may be some from before a long stop.
const NEAR_MS: i64 = 3_600_000;

/// Collects from the daemon of `connection` until `stop`.
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

/// Waits until it is known what there is to write at first.
async fn first_word(connection: &DaemonConnection) {
    while !connection.has_spoken() {
        connection.fed.notified().await;
    }
}

/// The newest stored sample of each series that may be counted for this daemon. Nothing if the store cannot be read: what was stored is
/// then counted once more.
async fn find_stored(connection: &DaemonConnection, sinks: &Sinks) -> Vec<Stored> {
    let (source, daemon) = (Arc::clone(&sinks.stored), connection.name.clone());
    let oldest_ms = now_ms().saturating_sub(millis(connection.options.stored));
    let found = tokio::task::spawn_blocking(move || newest_of(source.as_ref(), &daemon, oldest_ms)).await;
    match found {
        Ok(Ok(stored)) => stored,
        Ok(Err(error)) => {
            tracing::error!(upstream = connection.name, %error, "what was counted before cannot be read");
            Vec::new()
        }
        Err(error) => {
            tracing::error!(upstream = connection.name, %error, "reading what was counted before was cut short");
            Vec::new()
        }
    }
}

fn newest_of(source: &dyn SeriesSource, daemon: &str, oldest_ms: i64) -> Result<Vec<Stored>, SourceError> {
    let matchers = [Matcher::equal("daemon", daemon), Matcher::equal("job", DAEMON_JOB)];
    let now_ms = now_ms();
    for start_ms in [now_ms.saturating_sub(NEAR_MS).max(oldest_ms), oldest_ms] {
        // Ours may be ahead of the clock, if it was set back.
        let found = source.select(&matchers, start_ms, i64::MAX)?;
        let derived = found.into_iter().filter(|series| series.labels.metric_name().starts_with("hypersdk_"));
        let newest = derived.filter_map(|series| {
            let at_ms = *series.timestamps.last()?;
            let value = *series.values.iter().rev().find(|value| !is_stale_marker(**value))?;
            Some(Stored { labels: series.labels, at_ms, value })
        });
        // Of a daemon that was away for longer there is `up` alone.
        let newest: Vec<Stored> = newest.collect();
        if !newest.is_empty() {
            return Ok(newest);
        }
    }
    Ok(Vec::new())
}

/// What is collected from one daemon.
struct Collector {
    connection: Arc<DaemonConnection>,
    scraper: Scraper,
    sinks: Sinks,
    deriver: Deriver,
    staleness: StalenessTracker,
    /// When its metrics were last looked for, where it did not say whether it has any.
    probed_ms: i64,
    /// What was last written as `up` of a daemon without a page of metrics.
    up: Option<f64>,
    /// Whether the derived series go on; otherwise they were marked as ended, or have not begun.
    shows: bool,
}

impl Collector {
    /// Writes all there is at `at_ms`.
    async fn scrape(&mut self, at_ms: i64) {
        self.detect(at_ms).await;
        // Taken before the page, which may take its time.
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
            // What happened after the last word is written at its own time, when the daemon is heard again.
            None if std::mem::take(&mut self.shows) => self.deriver.end(&mut points),
            None => {}
        }
        write(&self.sinks.samples, points, &self.connection.name).await;
    }

    /// Writes what has changed since the last time.
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
            // Series that were marked as ended go on at once, all of them.
            let due = if self.shows { Due::Changed } else { Due::All };
            self.derive(news, now_ms, due, &mut points).await;
        }
        if !points.is_empty() {
            write(&self.sinks.samples, points, &self.connection.name).await;
        }
    }

    /// What there is to count, while the daemon is heard.
    fn news(&self) -> Option<News> {
        self.connection.status.state().is_fresh().then(|| self.connection.take_news()).flatten()
    }

    /// Up to when it is known how the daemon is, at `at_ms`. A connection that was cut is noticed later than it was.
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

    /// Whether a daemon without metrics is up: it is heard, and has nothing in the place of metrics.
    fn feed_up(&self) -> f64 {
        let has_trouble =
            self.connection.profile.borrow().as_ref().is_some_and(|profile| profile.metrics_trouble.is_some());
        if self.connection.status.state().is_fresh() && !has_trouble { 1.0 } else { 0.0 }
    }

    /// Looks for metrics again at a daemon that did not say whether it has any.
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
            // While it was away, and after we came.
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
