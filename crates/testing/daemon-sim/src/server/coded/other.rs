//! Routes other than jobs: login, schedules, webhooks, libvirt, vSphere, workflows. Only as much of each as a client
//! that probes them needs.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{
    Dialect,
    auth::{SESSION_TIME, bearer},
    respond::{json_ok, text_error},
    shared::Shared,
};
use crate::go_format::salt;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/login", post(login))
        .route("/api/logout", post(logout))
        .route("/api/workflow/status", get(workflow_status))
        .route("/api/workflow/jobs", get(workflow_jobs))
        .route("/api/workflow/jobs/active", get(workflow_jobs))
        .route("/schedules", get(schedules))
        .route("/schedules/stats", get(schedule_stats))
        .route("/schedules/{id}", get(schedule))
        .route("/webhooks", get(webhooks).post(webhooks))
        .route("/libvirt/stats", get(libvirt_stats))
        .route("/libvirt/stats/all", get(libvirt_all))
        .route("/vsphere/metrics", get(vsphere))
        .route("/vsphere/events", get(vsphere))
        .route("/vsphere/tasks", get(vsphere))
        .route("/vms/list", get(vsphere))
}

#[derive(Debug, Deserialize)]
struct Login {
    #[serde(default)]
    username: String,
}

/// The password is not checked; the user `nobody-such` is unknown to the system.
async fn login(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let Ok(login) = serde_json::from_slice::<Login>(&body) else {
        return text_error(StatusCode::BAD_REQUEST, "invalid request body");
    };
    if login.username.is_empty() || login.username == "nobody-such" {
        return text_error(StatusCode::UNAUTHORIZED, "invalid username or password");
    }
    let now_ms = shared.change(|world| world.now_ms());
    let lifetime_ms = i64::try_from(SESSION_TIME.as_millis()).unwrap_or(0);
    json_ok(&json!({
        "token": shared.sessions.open(),
        "username": login.username,
        "expires_at": shared.time.nanos(now_ms + lifetime_ms, salt(&login.username)),
    }))
}

async fn logout(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let Some(token) = bearer(&headers) else { return text_error(StatusCode::UNAUTHORIZED, "unauthorized") };
    shared.sessions.close(token);
    // JSON with a text content type, as in the original.
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "{\"message\":\"logged out successfully\"}").into_response()
}

async fn workflow_status() -> Response {
    json_ok(&json!({
        "mode": "disk", "running": false, "queue_depth": 0, "active_jobs": 0, "processed_today": 0, "failed_today": 0,
        "max_workers": 3, "uptime_seconds": 0,
    }))
}

async fn workflow_jobs() -> Response {
    json_ok(&json!({"jobs": null, "total": 0}))
}

async fn schedules(State(shared): State<Arc<Shared>>) -> Response {
    json_ok(&json!({"schedules": [], "total": 0, "timestamp": now(&shared)}))
}

async fn schedule_stats() -> Response {
    json_ok(&json!({"total_schedules": 0, "enabled_schedules": 0, "total_runs": 0}))
}

async fn schedule(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    shared.error(StatusCode::NOT_FOUND, &format!("schedule not found: {id}"))
}

async fn webhooks(State(shared): State<Arc<Shared>>) -> Response {
    match shared.options.dialect {
        Dialect::Custom => json_ok(&json!({"webhooks": [], "total": 0, "timestamp": now(&shared)})),
        Dialect::Stock | Dialect::Documented => shared.error(StatusCode::SERVICE_UNAVAILABLE, "webhooks not enabled"),
    }
}

#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
}

/// As without libvirt: 200, with no values and null lists.
async fn libvirt_stats(State(shared): State<Arc<Shared>>, Query(named): Query<Named>) -> Response {
    if named.name.is_empty() {
        return text_error(StatusCode::BAD_REQUEST, "missing domain name");
    }
    json_ok(&json!({
        "name": named.name,
        "state": "",
        "cpu": {"vcpus": 0, "cpu_time_ns": 0, "user_time_ns": 0, "system_time_ns": 0, "usage_percent": 0},
        "memory": {"total_kb": 0, "used_kb": 0, "available_kb": 0, "usage_percent": 0, "swap_in_kb": 0, "swap_out_kb": 0},
        "disks": null,
        "networks": null,
        "timestamp": now(&shared),
    }))
}

async fn libvirt_all(State(shared): State<Arc<Shared>>) -> Response {
    json_ok(&json!({"domains": null, "total": 0, "timestamp": now(&shared)}))
}

/// As without access to a vCenter.
async fn vsphere(State(shared): State<Arc<Shared>>) -> Response {
    shared.error(StatusCode::INTERNAL_SERVER_ERROR, "failed to connect to vSphere: no server configured")
}

fn now(shared: &Shared) -> Value {
    json!(shared.time.nanos(shared.change(|world| world.now_ms()), salt("now")))
}
