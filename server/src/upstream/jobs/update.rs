//! What one message says of one job.

use model::job::JobStatus;

/// Some facts on a job. What the message does not tell is `None` and leaves what is known as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::upstream) struct JobUpdate {
    pub(in crate::upstream) id: String,
    pub(in crate::upstream) name: Option<String>,
    pub(in crate::upstream) vm: Option<String>,
    pub(in crate::upstream) provider: Option<String>,
    pub(in crate::upstream) job_type: Option<String>,
    pub(in crate::upstream) region: Option<String>,
    pub(in crate::upstream) status: Option<JobStatus>,
    pub(in crate::upstream) phase: Option<String>,
    /// 0 to 100, as the daemon says.
    pub(in crate::upstream) percent: Option<f64>,
    pub(in crate::upstream) bytes_transferred: Option<u64>,
    pub(in crate::upstream) bytes_total: Option<u64>,
    /// The daemon's own figure, used until there is one of ours.
    pub(in crate::upstream) rate_bytes_per_second: Option<f64>,
    /// The daemon's own figure, used until there is one of ours.
    pub(in crate::upstream) eta_seconds: Option<f64>,
    pub(in crate::upstream) created_at: Option<i64>,
    pub(in crate::upstream) started_at: Option<i64>,
    pub(in crate::upstream) completed_at: Option<i64>,
    pub(in crate::upstream) updated_at: Option<i64>,
    pub(in crate::upstream) format: Option<String>,
    pub(in crate::upstream) export_method: Option<String>,
    pub(in crate::upstream) output_dir: Option<String>,
    pub(in crate::upstream) error: Option<String>,
    /// When the status changed, where a message is about just that.
    pub(in crate::upstream) changed_at: Option<i64>,
    /// Time from the start to now or to the end, as the daemon measured it.
    pub(in crate::upstream) duration_seconds: Option<f64>,
}

impl JobUpdate {
    /// The same by a clock that is ahead of the one its times were read from by `ms`.
    pub(in crate::upstream) fn shift(&mut self, ms: i64) {
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
