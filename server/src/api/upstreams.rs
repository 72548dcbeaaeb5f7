//! `/api/upstreams` and `/api/alerts`: the sources, and what they raise.

use axum::{Json, extract::State};
use model::live::{AlertList, SnapshotData, Topic};
use serde_json::{Value, json};

use crate::state::AppState;

/// `GET /api/upstreams`
pub(super) async fn list(State(state): State<AppState>) -> Json<Value> {
    Json(json!({ "upstreams": state.statuses() }))
}

/// `GET /api/alerts`
pub(super) async fn alerts(State(state): State<AppState>) -> Json<AlertList> {
    match state.hub.snapshot(&Topic::Alerts) {
        Some(SnapshotData::Alerts(alerts)) => Json(alerts),
        _ => Json(AlertList::default()),
    }
}
