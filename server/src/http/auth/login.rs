//! Login and logout: exchanges a token for a session, whose secret is in the cookie.

use std::time::{Duration, Instant};

use access::{Action, Actor, ClientAddress, Hash, SessionOrigin, StoreError, Verdict};
use axum::{
    body::Bytes,
    extract::{Form, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
};
use model::{
    clock::now_ms,
    role::Role,
    route::{PageKind, PageRoute},
};
use redact::Secret;
use serde::Deserialize;

use super::{
    Auth, browser,
    credentials::{self, Look},
    form_token::FormToken,
    html::{self, Theme},
    local_path::{AGAIN, here, local_path, login_path, path_and_query},
    login_cookie::{FETCH_DEST, is_frame},
    origin::{self, SendingPage},
    rejection::Denied,
};
use crate::http::reached::Reached;

/// Longest form that is read, in bytes.
pub(super) const BODY_BYTES: usize = 8 << 10;

/// Parameters of a login link, or fields of the form.
#[derive(Deserialize)]
pub(super) struct Credentials {
    token: Option<Secret>,
    next: Option<String>,
    form_token: Option<String>,
}

/// A login that succeeded.
pub(super) struct Login {
    /// Value of `Set-Cookie`.
    pub(super) cookie: HeaderValue,
    /// Redirect target if the request names none.
    home: String,
}

/// `GET /login`: follows a login link, or shows the form.
pub(super) async fn page_or_link(
    State(auth): State<Auth>,
    from: ClientAddress,
    Query(asked): Query<Credentials>,
    parts: Parts,
) -> Response {
    if let Some(token) = &asked.token {
        if let Some(asked) = auth.ask_before_login(&parts, token.expose(), asked.next.as_deref()).await {
            return asked;
        }
        return auth.answer_login(&parts, token.expose(), asked.next.as_deref(), from).await;
    }
    let next = local_path(asked.next.as_deref(), Reached::of(&parts, false).base());
    if auth.identify(&parts, Look::Request).await.is_ok_and(|principal| principal.role().reads()) {
        return Redirect::to(next.as_deref().unwrap_or("/")).into_response();
    }
    // A request without Fetch Metadata counts as a navigation, because this page has no other use.
    let is_navigation = parts.headers.get("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    if is_navigation && origin::sending_page(&parts, &auth.shared.options) == SendingPage::Foreign {
        return page(StatusCode::OK, html::come_again(&login_path(next.as_deref().unwrap_or("/"))));
    }
    page(StatusCode::OK, auth.login_page(&parts, next.as_deref(), None))
}

/// `POST /login`: the form.
pub(super) async fn form(
    State(auth): State<Auth>,
    from: ClientAddress,
    parts: Parts,
    Form(given): Form<Credentials>,
) -> Response {
    // A page of another site could log a visitor in with the attacker's token (login CSRF).
    let has_form_token = || {
        let form_token = auth.form_token(&parts.headers);
        given.form_token.as_ref().is_some_and(|given| form_token.is_some_and(|ours| ours.is(given)))
    };
    let is_refused = match origin::sending_page(&parts, &auth.shared.options) {
        SendingPage::Ours | SendingPage::Unsaid => false,
        SendingPage::Foreign => true,
        SendingPage::Hidden => !has_form_token(),
    };
    if is_refused {
        let sent_by =
            parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or("another page");
        let host = origin::host(&parts).unwrap_or("no name");
        let message = format!(
            "this login form was sent by {sent_by}, and the request is for {host}: open the login page itself. Where a proxy asks under another \
             name, have it pass Host on, or set public_url"
        );
        return Denied::new(StatusCode::FORBIDDEN, "cross_site", message).page();
    }
    let token = given.token.as_ref().map_or("", |token| token.expose().trim());
    auth.answer_login(&parts, token, given.next.as_deref(), from).await
}

/// `/logout`: ends the session of the request's cookie, or shows a page that the logout was refused.
pub(super) async fn logout(State(auth): State<Auth>, from: ClientAddress, parts: Parts, form: Bytes) -> Response {
    let sessions: Vec<_> = credentials::by_cookie(&parts.headers)
        .filter_map(|secret| Some((secret, auth.shared.cache.session(secret)?)))
        .collect();
    let form_token = sessions.first().map(|(secret, _)| FormToken::of(secret));
    let has_form_token = || form_token.as_ref().is_some_and(|token| token.is_in(&parts.headers, &form));
    let is_refused = match origin::sending_page(&parts, &auth.shared.options) {
        SendingPage::Ours => false,
        // A link or an image in a page of another site that hides its origin.
        SendingPage::Unsaid if origin::is_reading(&parts.method) => !sessions.is_empty(),
        SendingPage::Unsaid => false,
        // Refused even without a cookie: the browser may be logged in, but it does not send a strict cookie from another site.
        SendingPage::Foreign => true,
        SendingPage::Hidden => !sessions.is_empty() && !has_form_token(),
    };
    if is_refused {
        auth.audit_refusal(&parts, None, "a logout from another site");
        let form_token = form_token.as_ref().map(FormToken::as_str);
        return page(StatusCode::FORBIDDEN, html::still_logged_in(form_token, theme(&parts.headers)));
    }
    for (secret, session) in &sessions {
        let ended = auth.shared.store.end_session(&Hash::of(secret)).await;
        if let Err(error) = match ended {
            Ok(()) => auth.shared.cache.reload().await,
            failed => failed,
        } {
            tracing::error!(%error, "a session could not be ended");
            return Denied::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "the session could not be ended: try again",
            )
            .page();
        }
        session.token.actor(from).did(Action::Logout, &session.id, "");
    }
    let to_login = Redirect::to("/login");
    match credentials::by_cookie(&parts.headers).next() {
        Some(_) => ([(header::SET_COOKIE, auth.cookie(&parts, "", Some(0)))], to_login).into_response(),
        None => to_login.into_response(),
    }
}

impl Auth {
    /// Exchanges a token for a session.
    pub(super) async fn log_in(&self, parts: &Parts, secret: &str, from: ClientAddress) -> Result<Login, Denied> {
        let verdict = self.attempts().check(from.0, Instant::now());
        if let Verdict::Limited { retry_after, is_news } = verdict {
            if is_news {
                Actor::unknown(from).was_refused(Action::Login, "", "too many wrong tokens, for a while");
            }
            let message = format!("too many wrong tokens: try again in {} s", retry_after.as_secs().max(1));
            return Err(Denied::new(StatusCode::TOO_MANY_REQUESTS, "too_many_logins", message).retry_after(retry_after));
        }
        let Some(token) = self.shared.cache.token(secret).await else {
            self.attempts().note_wrong(from.0, Instant::now());
            Actor::unknown(from).was_refused(Action::Login, "", "wrong token");
            let message = match access::is_mistyped(secret) {
                true => "This token is mistyped: a character is wrong or missing.",
                false => "This token is wrong, expired or revoked.",
            };
            return Err(Denied::new(StatusCode::UNAUTHORIZED, "unauthorized", message));
        };
        if !token.session.role.reads() {
            token.actor(from).was_refused(Action::Login, "", "the role reads no pages");
            let message = "This token is for programs and shows no pages: log in with another.";
            return Err(Denied::new(StatusCode::FORBIDDEN, "forbidden", message));
        }
        let home = match token.session.dashboards.as_slice() {
            [] => "/".to_owned(),
            // In the order in which the token names them, which is that of a wall.
            uids => PageRoute::path_to(PageKind::Kiosk, &[&uids.join(",")]),
        };
        let before: Vec<_> = credentials::by_cookie(&parts.headers)
            .filter_map(|secret| Some((secret, self.shared.cache.session(secret)?)))
            .collect();
        // Windows of one browser with kiosk displays follow the same link and share one session.
        let shared =
            before.iter().find(|(_, session)| token.session.role == Role::Kiosk && session.token.id == token.id);
        if let Some((secret, session)) = shared {
            let lasts_secs = session.session.expires_at.map(|at| at.saturating_sub(now_ms()) / 1_000);
            return Ok(Login { cookie: self.cookie(parts, secret, lasts_secs), home });
        }
        let expires_at = match token.session.role {
            Role::Kiosk => token.session.expires_at,
            _ => access::earlier(
                token.session.expires_at,
                Some(now_ms().saturating_add(millis(self.shared.options.session_lifetime))),
            ),
        };
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|name| name.to_str().ok()).unwrap_or_default();
        let origin = SessionOrigin { address: from.to_string(), browser: browser::in_words(user_agent) };
        // The cookie of the previous session is replaced, so nobody could use or end that session later.
        let replaced: Vec<Hash> = before.iter().map(|(_, session)| session.hash).collect();
        let started = async {
            let started = self.shared.store.start_session(&token.id, expires_at, &origin, &replaced).await?;
            if let Err(error) = self.shared.cache.reload().await {
                // Nobody gets the cookie of this session. If it cannot be ended, it ends when it is idle.
                let _ = self.shared.store.end_session(&Hash::of(started.expose())).await;
                return Err(error);
            }
            Ok::<_, StoreError>(started)
        };
        let session = started.await.map_err(|error| {
            tracing::error!(%error, "a session could not be started");
            Denied::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The login could not be stored: try again.")
        })?;
        token.actor(from).did(Action::Login, "", "");
        Ok(Login {
            cookie: self.cookie(parts, session.expose(), expires_at.map(|at| at.saturating_sub(now_ms()) / 1_000)),
            home,
        })
    }

    /// The first response to a login link from another site; `None` if the login may proceed.
    ///
    /// A browser does not send the strict cookie from another site. So our own page requests the link again, and if the login would replace a valid one, that
    /// page asks the user. A request that is not for a page, such as an image in a page of another site, is refused: it would log in unseen. With a page on
    /// another port of this host, which is the same site, it would even send the cookie.
    pub(super) async fn ask_before_login(&self, parts: &Parts, secret: &str, next: Option<&str>) -> Option<Response> {
        if origin::sending_page(parts, &self.shared.options) == SendingPage::Foreign
            && !self.is_in_frame_of_its_own(parts)
        {
            let is_page = parts.headers.get(FETCH_DEST).is_none_or(|what| what == "document" || is_frame(what));
            if !is_page {
                self.audit_refusal(parts, None, "a login from within a page of another site");
                let message = "a page of another site cannot log anybody in: open the link itself";
                return Some(Denied::new(StatusCode::FORBIDDEN, "cross_site", message).page());
            }
            let mut link = here(parts.uri.path_and_query()?.as_str())?;
            link.query_pairs_mut().append_pair(AGAIN, "1");
            return Some(page(StatusCode::OK, html::come_again(&path_and_query(&link))));
        }
        let is_again = form_urlencoded::parse(parts.uri.query()?.as_bytes()).any(|(name, _)| name == AGAIN);
        if !is_again {
            return None;
        }
        let (cookie, session) = credentials::by_cookie(&parts.headers)
            .find_map(|secret| Some((secret, self.shared.cache.session(secret)?)))?;
        let token = self.shared.cache.token(secret).await.filter(|token| token.id != session.token.id)?;
        let next = local_path(next, Reached::of(parts, false).base());
        let form_token = FormToken::of(cookie);
        let question = html::Question {
            name: &token.session.name,
            role: token.session.role.name(),
            now: &session.session.name,
            token: secret,
            next: next.as_deref().unwrap_or_default(),
            form_token: form_token.as_str(),
        };
        Some(page(StatusCode::OK, html::log_in_as(&question, theme(&parts.headers))))
    }

    /// Logs in and redirects, or shows the form with the error.
    async fn answer_login(&self, parts: &Parts, secret: &str, next: Option<&str>, from: ClientAddress) -> Response {
        let next = local_path(next, Reached::of(parts, false).base());
        match self.log_in(parts, secret, from).await {
            Ok(login) => {
                let to = next.unwrap_or(login.home);
                let headers =
                    [(header::SET_COOKIE, login.cookie), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
                (headers, Redirect::to(&to)).into_response()
            }
            Err(denied) => {
                let form = self.login_page(parts, next.as_deref(), Some(denied.message()));
                let mut response = page(denied.status(), form);
                denied.set_headers(response.headers_mut());
                response
            }
        }
    }

    /// The login page, with a note if the browser cannot store the cookie.
    fn login_page(&self, parts: &Parts, next: Option<&str>, error: Option<&str>) -> String {
        let is_https = Reached::of(parts, self.shared.options.https).is_https();
        let note = (self.is_in_foreign_frame(parts) && !is_https).then_some(
            "Inside a page of another site a browser stores a login over HTTPS only. In a frame, this address has to be one of HTTPS; \
             in a tab of its own it works as it is.",
        );
        html::login(next.unwrap_or_default(), error, note, theme(&parts.headers))
    }

    fn attempts(&self) -> parking_lot::MutexGuard<'_, access::LoginThrottle> {
        self.shared.wrong_logins.lock()
    }
}

fn page(status: StatusCode, html: String) -> Response {
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // The URL may contain a refused token, so `Referer` must not have more than the origin.
        (header::REFERRER_POLICY, HeaderValue::from_static("strict-origin")),
    ];
    (status, HeaderMap::from_iter(headers), Html(html)).into_response()
}

/// The theme that the viewer chose in the app.
fn theme(headers: &HeaderMap) -> Theme {
    Theme::chosen(credentials::cookies(headers, app::THEME_COOKIE).next())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
