//! The sessions of a token over HTTP: as JSON, and for the forms of the settings page.

use access::{Action, Principal, SessionInfo, StoreError};
use axum::{
    Json,
    extract::{Form, Path, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Redirect, Response},
};
use model::page::Session;
use serde::{Deserialize, Serialize};

use super::{Auth, rejection::Denied};

/// `GET /api/session`
pub(super) async fn session(principal: Principal) -> Json<Session> {
    Json(principal.session.clone())
}

/// `GET /api/sessions`
pub(super) async fn sessions(State(auth): State<Auth>, principal: Principal) -> Json<Vec<SessionInfo>> {
    Json(auth.sessions(&principal))
}

/// How many sessions were ended.
#[derive(Serialize)]
struct Ended {
    ended: usize,
}

/// `DELETE /api/sessions`: all but the one that asks.
pub(super) async fn end_other_sessions(State(auth): State<Auth>, principal: Principal, uri: Uri) -> Response {
    match auth.end_audited(&principal, |id| Some(id) != principal.session_id()).await {
        Ok(ended) => Json(Ended { ended }).into_response(),
        Err(error) => Denied::from(&error).for_path(&uri),
    }
}

/// `DELETE /api/sessions/{id}`
pub(super) async fn end_session(
    State(auth): State<Auth>,
    principal: Principal,
    uri: Uri,
    Path(id): Path<String>,
) -> Response {
    match auth.end_audited(&principal, |one| one == id).await {
        Ok(0) => Denied::new(StatusCode::NOT_FOUND, "not_found", "this token has no such session").for_path(&uri),
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => Denied::from(&error).for_path(&uri),
    }
}

/// Which session a form ends: one by its id, or `others`.
#[derive(Deserialize)]
pub(super) struct End {
    end: String,
}

/// `POST /settings/sessions`: the forms of the settings page.
pub(super) async fn end_by_form(
    State(auth): State<Auth>,
    principal: Principal,
    uri: Uri,
    Form(End { end }): Form<End>,
) -> Response {
    let ends = |id: &str| if end == "others" { Some(id) != principal.session_id() } else { id == end };
    match auth.end_audited(&principal, ends).await {
        Ok(_) => Redirect::to("/settings").into_response(),
        Err(error) => Denied::from(&error).for_path(&uri),
    }
}

impl Auth {
    async fn end_audited(&self, principal: &Principal, ends: impl Fn(&str) -> bool) -> Result<usize, StoreError> {
        let ended = self.end_sessions(principal, ends).await?;
        principal.actor().did(Action::EndSessions, principal.token_id(), &format!("{ended} ended"));
        Ok(ended)
    }
}
