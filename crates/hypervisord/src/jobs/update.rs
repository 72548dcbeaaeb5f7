//! One message's information about one job.

use model::job::JobStatus;

/// Information about a job. `None` means that the message does not have it; the known value stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct JobUpdate {
    /// ID at the daemon.
    pub id: String,
    /// Display name.
    pub name: Option<String>,
    /// Path or name of the virtual machine.
    pub vm: Option<String>,
    /// Provider.
    pub provider: Option<String>,
    /// Type of the job.
    pub job_type: Option<String>,
    /// Region or data centre.
    pub region: Option<String>,
    /// Status.
    pub status: Option<JobStatus>,
    /// Current phase.
    pub phase: Option<String>,
    /// 0 to 100, as the daemon reports it.
    pub percent: Option<f64>,
    /// Bytes transferred so far.
    pub bytes_transferred: Option<u64>,
    /// Total bytes.
    pub bytes_total: Option<u64>,
    /// The daemon's own value, used until we have ours.
    pub rate_bytes_per_second: Option<f64>,
    /// The daemon's own value, used until we have ours.
    pub eta_seconds: Option<f64>,
    /// Milliseconds since the Unix epoch.
    pub created_at: Option<i64>,
    /// Milliseconds since the Unix epoch.
    pub started_at: Option<i64>,
    /// Milliseconds since the Unix epoch.
    pub completed_at: Option<i64>,
    /// Milliseconds since the Unix epoch.
    pub updated_at: Option<i64>,
    /// Output format.
    pub format: Option<String>,
    /// Export method.
    pub export_method: Option<String>,
    /// Output directory.
    pub output_dir: Option<String>,
    /// Error of a failed job.
    pub error: Option<String>,
    /// When the status changed, if the message is about that change.
    pub changed_at: Option<i64>,
    /// Time from the start until now or until the end, as measured by the daemon.
    pub duration_seconds: Option<f64>,
}

impl JobUpdate {
    /// Shifts all times by `ms`, from the daemon's clock to ours.
    pub(crate) fn shift(&mut self, ms: i64) {
        let times = [
            &mut self.created_at,
            &mut self.started_at,
            &mut self.completed_at,
            &mut self.updated_at,
            &mut self.changed_at,
        ];
        for time in times.into_iter().flatten() {
            *time = time.saturating_add(ms);
        }
    }
}
