//! Jobs in the JSON of the coded daemon, and the routes that read them.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::{StatusCode, Uri},
    response::Response,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    super::{
        respond::{body_error, json_ok, no_answer, put},
        shared::Shared,
    },
    vcenter,
};
use crate::{
    dice::Dice,
    go_format::{GoTime, go_duration, salt},
    number::{rounded, seconds},
    world::{Job, Method, Status, World},
};

/// A body, or the reason why it could not be read.
pub(super) type Body = Result<Bytes, BytesRejection>;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    job_ids: Option<Vec<String>>,
    #[serde(default)]
    status: Option<Vec<String>>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    limit: usize,
}

pub(super) async fn no_id(State(shared): State<Arc<Shared>>) -> Response {
    shared.error(StatusCode::BAD_REQUEST, "job ID required")
}

/// The coded daemon ignores everything in the query except `all=true`, and without it returns all jobs too.
pub(super) async fn query_by_address(State(shared): State<Arc<Shared>>, _uri: Uri) -> Response {
    query(&shared, &Wanted { job_ids: None, status: None, all: true, limit: 0 })
}

pub(super) async fn query_by_body(State(shared): State<Arc<Shared>>, body: Body) -> Response {
    match read_request::<Wanted>(body) {
        Ok(wanted) => query(&shared, &wanted),
        Err(message) => shared.error(StatusCode::BAD_REQUEST, &message),
    }
}

/// Parses the JSON body of a request.
pub(super) fn read_request<T: DeserializeOwned>(body: Body) -> Result<T, String> {
    let body = body.map_err(|rejection| format!("invalid request: {}", body_error(&rejection)))?;
    serde_json::from_slice(&body).map_err(|error| format!("invalid request: {error}"))
}

fn query(shared: &Shared, wanted: &Wanted) -> Response {
    let time = shared.time;
    shared.change(|world| {
        let ids = wanted.job_ids.as_deref().unwrap_or_default();
        let statuses = wanted.status.as_deref().unwrap_or_default();
        let mut jobs: Vec<&Job> = if !ids.is_empty() {
            ids.iter().filter_map(|id| world.job(id)).collect()
        } else if wanted.all {
            world.jobs().collect()
        } else {
            let named = |job: &&Job| statuses.is_empty() || statuses.iter().any(|status| status == job.status.name());
            world.jobs().filter(named).collect()
        };
        // A Go map has no order.
        Dice::new(rand::random()).shuffle(&mut jobs);
        if ids.is_empty() && !wanted.all && wanted.limit > 0 {
            jobs.truncate(wanted.limit);
        }
        let total = jobs.len();
        let jobs =
            if jobs.is_empty() { Value::Null } else { jobs.into_iter().map(|job| job_json(time, job)).collect() };
        json_ok(&json!({"jobs": jobs, "total": total, "timestamp": time.nanos(world.now_ms(), salt("query"))}))
    })
}

pub(super) async fn job(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let time = shared.time;
    about(&shared, &id, |_, job| Some(job_json(time, job)))
}

pub(super) async fn progress(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let time = shared.time;
    about(&shared, &id, |world, job| {
        let mut body = json!({
            "job_id": job.id,
            "status": job.status.name(),
            "timestamp": time.nanos(world.now_ms(), salt("progress")),
        });
        if let (Some(started), Some(phase)) = (job.started_ms, shown_phase(job)) {
            put(
                &mut body,
                "progress",
                Some(json!({
                    "phase": phase,
                    "current_step": shown_step(job).unwrap_or_default(),
                    "current_file": "",
                    "files_downloaded": 0,
                    "total_files": 0,
                    "bytes_downloaded": 0,
                    "total_bytes": 0,
                    "percent_complete": shown_percent(job),
                    "estimated_remaining": "",
                    "export_method": job.method.name(),
                })),
            );
            put(&mut body, "started_at", Some(json!(time.nanos(started, salt(&job.id)))));
            // Continues to grow after the end, as in the original.
            put(&mut body, "elapsed_seconds", Some(json!(seconds(world.now_ms() - started))));
            if job.status == Status::Running {
                put(&mut body, "transfer_rate_mbps", Some(json!(0)));
            }
        }
        if let Some(completed) = job.completed_ms {
            put(&mut body, "completed_at", Some(json!(time.nanos(completed, salt(&job.id)))));
        }
        if let Some(error) = &job.error {
            put(&mut body, "error", Some(json!(error)));
        }
        Some(body)
    })
}

pub(super) async fn logs(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let time = shared.time;
    about(&shared, &id, |world, job| {
        let stamp = |ms| time.nanos(ms, salt(&job.id));
        let mut logs = vec![json!({"timestamp": stamp(job.created_ms), "level": "info", "message": "Job created",
            "details": {"name": job.name, "vm_path": job.vm_path}})];
        if let Some(started) = job.started_ms {
            logs.push(json!({"timestamp": stamp(started), "level": "info", "message": "Job started"}));
        }
        if let (Status::Running, Some(phase)) = (job.status, shown_phase(job)) {
            logs.push(json!({"timestamp": stamp(job.updated_ms), "level": "info", "message": "Progress update",
                "details": {"phase": phase, "percent_complete": shown_percent(job), "current_step": shown_step(job)}}));
        }
        if let Some(completed) = job.completed_ms {
            logs.push(match job.status {
                Status::Failed => json!({"timestamp": stamp(completed), "level": "error", "message": "Job failed", "error": job.error}),
                Status::Cancelled => json!({"timestamp": stamp(completed), "level": "warn", "message": "Job cancelled"}),
                _ => json!({"timestamp": stamp(completed), "level": "info", "message": "Job completed successfully"}),
            });
        }
        Some(json!({"job_id": job.id, "log_count": logs.len(), "logs": logs, "timestamp": stamp(world.now_ms())}))
    })
}

/// The original divides by zero as soon as there is a percentage: the connection is closed without an answer.
pub(super) async fn eta(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let time = shared.time;
    about(&shared, &id, |world, job| {
        let percent = shown_percent(job);
        let since = |start: i64, end: i64| go_duration((end - start).unsigned_abs() * 1_000_000);
        let eta = match (job.status, job.started_ms) {
            (Status::Running, Some(_)) if percent > 0.0 && percent < 100.0 => return None,
            (Status::Running, Some(started)) => {
                json!({"message": "Calculating ETA...", "elapsed": since(started, world.now_ms())})
            }
            (Status::Pending | Status::Running, _) | (_, None) => {
                json!({"message": "Job not started yet", "status": job.status.name()})
            }
            (status, Some(started)) => json!({
                "message": format!("Job already {}", status.name()),
                "total_duration": since(started, job.completed_ms.unwrap_or(started)),
            }),
        };
        Some(
            json!({"job_id": job.id, "status": job.status.name(), "eta": eta, "timestamp": time.nanos(world.now_ms(), 7)}),
        )
    })
}

/// The answer about one job: what `describe` returns, that there is no such job, or no answer at all.
fn about(shared: &Shared, id: &str, describe: impl FnOnce(&World, &Job) -> Option<Value>) -> Response {
    match shared.change(|world| world.job(id).map(|job| describe(world, job))) {
        Some(Some(body)) => json_ok(&body),
        Some(None) => no_answer(),
        None => shared.error(StatusCode::NOT_FOUND, &format!("job not found: {id}")),
    }
}

/// A whole job.
pub(super) fn job_json(time: GoTime, job: &Job) -> Value {
    let stamp = |ms| time.nanos(ms, salt(&job.id));
    let mut body = json!({
        "definition": definition(time, job),
        "status": job.status.name(),
        "updated_at": stamp(job.updated_ms),
    });
    if let Some(progress) = progress_json(job) {
        put(&mut body, "progress", Some(progress));
    }
    if let Some(started) = job.started_ms {
        put(&mut body, "started_at", Some(json!(stamp(started))));
    }
    if let Some(completed) = job.completed_ms {
        put(&mut body, "completed_at", Some(json!(stamp(completed))));
    }
    match job.status {
        Status::Failed => put(&mut body, "error", Some(json!(job.error))),
        Status::Completed => {
            put(
                &mut body,
                "result",
                Some(json!({
                    "vm_name": "", "output_dir": "", "ovf_path": "", "files": null, "total_size": 0, "duration": 0,
                    "success": true, "export_method": job.method.name(),
                })),
            );
        }
        Status::Pending | Status::Running | Status::Cancelled => {}
    }
    body
}

/// The submitted definition, including the password.
pub(super) fn definition(time: GoTime, job: &Job) -> Value {
    let mut definition = json!({
        "id": job.id,
        "name": job.name,
        "vm_path": job.vm_path,
        "created_at": time.nanos(job.created_ms, salt(&job.id)),
        "format": job.format,
    });
    if !job.output_dir.is_empty() {
        put(&mut definition, "output_dir", Some(json!(job.output_dir)));
    }
    if job.compress {
        put(&mut definition, "compress", Some(json!(true)));
    }
    if let Some(access) = &job.vcenter {
        put(&mut definition, "vcenter", Some(vcenter(access)));
    }
    definition
}

/// Progress as the code sets it: no bytes, and a percentage only for two of the four tools.
pub(super) fn progress_json(job: &Job) -> Option<Value> {
    let mut progress = json!({
        "phase": shown_phase(job)?,
        "files_downloaded": 0,
        "total_files": 0,
        "bytes_downloaded": 0,
        "bytes_transferred": 0,
        "total_bytes": 0,
        "percent_complete": shown_percent(job),
        "export_method": job.method.name(),
    });
    if let Some(step) = shown_step(job) {
        put(&mut progress, "current_step", Some(json!(step)));
    }
    Some(progress)
}

/// `web` never leaves the phase `connecting`.
fn shown_phase(job: &Job) -> Option<&'static str> {
    let phase = job.phase()?;
    Some(if job.method == Method::Web { "connecting" } else { phase })
}

/// The percentage of the last line that the tool printed.
pub(super) fn shown_percent(job: &Job) -> f64 {
    let printed = rounded(job.percent(), 1);
    match job.method {
        // The code does not set 100 at the end: the percentage stays at that of the last line.
        Method::Ctl if job.status == Status::Completed => {
            if salt(&job.id).is_multiple_of(3) {
                100.0
            } else {
                98.7
            }
        }
        Method::Ctl => printed,
        Method::Ovftool if resets(job) || job.status == Status::Completed => 0.0,
        Method::Ovftool => printed.floor(),
        Method::Govc | Method::Web => 0.0,
    }
}

fn shown_step(job: &Job) -> Option<String> {
    let percent = rounded(job.percent(), 1);
    match (job.phase()?, job.method) {
        ("connecting", _) | (_, Method::Web) => None,
        (_, Method::Ctl) => Some(format!("Progress: {percent}%")),
        (_, Method::Ovftool) if resets(job) => Some("Transfer Completed <disk-0>".to_owned()),
        (_, Method::Ovftool) => Some(format!("Progress: {}%", percent.floor())),
        (_, Method::Govc) => Some(format!("Downloading {}-disk-0.vmdk", job.name)),
    }
}

/// Whether the last line of `ovftool` reset the percentage.
fn resets(job: &Job) -> bool {
    (job.updated_ms / 1000 + i64::try_from(salt(&job.id) % 11).unwrap_or(0)) % 11 == 0
}
