//! The samples of one daemon: those of its page of metrics at each scrape tick, and those counted from its feed when
//! they change.
//!
//! A driver waits at most [`FIRST_PATIENCE`] until [`Daemon::has_spoken`], creates a [`Collector`] from the stored
//! samples, and then calls at each tick [`Collector::probe`], [`Collector::begin`], [`Collector::read`] with the answer
//! to the request, if there is one, and [`Collector::finish`]. In between it calls [`Collector::changes`] when
//! [`Effects::has_samples`](crate::daemon::Effects), but not more often than every [`CHANGES_APART`]. After `finish` and
//! `changes` it appends each batch of [`Collector::next_batch`].

use std::{sync::Arc, time::Duration};

use exposition::Metadata;
use labels::TargetLabels;
use redact::Redactor;
use scrape::{
    Answer, CallError, Endpoint, PageLimits, PageReader, Request, Scrape, StalenessTracker, millis,
    report::{own_point, with_report},
};
use timeseries::Point;

use crate::{
    clock::Now,
    daemon::{Daemon, News},
    derive::{self, Deriver, Due},
    detect::Detection,
    vitals,
};

pub use crate::{derive::Stored, stored::newest_of};

/// How long the first samples wait for the daemon's first message.
pub const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// Minimum interval between writes of changes.
pub const CHANGES_APART: Duration = Duration::from_millis(500);
/// Label `job` of a daemon's series, as in the HyperSDK documentation.
pub const DAEMON_JOB: &str = "hypersdk";
/// Delay before a daemon is probed for metrics again if the first probe was inconclusive.
const PROBE_AGAIN: Duration = Duration::from_secs(10);
/// If the last message is at most this old at a scrape, in milliseconds, the state counts as known up to the scrape.
const HEARD_SLACK_MS: i64 = 2_000;

/// The target labels of a daemon. `instance` is its host and port.
#[must_use]
pub fn target_labels(instance: &str, daemon: &str) -> TargetLabels {
    TargetLabels::new([("job", DAEMON_JOB), ("instance", instance), ("daemon", daemon)])
}

/// Turns the pages and the state of one daemon into points.
pub struct Collector {
    reader: PageReader,
    deriver: Deriver,
    staleness: StalenessTracker,
    /// When metrics were last probed, if the first probe was inconclusive.
    probed_ms: i64,
    /// The last value of `up` of a daemon without a page of metrics.
    up: Option<f64>,
    /// Whether the derived series are active; otherwise they have stale markers, or have not started.
    shows: bool,
    /// Points of the next batch.
    points: Vec<Point>,
    pending: Option<Pending>,
    metadata: Option<Vec<Metadata>>,
}

/// A scrape tick in progress.
#[derive(Debug)]
pub struct Tick {
    at_ms: i64,
    /// Taken before the page is requested, which may take a while.
    news: Option<News>,
    trouble: Option<String>,
    /// The request for the page of metrics, if the daemon has one.
    pub request: Option<Request>,
}

/// What to derive after the points so far.
struct Pending {
    news: News,
    at_ms: i64,
    /// Until when the state of the daemon is known.
    known_until_ms: i64,
    due: Due,
}

impl Collector {
    /// Continues from the `stored` samples ([`newest_of`]) of a daemon. Samples are stored for the time `retention`.
    #[must_use]
    pub fn new(
        labels: TargetLabels,
        limits: PageLimits,
        redactor: Arc<Redactor>,
        stored: Vec<Stored>,
        retention: Duration,
        now_ms: i64,
    ) -> Self {
        let mut deriver = Deriver::new(labels.clone(), millis(retention));
        deriver.resume(stored);
        Collector {
            reader: PageReader::new(labels, limits, redactor),
            deriver,
            staleness: StalenessTracker::default(),
            probed_ms: now_ms,
            up: None,
            shows: false,
            points: Vec::new(),
            pending: None,
            metadata: Some(derive::metadata()),
        }
    }

    /// Metadata of the derived and then of the scraped families: at first, and when they changed.
    pub fn take_metadata(&mut self) -> Option<Vec<Metadata>> {
        self.metadata.take()
    }

    /// The probe for metrics that is due before a tick, if the last one was inconclusive. Pass its result to
    /// [`Daemon::probed`].
    pub fn probe(&mut self, daemon: &Daemon, at_ms: i64) -> Option<Detection> {
        let profile = daemon.profile().filter(|profile| profile.may_have_metrics)?;
        if at_ms.saturating_sub(self.probed_ms) < millis(PROBE_AGAIN) || !daemon.is_fresh() {
            return None;
        }
        self.probed_ms = at_ms;
        Some(Detection::of_metrics(profile.clone(), daemon.options.page_bytes))
    }

    /// Begins the tick at `at_ms`.
    pub fn begin(&mut self, daemon: &mut Daemon, at_ms: i64) -> Tick {
        let news = news(daemon);
        let profile = daemon.profile();
        let path = profile.and_then(|profile| profile.metrics_path);
        let trouble = profile.and_then(|profile| profile.metrics_trouble.clone());
        Tick { at_ms, news, trouble, request: path.map(|path| self.reader.request(path)) }
    }

    /// Reads the answer to the request of a tick, which took `duration`. This does not need the daemon, because a page
    /// may be long.
    pub fn read(
        &mut self,
        tick: &Tick,
        endpoint: &Endpoint,
        answer: Result<Answer, CallError>,
        duration: Duration,
    ) -> Scrape {
        let path = tick.request.as_ref().map_or("", |request| &request.path);
        self.reader.read(endpoint, path, answer, duration, tick.at_ms)
    }

    /// Ends a tick. `scrape` is the result of its request, if there was one.
    pub fn finish(&mut self, daemon: &mut Daemon, tick: Tick, scrape: Option<Scrape>, now: Now) {
        let Tick { at_ms, news, trouble, .. } = tick;
        let mut points = match scrape {
            Some(mut scrape) => {
                daemon.scraped(scrape.error.as_ref().map(ToString::to_string), Some(scrape.duration), now);
                if let Some(reading) = vitals::read(&scrape.points) {
                    daemon.read_vitals(reading, now);
                }
                if let Some(metadata) = scrape.metadata.take() {
                    self.metadata = Some(metadata);
                }
                with_report(scrape, self.reader.labels(), at_ms)
            }
            None => {
                daemon.scraped(trouble, None, now);
                let up = feed_up(daemon);
                self.up = Some(up);
                vec![own_point(self.reader.labels(), "up", up, at_ms)]
            }
        };
        self.staleness.close_missing(&mut points, at_ms);
        self.points.append(&mut points);
        match news {
            Some(news) => self.derive(daemon, news, at_ms, Due::All),
            // Changes after the last message are written at their own time, once the daemon is connected again.
            None if std::mem::take(&mut self.shows) => self.deriver.end(&mut self.points),
            None => {}
        }
    }

    /// Collects what has changed since the last call.
    pub fn changes(&mut self, daemon: &mut Daemon, now_ms: i64) {
        let has_page = daemon.profile().is_some_and(|profile| profile.metrics_path.is_some());
        let up = feed_up(daemon);
        if !has_page && self.up.is_some_and(|before| before.to_bits() != up.to_bits()) {
            self.up = Some(up);
            let point = own_point(self.reader.labels(), "up", up, now_ms);
            self.staleness.add(std::slice::from_ref(&point));
            self.points.push(point);
        }
        if let Some(news) = news(daemon) {
            // Series with stale markers continue at once, so all are written.
            let due = if self.shows { Due::Changed } else { Due::All };
            self.derive(daemon, news, now_ms, due);
        }
    }

    /// The next points to append, in order; `None` if there are no more. A long history comes in several batches, so
    /// that it needs little memory at a time.
    pub fn next_batch(&mut self) -> Option<Vec<Point>> {
        if let Some(Pending { news, at_ms, known_until_ms, due }) = self.pending.take() {
            let names = self.reader.names();
            if self.deriver.count(at_ms, names, &mut self.points) {
                self.pending = Some(Pending { news, at_ms, known_until_ms, due });
            } else {
                self.deriver.measure(&news, known_until_ms, due, names, &mut self.points);
            }
        }
        (!self.points.is_empty()).then(|| std::mem::take(&mut self.points))
    }

    fn derive(&mut self, daemon: &Daemon, mut news: News, at_ms: i64, due: Due) {
        self.shows = true;
        self.deriver.take(&mut news, at_ms);
        // A lost connection is noticed late.
        let heard_ms = daemon.status().last_data_ms.filter(|heard_ms| *heard_ms < at_ms - HEARD_SLACK_MS);
        self.pending = Some(Pending { news, at_ms, known_until_ms: heard_ms.unwrap_or(at_ms), due });
    }
}

/// What to count, while the daemon is connected.
fn news(daemon: &mut Daemon) -> Option<News> {
    if daemon.is_fresh() { daemon.take_news() } else { None }
}

/// `up` of a daemon without metrics: it is connected, and its metrics path has no unexpected content.
fn feed_up(daemon: &Daemon) -> f64 {
    let has_trouble = daemon.profile().is_some_and(|profile| profile.metrics_trouble.is_some());
    if daemon.is_fresh() && !has_trouble { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests;
