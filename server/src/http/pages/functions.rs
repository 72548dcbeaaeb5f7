//! The server functions of pages: their routes and rights, and their implementation.

use std::{future::Future, pin::Pin, sync::Arc};

use access::{NewToken, Principal, StoreError};
use app::functions::{
    AcknowledgeAlert, BasePath, CancelJob, Change, ChooseTheme, CreateSilence, CreateToken, EndOtherSessions,
    EndSession, ExpireSilence, ExtendSilence, Operations, Refusal, ResendNotification, RevokeToken, SentBy,
    SilenceRequest, SteerWall, TokenRequest, UnacknowledgeAlert, path_of, with_problem,
};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use leptos::prelude::provide_context;
use model::{
    clock::now_ms,
    role::Role,
    route::{PageKind, PageRoute},
};

use crate::{
    config::Period,
    http::{
        Rights, Route,
        api::{ACTS, ACTS_ON_ALL, alert_details, error::ApiError, jobs, notifications, silences, walls},
        auth::{BODY_BYTES, Denied, TOKENS, end_of},
        reached::Reached,
        slices::ChangeState,
    },
    state::AppState,
};

/// How long "2 hours more" extends a silence, in milliseconds.
const EXTENSION_MS: i64 = 2 * 3_600_000;

/// Content type of forms.
const FORM: &str = "application/x-www-form-urlencoded";
/// Longest message of a refusal, in bytes.
const REFUSAL_BYTES: usize = 64 << 10;

/// The server functions by path, each with its rights and the page that shows why its fields are invalid.
fn functions() -> [(&'static str, Rights, PageKind); 13] {
    [
        (path_of::<CreateSilence>(), ACTS_ON_ALL, PageKind::Alerts),
        (path_of::<ExtendSilence>(), ACTS_ON_ALL, PageKind::Alerts),
        (path_of::<ExpireSilence>(), ACTS_ON_ALL, PageKind::Alerts),
        (path_of::<AcknowledgeAlert>(), ACTS, PageKind::Alerts),
        (path_of::<UnacknowledgeAlert>(), ACTS, PageKind::Alerts),
        (path_of::<ResendNotification>(), ACTS_ON_ALL, PageKind::Alerts),
        // The page of the job is unknown if the fields are invalid.
        (path_of::<CancelJob>(), ACTS, PageKind::Alerts),
        (path_of::<EndSession>(), Rights::OWN, PageKind::Settings),
        (path_of::<EndOtherSessions>(), Rights::OWN, PageKind::Settings),
        (path_of::<CreateToken>(), TOKENS, PageKind::Settings),
        (path_of::<RevokeToken>(), TOKENS, PageKind::Settings),
        (path_of::<ChooseTheme>(), Rights::OWN, PageKind::Settings),
        (path_of::<SteerWall>(), ACTS, PageKind::Walls),
    ]
}

/// The routes of all server functions.
pub(crate) fn routes() -> Vec<Route<AppState>> {
    functions().map(|(path, rights, _)| Route::post(path, rights, answer).with_body_limit(BODY_BYTES)).into()
}

/// Runs the server function at the path of the request.
async fn answer(
    State(state): State<ChangeState>,
    principal: Principal,
    reached: Reached,
    request: Request,
) -> Response {
    let sent_by = if has(request.headers(), &header::ACCEPT, "text/html") { SentBy::Form } else { SentBy::Program };
    let page = page_of(request.uri().path());
    let operations: Arc<dyn Operations> = Arc::new(PageOperations { state, principal });
    let base = BasePath(reached.base().to_owned());
    let context = move || {
        provide_context(Arc::clone(&operations));
        provide_context(sent_by);
        provide_context(base.clone());
    };
    let response = match received(request).await {
        Ok(request) => run(context, request).await,
        Err(error) => Err(error),
    };
    let response = response.unwrap_or_else(|error| match sent_by {
        SentBy::Form => Redirect::to(&with_problem(page, &error.message)).into_response(),
        SentBy::Program => error.into_response(),
    });
    ([(header::CACHE_CONTROL, "no-store")], response).into_response()
}

/// Reads the whole body, and removes the headers that change the behaviour of leptos_axum.
async fn received(request: Request) -> Result<Request, ApiError> {
    let (mut parts, body) = request.into_parts();
    if parts.headers.contains_key(header::CONTENT_TYPE) && !has(&parts.headers, &header::CONTENT_TYPE, FORM) {
        let message = format!("send the fields as {FORM}");
        return Err(ApiError { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, ..ApiError::bad_request(message) });
    }
    // If the fields of a form are invalid, leptos_axum redirects to any `Referer`, with the error in a parameter that no page reads.
    parts.headers.remove(header::REFERER);
    parts.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    // For a body that is too long, leptos_axum would respond with 400.
    let body = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await.map_err(|rejection| {
        let message = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                format!("the form has more than {} KiB: shorten what its fields say", BODY_BYTES >> 10)
            }
            _ => rejection.body_text(),
        };
        ApiError { status: rejection.status(), ..ApiError::bad_request(message) }
    })?;
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Runs the server function at the path of the request. Returns its response, or an error if that is not a success.
async fn run(context: impl Fn() + Clone + Send + 'static, request: Request) -> Result<Response, ApiError> {
    let response = leptos_axum::handle_server_fns_with_context(context, request).await.into_response();
    if response.status().is_redirection() || response.status().is_success() {
        return Ok(response);
    }
    Err(refusal_in(response).await)
}

/// Whether there is a header `name` that contains `part`.
fn has(headers: &HeaderMap, name: &HeaderName, part: &str) -> bool {
    headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(part))
}

/// The page that shows why the fields of the server function at `path` are invalid.
fn page_of(path: &str) -> &'static str {
    let function = functions().into_iter().find(|(candidate, ..)| *candidate == path);
    PageRoute::path_of(function.map_or(PageKind::Alerts, |(.., kind)| kind))
}

/// The error in a response without success. leptos_axum writes the kind of error before its message, and responds with 500 to invalid fields.
async fn refusal_in(response: Response) -> ApiError {
    let status = response.status();
    let body = to_bytes(response.into_body(), REFUSAL_BYTES).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let (kind, message) = text.split_once('|').unwrap_or(("", &text));
    let status =
        if matches!(kind, "Args" | "MissingArg" | "Deserialization") { StatusCode::BAD_REQUEST } else { status };
    let code = match status {
        StatusCode::BAD_REQUEST => "bad_request",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::CONFLICT => "conflict",
        StatusCode::BAD_GATEWAY => "upstream",
        StatusCode::INTERNAL_SERVER_ERROR => "internal",
        _ => "unavailable",
    };
    ApiError { status, code, message: message.to_owned() }
}

/// Makes the changes that pages request, with the rights of one principal.
struct PageOperations {
    state: ChangeState,
    principal: Principal,
}

impl Operations for PageOperations {
    fn carry_out(&self, change: Change) -> Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send + '_>> {
        Box::pin(self.make(change))
    }
}

impl PageOperations {
    async fn make(&self, change: Change) -> Result<(), Refusal> {
        let (alerts, principal) = (&self.state.alerts, &self.principal);
        match change {
            Change::CreateSilence(SilenceRequest { matchers, duration, comment }) => {
                let wanted = silences::Wanted::new(matchers, duration, comment);
                silences::put_new(alerts, principal, wanted).await?;
            }
            Change::ExtendSilence(id) => {
                let silence = alerts.notifier.silence(&id).await.map_err(ApiError::from)?;
                let ends_at = silence.ends_at_ms.max(now_ms()).saturating_add(EXTENSION_MS);
                silences::put_change(alerts, principal, &id, silences::Wanted::until(ends_at)).await?;
            }
            Change::ExpireSilence(id) => {
                silences::expire_one(alerts, principal, &id).await?;
            }
            Change::AcknowledgeAlert(fingerprint) => {
                alert_details::acknowledge_one(alerts, principal, &fingerprint, "").await?;
            }
            Change::UnacknowledgeAlert(fingerprint) => {
                alert_details::unacknowledge_one(alerts, principal, &fingerprint).await?;
            }
            Change::ResendNotification(id) => {
                notifications::resend_one(&alerts.notifier, principal, &id).await?;
            }
            Change::CancelJob { daemon, id } => {
                let answer = jobs::cancel_one(&self.state.watched, principal, &daemon, &id).await?;
                if !answer.cancelled {
                    return Err(Refusal { status: StatusCode::CONFLICT, message: answer.message });
                }
            }
            Change::EndSession(id) => {
                if self.state.auth.end_audited(principal, |one| one == id).await.map_err(refused)? == 0 {
                    let message = "this token has no such session".to_owned();
                    return Err(Refusal { status: StatusCode::NOT_FOUND, message });
                }
            }
            Change::EndOtherSessions => {
                let is_other = |one: &str| Some(one) != principal.session_id();
                self.state.auth.end_audited(principal, is_other).await.map_err(refused)?;
            }
            Change::CreateToken(request) => self.create_token(request).await?,
            Change::RevokeToken(id) => self.state.auth.revoke_audited(principal, &id).await?,
            Change::SteerWall { name, action, dashboard } => {
                walls::steer_one(&self.state.walls, principal, &name, &action, dashboard)?;
            }
        }
        Ok(())
    }

    async fn create_token(&self, request: TokenRequest) -> Result<(), Refusal> {
        let TokenRequest { name, role, lasts, dashboard, matchers } = request;
        let role: Role = role.parse().map_err(wrong)?;
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let expires_at = given(lasts).map(|lasts| lasts.parse::<Period>()).transpose().map_err(wrong)?.map(end_of);
        let dashboards = given(dashboard).into_iter().collect();
        let new = NewToken {
            name: name.trim().to_owned(),
            role,
            expires_at,
            dashboards,
            matchers: matchers.trim().to_owned(),
        };
        let (token, secret) = self.state.auth.create_audited(&self.principal, new).await.map_err(refused)?;
        self.state.made_tokens.put(&self.principal, token, secret);
        Ok(())
    }
}

fn wrong(error: impl std::fmt::Display) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, message: error.to_string() }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Refusal { status: error.status, message: error.message }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Refusal { status: denied.status(), message: denied.message().to_owned() }
    }
}

fn refused(error: StoreError) -> Refusal {
    Denied::from(&error).into()
}

#[cfg(test)]
mod tests {
    use model::route::FUNCTIONS;

    use super::*;

    #[test]
    fn the_paths_of_server_functions_have_a_common_prefix() {
        for (path, ..) in functions() {
            assert!(path.starts_with(FUNCTIONS), "{path}");
        }
    }
}
