//! `/health` and `/ready`, and Prometheus' `/-/healthy` and `/-/ready`.

use axum::{Json, extract::State, http::StatusCode};
use model::{
    clock::now_ms,
    upstream::{UpstreamKind, UpstreamStatus},
};
use serde_json::{Value, json};

use super::watched::Watched;

/// A source without data for longer than this counts as down.
const SILENCE_MS: i64 = 60_000;

pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

pub(super) async fn ready(State(watched): State<Watched>) -> (StatusCode, Json<Value>) {
    let now_ms = now_ms();
    let reasons: Vec<String> =
        watched.sources().for_all().iter().filter_map(|status| trouble(status, now_ms)).collect();
    if reasons.is_empty() {
        (StatusCode::OK, Json(json!({ "ready": true })))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "reasons": reasons })))
    }
}

/// Why a source makes the server not ready, if it does. Contains only its name and state, because the endpoint is
/// public.
fn trouble(status: &UpstreamStatus, now_ms: i64) -> Option<String> {
    let silent_ms = now_ms.saturating_sub(status.last_data_ms.unwrap_or(i64::MIN / 2));
    // The store itself sends no data.
    if status.state.is_fresh() && (silent_ms <= SILENCE_MS || status.kind == UpstreamKind::Store) {
        return None;
    }
    Some(match status.last_data_ms {
        Some(_) => format!("{} is {}, its last data is {} s old", status.name, status.state.name(), silent_ms / 1000),
        None => format!("{} is {} and has sent nothing yet", status.name, status.state.name()),
    })
}

pub(super) async fn prometheus_healthy() -> &'static str {
    "hyperscope is healthy.\n"
}

pub(super) async fn prometheus_ready() -> &'static str {
    "hyperscope is ready.\n"
}

#[cfg(test)]
mod tests {
    use model::upstream::UpstreamState;

    use super::*;

    #[test]
    fn a_silent_source_is_trouble() {
        let mut status = UpstreamStatus {
            name: "a".into(),
            kind: UpstreamKind::Daemon,
            state: UpstreamState::Live,
            since_ms: 0,
            last_data_ms: Some(0),
            reconnects: 0,
            scrape_duration_seconds: None,
            error: None,
            detail: None,
        };
        assert_eq!(trouble(&status, SILENCE_MS), None);
        assert_eq!(trouble(&status, 90_000).unwrap(), "a is live, its last data is 90 s old");
        status.last_data_ms = None;
        assert_eq!(trouble(&status, 0).unwrap(), "a is live and has sent nothing yet");
    }
}
