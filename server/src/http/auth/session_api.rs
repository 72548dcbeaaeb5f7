//! The sessions of a token over HTTP, as JSON.

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

impl Auth {
    /// Ends those sessions of the token that asks whose ids `ends` takes, and says so in the audit log; how many.
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
