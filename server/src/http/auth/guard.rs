//! Puts routes behind a role.

use std::time::Instant;

use access::{Action, Actor, Carrier, Principal, Verdict};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Redirect, Response},
    routing::MethodRouter,
};
use model::role::Role;

use super::{
    Auth, client,
    credentials::{self, Look},
    form_token::FormToken,
    local_path, origin,
    rejection::Denied,
    sockets::SocketAdmission,
};

/// What a route asks of whoever asks for it.
#[derive(Clone)]
struct Guard {
    auth: Auth,
    allows: fn(Role) -> bool,
    /// Whatever the method is, nothing is changed.
    only_reads: bool,
}

/// Lets only those roles that `allows` names reach `handler`, for example [`Role::reads`]. Handlers find the
/// [`Principal`]. Who is nobody gets 401, or on a page the login; who may not gets 403. What `only_reads`, also by POST, ends with its
/// token; a change that has begun is carried out.
pub(crate) fn require<S: Clone + Send + Sync + 'static>(
    handler: MethodRouter<S>,
    auth: &Auth,
    allows: fn(Role) -> bool,
    only_reads: bool,
) -> MethodRouter<S> {
    handler.layer(from_fn_with_state(Guard { auth: auth.clone(), allows, only_reads }, guard))
}

/// Lets only requests that may open a live socket reach `handler`, which takes a
/// [`SocketAdmission`] before the upgrade and keeps it as long as the socket is open. It finds the [`Principal`] too.
pub(crate) fn admit_sockets<S: Clone + Send + Sync + 'static>(
    handler: MethodRouter<S>,
    auth: &Auth,
) -> MethodRouter<S> {
    handler.layer(from_fn_with_state(auth.clone(), admit))
}

async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let auth = &guard.auth;
    if let Some((token, rest)) = local_path::token_of_kiosk_link(&parts.uri) {
        let from = client::address_of(&parts, &auth.shared.options.trusted_proxies);
        if let Some(asked) = auth.ask_before_login(&parts, token.expose(), Some(&rest)).await {
            return asked;
        }
        return match auth.log_in(&parts, token.expose(), from).await {
            Ok(login) => ([(header::SET_COOKIE, login.cookie)], Redirect::to(&rest)).into_response(),
            Err(denied) => denied.page(),
        };
    }
    let principal = match auth.permit(&parts, Look::Request, guard.allows).await {
        Ok(principal) => principal,
        Err(denied) => return denied.for_path(&parts.uri),
    };
    let form_token = match principal.carrier() {
        Carrier::Cookie => auth.form_token(&parts.headers),
        _ => None,
    };
    let mut request = Request::from_parts(parts, body);
    let is_reading = origin::is_reading(request.method());
    if !is_reading {
        let allowed;
        (allowed, request) = auth.may_change(request, &principal, form_token.as_ref()).await;
        if !allowed {
            let (parts, _) = request.into_parts();
            auth.audit_refusal(&parts, Some(&principal), "a change by cookie from another site");
            let message = "a change must come from one of our own pages, or carry its token in a header";
            return Denied::new(StatusCode::FORBIDDEN, "cross_site", message).for_path(&parts.uri);
        }
    }
    let (mut parts, body) = request.into_parts();
    let renewed = auth.renewed_cookie(&parts, &principal);
    let requester = principal.requester();
    let (uri, ended) = (parts.uri.clone(), principal.clone());
    parts.extensions.insert(principal);
    let answering = requester.clone().scope(next.run(Request::from_parts(parts, body)));
    let mut response = tokio::select! {
        response = answering => response,
        // What it waited for ends with it.
        () = ended.ended(), if is_reading || guard.only_reads => {
            let message = "the token or the login has ended while this was answered";
            return Denied::new(StatusCode::UNAUTHORIZED, "unauthorized", message).for_path(&uri);
        }
    };
    // What the answer weighs is theirs.
    response.extensions_mut().insert(requester);
    if let Some(form_token) = form_token {
        response.extensions_mut().insert(form_token);
    }
    let headers = response.headers_mut();
    // What was only for the holder of a token must not stay in a cache that others share.
    let is_json =
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let kept = if is_json { "no-store" } else { "private, no-cache" };
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static(kept));
    if let Some(cookie) = renewed {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

async fn admit(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let admission = auth.admit(&parts).await;
    request = Request::from_parts(parts, body);
    match admission {
        Ok(admission) => {
            request.extensions_mut().insert(admission.principal().clone());
            request.extensions_mut().insert(admission);
            next.run(request).await
        }
        Err(denied) => denied.for_path(request.uri()),
    }
}

impl Auth {
    /// Whether a request that changes something may, and the same request again.
    async fn may_change(
        &self,
        request: Request,
        principal: &Principal,
        form_token: Option<&FormToken>,
    ) -> (bool, Request) {
        let (parts, body) = request.into_parts();
        let sender = origin::sending_page(&parts, &self.shared.options);
        let request = Request::from_parts(parts, body);
        // The form is read only where it decides.
        let decides = origin::may_change(principal, sender, true) && !origin::may_change(principal, sender, false);
        match form_token.filter(|_| decides) {
            Some(form_token) => {
                let (has_form_token, request) = form_token.is_carried_by(request).await;
                (origin::may_change(principal, sender, has_form_token), request)
            }
            None => (origin::may_change(principal, sender, false), request),
        }
    }

    /// What the forms of the session of a request carry.
    pub(super) fn form_token(&self, headers: &HeaderMap) -> Option<FormToken> {
        let mut secrets = credentials::by_cookie(headers);
        secrets.find(|secret| self.shared.cache.session(secret).is_some()).map(FormToken::of)
    }

    /// Who a request is from, if the role may do what is asked for.
    async fn permit(&self, parts: &Parts, look: Look, allows: fn(Role) -> bool) -> Result<Principal, Denied> {
        let principal = self.identify(parts, look).await?;
        if allows(principal.role()) {
            return Ok(principal);
        }
        self.audit_refusal(parts, Some(&principal), "the role may not");
        let able: Vec<_> = Role::ALL.into_iter().filter(|role| allows(*role)).map(Role::name).collect();
        let message =
            format!("a token of role {} may not do this: it takes {}", principal.role().name(), able.join(" or "));
        Err(Denied::new(StatusCode::FORBIDDEN, "forbidden", message))
    }

    /// Whether a request may open a live socket, decided before it is upgraded.
    async fn admit(&self, parts: &Parts) -> Result<SocketAdmission, Denied> {
        let principal = self.permit(parts, Look::Upgrade, Role::reads).await?;
        let sender = origin::sending_page(parts, &self.shared.options);
        let has_origin = parts.headers.contains_key(header::ORIGIN);
        // A page of elsewhere could open a socket with the visitor's cookie: browsers do not ask us first.
        let is_ours = match (has_origin, principal.carrier()) {
            (true, _) => sender == origin::SendingPage::Ours,
            (false, carrier) => carrier != Carrier::Cookie,
        };
        if !is_ours {
            self.audit_refusal(parts, Some(&principal), "a socket from another origin");
            return Err(Denied::new(
                StatusCode::FORBIDDEN,
                "forbidden_origin",
                "a page of another origin may not open a socket",
            ));
        }
        let permit = self.shared.sockets.take(&principal)?;
        Ok(SocketAdmission::new(principal, permit))
    }

    /// Counts a long poll of `principal` as one of its live sockets, as long as what is returned is held.
    pub(crate) fn admit_poll(&self, principal: &Principal) -> Result<SocketAdmission, Denied> {
        let permit = self.shared.sockets.take(principal)?;
        Ok(SocketAdmission::new(principal.clone(), permit))
    }

    /// Writes down that a request was refused, unless its address filled the log with such lines already.
    pub(crate) fn audit_refusal(&self, parts: &Parts, who: Option<&Principal>, why: &str) {
        let from = client::address_of(parts, &self.shared.options.trusted_proxies);
        let mut refusals = self.shared.refusals.lock();
        let verdict = refusals.check(from.0, Instant::now());
        refusals.note_wrong(from.0, Instant::now());
        drop(refusals);
        let actor = who.map_or_else(|| Actor::unknown(from), Principal::actor);
        match verdict {
            Verdict::Allowed => {
                let object = format!("{} {}", parts.method, parts.uri.path());
                actor.was_refused(Action::Request, &object, why);
            }
            Verdict::Limited { is_news: true, .. } => {
                actor.was_refused(Action::Request, "", "more refusals from here are not written down for a while");
            }
            Verdict::Limited { .. } => {}
        }
    }
}
