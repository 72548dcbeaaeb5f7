//! `/api/session` and `/api/sessions`: the sessions of a token as JSON.

use access::{Action, Principal, SessionInfo, StoreError};
use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use model::page::Session;
use serde::Serialize;

use super::{Auth, rejection::Denied};

/// `GET /api/session`
pub(super) async fn session(principal: Principal) -> Json<Session> {
    Json(principal.session.clone())
}

/// `GET /api/sessions`
pub(super) async fn sessions(State(auth): State<Auth>, principal: Principal) -> Json<Vec<SessionInfo>> {
    Json(auth.sessions(&principal))
}

/// Number of sessions that were ended.
#[derive(Serialize)]
struct Ended {
    ended: usize,
}

/// `DELETE /api/sessions`: ends all except the caller's.
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

impl Auth {
    /// Ends the sessions of the caller's token for whose ids `ends` is true, and writes that to the audit log. Returns their number.
    pub(crate) async fn end_audited(
        &self,
        principal: &Principal,
        ends: impl Fn(&str) -> bool,
    ) -> Result<usize, StoreError> {
        let ended = self.end_sessions(principal, ends).await?;
        principal.actor().did(Action::EndSessions, principal.token_id(), &format!("{ended} ended"));
        Ok(ended)
    }
}
