//! The documented messages of the socket.

use serde_json::{Value, json};

use super::super::shared::Shared;
use crate::{
    go_format::utc_millis,
    number::{rounded, whole},
    world::{Alert, Event, Job, Status},
};

fn envelope(kind: &str, now_ms: i64, data: &Value) -> String {
    json!({"type": kind, "timestamp": utc_millis(now_ms), "data": data}).to_string()
}

/// The message for an event.
pub(in crate::server) fn event_message(event: &Event, now_ms: i64) -> String {
    match event {
        Event::Status { job, from, at_ms } => envelope("job.status", now_ms, &status_data(job, *from, *at_ms)),
        Event::Progress(job) => envelope("job.progress", now_ms, &progress_data(job)),
        Event::Alert(alert) => envelope("alert.fired", now_ms, &alert_data(alert)),
    }
}

/// One `job.progress` for each running job.
pub(in crate::server) fn progress_messages(shared: &Shared) -> Vec<String> {
    shared.change(|world| {
        let now_ms = world.now_ms();
        let running = world.active().iter().filter(|job| job.status == Status::Running);
        running.map(|job| envelope("job.progress", now_ms, &progress_data(job))).collect()
    })
}

/// `system.metrics` with the current values.
pub(in crate::server) fn system_message(shared: &Shared) -> String {
    shared.change(|world| {
        let system = world.system();
        let data = json!({
            "cpu_percent": rounded(system.cpu_percent, 2),
            "memory_bytes": whole(system.memory),
            "memory": {"heap": whole(system.heap), "stack": whole(system.stack), "sys": whole(system.sys)},
            "goroutines": system.goroutines,
            "connections": system.http_connections + system.sockets + system.pool_active,
            "websocket_clients": system.sockets,
        });
        envelope("system.metrics", world.now_ms(), &data)
    })
}

fn progress_data(job: &Job) -> Value {
    json!({
        "job_id": job.id,
        "name": job.name,
        "provider": job.provider.name(),
        "region": job.region,
        "job_type": job.job_type.name(),
        "vm_path": job.vm_path,
        "percent": rounded(job.percent(), 2),
        "bytes_transferred": job.bytes_transferred(),
        "bytes_total": job.bytes_total,
        "rate_bytes_per_second": rounded(job.rate, 0),
        "eta_seconds": job.eta_seconds().map(|eta| rounded(eta, 1)),
    })
}

fn status_data(job: &Job, from: Option<Status>, at_ms: i64) -> Value {
    json!({
        "job_id": job.id,
        "name": job.name,
        "provider": job.provider.name(),
        "region": job.region,
        "job_type": job.job_type.name(),
        "vm_path": job.vm_path,
        "from": from.map(Status::name),
        "status": job.status.name(),
        "error": job.error,
        "timestamp": utc_millis(at_ms),
    })
}

fn alert_data(alert: &Alert) -> Value {
    let labels = alert.provider.map_or_else(|| json!({}), |provider| json!({"provider": provider.name()}));
    let about = alert.provider.map(|provider| format!(" ({})", provider.name())).unwrap_or_default();
    json!({
        "name": alert.name,
        "severity": alert.severity,
        "labels": labels,
        "summary": format!("{}{about}", alert.summary),
        "description": format!("{}{about}: measured {}, threshold {}.", alert.summary, rounded(alert.value, 3), alert.threshold),
        "value": rounded(alert.value, 4),
        "threshold": alert.threshold,
        "active_at": utc_millis(alert.active_ms),
    })
}
