//! Security headers of all responses.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::Response,
};

use super::{
    auth::{self, Denied},
    reached::Reached,
};
use crate::config::Config;

/// Random bytes in a nonce.
const NONCE_BYTES: usize = 16;

/// Marks the scripts of one page as ours. An extractor for handlers inside [`secure_headers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nonce(Arc<str>);

impl Nonce {
    /// The value for `nonce="…"`.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Nonce {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, StatusCode> {
        parts.extensions.get::<Nonce>().cloned().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Settings of the headers.
#[derive(Debug)]
struct HeaderSettings {
    /// Sources of the CSP directive `frame-ancestors`: sites that may show our pages in a frame.
    frame_ancestors: Vec<String>,
    /// `Strict-Transport-Security` (RFC 6797), for responses over HTTPS only.
    hsts: Option<HeaderValue>,
    https: bool,
}

/// Adds the headers to each response of `router`, and a [`Nonce`] to each request. Must be the outermost layer.
pub(crate) fn secure_headers<S: Clone + Send + Sync + 'static>(router: Router<S>, config: &Config) -> Router<S> {
    let hsts = config.hsts.map(|hsts: Duration| format!("max-age={}", hsts.as_secs()));
    let settings = HeaderSettings {
        frame_ancestors: config.frame_ancestors.clone(),
        hsts: hsts.and_then(|hsts| HeaderValue::try_from(hsts).ok()),
        https: config.is_https(),
    };
    router.layer(from_fn_with_state(Arc::new(settings), set_headers))
}

async fn set_headers(State(settings): State<Arc<HeaderSettings>>, request: Request, next: Next) -> Response {
    let ancestors = &settings.frame_ancestors;
    let (mut parts, body) = request.into_parts();
    let is_https = Reached::of(&parts, settings.https).is_https();
    let nonce = match access::random_text::<NONCE_BYTES>() {
        Ok(nonce) => Nonce(nonce.into()),
        Err(error) => {
            tracing::error!(%error, "no nonce for a page");
            return Denied::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string()).for_path(&parts.uri);
        }
    };
    let policy = content_security_policy(&nonce, auth::host(&parts), ancestors);
    parts.extensions.insert(nonce);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Hides from other sites where a visitor comes from. With `no-referrer` browsers would send `Origin: null` for our
    // own forms.
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    if let Some(hsts) = settings.hsts.clone().filter(|_| is_https) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts);
    }
    if is_document(headers) {
        set_document_headers(headers, &policy, ancestors);
    }
    response
}

/// Whether a browser would show it as a page, and run its scripts.
fn is_document(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    ["text/html", "image/svg+xml", "application/xhtml+xml"].into_iter().any(|document| kind.starts_with(document))
}

fn set_document_headers(headers: &mut HeaderMap, policy: &str, ancestors: &[String]) {
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // For browsers without support for the directive; it can only name ourselves.
    if ancestors.iter().all(|source| source == "'self'") {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    }
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
    );
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
}

/// What a page may load and run: our own files, scripts with its nonce, and WebAssembly.
fn content_security_policy(nonce: &Nonce, host: Option<&str>, ancestors: &[String]) -> String {
    let is_plain = |host: &&str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    // In older browsers 'self' does not include a WebSocket to the same host.
    let sockets = host.filter(is_plain).map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{}' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data: blob:; font-src 'self'; connect-src 'self'{sockets}; manifest-src 'self'; worker-src 'self'; \
         frame-ancestors {}; base-uri 'none'; form-action 'self'; object-src 'none'",
        nonce.as_str(),
        ancestors.join(" "),
    )
}
