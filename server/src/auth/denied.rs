//! Refusals, in the form that the asker of a path expects.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde_json::json;

use super::{html, login};

/// A request that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
}

impl Denied {
    /// A refusal with a code for programs and a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Denied { status, code, message: message.into(), retry_after: None }
    }

    /// The same, with when to try again.
    pub(super) fn retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// The status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What people read.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Prometheus' envelope under `/api/v1`, ours for the other paths of programs, and a page for people: the login for who
    /// is not logged in.
    #[must_use]
    pub fn for_path(&self, uri: &Uri) -> Response {
        let mut response = match Audience::of(uri.path()) {
            Audience::Prometheus => {
                let body = json!({ "status": "error", "errorType": self.code, "error": self.message });
                (self.status, Json(body)).into_response()
            }
            Audience::Programs => {
                let body = json!({ "error": { "code": self.code, "message": self.message } });
                (self.status, Json(body)).into_response()
            }
            Audience::People if self.status == StatusCode::UNAUTHORIZED => {
                let next = uri.path_and_query().map_or("/", |path| path.as_str());
                Redirect::to(&login::login_path(next)).into_response()
            }
            Audience::People => return self.page(),
        };
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED && !headers.contains_key(header::LOCATION) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        self.set_headers(headers);
        response
    }

    /// As a page, whatever the path.
    pub(super) fn page(&self) -> Response {
        let mut response = (self.status, Html(html::refusal(&self.message))).into_response();
        self.set_headers(response.headers_mut());
        response
    }

    /// When to try again, and that the answer is for this moment.
    pub(super) fn set_headers(&self, headers: &mut HeaderMap) {
        if let Some(retry_after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// Who asks for a path.
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
