//! hyperscope without a server: what a page needs of one, in a worker of the same browser.
//!
//! The page speaks the live protocol and asks for `/api/...` as it would ask a server; the daemon's messages and answers
//! go in, its samples into a store in memory, and queries, rules and jobs come out. No sockets and no timers:
//! [`Standalone`] gets messages and answers with their times. What a driver has to call, and when:
//!
//! - for the daemon what [`hypervisord::daemon`] and [`hypervisord::collector`] ask for, by [`Standalone::change`] and
//!   [`Standalone::collect`];
//! - [`Standalone::connect`] and [`Standalone::receive`] for the page's messages, [`Standalone::answer`] for its
//!   requests;
//! - [`Standalone::advance`] a few times a second; after each call it posts [`Standalone::take_messages`] to the page.

mod alerts;
mod api;
mod history;
mod hub;
mod notices;
mod queries;
mod site;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use embedded_engine::Evaluator;
use hypervisord::{
    Now,
    collector::{Collector, newest_of, target_labels},
    daemon::{self, Daemon, Effects},
};
use labels::Labels;
use model::{
    job::Job,
    live::{ClientMessage, ServerMessage, SnapshotData, Topic},
    upstream::trouble,
};
use query_frontend::aliases::Aliases;
use redact::Redactor;
use scrape::{Endpoint, PageLimits, millis};
use timeseries::{Point, SampleSink};
use tsdb::{Stats, Store, StoreOptions};
use url::Url;

use crate::{alerts::Rules, hub::Hub};

pub use api::{Answered, PageRequest, Reply};
pub use history::Block;
pub use site::{RuleGroups, Site};

/// How long samples are kept: the history of a page.
pub const RETENTION: Duration = Duration::from_secs(6 * 3_600);
/// Interval between samples of derived series, as on a server.
pub const SCRAPE_INTERVAL: Duration = Duration::from_secs(15);
/// Name of the daemon in labels and paths: there is one.
pub const DAEMON: &str = "hypervisord";
/// Interval between removals of old samples, in milliseconds.
const RETENTION_RUN_MS: i64 = 60_000;
/// Largest number of series; the samples of further ones are not kept. Six hours of them take some 26 MB.
const MOST_SERIES: usize = 10_000;
/// Largest number of series of one metric. A metric with more is left out: a part of it would give wrong sums.
const MOST_OF_METRIC: usize = 2_000;
/// Largest page of metrics, and its largest number of samples.
const PAGE_LIMITS: PageLimits = PageLimits { body_bytes: 8 << 20, samples: 50_000 };
/// Largest number of jobs that have ended; the oldest are dropped.
const MOST_ENDED_JOBS: usize = 10_000;

/// A dashboard's server, without one.
pub struct Standalone {
    site: Site,
    boot_id: String,
    endpoint: Endpoint,
    redactor: Arc<Redactor>,
    evaluator: Evaluator,
    rules: Rules,
    problems: Vec<String>,
    hub: Hub,
    daemon: Daemon,
    collector: Option<Collector>,
    /// Metrics that are not kept because they have too many series.
    left_out: BTreeSet<String>,
    /// Whether other samples were not kept, because there are too many series of all metrics.
    is_full: bool,
    /// When old samples are removed next, in milliseconds since the Unix epoch.
    retention_due_ms: i64,
}

/// What the driver has to look at after a change of the daemon's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wakes {
    /// There may be something to request from the daemon.
    pub has_requests: bool,
    /// There may be samples to write.
    pub has_samples: bool,
}

impl Standalone {
    /// The engine of a page that talks to the daemon at `base`. `boot_id` tells this run from others, `history` is what an
    /// earlier one gave by [`Standalone::blocks`], oldest first.
    #[must_use]
    pub fn new(site: Site, base: Url, boot_id: String, history: &[Vec<u8>], now: Now) -> Self {
        let redactor = Arc::new(Redactor::default());
        let store =
            Store::in_memory(StoreOptions { retention: RETENTION, max_series: MOST_SERIES, ..StoreOptions::default() });
        let (rules, problems) = Rules::of(&site.rules, history.is_empty(), now.ms);
        let evaluator = Evaluator::new(store, Aliases::new(site.aliases.clone()));
        history::restore(&evaluator, history, (oldest_ms(now.ms), now.ms));
        let options = daemon::Options {
            page_bytes: PAGE_LIMITS.body_bytes,
            most_ended_jobs: MOST_ENDED_JOBS,
            ..daemon::Options::default()
        };
        Standalone {
            evaluator,
            site,
            boot_id,
            endpoint: Endpoint::new(base, "a hypervisord", Arc::clone(&redactor)),
            rules,
            problems,
            hub: Hub::default(),
            daemon: Daemon::new(DAEMON, options, Arc::clone(&redactor), now.ms),
            redactor,
            collector: None,
            left_out: BTreeSet::new(),
            is_full: false,
            retention_due_ms: 0,
        }
    }

    /// What is wrong with the rules of the bundle, by file; those rules are not evaluated.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Removes secrets from texts of the daemon.
    #[must_use]
    pub fn redactor(&self) -> &Arc<Redactor> {
        &self.redactor
    }

    /// The place of the daemon, by which its answers are read.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Reads the daemon's state.
    #[must_use]
    pub fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// What is wrong with the daemon at present, in sentences for the viewer.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let left_out = self.left_out.iter().map(|metric| {
            format!("{metric} has more than {MOST_OF_METRIC} series, which is too much for a page: it is not shown.")
        });
        let too_many = self.is_full.then(|| {
            format!("The daemon has more than the {MOST_SERIES} series that a page keeps: some charts lack data.")
        });
        notices::of(&self.daemon).chain(left_out).chain(too_many).collect()
    }

    /// Changes the daemon's state, and sends its events to the page.
    pub fn change<T>(&mut self, now: Now, change: impl FnOnce(&mut Daemon) -> T) -> (T, Wakes) {
        let result = change(&mut self.daemon);
        (result, self.publish(now))
    }

    /// Begins to collect samples: once the daemon has spoken, or does not for too long.
    pub fn begin_collecting(&mut self, now: Now) {
        let instance = scrape::instance(&self.endpoint.url("")).unwrap_or_default();
        let labels = target_labels(&instance, DAEMON);
        let redactor = Arc::clone(&self.redactor);
        // In memory it cannot fail.
        let stored = newest_of(self.evaluator.store(), DAEMON, oldest_ms(now.ms), now.ms).unwrap_or_default();
        self.collector = Some(Collector::new(labels, PAGE_LIMITS, redactor, stored, RETENTION, now.ms));
    }

    /// Uses the collector with the daemon, then stores its points. `None` before [`Standalone::begin_collecting`].
    pub fn collect<T>(
        &mut self,
        now: Now,
        collect: impl FnOnce(&mut Collector, &mut Daemon) -> T,
    ) -> Option<(T, Wakes)> {
        let collector = self.collector.as_mut()?;
        let result = collect(collector, &mut self.daemon);
        // Names of metrics come with the dashboards.
        let _ = collector.take_metadata();
        while let Some(mut points) = collector.next_batch() {
            if points.len() > MOST_OF_METRIC {
                self.left_out.extend(large_metrics(&points));
            }
            points.retain(|point| !self.left_out.contains(point.labels.metric_name()));
            // In memory it cannot fail.
            let outcome = self.evaluator.store().append(&points).unwrap_or_default();
            self.is_full |= outcome.over_limit > 0;
        }
        Some((result, self.publish(now)))
    }

    /// The samples since a time as blocks, to be kept for the next run, and where the oldest block begins that it needs.
    /// Times are in milliseconds since the Unix epoch.
    #[must_use]
    pub fn blocks(&self, since_ms: i64, now_ms: i64) -> (Vec<Block>, i64) {
        (history::blocks(&self.evaluator, since_ms, now_ms), history::begin_of(oldest_ms(now_ms)))
    }

    /// A page connected: its earlier subscriptions are over.
    pub fn connect(&mut self, now_ms: i64) {
        self.hub.connect(&self.site.version, &self.boot_id, now_ms);
    }

    /// Applies a live message of the page.
    pub fn receive(&mut self, message: ClientMessage, now_ms: i64) {
        let Standalone { hub, evaluator, rules, daemon, .. } = self;
        let list = |topic: &Topic| match topic {
            Topic::Jobs => Some(SnapshotData::Jobs { jobs: jobs(daemon) }),
            Topic::System => Some(SnapshotData::System { system: daemon.system().cloned().into_iter().collect() }),
            Topic::Upstreams => Some(SnapshotData::Upstreams { upstreams: vec![daemon.status().clone()] }),
            Topic::Alerts => Some(SnapshotData::Alerts(rules.list())),
            Topic::Query(_) => None,
        };
        hub.receive(message, evaluator, list, now_ms);
    }

    /// Evaluates what is due: rules, then queries.
    pub fn advance(&mut self, now_ms: i64) {
        if now_ms >= self.retention_due_ms {
            self.retention_due_ms = now_ms.saturating_add(RETENTION_RUN_MS);
            // In memory it cannot fail.
            let _ = self.evaluator.store().run_retention(now_ms);
        }
        if self.rules.advance(&self.evaluator, now_ms) {
            self.hub.renew(&Topic::Alerts, &SnapshotData::Alerts(self.rules.list()));
        }
        self.hub.advance(&self.evaluator, now_ms);
    }

    /// What the store of samples holds.
    #[must_use]
    pub fn store_stats(&self) -> Stats {
        self.evaluator.store().stats()
    }

    /// Takes the messages for the page, in their order.
    pub fn take_messages(&mut self) -> Vec<ServerMessage> {
        self.hub.take_messages()
    }

    fn publish(&mut self, now: Now) -> Wakes {
        let Effects { events, has_requests, has_samples } = self.daemon.take_effects();
        for event in &events {
            self.hub.publish(event, now.ms);
        }
        self.hub.publish_freshness(trouble([self.daemon.status()]), now.ms);
        Wakes { has_requests, has_samples }
    }
}

/// Names of the metrics that have too many series among these points.
fn large_metrics(points: &[Point]) -> Vec<String> {
    let mut series: HashMap<&str, HashSet<&Labels>> = HashMap::new();
    for point in points {
        series.entry(point.labels.metric_name()).or_default().insert(&point.labels);
    }
    let large = series.into_iter().filter(|(_, series)| series.len() > MOST_OF_METRIC);
    large.map(|(metric, _)| metric.to_owned()).collect()
}

/// The time from which samples are kept.
fn oldest_ms(now_ms: i64) -> i64 {
    now_ms.saturating_sub(millis(RETENTION))
}

/// All jobs, latest first, then by ID.
fn jobs(daemon: &Daemon) -> Vec<Job> {
    let mut jobs: Vec<Job> = daemon.jobs().cloned().map(Job::as_shown).collect();
    jobs.sort_by(|left, right| right.created_at.cmp(&left.created_at).then_with(|| left.id.cmp(&right.id)));
    jobs
}
