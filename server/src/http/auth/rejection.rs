//! Refusals, in the format that the clients of a path expect.

use std::time::Duration;

use access::StoreError;
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::json;

use super::{html, local_path};

/// A request that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
}

impl From<&StoreError> for Denied {
    fn from(error: &StoreError) -> Self {
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
}

impl Denied {
    /// A refusal with a code for programs and a message for people.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Denied { status, code, message: message.into(), retry_after: None }
    }

    /// The same refusal with a header `Retry-After`.
    pub(crate) fn retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Status of the response.
    #[must_use]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The message for people.
    #[must_use]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The response in the format of a path: Prometheus' envelope under `/api/v1`, our envelope on other paths for programs, and a page elsewhere. A request for
    /// a page without a login is redirected to the login page.
    #[must_use]
    pub(crate) fn for_path(&self, uri: &Uri) -> Response {
        let audience = Audience::of(uri.path());
        if audience == Audience::People && self.status == StatusCode::UNAUTHORIZED {
            let next = uri.path_and_query().map_or("/", |path| path.as_str());
            let mut response = Redirect::to(&local_path::login_path(next)).into_response();
            self.set_headers(response.headers_mut());
            return response;
        }
        self.answer(audience)
    }

    /// The response as a page, for any path.
    pub(super) fn page(&self) -> Response {
        self.answer(Audience::People)
    }

    /// Media type and body in the format of a path.
    pub(crate) fn text_for(&self, uri: &Uri) -> (&'static str, String) {
        self.body(Audience::of(uri.path()))
    }

    fn answer(&self, audience: Audience) -> Response {
        let (kind, body) = self.body(audience);
        let mut response = (self.status, [(header::CONTENT_TYPE, kind)], body).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED && audience != Audience::People {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        self.set_headers(headers);
        response
    }

    /// Media type and body of the response.
    fn body(&self, audience: Audience) -> (&'static str, String) {
        match audience {
            Audience::Prometheus => {
                let body = json!({ "status": "error", "errorType": self.code, "error": self.message });
                ("application/json", body.to_string())
            }
            Audience::Programs => {
                let body = json!({ "error": { "code": self.code, "message": self.message } });
                ("application/json", body.to_string())
            }
            Audience::People => ("text/html; charset=utf-8", html::refusal(self.title(), &self.message)),
        }
    }

    /// Title of the page.
    fn title(&self) -> &'static str {
        match self.status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG | StatusCode::PAYLOAD_TOO_LARGE => {
                "This request is too large"
            }
            StatusCode::TOO_MANY_REQUESTS => "Too many requests",
            status if status.is_server_error() => "Not now",
            StatusCode::METHOD_NOT_ALLOWED => "Nothing to see here",
            _ if self.code == "cross_site" => "Not from a page of ours",
            _ => "Not for this token",
        }
    }

    /// Sets `Retry-After` if it is known, and forbids caches.
    pub(super) fn set_headers(&self, headers: &mut HeaderMap) {
        if let Some(retry_after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// The kind of clients of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// Clients of Prometheus' HTTP API.
    Prometheus,
    /// Other programs, and our own scripts.
    Programs,
    /// A person with a browser.
    People,
}

impl Audience {
    fn of(path: &str) -> Self {
        let under =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if under("/api/v1") || under("/federate") {
            Audience::Prometheus
        } else if ["/api", "/ws", "/render", "/metrics"].into_iter().any(under) {
            Audience::Programs
        } else {
            Audience::People
        }
    }
}
