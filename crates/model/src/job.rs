//! A job of a daemon in the browser and the API.

use serde::{Deserialize, Serialize};

use crate::{
    from_members,
    tree::{Faults, FromTree, Tree},
};

/// Status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Accepted, not started.
    #[default]
    Pending,
    /// Started, not finished.
    Running,
    /// Completed successfully.
    Completed,
    /// Failed.
    Failed,
    /// A cancellation was accepted, and the job has not ended yet. Daemons do not have this status: see
    /// [`Job::as_shown`].
    Cancelling,
    /// Cancelled. If the daemon continues an export after its cancellation, this is not final: see
    /// [`Job::cancel_requested`].
    Cancelled,
    /// A status this version does not know.
    #[serde(other)]
    Unknown,
}

/// An unknown name is [`JobStatus::Unknown`].
impl FromTree for JobStatus {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        JobStatus::from_name(&String::from_tree(tree, faults))
    }
}

impl JobStatus {
    /// Name in messages and labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            JobStatus::Pending => "pending",
            JobStatus::Running => "running",
            JobStatus::Completed => "completed",
            JobStatus::Failed => "failed",
            JobStatus::Cancelling => "cancelling",
            JobStatus::Cancelled => "cancelled",
            JobStatus::Unknown => "unknown",
        }
    }

    /// The status with this name; [`JobStatus::Unknown`] for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "pending" => JobStatus::Pending,
            "running" => JobStatus::Running,
            "completed" => JobStatus::Completed,
            "failed" => JobStatus::Failed,
            "cancelling" => JobStatus::Cancelling,
            "cancelled" => JobStatus::Cancelled,
            _ => JobStatus::Unknown,
        }
    }

    /// True if the status cannot change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, JobStatus::Completed | JobStatus::Failed)
    }

    /// True while the daemon works on the job.
    #[must_use]
    pub fn is_at_work(self) -> bool {
        matches!(self, JobStatus::Running | JobStatus::Cancelling)
    }
}

/// One job. Times are milliseconds since the Unix epoch; what the daemon does not report is `None`, never zero.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Job {
    /// The daemon's id, unique within the daemon.
    pub id: String,
    /// Configured name of the daemon that runs it.
    pub daemon: String,
    /// Name given by its submitter.
    pub name: String,
    /// Inventory path or name of the virtual machine.
    pub vm: String,
    /// Cloud or hypervisor.
    pub provider: String,
    /// Type (`export`, `migration`, ...), if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_type: Option<String>,
    /// Region or data centre, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Status.
    pub status: JobStatus,
    /// Whether a cancellation was accepted. Until the job has ended, the daemon may still run it; if it completes
    /// anyway, this stays set.
    #[serde(default)]
    pub cancel_requested: bool,
    /// Whether the daemon dropped it (after a restart), and only we remember it.
    #[serde(default)]
    pub historic: bool,
    /// Current phase, as the daemon names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Progress, 0 to 100, never decreasing. `None` while it runs without a known percentage.
    pub percent: Option<f64>,
    /// Bytes transferred so far.
    pub bytes_transferred: Option<u64>,
    /// Total bytes.
    pub bytes_total: Option<u64>,
    /// Smoothed rate.
    pub rate_bytes_per_second: Option<f64>,
    /// Smoothed estimate of the remaining time.
    pub eta_seconds: Option<f64>,
    /// When it was submitted.
    pub created_at: Option<i64>,
    /// When it started.
    pub started_at: Option<i64>,
    /// When it ended.
    pub completed_at: Option<i64>,
    /// When the daemon last updated it.
    pub updated_at: Option<i64>,
    /// Target format (`qcow2`, `ova`, ...).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Tool that does the export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_method: Option<String>,
    /// Directory of the result.
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

impl Job {
    /// The job as pages, sockets and the API show it. If its cancellation was accepted and it has not ended, its status
    /// is cancelling, regardless of the daemon's, and it has no end time. If it was running when its daemon dropped it,
    /// its status is unknown.
    #[must_use]
    pub fn as_shown(mut self) -> Self {
        if self.cancel_requested && !self.historic && !self.status.is_final() {
            self.status = JobStatus::Cancelling;
            self.completed_at = None;
        } else if self.historic
            && matches!(self.status, JobStatus::Pending | JobStatus::Running | JobStatus::Cancelling)
        {
            self.status = JobStatus::Unknown;
        }
        self
    }
}

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

/// A job with the data of its page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobDetail {
    /// The job.
    pub job: Job,
    /// Log entries of the daemon, oldest first.
    pub log: Vec<JobLogEntry>,
    /// Why there are no log entries, if the request failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_error: Option<String>,
}

from_members!(JobDetail { job, log, log_error });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::JobTransition;

    fn job(status: &str, cancel_requested: bool) -> Job {
        let text = format!(
            r#"{{"id":"a","daemon":"d","name":"n","vm":"v","provider":"p","status":"{status}","cancel_requested":{cancel_requested},
                "percent":null,"bytes_transferred":null,"bytes_total":null,"rate_bytes_per_second":null,"eta_seconds":null,
                "created_at":1,"started_at":2,"completed_at":3,"updated_at":4}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_job_that_goes_on_after_its_cancel_is_cancelling_and_has_no_end() {
        for status in ["pending", "running", "cancelled"] {
            let shown = job(status, true).as_shown();
            assert_eq!((shown.status, shown.completed_at), (JobStatus::Cancelling, None), "{status}");
        }
        for (status, cancel_requested) in
            [("completed", true), ("failed", true), ("cancelled", false), ("running", false)]
        {
            let job = job(status, cancel_requested);
            assert_eq!(job.clone().as_shown(), job, "{status}");
        }
        let historic = Job { historic: true, ..job("running", true) };
        assert_eq!(historic.as_shown().status, JobStatus::Unknown, "its daemon no longer knows it");
    }

    #[test]
    fn changes_of_a_cancelled_job_are_told_as_the_job_is_shown() {
        let shown = |from, job: Job| {
            let (status, name) = (job.status, String::new());
            let (job_id, daemon) = (job.id.clone(), job.daemon.clone());
            let told = JobTransition { job_id, daemon, name, from: Some(from), status, timestamp: 3, job }.as_shown();
            assert_eq!(told.status, told.job.status);
            (told.from, told.status)
        };
        use JobStatus::{Cancelled, Cancelling, Completed, Running};
        assert_eq!(shown(Running, job("running", true)), (Some(Running), Cancelling));
        assert_eq!(shown(Running, job("cancelled", true)), (Some(Running), Cancelling));
        assert_eq!(shown(Cancelled, job("cancelled", false)), (Some(Cancelling), Cancelled));
        assert_eq!(shown(Cancelled, job("completed", true)), (Some(Cancelling), Completed));
        assert_eq!(shown(Running, job("completed", true)), (Some(Cancelling), Completed));
        assert_eq!(shown(Running, job("completed", false)), (Some(Running), Completed));
    }
}
