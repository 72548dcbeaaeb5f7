//! The routes and the router.

mod alertmanager;
pub(crate) mod answers;
pub(crate) mod api;
pub(crate) mod assets;
pub(crate) mod auth;
pub(crate) mod bodies;
pub(crate) mod connections;
pub(crate) mod csp;
mod fallbacks;
mod freshness;
pub(crate) mod heads;
mod health;
mod limited;
mod listing;
pub(crate) mod live;
mod measured;
mod metrics;
pub(crate) mod pages;
pub(crate) mod prometheus;
pub(crate) mod reached;
pub(crate) mod remote_write;
pub(crate) mod render;
mod rewrite;
mod rights;
mod route;
pub(crate) mod slices;
pub(crate) mod watched;

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    extract::{OriginalUri, Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::{self, Next},
    response::{Redirect, Response},
    routing::{MethodRouter, get},
};
use model::{
    role::Role,
    route::{PAGES, PageKind, PageRoute},
};
use tower_http::{
    compression::{
        CompressionLayer, CompressionLevel, Predicate,
        predicate::{DefaultPredicate, NotForContentType},
    },
    limit::RequestBodyLimitLayer,
    timeout::TimeoutLayer,
    trace::TraceLayer,
};
use tracing::debug_span;

use self::{
    assets::Assets,
    auth::Denied,
    csp::secure_headers,
    heads::HeadLimit,
    remote_write::{Ingest, IngestLimits},
};
use crate::state::AppState;

pub(crate) use self::{
    rights::{OnDashboards, Rights, Who, WithinMatchers},
    route::Route,
};

/// Timeout of a request that is not a socket; a long poll is shorter.
const REQUEST_TIME: Duration = Duration::from_secs(60);
/// Path of live sockets.
const SOCKET: &str = "/ws";

/// All routes with their rights: the source of the router, of `/api/routes`, and of the list in `docs/security.md`.
#[must_use]
pub(crate) fn table(state: &AppState) -> Vec<Route> {
    let mut routes: Vec<Route> =
        PAGES.into_iter().map(|page| Route::get(page.path, Rights::PAGES, pages::page)).collect();
    routes.extend([
        // Links of alerts lead here; they have Prometheus' format.
        Route::get("/graph", Rights::PAGES, async || Redirect::to(PageRoute::path_of(PageKind::Alerts))),
        Route::get("/fragments/{part}", Rights::PAGES, pages::fragment),
        Route::get("/wall/{name}", Rights::PAGES, api::walls::open),
        Route::get("/demo/receivers", Rights::OF_ALL, api::demo_receivers::page),
        Route::get("/health", Rights::OPEN, health::health),
        Route::get("/ready", Rights::OPEN, health::ready),
        Route::get("/-/healthy", Rights::OPEN, health::prometheus_healthy),
        Route::get("/-/ready", Rights::OPEN, health::prometheus_ready),
        Route::get(SOCKET, Rights::PAGES, live::upgrade::upgrade),
        Route::get("/api/routes", Rights::OF_ALL.of(Who::Admins), listing::list),
    ]);
    let metrics = if state.metrics_public { Rights::OPEN } else { Rights::LISTS.of(Who::Scrapers) };
    routes.extend(["/metrics", "/api/v1/metrics"].map(|path| Route::get(path, metrics, metrics::own)));
    routes.extend(pages::functions::routes());
    routes.extend(api::routes());
    routes.extend(alertmanager::routes());
    routes.extend(prometheus::routes());
    routes.extend(render::routes());
    routes.extend(auth::routes(&state.auth));
    routes.extend(ingest(state).routes());
    routes
}

fn ingest(state: &AppState) -> Ingest {
    Ingest::new(
        state.embedded.store().clone(),
        state.exemplars.clone(),
        IngestLimits::of(&state.limits, &state.budgets.writes),
    )
}

/// How requests of a route are processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// With a limited body and a timeout.
    Usual,
    /// Remote write: the handler limits the body itself.
    Written,
    /// A live socket.
    Socket,
}

impl Taken {
    fn of(route: &Route) -> Self {
        match route.rights.who {
            _ if route.path == SOCKET => Taken::Socket,
            Who::Writers => Taken::Written,
            _ => Taken::Usual,
        }
    }
}

/// Removes the routes of this kind from `routes`, as a router.
fn take(routes: &mut Vec<Route>, state: &AppState, taken: Taken) -> Router<AppState> {
    let mut paths: BTreeMap<&'static str, MethodRouter<AppState>> = BTreeMap::new();
    for route in routes.extract_if(.., |route| Taken::of(route) == taken) {
        let path = route.path;
        let other_methods = || {
            let other = MethodRouter::new().fallback(fallbacks::other_method);
            if route.rights.who == Who::Anyone { other } else { auth::require(other, &state.auth, |_| true, true) }
        };
        let others = paths.remove(path).unwrap_or_else(other_methods);
        let handler = if taken == Taken::Socket { route.admitted(&state.auth) } else { route.guarded(state) };
        paths.insert(path, others.merge(handler));
    }
    paths.into_iter().fold(Router::new(), |router, (path, handler)| router.route(path, handler))
}

/// The router of the whole server.
pub(crate) fn router(state: &AppState) -> Router {
    let auth = &state.auth;
    let in_time = || TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIME);
    let unknown = auth::require(get(pages::page), auth, Role::reads, true);
    let unknown: Router = Router::new().route("/{*path}", unknown).with_state(state.clone());
    let heads = HeadLimit::of(&state.config, auth);
    let mut routes = table(state);
    let usual = take(&mut routes, state, Taken::Usual)
        .fallback(move |assets: State<Assets>, uri: OriginalUri, request: Request| {
            fallbacks::bundle_or_page(assets, uri, request, unknown.clone())
        })
        .layer(middleware::from_fn(freshness::layer))
        .layer(middleware::from_fn_with_state(heads.clone(), heads::limit))
        .layer(in_time())
        .layer(RequestBodyLimitLayer::new(state.limits.body_bytes))
        .layer(middleware::from_fn(worded_limit))
        .layer(middleware::from_fn(reached::finish))
        .layer(middleware::from_fn_with_state(state.budgets.answers.clone(), answers::layer))
        // Assets are already compressed, and responses with a content encoding are not changed.
        .layer(
            CompressionLayer::new()
                .quality(CompressionLevel::Fastest)
                .compress_when(DefaultPredicate::new().and(NotForContentType::const_new("application/wasm"))),
        );
    let written = take(&mut routes, state, Taken::Written).layer(in_time());
    let others = written
        .merge(take(&mut routes, state, Taken::Socket))
        .layer(middleware::from_fn_with_state(heads, heads::limit));
    // Without the query string, which may contain a token or a user's input. 5xx responses are not logged, because any
    // client could fill the log with them; `/metrics` counts them.
    let traced = TraceLayer::new_for_http()
        .make_span_with(
            |request: &Request| debug_span!("request", method = %request.method(), path = request.uri().path()),
        )
        .on_failure(());
    let measured = middleware::from_fn_with_state(state.telemetry.clone(), measured::layer);
    let secured =
        secure_headers(usual.merge(others).layer(measured).layer(traced), &state.config).with_state(state.clone());
    reached::below_base(secured, &state.config)
}

/// Says of a body above the limit what is wrong, in the form that the path's clients expect.
async fn worded_limit(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let response = next.run(request).await;
    let is_plain =
        || response.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/plain"));
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE && is_plain() {
        if uri.path().starts_with("/api/v1/") {
            return prometheus::params::too_long();
        }
        let message = "the request's body is over the limit: send less at a time";
        return Denied::new(StatusCode::PAYLOAD_TOO_LARGE, "bad_request", message).for_path(&uri);
    }
    response
}
