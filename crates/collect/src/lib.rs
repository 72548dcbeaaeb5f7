//! Connections to the sources: turns the data of daemons and scrape targets into jobs, events and samples.
//!
//! One [`Upstreams`] owns a few tasks for each daemon: `socket` reads the live feed, `poller` requests what the feed
//! lacks, or everything while it is down, `daemon_scrape_loop` writes samples, and a ticker publishes delayed progress.
//! They share `daemon_connection`, where a message becomes changes of the daemon's `jobs`, events for browsers and
//! steps to count. All text of a source passes the [`Redactor`]; the typed structures in `wire` cannot hold the secrets
//! that a daemon's feed contains.
//!
//! This crate knows no browser, session or query.

mod backoff;
mod client;
mod daemon_connection;
mod daemon_scrape_loop;
mod detect;
mod liveness;
mod metadata;
mod options;
mod poller;
mod scrape;
mod scrape_loop;
mod scrape_ticker;
mod socket;
mod staleness_tracker;
mod start;
mod status;
mod tls;
mod unreported;

use std::sync::Arc;

use model::{
    job::{Job, JobDetail},
    live::Event,
    system::SystemMetrics,
    upstream::UpstreamStatus,
};
use redact::Redactor;
use timeseries::{SampleSink, SeriesSource};
use tokio::sync::broadcast;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    daemon_connection::DaemonConnection,
    start::{Builder, check_names},
    status::StatusCell,
};

pub use crate::{
    client::{ApiKey, CallError, ClientError},
    metadata::MetadataSink,
    options::{DaemonConfig, Options, ScrapeTarget},
    start::StartError,
};

/// Label `job` of a daemon's series, as in the HyperSDK documentation.
const DAEMON_JOB: &str = "hypersdk";

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
    targets: Vec<Arc<StatusCell>>,
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
        self.shared.links.iter().map(|connection| connection.job_count()).sum()
    }

    /// One job.
    #[must_use]
    pub fn job(&self, daemon: &str, id: &str) -> Option<Job> {
        self.connection(daemon)?.job(id).map(Job::as_shown)
    }

    /// Latest process state of each daemon that reported any, in the order of the configuration.
    #[must_use]
    pub fn system(&self) -> Vec<SystemMetrics> {
        self.shared.links.iter().filter_map(|connection| connection.system()).collect()
    }

    /// Status of each source: daemons, then scrape targets, in the order of the configuration.
    #[must_use]
    pub fn statuses(&self) -> Vec<UpstreamStatus> {
        let daemons = self.shared.links.iter().map(|connection| connection.status.get());
        daemons.chain(self.shared.targets.iter().map(|status| status.get())).collect()
    }

    /// Why there are no series with a canonical name, in words, if the daemons cannot report it.
    #[must_use]
    pub fn unreported(&self, series: &str) -> Option<String> {
        let links = self.shared.links.iter();
        let daemons: Vec<_> =
            links.map(|connection| (&*connection.name, connection.profile.borrow().clone())).collect();
        unreported::explain(series, &daemons)
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
        Some(poller::detail(connection, connection.job(id)?.as_shown()).await)
    }

    /// Waits until all tasks have ended, after the token given to [`Upstreams::start`] was cancelled.
    pub async fn stopped(&self) {
        self.shared.tasks.wait().await;
    }

    fn connection(&self, daemon: &str) -> Option<&DaemonConnection> {
        self.shared.links.iter().find(|connection| connection.name == daemon).map(|connection| &**connection)
    }
}

/// A daemon's response to a cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelAnswer {
    /// Whether the daemon accepted it.
    pub accepted: bool,
    /// The daemon's reason for a rejection.
    pub message: Option<String>,
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
