//! The documented job routes: the coded ones with more fields per job, and without their flaws.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{
    coded::{JobIds, parse_submission, vcenter},
    respond::{json_ok, put},
    shared::Shared,
};
use crate::{
    go_format::utc_millis,
    number::{rounded, seconds},
    world::{Job, Status, World},
};

/// The filter; `job_ids` has precedence over `all`, and `all` over `status` and `limit`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    job_ids: Vec<String>,
    status: Vec<String>,
    all: bool,
    limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WantedByAddress {
    all: Option<String>,
    status: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn query_by_address(
    State(shared): State<Arc<Shared>>,
    Query(wanted): Query<WantedByAddress>,
) -> Response {
    query(
        &shared,
        &Wanted {
            job_ids: Vec::new(),
            status: wanted.status.iter().flat_map(|status| status.split(',')).map(str::to_owned).collect(),
            all: wanted.all.as_deref() == Some("true"),
            limit: wanted.limit,
        },
    )
}

pub(super) async fn query_by_body(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match serde_json::from_slice::<Wanted>(&body) {
        Ok(wanted) => query(&shared, &wanted),
        Err(error) => shared.error(StatusCode::BAD_REQUEST, &format!("invalid request: {error}")),
    }
}

fn query(shared: &Shared, wanted: &Wanted) -> Response {
    shared.change(|world| {
        let selected = |job: &&Job| {
            if !wanted.job_ids.is_empty() {
                wanted.job_ids.contains(&job.id)
            } else {
                wanted.all || wanted.status.is_empty() || wanted.status.iter().any(|status| status == job.status.name())
            }
        };
        let mut jobs: Vec<&Job> = world.jobs().filter(selected).collect();
        jobs.sort_by(|a, b| b.created_ms.cmp(&a.created_ms).then_with(|| a.id.cmp(&b.id)));
        if wanted.job_ids.is_empty() && !wanted.all {
            jobs.truncate(wanted.limit.unwrap_or(usize::MAX));
        }
        let jobs: Vec<Value> = jobs.into_iter().map(job_json).collect();
        json_ok(&json!({"total": jobs.len(), "jobs": jobs, "timestamp": utc_millis(world.now_ms())}))
    })
}

pub(super) async fn job(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    about(&shared, &id, |_, job| job_json(job))
}

pub(super) async fn progress(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    about(&shared, &id, |world, job| {
        let mut body = json!({
            "job_id": job.id,
            "status": job.status.name(),
            "elapsed_seconds": job.duration_seconds(world.now_ms()),
            "timestamp": utc_millis(world.now_ms()),
        });
        let progress = job.phase().map(|phase| progress_json(job, phase));
        put(&mut body, "progress", progress);
        put(&mut body, "error", job.error.as_ref().map(|error| json!(error)));
        body
    })
}

pub(super) async fn logs(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    about(&shared, &id, |world, job| {
        let mut logs =
            vec![json!({"timestamp": utc_millis(job.created_ms), "level": "info", "message": "Job created"})];
        if let Some(started) = job.started_ms {
            logs.push(json!({"timestamp": utc_millis(started), "level": "info", "message": "Job started"}));
            logs.push(json!({
                "timestamp": utc_millis(job.updated_ms), "level": "info", "message": "Progress update",
                "details": {"percent_complete": rounded(job.percent(), 2), "bytes_transferred": job.bytes_transferred()},
            }));
        }
        if let Some(completed) = job.completed_ms {
            let (level, message) = match job.status {
                Status::Failed => ("error", "Job failed"),
                Status::Cancelled => ("warn", "Job cancelled"),
                _ => ("info", "Job completed successfully"),
            };
            let mut entry = json!({"timestamp": utc_millis(completed), "level": level, "message": message});
            put(&mut entry, "error", job.error.as_ref().map(|error| json!(error)));
            logs.push(entry);
        }
        json!({"job_id": job.id, "log_count": logs.len(), "logs": logs, "timestamp": utc_millis(world.now_ms())})
    })
}

pub(super) async fn eta(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    about(&shared, &id, |world, job| {
        let eta = match (job.status, job.started_ms) {
            (Status::Pending, _) | (_, None) => json!({"message": "Job not started yet", "status": job.status.name()}),
            (Status::Running, Some(started)) => json!({
                "percent_complete": rounded(job.percent(), 2),
                "elapsed_seconds": seconds(world.now_ms() - started),
                "time_remaining_seconds": job.eta_seconds().map(|eta| rounded(eta, 1)),
                "bytes_remaining": job.bytes_total.saturating_sub(job.bytes_transferred()),
                "transfer_rate_mbps": rounded(job.rate / 1_048_576.0, 2),
            }),
            (status, _) => json!({"message": format!("Job already {}", status.name())}),
        };
        json!({"job_id": job.id, "status": job.status.name(), "eta": eta, "timestamp": utc_millis(world.now_ms())})
    })
}

pub(super) async fn cancel(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let ids = match serde_json::from_slice::<JobIds>(&body) {
        Ok(ids) => ids.job_ids,
        Err(error) => return shared.error(StatusCode::BAD_REQUEST, &format!("invalid request: {error}")),
    };
    let (mut body, now_ms) = shared.change(|world| (super::super::coded::cancel_all(world, &ids), world.now_ms()));
    body.insert("timestamp".to_owned(), json!(utc_millis(now_ms)));
    json_ok(&body)
}

pub(super) async fn submit(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let submissions = match parse_submission(&headers, &body) {
        Ok(submissions) => submissions,
        Err(message) => return shared.error(StatusCode::BAD_REQUEST, &message),
    };
    let (mut body, now_ms) =
        shared.change(|world| (super::super::coded::submit_all(world, submissions), world.now_ms()));
    body.insert("timestamp".to_owned(), json!(utc_millis(now_ms)));
    json_ok(&body)
}

/// The answer about one job, or that there is none.
fn about(shared: &Shared, id: &str, describe: impl FnOnce(&World, &Job) -> Value) -> Response {
    let body = shared.change(|world| world.job(id).map(|job| describe(world, job)));
    match body {
        Some(body) => json_ok(&body),
        None => shared.error(StatusCode::NOT_FOUND, &format!("job not found: {id}")),
    }
}

fn job_json(job: &Job) -> Value {
    let mut definition = json!({
        "id": job.id,
        "name": job.name,
        "vm_path": job.vm_path,
        "provider": job.provider.name(),
        "region": job.region,
        "job_type": job.job_type.name(),
        "output_dir": job.output_dir,
        "format": job.format,
        "export_method": job.method.name(),
        "compress": job.compress,
        "created_at": utc_millis(job.created_ms),
    });
    put(&mut definition, "vcenter", job.vcenter.as_ref().map(vcenter));
    let mut body = json!({
        "definition": definition,
        "provider": job.provider.name(),
        "region": job.region,
        "job_type": job.job_type.name(),
        "status": job.status.name(),
        "updated_at": utc_millis(job.updated_ms),
    });
    let progress = job.phase().map(|phase| progress_json(job, phase));
    put(&mut body, "progress", progress);
    put(&mut body, "error", job.error.as_ref().map(|error| json!(error)));
    put(&mut body, "started_at", job.started_ms.map(|ms| json!(utc_millis(ms))));
    put(&mut body, "completed_at", job.completed_ms.map(|ms| json!(utc_millis(ms))));
    body
}

fn progress_json(job: &Job, phase: &str) -> Value {
    let files = 2 + job.bytes_total / 250_000_000_000;
    let done = if job.bytes_total == 0 {
        0
    } else {
        files * (job.bytes_transferred() / 1_000_000) / (job.bytes_total / 1_000_000).max(1)
    };
    json!({
        "phase": phase,
        "percent_complete": rounded(job.percent(), 2),
        "current_step": if phase == "connecting" { "Connecting".to_owned() } else { format!("Disk {} of {files}", (done + 1).min(files)) },
        "bytes_transferred": job.bytes_transferred(),
        "bytes_downloaded": job.bytes_transferred(),
        "total_bytes": job.bytes_total,
        "rate_bytes_per_second": rounded(job.rate, 0),
        "eta_seconds": job.eta_seconds().map(|eta| rounded(eta, 1)),
        "files_downloaded": done.min(files),
        "total_files": files,
        "export_method": job.method.name(),
    })
}
