//! Heads of requests (request line and header fields) that are over the limit: refused in words, in the form that the path's askers
//! read, and with a line in the log.
//!
//! HTTP/2 heads are measured by [`limit`]. Those of HTTP/1 never become a request: `hyper` refuses them with an empty answer, which
//! [`stream`] replaces.

pub(crate) mod stream;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, request::Parts},
    middleware::Next,
    response::Response,
};

use super::auth::{Auth, Denied};
use crate::config::Config;

/// What is refused, and to whom that is told.
#[derive(Debug, Clone)]
pub(crate) struct HeadLimit {
    /// Writes the log.
    auth: Auth,
    /// Longest head, in bytes.
    bytes: usize,
    /// The path below which this server is.
    base: Arc<str>,
}

impl HeadLimit {
    /// The limit of a server with these settings.
    pub(crate) fn of(config: &Config, auth: &Auth) -> Self {
        HeadLimit { auth: auth.clone(), bytes: config.limits.header_bytes, base: config.base_path().into() }
    }

    /// Writes down that a request is refused, and says so.
    fn refuse(&self, parts: &Parts, status: StatusCode) -> Denied {
        let limit = self.bytes;
        self.auth.audit_refusal(parts, None, &format!("its head is over {limit} bytes (limits.header)"));
        let message = format!(
            "the address and the header fields of this request, cookies among them, take more than {limit} bytes or are more than 100: \
             send a long query by POST, delete cookies of this host, or raise limits.header"
        );
        Denied::new(status, "head_too_large", message)
    }
}

/// Refuses requests whose head is over the limit.
pub(crate) async fn limit(State(limit): State<HeadLimit>, request: Request, next: Next) -> Response {
    if size(&request) <= limit.bytes {
        return next.run(request).await;
    }
    let (parts, _) = request.into_parts();
    limit.refuse(&parts, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).for_path(&parts.uri)
}

/// How long the head of a request is, as HTTP/1 writes it.
fn size(request: &Request) -> usize {
    // ` HTTP/1.1\r\n` after the line's other parts, `: ` and `\r\n` around each value, `\r\n` at the end.
    let target = request.uri().path_and_query().map_or(1, |target| target.as_str().len());
    let line = request.method().as_str().len().saturating_add(target).saturating_add(14);
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()));
    fields.fold(line, |sum, field| sum.saturating_add(field).saturating_add(4))
}
