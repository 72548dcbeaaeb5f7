//! `/api/jobs`: the jobs of all daemons.

use access::{Action, Principal};
use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use model::job::{Job, JobDetail, JobStatus};
use serde::{Deserialize, Serialize};

use super::{
    error::ApiError,
    extract::Parameters,
    listed::{Listed, Lists},
};
use crate::http::watched::Watched;

/// Filters of the list. A job must match all.
#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    /// Statuses, separated by commas.
    status: Option<String>,
    provider: Option<String>,
    daemon: Option<String>,
    /// Substring of the name, VM, id or error, case-insensitive.
    q: Option<String>,
    limit: Option<usize>,
}

/// The list, the newest first.
#[derive(Debug, Serialize)]
pub(super) struct JobList {
    jobs: Vec<Job>,
    /// Number of jobs that match the filter, without the limit.
    total: usize,
}

impl Filter {
    fn statuses(&self) -> Result<Option<Vec<JobStatus>>, ApiError> {
        let Some(names) = &self.status else { return Ok(None) };
        names
            .split(',')
            .map(|name| match JobStatus::from_name(name) {
                JobStatus::Unknown => Err(ApiError::bad_request(format!(
                    "status {name:?} is none: use pending, running, completed, failed, cancelling, cancelled"
                ))),
                status => Ok(status),
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn passes(&self, job: &Job) -> bool {
        let text = |needle: &str| {
            let needle = needle.to_lowercase();
            [Some(&job.name), Some(&job.vm), Some(&job.id), job.error.as_ref()]
                .into_iter()
                .flatten()
                .any(|text| text.to_lowercase().contains(&needle))
        };
        self.provider.as_ref().is_none_or(|provider| *provider == job.provider)
            && self.daemon.as_ref().is_none_or(|daemon| *daemon == job.daemon)
            && self.q.as_deref().is_none_or(text)
    }
}

/// `GET /api/jobs`
pub(super) async fn list(
    State(watched): State<Watched>,
    State(lists): State<Lists>,
    principal: Principal,
    Parameters(filter): Parameters<Filter>,
) -> Result<Response, ApiError> {
    let statuses = filter.statuses()?;
    let count = watched.job_count();
    let make = move || {
        let mut jobs = watched.jobs().visible_to(principal.scope()).into_inner();
        jobs.retain(|job| statuses.as_ref().is_none_or(|wanted| wanted.contains(&job.status)) && filter.passes(job));
        let total = jobs.len();
        jobs.truncate(filter.limit.unwrap_or(usize::MAX));
        Json(JobList { jobs, total })
    };
    Ok(lists.answer(Listed::Jobs(count), make).await?)
}

/// `GET /api/jobs/{daemon}/{id}`
pub(super) async fn detail(
    State(watched): State<Watched>,
    principal: Principal,
    Path((daemon, id)): Path<(String, String)>,
) -> Result<Json<JobDetail>, ApiError> {
    let detail = watched.job_detail(&daemon, &id).await.visible_to(principal.scope()).into_inner();
    detail.map(Json).ok_or_else(|| ApiError::not_found(format!("daemon {daemon:?} has no job {id:?}")))
}

/// A daemon's response to a request to cancel a job.
#[derive(Debug, Serialize)]
pub(crate) struct Cancelled {
    /// Whether the daemon accepted the request.
    pub(crate) cancelled: bool,
    /// The response in words, for a person.
    pub(crate) message: String,
}

/// `POST /api/jobs/{daemon}/{id}/cancel`
pub(super) async fn cancel(
    State(watched): State<Watched>,
    principal: Principal,
    Path((daemon, id)): Path<(String, String)>,
) -> Result<Json<Cancelled>, ApiError> {
    cancel_one(&watched, &principal, &daemon, &id).await.map(Json)
}

/// Asks the daemon to cancel a job.
pub(crate) async fn cancel_one(
    watched: &Watched,
    principal: &Principal,
    daemon: &str,
    id: &str,
) -> Result<Cancelled, ApiError> {
    let job = watched.job(daemon, id).visible_to(principal.scope()).into_inner();
    let job = job.ok_or_else(|| ApiError::not_found(format!("daemon {daemon:?} has no job {id:?}")))?;
    let answer = watched.cancel(&job).await;
    let object = format!("{daemon}/{id}");
    match &answer {
        Ok(answer) if answer.accepted => principal.actor().did(Action::CancelJob, &object, ""),
        Ok(_) => principal.actor().was_refused(Action::CancelJob, &object, "the daemon did not accept it"),
        Err(error) => principal.actor().was_refused(Action::CancelJob, &object, &error.to_string()),
    }
    let answer = answer.map_err(|error| ApiError::upstream(error.to_string()))?;
    let message = answer.message.unwrap_or_else(|| "The daemon accepted the cancel.".to_owned());
    Ok(Cancelled { cancelled: answer.accepted, message })
}
