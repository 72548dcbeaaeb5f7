//! The daemon as its code behaves: the `stock` binary, and `custom` with metrics and authentication.
//!
//! It deliberately reproduces the flaws of the original: null lists, unordered jobs, constants that look like
//! measurements, a route that closes the connection. Do not fix any of them, because tests need them.

mod feed;
mod jobs;
mod metrics;
mod other;
mod submit;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde_json::{Value, json};

use super::{
    Dialect, auth,
    respond::{BODY_LIMIT, json_ok, method_not_allowed, misbehave, not_found, text_error},
    shared::Shared,
    socket,
};
use crate::{
    go_format::{go_duration, salt},
    world::Vcenter,
};

pub(super) use feed::{first_messages, metrics_message};
pub(super) use submit::{JobIds, cancel_all, parse_submission, submit_all};

/// The version that the code reports.
const VERSION: &str = "0.0.1";

/// All routes.
pub(super) fn routes(shared: &Arc<Shared>) -> Router {
    let custom = shared.options.dialect == Dialect::Custom;
    let mut routes = Router::new()
        .route("/", get(|| async { redirect(StatusCode::FOUND, "/web/dashboard/") }))
        .route("/health", get(health))
        .route("/status", get(status))
        .route("/capabilities", get(list_capabilities))
        .route("/jobs", any(|| async { redirect(StatusCode::MOVED_PERMANENTLY, "/jobs/") }))
        .route("/jobs/", get(jobs::no_id))
        .route("/jobs/submit", post(submit::submit))
        .route("/jobs/query", get(jobs::query_by_address).post(jobs::query_by_body))
        .route("/jobs/cancel", post(submit::cancel))
        .route("/jobs/progress/", get(jobs::no_id))
        .route("/jobs/progress/{*id}", get(jobs::progress))
        .route("/jobs/logs/", get(jobs::no_id))
        .route("/jobs/logs/{*id}", get(jobs::logs))
        .route("/jobs/eta/", get(jobs::no_id))
        .route("/jobs/eta/{*id}", get(jobs::eta))
        .route("/jobs/{*id}", get(jobs::job))
        .merge(other::routes())
        .route("/ws", any(open_socket))
        // Three routes that the middleware's bypass passes to the same socket.
        .route("/vsphere/metrics/stream", any(open_socket))
        .route("/vsphere/events/stream", any(open_socket))
        .route("/vsphere/tasks/stream", any(open_socket));
    if custom {
        routes = routes.route("/metrics", get(metrics::answer));
    }
    let mut routes = routes
        .route_layer(from_fn(refuse_head))
        .method_not_allowed_fallback(|| async { method_not_allowed() })
        .fallback(not_found);
    routes = routes.layer(DefaultBodyLimit::max(BODY_LIMIT));
    if custom {
        routes = routes.layer(from_fn_with_state(Arc::clone(shared), auth::coded));
    }
    routes.layer(from_fn_with_state(Arc::clone(shared), misbehave)).with_state(Arc::clone(shared))
}

/// The daemon does not accept `HEAD` for `GET` routes.
async fn refuse_head(request: Request, next: Next) -> Response {
    if request.method() == Method::HEAD { method_not_allowed() } else { next.run(request).await }
}

fn redirect(status: StatusCode, to: &'static str) -> Response {
    (status, [(header::LOCATION, HeaderValue::from_static(to))]).into_response()
}

async fn open_socket(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if shared.options.dialect == Dialect::Custom {
        if let Some(refusal) = auth::refuse_socket(&shared, request.headers(), request.uri()) {
            return refusal;
        }
        if !auth::origin_allowed(&shared.options.allowed_origins, request.headers()) {
            return text_error(StatusCode::FORBIDDEN, "Forbidden");
        }
    }
    socket::upgrade(&shared, request)
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let now_ms = shared.change(|world| world.now_ms());
    json_ok(&json!({"status": "healthy", "timestamp": shared.time.seconds(now_ms)}))
}

async fn status(State(shared): State<Arc<Shared>>) -> Response {
    let (now_ms, uptime_ms, counts) = shared.change(|world| (world.now_ms(), world.uptime_ms(), world.counts()));
    let below = now_ms.unsigned_abs().wrapping_mul(7_919) % 1_000_000;
    json_ok(&json!({
        "version": VERSION,
        "uptime": go_duration(uptime_ms.unsigned_abs() * 1_000_000 + below),
        "total_jobs": counts.total,
        "running_jobs": counts.running,
        "completed_jobs": counts.completed,
        "failed_jobs": counts.failed,
        "cancelled_jobs": counts.cancelled,
        "timestamp": shared.time.nanos(now_ms, below),
    }))
}

async fn list_capabilities(State(shared): State<Arc<Shared>>) -> Response {
    let (now_ms, uptime_ms) = shared.change(|world| (world.now_ms(), world.uptime_ms()));
    let checked = shared.time.nanos(now_ms - uptime_ms, salt("capabilities"));
    json_ok(&json!({
        "capabilities": capabilities(&checked),
        "default_method": "ctl",
        "timestamp": shared.time.nanos(now_ms, salt("now")),
    }))
}

/// The export tools of the daemon's host, detected at its start.
pub(super) fn capabilities(checked: &str) -> Value {
    let tool = |method: &str, available: bool, version: &str, path: &str, priority: u8| {
        json!({
            "method": method, "available": available, "version": version, "path": path, "priority": priority,
            "last_checked": checked,
        })
    };
    json!({
        "ctl": tool("ctl", true, "hyperctl 0.0.1", "/usr/local/bin/hyperctl", 1),
        "govc": tool("govc", true, "govc 0.46.2", "/usr/local/bin/govc", 2),
        "ovftool": tool("ovftool", true, "VMware ovftool 4.6.3 (build-24031167)", "/usr/bin/ovftool", 3),
        "web": tool("web", true, "built-in", "", 4),
    })
}

/// The access to a vCenter as jobs contain it, including the password.
pub(super) fn vcenter(vcenter: &Vcenter) -> Value {
    json!({
        "server": vcenter.server,
        "username": vcenter.username,
        "password": vcenter.password,
        "insecure": vcenter.insecure,
    })
}
