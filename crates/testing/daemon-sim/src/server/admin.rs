//! `/sim/*`: routes by which tests and demos cause events. They need no key and belong to no dialect.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    fault::Fault,
    respond::{json_answer, json_ok, not_found},
    shared::Shared,
};
use crate::{
    go_format::utc_millis,
    number::milliseconds,
    world::{ChangeError, End, JobType, Provider, Submission},
};

pub(super) fn routes(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/sim/state", get(state))
        .route("/sim/fault", post(inject).delete(heal))
        .route("/sim/say", post(say))
        .route("/sim/jobs", post(submit))
        .route("/sim/jobs/{id}/{change}", post(change))
        .with_state(Arc::clone(shared))
}

async fn state(State(shared): State<Arc<Shared>>) -> Response {
    let (now_ms, counts) = shared.change(|world| (world.now_ms(), world.counts()));
    json_ok(&json!({
        "seed": shared.options.seed,
        "now": utc_millis(now_ms),
        "dialect": shared.options.dialect.name(),
        "jobs": {
            "total": counts.total, "running": counts.running, "pending": counts.pending,
            "completed": counts.completed, "failed": counts.failed, "cancelled": counts.cancelled,
        },
        "sockets": shared.sockets(),
        "faults": shared.faults.names(),
    }))
}

async fn inject(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match serde_json::from_slice::<Fault>(&body) {
        Ok(fault) if fault.seconds.is_finite() && fault.seconds >= 0.0 => {
            shared.inject(fault);
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(_) => refused(StatusCode::BAD_REQUEST, "seconds must not be negative"),
        Err(error) => refused(StatusCode::BAD_REQUEST, &format!("not a fault: {error}")),
    }
}

async fn heal(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults.clear();
    StatusCode::NO_CONTENT
}

/// Sends a message unchanged to all sockets.
async fn say(State(shared): State<Arc<Shared>>, Json(message): Json<serde_json::Value>) -> StatusCode {
    shared.send(message.to_string());
    StatusCode::NO_CONTENT
}

/// Most jobs of one request.
const MOST_JOBS: u32 = 20_000;

/// Body of `POST /sim/jobs`; missing fields get random values.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NewJob {
    name: Option<String>,
    provider: Option<String>,
    region: Option<String>,
    job_type: Option<String>,
    vm_path: Option<String>,
    bytes_total: Option<u64>,
    /// `pending` or `running`, or `completed` or `failed` for a job that ended in the past.
    status: Option<String>,
    manual: Option<bool>,
    /// Time since the end of a job in the past.
    ended_seconds_ago: Option<f64>,
    /// Duration of a job in the past.
    ran_seconds: Option<f64>,
    /// Number of such jobs, 1 by default.
    count: Option<u32>,
}

impl NewJob {
    /// The result of a job in the past, the time since its end and its duration in milliseconds; `None` for a new job.
    fn end(&self) -> Result<Option<(End, i64, i64)>, String> {
        let end = match self.status.as_deref() {
            Some("completed") => End::Completed,
            Some("failed") => End::Failed,
            _ => return Ok(None),
        };
        let millis = |seconds: Option<f64>| match seconds.unwrap_or(0.0) {
            seconds if (0.0..=1e9).contains(&seconds) => Ok(milliseconds(seconds)),
            _ => Err("ended_seconds_ago and ran_seconds must be from 0 to 1e9".to_owned()),
        };
        Ok(Some((end, millis(self.ended_seconds_ago)?, millis(self.ran_seconds)?)))
    }

    fn submission(self) -> Result<Submission, String> {
        let provider = known(self.provider, "provider", Provider::from_name)?;
        let job_type = known(self.job_type, "job_type", JobType::from_name)?;
        let running = known(self.status, "status", |status| match status {
            "running" | "completed" | "failed" => Some(true),
            "pending" => Some(false),
            _ => None,
        })?;
        Ok(Submission {
            name: self.name,
            provider,
            region: self.region,
            job_type,
            vm_path: self.vm_path,
            bytes_total: self.bytes_total,
            manual: self.manual.unwrap_or(true),
            running: running.unwrap_or(true),
            ..Submission::default()
        })
    }
}

fn known<T>(word: Option<String>, what: &str, find: impl Fn(&str) -> Option<T>) -> Result<Option<T>, String> {
    word.map(|word| find(&word).ok_or_else(|| format!("unknown {what} {word:?}"))).transpose()
}

async fn submit(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let parsed = if body.is_empty() { Ok(NewJob::default()) } else { serde_json::from_slice::<NewJob>(&body) };
    let read = |job: NewJob| Ok((job.end()?, job.count.unwrap_or(1).clamp(1, MOST_JOBS), job.submission()?));
    let (end, count, submission) = match parsed.map_err(|error| format!("not a job: {error}")).and_then(read) {
        Ok(job) => job,
        Err(message) => return refused(StatusCode::BAD_REQUEST, &message),
    };
    let submitted = shared.change(|world| {
        let mut one = || match end {
            Some((end, ago_ms, ran_ms)) => world.recall(submission.clone(), end, ago_ms, ran_ms),
            None => world.submit(submission.clone()),
        };
        for _ in 1..count {
            one()?;
        }
        one()
    });
    match submitted {
        Ok(id) => json_answer(StatusCode::CREATED, &json!({"job_id": id})),
        Err(error) => refused(StatusCode::CONFLICT, &error.to_string()),
    }
}

/// Query of `POST /sim/jobs/{id}/{change}`.
#[derive(Debug, Deserialize)]
struct Details {
    percent: Option<f64>,
    error: Option<String>,
}

async fn change(
    State(shared): State<Arc<Shared>>,
    Path((id, change)): Path<(String, String)>,
    Query(details): Query<Details>,
) -> Response {
    let changed = match (change.as_str(), details.percent) {
        ("complete", _) => shared.change(|world| world.complete(&id)),
        ("cancel", _) => shared.change(|world| world.cancel(&id)),
        ("fail", _) => {
            let reason = details.error.as_deref().unwrap_or("export failed: asked for");
            shared.change(|world| world.fail(&id, reason))
        }
        ("progress", Some(percent)) if (0.0..=100.0).contains(&percent) => {
            shared.change(|world| world.set_percent(&id, percent))
        }
        ("progress", _) => return refused(StatusCode::BAD_REQUEST, "percent from 0 to 100 is needed"),
        _ => return not_found().await,
    };
    match changed {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error @ ChangeError::NotFound(_)) => refused(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => refused(StatusCode::CONFLICT, &error.to_string()),
    }
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"error": message}))).into_response()
}
