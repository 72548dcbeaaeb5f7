//! Server functions: the changes that forms of pages request.
//!
//! Each is a plain form that needs no scripts. The response redirects to a page that shows the change, or the reason why it was refused.
//! The server makes the changes: it provides [`Operations`] with each request.

mod alerts;
mod jobs;
mod settings;
mod walls;

use std::{future::Future, pin::Pin, sync::Arc};

use axum::http::{HeaderValue, StatusCode, header::LOCATION};
use leptos::{
    prelude::*,
    server_fn::{ServerFn, error::ServerFnError},
};
use leptos_axum::ResponseOptions;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::{
    platform,
    refusal::{PROBLEM, TYPED},
};

pub use alerts::{
    AcknowledgeAlert, CreateSilence, ExpireSilence, ExtendSilence, ResendNotification, UnacknowledgeAlert,
};
pub use jobs::CancelJob;
pub use settings::{BasePath, ChooseTheme, CreateToken, EndOtherSessions, EndSession, RevokeToken};
pub use walls::SteerWall;

/// A change that a caller requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Silence alerts.
    CreateSilence(SilenceRequest),
    /// Extend the silence of this id by two hours.
    ExtendSilence(String),
    /// End the silence of this id now.
    ExpireSilence(String),
    /// Acknowledge the alert of this fingerprint.
    AcknowledgeAlert(String),
    /// Remove the acknowledgement of the alert of this fingerprint.
    UnacknowledgeAlert(String),
    /// Send the failed notification of this id again.
    ResendNotification(String),
    /// Ask a daemon to cancel a job.
    CancelJob {
        /// Configured name of the daemon.
        daemon: String,
        /// The daemon's id of the job.
        id: String,
    },
    /// End the session of this id, which must belong to the caller's token.
    EndSession(String),
    /// End all sessions of the caller's token except the caller's.
    EndOtherSessions,
    /// Create a token. The next settings page shows its secret.
    CreateToken(TokenRequest),
    /// Revoke the token of this id.
    RevokeToken(String),
    /// Have a wall show something else.
    SteerWall {
        /// Its name.
        name: String,
        /// What is done: `next`, `back`, `pin` or `unpin`.
        action: String,
        /// UID of the dashboard to pin.
        dashboard: String,
    },
}

/// A silence to create. It begins now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceRequest {
    /// Matchers of the alerts, in Alertmanager's syntax.
    pub matchers: String,
    /// Duration, such as `2h`.
    pub duration: String,
    /// Reason for the silence.
    pub comment: String,
}

/// A token to create, with the fields as the form sends them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenRequest {
    /// Who or what uses it, for people.
    pub name: String,
    /// The name of its role.
    pub role: String,
    /// How long it is valid, such as `30d`; empty if it never expires.
    pub lasts: String,
    /// Uid of the only dashboard that it may see; empty for all.
    pub dashboard: String,
    /// Matchers that every series it reads must satisfy, as between the braces of a selector; empty for all series.
    pub matchers: String,
}

impl TokenRequest {
    /// Reads the request from the query parameters of a URL; `None` if they hold none.
    #[must_use]
    pub fn read(parameter: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let typed = |name: &str| parameter(&format!("{TYPED}{name}"));
        let other = |name| typed(name).unwrap_or_default();
        Some(TokenRequest {
            name: typed("name")?,
            role: other("role"),
            lasts: other("lasts"),
            dashboard: other("dashboard"),
            matchers: other("matchers"),
        })
    }

    /// The request as query parameters, for [`TokenRequest::read`].
    fn query(&self) -> String {
        let TokenRequest { name, role, lasts, dashboard, matchers } = self;
        let fields =
            [("name", name), ("role", role), ("lasts", lasts), ("dashboard", dashboard), ("matchers", matchers)];
        fields.map(|(field, value)| format!("{TYPED}{field}={}", platform::encoded(value))).join("&")
    }
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status of the response to a program.
    pub status: StatusCode,
    /// What is wrong and how to correct it, for a person.
    pub message: String,
}

/// Makes changes on behalf of the sender of a request. Provided with each request.
pub trait Operations: Send + Sync {
    /// Makes `change`, if the sender has the right.
    fn carry_out(&self, change: Change) -> Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send + '_>>;
}

/// The path of a server function, for the `action` of its form.
#[must_use]
pub fn path_of<F: ServerFn>() -> &'static str {
    F::PATH
}

/// The kind of client that sent a request, which decides the form of the response. Provided with each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentBy {
    /// A form of a page: the response redirects to a page.
    Form,
    /// A program: the response is a status and JSON.
    Program,
}

/// Characters that are percent-encoded in the header `Location`, in addition to those that are not ASCII.
const NOT_IN_LOCATION: &AsciiSet = &CONTROLS.add(b' ');

/// Makes `change` and redirects to `back` if that is `page` with a query, else to `page`.
async fn carry_out(change: Change, page: &str, back: &str) -> Result<(), ServerFnError> {
    // Only to the page that has the form, so that a form of another site cannot choose the target.
    let back = if back.strip_prefix(page).is_some_and(|query| query.starts_with('?')) { back } else { page };
    carry_out_from(change, back, back).await
}

/// Makes `change` and redirects to `done`, or to `again` with the reason of the refusal.
async fn carry_out_from(change: Change, done: &str, again: &str) -> Result<(), ServerFnError> {
    let operations: Arc<dyn Operations> = provided()?;
    match (operations.carry_out(change).await, provided()?) {
        (Ok(()), _) => lead_to(done),
        (Err(refusal), SentBy::Form) => lead_to(&with_problem(again, &refusal.message)),
        (Err(refusal), SentBy::Program) => {
            provided::<ResponseOptions>()?.set_status(refusal.status);
            Err(ServerFnError::new(refusal.message))
        }
    }
}

/// A value that the server provides with each request.
fn provided<T: Clone + 'static>() -> Result<T, ServerFnError> {
    use_context().ok_or_else(|| ServerFnError::new("this server carries out no server functions"))
}

/// Redirects a browser that sent a form to `path`, with status 303, so that it uses GET. A program gets no redirect.
fn lead_to(path: &str) -> Result<(), ServerFnError> {
    if provided::<SentBy>()? == SentBy::Form {
        let response: ResponseOptions = provided()?;
        // `leptos_axum::redirect` panics if the path cannot be a header value.
        let path = HeaderValue::try_from(utf8_percent_encode(path, NOT_IN_LOCATION).to_string());
        response.insert_header(LOCATION, path.unwrap_or(HeaderValue::from_static("/")));
        response.set_status(StatusCode::SEE_OTHER);
    }
    Ok(())
}

/// `path` with the reason of a refusal as query parameter, which the page shows.
#[must_use]
pub fn with_problem(path: &str, message: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}{PROBLEM}={}", platform::encoded(message))
}
