//! `/api/alerts/{fingerprint}`: a firing alert, what mutes it, and who acknowledged it.

use access::{Action, Principal};
use alertmanager::alert::Alert;
use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use labels::Fingerprint;
use notify::{Acknowledgement, SilenceError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{error::ApiError, extract::Body, listed::Listed};
use crate::http::slices::AlertState;

/// Longest comment of an acknowledgement, in bytes. All comments are in memory.
const COMMENT_BYTES: usize = 4 << 10;
/// Most notifications shown with an alert.
const MAX_TOLD: i64 = 50;

/// An alert as JSON.
pub(super) fn alert_json(state: &AlertState, alert: &Alert) -> Value {
    json!({
        "fingerprint": alert.fingerprint,
        "name": alert.name(),
        "labels": alert.labels,
        "annotations": alert.annotations,
        "value": alert.value,
        "starts_at": alert.starts_at_ms,
        "generator_url": alert.generator_url,
        "status": state.notifier.status(&alert.labels),
        "acknowledged": state.notifier.acknowledgement(alert.fingerprint),
    })
}

/// `GET /api/alerts/status`: what mutes alerts, their receivers and their acknowledgements, by fingerprint.
pub(super) async fn statuses(State(state): State<AlertState>, principal: Principal) -> Result<Response, ApiError> {
    let (lists, current) = (state.lists.clone(), state.alerting.current().await);
    let make = move || {
        let seen = state.notifier.alerts().visible_to(principal.scope());
        let shown = seen.iter().map(|alert| (alert.fingerprint.to_string(), status_json(&state, alert)));
        Json(json!({ "alerts": shown.collect::<serde_json::Map<String, Value>>() }))
    };
    Ok(lists.answer(Listed::Alerts(&current), make).await?)
}

fn status_json(state: &AlertState, alert: &Alert) -> Value {
    let status = state.notifier.status(&alert.labels);
    json!({
        "state": status.state,
        "silenced_by": status.silenced_by,
        "inhibited_by": status.inhibited_by,
        "muted_by": status.muted_by,
        "receivers": status.receivers,
        "acknowledged": state.notifier.acknowledgement(alert.fingerprint),
    })
}

fn fingerprint(text: &str) -> Result<Fingerprint, ApiError> {
    text.parse().map_err(|error: labels::WrongFingerprint| ApiError::bad_request(error.to_string()))
}

/// `GET /api/alerts/{fingerprint}`: a firing alert, what mutes it, and its notifications.
pub(super) async fn alert(
    State(state): State<AlertState>,
    principal: Principal,
    Path(text): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let fingerprint = fingerprint(&text)?;
    let scope = principal.scope().clone();
    let notifier = state.notifier.clone();
    let (lists, current) = (state.lists.clone(), state.alerting.current().await);
    let find = move || {
        let alerts = state.notifier.alerts().visible_to(principal.scope());
        let found = alerts.iter().find(|alert| alert.fingerprint == fingerprint)?;
        Some((alert_json(&state, found), state.notifier.status(&found.labels).receivers))
    };
    let found = lists.list(Listed::Alerts(&current), find).await?;
    let (mut shown, receivers) = found.ok_or_else(|| ApiError::not_found(format!("no alert {text} fires")))?;
    let told = notifier.told_of(&scope, fingerprint, MAX_TOLD).await;
    let told = told.map_err(|error| ApiError::internal("the notifications could not be read", error))?;
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("receivers".to_owned(), json!(receivers));
        fields.insert("notifications".to_owned(), json!(told));
    }
    Ok(Json(shown))
}

/// The body of a request to acknowledge an alert.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AckWanted {
    comment: String,
}

/// `POST /api/alerts/{fingerprint}/ack`
pub(super) async fn acknowledge(
    State(state): State<AlertState>,
    principal: Principal,
    Path(text): Path<String>,
    wanted: Option<Body<AckWanted>>,
) -> Result<Json<Value>, ApiError> {
    let comment = wanted.map(|Body(wanted)| wanted.comment).unwrap_or_default();
    let acknowledgement = acknowledge_one(&state, &principal, &text, &comment).await?;
    Ok(Json(json!({ "acknowledged": acknowledgement })))
}

/// Acknowledges an alert.
pub(crate) async fn acknowledge_one(
    state: &AlertState,
    principal: &Principal,
    text: &str,
    comment: &str,
) -> Result<Acknowledgement, ApiError> {
    let fingerprint = fingerprint(text)?;
    check_seen(state, principal, fingerprint)?;
    if comment.len() > COMMENT_BYTES {
        return Err(ApiError::bad_request("a comment has at most 4 KiB"));
    }
    let acknowledgement = state.notifier.acknowledge(fingerprint, &principal.session.name, comment).await?;
    principal.actor().did(Action::AcknowledgeAlert, text, "");
    Ok(acknowledgement)
}

/// `DELETE /api/alerts/{fingerprint}/ack`
pub(super) async fn unacknowledge(
    State(state): State<AlertState>,
    principal: Principal,
    Path(text): Path<String>,
) -> Result<Json<Value>, ApiError> {
    unacknowledge_one(&state, &principal, &text).await?;
    Ok(Json(json!({ "acknowledged": null })))
}

/// Removes the acknowledgement of an alert.
pub(crate) async fn unacknowledge_one(state: &AlertState, principal: &Principal, text: &str) -> Result<(), ApiError> {
    let fingerprint = fingerprint(text)?;
    check_seen(state, principal, fingerprint)?;
    if !state.notifier.unacknowledge(fingerprint).await? {
        return Err(ApiError::not_found(format!("nobody has acknowledged the alert {text}")));
    }
    principal.actor().did(Action::UnacknowledgeAlert, text, "");
    Ok(())
}

fn check_seen(state: &AlertState, principal: &Principal, fingerprint: Fingerprint) -> Result<(), ApiError> {
    let alerts = state.notifier.alerts().visible_to(principal.scope());
    let is_there = alerts.iter().any(|alert| alert.fingerprint == fingerprint);
    if is_there { Ok(()) } else { Err(ApiError::not_found(SilenceError::NoAlert.to_string())) }
}
