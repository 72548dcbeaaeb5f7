//! Authentication: keys and sessions, as each dialect checks them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;

use super::{respond::text_error, shared::Shared};

/// Maximum number of sessions; above it the oldest is removed.
const SESSION_LIMIT: usize = 1_000;
/// Lifetime of a session.
pub(super) const SESSION_TIME: Duration = Duration::from_secs(24 * 3_600);
/// Query parameters that may contain a key.
const KEY_PARAMETERS: [&str; 2] = ["api_key", "token"];

/// Tokens issued by `/api/login`.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    tokens: Mutex<VecDeque<(String, Instant)>>,
}

impl Sessions {
    /// A new token: 44 characters of base64url.
    pub(super) fn open(&self) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let letter = |byte: u8| LETTERS.get(usize::from(byte & 63)).map_or('A', |letter| char::from(*letter));
        let mut token: String = rand::random::<[u8; 32]>().into_iter().map(letter).collect();
        token.extend(rand::random::<[u8; 11]>().into_iter().map(letter));
        token.push('=');
        let mut tokens = self.lock();
        if tokens.len() >= SESSION_LIMIT {
            tokens.pop_front();
        }
        tokens.push_back((token.clone(), Instant::now() + SESSION_TIME));
        token
    }

    pub(super) fn close(&self, token: &str) {
        self.lock().retain(|(other, _)| other != token);
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn knows(&self, token: &str) -> bool {
        let now = Instant::now();
        self.lock().iter().any(|(other, ends)| other == token && now < *ends)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(String, Instant)>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The token of `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn key_header(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-api-key")?.to_str().ok()
}

fn key_parameter<'a>(uri: &'a Uri, names: &[&str]) -> Option<&'a str> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(name, _)| names.contains(name)).map(|(_, value)| value)
}

fn unauthorized() -> Response {
    text_error(StatusCode::UNAUTHORIZED, "unauthorized")
}

/// The documented rule: one key, in any of the supported forms, for HTTP and the socket.
pub(super) async fn documented(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let Some(key) = &shared.options.api_key else { return next.run(request).await };
    let open = matches!(request.uri().path(), "/health" | "/api/v1/health");
    let carried =
        [key_header(request.headers()), bearer(request.headers()), key_parameter(request.uri(), &KEY_PARAMETERS)];
    if open || carried.contains(&Some(key.as_str())) { next.run(request).await } else { unauthorized() }
}

/// The coded rule for HTTP: the key, or a session of `/api/login`.
pub(super) async fn coded(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let Some(key) = &shared.options.api_key else { return next.run(request).await };
    let path = request.uri().path();
    let open = matches!(path, "/health" | "/" | "/api/login") || path.starts_with("/web/dashboard/") || path == "/ws";
    let headers = request.headers();
    let session = bearer(headers).is_some_and(|token| shared.sessions.knows(token));
    let carried =
        key_header(headers).or_else(|| bearer(headers)).or_else(|| key_parameter(request.uri(), &["api_key"]));
    if open || session || (!key.is_empty() && carried == Some(key.as_str())) {
        next.run(request).await
    } else {
        unauthorized()
    }
}

/// The coded rule for the socket: only the key, and not as a bearer token. Returns the rejection.
pub(super) fn refuse_socket(shared: &Shared, headers: &HeaderMap, uri: &Uri) -> Option<Response> {
    let Some(key) = &shared.options.api_key else { return None };
    if key.is_empty() {
        return Some(text_error(StatusCode::INTERNAL_SERVER_ERROR, "server configuration error"));
    }
    let carried = key_header(headers).or_else(|| key_parameter(uri, &["api_key"]));
    (carried != Some(key.as_str())).then(unauthorized)
}

/// Whether the coded daemon accepts the request's origin: no origin is accepted, otherwise it must be in the list or
/// match a `*.` entry.
pub(super) fn origin_allowed(allowed: &[String], headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    allowed.iter().any(|entry| match entry.strip_prefix('*').filter(|suffix| suffix.len() > 1) {
        Some(suffix) => origin.ends_with(suffix),
        None => origin == entry,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let allowed = ["http://localhost:8080".to_owned(), "*.example.com".to_owned(), "*".to_owned()];
        let check = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            origin_allowed(&allowed, &headers)
        };
        assert!(origin_allowed(&allowed, &HeaderMap::new()));
        assert!(check("http://localhost:8080") && check("https://a.example.com"));
        assert!(!check("https://example.com") && !check("http://localhost:8081") && !check("http://evil.example"));
    }

    #[test]
    fn sessions_are_known_until_closed() {
        let sessions = Sessions::default();
        let token = sessions.open();
        assert_eq!(token.len(), 44);
        assert!(sessions.knows(&token) && !sessions.knows("x"));
        sessions.close(&token);
        assert!(!sessions.knows(&token));
    }
}
