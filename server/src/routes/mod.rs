//! Which path leads where, and who may go there.

mod health;
mod metrics;
mod v1;
pub mod ws;

use std::time::Duration;

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use model::role::Role;
use tower::ServiceExt;
use tower_http::{
    compression::{
        CompressionLayer, CompressionLevel, Predicate,
        predicate::{DefaultPredicate, NotForContentType},
    },
    limit::RequestBodyLimitLayer,
    timeout::TimeoutLayer,
};

use crate::{
    alerting, api, auth,
    budget::answers,
    heads::{self, HeadLimit},
    ingest::{Ingest, IngestLimits},
    pages, pictures,
    query::{self, freshness},
    reached,
    security::secure_headers,
    state::AppState,
};

/// Longest time for one request that is not a socket; a long poll is shorter.
const REQUEST_TIME: Duration = Duration::from_secs(60);

/// The whole server.
pub fn router(state: &AppState) -> Router {
    let auth = &state.auth;
    let pages = Router::new()
        .route("/", get(pages::page))
        .route("/jobs", get(pages::page))
        .route("/system", get(pages::page))
        .route("/d/{uid}", get(pages::page))
        .route("/kiosk/{uid}", get(pages::page))
        .route("/jobs/{daemon}/{id}", get(pages::page))
        .route("/alerts", get(pages::page))
        .route("/explore", get(pages::page))
        // Where links of alerts lead, which are made as Prometheus makes them.
        .route("/graph", get(async || Redirect::to("/alerts")))
        .route("/settings", get(pages::page));
    let readers = Router::new()
        .nest("/api", api::reader_routes())
        .route("/demo/receivers", get(api::showcase::page))
        .route("/fragments/{part}", get(pages::fragment))
        .layer(middleware::from_fn(v1::whole_readers_only));
    let readers = auth::require(
        readers.merge(pages).merge(pictures::routes::routes()).nest("/api", api::dashboard_routes()),
        auth,
        Role::reads,
    );
    let operators = Router::new().nest("/api", api::operator_routes()).route("/alerts/do", post(api::alert_forms::act));
    let operators = auth::require(operators, auth, Role::operates);
    let alerts = Router::new().nest("/api", api::alert_routes());
    let alerts = auth::require(alerts, auth, |role| role.ingests() || role.operates());
    let prometheus = query::api::routes()
        .merge(alerting::api::prometheus_routes())
        .layer(middleware::from_fn_with_state(state.clone(), v1::within_dashboards));
    let federation =
        query::api::federation().layer(middleware::from_fn_with_state(state.clone(), v1::within_dashboards));
    let prometheus = prometheus.method_not_allowed_fallback(query::api::other_method);
    let prometheus = auth::require(Router::new().nest("/api/v1", prometheus), auth, Role::reads);
    let federation = auth::require(federation, auth, Role::scrapes);
    let admin = state.storage.admin_routes().method_not_allowed_fallback(query::api::other_method);
    let admin = auth::require(Router::new().nest("/api/v1", admin), auth, Role::administers);
    let limits = IngestLimits::of(&state.limits);
    let ingest = Ingest::new(state.embedded.store().clone(), state.exemplars.clone(), limits).routes();
    let ingest = ingest.method_not_allowed_fallback(query::api::other_method);
    let ingest = auth::require(ingest, auth, Role::ingests)
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIME));
    let metrics = Router::new().route("/metrics", get(metrics::own)).route("/api/v1/metrics", get(metrics::own));
    let metrics = if state.metrics_public {
        metrics
    } else {
        auth::require(metrics.layer(middleware::from_fn(v1::whole_readers_only)), auth, Role::scrapes)
    };

    let unknown = Router::new().route("/{*path}", get(pages::page));
    let unknown: Router = auth::require(unknown, auth, Role::reads).with_state(state.clone());

    let heads = HeadLimit::of(&state.config, auth);
    let answered_in_time = Router::new()
        .merge(readers)
        .merge(operators)
        .merge(alerts)
        .merge(prometheus)
        .merge(federation)
        .merge(admin)
        .merge(metrics)
        .merge(auth::routes(auth))
        .merge(pictures::routes::open_routes())
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/-/healthy", get(health::prometheus_healthy))
        .route("/-/ready", get(health::prometheus_ready))
        .fallback(move |state: State<AppState>, request: Request| bundle_or_page(state, request, unknown.clone()))
        .layer(middleware::from_fn(freshness::layer))
        .layer(middleware::from_fn_with_state(heads.clone(), heads::limit))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIME))
        .layer(RequestBodyLimitLayer::new(state.limits.body_bytes))
        .layer(middleware::from_fn(enveloped_limit))
        .layer(middleware::from_fn(reached::finish))
        .layer(middleware::from_fn_with_state(state.budgets.answers.clone(), answers::layer))
        // Assets come compressed from the bundle, and what says how it is encoded is left alone.
        .layer(
            CompressionLayer::new()
                .no_br()
                .quality(CompressionLevel::Fastest)
                .compress_when(DefaultPredicate::new().and(NotForContentType::const_new("application/wasm"))),
        );
    let sockets = auth::admit_sockets(Router::new().route("/ws", get(ws::upgrade)), auth);
    let others = ingest.merge(sockets).layer(middleware::from_fn_with_state(heads, heads::limit));
    let secured =
        secure_headers(answered_in_time.merge(others), state.frame_ancestors.clone()).with_state(state.clone());
    reached::below_base(secured, &state.config)
}

/// Says in Prometheus' envelope that a body is over the limit, where its API is asked.
async fn enveloped_limit(request: Request, next: Next) -> Response {
    let is_prometheus = request.uri().path().starts_with("/api/v1/");
    let response = next.run(request).await;
    let is_plain =
        || response.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/plain"));
    if is_prometheus && response.status() == StatusCode::PAYLOAD_TOO_LARGE && is_plain() {
        return query::params::too_long();
    }
    response
}

/// A file of the bundle, which holds no secrets; else, for those who may see pages, the one that says that there is none.
async fn bundle_or_page(State(state): State<AppState>, request: Request, unknown: Router) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    match state.assets.respond(path, request.headers()) {
        Some(file) => file,
        None if path.starts_with("api/") => {
            api::error::ApiError::not_found(format!("there is no endpoint {}", request.uri().path())).into_response()
        }
        None => match unknown.oneshot(request).await {
            Ok(page) => page,
            Err(never) => match never {},
        },
    }
}
