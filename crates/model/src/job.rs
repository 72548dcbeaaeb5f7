//! A job of a daemon, as the browser and the API see it.

use serde::{Deserialize, Serialize};

use crate::{
    from_members,
    tree::{Faults, FromTree, Tree},
};

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Accepted, not started.
    Pending,
    /// Started, not ended.
    Running,
    /// Ended well.
    Completed,
    /// Ended with an error.
    Failed,
    /// Cancelled. Not final for a daemon whose export goes on after a cancel: see [`Job::cancel_requested`].
    Cancelled,
    /// A status this version does not know.
    #[serde(other)]
    Unknown,
}

/// A word that it does not know is [`JobStatus::Unknown`].
impl FromTree for JobStatus {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        JobStatus::from_name(&String::from_tree(tree, faults))
    }
}

impl JobStatus {
    /// The word for it in messages and labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            JobStatus::Pending => "pending",
            JobStatus::Running => "running",
            JobStatus::Completed => "completed",
            JobStatus::Failed => "failed",
            JobStatus::Cancelled => "cancelled",
            JobStatus::Unknown => "unknown",
        }
    }

    /// The status with this name; [`JobStatus::Unknown`] for any other word.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "pending" => JobStatus::Pending,
            "running" => JobStatus::Running,
            "completed" => JobStatus::Completed,
            "failed" => JobStatus::Failed,
            "cancelled" => JobStatus::Cancelled,
            _ => JobStatus::Unknown,
        }
    }

    /// True once nothing more will happen to the job.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, JobStatus::Completed | JobStatus::Failed)
    }
}

/// One job. Times are milliseconds since the Unix epoch; what the daemon does not tell is `None`, never zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The daemon's id, unique within the daemon.
    pub id: String,
    /// Configured name of the daemon that runs it.
    pub daemon: String,
    /// What its submitter called it.
    pub name: String,
    /// Inventory path or name of the virtual machine.
    pub vm: String,
    /// Cloud or hypervisor it works on.
    pub provider: String,
    /// Kind of work (`export`, `migration`, ...), where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_type: Option<String>,
    /// Region or data centre, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Where it is in its life.
    pub status: JobStatus,
    /// A cancel was accepted. Until the job has ended, the daemon may still be working on it; one that ended all the same stays marked.
    #[serde(default)]
    pub cancel_requested: bool,
    /// The daemon forgot it (it restarted); kept here as history.
    #[serde(default)]
    pub historic: bool,
    /// What it is doing now, in the daemon's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Progress, 0 to 100, never falling. `None` when running without a known percentage.
    pub percent: Option<f64>,
    /// Bytes moved so far.
    pub bytes_transferred: Option<u64>,
    /// Bytes to move.
    pub bytes_total: Option<u64>,
    /// Smoothed rate.
    pub rate_bytes_per_second: Option<f64>,
    /// Smoothed estimate of the time to its end.
    pub eta_seconds: Option<f64>,
    /// When it was submitted.
    pub created_at: Option<i64>,
    /// When it started.
    pub started_at: Option<i64>,
    /// When it ended.
    pub completed_at: Option<i64>,
    /// When the daemon last touched it.
    pub updated_at: Option<i64>,
    /// Target format (`qcow2`, `ova`, ...).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Tool that does the export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_method: Option<String>,
    /// Where the result goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_dir: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

from_members!(Job {
    id,
    daemon,
    name,
    vm,
    provider,
    job_type,
    region,
    status,
    phase,
    percent,
    bytes_transferred,
    bytes_total,
    rate_bytes_per_second,
    eta_seconds,
    created_at,
    started_at,
    completed_at,
    updated_at,
    format,
    export_method,
    output_dir,
    error,
} or_default { cancel_requested, historic });

/// One line of a job's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobLogEntry {
    /// Milliseconds since the Unix epoch.
    pub timestamp: Option<i64>,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// The daemon's text.
    pub message: String,
}

from_members!(JobLogEntry { timestamp, level, message });

/// A job with what only its page shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobDetail {
    /// The job.
    pub job: Job,
    /// Log entries that the daemon has, oldest first.
    pub log: Vec<JobLogEntry>,
    /// Why there are no log entries, if asking for them failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_error: Option<String>,
}

from_members!(JobDetail { job, log, log_error });
