//! The live protocol: messages on `/ws`, with the same content in JSON (`hyperscope.v1.json`) and CBOR
//! (`hyperscope.v1.bin`).
//!
//! `docs/protocol.md` documents it for other clients. Add fields and variants; never change their meaning.

mod alert;
mod read;

use serde::{Deserialize, Serialize};

pub use alert::{ALERT_HISTORY_MS, Alert, AlertList, AlertState, AlertThreshold, AlertTransition, FiringCount};

use crate::{
    dashboard::Query,
    frame::Frame,
    job::{Job, JobStatus},
    role::Role,
    system::SystemMetrics,
    upstream::UpstreamStatus,
};

/// Subprotocol of the text format.
pub const JSON_PROTOCOL: &str = "hyperscope.v1.json";
/// Subprotocol of the binary format.
pub const BINARY_PROTOCOL: &str = "hyperscope.v1.bin";
/// Close code for a session that ended: expired or revoked.
pub const CLOSE_SESSION_ENDED: u16 = 4401;

/// What a client subscribes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "topic", rename_all = "lowercase")]
pub enum Topic {
    /// Jobs of all daemons.
    Jobs,
    /// Process metrics of all daemons.
    System,
    /// Alerts that are pending or firing.
    Alerts,
    /// State of the sources.
    Upstreams,
    /// A live PromQL query.
    Query(LiveQuery),
}

/// A query that is evaluated at each multiple of its step.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LiveQuery {
    /// PromQL.
    pub expr: String,
    /// Length of the window that ends now; ignored for an instant query.
    #[serde(default)]
    pub window_ms: i64,
    /// Interval between points, and between evaluations.
    pub step_ms: i64,
    /// Only the current value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub instant: bool,
    /// Name of the engine; the default engine if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
}

/// Evaluation interval of an instant query.
const INSTANT_STEP_MS: i64 = 2_000;

impl LiveQuery {
    /// The live query for a panel's query in a range that ends now. The page on the server and the browser create the
    /// same query, so that it is evaluated once.
    #[must_use]
    pub fn of_panel(query: &Query, window_ms: i64, step_ms: i64) -> Self {
        let (expr, engine) = (query.expr.clone(), query.engine.clone());
        if query.instant {
            LiveQuery { expr, window_ms: 0, step_ms: INSTANT_STEP_MS, instant: true, engine }
        } else {
            LiveQuery { expr, window_ms, step_ms, instant: false, engine }
        }
    }
}

/// A message from the browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientMessage {
    /// Starts a subscription. The client chooses `id`: any number that it does not use yet.
    Subscribe {
        /// ID of the subscription in all following messages.
        id: u64,
        /// What to send.
        #[serde(flatten)]
        topic: Topic,
    },
    /// Ends a subscription.
    Unsubscribe {
        /// The subscription.
        id: u64,
    },
    /// Sent first after a reconnect: following subscriptions get the updates that were missed instead of a snapshot, if
    /// the server still has them.
    Resume {
        /// From the `hello` of the lost connection.
        boot_id: String,
        /// The highest `seq` received on it.
        seq: u64,
    },
}

/// A message to the browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", try_from = "crate::tree::Tree")]
pub enum ServerMessage {
    /// The first message, and again when the dashboards have changed.
    Hello {
        /// Version of the protocol, 1.
        protocol: u32,
        /// Identifies this run of the server; if it differs after a reconnect, `seq` starts again.
        boot_id: String,
        /// Version of the server.
        version: String,
        /// Role of the session.
        role: Role,
        /// The server's time, in milliseconds since the Unix epoch; 0 from an older server.
        now_ms: i64,
        /// Which dashboards the server has, as in [`Boot`](crate::page::Boot); empty from an older server.
        #[serde(default)]
        dashboards: String,
    },
    /// The whole state of a subscription.
    Snapshot {
        /// The subscription.
        id: u64,
        /// Increases over all messages of this run of the server.
        seq: u64,
        /// By topic.
        data: SnapshotData,
    },
    /// New points of a query.
    Delta {
        /// The subscription.
        id: u64,
        /// See [`ServerMessage::Snapshot`].
        seq: u64,
        /// Only what is new.
        data: Frame,
    },
    /// An event.
    Event {
        /// The subscription.
        id: u64,
        /// See [`ServerMessage::Snapshot`].
        seq: u64,
        /// Time, in milliseconds since the Unix epoch.
        ts: i64,
        /// The event.
        #[serde(flatten)]
        event: Event,
    },
    /// The source of a subscription became stale (`fresh: false`) or fresh again.
    Status {
        /// The subscription.
        id: u64,
        /// Whether the data is fresh.
        fresh: bool,
        /// Since when, in milliseconds since the Unix epoch.
        since: i64,
        /// The reason, for people.
        reason: String,
    },
    /// A message could not be processed; the connection stays open.
    Error {
        /// The subscription it was about, if any.
        id: Option<u64>,
        /// One of `bad_request`, `bad_query`, `limit`, `forbidden`, `unavailable`.
        code: String,
        /// What is wrong and how to fix it.
        message: String,
    },
}

/// The whole state of a subscription, by topic.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SnapshotData {
    /// Topic `query`.
    Query(Frame),
    /// Topic `jobs`.
    Jobs {
        /// Latest first.
        jobs: Vec<Job>,
    },
    /// Topic `system`.
    System {
        /// One per daemon.
        system: Vec<SystemMetrics>,
    },
    /// Topic `upstreams`.
    Upstreams {
        /// In the order of the configuration.
        upstreams: Vec<UpstreamStatus>,
    },
    /// Topic `alerts`.
    Alerts(AlertList),
}

/// Events by name. The names are those of the HyperSDK documentation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", content = "data")]
pub enum Event {
    /// Progress of a job; at most once per second and job.
    #[serde(rename = "job.progress")]
    JobProgress(JobProgress),
    /// A job is new or its status changed.
    #[serde(rename = "job.status")]
    JobStatus(Box<JobTransition>),
    /// Jobs were removed.
    #[serde(rename = "job.removed")]
    JobRemoved(JobKey),
    /// Process metrics of a daemon.
    #[serde(rename = "system.metrics")]
    SystemMetrics(SystemMetrics),
    /// A source changed.
    #[serde(rename = "upstream.status")]
    UpstreamStatus(UpstreamStatus),
    /// An alert started to fire.
    #[serde(rename = "alert.fired")]
    AlertFired(Box<Alert>),
    /// An alert resolved.
    #[serde(rename = "alert.resolved")]
    AlertResolved(Box<Alert>),
}

/// Identifies a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobKey {
    /// The daemon's id.
    pub job_id: String,
    /// Configured name of the daemon.
    pub daemon: String,
}

/// Data of `job.progress`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobProgress {
    /// The daemon's id.
    pub job_id: String,
    /// Configured name of the daemon.
    pub daemon: String,
    /// Name given by its submitter.
    pub name: String,
    /// 0 to 100; `None` if unknown.
    pub percent: Option<f64>,
    /// Bytes transferred so far.
    pub bytes_transferred: Option<u64>,
    /// Total bytes.
    pub bytes_total: Option<u64>,
    /// Smoothed rate.
    pub rate_bytes_per_second: Option<f64>,
    /// Smoothed remaining time.
    pub eta_seconds: Option<f64>,
}

/// Data of `job.status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobTransition {
    /// The daemon's id.
    pub job_id: String,
    /// Configured name of the daemon.
    pub daemon: String,
    /// Name given by its submitter.
    pub name: String,
    /// The previous status; `None` for a new job.
    pub from: Option<JobStatus>,
    /// The status now.
    pub status: JobStatus,
    /// When it changed, in milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// The job after the change.
    pub job: Job,
}

impl JobTransition {
    /// The change as it is displayed: see [`Job::as_shown`].
    #[must_use]
    pub fn as_shown(mut self) -> Self {
        let has_overtaken = self.job.cancel_requested && self.status.is_final();
        // A job that the daemon calls cancelled only changes again if it had not ended.
        let was_cancelling = |from: JobStatus| from == JobStatus::Cancelled || has_overtaken && !from.is_final();
        self.from = self.from.map(|from| if was_cancelling(from) { JobStatus::Cancelling } else { from });
        self.job = self.job.as_shown();
        self.status = self.job.status;
        self
    }
}
