//! Sessions and tokens over HTTP, as JSON.

use axum::{
    Json,
    body::Bytes,
    extract::{Form, Path, State},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use model::{page::Session, role::Role};
use serde::{Deserialize, Serialize};

use super::{
    Auth,
    client::ClientAddress,
    denied::Denied,
    principal::Principal,
    session::SessionInfo,
    store::{NewToken, StoreError, TokenInfo},
};
use crate::{clock::now_ms, config::Period};

/// Longest body that is read.
pub(super) const BODY_BYTES: usize = 16 << 10;

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    role: Role,
    /// How long it holds; for ever if absent.
    #[serde(default)]
    expires: Option<Period>,
    /// Dashboards a kiosk is limited to.
    #[serde(default)]
    dashboards: Vec<String>,
    /// Matchers that every series it reads must fulfil.
    #[serde(default, rename = "match")]
    matchers: Matchers,
}

/// Matchers, as one text or as several that must all hold.
#[derive(Deserialize)]
#[serde(untagged)]
enum Matchers {
    One(String),
    Several(Vec<String>),
}

impl Default for Matchers {
    fn default() -> Self {
        Matchers::Several(Vec::new())
    }
}

/// A token that was made: the only time that its secret is told.
#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    token: TokenInfo,
    secret: &'a str,
}

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
pub(super) async fn end_other_sessions(
    State(auth): State<Auth>,
    principal: Principal,
    from: ClientAddress,
    uri: Uri,
) -> Response {
    match auth.end_audited(&principal, from, |id| Some(id) != principal.session_id()).await {
        Ok(ended) => Json(Ended { ended }).into_response(),
        Err(error) => refusal(&error).for_path(&uri),
    }
}

/// `DELETE /api/sessions/{id}`
pub(super) async fn end_session(
    State(auth): State<Auth>,
    principal: Principal,
    from: ClientAddress,
    uri: Uri,
    Path(id): Path<String>,
) -> Response {
    match auth.end_audited(&principal, from, |one| one == id).await {
        Ok(0) => Denied::new(StatusCode::NOT_FOUND, "not_found", "this token has no such session").for_path(&uri),
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refusal(&error).for_path(&uri),
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
    from: ClientAddress,
    uri: Uri,
    Form(End { end }): Form<End>,
) -> Response {
    let ends = |id: &str| if end == "others" { Some(id) != principal.session_id() } else { id == end };
    match auth.end_audited(&principal, from, ends).await {
        Ok(_) => Redirect::to("/settings").into_response(),
        Err(error) => refusal(&error).for_path(&uri),
    }
}

impl Auth {
    async fn end_audited(
        &self,
        principal: &Principal,
        from: ClientAddress,
        ends: impl Fn(&str) -> bool,
    ) -> Result<usize, StoreError> {
        let ended = self.end_sessions(principal, ends).await?;
        tracing::info!(
            target: "audit", action = "session.end", token = %principal.token_id(), name = principal.session.name, %from, ended,
            "sessions ended"
        );
        Ok(ended)
    }
}

/// `GET /api/tokens`
pub(super) async fn list(State(auth): State<Auth>, uri: Uri) -> Response {
    match auth.shared.store.list().await {
        Ok(tokens) => Json(tokens).into_response(),
        Err(error) => refusal(&error).for_path(&uri),
    }
}

/// `POST /api/tokens`
pub(super) async fn create(
    State(auth): State<Auth>,
    principal: Principal,
    from: ClientAddress,
    uri: Uri,
    body: Bytes,
) -> Response {
    let asked: Asked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return Denied::new(StatusCode::BAD_REQUEST, "bad_request", error.to_string()).for_path(&uri),
    };
    let lasts = |Period(period)| now_ms().saturating_add(i64::try_from(period.as_millis()).unwrap_or(i64::MAX));
    let new = NewToken {
        name: asked.name,
        role: asked.role,
        expires_at: asked.expires.map(lasts),
        dashboards: asked.dashboards,
        matchers: match asked.matchers {
            Matchers::One(matchers) => matchers,
            Matchers::Several(several) => several.join(","),
        },
    };
    let made = match auth.shared.store.create(new).await {
        Ok(made) => auth.shared.cache.reload().await.map(|()| made),
        failed => failed,
    };
    match made {
        Ok((token, secret)) => {
            tracing::info!(
                target: "audit", action = "token.create", token = %principal.token_id(), name = principal.session.name, %from,
                made = token.id, made_name = token.name, made_role = token.role.name(), "token made"
            );
            let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (StatusCode::CREATED, headers, Json(Made { token, secret: secret.expose() })).into_response()
        }
        Err(error) => refusal(&error).for_path(&uri),
    }
}

/// `DELETE /api/tokens/{id}`
pub(super) async fn revoke(
    State(auth): State<Auth>,
    principal: Principal,
    from: ClientAddress,
    uri: Uri,
    Path(id): Path<String>,
) -> Response {
    let revoked = match auth.shared.store.revoke(&id).await {
        Ok(()) => auth.shared.cache.reload().await,
        failed => failed,
    };
    match revoked {
        Ok(()) => {
            tracing::info!(
                target: "audit", action = "token.revoke", token = %principal.token_id(), name = principal.session.name, %from,
                revoked = id, "token revoked"
            );
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => refusal(&error).for_path(&uri),
    }
}

fn refusal(error: &StoreError) -> Denied {
    match error {
        StoreError::Invalid(message) => Denied::new(StatusCode::BAD_REQUEST, "bad_request", message),
        StoreError::Unknown(_) | StoreError::Ended(_) => {
            Denied::new(StatusCode::NOT_FOUND, "not_found", error.to_string())
        }
        StoreError::Open(_) | StoreError::Database(_) | StoreError::Random(_) => {
            tracing::error!(%error, "tokens cannot be read or written");
            Denied::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "the database of tokens does not answer: try again",
            )
        }
    }
}
