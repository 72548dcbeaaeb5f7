//! What one message says of one job.

use model::job::JobStatus;

/// Some facts on a job. What the message does not tell is `None` and leaves what is known as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobUpdate {
    /// Names it at its daemon.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// Path or name of the machine.
    pub vm: Option<String>,
    /// Where it works.
    pub provider: Option<String>,
    /// What kind of job it is.
    pub job_type: Option<String>,
    /// Region or data centre.
    pub region: Option<String>,
    /// How it is doing.
    pub status: Option<JobStatus>,
    /// What it does now.
    pub phase: Option<String>,
    /// 0 to 100, as the daemon says.
    pub percent: Option<f64>,
    /// So far.
    pub bytes_transferred: Option<u64>,
    /// In all.
    pub bytes_total: Option<u64>,
    /// The daemon's own figure, used until there is one of ours.
    pub rate_bytes_per_second: Option<f64>,
    /// The daemon's own figure, used until there is one of ours.
    pub eta_seconds: Option<f64>,
    /// Milliseconds since the Unix epoch.
    pub created_at: Option<i64>,
    /// Milliseconds since the Unix epoch.
    pub started_at: Option<i64>,
    /// Milliseconds since the Unix epoch.
    pub completed_at: Option<i64>,
    /// Milliseconds since the Unix epoch.
    pub updated_at: Option<i64>,
    /// Of what it writes.
    pub format: Option<String>,
    /// How it reads.
    pub export_method: Option<String>,
    /// Where it writes to.
    pub output_dir: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// When the status changed, where a message is about just that.
    pub changed_at: Option<i64>,
    /// Time from the start to now or to the end, as the daemon measured it.
    pub duration_seconds: Option<f64>,
}

impl JobUpdate {
    /// The same by a clock that is ahead of the one its times were read from by `ms`.
    pub fn shift(&mut self, ms: i64) {
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
