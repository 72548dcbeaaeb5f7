//! `/alerts/do`: what the forms of the alert page ask for. The same as the JSON API does, for a page without scripts: the
//! answer leads back to the page, with what went wrong if something did.

use access::Principal;
use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use model::clock::now_ms;
use serde::Deserialize;

use super::{ACTS, ACTS_ON_ALL, error::ApiError, extract::Body, notifications, silences};
use crate::http::slices::AlertState;

/// What "extend" adds.
const MORE_MS: i64 = 2 * 3_600_000;

/// A form as it was sent. Which fields count depends on the action.
#[derive(Debug, Deserialize)]
pub(crate) struct Sent {
    action: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    matchers: String,
    #[serde(default)]
    duration: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    back: String,
}

/// `POST /alerts/do`
pub(crate) async fn act(State(state): State<AlertState>, principal: Principal, Form(sent): Form<Sent>) -> Response {
    // Only back to where the form was: not to wherever a form of somebody else says.
    let back =
        if sent.back == "/alerts" || sent.back.starts_with("/alerts?") { sent.back.clone() } else { "/alerts".into() };
    match carry_out(state, principal, sent).await {
        Ok(()) => Redirect::to(&back).into_response(),
        Err(error) => {
            let mark = if back.contains('?') { '&' } else { '?' };
            let problem: String = form_urlencoded::byte_serialize(error.message.as_bytes()).collect();
            Redirect::to(&format!("{back}{mark}problem={problem}")).into_response()
        }
    }
}

async fn carry_out(state: AlertState, principal: Principal, sent: Sent) -> Result<(), ApiError> {
    let Sent { action, id, matchers, duration, comment, .. } = sent;
    // The route is for whoever may acknowledge; the rest asks for the rights that it has in the JSON API.
    let rights = if matches!(action.as_str(), "ack" | "unack") { ACTS } else { ACTS_ON_ALL };
    if let Some(reason) = rights.beyond_matchers(principal.scope()) {
        return Err(ApiError::forbidden(reason));
    }
    match action.as_str() {
        "silence" => {
            let wanted = silences::Wanted::new(matchers, duration, comment);
            silences::create(State(state), principal, Body(wanted)).await.map(|_| ())
        }
        "extend" => {
            let ends_at = state.notifier.silence(&id).await?.ends_at_ms.max(now_ms()).saturating_add(MORE_MS);
            let wanted = silences::Wanted::until(ends_at);
            silences::change(State(state), principal, Path(id), Body(wanted)).await.map(|_| ())
        }
        "expire" => silences::expire(State(state), principal, Path(id)).await.map(|_| ()),
        "ack" => silences::acknowledge(State(state), principal, Path(id), None).await.map(|_| ()),
        "unack" => silences::unacknowledge(State(state), principal, Path(id)).await.map(|_| ()),
        "resend" => notifications::resend(State(state.notifier), principal, Path(id)).await.map(|_| ()),
        other => Err(ApiError::bad_request(format!("there is no action {other:?}"))),
    }
}
