//! Server functions: what the forms of pages ask for.
//!
//! Each is a plain form that needs no scripts. The answer leads back to the page, which then shows what was done, or says why it was not.
//! What a function does is the server's: it provides [`Operations`] with each request.

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

/// A change that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Silence alerts.
    CreateSilence(SilenceRequest),
    /// Give the silence of this id two more hours.
    ExtendSilence(String),
    /// End the silence of this id now.
    ExpireSilence(String),
    /// Say that somebody looks after the alert of this fingerprint.
    AcknowledgeAlert(String),
    /// Take that back.
    UnacknowledgeAlert(String),
    /// Send the notification of this id again, which was given up.
    ResendNotification(String),
    /// Ask a daemon to cancel a job.
    CancelJob {
        /// Configured name of the daemon.
        daemon: String,
        /// The daemon's id of the job.
        id: String,
    },
    /// End the session of this id, which is one of the token that asks.
    EndSession(String),
    /// End its sessions but for the one that asks.
    EndOtherSessions,
    /// Make a token. The page that is shown next has its secret.
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

/// A silence that is asked for. It begins now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceRequest {
    /// Which alerts, in Alertmanager's syntax.
    pub matchers: String,
    /// How long, such as `2h`.
    pub duration: String,
    /// Why.
    pub comment: String,
}

/// A token that is asked for, as the form for it sends its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenRequest {
    /// For people: who or what holds it.
    pub name: String,
    /// The name of its role.
    pub role: String,
    /// How long it holds, such as `30d`; empty for ever.
    pub lasts: String,
    /// The dashboard that it is limited to, by uid; empty for none.
    pub dashboard: String,
    /// Matchers that every series it reads must fulfil, as between the braces of a selector; empty for all series.
    pub matchers: String,
}

impl TokenRequest {
    /// The request in the parameters of a URL, if there is one.
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

    /// The same as parameters of a URL.
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
    /// The status for a program that asked.
    pub status: StatusCode,
    /// What was wrong and how to mend it, for a person.
    pub message: String,
}

/// Makes changes for whoever sent the request that it was provided for.
pub trait Operations: Send + Sync {
    /// Makes `change`, if the sender may.
    fn carry_out(&self, change: Change) -> Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send + '_>>;
}

/// The path that a form sends itself to.
#[must_use]
pub fn path_of<F: ServerFn>() -> &'static str {
    F::PATH
}

/// What sent a request: decides how it is answered. Provided with each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentBy {
    /// A form of a page: the answer leads back to a page.
    Form,
    /// A program: the answer has a status and JSON.
    Program,
}

/// What is not part of the path and the query in a header, beside characters that are not ASCII.
const NOT_IN_LOCATION: &AsciiSet = &CONTROLS.add(b' ');

/// Makes `change` and leads back to `back`, if that is `page` with some query, else to `page`.
async fn carry_out(change: Change, page: &str, back: &str) -> Result<(), ServerFnError> {
    // Only to the page that has the form: not to wherever a form of another site says.
    let back = if back.strip_prefix(page).is_some_and(|query| query.starts_with('?')) { back } else { page };
    carry_out_from(change, back, back).await
}

/// Makes `change` and leads to `done`, or to `again` with what was wrong.
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

/// What the server provides with each request.
fn provided<T: Clone + 'static>() -> Result<T, ServerFnError> {
    use_context().ok_or_else(|| ServerFnError::new("this server carries out no server functions"))
}

/// Has the browser that sent a form ask for `path` next (303: by GET). A program is not led anywhere.
fn lead_to(path: &str) -> Result<(), ServerFnError> {
    if provided::<SentBy>()? == SentBy::Form {
        let response: ResponseOptions = provided()?;
        // `leptos_axum::redirect` would panic at what cannot stand in a header.
        let path = HeaderValue::try_from(utf8_percent_encode(path, NOT_IN_LOCATION).to_string());
        response.insert_header(LOCATION, path.unwrap_or(HeaderValue::from_static("/")));
        response.set_status(StatusCode::SEE_OTHER);
    }
    Ok(())
}

/// `path` with what was wrong, for the page there to show.
#[must_use]
pub fn with_problem(path: &str, message: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}{PROBLEM}={}", platform::encoded(message))
}
