//! The messages on the coded daemon's socket: `status` and `jobs` once, `metrics` each second.

use serde_json::{Value, json};

use super::{
    super::{respond::put, shared::Shared},
    jobs::{definition, progress_json, shown_percent},
};
use crate::{
    dice::Dice,
    go_format::{GoTime, go_json, salt},
    number::{rounded, seconds, whole},
    world::{Job, Status, World},
};

fn envelope(time: GoTime, kind: &str, now_ms: i64, data: &Value) -> String {
    go_json(&json!({"type": kind, "timestamp": time.nanos(now_ms, salt(kind) ^ now_ms.unsigned_abs()), "data": data}))
}

/// `status` and `jobs`.
pub(in crate::server) fn first_messages(shared: &Shared) -> Vec<String> {
    let time = shared.time;
    shared.change(|world| {
        let counts = world.counts();
        let status = json!({
            "total_jobs": counts.total,
            "running_jobs": counts.running,
            "completed_jobs": counts.completed,
            "failed_jobs": counts.failed,
        });
        let jobs: Vec<Value> = shuffled(world)
            .into_iter()
            .map(|job| {
                json!({
                    "definition": definition(time, job),
                    "status": job.status.name(),
                    "progress": progress_json(job),
                    "error": job.error.as_deref().unwrap_or_default(),
                })
            })
            .collect();
        let jobs = if jobs.is_empty() { Value::Null } else { Value::Array(jobs) };
        let now_ms = world.now_ms();
        vec![envelope(time, "status", now_ms, &status), envelope(time, "jobs", now_ms, &json!({"jobs": jobs}))]
    })
}

/// `metrics`: the counters, a few constants, and every job.
pub(in crate::server) fn metrics_message(shared: &Shared) -> String {
    let time = shared.time;
    shared.change(|world| {
        let now_ms = world.now_ms();
        let counts = world.counts();
        let traffic = world.traffic();
        let system = world.system();
        let recent: Vec<Value> = shuffled(world).into_iter().map(|job| recent_job(time, job, now_ms)).collect();
        let average = if traffic.requests == 0 { 0.0 } else { traffic.seconds * 1000.0 / traffic.requests as f64 };
        let raw = json!({
            "timestamp": time.seconds(now_ms),
            "jobs_active": counts.running,
            "jobs_completed": counts.completed,
            "jobs_failed": counts.failed,
            "jobs_pending": counts.pending,
            "jobs_cancelled": counts.cancelled,
            "queue_length": counts.total,
            "http_requests": traffic.requests,
            "http_errors": traffic.errors,
            "avg_response_time": average,
            "memory_usage": whole(system.heap),
            "cpu_usage": 0,
            "goroutines": system.goroutines,
            "active_connections": system.sockets,
            "websocket_clients": system.sockets,
            "provider_stats": {},
            "system_health": "healthy",
            "alerts": [],
            "uptime_seconds": seconds(world.uptime_ms()),
            "recent_jobs": recent,
        });
        envelope(time, "metrics", now_ms, &json!({"raw": raw}))
    })
}

/// A Go map has no order: every message lists the jobs in another order.
fn shuffled(world: &World) -> Vec<&Job> {
    let mut jobs: Vec<&Job> = world.jobs().collect();
    Dice::new(rand::random()).shuffle(&mut jobs);
    jobs
}

fn recent_job(time: GoTime, job: &Job, now_ms: i64) -> Value {
    let mut body = json!({
        "id": job.id,
        "name": job.name,
        "status": job.status.name(),
        "progress": whole(shown_percent(job)),
        "start_time": time.seconds(job.started_ms.unwrap_or(job.created_ms)),
        "duration_seconds": if job.status == Status::Pending { 0.0 } else { rounded(job.duration_seconds(now_ms), 3) },
        "provider": "vsphere",
        "vm_name": job.vm_path,
        "vm_path": job.vm_path,
        "output_dir": job.output_dir,
        "format": job.format,
        "compress": job.compress,
        "created_at": time.seconds(job.created_ms),
        "updated_at": time.seconds(job.updated_ms),
    });
    if let Some(completed) = job.completed_ms {
        put(&mut body, "end_time", Some(json!(time.seconds(completed))));
    }
    if let Some(error) = &job.error {
        put(&mut body, "error_msg", Some(json!(error)));
    }
    body
}
