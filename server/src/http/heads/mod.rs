//! Request heads (request line and header fields) above the limit: rejected with an error in the format of the path,
//! and logged.
//!
//! [`limit`] checks HTTP/2 heads. HTTP/1 heads above the limit never become a request: hyper rejects them with an empty
//! response, which [`stream`] replaces.

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

/// The limit, and what is needed to report a rejection.
#[derive(Debug, Clone)]
pub(crate) struct HeadLimit {
    /// Writes the audit log.
    auth: Auth,
    /// Maximum size of a head, in bytes.
    bytes: usize,
    /// The base path of this server.
    base: Arc<str>,
}

impl HeadLimit {
    /// The limit for these settings.
    pub(crate) fn of(config: &Config, auth: &Auth) -> Self {
        HeadLimit { auth: auth.clone(), bytes: config.limits.header_bytes, base: config.base_path().into() }
    }

    /// Logs a rejection and creates the error response.
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

/// Rejects requests whose head is above the limit.
pub(crate) async fn limit(State(limit): State<HeadLimit>, request: Request, next: Next) -> Response {
    if size(&request) <= limit.bytes {
        return next.run(request).await;
    }
    let (parts, _) = request.into_parts();
    limit.refuse(&parts, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).for_path(&parts.uri)
}

/// The size of a request's head in HTTP/1 format.
fn size(request: &Request) -> usize {
    // ` HTTP/1.1\r\n` after the other parts of the request line, `: ` and `\r\n` around each value, `\r\n` at the
    // end.
    let target = request.uri().path_and_query().map_or(1, |target| target.as_str().len());
    let line = request.method().as_str().len().saturating_add(target).saturating_add(14);
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()));
    fields.fold(line, |sum, field| sum.saturating_add(field).saturating_add(4))
}
