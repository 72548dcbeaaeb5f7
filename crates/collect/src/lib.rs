//! Connections to the sources: turns the data of daemons and scrape targets into jobs, events and samples.
//!
//! One [`Upstreams`] owns a few tasks for each daemon: `socket` reads the live feed, `poller` sends requests,
//! `daemon_scrape_loop` writes samples, and a ticker passes the time. They share `daemon_connection`, which locks the
//! daemon's state, [`hypervisord::daemon::Daemon`], and publishes its events. Plain Prometheus endpoints have one task
//! each, `scrape_loop`. What a message, a response or a tick means is decided in the crates `hypervisord` and `scrape`;
//! all text of a source passes the [`Redactor`] there.
//!
//! This crate knows no browser, session or query.

mod backoff;
mod client;
mod daemon_connection;
mod daemon_scrape_loop;
mod metadata;
mod poller;
mod scrape_loop;
mod scrape_ticker;
mod socket;
mod tls;

use std::{sync::Arc, time::Duration};

use hypervisord::{collector::target_labels, daemon, explain_unreported};
use labels::TargetLabels;
use model::{
    job::{Job, JobDetail},
    live::Event,
    system::SystemMetrics,
    upstream::UpstreamStatus,
};
use redact::Redactor;
use rustls::ClientConfig;
use scrape::{PageLimits, PageReader};
use timeseries::{SampleSink, SeriesSource};
use tokio::sync::broadcast;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{client::Client, daemon_connection::DaemonConnection, scrape_loop::Target};

pub use crate::{
    client::{ApiKey, ClientError},
    metadata::MetadataSink,
};
pub use hypervisord::CancelAnswer;
pub use scrape::CallError;

/// A daemon to connect to.
#[derive(Debug, Clone)]
pub struct DaemonConfig {
    /// Name in labels, events and paths; unique.
    pub name: String,
    /// URL, `http` or `https`, optionally with a path before its routes.
    pub url: Url,
    /// Sent as `X-API-Key`, if set.
    pub key: Option<ApiKey>,
}

/// A plain Prometheus endpoint to scrape.
#[derive(Debug, Clone)]
pub struct ScrapeTarget {
    /// Name; unique. It is also the label `job` of its series.
    pub name: String,
    /// URL with the path, for example `http://localhost:9100/metrics`.
    pub url: Url,
    /// Scrape interval; `None` uses the general one.
    pub interval: Option<Duration>,
    /// Labels added to its series.
    pub labels: Vec<(String, String)>,
}

/// Intervals and limits for all sources.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Scrape interval, and interval between samples of derived series.
    pub scrape_interval: Duration,
    /// Maximum uncompressed size of a `/metrics` response, in bytes.
    pub scrape_body_limit: usize,
    /// Maximum number of samples per scrape.
    pub scrape_sample_limit: usize,
    /// Timeout of HTTP requests.
    pub call_timeout: Duration,
    /// Whether requests use the proxy of the environment. It is opt-in, because a daemon's key is only for the daemon.
    pub env_proxy: bool,
    /// Maximum size of a socket message, and of a list of jobs, in bytes.
    pub message_limit: usize,
    /// A socket without data for this long is stale; for daemons that only send events, after twice that.
    pub stale_after: Duration,
    /// Interval of polls while the socket is down.
    pub poll_interval: Duration,
    /// Maximum delay before the first attempt to reopen a socket.
    pub first_retry: Duration,
    /// Maximum delay between attempts.
    pub longest_retry: Duration,
    /// Retention of samples: jobs that ended before it are part of a counter's first value.
    pub stored: Duration,
    /// Maximum number of ended jobs per daemon; the oldest are dropped. Running and pending jobs stay, up to four times
    /// as many jobs in total.
    pub most_ended_jobs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            scrape_interval: Duration::from_secs(15),
            scrape_body_limit: 16 << 20,
            scrape_sample_limit: 200_000,
            call_timeout: Duration::from_secs(10),
            env_proxy: false,
            message_limit: 64 << 20,
            stale_after: Duration::from_secs(5),
            poll_interval: Duration::from_secs(2),
            first_retry: Duration::from_millis(500),
            longest_retry: Duration::from_secs(30),
            stored: Duration::from_secs(15 * 24 * 3600),
            most_ended_jobs: 5000,
        }
    }
}

impl Options {
    fn of_daemon(&self) -> daemon::Options {
        daemon::Options {
            stale_after: self.stale_after,
            poll_interval: self.poll_interval,
            list_bytes: self.message_limit,
            page_bytes: self.scrape_body_limit,
            most_ended_jobs: self.most_ended_jobs,
        }
    }

    fn page_limits(&self) -> PageLimits {
        PageLimits { body_bytes: self.scrape_body_limit, samples: self.scrape_sample_limit }
    }
}

/// Where the data of sources goes.
#[derive(Clone)]
pub struct Sinks {
    /// Changes, as they happen. A receiver that lags gets an error from the channel and takes a snapshot from
    /// [`Upstreams`].
    pub events: broadcast::Sender<Event>,
    /// Scraped and derived samples: one batch per source and scrape.
    pub samples: Arc<dyn SampleSink>,
    /// The stored samples: after a restart, counters continue from them.
    pub stored: Arc<dyn SeriesSource>,
    /// Metadata of scraped and derived metrics.
    pub metadata: Arc<dyn MetadataSink>,
}

/// All connections of the server. Cheap to clone.
#[derive(Clone)]
pub struct Upstreams {
    shared: Arc<Shared>,
}

struct Shared {
    links: Vec<Arc<DaemonConnection>>,
    targets: Vec<Arc<Target>>,
    tasks: TaskTracker,
}

impl Upstreams {
    /// Starts the connections. Their tasks run on the current runtime and end when `stop` is cancelled.
    ///
    /// # Errors
    ///
    /// The configuration is invalid: two sources with one name, a URL that is not HTTP, a key that is not valid in a
    /// header. A source that is down is not an error.
    pub fn start(
        daemons: Vec<DaemonConfig>,
        targets: Vec<ScrapeTarget>,
        sinks: Sinks,
        options: Options,
        redactor: Arc<Redactor>,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        check_names(daemons.iter().map(|daemon| &*daemon.name).chain(targets.iter().map(|target| &*target.name)))?;
        let starter = Builder {
            tls: tls::client_config().map_err(|error| StartError::Tls(error.to_string()))?,
            redactor,
            sinks,
            options,
            tasks: TaskTracker::new(),
            stop,
        };
        let links = daemons.into_iter().map(|daemon| starter.daemon(daemon)).collect::<Result<_, _>>()?;
        let targets = targets.into_iter().map(|target| starter.target(target)).collect::<Result<_, _>>()?;
        starter.tasks.close();
        Ok(Upstreams { shared: Arc::new(Shared { links, targets, tasks: starter.tasks }) })
    }

    /// Jobs of all daemons, latest first, then by ID.
    #[must_use]
    pub fn jobs(&self) -> Vec<Job> {
        let mut jobs: Vec<Job> =
            self.shared.links.iter().flat_map(|connection| connection.jobs()).map(Job::as_shown).collect();
        jobs.sort_by(|left, right| right.created_at.cmp(&left.created_at).then_with(|| left.id.cmp(&right.id)));
        jobs
    }

    /// Number of jobs.
    #[must_use]
    pub fn job_count(&self) -> usize {
        self.shared.links.iter().map(|connection| connection.read(|daemon| daemon.jobs().count())).sum()
    }

    /// One job.
    #[must_use]
    pub fn job(&self, daemon: &str, id: &str) -> Option<Job> {
        self.connection(daemon)?.job(id)
    }

    /// Latest process state of each daemon that reported any, in the order of the configuration.
    #[must_use]
    pub fn system(&self) -> Vec<SystemMetrics> {
        let links = self.shared.links.iter();
        links.filter_map(|connection| connection.read(|daemon| daemon.system().cloned())).collect()
    }

    /// Status of each source: daemons, then scrape targets, in the order of the configuration.
    #[must_use]
    pub fn statuses(&self) -> Vec<UpstreamStatus> {
        let daemons = self.shared.links.iter().map(|connection| connection.read(|daemon| daemon.status().clone()));
        daemons.chain(self.shared.targets.iter().map(|target| target.status())).collect()
    }

    /// Why there are no series with a canonical name, in words, if the daemons cannot report it.
    #[must_use]
    pub fn unreported(&self, series: &str) -> Option<String> {
        let links = self.shared.links.iter();
        let daemons: Vec<_> =
            links.map(|connection| (&*connection.name, connection.read(|daemon| daemon.profile().cloned()))).collect();
        explain_unreported(series, &daemons)
    }

    /// Requests the cancellation of a job. If the daemon accepts it, the job gets the status `cancelling` at once; its
    /// end arrives as an event.
    ///
    /// # Errors
    ///
    /// There is no such daemon or job, or the request failed.
    pub async fn cancel(&self, daemon: &str, id: &str) -> Result<CancelAnswer, CancelError> {
        let connection = self.connection(daemon).ok_or_else(|| CancelError::UnknownDaemon(daemon.to_owned()))?;
        poller::cancel(connection, id).await
    }

    /// A job with its log entries at the daemon. `None` if there is no such job.
    pub async fn job_detail(&self, daemon: &str, id: &str) -> Option<JobDetail> {
        let connection = self.connection(daemon)?;
        Some(poller::detail(connection, connection.job(id)?).await)
    }

    /// Waits until all tasks have ended, after the token given to [`Upstreams::start`] was cancelled.
    pub async fn stopped(&self) {
        self.shared.tasks.wait().await;
    }

    fn connection(&self, daemon: &str) -> Option<&DaemonConnection> {
        self.shared.links.iter().find(|connection| connection.name == daemon).map(|connection| &**connection)
    }
}

/// Why a cancellation could not be requested.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// No daemon has this name.
    #[error("there is no daemon named {0:?}")]
    UnknownDaemon(String),
    /// The daemon has no such job.
    #[error("the daemon {daemon:?} has no job {id:?}")]
    UnknownJob {
        /// The daemon.
        daemon: String,
        /// The job.
        id: String,
    },
    /// The request failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why the connections cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Two sources have the same name.
    #[error("two sources are named {0:?}: give each its own name")]
    RepeatedName(String),
    /// A URL that is not HTTP.
    #[error("the address of {name:?} must begin with http:// or https:// and name a host")]
    Address {
        /// The source.
        name: String,
    },
    /// The client of a source could not be created.
    #[error("{name:?}: {error}")]
    Client {
        /// The source.
        name: String,
        /// What is wrong.
        #[source]
        error: ClientError,
    },
    /// TLS could not be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// What all connections share at start.
struct Builder {
    tls: Arc<ClientConfig>,
    redactor: Arc<Redactor>,
    sinks: Sinks,
    options: Options,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Builder {
    fn daemon(&self, config: DaemonConfig) -> Result<Arc<DaemonConnection>, StartError> {
        let instance = instance(&config.name, &config.url)?;
        let client = self.client(&config.name, config.url.clone(), config.key.as_ref(), "a hypervisord")?;
        let labels = target_labels(&instance, &config.name);
        let redactor = Arc::clone(&self.redactor);
        let connection =
            Arc::new(DaemonConnection::new(config, client, redactor, self.sinks.events.clone(), self.options));
        let stop = || self.stop.clone();
        self.tasks.spawn(socket::run(Arc::clone(&connection), Arc::clone(&self.tls), stop()));
        self.tasks.spawn(poller::run(Arc::clone(&connection), stop()));
        self.tasks.spawn(daemon_scrape_loop::run(Arc::clone(&connection), labels, self.sinks.clone(), stop()));
        self.tasks.spawn(tick(Arc::clone(&connection), stop()));
        Ok(connection)
    }

    fn target(&self, target: ScrapeTarget) -> Result<Arc<Target>, StartError> {
        let instance = instance(&target.name, &target.url)?;
        let path = target.url.path().to_owned();
        let mut base = target.url.clone();
        base.set_path("");
        let client = self.client(&target.name, base, None, "a page of metrics")?;
        let own = [("job", &*target.name), ("instance", &*instance)];
        let more = target.labels.iter().map(|(name, value)| (&**name, &**value));
        let labels = TargetLabels::new(own.into_iter().chain(more));
        let reader = PageReader::new(labels, self.options.page_limits(), Arc::clone(&self.redactor));
        let interval = target.interval.unwrap_or(self.options.scrape_interval);
        let target = Arc::new(Target::new(target.name, path, client, self.sinks.events.clone()));
        let scraping = scrape_loop::run(Arc::clone(&target), reader, interval, self.sinks.clone(), self.stop.clone());
        self.tasks.spawn(scraping);
        Ok(target)
    }

    fn client(&self, name: &str, url: Url, key: Option<&ApiKey>, expected: &'static str) -> Result<Client, StartError> {
        self.redactor.learn_url(&url);
        Client::new(url, key, &self.tls, &self.options, Arc::clone(&self.redactor), expected)
            .map_err(|error| StartError::Client { name: name.to_owned(), error })
    }
}

/// Passes the time to the daemon's state.
async fn tick(connection: Arc<DaemonConnection>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(daemon::TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        connection.change(|daemon, now| daemon.tick(now));
    }
}

fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), StartError> {
    let mut known = std::collections::HashSet::new();
    for name in names {
        if !known.insert(name) {
            return Err(StartError::RepeatedName(name.to_owned()));
        }
    }
    Ok(())
}

/// Host and port of a URL.
fn instance(name: &str, url: &Url) -> Result<String, StartError> {
    scrape::instance(url).ok_or_else(|| StartError::Address { name: name.to_owned() })
}
