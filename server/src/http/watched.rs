//! Jobs and sources for handlers: they can only be read with the scope of a token.

use access::Restricted;
use axum::extract::FromRef;
use collect::{CancelAnswer, CancelError, Upstreams};
use model::{
    job::{Job, JobDetail},
    system::SystemMetrics,
    upstream::UpstreamStatus,
};

use crate::{source_list::SourceList, state::AppState};

/// Jobs and sources. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Watched {
    upstreams: Upstreams,
    sources: SourceList,
}

impl FromRef<AppState> for Watched {
    fn from_ref(state: &AppState) -> Self {
        Watched { upstreams: state.upstreams.clone(), sources: state.sources.clone() }
    }
}

impl Watched {
    /// The jobs of all daemons, latest first.
    pub(crate) fn jobs(&self) -> Restricted<Vec<Job>> {
        Restricted::new(self.upstreams.jobs())
    }

    /// The number of jobs, which reveals nothing about any of them.
    pub(crate) fn job_count(&self) -> usize {
        self.upstreams.job_count()
    }

    /// One job.
    pub(crate) fn job(&self, daemon: &str, id: &str) -> Restricted<Option<Job>> {
        Restricted::new(self.upstreams.job(daemon, id))
    }

    /// One job with its log.
    pub(crate) async fn job_detail(&self, daemon: &str, id: &str) -> Restricted<Option<JobDetail>> {
        Restricted::new(self.upstreams.job_detail(daemon, id).await)
    }

    /// Requests the cancellation of a job that the caller has seen.
    ///
    /// # Errors
    ///
    /// As [`Upstreams::cancel`].
    pub(crate) async fn cancel(&self, job: &Job) -> Result<CancelAnswer, CancelError> {
        self.upstreams.cancel(&job.daemon, &job.id).await
    }

    /// State of the daemons' processes.
    pub(crate) fn system(&self) -> Restricted<Vec<SystemMetrics>> {
        Restricted::new(self.upstreams.system())
    }

    /// Status of the daemons.
    pub(crate) fn daemons(&self) -> Restricted<Vec<UpstreamStatus>> {
        Restricted::new(self.upstreams.statuses())
    }

    /// Status of all sources.
    pub(crate) fn sources(&self) -> Restricted<Vec<UpstreamStatus>> {
        Restricted::new(self.sources.statuses())
    }
}
