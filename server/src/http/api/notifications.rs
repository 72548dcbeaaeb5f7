//! `/api/notifications`: the notifications to receivers, with their times and results.

use access::{Action, Principal};
use axum::{
    Json,
    extract::{Path, State},
};
use notify::{DeliveryFilter, Notifier};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{error::ApiError, extract::Parameters};

/// Default and maximum number of notifications in a response.
const LIMITS: (i64, i64) = (100, 1_000);

/// Filters of the list.
#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    /// `pending`, `delivered` or `dead`.
    state: Option<String>,
    receiver: Option<String>,
    /// Fingerprint of an alert.
    alert: Option<String>,
    limit: Option<i64>,
}

/// `GET /api/notifications`
pub(super) async fn list(
    State(notifier): State<Notifier>,
    Parameters(filter): Parameters<Filter>,
) -> Result<Json<Value>, ApiError> {
    if let Some(word) = filter.state.as_deref().filter(|word| !["pending", "delivered", "dead"].contains(word)) {
        return Err(ApiError::bad_request(format!("state {word:?} is none: use pending, delivered or dead")));
    }
    let alert = filter
        .alert
        .map(|text| text.parse())
        .transpose()
        .map_err(|error: labels::WrongFingerprint| ApiError::bad_request(error.to_string()))?;
    let (usual, most) = LIMITS;
    let filter = DeliveryFilter {
        state: filter.state,
        receiver: filter.receiver,
        alert,
        limit: filter.limit.unwrap_or(usual).clamp(0, most),
    };
    let deliveries = notifier
        .deliveries(&filter)
        .await
        .map_err(|error| ApiError::internal("the notifications could not be read", error))?;
    Ok(Json(json!({ "notifications": deliveries })))
}

/// `POST /api/notifications/{id}/resend`
pub(super) async fn resend(
    State(notifier): State<Notifier>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let again = resend_one(&notifier, &principal, &id).await?;
    Ok(Json(json!({ "id": again })))
}

/// Sends a failed notification again, and returns the id of the new one.
pub(crate) async fn resend_one(notifier: &Notifier, principal: &Principal, id: &str) -> Result<String, ApiError> {
    let again = notifier
        .send_again(id)
        .await
        .map_err(|error| ApiError::internal("the notification could not be sent again", error))?;
    let again = again.ok_or_else(|| ApiError::not_found(format!("nothing of the id {id:?} was given up")))?;
    principal.actor().did(Action::ResendNotification, id, &format!("as {again}"));
    Ok(again)
}
