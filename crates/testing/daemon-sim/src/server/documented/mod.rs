//! The daemon as the HyperSDK documents describe it; the README lists every field.

mod feed;
mod jobs;
mod metrics;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{from_fn_with_state, map_response},
    response::Response,
    routing::{any, get, post},
};
use serde_json::json;

use super::{
    auth,
    respond::{json_ok, method_not_allowed, misbehave, not_found},
    shared::Shared,
    socket,
};
use crate::go_format::{go_duration, utc_millis};

pub(super) use feed::{event_message, progress_messages, system_message};
pub(super) use metrics::compressed;

/// The version that the daemon reports.
const VERSION: &str = "0.0.1";

/// All routes, with the prefix `/api/v1` and without.
pub(super) fn routes(shared: &Arc<Shared>) -> Router {
    let both = Router::new()
        .route("/health", get(health))
        .route("/status", get(status))
        .route("/capabilities", get(capabilities))
        .route("/metrics", get(metrics::answer))
        .route("/ws", any(open_socket))
        .route("/jobs/submit", post(jobs::submit))
        .route("/jobs/query", get(jobs::query_by_address).post(jobs::query_by_body))
        .route("/jobs/cancel", post(jobs::cancel))
        .route("/jobs/progress/{id}", get(jobs::progress))
        .route("/jobs/logs/{id}", get(jobs::logs))
        .route("/jobs/eta/{id}", get(jobs::eta))
        .route("/jobs/{id}", get(jobs::job));
    Router::new()
        .nest("/api/v1", both.clone())
        .merge(both)
        .method_not_allowed_fallback(|| async { method_not_allowed() })
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(shared), auth::documented))
        .layer(from_fn_with_state(Arc::clone(shared), misbehave))
        .layer(map_response(no_store))
        .with_state(Arc::clone(shared))
}

/// Answers show the current state and must not be cached.
async fn no_store(mut response: Response) -> Response {
    use axum::http::{HeaderValue, header};
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn open_socket(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    socket::upgrade(&shared, request)
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let now_ms = shared.change(|world| world.now_ms());
    json_ok(&json!({"status": "healthy", "timestamp": utc_millis(now_ms)}))
}

async fn status(State(shared): State<Arc<Shared>>) -> Response {
    let (now_ms, uptime_ms, counts) = shared.change(|world| (world.now_ms(), world.uptime_ms(), world.counts()));
    json_ok(&json!({
        "version": VERSION,
        "uptime": go_duration(uptime_ms.unsigned_abs() * 1_000_000),
        "total_jobs": counts.total,
        "running_jobs": counts.running,
        "pending_jobs": counts.pending,
        "completed_jobs": counts.completed,
        "failed_jobs": counts.failed,
        "cancelled_jobs": counts.cancelled,
        "timestamp": utc_millis(now_ms),
    }))
}

async fn capabilities(State(shared): State<Arc<Shared>>) -> Response {
    let (now_ms, uptime_ms) = shared.change(|world| (world.now_ms(), world.uptime_ms()));
    let checked = utc_millis(now_ms - uptime_ms);
    json_ok(&json!({
        "capabilities": super::coded::capabilities(&checked),
        "default_method": "ctl",
        "timestamp": utc_millis(now_ms),
    }))
}
