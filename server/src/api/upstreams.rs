//! `/api/upstreams` and `/api/alerts`: the sources, and what they raise.

use axum::{Json, extract::State};
use model::live::{AlertList, SnapshotData, Topic};
use serde_json::{Value, json};

use crate::{auth::Principal, state::AppState, visible};

/// `GET /api/upstreams`
pub(super) async fn list(State(state): State<AppState>, principal: Principal) -> Json<Value> {
    let mut statuses = state.statuses();
    statuses.retain(|status| visible::upstream(principal.scope(), status));
    Json(json!({ "upstreams": statuses }))
}

/// `GET /api/alerts`
pub(super) async fn alerts(State(state): State<AppState>, principal: Principal) -> Json<AlertList> {
    match state.hub.snapshot(principal.scope(), &Topic::Alerts) {
        Some(SnapshotData::Alerts(alerts)) => Json(alerts),
        _ => Json(AlertList::default()),
    }
}
