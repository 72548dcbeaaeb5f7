//! `/api/tokens`: tokens as JSON.

use access::{Action, NewToken, Principal, StoreError, TokenInfo};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use model::{clock::now_ms, role::Role};
use redact::Secret;
use serde::{Deserialize, Serialize};

use super::{Auth, rejection::Denied};
use crate::config::Period;

/// A request to create a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    role: Role,
    /// Lifetime of the token; `None` if it never expires.
    #[serde(default)]
    expires: Option<Period>,
    /// Dashboards that a kiosk token is limited to.
    #[serde(default)]
    dashboards: Vec<String>,
    /// Matchers that every series it reads must satisfy.
    #[serde(default, rename = "match")]
    matchers: Matchers,
}

/// Matchers, as one text or as several texts that must all match.
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

/// The response for a new token. No other response has its secret.
#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    token: TokenInfo,
    secret: &'a str,
}

impl Auth {
    /// The newest valid tokens, at most `most`, and the number of all valid tokens.
    pub(crate) async fn newest_tokens(&self, now_ms: i64, most: u32) -> Result<(Vec<TokenInfo>, u64), StoreError> {
        self.shared.store.newest(now_ms, most).await
    }

    /// Creates a token and writes that to the audit log. It is valid at once or, if the database cannot be read again, when that succeeds: the secret is returned
    /// in either case, because nobody could ask for it later.
    pub(crate) async fn create_audited(
        &self,
        principal: &Principal,
        new: NewToken,
    ) -> Result<(TokenInfo, Secret), StoreError> {
        let (token, secret) = self.shared.store.create(new).await?;
        principal.actor().did(Action::CreateToken, &token.id, &token.words());
        if let Err(error) = self.shared.cache.reload().await {
            tracing::warn!(%error, token = token.id, "a new token is stored, but not accepted before the database can be read again");
        }
        Ok((token, secret))
    }

    /// Revokes a token, which ends at once, and writes that to the audit log. Callers cannot revoke their own token, so that the last admin is not locked out.
    pub(crate) async fn revoke_audited(&self, principal: &Principal, id: &str) -> Result<(), Denied> {
        if principal.token_id() == id {
            let message = "this is the token that you use: revoke it with another admin's token, or by `hyperscope token revoke` on the server";
            return Err(Denied::new(StatusCode::CONFLICT, "conflict", message));
        }
        self.shared.store.revoke(id).await.map_err(|error| Denied::from(&error))?;
        principal.actor().did(Action::RevokeToken, id, "");
        self.shared.cache.reload().await.map_err(|error| {
            tracing::error!(%error, token = id, "a token was revoked, but is accepted until the database can be read again");
            let message = "the token is revoked, but this server could not read that again: it is accepted until the server can, or until it is restarted";
            Denied::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
        })
    }
}

/// The time `period` from now, in milliseconds since the Unix epoch.
pub(crate) fn end_of(Period(period): Period) -> i64 {
    now_ms().saturating_add(i64::try_from(period.as_millis()).unwrap_or(i64::MAX))
}

/// `GET /api/tokens`
pub(super) async fn list(State(auth): State<Auth>, uri: Uri) -> Response {
    match auth.shared.store.list(now_ms()).await {
        Ok(tokens) => Json(tokens).into_response(),
        Err(error) => Denied::from(&error).for_path(&uri),
    }
}

/// `POST /api/tokens`
pub(super) async fn create(State(auth): State<Auth>, principal: Principal, uri: Uri, body: Bytes) -> Response {
    let asked: Asked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return Denied::new(StatusCode::BAD_REQUEST, "bad_request", error.to_string()).for_path(&uri),
    };
    let new = NewToken {
        name: asked.name,
        role: asked.role,
        expires_at: asked.expires.map(end_of),
        dashboards: asked.dashboards,
        matchers: match asked.matchers {
            Matchers::One(matchers) => matchers,
            Matchers::Several(several) => several.join(","),
        },
    };
    match auth.create_audited(&principal, new).await {
        Ok((token, secret)) => {
            let headers = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (StatusCode::CREATED, headers, Json(Made { token, secret: secret.expose() })).into_response()
        }
        Err(error) => Denied::from(&error).for_path(&uri),
    }
}

/// `DELETE /api/tokens/{id}`
pub(super) async fn revoke(
    State(auth): State<Auth>,
    principal: Principal,
    uri: Uri,
    Path(id): Path<String>,
) -> Response {
    match auth.revoke_audited(&principal, &id).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(denied) => denied.for_path(&uri),
    }
}
