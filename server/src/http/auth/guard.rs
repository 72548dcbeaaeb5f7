//! Restricts routes to roles.

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

/// The requirements of a route.
#[derive(Clone)]
struct Guard {
    auth: Auth,
    allows: fn(Role) -> bool,
    /// Whether the route changes nothing, whatever the method.
    only_reads: bool,
}

/// Restricts `handler` to the roles for which `allows` is true, for example [`Role::reads`]. Handlers can extract the [`Principal`]. A request without
/// valid credentials gets 401, or on a page the login; one without the right gets 403. A request that only reads, by its method or by `only_reads`, is
/// aborted when its token or session ends; a change that has begun is completed.
pub(crate) fn require<S: Clone + Send + Sync + 'static>(
    handler: MethodRouter<S>,
    auth: &Auth,
    allows: fn(Role) -> bool,
    only_reads: bool,
) -> MethodRouter<S> {
    handler.layer(from_fn_with_state(Guard { auth: auth.clone(), allows, only_reads }, guard))
}

/// Restricts `handler` to requests that may open a live socket. The handler extracts a [`SocketAdmission`] before the upgrade and holds it while the
/// socket is open. It can extract the [`Principal`] as well.
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
        // The handler is aborted with the token or session.
        () = ended.ended(), if is_reading || guard.only_reads => {
            let message = "the token or the login has ended while this was answered";
            return Denied::new(StatusCode::UNAUTHORIZED, "unauthorized", message).for_path(&uri);
        }
    };
    // The memory of the response is charged to the requester.
    response.extensions_mut().insert(requester);
    if let Some(form_token) = form_token {
        response.extensions_mut().insert(form_token);
    }
    let headers = response.headers_mut();
    // A response for the holder of a token must not be stored in a shared cache.
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
    /// Whether a request may change something. Returns the request again.
    async fn may_change(
        &self,
        request: Request,
        principal: &Principal,
        form_token: Option<&FormToken>,
    ) -> (bool, Request) {
        let (parts, body) = request.into_parts();
        let sender = origin::sending_page(&parts, &self.shared.options);
        let request = Request::from_parts(parts, body);
        // The form is read only if its token decides.
        let decides = origin::may_change(principal, sender, true) && !origin::may_change(principal, sender, false);
        match form_token.filter(|_| decides) {
            Some(form_token) => {
                let (has_form_token, request) = form_token.is_carried_by(request).await;
                (origin::may_change(principal, sender, has_form_token), request)
            }
            None => (origin::may_change(principal, sender, false), request),
        }
    }

    /// The form token of the request's session.
    pub(super) fn form_token(&self, headers: &HeaderMap) -> Option<FormToken> {
        let mut secrets = credentials::by_cookie(headers);
        secrets.find(|secret| self.shared.cache.session(secret).is_some()).map(FormToken::of)
    }

    /// The principal of a request, if its role is allowed.
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

    /// Decides before the upgrade whether a request may open a live socket.
    async fn admit(&self, parts: &Parts) -> Result<SocketAdmission, Denied> {
        let principal = self.permit(parts, Look::Upgrade, Role::reads).await?;
        let sender = origin::sending_page(parts, &self.shared.options);
        let has_origin = parts.headers.contains_key(header::ORIGIN);
        // A page of another site could open a socket with the visitor's cookie, because browsers send no preflight request for sockets.
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

    /// Counts a long poll of `principal` as one of its live sockets, while the returned admission is held.
    pub(crate) fn admit_poll(&self, principal: &Principal) -> Result<SocketAdmission, Denied> {
        let permit = self.shared.sockets.take(principal)?;
        Ok(SocketAdmission::new(principal.clone(), permit))
    }

    /// Logs that a request was refused, at most [`super::REFUSALS_LOGGED`] times a minute for each address.
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
